# SPDX-License-Identifier: GPL-2.0-or-later
"""Ethernet frames: building them, and sending and receiving them on a lease's descriptor or on the far end of the wire.

To show that a frame does NOT get through, send it and then one that does (a marker): whatever has not come before the
marker will not come. `Port.before(marker)` returns what came until then.
"""

import os
import socket
import struct
import time

import lab
import tap
import waiting

BROADCAST = "ff:ff:ff:ff:ff:ff"
ETH_P_ALL = 3
ARP, IPV4, IPV6, VLAN, QINQ, TEST = 0x0806, 0x0800, 0x86DD, 0x8100, 0x88A8, 0x88B5  # 0x88b5: IEEE local experimental
VNET_HEADER = struct.Struct("<BBHHHH")  # struct virtio_net_hdr, linux/virtio_net.h
NEEDS_CSUM = 1


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def mac_text(data):
    return data.hex(":")


def ether(destination, source, kind, payload=b"", pad=True):
    """A frame, padded to 60 bytes. Addresses as text; kind is the EtherType."""
    frame = mac_bytes(destination) + mac_bytes(source) + struct.pack("!H", kind) + payload
    return frame.ljust(60, b"\0") if pad else frame


def tagged(frame, *tags):
    """frame with VLAN tags, outermost first: a VID or (EtherType, TCI)."""
    pairs = [tag if isinstance(tag, tuple) else (VLAN, tag) for tag in tags]
    return frame[:12] + b"".join(struct.pack("!HH", *pair) for pair in pairs) + frame[12:]


def marker(source, text="marker", destination=BROADCAST):
    """An untagged broadcast that any lease may send, recognizable by its text."""
    return ether(destination, source, TEST, text.encode())


def checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def arp(operation, sender_mac, sender_ip, target_ip, target_mac="00:00:00:00:00:00", destination=BROADCAST):
    """operation 1: who has, 2: is at."""
    payload = struct.pack("!HHBBH", 1, IPV4, 6, 4, operation)
    payload += mac_bytes(sender_mac) + socket.inet_aton(sender_ip)
    payload += mac_bytes(target_mac) + socket.inet_aton(target_ip)
    return ether(destination, sender_mac, ARP, payload)


def ipv4(source, destination, protocol, payload, identification=0):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identification, 0, 64, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))  # fmt: skip
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(source, destination, next_header, payload, hops=255):
    return (struct.pack("!IHBB", 6 << 28, len(payload), next_header, hops) + socket.inet_pton(socket.AF_INET6, source)
            + socket.inet_pton(socket.AF_INET6, destination) + payload)  # fmt: skip


def _pseudo(source, destination, protocol, size):
    if ":" in source:
        return (socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination)
                + struct.pack("!II", size, protocol))  # fmt: skip
    return socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!HH", protocol, size)


def udp(source, destination, source_port, destination_port, data, complete=True):
    """A UDP datagram in IPv4 or IPv6; complete=False leaves the pseudo header's sum, as for NEEDS_CSUM."""
    size = 8 + len(data)
    header = struct.pack("!HHHH", source_port, destination_port, size, 0)
    pseudo = _pseudo(source, destination, 17, size)
    total = checksum(pseudo + header + data) or 0xFFFF
    if not complete:
        total = ~checksum(pseudo) & 0xFFFF
    payload = header[:6] + struct.pack("!H", total) + data
    return ipv6(source, destination, 17, payload) if ":" in source else ipv4(source, destination, 17, payload)


def icmp_echo(source, destination, identifier=1, sequence=1, data=b"rawnet"):
    """An echo request, IPv4 or IPv6."""
    if ":" not in source:
        message = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence) + data
        return ipv4(source, destination, 1, message[:2] + struct.pack("!H", checksum(message)) + message[4:])
    message = struct.pack("!BBHHH", 128, 0, 0, identifier, sequence) + data
    return ipv6(source, destination, 58, icmp6(source, destination, message))


def neighbour_solicitation(source_mac, source, target):
    """A whole frame, to the solicited-node multicast address (RFC 4861 4.3)."""
    target_bytes = socket.inet_pton(socket.AF_INET6, target)
    group = socket.inet_ntop(socket.AF_INET6, bytes.fromhex("ff0200000000000000000001ff") + target_bytes[13:])
    message = struct.pack("!BBHI", 135, 0, 0, 0) + target_bytes + b"\1\1" + mac_bytes(source_mac)
    packet = ipv6(source, group, 58, icmp6(source, group, message))
    return ether("33:33:ff:" + mac_text(target_bytes[13:]), source_mac, IPV6, packet)


def icmp6(source, destination, message):
    """An ICMPv6 message with its checksum put in."""
    total = checksum(_pseudo(source, destination, 58, len(message)) + message)
    return message[:2] + struct.pack("!H", total) + message[4:]


def vnet_header(flags=0, gso_type=0, header_length=0, gso_size=0, start=0, offset=0):
    return VNET_HEADER.pack(flags, gso_type, header_length, gso_size, start, offset)


class Port:
    """A place where frames go in and out: a lease's fd, or a socket of ours."""

    def __init__(self, fd, vnet_hdr=False):
        self.fd = fd
        self.vnet_hdr = vnet_hdr
        os.set_blocking(fd, False)

    def send(self, frame, header=None):
        """Sends one frame; header is the virtio_net_hdr (default: nothing asked)."""
        if self.vnet_hdr:
            frame = (header or vnet_header()) + frame
        return os.write(self.fd, frame)

    def _read(self):
        return os.read(self.fd, 70000)

    def receive(self, seconds=5):
        """The next frame, without virtio_net_hdr (which is in .header); None when none comes in time."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                data = self._read()
            except BlockingIOError:
                if not waiting.readable([self.fd], deadline - time.monotonic()):
                    return None
                continue
            self.header = data[:10] if self.vnet_hdr else b""
            return data[10:] if self.vnet_hdr else data

    def before(self, wanted, seconds=5):
        """All frames up to and without the wanted one (bytes that it contains, or a predicate). AssertionError if it does not come."""
        fits = wanted if callable(wanted) else lambda frame: wanted in frame
        seen = []
        seconds = tap.patience(seconds)
        deadline = time.monotonic() + seconds
        while (frame := self.receive(max(0, deadline - time.monotonic()))) is not None:
            if fits(frame):
                self.last = frame
                return seen
            seen.append(frame)
        raise AssertionError(f"the frame did not come within {seconds} s; what came: {[f[:40].hex() for f in seen[-5:]]}")

    def wait(self, wanted, seconds=5):
        """The wanted frame (bytes that it contains, or a predicate); others are dropped."""
        self.before(wanted, seconds)
        return self.last

    def drain(self):
        """Drops what is there now."""
        while self.receive(0) is not None:
            pass


class WirePort(Port):
    """Promiscuous AF_PACKET socket on an interface, the far end of the wire by default. A VLAN tag that the kernel took
    out of the frame is put back (PACKET_AUXDATA, packet(7)). Frames that this host sends itself are not seen."""

    SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING, MR_PROMISC = 263, 1, 8, 23, 1

    def __init__(self, interface="wire", where=lab.FAR):
        with lab.in_namespace(where) if where is not None else lab.contextlib.nullcontext():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            index = socket.if_nametoindex(interface)
        self.socket.setsockopt(self.SOL_PACKET, self.PACKET_AUXDATA, 1)
        self.socket.setsockopt(self.SOL_PACKET, self.PACKET_IGNORE_OUTGOING, 1)
        self.socket.setsockopt(self.SOL_PACKET, self.PACKET_ADD_MEMBERSHIP, struct.pack("iHH8x", index, self.MR_PROMISC, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind((interface, ETH_P_ALL))
        super().__init__(self.socket.fileno())

    def _read(self):
        data, control, _, _ = self.socket.recvmsg(70000, socket.CMSG_SPACE(20))
        for level, kind, value in control:
            if level == self.SOL_PACKET and kind == self.PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value[:20])
                if status & 0x10:  # TP_STATUS_VLAN_VALID, linux/if_packet.h
                    data = tagged(data, (tpid if status & 0x40 else VLAN, tci))
        return data

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
