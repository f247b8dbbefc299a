# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames whose headers the kernel does not keep in one piece: as few as 14 bytes are where a program can read them directly, and the rest is
in pages. By every way to make such a frame, none that must not passes unseen, and none that must pass is lost, either way."""

import contextlib
import errno
import os
import socket
import subprocess
import tempfile

import attacker
import frames
import guard_model as model
import lab
import late
import tap
import test_send
from attacker import as_user, attempt, completing_wire, lease_of

SHAPES = ("tap", "packet", "packet-vnet")
MTU = 9000
PAGE = 5000  # a frame of a page or more is not put in one piece (net/packet/af_packet.c, drivers/net/tun.c)
FAR_MAC = "02:00:00:00:77:01"


@contextlib.contextmanager
def jumbo_wire():
    def switch(mtu):
        subprocess.run(["ip", "link", "set", "wire0", "mtu", str(mtu)], check=True)
        with lab.in_namespace(lab.FAR):
            subprocess.run(["ip", "link", "set", "wire", "mtu", str(mtu)], check=True)

    switch(MTU)
    try:
        with completing_wire():
            yield
    finally:
        switch(1500)


def with_cookie(frame):
    return frame if late.COOKIE in frame else frame + late.COOKIE


def evil(mac):
    """Frames that must not leave: [(header, frame)]"""
    messages = [message for make in (late.ipv4_messages, late.ipv6_messages, late.llc_messages) for _, message, _, _ in make(mac)]
    return [(frames.vnet_header(), with_cookie(frame)) for frame in [*test_send.all_evil(mac).values(), *messages]]


def honest(mac):
    """Frames that must: [(header, frame)]. Their checksums are left to the kernel, so that whoever looks at them changes them."""
    return [(header, frame) for frame, header in late.honest(mac).values()]


# -- ways of sending; each returns a list of errnos


def is_request(frame):
    """To a DHCP server. The guard puts the end of an unfinished one aside, which has room for 2,048 bytes (TAIL_MAX)."""
    upper = 14 + (frame[14] & 15) * 4
    return frame[12:14] == b"\x08\0" and frame[23] == 17 and frame[upper + 2 : upper + 4] == b"\0\x43"


def long_with_short_header(header, frame):
    """The same frame a page long, of which the kernel is told that its headers are 14 bytes."""
    flags, kind, _, size, start, offset = frames.VNET_HEADER.unpack(header)
    return frames.vnet_header(flags, kind, 14, size, start, offset) + (frame if is_request(frame) else frame.ljust(PAGE, b"\0"))


def by_length(lease, wanted):
    return [attempt(os.write, lease.fd, long_with_short_header(*each)) for each in wanted]


def by_vector(lease, wanted):
    def write(header, frame):
        data = long_with_short_header(header, frame)
        os.writev(lease.fd, [data[at : at + 7] for at in range(0, 140, 7)] + [data[140:]])

    return [attempt(write, *each) for each in wanted]


def by_ring(lease, wanted):
    """Only its Ethernet header is outside of the ring's pages."""
    return attacker.send_by_ring(lease.fd, [header + frame for header, frame in wanted])


def by_more(lease, wanted):
    with socket.socket(fileno=os.dup(lease.fd)) as same:
        return [attempt(same.sendmsg, [header, frame], [], socket.MSG_MORE | socket.MSG_DONTWAIT) for header, frame in wanted]


def by_sendfile(lease, wanted):
    results = []
    for header, frame in wanted:
        with tempfile.TemporaryFile() as file:
            file.write(header + frame)
            file.flush()
            results.append(attempt(os.sendfile, lease.fd, file.fileno(), 0, len(header) + len(frame)))
    return results


def by_splice(lease, wanted):
    results = []
    for header, frame in wanted:
        reader, writer = os.pipe()
        os.write(writer, header + frame)
        results.append(attempt(os.splice, reader, lease.fd, len(header) + len(frame)))
        os.close(reader)
        os.close(writer)
    return results


def ways(lease):
    """And whether the kernel takes frames so at all."""
    if not lease.packet:
        return {by_length: True, by_vector: True, by_sendfile: False, by_splice: False}
    return {by_length: True, by_vector: True, by_ring: True, by_more: True, by_sendfile: True, by_splice: True}


def arrived(lease, wire):
    mark = attacker.on_wire(lease)
    lease.port.send(mark)
    return [frame for frame in wire.before(mark[14:40], 20) if late.COOKIE in frame or test_send.EVIL in frame]


@tap.limit(120)
def test_sent():
    with jumbo_wire():
        for shape in SHAPES:
            with lease_of(shape, MTU=str(MTU)) as lease, frames.WirePort() as wire:
                if lease.packet:
                    attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.VNET_HDR, 1)
                    lease.port.vnet_hdr = True
                os.set_blocking(lease.fd, True)  # the socket's buffer has room for some dozens of these frames
                rules = model.Rules(frames.mac_bytes(lease.mac), MTU + 14)
                for way, taken in ways(lease).items():
                    results = as_user("nobody", way, lease, evil(lease.mac))
                    bad = [frame[:80].hex() for frame in arrived(lease, wire) if model.sent(frame, rules)[0] != model.PASSES]
                    assert not bad, f"{shape}, {way.__name__}: {len(bad)} frames got to the wire: {bad[:3]}"
                    tried = sum(number in (0, errno.ENOBUFS) for number in results)
                    assert tried > len(results) // 2 if taken else not tried, (shape, way.__name__, tried)
                    results = as_user("nobody", way, lease, honest(lease.mac))
                    seen = arrived(lease, wire)
                    lost = [name for name, (frame, header) in late.honest(lease.mac).items()
                            if not any(got.startswith(late.finished(frame, header)) for got in seen)]  # fmt: skip
                    assert not (lost if taken else seen), (shape, way.__name__, lost, attacker.names(dict(enumerate(results))))
                    tap.diag(f"{shape}, {way.__name__}: {len(seen)} of {len(results)} honest frames, none of {tried} others")


def test_received():
    """What the wire brings, in short pieces as well."""
    with jumbo_wire():
        for shape in SHAPES:
            with lease_of(shape, MTU=str(MTU)) as lease, frames.WirePort() as far:
                attacker.setsockopt(far.fd, attacker.SOL_PACKET, attacker.VNET_HDR, 1)
                sent = [(frames.mac_bytes(lease.mac) + frames.mac_bytes(FAR_MAC) + frame[12:], header) for frame, header in late.honest(lease.mac).values()]
                for frame, header in sent:
                    os.write(far.fd, long_with_short_header(header, frame))
                tagged = frames.tagged(frames.ether(lease.mac, FAR_MAC, frames.TEST, late.COOKIE), 100)
                os.write(far.fd, long_with_short_header(frames.vnet_header(), tagged))
                mark = frames.ether(lease.mac, FAR_MAC, frames.TEST, b"the end")
                os.write(far.fd, frames.vnet_header() + mark)
                seen = []
                while (frame := lease.port.receive(tap.patience(5))) is not None and b"the end" not in frame:
                    seen.append((frame, lease.port.header))
                seen = [(frame, header) for frame, header in seen if late.COOKIE in frame]
                assert len(seen) == len(sent), (shape, len(seen), len(sent))
                for (frame, header), (got, described) in zip(sent, seen):
                    whole = late.finished(frame, described if described and described[0] & frames.NEEDS_CSUM else header)
                    whole = frame if described and described[0] & frames.NEEDS_CSUM else whole
                    assert got[: len(whole)] == whole, f"{shape}: {got[:80].hex()}, not {whole[:80].hex()}"


if __name__ == "__main__":
    tap.main()
