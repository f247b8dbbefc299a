# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames that are harmless when the guard looks at them, and a server's message once the kernel has completed the checksum that their
sender asked for (late.py). On a wire that completes checksums as an adapter does, none of it arrives; what honest guests leave
unfinished does, and as it must be."""

import errno
import os

import attacker
import bus
import frames
import guard_model as model
import lab
import late
import tap
import unfit
from attacker import as_user, attempt, completing_wire, lease_of

SHAPES = ("tap", "packet", "packet-vnet")
TYPE_AT = frames.VNET_HEADER.size + 12


def switch_on(lease):
    """The holder of a packet lease may have a virtio_net_hdr whenever he likes."""
    if lease.packet:
        attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.VNET_HDR, 1)
        lease.port.vnet_hdr = True


# -- ways of sending; each returns a list of errnos


def by_write(lease, wanted):
    return [attempt(os.write, lease.fd, data) for data in wanted]


def by_index(lease, wanted):
    """To every interface, with the frame's own protocol: without it, the kernel does not know how to cut it."""
    return [attempt(attacker.sendto, lease.fd, data, index, int.from_bytes(data[TYPE_AT : TYPE_AT + 2], "big"))
            for index in attacker.interfaces(lease.fd) for data in wanted]  # fmt: skip


def by_bypass(lease, wanted):
    attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.QDISC_BYPASS, 1)
    results = by_write(lease, wanted) + by_index(lease, wanted)
    attacker.setsockopt(lease.fd, attacker.SOL_PACKET, attacker.QDISC_BYPASS, 0)
    return results


def by_ring(lease, wanted):
    return [number for index in (0, *attacker.interfaces(lease.fd)) for number in attacker.send_by_ring(lease.fd, wanted, index)]


def ways(lease):
    return (by_write, by_index, by_bypass, by_ring) if lease.packet else (by_write,)


def arrived(lease, wire):
    """What came to the wire until now of what has the cookie."""
    mark = attacker.on_wire(lease)
    lease.port.send(mark)
    return [frame for frame in wire.before(mark[14:40], 20) if late.COOKIE in frame]


def is_a_server(frame, lease):
    return model.sent(frame, model.Rules(frames.mac_bytes(lease.mac)))[0] != model.PASSES


def attack(shape, messages):
    """Sends them by every way; returns how many the kernel took."""
    taken = 0
    with lease_of(shape) as lease, frames.WirePort() as wire:
        switch_on(lease)
        wanted = late.disguises(messages(lease.mac))
        for way in ways(lease):
            results = as_user("nobody", way, lease, [each.header + each.looks for each in wanted])
            seen = arrived(lease, wire)
            bad = [frame for frame in seen if is_a_server(frame, lease)]
            named = [each.name for each in wanted for frame in bad[:4] if frame == each.becomes]
            assert not bad, f"{shape}, {way.__name__}: {len(bad)} of {len(seen)} frames on the wire are a server's: {named} {bad[0][:80].hex()}"
            # A socket reports a frame that the guard has dropped (ENOBUFS).
            took = sum(number in (0, errno.ENOBUFS) for number in results)
            assert took >= len(wanted), f"{shape}, {way.__name__}: the kernel took {took} of {len(wanted)} frames"
            taken += took
    return taken


def attack_all(messages):
    with completing_wire():
        for shape in SHAPES:
            tap.diag(f"{shape}: {attack(shape, messages)} sent")


@tap.limit(180)
def test_ipv4():
    attack_all(late.ipv4_messages)


@tap.limit(180)
def test_ipv6():
    attack_all(late.ipv6_messages)


def test_llc():
    attack_all(late.llc_messages)


@tap.limit(180)
def test_behind_a_priority_tag():
    for kind in (frames.VLAN, frames.QINQ):
        for messages in (late.ipv4_messages, late.ipv6_messages, late.llc_messages):
            attack_all(lambda mac: late.behind_a_priority_tag(messages(mac), kind))  # pylint: disable=cell-var-from-loop


def test_pieces():
    """A frame that the kernel cuts into datagrams or fragments: no piece gets out that alone would not have."""
    with completing_wire():
        for shape in SHAPES:
            with lease_of(shape) as lease, frames.WirePort() as wire:
                switch_on(lease)
                wanted = [*late.cut(lease.mac), *late.cut_tcp(lease.mac)]
                for way in ways(lease):
                    results = as_user("nobody", way, lease, [header + frame for _, frame, header in wanted])
                    seen = arrived(lease, wire)
                    bad = [frame[:80].hex() for frame in seen if is_a_server(frame, lease)]
                    assert not bad, f"{shape}, {way.__name__}: {len(bad)} of {len(seen)} pieces on the wire are a server's: {bad[:2]}"
                    # A socket that bypasses the queues is refused what its port cannot send (net/core/dev.c, __dev_direct_xmit()).
                    assert way is by_bypass or any(len(frame) < 60 + late.SEGMENT for frame in seen), f"{shape}, {way.__name__}: nothing was cut"
                    tap.diag(f"{shape}, {way.__name__}: {sum(number in (0, errno.ENOBUFS) for number in results)} taken, {len(seen)} pieces")


def test_behind_the_completing_veth():
    """The form for kernels with the checksum trick: there the guard sees the result."""
    lab.helper_arguments("--assume-checksum-trick")
    try:
        for messages in (late.ipv4_messages, late.ipv6_messages, late.llc_messages):
            attack_all(messages)
    finally:
        lab.helper_arguments()


@tap.limit(180)
def test_where_the_kernel_does_not_tell_the_place():
    """What the guard cannot judge there is completed first, and judged again."""
    with bus.connect("member") as connection, unfit.checksums_of_unknown_place(connection):
        for messages in (late.ipv4_messages, late.ipv6_messages, late.llc_messages):
            attack_all(messages)
        test_honest_guests()


def test_the_attack_is_real():
    """Where servers may be, each of these frames gets out, and as the message."""
    with completing_wire():
        for shape in SHAPES:
            with lease_of(shape, GuestServers="dhcp ra") as lease, frames.WirePort() as wire:
                switch_on(lease)
                for messages in (late.ipv4_messages, late.ipv6_messages):
                    wanted = late.disguises(messages(lease.mac))
                    results = [attempt(lease.port.send, each.looks, each.header) for each in wanted]
                    seen = arrived(lease, wire)
                    missing = [each.name for each, result in zip(wanted, results) if not result and each.becomes not in seen]
                    refused = [each.name for each, result in zip(wanted, results) if result]
                    assert not missing, (shape, len(missing), missing[:5])
                    tap.diag(f"{shape}: {len(seen)} became what they were to be, {len(refused)} were refused")
                    assert len(refused) < len(wanted) // 4, (shape, refused)


# -- honest guests


def in_a_priority_tag(frame, header):
    flags, kind, length, size, start, offset = frames.VNET_HEADER.unpack(header)
    return frames.tagged(frame, (frames.VLAN, 0xE000)), frames.vnet_header(flags, kind, length, size, start + 4, offset)


def check_honest(shape, change=lambda *words: words):
    """change: of each (frame, header) before it is sent; it must arrive as it was before that."""
    with lease_of(shape) as lease, frames.WirePort() as wire, bus.connect("member") as connection:
        switch_on(lease)
        wanted = late.honest(lease.mac)
        for frame, header in wanted.values():
            lease.port.send(*change(frame, header))
        seen = arrived(lease, wire)
        for name, (frame, header) in wanted.items():
            whole = late.finished(frame, header)
            assert any(got[: len(whole)] == whole for got in seen), f"{shape}: {name} did not arrive, or not finished"
        assert len(seen) == len(wanted), (shape, len(seen), len(wanted))
        dropped = {key: value for key, value in connection.statistics(lease.path).items()
                   if key.startswith("guard_dropped_") and "wire" not in key and value}  # fmt: skip
        assert not dropped, (shape, dropped)


def test_honest_guests():
    with completing_wire():
        for shape in SHAPES:
            check_honest(shape)
            check_honest(shape, in_a_priority_tag)


def test_honest_guests_behind_the_completing_veth():
    lab.helper_arguments("--assume-checksum-trick")
    try:
        test_honest_guests()
    finally:
        lab.helper_arguments()


if __name__ == "__main__":
    tap.main()
