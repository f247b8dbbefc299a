# SPDX-License-Identifier: GPL-2.0-or-later
"""What a sender leaves unsegmented or without a checksum reaches each kind of port as its reader can understand it: TCP and UDP
segmentation, tunnels, BIG TCP and partial checksums, from the wire and from the host, every byte compared."""

import contextlib
import itertools
import socket
import struct

import bus
import frames
import lab
import shapes
import station
import tap

SECONDS = 20
ADDRESS, FAR, HOST = "10.77.0.60", "10.77.0.1", "10.77.0.61"
ADDRESS6, FAR6 = "fd77::60", "fd77::1"
UDP_SEGMENT = 103  # linux/udp.h
TUN_OFFLOADS = 0x01 | 0x02 | 0x04  # TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6
TCPV4, TCPV6, UDP_L4 = 1, 4, 5  # linux/virtio_net.h, gso_type
ETHERTYPES = {b"\x08\x00": 4, b"\x86\xdd": 6}
# Readers: (kind, options, has virtio_net_hdr)
READERS = (("packet", {"vnet_hdr": True}), ("packet", {}), ("tap", {}))


def payload(size):
    return bytes(itertools.islice(itertools.cycle(range(251)), size))


def describe(frame):
    """(IP version, protocol, offset of its header) of an IP frame without extension headers, or None."""
    version = ETHERTYPES.get(frame[12:14])
    if version == 4:
        return 4, frame[23], 14 + (frame[14] & 15) * 4
    if version == 6:
        return 6, frame[20], 54
    return None


def understood(frame, header, mtu=1500):
    """None if a reader can do with this frame what its header says, else what is wrong."""
    flags, kind, _, size, start, offset = frames.VNET_HEADER.unpack(header)
    what = describe(frame)
    if what is None:
        return None
    version, protocol, at = what
    kind &= 0x7F
    if len(frame) > mtu + 14:
        if kind not in {TCPV4: (TCPV4,), TCPV6: (TCPV6,), UDP_L4: (UDP_L4,)}.get(kind, ()):
            return f"{len(frame)} bytes of protocol {protocol}, gso_type {kind}"
        if len(frame) > 65550:
            return f"{len(frame)} bytes"
        if (protocol, version) != {TCPV4: (6, 4), TCPV6: (6, 6), UDP_L4: (17, version)}[kind]:
            return f"IPv{version} protocol {protocol} is said to be gso_type {kind}"
        if not 0 < size <= mtu:
            return f"gso_size {size}"
    # Within a tunnel's datagram the checksum may be the inner one: RFC 7348 leaves the outer one out.
    inner = protocol == 17 and start > at and start + offset + 2 <= len(frame) and offset in (6, 16)
    if flags & frames.NEEDS_CSUM and (start, offset) != (at, {6: 16, 17: 6}.get(protocol)) and not inner:
        return f"a checksum at {start} + {offset} in a frame of protocol {protocol} at {at}"
    return None


@contextlib.contextmanager
def reader(connection, kind, options, network="lab"):
    """(Lease, Station, frames seen) of a guest with the kernel's own IP stack."""
    import fcntl  # pylint: disable=import-outside-toplevel

    seen = []
    with connection.open(kind, network, **options) as lease:
        if kind == "tap":
            fcntl.ioctl(lease.fd, shapes.TUNSETOFFLOAD, TUN_OFFLOADS)
        with station.Station(lease, f"{ADDRESS}/24", f"{ADDRESS6}/64", seen=seen) as there:
            yield lease, there, seen


def check(title, seen, lengths=1400):
    wrong = [text for text in (understood(frame, header) for frame, header in seen) if text]
    longest = max((len(frame) for frame, _ in seen), default=0)
    tap.diag(f"{title}: {len(seen)} frames, the longest {longest} bytes")
    assert not wrong, (title, wrong[:3])
    assert longest >= lengths, f"{title}: the longest frame has {longest} bytes, the test sees nothing"


def datagrams(there, family=socket.AF_INET):
    with lab.in_namespace(there.namespace):
        inlet = socket.socket(family, socket.SOCK_DGRAM)
    inlet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    inlet.settimeout(tap.patience(SECONDS))
    inlet.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 4433))
    return inlet


def send_segmented(where, family, address, data, size):
    """One sendto() that the kernel, or whoever is nearest to the reader, segments into datagrams of size bytes (udp(7))."""
    with lab.in_namespace(where):
        outlet = socket.socket(family, socket.SOCK_DGRAM)
    with outlet:
        outlet.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        outlet.sendto(data, (address, 4433))


@tap.limit(180)
def test_udp_segmentation_from_the_wire():
    """QUIC, WireGuard and DNS over QUIC send so."""
    data = payload(30 * 1200 + 700)
    with bus.connect("member") as connection:
        for kind, options in READERS:
            for family, address in ((socket.AF_INET, ADDRESS), (socket.AF_INET6, ADDRESS6)):
                with reader(connection, kind, options) as (_, there, seen), datagrams(there, family) as inlet:
                    assert there.ping(FAR if family == socket.AF_INET else FAR6)
                    send_segmented(lab.FAR, family, address, data, 1200)
                    came = [inlet.recv(2000) for _ in range(31)]
                    assert b"".join(came) == data, (kind, options, [len(part) for part in came])
                check(f"UDP to {kind} {options}", seen, 1200)


@tap.limit(180)
def test_a_port_with_a_smaller_mtu_than_the_wire():
    """Segments that fit it pass whole, as on any port."""
    data = payload(30 * 1200)
    with lab.network("small", MTU="1300"), bus.connect("member") as connection:
        for kind, options in READERS:
            with reader(connection, kind, options, "small") as (lease, there, seen), datagrams(there) as inlet:
                assert there.ping(FAR)
                send_segmented(lab.FAR, socket.AF_INET, ADDRESS, data, 1200)
                assert b"".join(inlet.recv(2000) for _ in range(30)) == data, (kind, options)
                assert connection.statistics(lease.path)["rx_dropped"] == 0
            check(f"UDP to {kind} {options}", seen, 1200)


@tap.limit(180)
def test_udp_segmentation_from_a_port_of_the_host():
    """A macvlan interface of the host itself, as HostInterface= makes one, and the guest beside it: no wire in between."""
    data = payload(20 * 1300)
    with bus.connect("member") as connection:
        lab.ip("link", "add", "beside", "link", "wire0", "type", "macvlan", "mode", "bridge")
        try:
            lab.ip("addr", "add", f"{HOST}/24", "dev", "beside", "noprefixroute")
            lab.ip("link", "set", "beside", "up")
            for kind, options in READERS:
                with reader(connection, kind, options) as (_, there, seen), datagrams(there) as inlet:
                    lab.ip("route", "add", f"{ADDRESS}/32", "dev", "beside")
                    try:
                        assert there.ping(HOST)  # the host learns the new guest's MAC address
                        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outlet:
                            outlet.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1300)
                            outlet.bind((HOST, 0))
                            outlet.sendto(data, (ADDRESS, 4433))
                        assert b"".join(inlet.recv(2000) for _ in range(20)) == data, (kind, options)
                    finally:
                        lab.ip("route", "del", f"{ADDRESS}/32", "dev", "beside")
                check(f"host's UDP to {kind} {options}", seen, 1300)
        finally:
            lab.ip("link", "del", "beside")


def take(there, address, family, size=2 << 20):
    """`size` bytes from the neighbour's source, by TCP."""
    with there.socket(family) as client:
        client.settimeout(tap.patience(SECONDS))
        client.connect((address, 9000))
        client.sendall(f"{size}\n".encode())
        received = sum(map(len, iter(lambda: client.recv(1 << 16), b"")))
    assert received == size, f"{received} of {size} bytes"


@tap.limit(180)
def test_tcp_in_a_tunnel_from_the_wire():
    """A frame of TCP segments within VXLAN is described as TCP, although its outer protocol is UDP: it must not arrive whole."""
    lab.ip("link", "add", "vx0", "type", "vxlan", "id", "7", "local", FAR, "remote", ADDRESS, "dstport", "4789", "dev", "wire",
           where=lab.FAR)
    try:
        lab.ip("addr", "add", "10.99.0.1/24", "dev", "vx0", where=lab.FAR)
        lab.ip("link", "set", "vx0", "up", where=lab.FAR)
        with bus.connect("member") as connection:
            for kind, options in READERS:
                with reader(connection, kind, options) as (_, there, seen):
                    there.run("ip", "link", "add", "vx0", "type", "vxlan", "id", "7", "local", ADDRESS, "remote", FAR,
                              "dstport", "4789", "dev", station.NAME)
                    there.run("ip", "addr", "add", "10.99.0.2/24", "dev", "vx0")
                    there.run("ip", "link", "set", "vx0", "up")
                    take(there, "10.99.0.1", socket.AF_INET)
                check(f"VXLAN to {kind} {options}", seen)
    finally:
        lab.ip("link", "del", "vx0", where=lab.FAR)


@tap.limit(180)
def test_big_tcp_from_the_wire():
    """A sender whose interface takes more than 64 KiB at once (gso_max_size, ip-link(8)): no length field describes such a frame."""
    lab.ip("link", "set", "wire", "gso_max_size", "180000", where=lab.FAR)
    try:
        with bus.connect("member") as connection:
            for kind, options in READERS:
                with reader(connection, kind, options) as (_, there, seen):
                    take(there, FAR6, socket.AF_INET6, 8 << 20)
                check(f"BIG TCP to {kind} {options}", seen)
    finally:
        lab.ip("link", "set", "wire", "gso_max_size", "65536", where=lab.FAR)


@tap.limit(180)
def test_tcp_stays_whole():
    """The positive control: what virtio_net_hdr describes is not segmented before its reader. On a slow machine TCP sends the fewest
    segments at once that it may (tcp(7), ip-sysctl: tcp_min_tso_segs): more of them, so that a frame is long on any."""
    with lab.in_namespace(lab.FAR), open("/proc/sys/net/ipv4/tcp_min_tso_segs", "w", encoding="ascii") as setting:
        setting.write("8")
    with bus.connect("member") as connection:
        for family, address in ((socket.AF_INET, FAR), (socket.AF_INET6, FAR6)):
            with reader(connection, "packet", {"vnet_hdr": True}) as (_, there, seen):
                take(there, address, family)
            check(f"TCP, {address}", seen, 4000)


def crc32c(data):
    """RFC 9260, appendix A."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def test_sctp_checksum_is_complete():
    """SCTP has a CRC32c, which virtio_net_hdr cannot ask for. Needs a sender with SCTP: the guest's own kernel has it, or not."""
    try:
        with lab.in_namespace(lab.FAR):
            sender = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
    except OSError:
        tap.skip("no SCTP in this kernel")
    with sender, bus.connect("member") as connection, reader(connection, "packet", {"vnet_hdr": True}) as (_, there, seen):
        assert there.ping(FAR)
        sender.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sender.connect((ADDRESS, 9))
        lab.wait_for(lambda: any(frame[12:14] == b"\x08\x00" and frame[23] == 132 for frame, _ in seen), SECONDS, "an INIT")
        frame, header = next((f, h) for f, h in seen if f[12:14] == b"\x08\x00" and f[23] == 132)
        packet = frame[34:14 + int.from_bytes(frame[16:18], "big")]
        assert struct.unpack("<I", packet[8:12])[0] == crc32c(packet[:8] + bytes(4) + packet[12:]), packet.hex()
        assert not header[0] & frames.NEEDS_CSUM, header.hex()


if __name__ == "__main__":
    tap.main()
