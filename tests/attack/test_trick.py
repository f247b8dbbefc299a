# SPDX-License-Identifier: GPL-2.0-or-later
"""The checksum trick (checksum-trick.c) on every kind of lease, where the wire completes checksums as a NIC does: on a kernel that
has it and on one that answers EINVAL, nothing gets out but what the guard saw. tests/vm/test_trick.py shows that the attack is real."""

import os
import struct

import attacker
import frames
import lab
import tap
from attacker import completing_wire, lease_of

PROGRAM = f"{lab.build_dir}/tests/attack/checksum-trick"
COOKIE = b"played the trick"


def play(user, lease, fd, *words):
    os.set_inheritable(fd, True)
    command = [PROGRAM, "--cookie", COOKIE.decode(), "--fd", str(fd), "--mac", lease.mac, *words]
    done = lab.run_as(user, command + ([] if lease.packet else ["--tap"]), pass_fds=(fd,))
    assert done.returncode == 0, done
    return done.stdout.splitlines()


def attack(shape, **options):
    with lease_of(shape, options=options) as lease, frames.WirePort() as wire:
        lines = []
        for fd in lease.fds:
            lines += play("nobody", lease, fd)
            if lease.packet:
                for index in attacker.interfaces(fd):
                    lines += play("nobody", lease, fd, "--ifindex", str(index))
                lines += play("member", lease, fd, "--bypass")
        assert lines and all(line.startswith(("sent", "refused")) for line in lines), lines
        # The attack has switched the header on.
        lease.port.vnet_hdr = True
        # What a NIC may be asked for in earnest: a UDP checksum, which is completed on the way and right on the wire.
        datagram = frames.udp("10.77.0.99", "10.77.0.1", 9, 9, b"HONEST", complete=False)
        attacker.attempt(lease.port.send, frames.ether(frames.BROADCAST, lease.mac, frames.IPV4, datagram, pad=False), frames.vnet_header(frames.NEEDS_CSUM, 0, 0, 0, 34, 6))
        seen = wire.before(b"HONEST", 20)
        whole = frames.udp("10.77.0.99", "10.77.0.1", 9, 9, b"HONEST")
        assert wire.last[14:] == whole, f"{shape}: the checksum is not right: {wire.last[14:].hex()}"
        out = [frame for frame in seen if COOKIE in frame
               and (frame[6:12] != frames.mac_bytes(lease.mac) or frame[12:14] != struct.pack("!H", frames.TEST))]  # fmt: skip
        assert not out, f"{shape}: {len(out)} frames were rewritten: {out[0][:40].hex()}"
        return lines


def test_trick():
    with completing_wire():
        for shape in attacker.SHAPES:
            for queues in (1, 2):
                lines = attack(shape, queues=queues)
            tap.diag(f"{shape}: {sum(line.startswith('sent') for line in lines)} sent, {sum(line.startswith('refused') for line in lines)} refused")


def test_trick_behind_the_completing_veth():
    """With the veth that kernels with the trick get: the same, and checksums are right all the same."""
    lab.helper_arguments("--assume-checksum-trick")
    try:
        with completing_wire():
            for shape in ("tap", "packet", "packet-vnet"):
                attack(shape)
    finally:
        lab.helper_arguments()


if __name__ == "__main__":
    tap.main()
