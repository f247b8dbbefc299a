# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's interface on a network (HostInterface=): who may make it, its properties, traffic between host and guests, its removal.
(tests/vm/test_host_interface.py: on a VLAN. tests/attack/test_host_interface.py: with a forged rawnetd.)"""

import json
import signal
import socket

import bus
import frames
import lab
import station
import tap
from host_interface import INTERFACE, addresses, gone, host_link, current, network, rawnetctl, reach
from station import command


def test_up_and_down():
    with network(Description="with a host interface") as name:
        assert INTERFACE not in lab.links(), "rawnetd alone makes none"
        assert rawnetctl("host", "up", name) == INTERFACE
        first = current()
        assert first["linkinfo"]["info_kind"] == "macvlan" and first["linkinfo"]["info_data"]["mode"] == "bridge", first
        assert first["link"] == "wire0" and first["mtu"] == 1500 and "UP" in first["flags"], first
        assert first["ifalias"] == f"rawnet: host leg of {name}" and first["address"].startswith("52:54:00:"), first
        assert not addresses(), addresses()
        assert rawnetctl("host", "up", name) == INTERFACE and current()["ifindex"] == first["ifindex"], "the same again"
        command("ip", "link", "set", INTERFACE, "down")
        rawnetctl("host", "up", name)
        assert current()["ifindex"] == first["ifindex"] and "UP" in current()["flags"], current()
        assert rawnetctl("host", "down", name) == "" and not current()
        rawnetctl("host", "down", name)
        rawnetctl("host", "up", name)
        assert current()["address"] == first["address"] and current()["ifindex"] != first["ifindex"], "a stable address"


def test_only_administrators():
    with network(MACPrefix="02:12:34") as name:
        before = len(lab.questions())
        for user in ("member", "outsider"):
            with bus.connect(user) as connection:
                for method in ("HostUp", "HostDown"):
                    text = bus.expect_error(bus.DBUS_ERROR + "InteractiveAuthorizationRequired", connection.call, bus.ROOT,
                                            bus.MANAGER, method, "s", (name,))  # fmt: skip
                    assert name in text and "org.rawnet1.host" in text and "group" not in text, text
            assert "password" in rawnetctl("host", "up", name, user=user, status=1)
            assert not current()
        lab.wait_for(lambda: len(lab.questions()) >= before + 6, 10, "polkit's questions")
        for question in lab.questions()[before:]:
            assert question["action"] == "org.rawnet1.host", question
            assert (question["network"], question["parent"], question["vlan"], question["protocol"], question["interface"]) == (
                name, "wire0", "none", "none", INTERFACE), question  # fmt: skip
        rule = "polkit.addRule(function(a, s) { if (a.id == 'org.rawnet1.host' && s.user == 'member' && " \
               f"a.lookup('interface') == '{INTERFACE}') return 'yes'; }});"  # fmt: skip
        with lab.polkit_rule(rule):
            assert rawnetctl("host", "up", name, user="member") == INTERFACE
            assert current()["address"].startswith("02:12:34:"), current()
            rawnetctl("host", "down", name, user="member")
        assert not current()


def test_refused():
    with network() as name, bus.connect() as root:
        def up(which, error):
            return bus.expect_error(error, root.call, bus.ROOT, bus.MANAGER, "HostUp", "s", (which,))

        assert "HostInterface=" in up("lab", "NotSupported")
        up("nowhere", "NoSuchNetwork")
        up("lab.100", bus.DBUS_ERROR + "InvalidArgs")
        up("../lab", bus.DBUS_ERROR + "InvalidArgs")
        with network("away", Parent="nothere0", HostInterface="hostif1"):
            up("away", "ParentMissing")
        with network("twin"):
            rawnetctl("host", "up", name)
            assert INTERFACE in up("twin", "NetworkBusy")
            rawnetctl("host", "down", "twin")
            assert current(), "another network's host interface"
        for line in ("VLAN=none\nMode=private\nHostInterface=hostif1", "VLAN=300-399\nHostInterface=hostif1",
                     "VLAN=none\nHostInterface=rn1", "VLAN=none\nHostInterface=wire0"):
            with lab.network("bad", f"[Network]\nParent=wire0\n{line}\n"):
                text = up("bad", "BadNetworkFile")
                assert f"bad.conf:{2 + line.count(chr(10)) + 1}: HostInterface=" in text, text
    assert not current("hostif1")


def test_never_somebody_elses_interface():
    with network() as name:
        for words in (["name", INTERFACE, "type", "veth", "peer", "name", "hostif0p"], ["link", "wire0", "name", INTERFACE, "type", "macvlan", "mode", "bridge"]):
            with host_link(*words):
                before = current()
                assert INTERFACE in rawnetctl("host", "up", name, status=1)
                rawnetctl("host", "down", name)
                with network("other", HostInterface="hostif1"):
                    rawnetctl("host", "up", "other")
                gone("hostif1")
                assert current() == before, (before, current())


def no_sweep_due(connection, lease):
    """Restarts both daemons, which the lease makes start again. rawnetd asks for one sweep, and the helper reads no request, such as that
    for statistics, before the sweep is done. From then on only a change of a network file, a host interface or a lease makes a sweep due."""
    lab.kill_service()
    lab.kill_helper()
    connection.statistics(lease.path)


def test_ours_on_another_interface():
    """By name and alias it is this network's host interface, but Parent= has changed since. It blocks a new one until a sweep removes it."""
    with network() as name, bus.connect("member") as member, member.open_tap("lab") as lease, \
            host_link("name", "elsewhere0", "type", "veth", "peer", "name", "elsewhere1"):  # fmt: skip

        def misplace():
            no_sweep_due(member, lease)
            command("ip", "link", "add", "link", "elsewhere0", "name", INTERFACE, "type", "macvlan", "mode", "bridge")
            command("ip", "link", "set", INTERFACE, "alias", f"rawnet: host leg of {name}")

        misplace()
        assert f"rawnetctl host down {name}" in rawnetctl("host", "up", name, status=1)
        gone()
        misplace()
        rawnetctl("host", "down", name)
        assert not current()
        misplace()
        with lab.network("other"):
            gone()
        rawnetctl("host", "up", name)
        assert current()["link"] == "wire0", current()


@tap.limit(120)
def test_host_and_guests_meet():
    with network() as name:
        reach(name, "10.77.0", "fd77")


def test_without_it_they_do_not():
    """The problem that it solves: an address on the parent does not reach the guests."""
    with network() as name, bus.connect("member") as member, member.open_tap(name) as lease, \
            station.Station(lease, "10.77.0.60/24") as guest:  # fmt: skip
        command("ip", "addr", "add", "10.77.0.50/24", "dev", "wire0")
        try:
            assert guest.ping("10.77.0.1"), "the guest is on the wire"
            assert not guest.ping("10.77.0.50") and not station.ping("10.77.0.60", 1)
        finally:
            command("ip", "addr", "flush", "dev", "wire0")


def test_a_guest_cannot_give_it_addresses():
    """Router advertisements are the network manager's affair, on a network whose guests may send them."""
    with network(GuestServers="ra") as name, bus.connect("member") as member, member.open_tap(name) as lease:
        rawnetctl("host", "up", name)
        command("ip", "addr", "add", "10.77.0.50/24", "dev", INTERFACE)
        port = frames.Port(lease.fd, vnet_hdr=True)
        source = "fe80::60"
        # RFC 4861 4.2 and 4.6.2: a router for 1800 s, and fd99::/64 to make addresses of.
        option = b"\x03\x04\x40\xc0" + (3600).to_bytes(4, "big") * 2 + bytes(4) + socket.inet_pton(socket.AF_INET6, "fd99::")
        message = b"\x86\0\0\0\x40\0\x07\x08" + bytes(8) + option
        packet = frames.ipv6(source, "ff02::1", 58, frames.icmp6(source, "ff02::1", message))
        advertisement = frames.ether("33:33:00:00:00:01", lease.info["mac"], frames.IPV6, packet)

        def has_address():
            return any(address.startswith("fd99:") for address in addresses())

        with station.Station(lease, "10.77.0.60/24") as guest:
            port.send(advertisement)
            assert guest.ping("10.77.0.50"), "what came after it has been taken in"
            assert addresses() == ["10.77.0.50"], addresses()
            # As an administrator's network manager may have it: the frame was good.
            with open(f"/proc/sys/net/ipv6/conf/{INTERFACE}/accept_ra", "w", encoding="ascii") as value:
                value.write("2")
            for words in (["down"], ["addrgenmode", "eui64"], ["up"]):
                command("ip", "link", "set", INTERFACE, *words)
            lab.wait_for(lambda: any(address.startswith("fe80:") for address in addresses()), 10, "a link-local address")
            port.send(advertisement)
            lab.wait_for(has_address, 10, "an address by advertisement")


def test_the_file_takes_it_away():
    with bus.connect() as root:
        root.networks()  # rawnetd watches
        with lab.network("hosted", HostInterface=INTERFACE) as path:
            rawnetctl("host", "up", "hosted")
            # A mistake takes nothing away.
            with open(path, "a", encoding="ascii") as file:
                file.write("nonsense\n")
            lab.wait_for(lambda: root.networks().get("hosted", {}).get("Error"), 10, "the error")
            with lab.network("other"):
                lab.wait_for(lambda: "other" in root.networks(), 10, "the other file")
            assert current()
            with lab.network("hosted"):
                gone()
        with lab.network("hosted", HostInterface=INTERFACE):
            rawnetctl("host", "up", "hosted")
            with lab.network("hosted", HostInterface="hostif1"):
                gone()
                assert rawnetctl("host", "up", "hosted") == "hostif1"
            gone("hostif1")
        with lab.network("hosted", HostInterface=INTERFACE):
            rawnetctl("host", "up", "hosted")
        gone()
        # While nobody watches.
        with lab.network("hosted", HostInterface=INTERFACE):
            rawnetctl("host", "up", "hosted")
            lab.kill_service(signal.SIGTERM)
            assert current(), "it needs no daemon"
        assert current()
    rawnetctl("networks")
    gone()


def test_daemons_come_and_go():
    with network() as name:
        rawnetctl("host", "up", name)
        index = current()["ifindex"]
        lab.kill_helper()
        lab.kill_service()
        rawnetctl("host", "up", name)
        with bus.connect("member") as member:
            member.open_tap(name).close_fds()
        assert current()["ifindex"] == index


def test_what_a_killed_worker_leaves():
    command("ip", "link", "add", "link", "wire0", "name", "rnh1234abcd", "type", "macvlan", "mode", "bridge")
    with bus.connect("member") as member:
        lab.kill_helper()
        member.open_tap("lab").close_fds()
    gone("rnh1234abcd")


def test_shown():
    with network() as name:
        def listed():
            found = json.loads(rawnetctl("networks", "--json", user="outsider"))
            rows = [line.split() for line in rawnetctl("networks", user="outsider").splitlines()]
            row = next(row for row in rows if row[0] == name)
            return next(entry["host-interface"] for entry in found if entry["name"] == name), row

        with bus.connect() as root:
            lab.wait_for(lambda: name in root.networks(), 10, "rawnetd's look at the file")
        interface, row = listed()
        assert interface == INTERFACE and f"{INTERFACE}(missing)" in row, row
        rawnetctl("host", "up", name)
        interface, row = listed()
        assert interface == INTERFACE and INTERFACE in row and f"{INTERFACE}(missing)" not in row, row


def checked(name, state):
    """The note that `rawnetctl check` has for it, as a user whom nothing is allowed; the network serves all the same."""
    report = json.loads(rawnetctl("check", "--json", name, user="outsider"))
    entry = report["networks"][0]
    assert (entry["host-interface"], entry["host-interface-state"], entry["problems"]) == (INTERFACE, state, []), entry
    notes = [note for note in report["notes"] if f"network {name}:" in note]
    shown = rawnetctl("check", user="outsider")
    assert all(f"note: {note}" in shown for note in notes), (notes, shown)
    assert len(notes) == (state != "up"), notes
    return "".join(notes)


def test_checked():
    with network() as name, bus.connect("member") as member, member.open_tap("lab") as lease:
        lab.wait_for(lambda: name in member.networks(), 10, "rawnetd's look at the file")
        note = checked(name, "missing")
        assert INTERFACE in note and f"rawnetctl host up {name}" in note and f"rawnet-host@{name}" in note, note
        rawnetctl("host", "up", name)
        checked(name, "up")
        command("ip", "link", "set", INTERFACE, "down")
        note = checked(name, "down")
        assert f"rawnetctl host up {name}" in note, note
        rawnetctl("host", "up", name)
        checked(name, "up")
        rawnetctl("host", "down", name)
        no_sweep_due(member, lease)
        with host_link("link", "wire0", "name", INTERFACE, "type", "macvlan", "mode", "bridge"):
            note = checked(name, "other")
            assert INTERFACE in note and f"{name}.conf" in note, note
            command("ip", "link", "set", INTERFACE, "alias", "rawnet: host leg of lab")
            checked(name, "other")
        with host_link("name", "elsewhere0", "type", "veth", "peer", "name", "elsewhere1"):
            command("ip", "link", "property", "add", "dev", "elsewhere0", "altname", INTERFACE)
            checked(name, "other")
            command("ip", "link", "property", "del", "dev", "elsewhere0", "altname", INTERFACE)
            no_sweep_due(member, lease)
            command("ip", "link", "add", "link", "elsewhere0", "name", INTERFACE, "type", "macvlan", "mode", "bridge")
            command("ip", "link", "set", INTERFACE, "alias", f"rawnet: host leg of {name}")
            note = checked(name, "misplaced")
            assert f"rawnetctl host down {name}" in note and f"{name}.conf" in note, note
        lab_entry = json.loads(rawnetctl("check", "--json", "lab", user="outsider"))["networks"][0]
        assert "host-interface-state" not in lab_entry, lab_entry


if __name__ == "__main__":
    tap.main()
