# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with the kernel's own IP stack: a network namespace of its own whose tap is joined to a lease's descriptor."""

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import threading

import frames
import lab
import tap
import waiting

TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x2, 0x1000, 0x4000
NAME = "g0"


class Station:
    """While the block runs: .run(*words) a command in it, .socket() one of its sockets, .ping(address). seen: a list that takes
    (frame, virtio_net_hdr) of all that the lease brings."""

    def __init__(self, lease, *addresses, seen=None):
        self.fd, self.seen = lease.fd, seen
        # Both ends have a virtio_net_hdr, or the lease's gets one of zeros: nothing is left to be completed.
        self.header = b"" if lease.info["vnet-hdr"] else frames.vnet_header()
        os.set_blocking(self.fd, False)
        self.mac, self.addresses = lease.info["mac"], addresses
        self.namespace = self.tap = -1

    def __enter__(self):
        self.namespace = lab.new_namespace()
        with lab.in_namespace(self.namespace):
            self.tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self.tap, TUNSETIFF, struct.pack("16sH22x", NAME.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        self.run("ip", "link", "set", NAME, "address", self.mac, "addrgenmode", "none")
        self.run("ip", "link", "set", NAME, "up")
        for address in self.addresses:
            self.run("ip", "addr", "add", address, "dev", NAME, *(["nodad"] if ":" in address else []))
        self.stop_read, self.stop_write = os.pipe()
        self.thread = threading.Thread(target=self._join)
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.write(self.stop_write, b"x")
        self.thread.join()
        for fd in (self.stop_read, self.stop_write, self.tap, self.namespace):
            os.close(fd)

    def _join(self):
        ends = [self.stop_read, self.fd, self.tap]
        while self.stop_read not in (ready := waiting.readable(ends)):
            with contextlib.suppress(OSError):  # what a real card would lose as well
                if self.fd in ready:
                    data = self.header + os.read(self.fd, 70000)
                    if self.seen is not None:
                        self.seen.append((data[frames.VNET_HEADER.size:], data[:frames.VNET_HEADER.size]))
                    os.write(self.tap, data)
            with contextlib.suppress(OSError):
                if self.tap in ready:
                    os.write(self.fd, os.read(self.tap, 70000)[len(self.header):])

    def run(self, *words):
        with lab.in_namespace(self.namespace):
            return command(*words)

    def ping(self, address):
        with lab.in_namespace(self.namespace):
            return ping(address)

    def socket(self, family=socket.AF_INET):
        with lab.in_namespace(self.namespace):
            return socket.socket(family, socket.SOCK_STREAM)


def command(*words):
    """A command that has to succeed; its output."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr.strip()}"
    return done.stdout


def ping(address, tries=3):
    """Does the address answer this namespace?"""
    words = ["ping", "-c", "1", "-W", str(tap.patience(2)), "-q", address]
    return any(subprocess.run(words, capture_output=True, check=False).returncode == 0 for _ in range(tries))


def transfer(server, client, address, port=7777, size=1_000_000):
    """size bytes from client to a server and back over TCP, both sockets unconnected; AssertionError if they are not the same."""
    data = os.urandom(size)
    seconds = tap.patience(20)
    server.settimeout(seconds)
    client.settimeout(seconds)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(1)

    def echo():
        peer, _ = server.accept()
        with peer:
            peer.settimeout(seconds)
            peer.sendall(b"".join(iter(lambda: peer.recv(65536), b"")))

    thread = threading.Thread(target=echo)
    thread.start()
    try:
        client.connect((address, port))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        back = b"".join(iter(lambda: client.recv(65536), b""))
    finally:
        client.close()
        thread.join(seconds + 5)
        server.close()
    assert back == data, f"{len(back)} bytes of {size} came back, or not the same"
