# SPDX-License-Identifier: GPL-2.0-or-later
"""AddressLock= and the option addresses: what a guest sends from its own addresses, and from others', by each kind of port. The frames are
those of hosts that do not hide; tests/attack has those that do."""

import contextlib
import ipaddress

import bus
import frames
import lab
import shapes
import tap

SECONDS = 5
KINDS = (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True}))
OURS, OTHERS, OURS6, OTHERS6 = "10.77.0.99", "10.77.0.98", "fd00:77::99", "fd00:77::98"
ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"


def link_local(mac):
    octets = frames.mac_bytes(mac)
    return f"fe80::{octets[0] ^ 2:x}{octets[1]:02x}:{octets[2]:x}ff:fe{octets[3]:02x}:{octets[4]:x}{octets[5]:02x}"


def icmp6(mac, source, kind, body, target=ALL_NODES):
    message = frames.icmp6(source, target, bytes([kind, 0, 0, 0]) + body)
    return frames.ether(ALL_NODES_MAC, mac, frames.IPV6, frames.ipv6(source, target, 58, message))


def neighbour(mac, source, kind, target, options=b""):
    return icmp6(mac, source, kind, bytes(4) + ipaddress.ip_address(target).packed + options)


def over_udp(mac, source, destination, to=shapes.FAR_MAC, ports=(5000, 53)):
    kind = frames.IPV6 if ":" in source else frames.IPV4
    return frames.ether(to, mac, kind, frames.udp(source, destination, *ports, b"\1question"))


def own_frames(mac):
    """Those of a guest that has OURS and OURS6."""
    link = link_local(mac)
    return {
        "ARP": frames.arp(1, mac, OURS, "10.77.0.1"),
        "ARP probe": frames.arp(1, mac, "0.0.0.0", OURS),
        "gratuitous ARP": frames.arp(2, mac, OURS, OURS),
        "datagram": over_udp(mac, OURS, "10.77.0.1"),
        "DHCP discover": over_udp(mac, "0.0.0.0", "255.255.255.255", frames.BROADCAST, (68, 67)),
        "IPv6 datagram": over_udp(mac, OURS6, "fd00:77::1"),
        "link-local datagram": over_udp(mac, link, "fe80::1"),
        "duplicate address detection": neighbour(mac, "::", 135, OURS6),
        "that of the link-local address": neighbour(mac, "::", 135, link),
        "neighbour advertisement": neighbour(mac, OURS6, 136, OURS6, b"\2\1" + frames.mac_bytes(mac)),
        "router solicitation": icmp6(mac, "::", 133, bytes(4)),
    }


def foreign_frames(mac):
    """{name: (the counter, frame)}"""
    return {
        "ARP": ("foreign_address", frames.arp(1, mac, OTHERS, "10.77.0.1")),
        "ARP probe": ("foreign_address", frames.arp(1, mac, "0.0.0.0", OTHERS)),
        "gratuitous ARP": ("foreign_address", frames.arp(2, mac, OTHERS, OTHERS)),
        "ARP with another's MAC": ("spoofed_source", frames.mac_bytes(frames.BROADCAST) + frames.mac_bytes(mac)
                                   + frames.arp(1, shapes.FAR_MAC, OURS, "10.77.0.1")[12:]),
        "datagram": ("foreign_address", over_udp(mac, OTHERS, "10.77.0.1")),
        "IPv6 datagram": ("foreign_address", over_udp(mac, OTHERS6, "fd00:77::1")),
        "link-local datagram": ("foreign_address", over_udp(mac, "fe80::9", "fe80::1")),
        "duplicate address detection": ("foreign_address", neighbour(mac, "::", 135, OTHERS6)),
        "neighbour advertisement": ("foreign_address", neighbour(mac, OURS6, 136, OTHERS6, b"\2\1" + frames.mac_bytes(mac))),
        "advertisement with another's MAC": ("spoofed_source", neighbour(mac, OURS6, 136, OURS6, b"\2\1" + frames.mac_bytes(shapes.FAR_MAC))),
        "another protocol": ("not_judged", frames.ether(frames.BROADCAST, mac, frames.TEST, b"test")),
    }  # fmt: skip


def passes(lease, wire, frame):
    """Does the frame get to the wire? The marker that follows is an ARP question from the lease's own address."""
    passes.number += 1
    port, target = shapes.port_of(lease), f"10.88.{passes.number >> 8}.{passes.number & 255}"
    marker = frames.arp(1, lease.info["mac"], OURS, target)
    with contextlib.suppress(OSError):  # a socket gets an error for the drop
        port.send(frame)
    port.send(marker)
    return any(frame == seen[: len(frame)] for seen in wire.before(marker[28:42], SECONDS))


passes.number = 0


def check(connection, wire, name, kind, options):
    with connection.open(kind, name, addresses=[OURS, OURS6], **options) as lease:
        mac, expected = lease.info["mac"], {}
        for what, frame in own_frames(mac).items():
            assert passes(lease, wire, frame), (name, kind, options, what)
        for what, (counter, frame) in foreign_frames(mac).items():
            assert not passes(lease, wire, frame), (name, kind, options, what)
            expected[counter] = expected.get(counter, 0) + 1
        found = connection.statistics(lease.path)
        assert {key: found[f"guard_dropped_{key}"] for key in expected} == expected, (name, kind, options, found)


def test_given():
    """The caller's addresses and no other, on a network that demands it and on one that does not."""
    for value in ("given", "off"):
        with lab.network("locked", AddressLock=value), bus.connect("member") as connection, frames.WirePort() as wire:
            for kind, options in KINDS:
                check(connection, wire, "locked", kind, options)


def test_off():
    """Without either, a guest sends from any address."""
    with bus.connect("member") as connection, frames.WirePort() as wire, connection.open_tap("lab") as lease:
        for what, (_, frame) in foreign_frames(lease.info["mac"]).items():
            assert passes(lease, wire, frame), what


def test_none_given():
    """The network demands a lock, and the caller names no address: the guest has its link-local one, and may ask for another."""
    with lab.network("locked", AddressLock="given"), bus.connect("member") as connection, frames.WirePort() as wire:
        with connection.open_tap("locked") as lease:
            mac, port = lease.info["mac"], shapes.port_of(lease)
            sent = own_frames(mac)
            for what in sent:
                port.send(sent[what])
            end = neighbour(mac, link_local(mac), 136, link_local(mac), b"\x0e\1ending")
            port.send(end)
            seen = wire.before(b"\x0e\1ending", SECONDS)
            got = {what for what, frame in sent.items() if any(frame == one[: len(frame)] for one in seen)}
            assert got == {"DHCP discover", "link-local datagram", "that of the link-local address", "router solicitation"}, got


def test_what_is_sent_to_it_comes_in():
    with lab.network("locked", AddressLock="given"), bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, options in KINDS:
            with connection.open(kind, "locked", addresses=[OURS], **options) as lease:
                frame = frames.arp(1, shapes.FAR_MAC, "10.77.0.1", OURS)
                wire.send(frame)
                shapes.port_of(lease).wait(frame[12:42], SECONDS)


def test_learned_mac():
    """The link-local address follows from the address that the port learns."""
    with lab.network("locked", AddressLock="given"), bus.connect("member") as connection, frames.WirePort() as wire:
        with connection.open_tap("locked", mac="learn", addresses=[OURS]) as lease:
            mac = "52:54:00:aa:bb:cc"
            port = shapes.port_of(lease)
            frame = over_udp(mac, link_local(mac), "fe80::1")
            port.send(frame)
            lab.wait_for(lambda: connection.leases()[lease.path]["MAC"] == mac, SECONDS, "the address")
            port.send(over_udp(mac, OTHERS, "10.77.0.1"))
            port.send(frame)
            seen = wire.before(frame[22:54], SECONDS)
            assert not any(one[26:30] == ipaddress.ip_address(OTHERS).packed for one in seen)


def test_restarts():
    """The lock stays when both daemons start again."""
    with lab.network("locked", AddressLock="given"), bus.connect("member") as connection, frames.WirePort() as wire:
        with connection.open_tap("locked", addresses=[OURS, OURS6]) as lease:
            mac = lease.info["mac"]
            lab.restart("rawnet-helper")
            lab.kill_service()
            for what, (_, frame) in foreign_frames(mac).items():
                assert not passes(lease, wire, frame), what
            for what, frame in own_frames(mac).items():
                assert passes(lease, wire, frame), what


def test_journal():
    """The first frame from another address is in the journal, with the address."""
    with lab.network("locked", AddressLock="given"), bus.connect("member") as connection, frames.WirePort() as wire:
        with connection.open_tap("locked", addresses=[OURS]) as lease:
            assert not passes(lease, wire, over_udp(lease.info["mac"], OTHERS, "10.77.0.1"))
            lab.wait_for(lambda: f"source address not its own: {OTHERS};" in lab.log_of("rawnetd"), SECONDS, "the line")


if __name__ == "__main__":
    tap.main()
