# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest of a few lines: answers ARP, IPv6 neighbour discovery and ping on a port, in a thread of its own."""

import os
import socket
import struct
import threading

import frames
import waiting


class Guest:
    """Answers while the block runs. .seen: every frame that came."""

    def __init__(self, port, mac, address4, address6):
        self.port, self.mac, self.address4, self.address6 = port, mac, address4, address6
        self.seen = []
        self.stop_read, self.stop_write = os.pipe()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.write(self.stop_write, b"x")
        self.thread.join()
        os.close(self.stop_read)
        os.close(self.stop_write)

    def _run(self):
        while self.stop_read not in waiting.readable([self.stop_read, self.port.fd]):
            frame = self.port.receive(0)
            if frame:
                self.seen.append(frame)
                answer = self._answer(frame)
                if answer:
                    self.port.send(answer)

    def _answer(self, frame):
        kind = int.from_bytes(frame[12:14], "big")
        source = frames.mac_text(frame[6:12])
        if kind == frames.ARP and frame[20:22] == b"\0\1" and frame[38:42] == socket.inet_aton(self.address4):
            sender = socket.inet_ntoa(frame[28:32])
            return frames.arp(2, self.mac, self.address4, sender, source, source)
        if kind == frames.IPV4 and frame[23] == 1 and frame[34] == 8 and frame[30:34] == socket.inet_aton(self.address4):
            size = int.from_bytes(frame[16:18], "big")
            message = b"\0\0\0\0" + frame[38:14 + size]
            message = message[:2] + struct.pack("!H", frames.checksum(message)) + message[4:]
            return frames.ether(source, self.mac, kind, frames.ipv4(self.address4, socket.inet_ntoa(frame[26:30]), 1, message))
        if kind == frames.IPV6 and frame[20] == 58:
            return self._answer6(frame, source)
        return None

    def _answer6(self, frame, source):
        mine = socket.inet_pton(socket.AF_INET6, self.address6)
        sender = socket.inet_ntop(socket.AF_INET6, frame[22:38])
        if frame[54] == 135 and frame[62:78] == mine:  # RFC 4861 4.4: solicited, override
            message = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + mine + b"\2\1" + frames.mac_bytes(self.mac)
        elif frame[54] == 128 and frame[38:54] == mine:
            message = b"\x81\0\0\0" + frame[58:54 + int.from_bytes(frame[18:20], "big")]
        else:
            return None
        packet = frames.ipv6(self.address6, sender, 58, frames.icmp6(self.address6, sender, message))
        return frames.ether(source, self.mac, frames.IPV6, packet)
