# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames that are harmless when the guard looks at them, and a server's message once the kernel has completed the checksum that their
sender asked for (late.py). On a wire that completes checksums as an adapter does, none of it arrives; what honest guests leave
unfinished does, and as it must be."""

import errno
import os

import attacker
import bus
import frames
import guard_model as model
import lab
import late
import tap
from attacker import as_user, attempt, completing_wire, lease_of

SHAPES = ("tap", "packet", "packet-vnet")
TYPE_AT = frames.VNET_HEADER.size + 12


def switch_on(lease):
    """The holder of a packet lease may have a virtio_net_hdr whenever he likes."""
    if lease.packet:
        attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.VNET_HDR, 1)
        lease.port.vnet_hdr = True


# -- ways of sending; each returns a list of errnos


def by_write(lease, wanted):
    return [attempt(os.write, lease.fd, data) for data in wanted]


def by_index(lease, wanted):
    """To every interface, with the frame's own protocol: without it, the kernel does not know how to cut it."""
    return [attempt(attacker.sendto, lease.fd, data, index, int.from_bytes(data[TYPE_AT : TYPE_AT + 2], "big"))
            for index in attacker.interfaces(lease.fd) for data in wanted]  # fmt: skip


def by_bypass(lease, wanted):
    attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.QDISC_BYPASS, 1)
    results = by_write(lease, wanted) + by_index(lease, wanted)
    attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.QDISC_BYPASS, 0)
    return results


def by_ring(lease, wanted):
    return [number for index in (0, *attacker.interfaces(lease.fd)) for number in attacker.send_by_ring(lease.fd, wanted, index)]


def ways(lease):
    return (by_write, by_index, by_bypass, by_ring) if lease.packet else (by_write,)


def arrived(lease, wire):
    """What came to the wire until now of what has the cookie."""
    mark = attacker.on_wire(lease)
    lease.port.send(mark)
    return [frame for frame in wire.before(mark[14:40], 20) if late.COOKIE in frame]


def is_a_server(frame, lease):
    return model.sent(frame, model.Rules(frames.mac_bytes(lease.mac)))[0] != model.PASSES


def attack(shape, messages):
    """Sends them by every way; returns how many the kernel took."""
    taken = 0
    with lease_of(shape) as lease, frames.WirePort() as wire:
        switch_on(lease)
        wanted = late.disguises(messages(lease.mac))
        for way in ways(lease):
            results = as_user("nobody", way, lease, [each.header + each.looks for each in wanted])
            seen = arrived(lease, wire)
            bad = [frame for frame in seen if is_a_server(frame, lease)]
            named = [each.name for each in wanted for frame in bad[:4] if frame == each.becomes]
            assert not bad, f"{shape}, {way.__name__}: {len(bad)} of {len(seen)} frames on the wire are a server's: {named} {bad[0][:80].hex()}"
            # A socket reports a frame that the guard has dropped (ENOBUFS).
            took = sum(number in (0, errno.ENOBUFS) for number in results)
            assert took >= len(wanted), f"{shape}, {way.__name__}: the kernel took {took} of {len(wanted)} frames"
            taken += took
    return taken


def attack_all(messages):
    with completing_wire():
        for shape in SHAPES:
            tap.diag(f"{shape}: {attack(shape, messages)} sent")


@tap.limit(180)
def test_ipv4():
    attack_all(late.ipv4_messages)


@tap.limit(180)
def test_ipv6():
    attack_all(late.ipv6_messages)


def test_llc():
    attack_all(late.llc_messages)


@tap.limit(180)
def test_pieces():
    """A frame that the kernel cuts into datagrams or fragments: no piece gets out that alone would not have."""
    with completing_wire():
        for shape in SHAPES:
            with lease_of(shape) as lease, frames.WirePort() as wire:
                switch_on(lease)
                wanted = list(late.cut(lease.mac))
                for way in ways(lease):
                    results = as_user("nobody", way, lease, [header + frame for _, frame, header in wanted])
                    seen = arrived(lease, wire)
                    bad = [frame[:80].hex() for frame in seen if is_a_server(frame, lease)]
                    assert not bad, f"{shape}, {way.__name__}: {len(bad)} of {len(seen)} pieces on the wire are a server's: {bad[:2]}"
                    # A socket that bypasses the queues is refused what its port cannot send (net/core/dev.c, __dev_direct_xmit()).
                    assert way is by_bypass or any(len(frame) < 60 + late.SEGMENT for frame in seen), f"{shape}, {way.__name__}: nothing was cut"
                    tap.diag(f"{shape}, {way.__name__}: {sum(number in (0, errno.ENOBUFS) for number in results)} taken, {len(seen)} pieces")


def test_behind_the_completing_veth():
    """The form for kernels with the checksum trick: there the guard sees the result."""
    lab.helper_arguments("--assume-checksum-trick")
    try:
        for messages in (late.ipv4_messages, late.ipv6_messages, late.llc_messages):
            attack_all(messages)
    finally:
        lab.helper_arguments()


def test_the_attack_is_real():
    """Where servers may be, each of these frames gets out, and as the message."""
    with completing_wire():
        for shape in SHAPES:
            with lease_of(shape, GuestServers="dhcp ra") as lease, frames.WirePort() as wire:
                switch_on(lease)
                for messages in (late.ipv4_messages, late.ipv6_messages):
                    wanted = late.disguises(messages(lease.mac))
                    results = [attempt(lease.port.send, each.looks, each.header) for each in wanted]
                    seen = arrived(lease, wire)
                    missing = [each.name for each, result in zip(wanted, results) if not result and each.becomes not in seen]
                    refused = [each.name for each, result in zip(wanted, results) if result]
                    assert not missing, (shape, len(missing), missing[:5])
                    tap.diag(f"{shape}: {len(seen)} became what they were to be, {len(refused)} were refused")
                    assert len(refused) < len(wanted) // 4, (shape, refused)


# -- honest guests


def unfinished(message, upper, place):
    """(frame, header): its checksum left to the kernel, as Linux leaves it: the field has the pseudo header's sum."""
    kind = int.from_bytes(message[12:14], "big")
    size, protocol = (int.from_bytes(message[16:18], "big") - (upper - 14), message[23]) if kind == frames.IPV4 else \
        (int.from_bytes(message[18:20], "big") - (upper - 54), message[54] if upper > 54 else message[20])  # fmt: skip
    pseudo = message[26:34] if kind == frames.IPV4 else message[22:54]
    seed = ~frames.checksum(pseudo + protocol.to_bytes(4, "big") + size.to_bytes(4, "big")) & 0xFFFF
    at = upper + place
    return message[:at] + seed.to_bytes(2, "big") + message[at + 2 :], frames.vnet_header(frames.NEEDS_CSUM, start=upper, offset=place)


def finished(frame, header):
    """What the wire must bring."""
    _, _, _, _, start, offset = frames.VNET_HEADER.unpack(header)
    end = 14 + int.from_bytes(frame[16:18], "big") if frame[12:14] == b"\x08\0" else 54 + int.from_bytes(frame[18:20], "big")
    total = frames.checksum(frame[start:end]) or 0xFFFF
    return frame[: start + offset] + total.to_bytes(2, "big") + frame[start + offset + 2 : end]


def honest(mac):
    """{name: (frame, header)} of what guests send to servers and to each other."""
    four, six = (late.OURS, late.THEIRS), (late.OURS6, "fe80::1")

    def over4(packet, upper=34, place=6):
        return unfinished(frames.ether("02:00:00:00:77:01", mac, frames.IPV4, packet, pad=False), upper, place)

    def over6(packet, upper=54, place=6):
        return unfinished(frames.ether("02:00:00:00:77:01", mac, frames.IPV6, packet, pad=False), upper, place)

    def tcp(source, destination, data):
        return source.to_bytes(2, "big") + destination.to_bytes(2, "big") + bytes(8) + b"\x50\x10\xff\xff\0\0\0\0" + data

    found = {f"a DHCP request of {size} bytes": over4(frames.udp(*four, 68, 67, late.bootp(1).ljust(size, b"\1"))) for size in (300, 301, 576, 1471, 1472)}
    found["a short DHCP request"] = over4(frames.udp(*four, 68, 67, b"\1" + late.COOKIE))
    options = frames.ipv4(*four, 17, b"\x94\4\0\0" + late._datagram(67, late.bootp(1), 68))
    options = b"\x46" + options[1:10] + b"\0\0" + options[12:]
    options = options[:10] + frames.checksum(options[:24]).to_bytes(2, "big") + options[12:]
    found["a DHCP request with IP options"] = over4(options, 38)
    found["a relayed DHCP request"] = over4(frames.udp(*four, 67, 67, late.bootp(1)))
    for port in (9, 53, 69, 546):
        for first in (b"\1", b"\2"):
            found[f"a datagram to port {port}, first byte {first[0]}"] = over4(frames.udp(*four, 5000, port, first + late.COOKIE))
    for port in (67, 68, 80):
        found[f"TCP to port {port}"] = over4(frames.ipv4(*four, 6, tcp(5000, port, late.COOKIE)), place=16)
    for kind in (1, 3, 11):
        found[f"DHCPv6 {kind}"] = over6(frames.udp(*six, 546, 547, bytes((kind,)) + late.COOKIE))
    for port in (9, 68):
        for first in (1, 2, 7):
            found[f"a datagram to port {port}, IPv6, first byte {first}"] = over6(frames.udp(*six, 5000, port, bytes((first,)) + late.COOKIE))
    for source in (5000, 0x3A00, 0x8600, 0x1100):
        found[f"TCP over IPv6 from port {source}"] = over6(frames.ipv6(*six, 6, tcp(source, 80, late.COOKIE)), place=16)
        found[f"a datagram over IPv6 from port {source}"] = over6(frames.udp(*six, source, 80, late.COOKIE))
    found["TCP behind options"] = over6(frames.ipv6(*six, 60, late._extension(6) + tcp(5000, 80, late.COOKIE)), 62, 16)
    for kind in (128, 129, 133, 135, 136, 143):
        found[f"ICMPv6 {kind}"] = over6(frames.ipv6(*six, 58, bytes((kind, 0, 0, 0, 0, 0, 0, 0)) + late.COOKIE), place=2)
    return found


def check_honest(shape):
    with lease_of(shape) as lease, frames.WirePort() as wire, bus.connect("member") as connection:
        switch_on(lease)
        wanted = honest(lease.mac)
        for frame, header in wanted.values():
            lease.port.send(frame, header)
        seen = arrived(lease, wire)
        for name, (frame, header) in wanted.items():
            whole = finished(frame, header)
            assert any(got[: len(whole)] == whole for got in seen), f"{shape}: {name} did not arrive, or not finished"
        assert len(seen) == len(wanted), (shape, len(seen), len(wanted))
        dropped = {key: value for key, value in connection.statistics(lease.path).items() if key.startswith("guard_dropped_") and value}
        assert not dropped, (shape, dropped)


def test_honest_guests():
    with completing_wire():
        for shape in SHAPES:
            check_honest(shape)


def test_honest_guests_behind_the_completing_veth():
    lab.helper_arguments("--assume-checksum-trick")
    try:
        test_honest_guests()
    finally:
        lab.helper_arguments()


if __name__ == "__main__":
    tap.main()
