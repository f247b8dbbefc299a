# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways around a lock of addresses: frames that name another address only when their checksum is completed, or when the sender has changed
them in memory that it shares with the kernel; in fragments, in another frame format, and by the root of a container. What came to the
wire is judged by the model of the guard."""

import contextlib
import errno
import ipaddress
import struct

import attacker
import bus
import frames
import guard_model as model
import lab
import late
import tap
import test_late_checksum
import test_shared_memory as shared
import unfit
from attacker import PACKETS, as_user, completing_wire, lease_of
from container import Container, attach

SHAPES = test_late_checksum.SHAPES
OURS, OTHERS, OURS6, OTHERS6 = "10.77.0.99", "10.77.0.98", "fd00:77::99", "fd00:77::98"
LOCK = (OURS, OURS6)
OTHER_MAC = bytes.fromhex("020000007798")
TO, GROUP = "02:00:00:00:77:01", "33:33:00:00:00:01"
KEYS, OPTIONS = {"AddressLock": "given", "GuestServers": "dhcp ra"}, {"addresses": list(LOCK)}


def rules_of(mac):
    return model.Rules(frames.mac_bytes(mac), 9014, allow_dhcp=True, allow_ra=True, locked=True, lock=tuple(map(ipaddress.ip_network, LOCK)))


def neighbour(mac, source, kind, target, link):
    body = bytes([kind, 0, 0, 0]) + bytes(4) + ipaddress.ip_address(target).packed + bytes([kind - 134, 1]) + link
    return frames.ether(GROUP, mac, frames.IPV6, frames.ipv6(source, "ff02::1", 58, frames.icmp6(source, "ff02::1", body)))


def arp(mac, sender_mac, sender, target):
    return frames.ether(frames.BROADCAST, mac, frames.ARP, frames.arp(2, frames.mac_text(sender_mac), sender, target)[14:42])


def changed(frame, at, before):
    return frame[:at] + before + frame[at + len(before) :]


def foreign(mac):
    """(name, frame that names another address or MAC address, where two bytes of that are, and what they are of one that may)"""
    own, octets = frames.mac_bytes(mac), ipaddress.ip_address(OURS).packed
    datagram = frames.ether(TO, mac, frames.IPV4, frames.udp(OTHERS, "10.77.0.1", 5000, 9, late.COOKIE))
    yield "IPv4 source", datagram, 28, octets[2:]
    yield "IPv4 source at an odd place", datagram, 29, octets[3:] + datagram[30:31]
    datagram6 = frames.ether(TO, mac, frames.IPV6, frames.udp(OTHERS6, "fd00:77::1", 5000, 9, late.COOKIE))
    yield "IPv6 source", datagram6, 36, ipaddress.ip_address(OURS6).packed[14:]
    yield "ARP sender", arp(mac, own, OTHERS, "10.77.0.1"), 30, octets[2:]
    yield "ARP sender's MAC address", arp(mac, own[:4] + OTHER_MAC[4:], OURS, "10.77.0.1"), 26, own[4:]
    yield "ARP probe", arp(mac, own, "0.0.0.0", OTHERS), 40, octets[2:]
    yield "target of an advertisement", neighbour(mac, OURS6, 136, OTHERS6, own), 76, ipaddress.ip_address(OURS6).packed[14:]
    yield "option of an advertisement", neighbour(mac, OURS6, 136, OURS6, own[:4] + OTHER_MAC[4:]), 84, own[4:]
    yield "target of a claim", neighbour(mac, "::", 135, OTHERS6, own), 76, ipaddress.ip_address(OURS6).packed[14:]


def marker(mac, number):
    """What passes the lock, and nobody else sends."""
    return frames.arp(1, mac, OURS, f"10.99.{number >> 8}.{number & 255}")


def arrived(lease, wire):
    arrived.number += 1
    mark = marker(lease.mac, arrived.number)
    lease.port.send(mark)
    return [frame for frame in wire.before(mark[14:42], 20) if frame[6:12] == frames.mac_bytes(lease.mac)]


arrived.number = 0


def bad_ones(seen, mac):
    return [frame[:90].hex() for frame in seen if model.sent(frame, rules_of(mac))[0] != model.PASSES]


def attack_late(shape):
    with lease_of(shape, options=OPTIONS, **KEYS) as lease, frames.WirePort() as wire:
        test_late_checksum.switch_on(lease)
        wanted = late.disguises(foreign(lease.mac))
        for way in test_late_checksum.ways(lease):
            results = as_user("nobody", way, lease, [each.header + each.looks for each in wanted])
            bad = bad_ones(arrived(lease, wire), lease.mac)
            assert not bad, f"{shape}, {way.__name__}: {len(bad)} frames on the wire name another address: {bad[:2]}"
            took = sum(number in (0, errno.ENOBUFS) for number in results)
            assert took >= len(wanted), f"{shape}, {way.__name__}: the kernel took {took} of {len(wanted)} frames"
        tap.diag(f"{shape}: {len(wanted)} frames by each way")


@tap.limit(180)
def test_late_checksums():
    with completing_wire():
        for shape in SHAPES:
            attack_late(shape)


def test_late_checksums_behind_the_completing_veth():
    lab.helper_arguments("--assume-checksum-trick")
    try:
        with completing_wire():
            for shape in SHAPES:
                attack_late(shape)
    finally:
        lab.helper_arguments()


@tap.limit(180)
def test_late_checksums_where_the_kernel_does_not_tell_the_place():
    with bus.connect("member") as connection, unfit.checksums_of_unknown_place(connection), completing_wire():
        for shape in SHAPES:
            attack_late(shape)


def test_the_attack_is_real():
    """Without a lock, each gets out and names the other address."""
    with completing_wire():
        for shape in SHAPES:
            with lease_of(shape, GuestServers="dhcp ra") as lease, frames.WirePort() as wire:
                test_late_checksum.switch_on(lease)
                wanted = late.disguises(foreign(lease.mac))
                for each in wanted:
                    attacker.attempt(lease.port.send, each.looks, each.header)
                seen = arrived(lease, wire)
                became = sum(each.becomes in seen for each in wanted)
                assert became > len(wanted) * 3 // 4, (shape, became, len(wanted))


@tap.limit(180)
def test_shared_memory():
    """A ring's frame that is changed when the guard has judged it."""
    for shape in PACKETS:
        with shared.busy_wire(), lease_of(shape, options=OPTIONS, **KEYS) as lease, frames.WirePort() as wire:
            pairs = [(changed(frame, at, before), frame) for _, frame, at, before in foreign(lease.mac)]
            shared.send_by_ring(lease.port, pairs)
            bad = bad_ones(arrived(lease, wire), lease.mac)
            assert not bad, f"{shape}: {len(bad)} frames on the wire name another address: {bad[:2]}"


def hidden(mac):
    """{name: frame}: the same in other forms."""
    data = struct.pack("!HHHH", 5000, 9, 28, 0) + late.COOKIE.ljust(20, b"\0")
    packet = frames.ipv4(OTHERS, "10.77.0.1", 17, data)
    packet6 = frames.ipv6(OTHERS6, "fd00:77::1", 17, data)
    probe = frames.arp(2, mac, OTHERS, OTHERS)[14:42]
    own = neighbour(mac, OURS6, 136, OTHERS6, frames.mac_bytes(mac))
    ether = frames.ether
    return {
        "a fragment": ether(TO, mac, frames.IPV4, packet[:6] + b"\x20\0" + packet[8:]),
        "a later fragment": ether(TO, mac, frames.IPV4, packet[:6] + b"\0\2" + packet[8:]),
        "options": ether(TO, mac, frames.IPV4, b"\x46" + packet[1:20] + b"\x94\4\0\0" + packet[20:]),
        "a later fragment of IPv6": ether(TO, mac, frames.IPV6, packet6[:6] + b"\x2c" + packet6[7:40] + b"\x11\0\0\x08\0\0\0\1" + data),
        "extension headers": ether(TO, mac, frames.IPV6, packet6[:6] + b"\x3c" + packet6[7:40] + b"\x11\0\1\4\0\0\0\0" + data),
        "a fragment of an advertisement": ether(GROUP, mac, frames.IPV6, own[14:20] + b"\x2c" + own[21:54] + b"\x3a\0\0\1\0\0\0\1" + own[54:86]),
        "an advertisement behind an extension header": ether(GROUP, mac, frames.IPV6, own[14:18] + b"\0\x28\x3c" + own[21:54] + b"\x3a\0\1\4\0\0\0\0" + own[54:86]),
        "SNAP": ether(TO, mac, 8 + len(packet), b"\xaa\xaa\3\0\0\0\x08\0" + packet),
        "ARP in SNAP": ether(frames.BROADCAST, mac, 8 + len(probe), b"\xaa\xaa\3\0\0\0\x08\x06" + probe),
        "LLC": ether(TO, mac, 3 + len(packet), b"\6\6\3" + packet),
        "a priority tag": frames.tagged(ether(TO, mac, frames.IPV4, packet), 0),
        "PPPoE": ether(TO, mac, 0x8864, b"\x11\0\0\1" + struct.pack("!HH", 2 + len(packet), 0x21) + packet),
        "MPLS": ether(TO, mac, 0x8847, b"\0\1\1\xff" + packet),
        "reverse ARP": ether(frames.BROADCAST, mac, 0x8035, probe),
        "another EtherType for IPv4": ether(TO, mac, 0xF7FF, packet),
    }  # fmt: skip


def test_hidden():
    for shape in SHAPES:
        with lease_of(shape, options=OPTIONS, **KEYS) as lease, frames.WirePort() as wire:
            wanted = hidden(lease.mac)
            for frame in wanted.values():
                with contextlib.suppress(OSError):
                    lease.port.send(frame)
            seen = arrived(lease, wire)
            assert not seen, (shape, [frame[:60].hex() for frame in seen])


def test_containers():
    """Its root may take any address, and reaches nobody with it."""
    with lab.network("attack", AddressLock="given"), bus.connect("member") as connection, Container() as box, frames.WirePort() as wire:
        lease = attach(connection, "attack", box, addresses=[OURS])
        mac = lease.info["mac"]
        box.up(f"{OURS}/24")
        lab.run_far(["ip", "neigh", "flush", "all"])
        assert box.ping("10.77.0.1")
        box.run("ip", "address", "add", f"{OTHERS}/24", "dev", "eth0")
        box.run("ip", "address", "del", f"{OURS}/24", "dev", "eth0")
        assert not box.ping("10.77.0.1", tries=1), "another address is answered"
        box.run("ip", "address", "add", f"{OURS}/24", "dev", "eth0")
        assert box.ping("10.77.0.1")
        mark = ipaddress.ip_address(OTHERS).packed
        lab.run_far(["ip", "neigh", "flush", "all"])
        box.run("ping", "-c", "1", "-W", "1", "10.77.0.253", check=False)
        asks = ipaddress.ip_address("10.77.0.253").packed
        seen = [frame for frame in wire.before(lambda frame: frame[38:42] == asks, 20) if frame[6:12] == frames.mac_bytes(mac)]
        assert not [frame for frame in seen if mark in (frame[26:30], frame[28:32])], [frame[:42].hex() for frame in seen]


if __name__ == "__main__":
    tap.main()
