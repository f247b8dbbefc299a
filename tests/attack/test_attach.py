# SPDX-License-Identifier: GPL-2.0-or-later
"""What the root of a container with an interface of Attach() must not be able to do. It may do anything in its own namespace: send raw
frames, change its interface, put others on it, filter, segment. Judged at the neighbour's end of the wire, with an honest frame beside."""

import contextlib
import errno
import json
import os
import socket

import attacker
import bus
import frames
import lab
import station
import tap
import test_send
from attacker import VICTIM, completing_wire
from container import Container, attach

PROGRAM = f"{lab.build_dir}/tests/attack/checksum-trick"
COOKIE = b"played the trick"
TCP4, UDP, TCP6, UDP_L4, ECN = 1, 3, 4, 5, 0x80  # linux/virtio_net.h
MTU = 1500


@contextlib.contextmanager
def contained(*addresses, **keys):
    """(the container, its lease, the far end of the wire), the interface up, on a network file of its own."""
    with lab.network("attack", **{"Mode": "bridge", **keys}), bus.connect("member") as connection, Container() as box:
        lease = attach(connection, "attack", box)
        box.mac = lease.info["mac"]
        box.up(*addresses)
        lab.run_far(["ip", "neigh", "flush", "all"])
        with frames.WirePort() as wire:
            honest(box, wire, "FIRST")
            yield box, lease, wire
            lab.wait_for(lambda: lease.path in connection.leases(), 5, "the lease, which lives")


class Raw(frames.Port):
    """A raw socket in the container, as its root has it."""

    def __init__(self, box, interface="eth0", vnet_hdr=False):
        with lab.in_namespace(box.namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.socket.bind((interface, frames.TEST))
        if vnet_hdr:
            attacker.setsockopt(self.socket.fileno(), attacker.SOL_PACKET, attacker.VNET_HDR, 1)
        super().__init__(self.socket.fileno(), vnet_hdr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def honest(box, wire, text):
    """What the wire has seen until an honest frame that was sent now."""
    with Raw(box) as port:
        # The first frames of a new link may be lost until the kernel has activated its queue.
        for _ in range(100):
            port.send(frames.marker(box.mac, f"HONEST {text}"))
            with contextlib.suppress(AssertionError):
                return wire.before(f"HONEST {text}".encode(), 0.2)
    raise AssertionError("no honest frame got out")


def evil_ones(seen, mac):
    return [frame for frame in seen if test_send.EVIL in frame and not test_send.is_honest(frame, mac)]


@tap.limit(300)
def test_raw_frames():
    """Other sources, tags, control frames; with and without the header, past the qdisc, and by a ring."""
    with contained() as (box, _, wire):
        wanted = test_send.all_evil(box.mac)
        for vnet_hdr in (False, True):
            with Raw(box, vnet_hdr=vnet_hdr) as port:
                for bypass in (0, 1):
                    attacker.setsockopt(port.fd, attacker.SOL_PACKET, attacker.QDISC_BYPASS, bypass)
                    for frame in wanted.values():
                        attacker.attempt(port.send, frame)
        with Raw(box) as port:
            attacker.send_by_ring(port.fd, list(wanted.values()))
        out = evil_ones(honest(box, wire, "LAST"), box.mac)
        assert not out, f"{len(out)} frames got to the wire: {out[0][:40].hex()}"


def test_other_address():
    """The interface gets another address, and so do those that are put on it."""
    with contained("10.77.0.77/24") as (box, _, wire):
        assert box.ping("10.77.0.1")
        box.run("ip", "link", "set", "eth0", "address", VICTIM)
        assert not box.ping("10.77.0.1", tries=1), "another address is answered"
        with Raw(box) as port:
            for frame in test_send.spoofed(box.mac).values():
                port.send(frame)
        box.run("ip", "link", "set", "eth0", "address", box.mac)
        for kind in ("macvlan", "ipvlan", "bridge", "vlan"):
            words = {"vlan": ["id", "100"], "macvlan": ["mode", "bridge"]}.get(kind, [])
            on = [] if kind == "bridge" else ["link", "eth0"]
            box.run("ip", "link", "add", *on, "name", "top0", "type", kind, *words, check=False)
            if "top0" not in box.links():
                tap.diag(f"no {kind} in this kernel")
                continue
            if kind == "bridge":
                box.run("ip", "link", "set", "eth0", "master", "top0")
                box.run("ip", "link", "set", "top0", "address", VICTIM)
            box.run("ip", "link", "set", "top0", "up")
            with Raw(box, "top0") as port:
                for frame in test_send.all_evil(box.mac).values():
                    attacker.attempt(port.send, frame)
            box.run("ip", "link", "delete", "top0")
        seen = honest(box, wire, "LAST")
        out = evil_ones(seen, box.mac) + [frame for frame in seen if frame[6:12] == frames.mac_bytes(VICTIM)]
        assert not out, f"{len(out)} frames got to the wire: {out[0][:40].hex()}"


def test_long_frames():
    """Its end may have any MTU: ours has the lease's."""
    with contained() as (box, _, wire), completing_wire():
        box.run("ip", "link", "set", "eth0", "mtu", "9000")
        with Raw(box, vnet_hdr=True) as port:
            for size in (1515, 1519, 2000, 9000):
                attacker.attempt(port.send, frames.ether(frames.BROADCAST, box.mac, frames.TEST, test_send.EVIL * size)[:size])
            attacker.attempt(port.send, frames.ether(frames.BROADCAST, box.mac, frames.TEST, b"FITS" * 600)[:1514])
        seen = honest(box, wire, "LAST")
        assert max(map(len, seen)) == 1514 and any(b"FITS" in frame for frame in seen), sorted(map(len, seen))[-5:]


def test_segments():
    """Segmentation of every type and size, over frames of every kind: what comes out of it is judged, too."""
    with contained() as (box, _, wire), completing_wire():
        wanted = test_send.all_evil(box.mac)
        datagram = frames.ipv4("10.77.0.77", "10.77.0.1", 6, bytes(20) + test_send.EVIL * 4000)[:60000]
        wanted["long"] = frames.ether(VICTIM, box.mac, frames.IPV4, datagram)
        wanted["long, spoofed"] = frames.ether(VICTIM, VICTIM, frames.IPV4, datagram)
        wanted["long, tagged"] = frames.tagged(wanted["long"], 100)
        with Raw(box, vnet_hdr=True) as port:
            for features in ([], ["tso", "off", "gso", "off"], ["tx", "off", "sg", "off"]):
                if features:
                    box.run("ethtool", "-K", "eth0", *features)
                for frame in wanted.values():
                    for kind in (TCP4, TCP4 | ECN, UDP, TCP6, UDP_L4):
                        for size in (1, 536, 1460, 9000, 65535):
                            header = frames.vnet_header(frames.NEEDS_CSUM, kind, 54, size, 34, 16)
                            attacker.attempt(port.send, frame, header)
        out = [frame for frame in honest(box, wire, "LAST") if not test_send.is_honest(frame, box.mac) and frame[6:12] in (frames.mac_bytes(VICTIM), frames.mac_bytes(box.mac))]
        assert not out, f"{len(out)} frames got to the wire: {out[0][:40].hex()}"


def play(box, wire):
    done = box.run(PROGRAM, "--cookie", COOKIE.decode(), "--interface", "eth0", "--mac", box.mac)
    lines = done.splitlines()
    assert lines and all(line.startswith(("sent", "refused")) for line in lines), lines
    out = [frame for frame in honest(box, wire, "LAST") if COOKIE in frame and (frame[6:12] != frames.mac_bytes(box.mac) or frame[12:14] != b"\x88\xb5")]
    assert not out, f"{len(out)} frames were rewritten: {out[0][:40].hex()}"
    return lines


def test_checksum_trick():
    with completing_wire(), contained() as (box, _, wire):
        lines = play(box, wire)
        box.run("ethtool", "-K", "eth0", "tx", "off")
        play(box, wire)
        box.run("ethtool", "-K", "eth0", "tx", "on")
        play(box, wire)
    tap.diag(f"{sum(line.startswith('sent') for line in lines)} sent, {sum(line.startswith('refused') for line in lines)} refused")


def test_behind_the_completing_veth():
    """On kernels with the trick the container has the completing veth, too; everything works, and nothing gets out."""
    lab.helper_arguments("--assume-checksum-trick")
    try:
        with completing_wire(), contained("10.77.0.77/24") as (box, _, wire):
            play(box, wire)
            assert box.ping("10.77.0.1")
            with Raw(box) as port:
                for frame in test_send.all_evil(box.mac).values():
                    attacker.attempt(port.send, frame)
            out = evil_ones(honest(box, wire, "LAST 2"), box.mac)
            assert not out, f"{len(out)} frames got to the wire: {out[0][:40].hex()}"
            with lab.in_namespace(box.namespace):
                inside = socket.socket()
            with lab.in_namespace(lab.FAR):
                outside = socket.socket()
            station.transfer(outside, inside, "10.77.0.1", port=7710)
    finally:
        lab.helper_arguments()


def test_traffic_control():
    """Its own end's hooks are its own: what they make of a frame is judged as well."""
    actions = (["vlan", "push", "id", "100"], ["pedit", "ex", "munge", "eth", "src", "set", VICTIM], ["skbmod", "set", "smac", VICTIM], ["csum", "icmp"])
    with contained("10.77.0.77/24") as (box, _, wire):
        box.run("tc", "qdisc", "add", "dev", "eth0", "clsact", check=False)
        for action in actions:
            box.run("tc", "filter", "replace", "dev", "eth0", "egress", "prio", "1", "matchall", "action", *action, check=False)
            shown = box.run("tc", "filter", "show", "dev", "eth0", "egress", check=False)
            tap.diag(f"{action[0]}: {'there' if action[0] in shown else 'not in this kernel'}")
            with Raw(box) as port:
                for _ in range(5):
                    port.send(test_send.evil(frames.BROADCAST, box.mac, action[0]))
            box.ping("10.77.0.1", tries=1)
            box.run("tc", "filter", "delete", "dev", "eth0", "egress", check=False)
        seen = honest(box, wire, "LAST")
        out = evil_ones(seen, box.mac) + [frame for frame in seen if frame[6:12] == frames.mac_bytes(VICTIM)]
        assert not out, f"{len(out)} frames got to the wire: {out[0][:40].hex()}"


def test_servers():
    """GuestServers=none: no answer of a DHCP server, no router advertisement."""
    with contained() as (box, _, wire), Raw(box) as port:
        offer = frames.udp("10.77.0.77", "255.255.255.255", 67, 68, b"\2\1\6\0" + test_send.EVIL + bytes(300))
        port.send(frames.ether(frames.BROADCAST, box.mac, frames.IPV4, offer))
        advertisement = frames.icmp6("fe80::77", "ff02::1", bytes([134, 0, 0, 0, 64, 0, 7, 8]) + bytes(8) + test_send.EVIL + bytes(4))
        port.send(frames.ether("33:33:00:00:00:01", box.mac, frames.IPV6, frames.ipv6("fe80::77", "ff02::1", 58, advertisement)))
        out = [frame for frame in honest(box, wire, "LAST") if test_send.EVIL in frame]
        assert not out, f"{len(out)} frames got to the wire: {out[0][:60].hex()}"


INTO = """
import json, socket, struct, sys
nsid, index = int(sys.argv[1]), int(sys.argv[2])
def ask(kind, flags, ifindex, attributes, up=0):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        body = struct.pack("=BxHiII", 0, 0, ifindex, up, up) + attributes
        sock.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        data = sock.recv(65536)
        return struct.unpack_from("=i", data, 16)[0] if struct.unpack_from("=H", data, 4)[0] in (2, 3) else 1  # NLMSG_ERROR, NLMSG_DONE
target = struct.pack("=HHi", 8, 46, nsid)  # IFLA_TARGET_NETNSID
result = {"get": ask(18, 1, index, target), "delete": ask(17, 5, index, target), "change": ask(16, 5, index, target, 1),
          "dump": ask(18, 0x301, 0, target)}
link = struct.pack("=HH", 12, 0x8000 | 18) + struct.pack("=HH", 8, 1) + b"ifb" + bytes(1)
result["create"] = ask(16, 0x605, 0, target + link)
print(json.dumps(result))
"""


def test_way_into_the_leases_namespace():
    """The container sees a number for it, as of every peer's; it gets nothing by that number."""
    with contained() as (box, lease, _):
        link = box.links()["eth0"]
        nsid = link["link_netnsid"]
        result = json.loads(box.run("/usr/bin/python3", "-c", INTO, str(nsid), str(lease.id)))
        assert all(number < 0 for number in result.values()), result
        tap.diag(f"answers: { {what: errno.errorcode.get(-number, number) for what, number in result.items()} }")
        for words in (["ip", "link", "set", "eth0", "netns", "1"], ["ip", "link", "set", "eth0", "netns", str(os.getpid())],
                      ["ip", "link", "add", "x0", "link-netnsid", str(nsid), "link", "uplink", "type", "macvlan"]):  # fmt: skip
            box.run(*words, check=False)
        assert set(box.links()) == {"lo", "eth0"}, box.links()


def test_lives_on_whatever_it_does():
    """Up and down, renamed, other offloads and queues, a hundred times: the lease stays, the helper sleeps, and its end is the end."""
    with contained("10.77.0.77/24") as (box, lease, _):
        steps = ("set eth0 down", "set eth0 name lan0", "set lan0 alias x txqueuelen $i", "set lan0 name eth0",
                 "set eth0 up promisc on allmulticast on", "set eth0 promisc off")  # fmt: skip
        lines = "; ".join(f'echo "link {step}"' for step in steps)
        box.run("sh", "-ec", f"for i in $(seq 100); do {lines}; done | ip -batch -")
        assert lease.id in lab.lease_ids() and box.ping("10.77.0.1")
    lab.wait_no_leases()


def test_host_is_out_of_reach():
    """No address of the host answers, and the host has none more."""
    before = lab.ip("addr")
    with contained("10.77.0.77/24") as (box, _, _):
        assert box.ping("10.77.0.1")
        for link in lab.ip("addr"):
            for address in link.get("addr_info", []):
                if address["family"] == "inet" and link["ifname"] != "lo":
                    assert not box.ping(address["local"], tries=1), address
        names = {link["ifname"] for link in lab.ip("addr")}
        assert names == {link["ifname"] for link in before}, names


if __name__ == "__main__":
    tap.main()
