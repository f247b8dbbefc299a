# SPDX-License-Identifier: GPL-2.0-or-later
"""What the holder of a tap can make the kernel hold and do: frames that nobody reads, and filters that each frame runs through."""

import concurrent.futures
import contextlib
import ctypes
import errno
import fcntl
import os
import resource
import struct
import subprocess

import attacker
import bus
import frames
import ipc
import lab
import tap

FRAMES, QUEUE_FRAMES_MIN = 512, 128  # of a tap, and of each of its queues at least: helper/child/port.h
LONGEST, SEGMENT = 65_000, 1448
QUEUES, QUEUES_OF_THE_HELPER = 128, 4096  # of one user: common/names.h
TUNATTACHFILTER, TUNDETACHFILTER, SIOCSIFTXQLEN = 0x401054D5, 0x401054D6, 0x8943
BPF_LD_IMM, BPF_RET_K = 0x00, 0x06  # linux/bpf_common.h


def long_frames(source, destination, flow):
    """One TCP segment of about 64 KiB that the wire would cut (virtio_net_hdr, VIRTIO_NET_HDR_GSO_TCPV4), with its header."""
    payload = bytes(LONGEST - 54)
    tcp = struct.pack("!HHIIBBHHH", 1024 + flow, 80, 1, 1, 0x50, 0x10, 0xFFFF, 0, 0)
    packet = frames.ipv4("10.77.0.66", "10.77.0.67", 6, tcp + payload)
    frame = frames.ether(destination, source, 0x0800, packet)
    return frames.vnet_header(flags=1, gso_type=1, header_length=54, gso_size=SEGMENT, start=34, offset=16) + frame


def queue_frames(queues):
    return max(FRAMES // queues, QUEUE_FRAMES_MIN)


def fill(attacker_fd, source, destination, count):
    """Sends that many frames of as many flows. Long ones first: a kernel that takes no such frame fails the test."""
    for number in range(count):
        os.write(attacker_fd, long_frames(source, destination, number))


def unread(lease):
    """Frames of the attack, and their bytes, that wait in the lease's queues, read away. (A short one of the wire may come meanwhile.)"""
    number = size = 0
    for fd in lease.fds:
        os.set_blocking(fd, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                length = len(os.read(fd, 70_000))
                if length > SEGMENT:
                    size += length
                    number += 1
    return number, size


def test_a_lease_holds_few_unread_frames():
    """However many queues it has: the memory behind them is charged to nobody."""
    with bus.connect("member") as connection:
        cut = "checksum-trick" in connection.features()
        for queues in (1, 2, 5, 16):
            with connection.open_tap("lab") as sender, connection.open_tap("lab", queues=queues) as victim:
                for fd in victim.fds:
                    fcntl.ioctl(fd, 0x400454D0, 1 | 2 | 4)  # TUNSETOFFLOAD: checksums and TCP segments as they come
                most = queues * queue_frames(queues)
                fill(sender.fd, sender.info["mac"], victim.info["mac"], 2 * most)
                number, size = unread(victim)
                tap.diag(f"{queues} queues held {number} frames, {size / 1e6:.1f} MB")
                # Where the kernel completes checksums late, a port's own frames are cut before they get to another one.
                assert number > 30 and (cut or size > 30 * LONGEST), "the frames were not long"
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


# -- queues of one user


def most_frames(leases):
    """How many unread frames the taps of these leases hold together."""
    return sum(queue_length(lease) * len(lease.fds) for lease in leases)


def open_all(stack, connection, networks, **options):
    """Opens ports on each network until it is refused: the leases."""
    leases = []
    for network in networks:
        try:
            while True:
                leases.append(stack.enter_context(connection.open_tap(network, **options)))
        except bus.BusError as error:
            assert error.name == bus.ERROR + "QuotaExceeded" and network in error.text, error
    return leases


@tap.limit(120)
def test_a_users_taps_hold_few_unread_frames_together():
    """Whatever he opens, on however many networks: SECURITY.md has what that is in memory."""
    networks = ["lab", "load1", "load2"]
    with contextlib.ExitStack() as outer, bus.connect("member") as connection:
        for network in networks[1:]:
            outer.enter_context(lab.network(network))
        for queues, most in ((1, QUEUES * FRAMES), (4, QUEUES // 4 * FRAMES), (16, QUEUES * QUEUE_FRAMES_MIN)):
            lab.wait_for(lambda: not connection.leases(), 10, "the end of the ports before")
            with contextlib.ExitStack() as stack:
                leases = open_all(stack, connection, networks, queues=queues)
                number = most_frames(leases)
                tap.diag(f"{len(leases)} taps of {queues} queues: {number} frames, {number * LONGEST / 1e9:.2f} GB")
                assert len(leases) == QUEUES // queues and number == most, (len(leases), number)
            lab.wait_no_leases(30)


def close_all(replies):
    """The kernel takes some 16 ms for a last close, but closes several at a time."""
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda reply: reply.close_fds(), replies))


@tap.limit(180)
def test_the_helper_bounds_a_users_queues_by_itself():
    """A rawnetd that counts nothing gets no further than the most that its option may say, with leases of an earlier helper included."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * QUEUES_OF_THE_HELPER, max(hard, 2 * QUEUES_OF_THE_HELPER)))
    opened = []
    try:
        for number in range(QUEUES_OF_THE_HELPER // 16):
            if number == 40:
                lab.kill_helper()
            if number in (0, 40):
                helper = ipc.Helper()
            reply = helper.call(ipc.open_request(kind=ipc.PACKET, queues=16, uid=20000))
            assert reply.type == ipc.OPENED, reply
            opened.append(reply)
        refused = helper.call(ipc.open_request(uid=20000))
        assert refused.error == "QuotaExceeded" and "your ports" in refused.text and "lab" in refused.text, refused
        assert len(lab.lease_ids()) == len(opened), "the refused one left something"
        other = helper.call(ipc.open_request(uid=20001, queues=16))
        assert other.type == ipc.OPENED, other
        other.close_fds()
        # Two at once where one fits.
        closed = opened.pop()
        closed.close_fds()
        # The helper counts it until it has heard of the end, and lists it as long.
        lab.wait_for(lambda: closed.lease not in ipc.listed(), 10, "the end of one")
        for serial in (7, 8):
            helper.send(ipc.open_request(kind=ipc.PACKET, queues=16, uid=20000, serial=serial))
        replies = [helper.reply(), helper.reply()]
        opened += [reply for reply in replies if reply.type == ipc.OPENED]
        assert sorted(reply.error for reply in replies) == ["", "QuotaExceeded"], replies
    finally:
        close_all(opened)
        lab.wait_no_leases(60)


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


OPTMEM_MAX = 20480  # the default of kernels with one value for all (net/core/sock.c, sysctl_optmem_max)


def optmem_max():
    """The value here; None where the kernel shows its one value in the first namespace only."""
    try:
        with open("/proc/sys/net/core/optmem_max", encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        return None


def test_a_tap_takes_short_filters_only():
    """A filter runs for each frame of the wire and cannot be locked; what it may allocate can be bounded, from Linux 6.7 on."""
    own = subprocess.run(["unshare", "--net", "cat", "/proc/sys/net/core/optmem_max"], capture_output=True, text=True, check=False)
    host = optmem_max()
    with bus.connect("member") as connection, connection.open_tap("lab", queues=4) as lease:
        longest = attacker.as_user("member", longest_filter, lease.fd)
        tap.diag(f"the longest filter of a tap has {longest} instructions")
        most = 128 if own.returncode == 0 else min(4096, (host or OPTMEM_MAX) // 8)
        assert 0 < longest <= most, f"a filter of {longest} instructions was taken"
    assert optmem_max() == host, "the host's own limit was changed"


if __name__ == "__main__":
    tap.main()
