# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting, leaving when idle, being killed: no call is lost, no lease is forgotten, no traffic disturbed."""

import contextlib
import importlib.util
import os
import socket
import sys
import threading

import bus
import frames
import lab
import tap

sys.path.append(f"{lab.SOURCE}/tests/attack")
import ipc  # noqa: E402

UNAVAILABLE = "HelperUnavailable"


@contextlib.contextmanager
def idle_seconds(seconds):
    lab.service_arguments(f"--idle-seconds={seconds}")
    lab.helper_arguments(f"--idle-seconds={seconds}")
    try:
        yield
    finally:
        lab.service_arguments()
        lab.helper_arguments()


def gone(which, seconds=30):
    lab.wait_for(lambda: not which(), seconds, "the daemon's leave")


def test_activated_by_the_bus():
    assert not lab.service_pid() and not lab.helper_pid(), "nobody has called yet"
    with bus.connect("outsider") as connection:
        assert "lab" in connection.networks()
        pid = lab.service_pid()
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file if ":\t" in line)
        assert status["Uid"].split() == [str(lab.uid_of("_rawnet"))] * 4, status["Uid"]
        # Its bounding set is the unit's business; dbus-daemon's launch helper leaves it as it is.
        for key in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            assert int(status[key], 16) == 0, (key, status[key])


def test_both_leave_when_idle():
    with idle_seconds(1), bus.connect("member") as connection:
        with connection.open_tap("lab"):
            first = lab.service_pid()
            assert first and lab.helper_pid()
        gone(lab.service_pid)
        gone(lab.helper_pid)
        assert lab.daemons()["rawnet-helper"]["status"] == 0, "not a clean exit"
        assert connection.can_open("lab", "tap") == "yes"  # and the next call starts it
        with connection.open_tap("lab"):  # a busy machine may need more than their second for the question
            assert lab.service_pid() not in (0, first)


def test_neither_leaves_while_a_lease_lives():
    """The positive control is the leave that follows the last close."""
    with idle_seconds(1), bus.connect("member") as connection:
        lease = connection.open_tap("lab")
        service, helper = lab.service_pid(), lab.helper_pid()
        wait_seconds(3)
        assert (lab.service_pid(), lab.helper_pid()) == (service, helper)
        lease.close_fds()
        gone(lab.service_pid)
        gone(lab.helper_pid)


def wait_seconds(seconds):
    """Time itself is what the daemons wait for: there is no other event."""
    timer = threading.Event()
    timer.wait(seconds)


@tap.limit(180)
def test_no_call_is_lost_around_the_leave():
    with idle_seconds(1), bus.connect("member") as connection:
        pids = set()
        for number in range(20):
            # Calls at moments spread over the second in which the daemons leave.
            wait_seconds(0.9 + number * 0.02)
            answer = connection.can_open("lab", "tap")
            assert answer == "yes", (number, answer)
            pids.add(lab.service_pid())
            if number % 4 == 0:
                connection.open_tap("lab").close_fds()
        tap.diag(f"{len(pids - {0})} rawnetds answered 20 calls")
        assert len(pids - {0}) > 1, "none left"


def snapshot(connection):
    return connection.leases()


def both_ways(ports, wire, text):
    for number, (lease, port) in enumerate(ports):
        port.send(frames.marker(lease.info["mac"], f"{text} out {number} "))
        wire.wait(f"{text} out {number} ".encode(), 20)
        wire.send(frames.ether(lease.info["mac"], "02:00:00:00:00:01", frames.TEST, f"{text} in {number} ".encode().ljust(50)))
        port.wait(f"{text} in {number} ".encode(), 20)


def test_killed_with_live_leases():
    networks = ["lab", "lab-private", "lab-vepa"] + (["vlan100", "vlan200", "vlab.307"] if lab.has_vlan() else [])
    with bus.connect("member") as connection, bus.connect("member2") as other, contextlib.ExitStack() as stack:
        leases = []
        for number, network in enumerate(networks):
            who = (connection, other)[number % 2]
            for kind in ("tap", "packet") if network != "vlan200" else ("tap",):
                leases.append(who.open(kind, network, name=f"{network} {kind}"))
                stack.callback(leases[-1].close_fds)
        leases.append(connection.open_tap("lab", name="three queues", queues=3))
        stack.callback(leases[-1].close_fds)
        closed = connection.open_tap("lab", name="closed and held")
        stack.callback(closed.close_fds)
        connection.close_lease(closed.path)
        ports = [(lease, frames.Port(lease.fd, lease.info["vnet-hdr"])) for lease in leases
                 if lease.info["vlan"] == 0 and len(lease.fds) == 1]  # fmt: skip
        wire = stack.enter_context(frames.WirePort())
        before = snapshot(connection)
        assert len(before) == len(leases) + 1
        both_ways(ports, wire, "before")
        for name, kill in (("rawnetd", lab.kill_service), ("helper", lab.kill_helper),
                           ("both", lambda: (lab.kill_helper(), lab.kill_service()))):  # fmt: skip
            kill()
            both_ways(ports, wire, f"without {name}")
            after = lab.wait_for(lambda: snapshot(connection) if len(snapshot(connection)) == len(before) else None, 20, "all leases")
            assert after == before, (name, after, before)
            both_ways(ports, wire, f"with a new {name}")
            # And it is as good as the old one: statistics, another open, an end seen.
            assert connection.statistics(leases[0].path)["tx_packets"] > 0
            bus.expect_error("NoSuchLease", connection.close_lease, closed.path)
            connection.subscribe()
            extra = connection.open_tap("lab")
            extra.close_fds()
            assert connection.wait_signal("Ended", path=extra.path)[1] == ("last-fd",)
            lab.wait_for(lambda: len(snapshot(connection)) == len(before), 10, "the extra lease's removal")


def test_leases_end_while_nobody_looks():
    with bus.connect("member") as connection:
        leases = [connection.open(kind, "lab") for kind in ("tap", "packet", "tap", "packet")]
        lab.stop("rawnet-helper")
        lab.kill_service()
        for lease in leases[:2]:
            lease.close_fds()
        lab.wait_for(lambda: len(lab.lease_ids()) == 2, 10, "the end of two")
        lab.start("rawnet-helper")
        lab.wait_for(lambda: set(connection.leases()) == {lease.path for lease in leases[2:]}, 20, "the two that live")
        for lease in leases[2:]:
            lease.close_fds()
        lab.wait_for(lambda: not connection.leases(), 20, "the end")


def test_rawnetd_hears_of_ends_that_a_killed_helper_did_not_tell():
    with bus.connect("member") as connection:
        connection.subscribe()
        lease = connection.open_tap("lab")
        with lab.stopped(lab.helper_pid()):
            lease.close_fds()
            lab.wait_no_leases()
            pid = lab.helper_pid()
            os.kill(pid, lab.signal.SIGKILL)
        lab.wait_for_exit(pid)
        assert connection.wait_signal("Ended", 20, path=lease.path)[1] == ("last-fd",)
        connection.wait_signal("InterfacesRemoved", 20)


def test_helper_not_running():
    with bus.connect("member") as connection:
        connection.open_tap("lab").close_fds()
        lab.wait_no_leases()
        lab.stop("rawnet-helper")
        os.rename(lab.HELPER_SOCKET, lab.HELPER_SOCKET + ".away")
        try:
            for kind in ("tap", "packet"):
                text = bus.expect_error(UNAVAILABLE, connection.open, kind, "lab")
                assert "rawnet-helper" in text and "systemctl status" in text, text
                assert "lab" in text, text
            assert "lab" in connection.networks(), "what needs no helper works"
        finally:
            os.rename(lab.HELPER_SOCKET + ".away", lab.HELPER_SOCKET)
            lab.start("rawnet-helper")
        connection.open_tap("lab").close_fds()


def test_rawnetd_starts_without_a_helper():
    lab.stop("rawnet-helper")
    os.rename(lab.HELPER_SOCKET, lab.HELPER_SOCKET + ".away")
    try:
        if lab.service_pid():
            lab.kill_service()
        with bus.connect("member") as connection:
            text = bus.expect_error(UNAVAILABLE, connection.open_tap, "lab")
            assert "lab" in text and "rawnet-helper" in text, text
            assert "rawnet-helper" in bus.expect_error(UNAVAILABLE, connection.can_open, "lab", "tap")
    finally:
        start_helper()
    with bus.connect("member") as connection:
        connection.open_tap("lab").close_fds()


def start_helper():
    """With its own socket, which a test may have moved away."""
    if os.path.exists(lab.HELPER_SOCKET + ".away"):
        os.rename(lab.HELPER_SOCKET + ".away", lab.HELPER_SOCKET)
    lab.start("rawnet-helper")


@contextlib.contextmanager
def dying_helper():
    """A socket in place of rawnet-helper's that accepts and hangs up, as a helper that is being restarted does."""
    lab.stop("rawnet-helper")
    os.rename(lab.HELPER_SOCKET, lab.HELPER_SOCKET + ".away")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.bind(lab.HELPER_SOCKET)
            os.chown(lab.HELPER_SOCKET, lab.uid_of("_rawnet"), -1)
            sock.listen()
            sock.settimeout(tap.patience(30))
            yield sock
    finally:
        start_helper()


def test_helper_restarted_before_it_listed_its_leases():
    """A call that waits for the list waits for that of the next helper, once; if that one dies, too, the call is refused."""
    with bus.connect("member") as connection:
        connection.open_tap("lab").close_fds()
        lab.wait_no_leases()
        with dying_helper() as sock:
            serial = connection.send_open("tap", "lab")
            with sock.accept()[0] as first:
                first.recv(4096)
                start_helper()
        connection.opened("tap", serial).close_fds()
        lab.wait_no_leases()
        # In the middle of the open, too: nothing is made twice, since what it was making went with it.
        with dying_helper() as sock:
            serial = connection.send_open("tap", "lab")
            with sock.accept()[0] as first:
                number = ipc.REQUEST.unpack_from(first.recv(4096))[2]
                first.send(ipc.REPLY.pack(ipc.VERSION, ipc.DONE, number, 0, 0) + bytes(ipc.REPLY_SIZE - ipc.REPLY.size))
                while ipc.REQUEST.unpack_from(first.recv(4096))[1] != ipc.OPEN:
                    pass
                start_helper()
        connection.opened("tap", serial).close_fds()
        lab.wait_no_leases()
        with dying_helper() as sock:
            serial = connection.send_open("tap", "lab")
            for _ in range(2):
                with sock.accept()[0] as one:
                    one.recv(4096)
            text = bus.expect_error(UNAVAILABLE, connection.opened, "tap", serial)
            assert "closed the connection" in text and "systemctl status" in text, text
        connection.open_tap("lab").close_fds()


def test_helper_that_ended_before_its_features():
    """rawnetd has the next one started by itself, so that rawnetctl check does not report that no port can be opened."""
    with bus.connect("member") as connection:
        connection.features()
        with dying_helper() as sock:
            lab.kill_service()
            serial = connection.send(bus.ROOT, bus.PROPERTIES, "GetAll", "s", (bus.MANAGER,))
            with sock.accept()[0] as first:
                number = ipc.REQUEST.unpack_from(first.recv(4096))[2]
                first.send(ipc.REPLY.pack(ipc.VERSION, ipc.DONE, number, 0, 0) + bytes(ipc.REPLY_SIZE - ipc.REPLY.size))
                connection.reply(serial)
                start_helper()
        assert "user-namespace" in connection.features(), connection.features()


def test_helper_killed_while_it_opens():
    """Each call is answered, and nothing is left; more such moments in tests/netns/test_lifetime.py."""
    with bus.connect("member") as connection:
        connection.open_tap("lab").close_fds()
        lab.wait_no_leases()
        with lab.stopped(lab.helper_pid()):
            before = len(lab.questions())
            serial = connection.send_open("tap", "lab")
            lab.asked_since(before)
            os.kill(lab.helper_pid(), lab.signal.SIGKILL)
        try:
            connection.opened("tap", serial).close_fds()
        except bus.BusError as error:
            assert error.name == bus.ERROR + UNAVAILABLE, error
        connection.open_tap("lab").close_fds()


def test_dbus_daemons_clients_do_not_hold_rawnetd_up():
    """A client that stops reading its socket does not stop the others."""
    with bus.connect("member2") as lazy, bus.connect("member") as connection:
        lazy.subscribe()
        for _ in range(30):
            connection.open_tap("lab").close_fds()
        with connection.open_tap("lab"):
            pass
        lab.wait_no_leases(30)


if __name__ == "__main__":
    tap.main()
