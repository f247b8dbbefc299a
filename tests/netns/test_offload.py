# SPDX-License-Identifier: GPL-2.0-or-later
"""Segmentation and checksums: a plain reader gets frames as on a wire, one with virtio_net_hdr gets them as the stack has them,
and what a guest hands over unfinished leaves the host finished."""

import contextlib
import ctypes
import fcntl
import itertools
import os
import socket
import struct
import subprocess

import bus
import frames
import guest
import lab
import shapes
import station
import tap

SECONDS = 20
ADDRESS, FAR = "10.77.0.60", "10.77.0.1"
SOL_PACKET, PACKET_VNET_HDR, PACKET_QDISC_BYPASS = 263, 15, 20  # linux/if_packet.h
SIOCETHTOOL, ETHTOOL_GTXCSUM = 0x8946, 0x16  # linux/sockios.h, linux/ethtool.h


def transport_checksum_is_complete(frame):
    """Of a whole TCP or UDP frame, IPv4 or IPv6; None where there is none to check."""
    kind = int.from_bytes(frame[12:14], "big")
    if kind == frames.IPV4 and frame[23] in (6, 17):
        size, start = int.from_bytes(frame[16:18], "big"), 14 + (frame[14] & 15) * 4
        if frames.checksum(frame[14:start]) != 0:
            return False
        pseudo = frame[26:34] + struct.pack("!HH", frame[23], size - (start - 14))
        return frames.checksum(pseudo + frame[start:14 + size]) == 0
    if kind == frames.IPV6 and frame[20] in (6, 17):
        size = int.from_bytes(frame[18:20], "big")
        pseudo = frame[22:54] + struct.pack("!II", size, frame[20])
        return frames.checksum(pseudo + frame[54:54 + size]) == 0
    return None


def download(lease, size):
    """A guest with the kernel's own TCP takes `size` bytes from the neighbour's source: [(frame, virtio_net_hdr)] as the lease
    brought them."""
    seen = []
    with station.Station(lease, f"{ADDRESS}/24", seen=seen) as there, there.socket() as client:
        client.settimeout(tap.patience(SECONDS))
        client.connect((FAR, 9000))
        client.sendall(f"{size}\n".encode())
        received = sum(map(len, iter(lambda: client.recv(1 << 16), b"")))
        assert received == size, f"{received} of {size} bytes"
    return [(frame, header) for frame, header in seen if frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_TCP]


@tap.limit(120)
def test_tcp_into_a_plain_reader():
    with bus.connect("member") as connection:
        for network in ("lab", "lab-private", "lab-vepa"):
            with connection.open_packet(network) as lease:
                came = download(lease, 1 << 20)
                longest = max(len(frame) for frame, _ in came)
                bad = [frame[:60].hex() for frame, _ in came if transport_checksum_is_complete(frame) is not True]
                tap.diag(f"{network}: {len(came)} frames, the longest {longest} bytes")
                assert longest <= 1514 and not bad, (network, longest, bad[:3])
                assert longest > 1400, "no full frame came: the test sees nothing"


@tap.limit(120)
def test_tcp_into_a_reader_with_virtio_net_hdr():
    """The positive control of the test above: the same traffic, and here it comes unsegmented and with sums to be completed."""
    with bus.connect("member") as connection:
        for network in ("lab", "lab-private"):
            with connection.open_packet(network, vnet_hdr=True) as lease:
                came = download(lease, 4 << 20)
                longest = max(len(frame) for frame, _ in came)
                gso = [header for frame, header in came if header[1] & 0x7F]
                tap.diag(f"{network}: {len(came)} frames, {len(gso)} with GSO, the longest {longest} bytes")
                assert gso and longest > 1514, (network, longest)
                for frame, header in came:
                    flags, kind, _, size, start, offset = frames.VNET_HEADER.unpack(header)
                    if len(frame) > 1514:
                        assert kind & 0x7F == 1 and 0 < size <= 1460, (header.hex(), len(frame))  # VIRTIO_NET_HDR_GSO_TCPV4
                    if not flags & frames.NEEDS_CSUM:
                        assert transport_checksum_is_complete(frame) is True, frame[:60].hex()
                    else:
                        assert start + offset < len(frame), header.hex()


@tap.limit(120)
def test_tcp_into_a_tap():
    """A tap whose reader has not asked for offloads (TUNSETOFFLOAD) gets finished frames, one that has may get long ones."""
    with bus.connect("member") as connection:
        for offload, name in ((0, "none"), (0x01 | 0x02, "csum, tso4")):
            with connection.open_tap("lab") as lease:
                fcntl.ioctl(lease.fd, shapes.TUNSETOFFLOAD, offload)
                came = download(lease, 2 << 20)
                longest = max(len(frame) for frame, _ in came)
                tap.diag(f"offloads {name}: {len(came)} frames, the longest {longest} bytes")
                if not offload:
                    assert longest <= 1514, longest
                    assert all(transport_checksum_is_complete(frame) for frame, _ in came), "unfinished"
                else:
                    assert longest > 1514, longest


def gso_udp_or_tcp(mac, size, complete=False):
    """A TCP segment of `size` bytes of data, unsegmented, its sum unfinished, and the header that says so."""
    header = struct.pack("!HHIIBBHHH", 40000, 9, 1, 1, 5 << 4, 0x18, 0xFFFF, 0, 0)
    pseudo = frames.socket.inet_aton(ADDRESS) + frames.socket.inet_aton("10.77.0.2") + struct.pack("!HH", 6, 20 + size)
    header = header[:16] + struct.pack("!H", ~frames.checksum(pseudo) & 0xFFFF) + header[18:]
    packet = frames.ipv4(ADDRESS, "10.77.0.2", 6, header + (b"rawnet data " * (size // 12 + 1))[:size])
    frame = frames.ether(shapes.FAR_MAC, mac, frames.IPV4, packet)
    return frame, frames.vnet_header(frames.NEEDS_CSUM, 1, 54, 1460, 34, 16)


@contextlib.contextmanager
def far_without_gro():
    """The far wire as a NIC without GRO and the near one without offloads, so that frames are seen as a switch would see them."""
    def ethtool(where, interface, state):
        words = ["ethtool", "-K", interface, "tx", state, "tso", state, "gso", state]
        done = lab.run_far(words) if where else subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done

    ethtool(False, "wire0", "off")
    try:
        yield
    finally:
        ethtool(False, "wire0", "on")


@tap.limit(120)
def test_unfinished_frames_of_a_guest_are_finished_on_the_wire():
    """GSO and partial checksums, on a wire that does neither itself: what comes out is in MTU-sized, correct frames."""
    cases = [("tap", "lab", {}), ("packet", "lab", {"vnet_hdr": True})]
    with bus.connect("member") as connection, far_without_gro(), frames.WirePort() as wire:
        for kind, network, options in cases:
            with connection.open(kind, network, **options) as lease:
                port, mac = shapes.port_of(lease), lease.info["mac"]
                frame, header = gso_udp_or_tcp(mac, 30000)
                port.send(frame, header)
                port.send(frames.marker(mac, f"after {lease.id}"))
                seen = [f for f in wire.before(f"after {lease.id}".encode(), SECONDS) if f[6:12] == frames.mac_bytes(mac)]
                data = b"".join(f[54:14 + int.from_bytes(f[16:18], "big")] for f in seen)
                assert data == frame[54:], (kind, network, len(data), [len(f) for f in seen])
                assert max(len(f) for f in seen) <= 1514, (kind, [len(f) for f in seen])
                assert all(transport_checksum_is_complete(f) for f in seen), (kind, network)
                # and a single UDP datagram, its sum unfinished
                packet = frames.udp(ADDRESS, "10.77.0.2", 5, 6, b"unfinished datagram", complete=False)
                port.send(frames.ether(shapes.FAR_MAC, mac, frames.IPV4, packet), frames.vnet_header(frames.NEEDS_CSUM, 0, 0, 0, 34, 6))
                seen = wire.wait(b"unfinished datagram", SECONDS)
                assert transport_checksum_is_complete(seen), (kind, network, seen.hex())


def test_long_and_short_frames_keep_their_order():
    """A flow of short and of unsegmented frames comes out as it went in."""
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, network, options in (("tap", "lab", {}), ("packet", "lab", {"vnet_hdr": True})):
            with connection.open(kind, network, **options) as lease:
                port, mac = shapes.port_of(lease), lease.info["mac"]
                long, header = gso_udp_or_tcp(mac, 6000)
                short = long[:1000]
                # Few at a time: the wire's reader has room for a hundred.
                for number in range(40):
                    for part in range(5):
                        for frame, with_header in ((long, header), (short, frames.vnet_header())):
                            port.send(frame[:38] + struct.pack("!I", part * 10000) + frame[42:], with_header)
                    port.send(frames.marker(mac, f"after {lease.id} {number}."))
                    seen = [f for f in wire.before(f"after {lease.id} {number}.".encode(), SECONDS) if f[6:12] == frames.mac_bytes(mac)]
                    # By TCP's sequence number; where the host has segmented a long one, once for all its segments.
                    order = [(int.from_bytes(f[38:42], "big") // 10000, len(f) == len(short)) for f in seen]
                    order = [this for this, _ in itertools.groupby(order)]
                    assert order == [(part, is_short) for part in range(5) for is_short in (False, True)], (kind, order)


def test_a_reader_may_fall_behind():
    """What comes in meanwhile waits: 500 short frames for a tap, 900 for a socket, or ten unsegmented ones of 60,000 bytes, as TCP
    sends them."""
    cases = [("tap", "lab", {}), ("packet", "lab", {"vnet_hdr": True})]
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, network, options in cases:
            with connection.open(kind, network, **options) as lease:
                port, mac = shapes.port_of(lease), lease.info["mac"]
                count = 500 if kind == "tap" else 900
                for number in range(count):
                    wire.send(frames.ether(mac, shapes.FAR_MAC, frames.TEST, b"short" + number.to_bytes(4, "big")))
                seen = [frame for frame in iter(lambda: port.receive(0), None) if frame[14:19] == b"short"]  # pylint: disable=cell-var-from-loop
                assert len(seen) == count, f"{kind} on {network}: {len(seen)} of {count} short frames"
                if kind == "tap":
                    continue
                frame, header = gso_udp_or_tcp(shapes.FAR_MAC, 60000)
                with frames.WirePort() as far:
                    far.socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
                    far.vnet_hdr = True
                    for number in range(10):
                        far.send(frames.mac_bytes(mac) + frame[6:], header)
                seen = [got for got in iter(lambda: port.receive(0), None) if got[54:] == frame[54:]]  # pylint: disable=cell-var-from-loop
                assert len(seen) == 10, f"{kind} on {network}: {len(seen)} of 10 long frames"


def offload_is_on(lease):
    """Does the port leave checksums and segments to what is behind it? Its holder may ask (ethtool(8), tx-checksumming)."""
    value = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_GTXCSUM, 0))
    fcntl.ioctl(lease.fd, SIOCETHTOOL, struct.pack("16sP16x", lease.info["interface"].encode(), ctypes.addressof(value)))
    return struct.unpack("II", value.raw[:8])[1] != 0


def test_a_socket_that_bypasses_the_queues():
    """PACKET_QDISC_BYPASS: every frame gets out by the guard behind the veth, and send() says nothing of it (org.rawnet1(5))."""
    with bus.connect("member") as connection, frames.WirePort() as wire, connection.open_packet("lab", vnet_hdr=True) as lease:
        port, mac = shapes.port_of(lease), lease.info["mac"]
        with socket.socket(fileno=os.dup(lease.fd)) as same:
            same.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        # Where the port's offload is off, the kernel would have to segment it, and refuses that here (net/core/dev.c, __dev_direct_xmit()).
        if offload_is_on(lease):
            frame, header = gso_udp_or_tcp(mac, 6000)
            port.send(frame, header)
            wire.wait(frame[54:100], SECONDS)
        port.send(frames.marker(mac, "bypassed"))
        wire.wait(b"bypassed", SECONDS)


@tap.limit(120)
def test_guest_to_guest_between_the_kinds():
    """A long unfinished frame from a tap reaches a plain packet reader finished, and the other way a tap takes it long."""
    with bus.connect("member") as connection:
        with connection.open_tap("lab") as sender, connection.open_packet("lab") as plain, connection.open_packet("lab", vnet_hdr=True) as full:
            for reader in (plain, full):
                frame, header = gso_udp_or_tcp(sender.info["mac"], 20000)
                frame = frames.mac_bytes(reader.info["mac"]) + frame[6:]
                shapes.port_of(sender).send(frame, header)
                marker = frames.ether(reader.info["mac"], sender.info["mac"], frames.TEST, f"after {reader.id}".encode())
                shapes.port_of(sender).send(marker)
                port = shapes.port_of(reader)
                seen = [f for f in port.before(f"after {reader.id}".encode(), SECONDS) if f[12:14] == b"\x08\x00"]
                assert b"".join(f[54:14 + int.from_bytes(f[16:18], "big")] for f in seen) == frame[54:], [len(f) for f in seen]
                if reader is plain:
                    assert max(len(f) for f in seen) <= 1514 and all(transport_checksum_is_complete(f) for f in seen)


def test_ping_of_every_size_with_fragments():
    with bus.connect("member") as connection:
        for kind in ("tap", "packet"):
            with connection.open(kind, "lab") as lease, guest.Guest(shapes.port_of(lease), lease.info["mac"], "10.77.0.43", "fd77::43"):
                for size in (0, 1, 1472):
                    done = lab.run_far(["ping", "-c1", "-W10", "-M", "do", "-s", str(size), "10.77.0.43"])
                    assert done.returncode == 0, (kind, size, done)
            lab.run_far(["ip", "neigh", "flush", "all"])


if __name__ == "__main__":
    tap.main()
