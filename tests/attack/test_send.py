# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lease's holder must not be able to send (promises 1 and 2): another source, tags, control frames; by every way of sending,
on every interface of the namespace. Judged at the neighbour's end of the wire and at another lease, each time with honest frames beside."""

import contextlib
import errno
import os

import attacker
import bus
import frames
import lab
import tap
from attacker import VICTIM, as_user, attempt, lease_of

EVIL = b"EVIL"
CISCO = ("01:00:0c:cc:cc:cc", "01:00:0c:cc:cc:cd")
RESERVED = [f"01:80:c2:00:00:{last:02x}" for last in range(16)]


def evil(destination, source, name, kind=frames.TEST):
    return frames.ether(destination, source, kind, b"\0\0" + EVIL + b" " + name.encode())


def spoofed(mac):
    """{name: frame}: another source, also one that differs in a single octet only."""
    found = {"victim": evil(frames.BROADCAST, VICTIM, "victim"), "zero": evil(frames.BROADCAST, "00:00:00:00:00:00", "zero"),
             "broadcast": evil(frames.BROADCAST, frames.BROADCAST, "broadcast")}  # fmt: skip
    own = frames.mac_bytes(mac)
    for octet in range(6):
        other = bytearray(own)
        other[octet] ^= 1 if octet else 2
        found[f"octet {octet}"] = evil(frames.BROADCAST, frames.mac_text(bytes(other)), f"octet {octet}")
    return found


def tagged(mac):
    honest = evil(frames.BROADCAST, mac, "tagged")
    found = {}
    for kind in attacker.TAGS:
        for tci in (0, 1, 100, 4095, 0xE000 | 100):
            found[f"{kind:04x}/{tci:x}"] = frames.tagged(honest, (kind, tci))
        for inner in attacker.TAGS:
            found[f"{kind:04x}+{inner:04x}"] = frames.tagged(honest, (kind, 100), (inner, 200))
        # Cut off before the tag's two bytes, and right behind them.
        found[f"{kind:04x} cut at 14"] = frames.ether(frames.BROADCAST, mac, kind, pad=False)
        found[f"{kind:04x} cut at 16"] = frames.ether(frames.BROADCAST, mac, kind, b"\0\1", pad=False)
        found[f"{kind:04x} cut at 18"] = frames.ether(frames.BROADCAST, mac, kind, b"\0\1\x88\xb5", pad=False)
    return found


def control(mac):
    found = {f"to {to}": evil(to, mac, "control") for to in [*RESERVED, *CISCO]}
    found["pause"] = evil("01:80:c2:00:00:01", mac, "pause", attacker.PAUSE)
    found["pause to all"] = evil(frames.BROADCAST, mac, "pause", attacker.PAUSE)
    found["pause to one"] = evil(VICTIM, mac, "pause", attacker.PAUSE)
    return found


def all_evil(mac):
    return {**spoofed(mac), **tagged(mac), **control(mac)}


def is_honest(frame, mac):
    """From the lease's own address, with neither tag nor control type nor control address."""
    return (frame[6:12] == frames.mac_bytes(mac) and int.from_bytes(frame[12:14], "big") not in (*attacker.TAGS, attacker.PAUSE)
            and frames.mac_text(frame[:6]) not in (*RESERVED, *CISCO))  # fmt: skip


# -- ways of sending; each returns {(way, frame): errno}


def by_write(lease, wanted):
    return {("write", name): attempt(os.write, lease.fd, attacker.raw(lease, frame)) for name, frame in wanted.items()}


def by_index(lease, wanted, way="sendto"):
    """To every interface, whatever protocol is claimed for it."""
    results = {}
    for index in attacker.indexes():
        for name, frame in wanted.items():
            for protocol in (frames.TEST, int.from_bytes(frame[12:14], "big")):
                results[way, index, name] = attempt(attacker.sendto, lease.fd, attacker.raw(lease, frame), index, protocol)
                if results[way, index, name] == errno.ENXIO:
                    break
    return results


def by_bypass(lease, wanted):
    attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.QDISC_BYPASS, 1)
    results = {**by_write(lease, wanted), **by_index(lease, wanted, "bypass")}
    attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.QDISC_BYPASS, 0)
    return results


def by_ring(lease, wanted):
    results = {}
    for index in (0, *attacker.interfaces(lease.fd)):
        numbers = attacker.send_by_ring(lease.fd, [attacker.raw(lease, frame) for frame in wanted.values()], index)
        results |= {("ring", index, name): number for name, number in zip(wanted, numbers)}
    return results


def by_bind(lease, wanted):
    results = {}
    for index in attacker.interfaces(lease.fd):
        results["bind", index] = attempt(attacker.bind, lease.fd, index)
        results |= {("bound", index, name): number for (_, name), number in by_write(lease, wanted).items()}
    attacker.bind(lease.fd, port_index(lease))
    return results


def port_index(lease):
    return next(index for index, name in attacker.interfaces(lease.fd).items() if name == lease.info["interface"])


def ways(lease):
    return (by_write, by_index, by_bypass, by_ring, by_bind) if lease.packet else (by_write,)


# -- the tests


@contextlib.contextmanager
def watched(lease, what):
    """While the block attacks: nothing but honest frames of the lease gets to the neighbour or to a lease beside it."""
    with frames.WirePort() as wire, bus.connect("member2") as second, second.open_tap("lab", name="beside") as beside:
        port = frames.Port(beside.fd, vnet_hdr=True)
        before, after = attacker.on_wire(lease, "before"), attacker.on_wire(lease, "after")
        lease.port.send(before)
        wire.wait(before[14:40])
        port.wait(before[14:40])
        yield
        lease.port.send(after)
        for where, listener in (("the wire", wire), ("another lease", port)):
            # Frames of the neighbour itself reach the other lease as well: they are not from here.
            seen = [frame for frame in listener.before(after[14:40], 20) if EVIL in frame or len(frame) < 20]
            out = [frame for frame in seen if not is_honest(frame, lease.mac)]
            assert not out, f"{what}: {len(out)} frames got to {where}: {[frame[:48].hex() for frame in out[:4]]}"


def attack(shape, user, wanted_of):
    with lease_of(shape) as lease:
        wanted = wanted_of(lease.mac)
        for way in ways(lease):
            with watched(lease, f"{shape}, {user}, {way.__name__}"):
                results = as_user(user, way, lease, wanted)
            taken = sum(number in (0, errno.ENOBUFS) for number in results.values())
            assert taken, f"{shape} {way.__name__}: the kernel took none of the frames: nothing was tried"


def test_spoofed_source():
    for shape in attacker.SHAPES:
        for user in attacker.USERS:
            attack(shape, user, spoofed)


def test_tagged():
    for shape in attacker.SHAPES:
        attack(shape, "nobody", tagged)


def test_control_frames():
    for shape in attacker.SHAPES:
        attack(shape, "nobody", control)


def by_tagging_ring(lease, wanted):
    """The tag is in the ring's header, where the kernel puts one that it has taken out of a frame."""
    return {(version, tag): number for version in (1, 2) for kind in attacker.TAGS for tag in ((kind, 100), (kind, 0))
            for number in attacker.send_by_ring(lease.fd, [attacker.raw(lease, frame) for frame in wanted.values()], 0, version, tag)}  # fmt: skip


def test_tags_in_a_ring():
    for shape in attacker.PACKETS:
        with lease_of(shape) as lease, watched(lease, f"{shape}, tags in a ring"):
            results = as_user("nobody", by_tagging_ring, lease, {"honest": evil(frames.BROADCAST, lease.mac, "in a ring")})
            assert 0 in results.values(), results


def test_with_completing_veth():
    """The same where frames pass a veth before the guard: the form for kernels with the checksum trick."""
    lab.helper_arguments("--assume-checksum-trick")
    try:
        for shape in ("tap", "packet", "packet-vnet"):
            attack(shape, "nobody", all_evil)
    finally:
        lab.helper_arguments()


def test_learned_mac():
    """After the first frame has said the MAC, that MAC is as fixed as a given one; a tagged or foreign first frame teaches nothing."""
    with lease_of("tap", options={"mac": "learn"}) as lease, frames.WirePort() as wire:
        mac = "52:54:00:1e:a2:01"
        foreign = {"foreign": evil(frames.BROADCAST, "02:00:00:00:00:77", "foreign"),
                   "multicast": evil(frames.BROADCAST, "53:54:00:00:00:77", "multicast")}  # fmt: skip
        as_user("nobody", by_write, lease, foreign)
        lease.mac = mac

        def passes():
            lease.port.send(frames.marker(mac, "MARK learn"))
            return wire.receive(0.05)

        first = lab.wait_for(passes, 10, "the learned MAC")
        assert EVIL not in first, first.hex()
        with watched(lease, "learned"):
            as_user("nobody", by_write, lease, all_evil(mac))


def test_every_queue():
    """All descriptors of a lease are guarded, not only the first."""
    for shape in attacker.SHAPES:
        with lease_of(shape, options={"queues": 3}) as lease:
            for fd in lease.fds:
                lease.fd = lease.port.fd = fd
                os.set_blocking(fd, False)
                with watched(lease, f"{shape} queue"):
                    as_user("nobody", by_write, lease, all_evil(lease.mac))


def test_antispoof_off():
    """Other sources pass then; tags and control frames still do not."""
    for shape in ("tap", "packet", "packet-vnet"):
        with lease_of(shape, AntiSpoof="no") as lease, frames.WirePort() as wire:
            foreign = frames.marker(VICTIM, f"MARK foreign {shape}")
            as_user("nobody", lease.port.send, foreign)
            wire.wait(foreign[14:40])
            with watched(lease, f"{shape} without AntiSpoof"):
                for way in ways(lease):
                    as_user("nobody", way, lease, {**tagged(lease.mac), **control(lease.mac)})


def test_control_frames_pass():
    """ControlFrames=pass lets them out, all of them, and nothing else."""
    for shape in attacker.SHAPES:
        with lease_of(shape, ControlFrames="pass") as lease, frames.WirePort() as wire:
            for name, frame in control(lease.mac).items():
                as_user("nobody", lease.port.send, frame)
                wire.wait(frame[:14])
            with watched(lease, f"{shape} with ControlFrames=pass"):
                as_user("nobody", by_write, lease, {**tagged(lease.mac), **spoofed(lease.mac)})


def test_vlan_inside():
    """On a VLAN: what leaves has exactly the network's tag, whatever tags the guest puts in."""
    lab.need_vlan()
    for shape in ("tap", "packet", "packet-vnet"):
        for mode in ("bridge", "exclusive"):
            with lease_of(shape, VLAN="100", Mode=mode) as lease, frames.WirePort() as wire:
                for way in ways(lease):
                    mark = attacker.on_wire(lease)
                    as_user("nobody", way, lease, all_evil(lease.mac))
                    lease.port.send(mark)
                    evil_seen = [frame for frame in wire.before(mark[14:40]) if EVIL in frame]
                    inner = [frame[:12] + frame[16:] for frame in evil_seen]
                    out = [frame for frame, bare in zip(evil_seen, inner)
                           if frame[12:16] != b"\x81\x00\x00\x64" or not is_honest(bare, lease.mac)]  # fmt: skip
                    assert not out, f"{shape} {mode} {way.__name__}: {[frame[:48].hex() for frame in out[:4]]}"
                    assert wire.last[12:16] == b"\x81\x00\x00\x64", wire.last.hex()


if __name__ == "__main__":
    tap.main()
