# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetd's messages to rawnet-helper (common/ipc.h) as a compromised rawnetd would make them: with any field forged."""

import dataclasses
import hashlib
import os
import re
import socket
import struct

import lab

with open(f"{lab.SOURCE}/common/ipc.h", encoding="utf-8") as _header:
    VERSION = int(re.search(r"^#define IPC_VERSION UINT32_C\((\w+)\)", _header.read(), re.M)[1], 16)
OPEN, CLOSE, LIST, STATISTICS_OF, HOST_UP, HOST_DOWN, HOST_SWEEP, CHECK = 1, 2, 3, 4, 5, 6, 7, 8
OPENED, LEASE, STATISTICS, DONE, REFUSED, ENDED, FINDING, FEATURES = 1, 2, 3, 4, 5, 6, 7, 8
BRIDGE, PRIVATE, VEPA, EXCLUSIVE = 0, 1, 2, 3
TAP, PACKET, VETH = 0, 1, 2
Q, AD = 0x8100, 0x88A8
GIVEN, RANDOM, LEARN, DERIVED, RESERVED = 1, 2, 3, 4, 5
REQUEST = struct.Struct("=IIQII")
OPEN_PART = struct.Struct("=38s65sBIIII6sBB16s288sQ4s16sHHII32s")
REPLY = struct.Struct("=IIQII")
LEASE_PART = struct.Struct("=IIIIHBBBBBBQ6s38s16s65s6s5s")
SIZE = REQUEST.size + OPEN_PART.size
REPLY_SIZE = REPLY.size + LEASE_PART.size + 16 + 192 + 1024  # of WireFinding, the larger part of the union
# enum RawnetError, common/refusal.h, by position
ERRORS = ("", "NoSuchNetwork", "BadNetworkFile", "KindNotOffered", "NetworkBusy", "QuotaExceeded", "AddressInUse", "ParentMissing",
          "NotSupported", "KernelRefused", "HelperUnavailable", "NoSuchLease", "InvalidArgs", "AccessDenied", "InteractiveAuthorizationRequired",
          "LimitsExceeded")  # fmt: skip


def request(operation, serial=1, lease=0, body=bytes(OPEN_PART.size), version=VERSION, spare=0):
    return REQUEST.pack(version, operation, serial, lease, spare) + body


def digest_of(network):
    """The digest of a network's file as it is now; zeros without one."""
    try:
        with open(f"{lab.NETWORKS_DIR}/{os.fsdecode(network).split('.')[0]}.conf", "rb") as file:
            return hashlib.sha256(file.read()).digest()
    except (OSError, ValueError):
        return bytes(32)


def open_request(network=b"lab", name=b"", uid=6001, kind=TAP, queues=1, mac_mode=RANDOM, mac=bytes(6), vhost=0, vnet_hdr=1,
                 interface=b"", addresses=b"", rate=0, reserved=b"", parent=b"wire0", vlan=0, mode=BRIDGE, up=0, guest_servers=0, protocol=Q,
                 file_digest=None, **header):  # fmt: skip
    """A good request for network lab; every field can be another."""
    body = OPEN_PART.pack(network, name, up, uid, kind, queues, mac_mode, mac, vhost, vnet_hdr, interface, addresses, rate, reserved,
                          parent, vlan, protocol, mode, guest_servers, digest_of(network) if file_digest is None else file_digest)  # fmt: skip
    return request(OPEN, body=body, **header)


def attach_request(interface=b"eth0", **fields):
    """A good request of kind veth, which goes with the descriptor of a namespace."""
    return open_request(**{"kind": VETH, "vnet_hdr": 0, "interface": interface, **fields})


def check_request(network=b"lab", kinds=3, reserved=0, **header):
    return request(CHECK, body=struct.pack("=38sBB", network, kinds, reserved).ljust(OPEN_PART.size, b"\0"), **header)


@dataclasses.dataclass
class Reply:
    type: int
    serial: int
    lease: int
    error: str
    text: str
    fds: list

    def close_fds(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []


def listed():
    """Ids of the leases that the helper knows, and counts."""
    with Helper() as helper:
        helper.send(request(LIST))
        found = set()
        while (reply := helper.reply()).type != DONE:
            found.add(reply.lease)
        return found


class Helper:
    """A connection to rawnet-helper as user."""

    def __init__(self, user="_rawnet"):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with lab.identity(user):
            self.socket.connect(lab.HELPER_SOCKET)
        self.socket.settimeout(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data, fds=()):
        socket.send_fds(self.socket, [data], list(fds))

    def reply(self):
        """The next Reply; None when the helper has closed the connection."""
        try:
            data, fds, _, _ = socket.recv_fds(self.socket, 4096, 32)
        except ConnectionResetError:
            return None
        if not data:
            return None
        assert len(data) == REPLY_SIZE, len(data)
        _, kind, serial, _, _ = REPLY.unpack_from(data)
        lease = LEASE_PART.unpack_from(data, REPLY.size)[0]
        error, _ = struct.unpack_from("=Ii", data, REPLY.size + LEASE_PART.size)
        text = data[REPLY.size + LEASE_PART.size + 8 :].split(b"\0")[0].decode() if kind == REFUSED else ""
        name = (ERRORS[error] if error < len(ERRORS) else str(error)) if kind == REFUSED else ""
        return Reply(kind, serial, lease, name, text, fds)

    def raw_record(self, lease):
        """The helper's message on that lease, which it lists, as it is."""
        self.send(request(LIST))
        while True:
            data = self.socket.recv(4096)
            if REPLY.unpack_from(data)[1] == LEASE and LEASE_PART.unpack_from(data, REPLY.size)[0] == lease:
                return data

    def call(self, data, fds=()):
        """The answer; None when the helper has closed the connection, perhaps before it was asked."""
        try:
            self.send(data, fds)
        except (BrokenPipeError, ConnectionResetError):
            return None
        return self.reply()
