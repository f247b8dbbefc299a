# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel of a container can do to a frame that no holder of a descriptor can.

The end of a tunnel takes headers off a frame whose checksum is still to be completed. The place of the checksum is then nearer to the
beginning of what is left: it may be in the length of the IP header. Judged on a wire that completes checksums, as an adapter does. And an
ifb can send a frame so that the hook of the port does not see it."""

import contextlib
import json
import struct

import attacker
import frames
import lab
import late
import processes
import station
import tap
import test_send
from attacker import VICTIM
from test_attach import Raw, contained, evil_ones, honest

# RFC 4861 4.2, with a prefix to make addresses from
ADVERTISEMENT = bytes([134, 0, 0, 0, 64, 0, 7, 8]) + bytes(8) + bytes([3, 4, 64, 0xC0]) + b"\0\0\xff\xff" * 2 + bytes(4) + bytes.fromhex("20010db8").ljust(16, b"\0")

OUTER = 14 + 20 + 8 + 8  # Ethernet, IP, UDP, VXLAN (RFC 7348 5)
TUNNEL_HEADER = struct.pack("!II", 0x08000000, 5 << 8)
INSIDE, THERE = "192.168.99.2", "192.168.99.3"
SCRIPT = f"""
ip link set lo up
ip link add inside0 type veth peer name inside1
ip link set inside0 up
ip addr add {INSIDE}/24 dev inside1
ip link set inside1 up
ip link add tunnel0 type vxlan id 5 local {INSIDE} remote {THERE} dstport 4789
ip link add bridge0 type bridge
ip link set eth0 address 02:00:00:00:99:01
ip link set eth0 master bridge0
ip link set tunnel0 master bridge0
ip link set tunnel0 up
ip link set bridge0 up
"""


class Tunnel(Raw):
    """What is sent here leaves the tunnel's end in the container, and goes to its interface by a bridge."""

    def __init__(self, box):
        box.run("sh", "-ec", SCRIPT)
        self.to = box.links()["inside1"]["address"]
        super().__init__(box, "inside0", vnet_hdr=True)

    def send(self, frame, header=None):
        flags, kind, length, size, start, offset = frames.VNET_HEADER.unpack(header or frames.vnet_header())
        datagram = struct.pack("!HHHH", 4789, 4789, 16 + len(frame), 0) + TUNNEL_HEADER + frame
        outer = frames.ether(self.to, "02:00:00:00:99:02", frames.IPV4, frames.ipv4(THERE, INSIDE, 17, datagram), pad=False)
        return super().send(outer, frames.vnet_header(flags, kind, length, size, start + OUTER if flags else 0, offset))


@contextlib.contextmanager
def tunnelled(**keys):
    with attacker.completing_wire(), contained(**keys) as (box, _, wire), Tunnel(box) as tunnel:
        # The bridge floods at once: what it learns does not matter.
        for _ in range(100):
            tunnel.send(frames.marker(box.mac, "HONEST THROUGH THE TUNNEL"))
            with contextlib.suppress(AssertionError):
                wire.before(b"HONEST THROUGH THE TUNNEL", 0.2)
                break
        else:
            raise AssertionError("the tunnel brings nothing")
        yield box, tunnel, wire


def headers(mac):
    """(name, message, at, what is there before): the first bytes of a frame."""
    body = late.COOKIE.ljust(60, b"\0")
    yield "another source", frames.ether(late.TO, mac[:-5] + "be:ef", frames.TEST, body), 10, frames.mac_bytes(mac)[4:]
    plain = frames.ether(late.TO, mac, frames.TEST, body)
    for kind in attacker.TAGS:
        yield f"a tag {kind:04x}", frames.tagged(plain, (kind, 100)), 12, b"\x88\xb5"
    yield "PAUSE", plain[:12] + struct.pack("!H", attacker.PAUSE) + plain[14:], 12, b"\x88\xb5"
    yield "a control frame", frames.mac_bytes("01:80:c2:00:00:00") + plain[6:], 0, b"\x02\x80"
    for name, message, at, before in (*late.ipv4_messages(mac), *late.ipv6_messages(mac)):
        yield name, message, at, before
        if at == 36:
            yield f"{name}; EtherType", message, 12, b"\x88\xb5"
    # An option of which the header's sum is right with it and without it; without it, it looks like the ports.
    packet = frames.ipv4(late.OURS, "255.255.255.255", 17, b"\x94\4\x6a\xfb" + struct.pack("!HHHH", 67, 68, 8 + 240, 0) + late.bootp(2) + bytes(2))
    yield "a reply with an option; length of the header", frames.ether(late.TO, mac, frames.IPV4, b"\x46" + packet[1:])[:-2], 14, b"\x45\0"


def evil(frame, mac, becomes):
    return late.COOKIE in frame and (frame in becomes or frame[6:12] != frames.mac_bytes(mac) or frame[12:14] == b"\x81\0")


def attack(box, tunnel, wire):
    messages = list(headers(box.mac))
    wanted = [late.disguise(*message, start) for message in messages for start in {0, max(message[2] - 1, 0), message[2]}]
    for one in wanted:
        attacker.attempt(tunnel.send, one.looks, one.header)
    becomes = {one.becomes.ljust(60, b"\0"): one.name for one in wanted}
    out = [frame for frame in honest_tunnel(box, tunnel, wire) if evil(frame, box.mac, becomes)]
    assert not out, f"{len(out)} of {len(wanted)} got out: {[becomes.get(frame, frame[:40].hex()) for frame in out[:10]]}"
    tap.diag(f"{len(wanted)} frames, none got out")


def honest_tunnel(box, tunnel, wire):
    tunnel.send(frames.marker(box.mac, "HONEST LAST"))
    return wire.before(b"HONEST LAST", 20)


@tap.limit(300)
def test_place_of_a_checksum():
    with tunnelled() as (box, tunnel, wire):
        attack(box, tunnel, wire)


# Half of the frames, by chance: ld #rand; jset #1 (linux/filter.h)
HALF = "4,32 0 0 4294963256,69 0 1 1,6 0 0 4294967295,6 0 0 0"
IFB = f"""
ip link add ifb7 type ifb
ip link set ifb7 up
tc qdisc add dev eth0 clsact
tc filter add dev eth0 egress bpf bytecode '{HALF}' action mirred egress redirect dev ifb7
"""


def test_past_the_hook():
    """A frame that an ifb in the container has sent again skips the hook where the guard is. The IP stack behind it says nothing."""
    with contained("10.77.0.77/24", "fd77::77/64") as (box, lease, wire), Raw(box) as port, frames.WirePort("eth0", box.namespace) as inside:
        box.run("sh", "-ec", IFB)
        skipping = (
            frames.ether(frames.BROADCAST, VICTIM, frames.IPV4, frames.udp("10.77.0.9", "255.255.255.255", 68, 67, test_send.EVIL)),
            frames.ether(frames.BROADCAST, box.mac, frames.IPV4, frames.icmp_echo("10.77.0.77", "255.255.255.255")),
            frames.arp(1, box.mac, "10.77.0.77", "127.0.0.1"),
            frames.ether("33:33:00:00:00:01", box.mac, frames.IPV6, frames.ipv6("fe80::77", "ff02::1", 58, frames.icmp6("fe80::77", "ff02::1", ADVERTISEMENT))),
            frames.ether("33:33:00:00:00:01", box.mac, frames.IPV6, frames.icmp_echo("fe80::77", "ff02::1")),
            frames.tagged(frames.ether(frames.BROADCAST, box.mac, frames.TEST, test_send.EVIL), 100),
        )
        for _ in range(100):
            for frame in skipping:
                attacker.attempt(port.send, frame)
        box.run("tc", "qdisc", "delete", "dev", "eth0", "clsact")
        assert not (out := evil_ones(honest(box, wire, "LAST"), box.mac)), f"{len(out)} frames got to the wire: {out[0][:40].hex()}"
        (keeper,) = processes.named("rawnet-keep")
        space = ["nsenter", f"--net=/proc/{keeper}/ns/net", "ip"]
        assert not (found := station.command(*space, "-o", "addr")), found
        assert not (found := station.command(*space, "-6", "route") + station.command(*space, "-4", "route")), found
        (ours,) = (link["address"] for link in json.loads(station.command(*space, "-j", "link")) if link["ifname"] == f"rn{lease.id:x}")
        lab.run_far(["ping", "-c", "1", "-W", "2", "10.77.0.77"])
        heard = inside.before(lambda frame: frame[12:14] == b"\x08\0" and frame[23] == 1)
        assert not [frame for frame in heard if frame[6:12] == frames.mac_bytes(ours)], "the port speaks"


if __name__ == "__main__":
    tap.main()
