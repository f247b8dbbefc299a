# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lease's holder must not be able to read: other guests' unicast, tagged frames of other VLANs, other interfaces of its
namespace; by re-binding, memberships, filters, rings and fanout. The honest frames of the same moment do arrive."""

import contextlib
import errno
import fcntl
import os
import socket
import struct

import attacker
import bus
import frames
import lab
import tap
from attacker import SOL_PACKET, as_user, attempt, lease_of

FAR_MAC = "02:00:00:00:fa:00"  # what the neighbour's test frames say they come from
SECRET = b"SECRET"


def secret(destination, text, source=FAR_MAC):
    return frames.ether(destination, source, frames.TEST, SECRET + b" " + text.encode())


def traffic(victim):
    """What the neighbour sends: none of it is for the attacker."""
    whole = [secret(victim.mac, "unicast"), secret(attacker.VICTIM, "unicast to nobody here")]
    for kind in attacker.TAGS:
        for destination in (frames.BROADCAST, victim.mac, "33:33:00:00:00:01"):
            for tci in (0, 100, 0x2FFF):
                if destination == victim.mac or not attacker.is_priority(kind, tci):
                    whole.append(frames.tagged(secret(destination, "tagged"), (kind, tci)))
            whole += [frames.tagged(secret(destination, "double"), (kind, 100), (other, 200)) for other in attacker.TAGS]
    return whole


def tagged_to(mac):
    """Tagged frames with the lease's own address: for it, but for one of its address on another VLAN."""
    return [frames.tagged(secret(mac, "tagged to me"), (kind, tci)) for kind in attacker.TAGS for tci in (0, 100, 0x2FFF)
            if not attacker.is_priority(kind, tci)]  # fmt: skip


@contextlib.contextmanager
def pair(shape, **keys):
    """The attacker's lease and a victim's on the same network, and the neighbour's end."""
    with lease_of(shape, **keys) as lease, bus.connect("member2") as second, second.open_tap("attack", name="victim") as victim, \
            frames.WirePort() as wire:  # fmt: skip
        victim.mac = victim.info["mac"]
        victim.port = frames.Port(victim.fd, vnet_hdr=True)
        yield lease, victim, wire


def overheard(lease, victim, wire, extra=()):
    """Sends all of it; what the attacker's descriptor gave before the end. The victim did get its own."""
    end = frames.marker(FAR_MAC, f"MARK {os.urandom(4).hex()}")
    for frame in [*traffic(victim), *tagged_to(lease.mac), *extra]:
        wire.send(frame)
    victim.port.send(secret(attacker.VICTIM, "the victim's own", victim.mac))
    wire.send(end)
    victim.port.wait(secret(victim.mac, "unicast")[:30])
    victim.port.wait(end[14:40])
    if lease.packet:
        attacker.bind(lease.fd, port_index(lease))
        wire.send(end)
    return as_user("nobody", lambda: [frame for frame in lease.port.before(end[14:40], 20) if SECRET in frame])


def port_index(lease):
    return next(index for index, name in attacker.interfaces(lease.fd).items() if name == lease.info["interface"])


def check(what, seen):
    assert not seen, f"{what}: {len(seen)} frames overheard: {[frame[:48].hex() for frame in seen[:4]]}"


# -- the tests


def test_no_attack():
    """What is not for a lease does not come to it, on every kind; a broadcast does."""
    for shape in attacker.SHAPES:
        with pair(shape) as (lease, victim, wire):
            check(shape, overheard(lease, victim, wire))


def test_with_completing_veth():
    lab.helper_arguments("--assume-checksum-trick")
    try:
        for shape in ("tap", "packet", "packet-vnet"):
            with pair(shape) as (lease, victim, wire):
                check(shape, overheard(lease, victim, wire))
    finally:
        lab.helper_arguments()


def rebind_everywhere(lease):
    """As the attacker: bound to each interface in turn, with several protocols. {index: errno}."""
    return {index: attempt(attacker.bind, lease.fd, index) for index in attacker.indexes()}


def test_rebind():
    """Bound to every interface of the namespace (0 is all of them), nothing of others is heard there."""
    for shape in attacker.PACKETS:
        for user in attacker.USERS:
            with pair(shape) as (lease, victim, wire):
                inside = attacker.interfaces(lease.fd)
                assert "lo" in inside.values() and lease.info["interface"] in inside.values(), inside
                assert "wire0" not in inside.values(), inside
                taken = as_user(user, rebind_everywhere, lease)
                assert {index for index, number in taken.items() if not number} <= {0, *inside}, attacker.names(taken)
                for index in (0, *inside):
                    if not taken[index]:
                        attacker.bind(lease.fd, index)
                        check(f"{shape}, {user}, bound to {index}", overheard(lease, victim, wire))


def test_nothing_on_the_uplink():
    """A packet lease bound to its uplink, or to the guard's side of its port, hears not even honest frames there."""
    for shape in ("packet", "packet-vnet"):
        with pair(shape) as (lease, _, wire), frames.WirePort(lease.info["interface"], where=lease.fd) as at_port:
            for index, name in attacker.interfaces(lease.fd).items():
                if name in ("lo", lease.info["interface"]):
                    continue
                as_user("nobody", attacker.bind, lease.fd, index)
                honest = secret(frames.BROADCAST, f"honest {name}")
                end = frames.marker(FAR_MAC, f"MARK {name}")
                lease.port.drain()
                wire.send(honest)
                # Root's own socket on the port says when the frame has come all the way; it must not find the attacker's there.
                at_port.wait(honest[14:40])
                as_user("nobody", attacker.bind, lease.fd, port_index(lease))
                wire.send(end)
                check(f"{shape} on {name}", [frame for frame in lease.port.before(end[14:40]) if honest[14:40] in frame])


def join_everything(lease):
    results = {}
    for index in attacker.interfaces(lease.fd):
        for kind in (attacker.MR_PROMISC, attacker.MR_ALLMULTI):
            results[index, kind] = attempt(attacker.membership, lease.fd, index, kind)
        results[index, "group"] = attempt(attacker.membership, lease.fd, index, attacker.MR_MULTICAST, b"\1\x80\xc2\0\0\0")
    return results


def test_promiscuous():
    """PROMISC and ALLMULTI on the port, on the uplink and on everything else show nothing of others."""
    for shape in attacker.PACKETS:
        with pair(shape) as (lease, victim, wire):
            results = as_user("nobody", join_everything, lease)
            assert 0 in results.values(), f"no membership was possible: {results}"
            for index in (0, *attacker.interfaces(lease.fd)):
                attacker.bind(lease.fd, index)
                check(f"{shape}, promiscuous, bound to {index}", overheard(lease, victim, wire))


def all_program():
    """struct sock_fprog of a filter that accepts everything; the second value keeps its code alive."""
    code = attacker.ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0xFFFFFFFF))
    return struct.pack("H6xP", 1, attacker.ctypes.addressof(code)), code


def loosen_filter(lease):
    program, keep = all_program()
    results = {"attach": attempt(attacker.setsockopt, lease.fd, socket.SOL_SOCKET, attacker.SO_ATTACH_FILTER, program),
               "detach": attempt(attacker.setsockopt, lease.fd, socket.SOL_SOCKET, attacker.SO_DETACH_FILTER, 0),
               "unlock": attempt(attacker.setsockopt, lease.fd, socket.SOL_SOCKET, attacker.SO_LOCK_FILTER, 0),
               "bpf": attempt(attacker.setsockopt, lease.fd, socket.SOL_SOCKET, attacker.SO_ATTACH_BPF, 0)}  # fmt: skip
    del keep
    return results


def test_locked_filter():
    """The filter cannot be replaced, taken off or unlocked."""
    for shape in attacker.PACKETS:
        with pair(shape) as (lease, victim, wire):
            results = as_user("nobody", loosen_filter, lease)
            assert set(results.values()) == {errno.EPERM}, attacker.names(results)
            for index in (0, *attacker.interfaces(lease.fd)):
                attacker.bind(lease.fd, index)
                check(f"{shape}, bound to {index}", overheard(lease, victim, wire))


def join_fanout(lease):
    """A group with a program of the attacker's own."""
    program, keep = all_program()
    results = {}
    for kind in (0, 1, 2, 3, 4, 5):
        results[kind] = attempt(attacker.setsockopt, lease.fd, SOL_PACKET, attacker.FANOUT, kind << 16 | 0x1234)
    results["cbpf"] = attempt(attacker.setsockopt, lease.fd, SOL_PACKET, attacker.FANOUT, attacker.FANOUT_CBPF << 16 | 0x4321)
    results["data"] = attempt(attacker.setsockopt, lease.fd, SOL_PACKET, 22, program)  # PACKET_FANOUT_DATA
    del keep
    return results


def test_fanout():
    """Fanout, with or without a CBPF program, brings nothing: neither on the port nor bound elsewhere before."""
    for shape in attacker.PACKETS:
        places = None
        while places is None or places:
            with pair(shape) as (lease, victim, wire):
                inside = sorted(attacker.interfaces(lease.fd))
                if places is None:
                    places = [*range(len(inside)), None]  # None: everywhere
                place = places.pop()
                index = 0 if place is None else inside[place]
                attacker.bind(lease.fd, index)
                results = as_user("nobody", join_fanout, lease)
                # Older kernels let no socket of an interface that is down (lo) into a group.
                running = index and attacker.interface_name(lease.fd, index) != "lo"
                assert 0 in results.values() or not running, f"{shape} on {index}: {attacker.names(results)}"
                # A member of a group cannot be bound elsewhere: its end is heard on its port only.
                if index == port_index(lease):
                    frames_seen = overheard_in_place(lease, victim, wire)
                else:
                    frames_seen = heard_without_end(lease, victim, wire)
                check(f"{shape}, fanout on {index}", frames_seen)


def overheard_in_place(lease, victim, wire):
    end = frames.marker(FAR_MAC, f"MARK {os.urandom(4).hex()}")
    for frame in [*traffic(victim), *tagged_to(lease.mac)]:
        wire.send(frame)
    wire.send(end)
    return [frame for frame in lease.port.before(end[14:40]) if SECRET in frame]


def heard_without_end(lease, victim, wire):
    """The attacker's socket is where no marker reaches it: when the victim has the marker, what is going to come has come."""
    end = frames.marker(FAR_MAC, f"MARK {os.urandom(4).hex()}")
    for frame in [*traffic(victim), *tagged_to(lease.mac)]:
        wire.send(frame)
    wire.send(end)
    victim.port.wait(end[14:40])
    seen = []
    while (frame := lease.port.receive(0)) is not None:
        seen.append(frame)
    return [frame for frame in seen if SECRET in frame]


def receive_ring(lease):
    """PACKET_RX_RING bound to everything: how many frames the kernel put there (PACKET_STATISTICS)."""
    attacker.setsockopt(lease.fd, SOL_PACKET, attacker.RX_RING, struct.pack("=IIII", 65536, 16, 2048, 512))


def test_receive_ring():
    """The mapped ring gets what read() gets: the filter stands before both."""
    for shape in attacker.PACKETS:
        with pair(shape) as (lease, victim, wire):
            as_user("nobody", receive_ring, lease)
            attacker.bind(lease.fd, 0)
            with attacker.mmap.mmap(lease.fd, 65536 * 16) as ring:
                end = frames.marker(FAR_MAC, f"MARK {os.urandom(4).hex()}")
                for frame in [*traffic(victim), *tagged_to(lease.mac)]:
                    wire.send(frame)
                wire.send(end)
                victim.port.wait(end[14:40])
                lab.wait_for(lambda: ring.find(end[14:40]) >= 0, 5, "the marker in the ring")
                assert ring.find(SECRET) < 0, f"{shape}: overheard: {ring[ring.find(SECRET) - 30:][:60].hex()}"


def test_tap_cannot_widen():
    """The tap's own switches bring nothing of others: its MAC, its filter, its flags."""
    with pair("tap") as (lease, victim, wire):

        def widen():
            mac = struct.pack("16sH6s8x", lease.info["interface"].encode(), 1, frames.mac_bytes(victim.mac))
            promiscuous = struct.pack("16sH14x", lease.info["interface"].encode(), 0x1143)
            return {"mac": attempt(fcntl.ioctl, lease.fd, 0x8924, mac),  # SIOCSIFHWADDR
                    "flags": attempt(fcntl.ioctl, lease.fd, 0x8914, promiscuous),  # SIOCSIFFLAGS
                    "filter": attempt(fcntl.ioctl, lease.fd, 0x400454D1, struct.pack("HH", 1, 0) + bytes(64))}  # TUNSETTXFILTER

        tap.diag(attacker.names(as_user("nobody", widen)))
        check("tap", overheard(lease, victim, wire))


def test_modes_keep_guests_apart():
    """Private guests do not meet; a bridge's guests get broadcasts and their own unicast of each other, and no more."""
    for mode, meets in (("bridge", True), ("private", False)):
        with pair("tap", Mode=mode) as (lease, victim, wire):
            with lease_of("tap", network="attack2", user="member", Mode=mode) as third:
                sent = {"broadcast": secret(frames.BROADCAST, "from the victim", victim.mac),
                        "to me": secret(lease.mac, "from the victim", victim.mac),
                        "to another": secret(third.mac, "from the victim", victim.mac)}  # fmt: skip
                for frame in sent.values():
                    victim.port.send(frame)
                end = frames.marker(FAR_MAC, f"MARK {mode}")
                wire.send(end)
                seen = lease.port.before(end[14:40])
                got = {name for name, frame in sent.items() if frame in seen}
                assert got == ({"broadcast", "to me"} if meets else set()), f"{mode}: {got}"


def test_cannot_take_anothers_unicast():
    """Whatever source the attacker sends with, frames for the victim stay the victim's, from the wire and from a third guest."""
    with pair("tap", AntiSpoof="no") as (lease, victim, wire), lease_of("tap", network="attack2") as third:

        def lie():
            for destination in (frames.BROADCAST, FAR_MAC, third.mac, victim.mac):
                for _ in range(3):
                    lease.port.send(frames.ether(destination, victim.mac, frames.TEST, b"I am the victim"))

        as_user("nobody", lie)
        wire.wait(b"I am the victim")
        third.port.send(secret(victim.mac, "from the third", third.mac))
        victim.port.wait(b"from the third")
        check("after lies", [frame for frame in overheard(lease, victim, wire) if b"I am" not in frame])


def test_cannot_open_with_anothers_mac():
    """A MAC that somebody has is refused; learning it from a frame is, too, and brings nothing."""
    # The victim's is derived from its name, so the group's rule does not give it to others, in use or not.
    wanted = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
    with pair("tap") as (_, victim, wire), bus.connect("member") as member:
        bus.expect_error(wanted, member.open_tap, "attack", mac=victim.mac)
        bus.expect_error(wanted, member.open_packet, "attack", mac=victim.mac)
        with member.open_tap("attack", mac="learn") as learner:
            port = frames.Port(learner.fd, vnet_hdr=True)
            end = frames.marker(FAR_MAC, "MARK theft")
            as_user("nobody", port.send, frames.marker(victim.mac, "I am the victim"))
            wire.send(secret(victim.mac, "unicast"))
            wire.send(end)
            victim.port.wait(secret(victim.mac, "unicast")[:30])
            victim.port.wait(end[14:40])
            # Then with an address of its own, from where on it hears; the theft brought nothing before that.
            own = "52:54:00:1e:a2:02"

            def hears():
                port.send(frames.marker(own, "me"))
                wire.send(frames.marker(FAR_MAC, "MARK later"))
                return port.receive(0.05)

            first = lab.wait_for(hears, 10, "the learned MAC")
            assert SECRET not in first and b"theft" not in first, first.hex()
            lab.wait_for(lambda: member.leases()[learner.path]["MAC"] == own, 5, "the learned MAC")


def test_other_vlans():
    """On VLAN 100 nothing of VLAN 200, of a double tag or of the untagged wire arrives."""
    lab.need_vlan()
    for shape in attacker.SHAPES:
        for mode in ("bridge", "exclusive"):
            with lease_of(shape, VLAN="100", Mode=mode) as lease, frames.WirePort() as wire:
                if lease.packet:
                    as_user("nobody", join_everything, lease)
                for destination in (frames.BROADCAST, lease.mac):
                    wire.send(secret(destination, "untagged"))
                    for tags in ((200,), (0,), (101,), ((0x88A8, 100),), ((0x9100, 100),), (200, 100), ((0x88A8, 100), 100)):
                        wire.send(frames.tagged(secret(destination, "other VLAN"), *tags))
                    for inner in attacker.TAGS:
                        wire.send(frames.tagged(secret(destination, "double"), 100, (inner, 5)))
                end = frames.tagged(frames.marker(FAR_MAC, f"MARK {shape}"), 100)
                wire.send(end)
                check(f"{shape} {mode}", [frame for frame in lease.port.before(end[18:40]) if SECRET in frame])
                assert frames.mac_bytes(FAR_MAC) == lease.port.last[6:12] and lease.port.last[12:14] == b"\x88\xb5"


if __name__ == "__main__":
    tap.main()
