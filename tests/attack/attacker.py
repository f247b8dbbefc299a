# SPDX-License-Identifier: GPL-2.0-or-later
"""What an attacker does with a lease's descriptor: as which user, by which system calls, on which kind of lease.

as_user() runs a function in a child without any capability. The child shares the descriptors with the test, so what it did to a
socket (re-bound it, joined, mapped) is there afterwards for the test to look at.
"""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import pickle
import pwd
import signal
import socket
import struct
import subprocess
import traceback

import bus
import frames
import lab

_libc = ctypes.CDLL(None, use_errno=True)

# The kernel keeps frames in order per CPU; markers rely on that order.
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

USERS = ("nobody", "member")
VICTIM = "52:54:00:be:ef:01"  # an address that no lease here has
TAGS = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)
PAUSE = 0x8808
ETH_P_ALL = 3
INDEXES = range(0, 65)  # that a kernel gives by itself; lo is 1
HALVES = (0x7FFF, 0x7FFE, 0x7FFD, 0x7FFC)  # of a lease's links: helper/guard/guard-entry.h

# linux/if_packet.h
SOL_PACKET = 263
ADD_MEMBERSHIP, RX_RING, STATISTICS, VERSION, TX_RING, VNET_HDR, FANOUT, QDISC_BYPASS = 1, 5, 6, 10, 13, 15, 18, 20
MR_MULTICAST, MR_PROMISC, MR_ALLMULTI = 0, 1, 2
FANOUT_CBPF = 6
# asm-generic/socket.h
SO_MARK, SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_ATTACH_BPF, SO_LOCK_FILTER = 36, 26, 27, 50, 44
# linux/sockios.h
SIOCGIFNAME, SIOCGIFINDEX = 0x8910, 0x8933
SIOCGSKNS = 0x894C
# linux/if_tun.h
TUNGETDEVNETNS = 0x54E3

# -- being somebody


class Attack(Exception):
    """What the child raised, as text."""


def _capset_nothing():
    header = struct.pack("Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    if _libc.capset(header, bytes(24)):
        raise OSError(ctypes.get_errno(), "capset")


def _capabilities():
    with open("/proc/thread-self/status", encoding="ascii") as file:
        words = dict(line.split(":", 1) for line in file)
    return [int(words[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]


def become(user):
    """For good: that user's ids and groups, no capability in any set, none to be gained. "root" is uid 0 without capabilities."""
    account = pwd.getpwnam(user)
    os.setgroups(os.getgrouplist(user, account.pw_gid))
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    for number in range(64):
        lab.prctl(24, number)  # PR_CAPBSET_DROP; numbers that the kernel does not know are EINVAL
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    _capset_nothing()
    lab.prctl(38, 1)  # PR_SET_NO_NEW_PRIVS
    assert not any(_capabilities()) and os.getresuid() == (account.pw_uid,) * 3, "the attacker has privileges"


def as_user(user, function, *words):
    """function's value, from a child that is `user`; Attack if it raised."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            signal.alarm(60)
            os.close(reader)
            become(user)
            result = (True, function(*words))
            code = 0
        except BaseException:  # pylint: disable=broad-except
            result = (False, traceback.format_exc())
        with os.fdopen(writer, "wb") as file:
            file.write(pickle.dumps(result))
        os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        data = file.read()
    os.waitpid(pid, 0)
    if not data:
        raise Attack("the attacker's process died")
    good, value = pickle.loads(data)
    if not good:
        raise Attack(value)
    return value


def attempt(function, *words):
    """0, or the errno that the kernel answered with."""
    try:
        function(*words)
    except OSError as error:
        return error.errno
    return 0


def names(numbers):
    """Errnos for a message."""
    return {what: errno.errorcode.get(number, number) for what, number in numbers.items()}


# -- system calls on packet sockets


def _checked(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _address(index, protocol):
    """struct sockaddr_ll, packet(7)."""
    return struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(protocol), index, 0, 0, 6, b"\xff" * 6)


def bind(fd, index, protocol=ETH_P_ALL):
    address = _address(index, protocol)
    _checked(_libc.bind(fd, address, len(address)), "bind")
    # An interface that is down (lo) leaves ENETDOWN for the next call: taken here (SO_ERROR, socket(7)).
    value, size = ctypes.c_int(), ctypes.c_int(4)
    _checked(_libc.getsockopt(fd, socket.SOL_SOCKET, socket.SO_ERROR, ctypes.byref(value), ctypes.byref(size)), "getsockopt")


def sendto(fd, frame, index, protocol=frames.TEST):
    address = _address(index, protocol)
    _checked(_libc.sendto(fd, frame, len(frame), socket.MSG_DONTWAIT, address, len(address)), "sendto")


def setsockopt(fd, level, option, value):
    data = struct.pack("i", value) if isinstance(value, int) else value
    _checked(_libc.setsockopt(fd, level, option, data, len(data)), "setsockopt")


def membership(fd, index, kind=MR_PROMISC, address=b""):
    """struct packet_mreq, packet(7)."""
    setsockopt(fd, SOL_PACKET, ADD_MEMBERSHIP, struct.pack("=iHH8s", index, kind, len(address), address))


def ring_header(version, size, tag):
    """struct tpacket_hdr, tpacket2_hdr or tpacket3_hdr (linux/if_packet.h), up to where the frame begins."""
    status = 1 | (0x50 if tag else 0)  # TP_STATUS_SEND_REQUEST, TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID
    kind, tci = tag or (0, 0)
    if version == 0:
        return struct.pack("=QII16x", status, size, 0)
    if version == 1:
        return struct.pack("=III12xHH4x", status, size, 0, tci, kind)
    return struct.pack("=IIIIIIHHIIH10x", 0, 0, 0, 0, size, status, 0, 0, 0, tci, kind)


def send_by_ring(fd, list_of_frames, index=0, version=0, tag=None):
    """PACKET_TX_RING (Documentation/networking/packet_mmap.rst). version: 0, 1 or 2, TPACKET_V1 to V3. tag: (EtherType, TCI) in the
    header's fields, from version 1 on. Each frame alone: one that is refused stops the rest."""
    size, rest = 4096, bytes(12) if version == 2 else b""  # struct tpacket_req3
    setsockopt(fd, SOL_PACKET, VERSION, version)
    setsockopt(fd, SOL_PACKET, TX_RING, struct.pack("=IIII", size, 1, size, 1) + rest)
    numbers = []
    with mmap.mmap(fd, size) as ring:
        for frame in list_of_frames:
            header = ring_header(version, len(frame), tag)
            ring[len(header) : len(header) + len(frame)] = frame
            ring[: len(header)] = header
            numbers.append(attempt(sendto, fd, b"", index) if index else attempt(send_nothing, fd))
            ring[: len(header)] = bytes(len(header))
    # EBUSY while a frame of the ring is still on its way (net/packet/af_packet.c, packet_set_ring()).
    lab.wait_for(lambda: attempt(setsockopt, fd, SOL_PACKET, TX_RING, bytes(16) + rest) == 0, 5, "the ring's end")
    return numbers


def send_nothing(fd):
    _checked(_libc.send(fd, None, 0, socket.MSG_DONTWAIT), "send")


def interface_name(fd, index):
    """SIOCGIFNAME in the socket's namespace: "" if there is none."""
    request = bytearray(struct.pack("16si20x", b"", index))
    if attempt(fcntl.ioctl, fd, SIOCGIFNAME, request):
        return ""
    return request[:16].split(b"\0")[0].decode()


def is_priority(kind, tci):
    """A tag that says nothing of a VLAN: the guard takes it off, and the frame passes."""
    return kind in (0x8100, 0x88A8) and tci & 0xFFF == 0


def indexes():
    """Every ifindex that a link of a lease may have."""
    return [*INDEXES, *(half << 16 | number & 0xFFFF for number in lab.lease_ids() for half in HALVES)]


def interfaces(fd):
    """{index: name} of the namespace, found out with the descriptor alone."""
    found = {index: interface_name(fd, index) for index in indexes()}
    return {index: name for index, name in found.items() if name}


# -- kinds of leases


class Shape:
    def __init__(self, kind, vnet_hdr=None, **keys):
        self.kind = kind
        self.options = {} if vnet_hdr is None else {"vnet_hdr": vnet_hdr}
        self.keys = keys


SHAPES = {
    "tap": Shape("tap"),
    "tap-narrow": Shape("tap", MTU="1280"),  # its frames from the wire cross a veth
    "packet": Shape("packet"),
    "packet-vnet": Shape("packet", vnet_hdr=True),
}
PACKETS = tuple(name for name, shape in SHAPES.items() if shape.kind == "packet")


@contextlib.contextmanager
def lease_of(shape, network="attack", user="member", options=None, **keys):
    """A lease of that shape on a network file made for it (keys change it); .port and .mac beside bus.Lease's fields."""
    wanted = SHAPES[shape]
    with lab.network(network, **{"Mode": "bridge", **wanted.keys, **keys}), bus.connect(user) as connection:
        opened = connection.open(wanted.kind, network, **wanted.options, **(options or {}))
        with opened:
            opened.mac = opened.info["mac"]
            opened.port = frames.Port(opened.fd, vnet_hdr=opened.info["vnet-hdr"])
            opened.shape = shape
            opened.packet = wanted.kind == "packet"
            yield opened


@contextlib.contextmanager
def completing_wire():
    """The host's end of the wire completes checksums and cuts segments itself, as an adapter does: what the far end gets is final."""
    def switch(state):
        subprocess.run(["ethtool", "-K", "wire0", "tx", state, "gso", state], check=True, capture_output=True)

    switch("off")
    try:
        yield
    finally:
        switch("on")


def on_wire(lease, text="honest"):
    """Shows that the lease works, and marks a place in the order of frames: what the far side got until then."""
    return frames.marker(lease.mac, f"MARK {text} {os.urandom(4).hex()}")


def raw(lease, frame, header=None):
    """The bytes that write() takes for frame on this lease."""
    return ((header or frames.vnet_header()) if lease.port.vnet_hdr else b"") + frame
