# SPDX-License-Identifier: GPL-2.0-or-later
"""Attach(): a container is a station on the LAN like any other."""

import contextlib
import socket

import bus
import frames
import lab
import station
import tap
from container import Container, attach

NEIGHBOUR, NEIGHBOUR6 = "10.77.0.1", "fd77::1"
ADDRESS, ADDRESS6 = "10.77.0.77", "fd77::77"


@contextlib.contextmanager
def attached(*addresses, network="lab", user="member", **options):
    """(the container, its lease), the interface up."""
    with bus.connect(user) as connection, Container(user) as box:
        lease = attach(connection, network, box, **options)
        box.up(*addresses)
        # The address was another container's a moment ago.
        lab.run_far(["ip", "neigh", "flush", "all"])
        yield box, lease


def sockets(box, family):
    """One in the container, one in the neighbour's namespace."""
    with lab.in_namespace(box.namespace):
        inside = socket.socket(family, socket.SOCK_STREAM)
    with lab.in_namespace(lab.FAR):
        return inside, socket.socket(family, socket.SOCK_STREAM)


def test_interface():
    """Down, with the lease's MAC address and MTU, and silent."""
    with lab.network("short", MTU="1300"), bus.connect("member") as connection, Container() as box:
        lease = attach(connection, "short", box, "lan0", mac="52:54:00:00:00:07")
        link = box.links()["lan0"]
        assert (link["address"], link["mtu"], link["operstate"]) == ("52:54:00:00:00:07", 1300, "DOWN"), link
        assert "UP" not in link["flags"] and lease.info["mtu"] == 1300, link
        attach(connection, "short", box, "lan1", up=False)
        assert "UP" not in box.links()["lan1"]["flags"], box.links()


def test_interface_up():
    """Up by the call, for a caller that may do nothing in the namespace itself."""
    with lab.network("short", MTU="1300"), bus.connect("member") as connection, Container() as box:
        leases = [attach(connection, "short", box, name, up=True, **options) for name, options in (("lan0", {"mac": "52:54:00:00:00:07"}), ("lan1", {}))]
        for name, lease in zip(("lan0", "lan1"), leases):
            link = box.links()[name]
            assert (link["address"], link["mtu"]) == (lease.info["mac"], 1300) and "UP" in link["flags"], link
            # Not one number at both ends: it would look like an interface without another end.
            assert link["ifindex"] not in (lease.id, link["link_index"]) and link["link_index"] == lease.id, link
        box.run("ip", "addr", "add", f"{ADDRESS}/24", "dev", "lan0")
        lab.run_far(["ip", "neigh", "flush", "all"])
        assert box.ping(NEIGHBOUR)
        text = bus.expect_error(bus.DBUS_ERROR + "InvalidArgs", attach, connection, "short", box, "lan0", up=True)
        assert "has an interface lan0 already" in text, text


def test_ping():
    with attached(f"{ADDRESS}/24", f"{ADDRESS6}/64") as (box, _):
        assert box.ping(NEIGHBOUR) and box.ping(NEIGHBOUR6)
        with lab.in_namespace(lab.FAR):
            assert station.ping(ADDRESS) and station.ping(ADDRESS6)


def test_tcp():
    """More than a megabyte both ways, from either side."""
    with attached(f"{ADDRESS}/24", f"{ADDRESS6}/64") as (box, _):
        for family, here, there in ((socket.AF_INET, ADDRESS, NEIGHBOUR), (socket.AF_INET6, ADDRESS6, NEIGHBOUR6)):
            inside, outside = sockets(box, family)
            station.transfer(inside, outside, here, port=7701)
            inside, outside = sockets(box, family)
            station.transfer(outside, inside, there, port=7702)


def test_tcp_without_offloads():
    """The container's root may turn each of its offloads off, and on again."""
    with attached(f"{ADDRESS}/24") as (box, _):
        for state in ("off", "on"):
            box.run("ethtool", "-K", "eth0", "tx", state, "rx", state, "sg", state, "tso", state, "gso", state, "gro", state)
            inside, outside = sockets(box, socket.AF_INET)
            station.transfer(inside, outside, ADDRESS, port=7703)
            inside, outside = sockets(box, socket.AF_INET)
            station.transfer(outside, inside, NEIGHBOUR, port=7704)


def test_dhcp():
    with attached() as (box, lease):
        with lab.in_namespace(box.namespace):
            out = station.command("udhcpc", "-i", "eth0", "-f", "-n", "-q", "-s", "/bin/true", "-t", "5")
        tap.diag(out.strip())
        assert lease.info["mac"] in lab.log_of("dnsmasq"), "dnsmasq has not seen it"


def test_router_advertisement_and_multicast():
    """The kernel's own IPv6 in the container: its link-local address is its own, and answers."""
    with attached() as (box, _):

        def address():
            found = lab.ip("addr", "show", "dev", "eth0", "scope", "link", where=box.namespace)
            return next((a["local"] for a in found[0].get("addr_info", []) if "local" in a and not a.get("tentative")), None)

        local = lab.wait_for(address, 10, "the link-local address")
        far = next(name for name, link in lab.links(lab.FAR).items() if link["link_type"] == "ether")
        with lab.in_namespace(lab.FAR):
            assert station.ping(f"{local}%{far}")


def test_two_containers():
    """They talk in bridge mode, and do not in private mode."""
    for network, talk in (("lab", True), ("lab-private", False)):
        with attached("10.77.0.77/24", network=network) as (box, _), attached("10.77.0.78/24", network=network, user="member2") as (other, _):
            assert box.ping(NEIGHBOUR) and other.ping(NEIGHBOUR)
            assert box.ping("10.77.0.78", **({} if talk else {"tries": 1})) == talk, network


def test_beside_a_virtual_machine():
    with bus.connect("member") as connection, connection.open_tap("lab") as lease, station.Station(lease, "10.77.0.79/24") as machine:
        with attached(f"{ADDRESS}/24") as (box, _):
            assert box.ping("10.77.0.79") and machine.ping(ADDRESS)
            inside, outside = sockets(box, socket.AF_INET)
            outside.close()
            station.transfer(inside, machine.socket(), ADDRESS, port=7705)


def test_vlan():
    lab.need_vlan()
    for network in ("vlan100", "vlan200", "vlab.301"):
        with bus.connect("member") as connection, Container() as box:
            lease = attach(connection, network, box)
            assert lease.info["vlan"] == {"vlan100": 100, "vlan200": 200, "vlab.301": 301}[network]
            box.up()
        lab.wait_no_leases()


def test_statistics():
    """Seen from the container."""
    with attached(f"{ADDRESS}/24") as (box, lease), bus.connect("member") as connection:
        before = connection.statistics(lease.path)
        with lab.in_namespace(box.namespace):
            station.command("ping", "-c", "5", "-i", "0.01", "-s", "1000", NEIGHBOUR)
        after = connection.statistics(lease.path)
        for side in ("rx", "tx"):
            packets, size = (after[f"{side}_{what}"] - before[f"{side}_{what}"] for what in ("packets", "bytes"))
            assert 5 <= packets <= 20 and 5 * 1042 <= size <= 5 * 1042 + 20 * 200, (side, packets, size)


def test_does_not_reach_the_host():
    """The host has no address because of it, and answers none of the container's."""
    with attached(f"{ADDRESS}/24") as (box, _):
        host = [a["local"] for link in lab.ip("addr") for a in link.get("addr_info", []) if link["ifname"] != "lo"]
        for address in (*host, "10.77.0.254"):
            assert not box.ping(address, tries=1) or address == NEIGHBOUR, address
        assert not any(link["ifname"].startswith("rn") for link in lab.ip("addr")), "an interface in the host"


def test_unfinished_checksums():
    """A container's kernel leaves checksums to the interface. What the guard has to look at closely passes all the same: a DHCP client's
    renewal (a datagram to port 67), IPv6's multicast, and long TCP over IPv6."""
    with attached(f"{ADDRESS}/24", f"{ADDRESS6}/64") as (box, lease), frames.WirePort() as wire, bus.connect("member") as connection:
        for family, there, port in ((socket.AF_INET, NEIGHBOUR, 67), (socket.AF_INET6, f"ff02::fb%{box.links()['eth0']['ifindex']}", 5353)):
            with lab.in_namespace(box.namespace):
                inside = socket.socket(family, socket.SOCK_DGRAM)
            with inside:
                inside.sendto(b"\x01 unfinished".ljust(300), socket.getaddrinfo(there, port, family, socket.SOCK_DGRAM)[0][4])
            wire.wait(b"\x01 unfinished")
        for _ in range(4):  # each with another source port, of which some look like the header of an extension
            inside, outside = sockets(box, socket.AF_INET6)
            station.transfer(outside, inside, NEIGHBOUR6, port=7703)
        (statistics,) = connection.call(lease.path, bus.LEASE, "GetStatistics")
        assert not statistics["guard_dropped_not_judged"], statistics


if __name__ == "__main__":
    tap.main()
