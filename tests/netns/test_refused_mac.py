# SPDX-License-Identifier: GPL-2.0-or-later
"""mac=learn: a guest whose address the port does not take. Nobody is there to be told, so the list, the lease's object, the record and the
journal say which address it was, why, and what to do."""

import contextlib
import json
import re
import subprocess

import bus
import frames
import journal
import lab
import shapes
import tap
import terminal
import unfit

FOREIGN, FREE = "bc:24:11:00:00:01", "52:54:00:77:04:01"
LAB_FILE = "/etc/rawnet/networks/lab.conf"
ADDRESS_REFUSED = "850804c49e27425a96167aa82792d60e"  # RAWNET_EVENT_ADDRESS_REFUSED, common/names.h


class Guest:
    """A port that learns, and frames from whatever address its guest likes."""

    def __init__(self, connection, network="lab", **options):
        self.connection = connection
        self.lease = connection.open_tap(network, mac="learn", **options)
        self.port = shapes.port_of(self.lease)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lease.close_fds()

    @property
    def name(self):
        return f"rn{self.lease.id:x}"

    def send(self, mac):
        self.port.send(frames.ether(frames.BROADCAST, mac, frames.TEST, f"from {mac}".encode()))

    def properties(self):
        return self.connection.get_all(self.lease.path, bus.LEASE)

    def refused(self, mac):
        """Sends from mac until the object says that it was refused: its properties."""

        def seen():
            self.send(mac)
            found = self.properties()
            return found if found["RefusedMAC"] == mac else None

        return lab.wait_for(seen, 20, f"{mac} as refused")

    def learned(self, mac):
        def seen():
            self.send(mac)
            return self.properties()["MAC"] == mac

        lab.wait_for(seen, 20, f"{mac} as learned")

    def record(self):
        return lab.links(where=self.lease.fd)["lo"]["ifalias"]


def ctl(*words):
    return lab.run_as("member", ["rawnetctl", *words], check=True).stdout


def check_shown(guest, mac, words):
    """Wherever a person looks: every one of the words."""
    found = guest.properties()
    assert found["RefusedMAC"] == mac and found["MAC"] == "", found
    reason = found["RefusedReason"]
    for word in (mac, found["Network"], *words):
        assert word in reason, (word, reason)
    status, table = terminal.run("member", ["rawnetctl", "list"], columns=500, env={"NO_COLOR": "1"})
    table = table.replace("\r\n", "\n")
    for text in (table, ctl("list")):
        row = next(line.split() for line in text.splitlines() if line.startswith(guest.name))
        assert status == 0 and row[1] == "refused" and "(learning)" in row, text
    assert f"\n{guest.name}: {reason}\n" in table, table
    assert "MACPrefix" not in ctl("list"), "not only data in a pipe"
    stat = ctl("stat", guest.name)
    assert re.search(rf"^refused +{re.escape(reason)}$", stat, re.MULTILINE), stat
    listed = next(lease for lease in json.loads(ctl("list", "--json")) if lease["id"] == guest.lease.id)
    assert (listed["refused-mac"], listed["refused-reason"]) == (mac, reason), listed
    assert json.loads(ctl("stat", "--json", guest.name))["refused-reason"] == reason


def log_lines(guest, start):
    return [line for line in lab.log_of("rawnetd")[start:].splitlines() if f"lease {guest.name}" in line and "does not take" in line]


def test_outside_of_the_prefixes():
    uid = lab.uid_of("member")
    with bus.connect("member") as connection:
        connection.subscribe()
        start = len(lab.log_of("rawnetd"))
        with Guest(connection, name="my vm") as guest:
            assert guest.properties()["RefusedMAC"] == guest.properties()["RefusedReason"] == ""
            guest.send(FOREIGN)
            while True:
                changed = bus.plain(connection.wait_signal("PropertiesChanged", 20, path=guest.lease.path)[1][1])
                if "RefusedMAC" in changed:
                    break
            assert changed["RefusedMAC"] == FOREIGN and "MACPrefix=" in changed["RefusedReason"], changed
            check_shown(guest, FOREIGN, ["MACPrefix=", LAB_FILE, "52:54:00", "add bc:24:11", "administrator"])
            since = guest.properties()["Since"]
            expected = f"rawnet2 {uid} tap strict 1 0 1500 - {since} lab wire0 refused={FOREIGN}/prefix name=my vm"
            assert guest.record() == expected, guest.record()
            lines = lab.wait_for(lambda: log_lines(guest, start), 10, "a line of the log")
            assert len(lines) == 1 and guest.properties()["RefusedReason"] in lines[0] and f"of user {uid}" in lines[0], lines
            # New daemons know it, from the record.
            before = guest.properties()
            lab.kill_helper()
            lab.kill_service()
            assert connection.leases()[guest.lease.path] == before
            check_shown(guest, FOREIGN, ["MACPrefix="])
            # The port still listens.
            guest.learned(FREE)
            found = guest.properties()
            assert (found["RefusedMAC"], found["RefusedReason"]) == ("", ""), found
            assert guest.record() == f"rawnet1 {uid} tap strict 1 0 1500 {FREE} {since} lab wire0 my vm", guest.record()
            assert "refused" not in ctl("list") + ctl("stat", guest.name)


def test_learning_ends_the_refusal_on_the_bus():
    with bus.connect("member") as connection, Guest(connection) as guest:
        guest.refused(FOREIGN)
        connection.subscribe()
        guest.send(FREE)
        while True:
            changed = bus.plain(connection.wait_signal("PropertiesChanged", 20, path=guest.lease.path)[1][1])
            if "MAC" in changed:
                break
        assert changed == {"MAC": FREE, "RefusedMAC": "", "RefusedReason": ""}, changed


def test_reserved_for_another():
    with bus.connect("member2") as owner, bus.connect("member") as connection:
        with owner.open_tap("lab", name="mine") as lease:
            mac = lease.info["mac"]
        lab.wait_no_leases()
        with Guest(connection) as guest:
            guest.refused(mac)
            check_shown(guest, mac, ["reserved", "give the guest another"])
            assert f" refused={mac}/reserved" in guest.record(), guest.record()


@contextlib.contextmanager
def host_interface(mac):
    subprocess.run(["ip", "link", "add", "own0", "address", mac, "type", "veth", "peer", "name", "own1"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "del", "own0"], check=True)


def test_the_hosts_own():
    mac = "52:54:00:77:04:02"
    with bus.connect("member") as connection, Guest(connection) as guest:
        with host_interface(mac):
            guest.refused(mac)
            check_shown(guest, mac, ["interface of the host", "give the guest another"])
        # It is free now, and the guest gets it.
        guest.learned(mac)


def test_in_use():
    mac = "52:54:00:77:04:03"
    with bus.connect("member") as connection, Guest(connection) as guest:
        with bus.connect("member2") as other, other.open_tap("lab", mac=mac):
            guest.refused(mac)
            check_shown(guest, mac, ["another lease", "rawnetctl list"])
            assert f" refused={mac}/in-use" in guest.record(), guest.record()
        guest.learned(mac)


def test_what_the_kernel_refuses():
    """The uplink cannot get the address: the port is beyond help, and says so."""
    with unfit.kernel_without("address"), bus.connect("member") as connection, Guest(connection) as guest:
        start = len(lab.log_of("rawnet-helper"))
        guest.refused(FREE)
        check_shown(guest, FREE, ["kernel", "journalctl -u rawnet-helper", "new port"])
        lab.wait_for(lambda: guest.name in lab.log_of("rawnet-helper")[start:], 10, "the kernel's words")


def test_a_file_that_allows_it_now():
    """The port keeps the prefixes that it was opened with, and the sentence says so."""
    with lab.network("grows", MACPrefix="52:54:00"), bus.connect("member") as connection:
        lab.wait_for(lambda: "grows" in connection.networks(), 10, "the network")
        with Guest(connection, "grows") as guest:
            guest.refused(FOREIGN)
            check_shown(guest, FOREIGN, ["/etc/rawnet/networks/grows.conf", "add bc:24:11"])
            with lab.network("grows", MACPrefix="52:54:00 bc:24:11"):
                lab.wait_for(lambda: "does now" in guest.properties()["RefusedReason"], 10, "the new file")
                check_shown(guest, FOREIGN, ["/etc/rawnet/networks/grows.conf", "new port"])
                with Guest(connection, "grows") as another:
                    another.learned(FOREIGN)


def test_frames_without_a_proper_source():
    """No guest has such an address, and nothing is said of them."""
    with bus.connect("member") as connection, Guest(connection) as guest:
        for mac in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"):
            guest.send(mac)
        found = guest.refused(FOREIGN)
        assert found["RefusedMAC"] == FOREIGN, found
        assert "refused=bc:24:11" in guest.record(), guest.record()


def test_an_ended_lease_is_ended():
    with bus.connect("member") as connection, Guest(connection) as guest:
        guest.refused(FOREIGN)
        connection.close_lease(guest.lease.path)
        table = ctl("list")
        assert "ended" in table and "refused" not in table, table


def test_the_journals_entry():
    with open(f"{lab.SOURCE}/systemd/rawnet.catalog", encoding="utf-8") as file:
        assert f"\n-- {ADDRESS_REFUSED}\n" in file.read(), "no catalog entry"
    with bus.connect("member") as connection, Guest(connection) as guest, journal.listening() as log:
        guest.send(FOREIGN)
        fields = log.entry(ADDRESS_REFUSED)
        tap.diag(fields["MESSAGE"])
        expected = {"RAWNET_MAC": FOREIGN, "RAWNET_NETWORK": "lab", "RAWNET_LEASE": guest.name, "RAWNET_KIND": "tap",
                    "RAWNET_UID": str(lab.uid_of("member")), "PRIORITY": "5"}  # fmt: skip
        assert {key: fields.get(key) for key in expected} == expected, fields
        assert "MACPrefix=" in fields["MESSAGE"] and LAB_FILE in fields["MESSAGE"], fields


def test_many_addresses_cost_little():
    """A guest that sends from one address after the other: one is written at once, the next after a second, then ever more rarely."""
    with bus.connect("member") as connection, Guest(connection) as guest:
        connection.subscribe()
        start = len(lab.log_of("rawnetd"))
        begin = lab.time.monotonic()
        for number in range(2000):
            guest.send(f"bc:24:11:00:{number // 256:02x}:{number % 256:02x}")
        last = guest.refused("bc:24:11:ff:ff:ff")
        took = lab.time.monotonic() - begin
        lines = log_lines(guest, start)
        tap.diag(f"{len(lines)} lines of the log in {took:.1f} s")
        # After so many lines at least 1 + 2 + 4 … seconds have passed.
        assert last["RefusedMAC"] == "bc:24:11:ff:ff:ff" and 2 <= len(lines) <= 2 + took, lines
        assert re.search("bc:24:11:00:00:00", lines[0]), lines


if __name__ == "__main__":
    tap.main()
