# SPDX-License-Identifier: GPL-2.0-or-later
"""GuestServers=: what a guest sends as a DHCP server or as an IPv6 router, and what it sends as their client. The frames are those of a
server that does not hide; tests/attack has those that do."""

import contextlib
import struct

import bus
import frames
import lab
import shapes
import tap

SECONDS = 5
KINDS = (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True}))
OURS, OURS6, ALL_NODES = "10.77.0.99", "fe80::5054:ff:fe00:99", "ff02::1"
ALL_NODES_MAC = "33:33:00:00:00:01"
COOKIE = b"\x63\x82\x53\x63"  # RFC 2131 3


def bootp(operation, kind):
    """A DHCP message: operation 1 BOOTREQUEST, 2 BOOTREPLY; option 53 says which."""
    return struct.pack("!BBBBIHH", operation, 1, 6, 0, 0x12345678, 0, 0x8000).ljust(236, b"\0") + COOKIE + bytes((53, 1, kind, 255))


def over_udp(mac, source, destination, source_port, destination_port, data, to=frames.BROADCAST):
    kind = frames.IPV6 if ":" in source else frames.IPV4
    return frames.ether(to, mac, kind, frames.udp(source, destination, source_port, destination_port, data))


def icmp6(mac, destination, kind, body, to=ALL_NODES_MAC):
    message = frames.icmp6(OURS6, destination, struct.pack("!BBH", kind, 0, 0) + body)
    return frames.ether(to, mac, frames.IPV6, frames.ipv6(OURS6, destination, 58, message))


def server_frames(mac):
    """{name: (the word of GuestServers= that allows it, frame)}"""
    return {
        "DHCP offer": ("dhcp", over_udp(mac, OURS, "255.255.255.255", 67, 68, bootp(2, 2))),
        "DHCP reply to one client": ("dhcp", over_udp(mac, OURS, "10.77.0.1", 67, 68, bootp(2, 5), to=shapes.FAR_MAC)),
        "DHCPv6 advertise": ("dhcp", over_udp(mac, OURS6, "fe80::1", 547, 546, b"\2\1\2\3", to=shapes.FAR_MAC)),
        "router advertisement": ("ra", icmp6(mac, ALL_NODES, 134, struct.pack("!BBHII", 64, 0, 1800, 0, 0))),
        "redirect": ("ra", icmp6(mac, "fe80::1", 137, bytes(36), to=shapes.FAR_MAC)),
    }


def client_frames(mac):
    return {
        "DHCP discover": over_udp(mac, "0.0.0.0", "255.255.255.255", 68, 67, bootp(1, 1)),
        "DHCP renewal": over_udp(mac, OURS, "10.77.0.1", 68, 67, bootp(1, 3), to=shapes.FAR_MAC),
        "DHCPv6 solicit": over_udp(mac, OURS6, "ff02::1:2", 546, 547, b"\1\1\2\3", to="33:33:00:01:00:02"),
        "router solicitation": icmp6(mac, "ff02::2", 133, bytes(4), to="33:33:00:00:00:02"),
        "neighbour advertisement": icmp6(mac, ALL_NODES, 136, bytes(20)),
        "neighbour solicitation": frames.neighbour_solicitation(mac, OURS6, "fe80::1"),
        "echo": icmp6(mac, "fe80::1", 128, bytes(8), to=shapes.FAR_MAC),
        "DNS question": over_udp(mac, OURS, "10.77.0.1", 5353, 53, b"question", to=shapes.FAR_MAC),
        "ARP": frames.arp(1, mac, OURS, "10.77.0.1"),
    }


def passes(lease, wire, frame):
    """Does the frame get to the wire?"""
    port, text = shapes.port_of(lease), f"after {passes.number}."
    passes.number += 1
    with contextlib.suppress(OSError):  # a socket gets an error for the drop
        port.send(frame)
    port.send(frames.marker(lease.info["mac"], text))
    return any(frame == seen[: len(frame)] for seen in wire.before(text.encode(), SECONDS))


passes.number = 0


def test_servers():
    """What the network's file names leaves, and nothing else; clients' messages leave always."""
    for value in ("none", "dhcp", "ra", "dhcp ra"):
        with lab.network("servers", GuestServers=value), bus.connect("member") as connection, frames.WirePort() as wire:
            for kind, options in KINDS:
                with connection.open(kind, "servers", **options) as lease:
                    mac, refused = lease.info["mac"], 0
                    for name, (word, frame) in server_frames(mac).items():
                        allowed = word in value.split()
                        assert passes(lease, wire, frame) == allowed, (value, kind, options, name)
                        refused += not allowed
                    for name, frame in client_frames(mac).items():
                        assert passes(lease, wire, frame), (value, kind, options, name)
                    found = connection.statistics(lease.path)
                    assert found["guard_dropped_server"] == refused, (value, kind, options, found)


def test_the_default_is_none():
    with bus.connect("member") as connection, frames.WirePort() as wire, connection.open_tap("lab") as lease:
        for name, (_, frame) in server_frames(lease.info["mac"]).items():
            assert not passes(lease, wire, frame), name


def test_guests_do_not_serve_each_other():
    """Not even within the host."""
    with bus.connect("member") as connection, connection.open_tap("lab") as server, connection.open_tap("lab") as client:
        port = shapes.port_of(client)
        for _, frame in server_frames(server.info["mac"]).values():
            shapes.port_of(server).send(frames.mac_bytes(client.info["mac"]) + frame[6:])
        shapes.port_of(server).send(frames.marker(server.info["mac"], "all of them"))
        seen = [frame for frame in port.before(b"all of them", SECONDS) if frame[6:12] == frames.mac_bytes(server.info["mac"])]
        assert not seen, [frame[:60].hex() for frame in seen]


def test_what_the_wire_serves_comes_in():
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, options in KINDS:
            with connection.open(kind, "lab", **options) as lease:
                for name, (_, frame) in server_frames(shapes.FAR_MAC).items():
                    wire.send(frames.mac_bytes(lease.info["mac"]) + frame[6:])
                    shapes.port_of(lease).wait(frame[12:60], SECONDS)
                    tap.diag(f"{kind}: {name}")


if __name__ == "__main__":
    tap.main()
