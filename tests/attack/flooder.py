# SPDX-License-Identifier: GPL-2.0-or-later
"""A program that floods org.rawnet1: flooder.py SHAPE CONNECTIONS [deaf]. Run as a user that is in no group. It sends messages of
one shape on all connections as fast as the bus takes them, and reads replies and drops them (deaf: reads nothing). Prints "flooding"
once every connection has sent something, then for each line of its stdin how many messages it has sent, and ends with its stdin."""

import array
import contextlib
import errno
import os
import select
import socket
import struct
import sys

from jeepney import DBusAddress, new_method_call, new_signal
from jeepney.io.blocking import open_dbus_connection
from jeepney.low_level import HeaderFields, MessageFlag

NAME, ROOT, MANAGER = "org.rawnet1", "/org/rawnet1", "org.rawnet1.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"
BATCH = 64  # messages that are sent together
DESCRIPTORS = 16


def call(interface, member, signature=None, body=(), path=ROOT, reply=True):
    message = new_method_call(DBusAddress(path, NAME, interface), member, signature, body)
    if not reply:
        message.header.flags |= MessageFlag.no_reply_expected
    return message


def open_tap(reply=True, network="nope", **options):
    return call(MANAGER, "OpenTap", "sa{sv}", (network, {key: ("s", value) for key, value in options.items()}), reply=reply)


def with_descriptors(message):
    message.header.fields[HeaderFields.unix_fds] = DESCRIPTORS
    return message


def shapes(owner):
    """{name: message}. owner is rawnetd's unique name: signals go to it alone."""
    signal = new_signal(DBusAddress(ROOT, interface=MANAGER), "Noise")
    signal.header.fields[HeaderFields.destination] = owner
    return {
        "bus": new_method_call(DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus"), "GetId"),
        "nowhere": new_method_call(DBusAddress("/org/freedesktop/nope", "org.freedesktop.nope", "org.freedesktop.nope"), "GetId"),
        "open": open_tap(),
        "silent-open": open_tap(reply=False),
        "denied-open": open_tap(network="lab"),  # polkit is asked
        "long-open": open_tap(evil="x" * 8192),
        "huge-open": open_tap(evil="x" * (1 << 20)),
        "silent-long-open": open_tap(reply=False, evil="x" * 8192),
        "descriptors": with_descriptors(open_tap()),
        "silent-descriptors": with_descriptors(open_tap(reply=False)),
        "check": call(MANAGER, "Check", "s", ("lab",)),
        "property": call(PROPERTIES, "Get", "ss", (MANAGER, "Version")),
        "all-properties": call(PROPERTIES, "GetAll", "s", (MANAGER,)),
        "silent-property": call(PROPERTIES, "Get", "ss", (MANAGER, "Version"), reply=False),
        "objects": call("org.freedesktop.DBus.ObjectManager", "GetManagedObjects"),
        "introspect": call("org.freedesktop.DBus.Introspectable", "Introspect"),
        "ping": call("org.freedesktop.DBus.Peer", "Ping"),
        "silent-close": call("org.rawnet1.Lease", "Close", path="/org/rawnet1/lease/65536", reply=False),
        "unknown": call("org.rawnet1.Nothing", "Nothing"),
        "signal": signal,
        "signal-descriptors": with_descriptors(signal),
    }


class Connection:
    """Sends the same message again and again, with a serial of its own each time."""

    def __init__(self, message, count=0):
        self.bus = open_dbus_connection(bus="unix:path=/run/dbus/system_bus_socket", enable_fds=True)
        self.sock = self.bus.sock
        self.sock.setblocking(False)
        self.serial = 1000
        self.one = message.serialise(1)
        self.descriptors = message.header.fields.get(HeaderFields.unix_fds)
        self.batch = 1 if self.descriptors or len(self.one) > 65536 else BATCH
        self.data = bytearray(self.one * self.batch)
        self.sent = len(self.data)  # of data
        self.count = count  # messages, but for the current batch
        self.null = os.open("/dev/null", os.O_RDONLY)

    def flood(self):
        try:
            while True:
                if self.sent == len(self.data):
                    self.count += self.batch if self.serial > 1000 else 0
                    for offset in range(0, len(self.data), len(self.one)):
                        self.serial = self.serial % 0xFFFFFFF0 + 1
                        struct.pack_into("<I", self.data, offset + 8, self.serial)
                    self.sent = 0
                if self.descriptors and self.sent == 0:
                    fds = array.array("i", [self.null] * DESCRIPTORS)
                    self.sent += self.sock.sendmsg([self.data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
                else:
                    self.sent += self.sock.send(memoryview(self.data)[self.sent :])
        except BlockingIOError:
            pass
        except OSError as error:
            # The bus is slower in taking the descriptors in flight than we (unix(7), ETOOMANYREFS).
            if error.errno != errno.ETOOMANYREFS:
                raise

    def drain(self):
        with contextlib.suppress(BlockingIOError):
            while self.sock.recv(1 << 20):
                pass
            raise EOFError


def main(shape, count, deaf):
    with open_dbus_connection(bus="unix:path=/run/dbus/system_bus_socket") as asker:
        driver = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
        owner = asker.send_and_get_reply(new_method_call(driver, "GetNameOwner", "s", (NAME,))).body[0]
    message = shapes(owner)[shape]
    connections = {one.sock.fileno(): one for one in (Connection(message) for _ in range(count))}
    poll = select.epoll()
    poll.register(0, select.EPOLLIN | select.EPOLLHUP)
    interest = select.EPOLLOUT if deaf else select.EPOLLIN | select.EPOLLOUT
    for fd in connections:
        poll.register(fd, interest)
    told, lost = False, []
    while True:
        for fd, events in poll.poll(0.1 if lost else None):
            if fd == 0:
                if not sys.stdin.readline():
                    return
                print(sum(one.count for one in [*connections.values(), *lost]), flush=True)
                continue
            one = connections[fd]
            try:
                if events & select.EPOLLIN:
                    one.drain()
                if events & select.EPOLLOUT:
                    one.flood()
            except (EOFError, BrokenPipeError, ConnectionResetError):
                # dbus-broker ends a connection whose user has too much unread.
                poll.unregister(fd)
                lost.append(connections.pop(fd))
                one.bus.close()
        # The flood goes on, as soon as the bus takes a new connection of this user.
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            while lost:
                one = Connection(message, lost[-1].count)
                lost.pop()
                connections[one.sock.fileno()] = one
                poll.register(one.sock, interest)
        if not told and all(one.serial > 1000 for one in connections.values()):
            told = True
            print("flooding", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), "deaf" in sys.argv[3:])
