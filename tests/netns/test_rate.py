# SPDX-License-Identifier: GPL-2.0-or-later
"""Rate= and the option rate: what each kind of port sends and gets at most, and in which queue the rest waits. tests/bus/test_rate.py has what
may be asked for; tests/bench/rate.py measures how close to the limit traffic comes, and how long frames wait."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time

import bus
import frames
import lab
import shapes
import tap
from container import Container, attach
from station import Station

SECONDS = 20
RATE = 8_000_000  # bits a second
BYTES, BURST, WAIT = RATE // 8, 10_000, 25_000  # helper/child/shaper.c
FRAMES, SIZE = 400, 1514  # a flood: 0.6 s of RATE
KINDS = (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True}))
ADDRESS, FAR = "10.77.0.88", "10.77.0.1"


def queues(lease):
    """{link: [its qdiscs, the root first]}"""
    with lab.in_namespace(lease.fd):
        found = json.loads(subprocess.run(["tc", "-s", "-j", "qdisc", "show"], capture_output=True, text=True, check=True).stdout)
    sorted_by_depth = sorted(found, key=lambda one: not one.get("root", False))
    return {name: [one for one in sorted_by_depth if one["dev"] == name and one["kind"] not in ("clsact", "ingress", "noqueue")]
            for name in {one["dev"] for one in found}}  # fmt: skip


def to_guest(kind, lease):
    return "inner" if kind == "packet" else lease.info["interface"]


def check_queues(lease, kind, rate=BYTES, burst=BURST, wait=WAIT):
    found = queues(lease)
    for link in ("uplink", to_guest(kind, lease)):
        root, *below = found[link]
        options = root["options"]
        assert (root["kind"], options["rate"]) == ("tbf", rate), found
        # tc reckons both from times: the time that the FIFO's bytes take behind those of the burst.
        assert abs(options["burst"] - burst) <= 1 + burst / 1000, found
        assert wait is None or abs(options["lat"] - (wait - burst) * 10**6 / rate) <= 10, found
        # The FIFO is the bucket's own and not listed.
        assert [one["kind"] for one in below] in ([], ["fq_codel"]), found
        if below:
            assert 256 << 10 <= below[0]["options"]["memory_limit"] <= 32 << 20, found
    assert {link for link, qdiscs in found.items() if qdiscs} == {"uplink", to_guest(kind, lease)}, found


def test_queues():
    """A bucket on both ways, and below it a queue for each flow, or one that is short."""
    with lab.network("slow", Rate="8M"), bus.connect("member") as connection:
        for kind, options in KINDS:
            with connection.open(kind, "slow", **options) as lease:
                check_queues(lease, kind)
            with connection.open(kind, "slow", rate=2_000_000, **options) as lease:
                check_queues(lease, kind, 250_000, 2 * SIZE, 8 * SIZE)
        with connection.open_tap("slow", mac="learn") as lease:
            check_queues(lease, "tap")


def test_largest():
    """More than 32 bits of bytes a second."""
    with bus.connect("member") as connection, connection.open_tap("lab", rate=100_000_000_000) as lease:
        check_queues(lease, "tap", 12_500_000_000, 125_000_000, None)


def test_no_limit():
    with bus.connect("member") as connection:
        for kind, options in KINDS:
            with connection.open(kind, "lab", **options) as lease:
                assert not any(qdisc["kind"] == "tbf" for found in queues(lease).values() for qdisc in found), queues(lease)


def flood(sender, receiver, source, destination):
    """(bytes that came, seconds): many full frames at once, and then markers until one comes."""
    frame = frames.ether(destination, source, frames.TEST, b"flood".ljust(SIZE - 14, b"."))
    marker = frames.ether(destination, source, frames.TEST, b"end of the flood")
    receiver.drain()
    start, total = time.monotonic(), 0
    for _ in range(FRAMES):
        with contextlib.suppress(OSError):  # a full queue
            sender.send(frame)
    while time.monotonic() - start < SECONDS:
        with contextlib.suppress(OSError):
            sender.send(marker)
        while (came := receiver.receive(0.05)) is not None:
            if b"end of the flood" in came:
                return total, time.monotonic() - start
            total += len(came) if came[12:14] == frame[12:14] else 0
    raise AssertionError(f"nothing came behind the flood, of which {total} bytes came")


def check_flood(what, sender, receiver, source, destination):
    total, seconds = flood(sender, receiver, source, destination)
    most = BYTES * seconds + BURST
    tap.diag(f"{what}: {total} bytes in {seconds:.3f} s, at most {most:.0f}")
    assert SIZE <= total <= most, (what, total, seconds, most)


def test_a_flood_is_throttled():
    """No slow machine breaks this bound: it follows from the time that the flood took."""
    with lab.network("slow", Rate="8M"), bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, options in KINDS:
            with connection.open(kind, "slow", **options) as lease:
                port, mac = shapes.port_of(lease), lease.info["mac"]
                check_flood(f"{kind} {options} sends", port, wire, mac, shapes.FAR_MAC)
                check_flood(f"{kind} {options} gets", wire, port, shapes.FAR_MAC, mac)
        with Container() as box:
            mac = attach(connection, "slow", box, up=True).info["mac"]
            with frames.WirePort("eth0", box.namespace) as port:
                check_flood("a container sends", port, wire, mac, shapes.FAR_MAC)
                check_flood("a container gets", wire, port, shapes.FAR_MAC, mac)


def test_a_flood_past_tc_is_throttled():
    """PACKET_QDISC_BYPASS skips the queue of the interface that a socket is bound to: that of the uplink comes later."""
    with lab.network("slow", Rate="8M"), bus.connect("member") as connection, frames.WirePort() as wire:
        with connection.open_packet("slow") as lease:
            with socket.socket(fileno=os.dup(lease.fd)) as holder:
                holder.setsockopt(263, 20, 1)  # SOL_PACKET, PACKET_QDISC_BYPASS
            check_flood("packet, past tc", shapes.port_of(lease), wire, lease.info["mac"], shapes.FAR_MAC)


def test_the_gate_holds():
    """A holder who binds to the uplink gets nothing out there, past its queue or through it."""
    with lab.network("slow", Rate="8M"), bus.connect("member") as connection, frames.WirePort() as wire:
        with connection.open_packet("slow") as lease, socket.socket(fileno=os.dup(lease.fd)) as holder:
            mac = lease.info["mac"]
            with lab.in_namespace(lease.fd):
                indices = [socket.if_nametoindex(name) for name in ("uplink", "inner")]
            for bypass in (0, 1):
                holder.setsockopt(263, 20, bypass)
                for index in indices:
                    with lab.in_namespace(lease.fd), contextlib.suppress(OSError):
                        name = socket.if_indextoname(index)
                        holder.sendto(frames.ether(shapes.FAR_MAC, mac, frames.TEST, b"past the port"), (name, 0))
            holder.setsockopt(263, 20, 0)
            shapes.port_of(lease).send(frames.ether(shapes.FAR_MAC, mac, frames.TEST, b"by the port"))
            seen = wire.before(b"by the port", SECONDS)
            assert not any(b"past the port" in frame for frame in seen), seen


def transfer(sender, receiver, size=1 << 20):
    """TCP from one connected socket to another, all of it."""
    data = bytes(range(256)) * (size // 256)
    thread = threading.Thread(target=lambda: (sender.sendall(data), sender.shutdown(socket.SHUT_WR)))
    thread.start()
    came = bytearray()
    while part := receiver.recv(1 << 16):
        came += part
    thread.join()
    assert came == data, (len(came), len(data))


def connected(namespace):
    """Two ends of a connection, the guest's and the neighbour's."""
    with lab.in_namespace(lab.FAR):
        listener = socket.create_server((FAR, 0))
    with listener, lab.in_namespace(namespace):
        guest = socket.create_connection(listener.getsockname(), SECONDS)
        far, _ = listener.accept()
    for one in (guest, far):
        one.settimeout(SECONDS)
    return guest, far


@tap.limit(120)
def test_tcp():
    """Segmented frames, longer and shorter than the bucket, cross both queues whole."""
    with lab.network("slow", Rate="100M"), bus.connect("member") as connection:
        for kind, options in KINDS:
            for rate in (20_000_000, 100_000_000):
                with connection.open(kind, "slow", rate=rate, **options) as lease, Station(lease, f"{ADDRESS}/24") as guest:
                    lab.run_far(["ip", "neigh", "flush", "all"])
                    ends = connected(guest.namespace)
                    transfer(*ends)
                    transfer(*reversed(connected(guest.namespace)))
        with Container() as box:
            attach(connection, "slow", box, up=True)
            box.up(f"{ADDRESS}/24")
            lab.run_far(["ip", "neigh", "flush", "all"])
            transfer(*connected(box.namespace))
            transfer(*reversed(connected(box.namespace)))


if __name__ == "__main__":
    tap.main()
