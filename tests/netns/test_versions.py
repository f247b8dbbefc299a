# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases that another version of rawnet opened: their records under a new helper.

A record is stored as the alias of lo; its rules are at the head of helper/kernel/record.c. Each test plays the
other version by writing what that would write."""

import contextlib
import subprocess

import bus
import frames
import lab
import tap


def record_of(fd):
    return lab.links(where=fd)["lo"]["ifalias"]


def write_record(fd, text):
    with lab.in_namespace(fd):
        subprocess.run(["ip", "link", "set", "dev", "lo", "alias", text], check=True)


def new_daemons():
    lab.kill_helper()
    lab.kill_service()


def passes(lease, wire, text):
    """A frame out and one in."""
    port = frames.Port(lease.fd, lease.info["vnet-hdr"])
    port.send(frames.marker(lease.info["mac"], f"{text} out "))
    wire.wait(f"{text} out ".encode())
    body = f"{text} in ".encode().ljust(50)
    wire.send(frames.ether(lease.info["mac"], "02:00:00:00:00:01", frames.TEST, body))
    port.wait(f"{text} in ".encode())


def test_the_first_version_is_what_it_was():
    """Helpers of every version read it, so not a letter of it may ever change."""
    uid = lab.uid_of("member")
    with bus.connect("member") as connection:
        with connection.open_tap("lab", name="my vm") as lease:
            since, mac = connection.leases()[lease.path]["Since"], lease.info["mac"]
            expected = f"rawnet1 {uid} tap strict 1 0 1500 {mac} {since} lab wire0 my vm"
            assert record_of(lease.fd) == expected
        with connection.open_packet("lab-private", vnet_hdr=False) as lease:
            since, mac = connection.leases()[lease.path]["Since"], lease.info["mac"]
            expected = f"rawnet1 {uid} packet strict 0 0 1500 {mac} {since} lab-private wire0"
            assert record_of(lease.fd) == expected


def test_the_second_version_has_the_queues():
    uid = lab.uid_of("member")
    with bus.connect("member") as connection:
        for kind, name, words in (("tap", "my vm", "queues=4 name=my vm"), ("packet", "", "queues=4")):
            named = {"name": name} if name else {}
            with connection.open(kind, "lab", queues=4, vnet_hdr=True, **named) as lease:
                since, mac = connection.leases()[lease.path]["Since"], lease.info["mac"]
                expected = f"rawnet2 {uid} {kind} strict 1 0 1500 {mac} {since} lab wire0 {words}"
                assert record_of(lease.fd) == expected, record_of(lease.fd)
                before = connection.leases()[lease.path]
                assert before["Queues"] == 4, before
                new_daemons()
                assert connection.leases()[lease.path] == before


def test_upgrade():
    """What the first release stored is read to the letter, and the lease is as good as a new one."""
    uid, since = lab.uid_of("member"), 1700000000000000
    with bus.connect("member") as connection, contextlib.ExitStack() as stack:
        wire = stack.enter_context(frames.WirePort())
        lease = stack.enter_context(connection.open_tap("lab"))
        mac = lease.info["mac"]
        text = f"rawnet1 {uid} tap strict 1 0 1500 {mac} {since} lab wire0 old vm"
        write_record(lease.fd, text)
        new_daemons()
        properties = connection.leases()[lease.path]
        expected = {"Name": "old vm", "Since": since, "Owner": uid, "MAC": mac}
        assert {key: properties[key] for key in expected} == expected, properties
        passes(lease, wire, "upgraded")
        assert connection.statistics(lease.path)["tx_packets"] > 0
        connection.close_lease(lease.path)


def direct_lease(connection, text):
    """A lease as versions with Isolation=direct opened it: no link but the uplink, which has the port's name, and the socket there."""
    lease = connection.open_packet("lab", vnet_hdr=True)
    name = lease.info["interface"]
    with lab.in_namespace(lease.fd):
        for words in (f"del {name}", f"set uplink down name {name}", f"set {name} up"):
            subprocess.run(["ip", "link", *words.split()], check=True)
    write_record(lease.fd, text(lease))
    return lease


def test_upgrade_of_a_direct_lease():
    """It is listed, counted and closed. Its MTU only falls, because its holder sends by the uplink, which the kernel does not raise again."""
    uid, since = lab.uid_of("member"), 1700000000000000
    with bus.connect("member") as connection, direct_lease(
        connection, lambda lease: f"rawnet1 {uid} packet direct 1 0 1500 {lease.info['mac']} {since} lab wire0 old vm"
    ) as lease:
        new_daemons()
        properties = connection.leases()[lease.path]
        expected = {"Name": "old vm", "Since": since, "Owner": uid, "Kind": "packet", "MTU": 1500, "State": "open"}
        assert {key: properties[key] for key in expected} == expected, properties
        try:
            for mtu, carries in ((1400, 1400), (1450, 1400), (1500, 1400)):
                subprocess.run(["ip", "link", "set", "wire0", "mtu", str(mtu)], check=True)
                lab.wait_for(lambda: connection.leases()[lease.path]["MTU"] == carries, 20, f"MTU {carries}")  # pylint: disable=cell-var-from-loop
        finally:
            subprocess.run(["ip", "link", "set", "wire0", "mtu", "1500"], check=True)
        assert "tx_packets" in connection.statistics(lease.path)
        connection.close_lease(lease.path)
        assert list(lab.links(where=lease.fd)) == ["lo"]


def queues_of(connection, lease):
    return connection.leases()[lease.path]["Queues"]


def test_upgrade_of_ports_with_several_queues():
    """The first release did not write the number down: the kernel has it of a tap, and nobody of packet sockets, which count as one."""
    uid, since = lab.uid_of("member"), 1700000000000000
    with bus.connect("member") as connection, contextlib.ExitStack() as stack:
        lab.wait_for(lambda: not connection.leases(), 10, "the end of the ports before")
        leases = [stack.enter_context(connection.open(kind, "lab", queues=queues, vnet_hdr=True))
                  for kind, queues in (("tap", 1), ("tap", 4), ("tap", 16), ("packet", 4))]  # fmt: skip
        for lease in leases:
            kind = connection.leases()[lease.path]["Kind"]
            write_record(lease.fd, f"rawnet1 {uid} {kind} strict 1 0 1500 {lease.info['mac']} {since} lab wire0")
        new_daemons()
        assert [queues_of(connection, lease) for lease in leases] == [1, 4, 16, 1], connection.leases()
        # They count: 22 of 128, so 106 are left.
        for _ in range(6):
            stack.enter_context(connection.open_packet("lab", queues=16))
        text = bus.expect_error("QuotaExceeded", connection.open_tap, "lab", queues=11)
        assert "have 118 of at most 128 queues" in text, text
        stack.enter_context(connection.open_tap("lab", queues=10))
        bus.expect_error("QuotaExceeded", connection.open_tap, "lab")
        for lease in leases:
            connection.close_lease(lease.path)


LATER = 1800000000000000


def later_record(lease, kind="tap", words="rate=1000 queues=2 name=new vm", network="lab", vlan=0):
    """As a version might write it that knows more, under rules 2 and 3."""
    uid, mac = lab.uid_of("member"), lease.info["mac"]
    return f"rawnet4 {uid} {kind} fenced 1 {vlan} 1500 {mac} {LATER} {network} wire0 {words}"


def test_downgrade():
    """A later version's lease is listed and counted, and left alone until its holder ends it."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(lab.network("few", MaxLeases="2"))
        connection = stack.enter_context(bus.connect("member"))
        wire = stack.enter_context(frames.WirePort())
        later = stack.enter_context(connection.open_tap("few"))
        text = later_record(later, network="few")
        write_record(later.fd, text)
        new_daemons()
        properties = connection.leases()[later.path]
        expected = {"Id": later.id, "Network": "few", "Kind": "tap", "Owner": lab.uid_of("member"),
                    "MAC": later.info["mac"], "MTU": 1500, "Queues": 2, "VLAN": 0, "Parent": "wire0",
                    "Name": "new vm", "Since": LATER}  # fmt: skip
        assert {key: properties[key] for key in expected} == expected, properties
        stack.enter_context(connection.open_tap("few"))
        bus.expect_error("QuotaExceeded", connection.open_tap, "few")
        for refused in (connection.close_lease, connection.statistics):
            text = bus.expect_error("NotSupported", refused, later.path)
            assert "later version" in text and f"rn{later.id:x}" in text, text
        passes(later, wire, "downgraded")
        assert record_of(later.fd) == later_record(later, network="few"), "it was not left alone"
        connection.subscribe()
        later.close_fds()
        assert connection.wait_signal("Ended", path=later.path)[1] == ("last-fd",)
        connection.open_tap("few").close_fds()


def test_queues_of_later_leases_count():
    """Those that the record has, more than this version gives to a port included; else those that the kernel has."""
    with bus.connect("member") as connection, contextlib.ExitStack() as stack:
        lab.wait_for(lambda: not connection.leases(), 10, "the end of the ports before")
        leases = [stack.enter_context(connection.open_tap("lab", queues=queues)) for queues in (1, 4, 1)]
        for lease, words in zip(leases, ("rate=1000 queues=120 name=x", "rate=1000", "queues=many")):
            write_record(lease.fd, later_record(lease, words=words))
        new_daemons()
        assert [queues_of(connection, lease) for lease in leases] == [120, 4, 1], connection.leases()
        text = bus.expect_error("QuotaExceeded", connection.open_tap, "lab", queues=4)
        assert "have 125 of at most 128 queues" in text, text
        stack.enter_context(connection.open_tap("lab", queues=3))
        leases[0].close_fds()
        lab.wait_for(lambda: leases[0].path not in connection.leases(), 10, "the end of one")
        connection.open_tap("lab", queues=16).close_fds()


def test_downgrade_below_a_new_kind():
    with bus.connect("member") as connection, connection.open_packet("lab") as lease:
        write_record(lease.fd, later_record(lease, kind="netkit", words="nickname=x name=new kind"))
        new_daemons()
        properties = connection.leases()[lease.path]
        assert (properties["Kind"], properties["Name"]) == ("unknown", "new kind"), properties
        listed = lab.run_as("member", ["rawnetctl", "list"], check=True).stdout
        assert "unknown" in listed and "new kind" in listed, listed


def test_upgrade_again():
    """The version that wrote the record finds all of it, whatever came in between."""
    with bus.connect("member") as connection, connection.open_tap("lab", name="kept") as lease:
        own = record_of(lease.fd)
        before = connection.leases()
        write_record(lease.fd, later_record(lease))
        new_daemons()
        assert lease.path in connection.leases()
        write_record(lease.fd, own)
        new_daemons()
        assert connection.leases() == before
        connection.close_lease(lease.path)


def shared_vlan_interfaces():
    return [name for name in lab.links() if name.startswith("rnv")]


def rename_uplink(fd):
    """A later version may call it otherwise, and so nobody can say what is below it."""
    with lab.in_namespace(fd):
        for words in (["down"], ["name", "otherwise"], ["up"]):
            subject = "otherwise" if words == ["up"] else "uplink"
            subprocess.run(["ip", "link", "set", "dev", subject, *words], check=True)


def test_what_a_later_lease_needs_is_not_swept():
    """Its interface might be any: none is deleted while it lives."""
    lab.need_vlan()
    with bus.connect("member") as connection:
        later = connection.open_tap("vlan100")
        before = shared_vlan_interfaces()
        assert before, "the positive control"
        # rawnetd first: it would start the helper again.
        lab.kill_service()
        lab.kill_helper()
        text = later_record(later, kind="netkit", network="vlan100", vlan=100)
        write_record(later.fd, text)
        rename_uplink(later.fd)
        # A sweep follows the end of a lease on a VLAN, and is done before the next open is answered.
        for _ in range(3):
            connection.open_tap("vlab.307").close_fds()
            lab.wait_for(lambda: len(connection.leases()) == 1, 10, "the end of one")
        assert set(before) <= set(shared_vlan_interfaces()), (before, shared_vlan_interfaces())
        later.close_fds()
        lab.wait_for(lambda: not shared_vlan_interfaces(), 20, "the sweep when it has ended")


if __name__ == "__main__":
    tap.main()
