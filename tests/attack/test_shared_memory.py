# SPDX-License-Identifier: GPL-2.0-or-later
"""A frame that its sender changes after the guard has judged it. The kernel sends what is in the sender's memory from where it is, and
some of it stays there until the receiver reads it: of a ring of a packet socket (PACKET_TX_RING), or of a file (sendfile(2)). What the
guard looks at must be a copy that does not change any more."""

import contextlib
import mmap
import os
import socket
import struct
import subprocess

import attacker
import frames
import lab
import late
import tap
from attacker import PACKETS, SOL_PACKET, TX_RING, VERSION, lease_of
from test_attach_kernel import INSIDE, TUNNEL_HEADER, tunnelled

SIZE = 4096
MESSAGES = (late.ipv4_messages, late.ipv6_messages, late.llc_messages)


def changes_of(mac):
    """{name: (before, after)}: every message of a server, which looks like something else first."""
    changes = {}
    for messages in MESSAGES:
        for name, message, at, before in messages(mac):
            message = message.ljust(60, b"\0")
            changes[name] = (message[:at] + before + message[at + 2 :], message)
            if message[14] >> 4 == 4:  # nothing is like the message but the Ethernet header
                changes[f"{name}, and all the rest"] = (message[:14] + b"\x45" + bytes(8) + b"\x06" + bytes(len(message) - 24), message)
    return changes


def judge(changes, seen, who):
    bad = {message: name for name, (_, message) in changes.items()}
    out = [bad[frame] for frame in seen if frame in bad]
    assert not out, f"{who}: {len(out)} of {len(changes)} on the wire are a server's: {out[:5]}"
    tap.diag(f"{who}: {len(changes)} frames, {len(seen)} seen")


def send_by_ring(port, changes):
    """Each from a place of its own, and changed at once."""
    header = frames.vnet_header() if port.vnet_hdr else b""
    attacker.setsockopt(port.fd, SOL_PACKET, VERSION, 0)
    attacker.setsockopt(port.fd, SOL_PACKET, TX_RING, struct.pack("=IIII", SIZE, len(changes), SIZE, len(changes)))
    with mmap.mmap(port.fd, SIZE * len(changes)) as ring:
        for place, (looks, becomes) in zip(range(0, len(ring), SIZE), changes):
            start = attacker.ring_header(0, len(header + looks), None)
            data = place + len(start)
            ring[data : data + len(header + looks)] = header + looks
            ring[place:data] = start
            attacker.attempt(attacker.send_nothing, port.fd)
            ring[data : data + len(header + looks)] = header + becomes
    # EBUSY while a frame of the ring is still on its way (net/packet/af_packet.c, packet_set_ring()).
    lab.wait_for(lambda: attacker.attempt(attacker.setsockopt, port.fd, SOL_PACKET, TX_RING, bytes(16)) == 0, 5, "the ring's end")


@contextlib.contextmanager
def busy_wire():
    """Frames wait on the host's end of the wire. Without, the kernel copies them at once, since the wire is a veth."""
    subprocess.run("tc qdisc add dev wire0 root tbf rate 500kbit burst 1600 latency 10s".split(), check=True)
    try:
        yield
    finally:
        subprocess.run("tc qdisc delete dev wire0 root".split(), check=True)


@tap.limit(300)
def test_packet_ports():
    for shape in PACKETS:
        for bypass in (0, 1):
            with busy_wire(), lease_of(shape) as lease, frames.WirePort() as wire:
                attacker.setsockopt(lease.fd, SOL_PACKET, attacker.QDISC_BYPASS, bypass)
                changes = changes_of(lease.mac)
                send_by_ring(lease.port, changes.values())
                mark = attacker.on_wire(lease)
                lease.port.send(mark)
                judge(changes, wire.before(mark[14:40], 20), f"{shape}, bypass {bypass}")


def send_of_a_file(box, changes):
    """As datagrams to the tunnel's end in the container: the frame is in the file's memory but for the headers of the tunnel."""
    changes = list(changes)
    file = os.memfd_create("frames")
    os.ftruncate(file, SIZE * len(changes))
    with lab.in_namespace(box.namespace), mmap.mmap(file, SIZE * len(changes)) as memory, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((INSIDE, 4789))
        for place, (looks, becomes) in zip(range(0, len(memory), SIZE), changes):
            memory[place : place + len(TUNNEL_HEADER + looks)] = TUNNEL_HEADER + looks
            os.sendfile(sock.fileno(), file, place, len(TUNNEL_HEADER + looks))
            memory[place : place + len(TUNNEL_HEADER + looks)] = TUNNEL_HEADER + becomes
    os.close(file)


def test_containers():
    with tunnelled() as (box, tunnel, wire):
        changes = changes_of(box.mac)
        send_of_a_file(box, changes.values())
        tunnel.send(frames.marker(box.mac, "HONEST LAST"))
        judge(changes, wire.before(b"HONEST LAST", 20), "a container")


if __name__ == "__main__":
    tap.main()
