# SPDX-License-Identifier: GPL-2.0-or-later
"""Segmented frames that a packet socket hands over as another protocol's (sockaddr_ll's sll_protocol) than their EtherType says. The
kernel cuts them by the former: in the pieces there is data where the guard has read a header, or IPv4's fields are written over it."""

import struct

import attacker
import frames
import guard_model as model
import tap
from attacker import as_user, attempt, completing_wire, lease_of

SHAPES = ("packet", "packet-vnet")
IPV4 = 0x0800
GSO_TCPV4, GSO_UDP = 1, 3  # linux/virtio_net.h
TO, COOKIE = "02:00:00:00:77:01", b"other protocol"
ADVERTISE, QUERY = (struct.pack("!HHHH", 547, port, 100, 0) + b"\2" + COOKIE for port in (546, 9))
ROUTER, ECHO = (bytes((kind, 0, 0, 0)) + bytes(12) + COOKIE for kind in (134, 128))
WEB = struct.pack("!HHIIBBHHH", 40000, 80, 1, 1, 0x50, 0x10, 1024, 0, 0) + COOKIE
BEHIND_OPTIONS = b"\x11\0\1\4\0\0\0\0" + ADVERTISE


def head(mac, kind):
    return frames.mac_bytes(TO) + frames.mac_bytes(mac) + struct.pack("!H", kind)


def ipv6(next_header, inner, size):
    """An IPv6 header of which IPv4's is the first 20 bytes; `inner` is IPv4's protocol. Behind it is TCP's, whose sequence number is the
    beginning of the destination, and whose data offset (5) is the ninth byte there."""
    source, destination = bytes((0xFE, inner)) + bytes(14), b"\xfe\x80" + bytes(6) + b"\x50\x54\0\xff\xfe\0\0\1"
    return struct.pack("!IHBB", 0x65000000, size, next_header, 255) + source + destination


def as_tcp(mac, next_header, first, second):
    """Segments of TCP over IPv4 begin with the same 54 bytes. What follows is an upper header in each."""
    size = 200
    frame = head(mac, frames.IPV6) + ipv6(next_header, 6, size) + first.ljust(size, b"\0") + second.ljust(size, b"\0") * 3
    return frame, frames.vnet_header(0, GSO_TCPV4, 54, size)


def as_fragments(mac, next_header, first, second, number):
    """Fragments over IPv4 begin with the same 34 bytes, and IPv4's fragment offset is written where IPv6's next header is."""
    size = 200 if number < 8 else 1400
    packets = [ipv6(next_header, 17, size - 20)] * number
    chunks = [packet[20:] + data.ljust(size - 20, b"\0") for packet, data in zip(packets, [first] + [second] * (number - 1))]
    return head(mac, frames.IPV6) + packets[0][:20] + b"".join(chunks), frames.vnet_header(0, GSO_UDP, 42, size)


def snap_as_fragments(mac):
    """The offset is written where SNAP has its EtherType: 0800 in the 17th fragment. LLC's first byte is IPv4's 40 bytes of header."""
    size = 1024
    reply = b"\x45\x11" + bytes(18) + struct.pack("!HHHH", 67, 68, 300, 0) + bytes(4)
    body = b"\xaa\xaa\3\0\0\0\x80\x9b" + reply + (COOKIE.ljust(size, b"\0")) * 17
    return head(mac, 1000) + body, frames.vnet_header(0, GSO_UDP, 62, size)


def wanted(mac):
    yield as_tcp(mac, 17, QUERY, ADVERTISE)
    yield as_tcp(mac, 58, ECHO, ROUTER)
    yield as_fragments(mac, 6, WEB, BEHIND_OPTIONS, 4)  # next header 0 in the last one; no longer than an ordinary frame
    yield as_fragments(mac, 6, WEB, ADVERTISE, 26)  # next header 17 in the last one
    yield snap_as_fragments(mac)


def by_index(lease, data):
    return [attempt(attacker.sendto, lease.fd, each, index, IPV4) for index in attacker.interfaces(lease.fd) for each in data]


def by_bypass(lease, data):
    attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.QDISC_BYPASS, 1)
    results = by_index(lease, data)
    attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.QDISC_BYPASS, 0)
    return results


def arrived(lease, wire):
    mark = attacker.on_wire(lease)
    lease.port.send(mark)
    return [frame for frame in wire.before(mark[14:40], 20) if COOKIE in frame]


def is_a_server(frame, lease):
    return model.sent(frame, model.Rules(frames.mac_bytes(lease.mac)))[0] != model.PASSES


@tap.limit(120)
def test_other_protocol():
    with completing_wire():
        for shape in SHAPES:
            with lease_of(shape) as lease, frames.WirePort() as wire:
                attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.VNET_HDR, 1)
                lease.port.vnet_hdr = True
                for way in (by_index, by_bypass):
                    for number, (frame, header) in enumerate(wanted(lease.mac)):
                        results = as_user("nobody", way, lease, [header + frame])
                        bad = [piece[:80].hex() for piece in arrived(lease, wire) if is_a_server(piece, lease)]
                        tap.diag(f"{shape}, {way.__name__}, frame {number}: {results}, {len(bad)} pieces of a server")
                        assert not bad, f"{shape}, {way.__name__}, frame {number}: {len(bad)} frames on the wire are a server's: {bad[:2]}"


if __name__ == "__main__":
    tap.main()
