# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames of every shape of lease in both directions, compared byte by byte on the far side."""

import contextlib

import bus
import frames
import lab
import shapes
import tap

SECONDS = 20
SOURCE, SOURCE6 = "10.77.0.77", "fe80::77"
# {name: (group, EtherType, what makes a packet of a payload)}
MULTICAST = {
    "IPv6 solicited-node": ("33:33:ff:12:34:56", frames.IPV6, lambda data: frames.udp(SOURCE6, "ff02::1:ff12:3456", 7, 7, data)),
    "all nodes": ("33:33:00:00:00:01", frames.IPV6, lambda data: frames.udp(SOURCE6, "ff02::1", 7, 7, data)),
    "mDNS": ("01:00:5e:00:00:fb", frames.IPV4, lambda data: frames.udp(SOURCE, "224.0.0.251", 5353, 5353, data)),
    "mDNS, IPv6": ("33:33:00:00:00:fb", frames.IPV6, lambda data: frames.udp(SOURCE6, "ff02::fb", 5353, 5353, data)),
    "VRRP": ("01:00:5e:00:00:12", frames.IPV4, lambda data: frames.ipv4(SOURCE, "224.0.0.18", 112, data)),
    "an arbitrary group": ("03:11:22:33:44:55", frames.TEST, lambda data: data),
}


def each_shape(function):
    """function(shape, lease, port, wire) for each shape, all failures in one."""
    failures = []
    with shapes.all_shapes() as (connection, found):
        for shape in found:
            lease = None
            try:
                lease, port = shape.open(connection)
                with frames.WirePort(shape.wire) as wire:
                    function(shape, lease, port, wire)
            except (AssertionError, OSError, bus.BusError) as error:
                failures.append(f"{shape}: {type(error).__name__}: {error}")
            finally:
                if lease:
                    lease.close_fds()
            if shape.mode == "exclusive":
                lab.wait_no_leases()
        tap.diag(f"{len(found)} shapes")
    assert found and not failures, "\n" + "\n".join(failures)


def same(sent, seen):
    assert seen == sent, f"sent {len(sent)} {sent[:60].hex()}, seen {len(seen)} {seen[:60].hex()}"


def out(port, wire, frame):
    """One frame from the guest to the wire."""
    port.send(frame)
    same(frame, wire.wait(frame[12:40], SECONDS))


def into(wire, port, frame):
    wire.send(frame)
    same(frame, port.wait(frame[12:40], SECONDS))


def payload(text, size):
    return (text.encode() + bytes(range(256)) * (size // 256 + 1))[:size]


@tap.limit(600)
def test_unicast_and_broadcast():
    def check(_shape, lease, port, wire):
        mac = lease.info["mac"]
        for destination in (shapes.FAR_MAC, frames.BROADCAST):
            out(port, wire, frames.ether(destination, mac, frames.TEST, payload(f"out {destination}", 200)))
        for destination in (mac, frames.BROADCAST):
            into(wire, port, frames.ether(destination, shapes.FAR_MAC, frames.TEST, payload(f"in {destination}", 200)))

    each_shape(check)


@tap.limit(600)
def test_multicast():
    def check(_shape, lease, port, wire):
        for name, (group, kind, packet) in MULTICAST.items():
            out(port, wire, frames.ether(group, lease.info["mac"], kind, packet(payload(f"out {name}", 100))))
            into(wire, port, frames.ether(group, shapes.FAR_MAC, kind, packet(payload(f"in {name}", 100))))

    each_shape(check)


@tap.limit(600)
def test_sizes():
    def check(_shape, lease, port, wire):
        mac = lease.info["mac"]
        for size in (46, 47, 511, 1499, 1500):
            out(port, wire, frames.ether(shapes.FAR_MAC, mac, frames.TEST, payload(f"out {size}", size)))
            into(wire, port, frames.ether(mac, shapes.FAR_MAC, frames.TEST, payload(f"in {size}", size)))
        # Shorter than a NIC would send: virtual links do not pad. Header alone is the minimum, and is a frame.
        short = frames.ether(shapes.FAR_MAC, mac, frames.TEST, b"shortest-frame", pad=False)
        port.send(short)
        seen = wire.wait(b"shortest-frame", SECONDS)
        assert seen[:len(short)] == short, seen
        # What does not fit the MTU is refused or dropped, and nothing of it comes out. As with a bridge, the room of a VLAN tag
        # (4 bytes) is not looked at closely (net/core/dev.c, is_skb_forwardable()).
        for size in (1505, 2000, 9000, 60000):
            with contextlib.suppress(OSError):
                port.send(frames.ether(shapes.FAR_MAC, mac, frames.TEST, payload("too long", size)))
        port.send(frames.marker(mac, "after too long"))
        seen = wire.before(b"after too long", SECONDS)
        assert not any(b"too long" in frame for frame in seen), [len(frame) for frame in seen]

    each_shape(check)


@tap.limit(600)
def test_unusual_ethertypes():
    kinds = (0x0600, 0x0842, 0x22F3, 0x6003, 0x80F3, 0x8137, 0x8847, 0x8863, 0x8864, 0x8906, 0x893A, 0x9000, 0xCAFE, 0xFFFF)

    def check(_shape, lease, port, wire):
        for kind in kinds:
            out(port, wire, frames.ether(shapes.FAR_MAC, lease.info["mac"], kind, payload(f"out {kind:x}", 60)))
            into(wire, port, frames.ether(lease.info["mac"], shapes.FAR_MAC, kind, payload(f"in {kind:x}", 60)))

    each_shape(check)


@tap.limit(600)
def test_802_3_length_frames():
    def check(_shape, lease, port, wire):
        for size in (46, 100, 1500):
            body = b"\xaa\xaa\x03" + payload(f"llc {size}", size - 3)
            out(port, wire, frames.ether(shapes.FAR_MAC, lease.info["mac"], size, body))
            into(wire, port, frames.ether(lease.info["mac"], shapes.FAR_MAC, size, body))

    each_shape(check)


@tap.limit(600)
def test_other_stations_unicast_does_not_come_in():
    def check(shape, lease, port, wire):
        wire.send(frames.ether("52:54:00:99:99:99", shapes.FAR_MAC, frames.TEST, payload("not yours", 100)))
        wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, b"marker".ljust(46)))
        seen = port.before(b"marker", SECONDS)
        # An exclusive lease's uplink is the VLAN interface itself: the NIC's filter decides, as for a host.
        assert shape.mode == "exclusive" or not any(b"not yours" in frame for frame in seen), seen

    each_shape(check)


@tap.limit(600)
def test_nothing_leaves_that_the_guard_forbids():
    def check(_shape, lease, port, wire):
        mac = lease.info["mac"]
        forbidden = {
            "spoofed": frames.ether(frames.BROADCAST, "52:54:00:00:be:ef", frames.TEST, b"forbidden spoofed"),
            "tag": frames.tagged(frames.ether(frames.BROADCAST, mac, frames.TEST, b"forbidden tagged"), 5),
            "double tag": frames.tagged(frames.ether(frames.BROADCAST, mac, frames.TEST, b"forbidden double"), (frames.QINQ, 5), 6),
            "old tag": frames.tagged(frames.ether(frames.BROADCAST, mac, frames.TEST, b"forbidden old"), (0x9100, 5)),
            "STP": frames.ether("01:80:c2:00:00:00", mac, 39, b"forbidden stp"),
            "LLDP": frames.ether("01:80:c2:00:00:0e", mac, 0x88CC, b"forbidden lldp"),
            "CDP": frames.ether("01:00:0c:cc:cc:cc", mac, 100, b"forbidden cdp"),
            "PAUSE": frames.ether("01:80:c2:00:00:01", mac, 0x8808, b"forbidden pause"),
        }
        for name, frame in forbidden.items():
            with contextlib.suppress(OSError):
                port.send(frame)
            port.send(frames.marker(mac, f"after {name}"))
            seen = wire.before(f"after {name}".encode(), SECONDS)
            assert not any(b"forbidden" in frame for frame in seen), name
        # and next to them, what is allowed
        for group in ("01:80:c2:00:00:10", "01:80:c2:00:00:21", "01:00:0c:cc:cc:ce"):
            out(port, wire, frames.ether(group, mac, frames.TEST, payload(f"out {group}", 60)))

    each_shape(check)


@tap.limit(600)
def test_no_tagged_frame_comes_in():
    """A tag that the shape's own VLAN interface has not taken off is another network's."""

    def check(shape, lease, port, wire):
        frame = frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, b"tagged frame")
        broadcast = frames.ether(frames.BROADCAST, shapes.FAR_MAC, frames.TEST, b"tagged frame")
        for tags in ([7], [(frames.QINQ, 7)], [0], [7, 8]):
            wire.send(frames.tagged(frame, *tags))
            wire.send(frames.tagged(broadcast, *tags))
        wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, b"marker".ljust(46)))
        seen = port.before(b"marker", SECONDS)
        # 802.1Q priority tags (VID 0) belong to the untagged network: the kernel takes them off (802.1Q-2018 6.9).
        wrong = [f for f in seen if b"tagged frame" in f and f[12:14] != frames.TEST.to_bytes(2, "big")]
        assert not wrong, (str(shape), [f[:24].hex() for f in wrong])

    each_shape(check)


def test_priority_tags_are_taken_off():
    """A tag with VID 0 says nothing of a VLAN: the frame passes without it, both ways. Behind a VLAN interface there is no untagged wire."""

    def check(shape, lease, port, wire):
        if shape.vlan:
            return
        for kind in (frames.VLAN, frames.QINQ):
            for way, send, listener, target, source in (("out", port.send, wire, shapes.FAR_MAC, lease.info["mac"]),
                                                        ("in", wire.send, port, lease.info["mac"], shapes.FAR_MAC)):  # fmt: skip
                text = f"priority {way} {kind:x}".encode().ljust(46)
                plain = frames.ether(target, source, frames.TEST, text)
                send(frames.tagged(plain, (kind, 0xA000)))
                seen = listener.wait(text, SECONDS)
                assert seen[:14] == plain[:14], (str(shape), way, seen[:24].hex())

    each_shape(check)


def test_the_first_frames_pass():
    """As soon as there is a descriptor, frames pass both ways: the kernel activates a veth's queue in a work of its own."""
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, options in (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True})):
            for number in range(20):
                with connection.open(kind, "lab", **options) as lease:
                    wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, payload(f"first in {number}", 60)))
                    port = shapes.port_of(lease)
                    out(port, wire, frames.ether(shapes.FAR_MAC, lease.info["mac"], frames.TEST, payload(f"first out {number}", 60)))
                    port.wait(f"first in {number}".encode(), SECONDS)
            lab.wait_no_leases(30)


def test_control_frames_pass_where_the_file_says_so():
    with lab.network("control", ControlFrames="pass"), bus.connect("member") as connection, frames.WirePort() as wire:
        for kind in ("tap", "packet"):
            with connection.open(kind, "control") as lease:
                port = shapes.port_of(lease)
                for group in ("01:80:c2:00:00:0e", "01:00:0c:cc:cc:cc"):
                    out(port, wire, frames.ether(group, lease.info["mac"], 0x88CC, payload(f"out {group} {kind}", 60)))


def test_antispoof_no_lets_other_sources_out():
    with lab.network("free", AntiSpoof="no"), bus.connect("member") as connection, frames.WirePort() as wire:
        for kind in ("tap", "packet"):
            with connection.open(kind, "free") as lease:
                port = shapes.port_of(lease)
                out(port, wire, frames.ether(frames.BROADCAST, "52:54:00:00:be:ef", frames.TEST, payload(f"other source {kind}", 60)))
                frame = frames.tagged(frames.ether(frames.BROADCAST, lease.info["mac"], frames.TEST, b"forbidden"), 5)
                with contextlib.suppress(OSError):
                    port.send(frame)
                port.send(frames.marker(lease.info["mac"], f"after {kind}"))
                assert not any(b"forbidden" in frame for frame in wire.before(f"after {kind}".encode(), SECONDS))


def test_the_leases_own_stack_is_silent():
    """Promise 8: nothing but the guest speaks on its port, and nothing but the guest answers."""
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for kind in ("tap", "packet"):
            with connection.open(kind, "lab") as lease:
                mac, port = lease.info["mac"], shapes.port_of(lease)
                probes = [frames.arp(1, shapes.FAR_MAC, "10.77.0.9", "10.77.0.77"),
                          frames.arp(1, shapes.FAR_MAC, "10.77.0.9", "127.0.0.1", destination=mac),
                          frames.neighbour_solicitation(shapes.FAR_MAC, "fe80::9", "fe80::5054:ff:fe00:1"),
                          frames.ether(mac, shapes.FAR_MAC, frames.IPV4, frames.icmp_echo("10.77.0.9", "127.0.0.1")),
                          frames.ether(frames.BROADCAST, shapes.FAR_MAC, frames.IPV4, frames.icmp_echo("10.77.0.9", "255.255.255.255")),
                          frames.ether("33:33:00:00:00:01", shapes.FAR_MAC, frames.IPV6, frames.icmp_echo("fe80::9", "ff02::1"))]  # fmt: skip
                for probe in probes:
                    wire.send(probe)
                    port.wait(probe[12:50], SECONDS)  # the guest hears it: the positive control
                port.send(frames.marker(mac, f"the guest {kind}"))
                spoken = [f for f in wire.before(f"the guest {kind}".encode(), SECONDS) if f[6:12] == frames.mac_bytes(mac)]
                assert not spoken, [f.hex() for f in spoken]


def test_neighbour_reaches_a_guest_by_its_own_stack():
    """A small guest in Python: the neighbour's kernel resolves it by ARP and by IPv6 neighbour discovery, and pings it."""
    import guest  # pylint: disable=import-outside-toplevel

    with bus.connect("member") as connection:
        for kind in ("tap", "packet"):
            with connection.open(kind, "lab") as lease, guest.Guest(shapes.port_of(lease), lease.info["mac"], "10.77.0.42", "fd77::42"):
                for command in (["ping", "-c1", "-W10", "10.77.0.42"], ["ping", "-6", "-c1", "-W10", "fd77::42"]):
                    done = lab.run_far(command)
                    assert done.returncode == 0, (kind, done)
            lab.run_far(["ip", "neigh", "flush", "all"])


if __name__ == "__main__":
    tap.main()
