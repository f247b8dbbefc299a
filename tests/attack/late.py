# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames that become messages of servers only when their checksum is completed, which is behind the guard.

A virtio_net_hdr with NEEDS_CSUM makes the kernel or the adapter sum up the frame from csum_start to its end and write the result at
csum_start + csum_offset. Kernels let a sender name any place from the frame's 20th byte on. The last two bytes of a frame here are
chosen so that the result is what the sender wants there.
"""

import dataclasses
import struct

import frames

COOKIE = b"late checksum"
FIRST_PLACE = 20  # the earliest csum_start: include/linux/virtio_net.h
OURS, THEIRS = "10.77.0.99", "10.77.0.1"
OURS6, ALL_NODES = "fe80::5054:ff:fe00:99", "ff02::1"
TO = "02:00:00:00:77:01"  # to one station: frames to groups never pass unseen
SNAP = b"\xaa\xaa\x03\0\0\0"


@dataclasses.dataclass
class Disguise:
    """One frame: before and after, and the header that turns it into the latter."""

    name: str
    looks: bytes
    becomes: bytes
    header: bytes


def disguise(name, message, at, before, start):
    """`message`, with the two bytes at `at` replaced by `before` until the checksum from `start` on is completed. The frame gets an end
    of two bytes or three."""
    wanted = int.from_bytes(message[at : at + 2], "big")
    assert wanted, f"{name}: a completed checksum is never 0"
    body = message + b"\0" * ((len(message) - start) % 2)
    looks = body[:at] + before + body[at + 2 :]
    # In ones' complement a - b is a + ~b.
    total = (wanted ^ 0xFFFF) + frames.checksum(looks[start:])
    end = struct.pack("!H", (total & 0xFFFF) + (total >> 16))
    assert frames.checksum((looks + end)[start:]) == wanted, name
    return Disguise(f"{name}, from byte {start} on", looks + end, body + end, frames.vnet_header(frames.NEEDS_CSUM, start=start, offset=at - start))


def bootp(operation):
    return (struct.pack("!BBBBIHH", operation, 1, 6, 0, 0x12345678, 0, 0x8000) + bytes(16) + COOKIE).ljust(240, b"\0")


def _ipv4(mac, packet):
    return frames.ether(TO, mac, frames.IPV4, packet)


def _ipv6(mac, kind, data):
    return frames.ether(TO, mac, frames.IPV6, frames.ipv6(OURS6, ALL_NODES, kind, data))


def _datagram(port, data, source_port=9):
    return struct.pack("!HHHH", source_port, port, 8 + len(data), 0) + data


def _icmp6(kind):
    return struct.pack("!BBH", kind, 0, 0x1234) + COOKIE.ljust(40, b"\0")


def _extension(following):
    return bytes((following, 0, 1, 4, 0, 0, 0, 0))


def ipv4_messages(mac):
    """(name, message, at, what is there before)"""
    reply, relayed = (_ipv4(mac, frames.udp(OURS, "255.255.255.255", 67, port, bootp(2))) for port in (68, 67))
    options = frames.ipv4(OURS, THEIRS, 17, b"\x94\4\0\0" + _datagram(68, bootp(2), 67))
    options = _ipv4(mac, b"\x46" + options[1:])
    for port, message in ((68, reply), (67, relayed)):
        yield f"a reply to port {port}, port", message, 36, b"\0\x09"
        yield f"a reply to port {port}, protocol", message, 22, b"\x40\x06"
        yield f"a reply to port {port}, protocol at an odd place", message, 23, b"\x06\0"
        unfragmented = message[:20] + b"\x40\0" + message[22:]
        yield f"a reply to port {port}, fragment", unfragmented, 20, b"\0\1"
    yield "a reply to a client, port at an odd place", reply, 35, b"\1\0"
    yield "a reply to a relay, operation", relayed, 42, b"\1\1"
    yield "a reply with options, port", options, 40, b"\0\x09"
    yield "a reply with options, protocol", options, 22, b"\x40\x06"
    yield "something to a client, port", _ipv4(mac, frames.udp(OURS, THEIRS, 68, 68, bootp(1))), 36, b"\0\x43"


def ipv6_messages(mac):
    advertise = {kind: _datagram(546, bytes((kind,)) + COOKIE, 547) for kind in (2, 7, 10)}
    for kind, data in advertise.items():
        yield f"DHCPv6 {kind}, port", _ipv6(mac, 17, data), 56, b"\0\x09"
    yield "DHCPv6, protocol", _ipv6(mac, 17, advertise[2]), 20, b"\x06\x40"
    for kind in (134, 137):
        yield f"ICMPv6 {kind}, protocol", _ipv6(mac, 58, _icmp6(kind)), 20, b"\x06\x40"
        yield f"ICMPv6 {kind}, no next header before", _ipv6(mac, 58, _icmp6(kind)), 20, b"\x3b\x40"
        yield f"ICMPv6 {kind}, type", _ipv6(mac, 58, _icmp6(kind)), 54, b"\x80\0"
    for kind in (0, 43, 60, 135, 139, 140):
        yield f"extension {kind}, its next header", _ipv6(mac, kind, _extension(58) + _icmp6(134)), 54, b"\x06\0"
        for following, data in ((58, _icmp6(134)), (17, advertise[2])):
            yield f"extension {kind}, before {following}", _ipv6(mac, kind, _extension(following) + data), 20, b"\x06\x40"
    for kind in (43, 44, 51, 60, 135, 139, 140):  # two in a row
        length, size = (1, 12) if kind == 51 else (0, 8)
        second = (bytes((58, 0, 0, 0, 0, 0, 0, 1)) if kind == 44 else bytes((58, length)).ljust(size, b"\0")) + _icmp6(134)
        yield f"options before extension {kind}", _ipv6(mac, 60, _extension(kind) + second), 20, b"\x06\x40"
    authenticated = bytes((58, 1)).ljust(12, b"\0") + _icmp6(134)
    yield "authentication, protocol", _ipv6(mac, 51, authenticated), 20, b"\x06\x40"
    fragment = bytes((58, 0, 0, 1, 0, 0, 0, 1)) + _icmp6(134)
    yield "a fragment, protocol", _ipv6(mac, 44, fragment), 20, b"\x06\x40"
    yield "a fragment, its next header", _ipv6(mac, 44, fragment), 54, b"\x06\0"
    yield "a fragment, its offset", _ipv6(mac, 44, fragment), 56, b"\0\x09"


def llc_messages(mac):
    """IP or a tag in SNAP, which some receivers take for a frame with that EtherType."""
    packet = frames.ipv6(OURS6, ALL_NODES, 58, _icmp6(134))
    for kind in (frames.IPV6, frames.VLAN):
        body = SNAP + struct.pack("!H", kind) + packet
        yield f"SNAP {kind:04x}", frames.ether(TO, mac, len(body), body), 20, b"\x80\x9b"


def behind_a_priority_tag(messages, kind):
    """The guard takes such a tag off. So the earliest place is 4 bytes nearer to the frame's beginning."""
    for name, message, at, before in messages:
        yield f"{name}, behind a tag", frames.tagged(message, (kind, 0)), at + 4, before


def starts(at):
    """Where the sum may begin, so that it is written at `at`."""
    return sorted({start for start in (FIRST_PLACE, at - 1, at) if start >= FIRST_PLACE})


def disguises(messages):
    return [disguise(*message, start) for message in messages for start in starts(message[2])]


# -- frames that are cut into pieces behind the guard

GSO_UDP, GSO_UDP_L4 = 3, 5  # linux/virtio_net.h: IP fragments of one datagram; several datagrams with the same header
SEGMENT = 400


def cut(mac):
    """(name, frame, header): frames of which each piece has the cookie."""
    data = bootp(1).ljust(SEGMENT, b"\1") + ((b"\2" + COOKIE).ljust(SEGMENT, b"\1") * 4)
    routing = bytes((60, 0, 2, 0, 0, 0, 0, 0))
    forms = {f"to port {port}": _ipv4(mac, frames.udp(OURS, THEIRS, 68, port, data, complete=False)) for port in (67, 68, 9)}
    for name, kind, extensions in (("IPv6", 17, b""), ("options", 60, _extension(17)), ("routing and options", 43, routing + _extension(17))):
        for port in (546, 9):
            forms[f"{name}, to port {port}"] = _ipv6(mac, kind, extensions + _datagram(port, data))
    for name, frame in forms.items():
        upper = len(frame) - len(data) - 8
        for kind in (GSO_UDP, GSO_UDP_L4):
            for start in (0, upper, upper - 4):  # without a checksum, with its own, and with the port in its place
                header = frames.vnet_header(frames.NEEDS_CSUM if start else 0, kind, upper + 8, SEGMENT, start, 6 if start else 0)
                yield f"{name}, GSO {kind}, sum from {start} on", frame, header


def cut_tcp(mac):
    """Segments of TCP over IPv6 that would be a server's messages with another next header, and all that a sender can say of them: any
    kind of segment, and a checksum that is to be written in its place, where the next header is or where it would change the ports."""
    data = (b"\2" + COOKIE).ljust(SEGMENT, b"\1") * 5
    for port in (80, 546):
        for first in (0x9C, 0x3A, 0x86):
            ports = struct.pack("!BBHIIBBHHH", first, 0x40, port, 1, 1, 5 << 4, 0x10, 1024, 0, 0)
            frame = _ipv6(mac, 6, ports + data)
            for kind in (1, 4, GSO_UDP, GSO_UDP_L4):
                for start, offset in ((0, 0), (54, 16), (54, 6), (20, 0), (20, 16), (40, 16), (54, 0), (54, 2)):
                    header = frames.vnet_header(frames.NEEDS_CSUM if start else 0, kind, 74, SEGMENT, start, offset)
                    yield f"TCP from {first} to {port}, GSO {kind}, sum from {start} on at {offset}", frame, header


# -- what honest guests leave unfinished


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
    four, six = (OURS, THEIRS), (OURS6, "fe80::1")

    def over4(packet, upper=34, place=6):
        return unfinished(frames.ether(TO, mac, frames.IPV4, packet, pad=False), upper, place)

    def over6(packet, upper=54, place=6):
        return unfinished(frames.ether(TO, mac, frames.IPV6, packet, pad=False), upper, place)

    def tcp(source, destination, data):
        return source.to_bytes(2, "big") + destination.to_bytes(2, "big") + bytes(8) + b"\x50\x10\xff\xff\0\0\0\0" + data

    found = {f"a DHCP request of {size} bytes": over4(frames.udp(*four, 68, 67, bootp(1).ljust(size, b"\1"))) for size in (300, 301, 576, 1471, 1472)}
    found["a short DHCP request"] = over4(frames.udp(*four, 68, 67, b"\1" + COOKIE))
    options = frames.ipv4(*four, 17, b"\x94\4\0\0" + _datagram(67, bootp(1), 68))
    options = b"\x46" + options[1:10] + b"\0\0" + options[12:]
    options = options[:10] + frames.checksum(options[:24]).to_bytes(2, "big") + options[12:]
    found["a DHCP request with IP options"] = over4(options, 38)
    found["a relayed DHCP request"] = over4(frames.udp(*four, 67, 67, bootp(1)))
    for port in (9, 53, 69, 546):
        for first in (b"\1", b"\2"):
            found[f"a datagram to port {port}, first byte {first[0]}"] = over4(frames.udp(*four, 5000, port, first + COOKIE))
    for port in (67, 68, 80):
        found[f"TCP to port {port}"] = over4(frames.ipv4(*four, 6, tcp(5000, port, COOKIE)), place=16)
    for kind in (1, 3, 11):
        found[f"DHCPv6 {kind}"] = over6(frames.udp(*six, 546, 547, bytes((kind,)) + COOKIE))
    for port in (9, 68):
        for first in (1, 2, 7):
            found[f"a datagram to port {port}, IPv6, first byte {first}"] = over6(frames.udp(*six, 5000, port, bytes((first,)) + COOKIE))
    for source in (5000, 0x3A00, 0x8600, 0x1100):
        found[f"TCP over IPv6 from port {source}"] = over6(frames.ipv6(*six, 6, tcp(source, 80, COOKIE)), place=16)
        found[f"a datagram over IPv6 from port {source}"] = over6(frames.udp(*six, source, 80, COOKIE))
    found["TCP behind options"] = over6(frames.ipv6(*six, 60, _extension(6) + tcp(5000, 80, COOKIE)), 62, 16)
    for kind in (128, 129, 133, 135, 136, 143):
        found[f"ICMPv6 {kind}"] = over6(frames.ipv6(*six, 58, bytes((kind, 0, 0, 0, 0, 0, 0, 0)) + COOKIE), place=2)
    return found
