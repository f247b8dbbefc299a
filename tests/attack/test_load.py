# SPDX-License-Identifier: GPL-2.0-or-later
"""What the holder of a tap can make the kernel hold and do: frames that nobody reads, and filters that each frame runs through."""

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
import subprocess

import attacker
import bus
import frames
import lab
import tap

FRAMES, QUEUE_FRAMES_MIN = 512, 128  # of a tap, and of each of its queues at least: helper/child/port.h
LONGEST = 65_000
TUNATTACHFILTER, TUNDETACHFILTER, SIOCSIFTXQLEN = 0x401054D5, 0x401054D6, 0x8943
BPF_LD_IMM, BPF_RET_K = 0x00, 0x06  # linux/bpf_common.h


def long_frames(source, destination, flow):
    """One TCP segment of about 64 KiB that the wire would cut (virtio_net_hdr, VIRTIO_NET_HDR_GSO_TCPV4), with its header."""
    payload = bytes(LONGEST - 54)
    tcp = struct.pack("!HHIIBBHHH", 1024 + flow, 80, 1, 1, 0x50, 0x10, 0xFFFF, 0, 0)
    packet = frames.ipv4("10.77.0.66", "10.77.0.67", 6, tcp + payload)
    frame = frames.ether(destination, source, 0x0800, packet)
    return frames.vnet_header(flags=1, gso_type=1, header_length=54, gso_size=1448, start=34, offset=16) + frame


def queue_frames(queues):
    return max(FRAMES // queues, QUEUE_FRAMES_MIN)


def fill(attacker_fd, source, destination, count):
    """Sends that many frames of as many flows. Long ones first: a kernel that takes no such frame fails the test."""
    for number in range(count):
        os.write(attacker_fd, long_frames(source, destination, number))


def unread(lease):
    """Frames and bytes that wait in the lease's queues, read away."""
    number = size = 0
    for fd in lease.fds:
        os.set_blocking(fd, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                size += len(os.read(fd, 70_000))
                number += 1
    return number, size


def test_a_lease_holds_few_unread_frames():
    """However many queues it has: the memory behind them is charged to nobody."""
    with bus.connect("member") as connection:
        for queues in (1, 2, 5, 16):
            with connection.open_tap("lab") as sender, connection.open_tap("lab", queues=queues) as victim:
                for fd in victim.fds:
                    fcntl.ioctl(fd, 0x400454D0, 1 | 2 | 4)  # TUNSETOFFLOAD: checksums and TCP segments as they come
                most = queues * queue_frames(queues)
                fill(sender.fd, sender.info["mac"], victim.info["mac"], 2 * most)
                number, size = unread(victim)
                tap.diag(f"{queues} queues held {number} frames, {size / 1e6:.1f} MB")
                assert size > 30 * LONGEST, "the frames were not long"
                assert number <= most and size <= most * 66_000, f"{queues} queues held {number} frames, {size} bytes"


def queue_length(lease):
    with lab.in_namespace(lease.fd):
        return lab.links()[lease.info["interface"]]["txqlen"]


def try_to_lengthen(fd, name):
    """errno of each way that a holder has to set the length of the tap's queues."""
    request = struct.pack("16si20x", name.encode(), 1000)
    found = [attacker.attempt(fcntl.ioctl, fd, SIOCSIFTXQLEN, request)]
    found.append(attacker.attempt(fcntl.ioctl, fd, 0x54E3))  # TUNGETDEVNETNS: the way into the namespace
    return found


def test_the_holder_cannot_lengthen_the_queues():
    with bus.connect("member") as connection:
        for queues in (1, 4):
            with connection.open_tap("lab", queues=queues) as lease:
                assert queue_length(lease) == queue_frames(queues)
                refused = attacker.as_user("member", try_to_lengthen, lease.fd, lease.info["interface"])
                assert refused[0] and refused[1] == errno.EPERM, refused
                assert queue_length(lease) == queue_frames(queues)


# -- filters


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def attach_filter(fd, instructions):
    """TUNATTACHFILTER with a filter that loads, and loads, and lets everything pass."""
    code = struct.pack("=HBBI", BPF_LD_IMM, 0, 0, 1) * (instructions - 1) + struct.pack("=HBBI", BPF_RET_K, 0, 0, 0xFFFFFFFF)
    text = ctypes.create_string_buffer(code, len(code))
    fcntl.ioctl(fd, TUNATTACHFILTER, bytes(Program(instructions, ctypes.addressof(text))))


def longest_filter(fd):
    """How many instructions the kernel takes, from 1 up to its general limit (BPF_MAXINSNS, linux/bpf_common.h)."""
    low, high = 0, 4097
    while high - low > 1:
        middle = (low + high) // 2
        number = attacker.attempt(attach_filter, fd, middle)
        assert number in (0, errno.ENOMEM), errno.errorcode[number]
        low, high = (middle, high) if number == 0 else (low, middle)
        # The next one would have to fit beside it.
        attacker.attempt(fcntl.ioctl, fd, TUNDETACHFILTER, bytes(16))
    return low


def test_a_tap_takes_short_filters_only():
    """A filter runs for each frame of the wire and cannot be locked; what it may allocate can be bounded, from Linux 6.7 on."""
    own = subprocess.run(["unshare", "--net", "cat", "/proc/sys/net/core/optmem_max"], capture_output=True, text=True, check=False)
    with open("/proc/sys/net/core/optmem_max", encoding="ascii") as file:
        host = int(file.read())
    with bus.connect("member") as connection, connection.open_tap("lab", queues=4) as lease:
        longest = attacker.as_user("member", longest_filter, lease.fd)
        tap.diag(f"the longest filter of a tap has {longest} instructions")
        most = 128 if own.returncode == 0 else min(4096, host // 8)
        assert 0 < longest <= most, f"a filter of {longest} instructions was taken"
    with open("/proc/sys/net/core/optmem_max", encoding="ascii") as file:
        assert int(file.read()) == host, "the host's own limit was changed"


if __name__ == "__main__":
    tap.main()
