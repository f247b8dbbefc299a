# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl monitor: leases as they come and go, with real leases and with a rawnetd that ends meanwhile."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time

import bus
import frames
import lab
import tap
import terminal
import waiting


class Monitor:
    """rawnetctl monitor in a pipe, as outsider: anybody may look."""

    def __init__(self, *words, **options):
        self.process = lab.popen_as("outsider", ["rawnetctl", "monitor", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=False, **options)
        self.data = b""

    def line(self, seconds=20):
        end = time.monotonic() + tap.patience(seconds)
        while b"\n" not in self.data:
            assert waiting.readable([self.process.stdout], end - time.monotonic()), f"no line came: {self.data}"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, ("it ended", self.process.communicate())
            self.data += data
        line, self.data = self.data.split(b"\n", 1)
        return line.decode()

    def event(self):
        return json.loads(self.line())

    def ready(self):
        found = self.event()
        assert found["event"] == "ready" and set(found) == {"event", "time"}, found
        return self

    def expect(self, event, lease, reason=None):
        """The next event is this one: the lease's properties."""
        found = self.event()
        assert (found["event"], found["lease"]["id"], found.get("reason")) == (event, lease.id, reason), (event, lease.id, reason, found)
        assert abs(found["time"] / 1e6 - time.time()) < 60, found
        return found["lease"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def test_json_of_a_life():
    """listed, opened, changed, ended with its reason, removed; each with all properties."""
    with bus.connect("member") as connection, connection.open_tap("lab", name="first") as first, Monitor("--json") as monitor:
        assert monitor.expect("listed", first)["name"] == "first"
        monitor.ready()
        lease = connection.open_tap("lab", mac="learn")
        opened = monitor.expect("opened", lease)
        (listed,) = [row for row in json.loads(lab.run_as("member", ["rawnetctl", "list", "--json"]).stdout) if row["id"] == lease.id]
        assert opened == listed and opened["mac"] == "", (opened, listed)
        os.write(lease.fd, frames.vnet_header() + frames.marker("52:54:00:77:88:99"))
        assert monitor.expect("changed", lease)["mac"] == "52:54:00:77:88:99"
        connection.close_lease(lease.path)
        assert monitor.expect("ended", lease, "closed")["state"] == "ended"
        lease.close_fds()
        monitor.expect("removed", lease)
        lease = connection.open_packet("lab")
        monitor.expect("opened", lease)
        lease.close_fds()
        monitor.expect("ended", lease, "last-fd")
        with connection.open_packet("lab") as lease:
            monitor.expect("opened", lease)  # and no removed of the last one


def test_the_parent_is_removed():
    subprocess.run(["ip", "link", "add", "card0", "type", "veth", "peer", "name", "socket0"], check=True)
    try:
        subprocess.run(["ip", "link", "set", "card0", "up"], check=True)
        with lab.network("unplugged", Parent="card0"), bus.connect("member") as connection, connection.open_tap("unplugged") as lease, \
                Monitor("--json") as monitor:  # fmt: skip
            monitor.expect("listed", lease)
            monitor.ready()
            subprocess.run(["ip", "link", "del", "card0"], check=True)
            assert monitor.expect("ended", lease, "link-gone")["state"] == "ended"
            lease.close_fds()
            monitor.expect("removed", lease)
    finally:
        subprocess.run(["ip", "link", "del", "card0"], check=False, capture_output=True)


def test_lines_for_people():
    """A heading and times on a terminal; into a pipe fields without blanks but the last."""
    with bus.connect("member") as connection, connection.open_packet("lab", name="my web") as lease:
        with Monitor() as monitor:
            fields = monitor.line().split(maxsplit=7)
            assert time.strptime(fields[0], "%Y-%m-%dT%H:%M:%S"), fields
            assert fields[1:] == ["listed", "-", f"rn{lease.id:x}", lease.info["mac"], "member", "lab", "my web"], fields
        with terminal.Terminal("member", ["rawnetctl", "monitor"], env={"NO_COLOR": "1"}) as screen:
            screen.wait("TIME +EVENT +REASON +ID +MAC +OWNER +NETWORK +NAME")
            screen.wait(rf"\d\d:\d\d:\d\d listed  - +rn{lease.id:x}")
            connection.close_lease(lease.path)
            screen.wait(rf"ended   closed +rn{lease.id:x}")
            screen.type("\x03")
            assert screen.finish()[0] == -signal.SIGINT


def test_rawnetd_ends_meanwhile():
    """What happened while it was away is reported once, and nothing that did not happen."""
    with bus.connect("member") as connection, Monitor("--json") as monitor:
        monitor.ready()
        with connection.open_tap("lab") as stays, connection.open_tap("lab") as goes:
            monitor.expect("opened", stays)
            monitor.expect("opened", goes)
            lab.stop("rawnet-helper")  # which rawnetd needs before it is on the bus
            try:
                lab.kill_service()
                goes.close_fds()
            finally:
                lab.start("rawnet-helper")
            monitor.expect("ended", goes, "unknown")
            with connection.open_tap("lab") as comes:
                monitor.expect("opened", comes)
            monitor.expect("ended", comes, "last-fd")
        monitor.expect("ended", stays, "last-fd")
        lab.kill_service()
        with connection.open_tap("lab") as lease:
            monitor.expect("opened", lease)
        monitor.expect("ended", lease, "last-fd")


def test_it_does_not_keep_rawnetd():
    """Without leases rawnetd ends as ever, and is not started for the monitor's sake."""
    lab.service_arguments("--idle-seconds=1")
    try:
        with Monitor("--json") as monitor, bus.connect("member") as connection:
            monitor.ready()
            with connection.open_tap("lab") as lease:
                monitor.expect("opened", lease)
            monitor.expect("ended", lease, "last-fd")
            lab.wait_for(lambda: not lab.service_pid(), 20, "rawnetd's end")
            assert not waiting.readable([monitor.process.stdout], 1) and not lab.service_pid()
            with connection.open_tap("lab") as lease:
                monitor.expect("opened", lease)
            monitor.expect("ended", lease, "last-fd")
    finally:
        lab.service_arguments()


def unique_names(connection, pid):
    """The bus names of a process."""
    def call(member, *words):
        return connection.call("/org/freedesktop/DBus", "org.freedesktop.DBus", member, "s" * len(words), words, destination="org.freedesktop.DBus")[0]

    found = []
    for name in call("ListNames"):
        with contextlib.suppress(bus.BusError):
            if name.startswith(":") and call("GetConnectionUnixProcessID", name) == pid:
                found.append(name)
    return found


def test_signals_of_others():
    """Any user may send anybody a signal: it is not rawnetd's."""
    with bus.connect("member") as connection, connection.open_tap("lab") as lease, bus.connect("outsider") as liar, Monitor("--json") as monitor:
        monitor.expect("listed", lease)
        monitor.ready()
        (name,) = unique_names(connection, monitor.process.pid)
        send_signal(liar, name, lease.path, bus.LEASE, "Ended", "s", ("revoked",))
        send_signal(liar, name, bus.ROOT, bus.OBJECT_MANAGER, "InterfacesRemoved", "oas", (lease.path, [bus.LEASE]))
        send_signal(liar, name, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", "sss", (bus.NAME, "", liar.bus.unique_name))
        send_signal(liar, name, lease.path, bus.LEASE, "Ended", "s", ("revoked",))
        liar.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId", destination="org.freedesktop.DBus")  # they are through
        with connection.open_tap("lab") as other:
            monitor.expect("opened", other)
        monitor.expect("ended", other, "last-fd")


def send_signal(connection, destination, path, interface, member, signature, body):
    message = bus.new_signal(bus.DBusAddress(path, interface=interface), member, signature, body)
    message.header.fields[bus.HeaderFields.destination] = destination
    connection.bus.send(message)


def test_the_bus_ends():
    with bus.connect("member") as connection, connection.open_tap("lab") as lease, bus.proxy("outsider") as (address, proxy), \
            Monitor("--json", env={"DBUS_SYSTEM_BUS_ADDRESS": address}) as monitor:  # fmt: skip
        monitor.expect("listed", lease)
        proxy.kill()
        _, error = monitor.process.communicate(timeout=tap.patience(20))
        assert monitor.process.returncode == 1 and b"closed the connection" in error and error.count(b"\n") == 1, error


def test_nobody_reads():
    """It ends at once, not with the next event."""
    ours, theirs = socket.socketpair()
    with theirs, lab.popen_as("member", ["rawnetctl", "monitor"], stdout=theirs) as process:
        theirs.close()
        ours.close()
        process.wait(tap.patience(20))


def test_it_sleeps():
    """No processor time without events."""
    with bus.connect("member") as connection, connection.open_tap("lab") as lease, Monitor("--json") as monitor:
        monitor.expect("listed", lease)
        monitor.ready()

        def switches():
            with open(f"/proc/{monitor.process.pid}/status", encoding="ascii") as file:
                return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)

        lab.wait_for(lambda: (switches(), waiting.readable([monitor.process.stdout], 0.5))[0] == switches(), 20, "rest")


if __name__ == "__main__":
    tap.main()
