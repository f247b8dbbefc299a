#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens a packet port on a network, asks by ARP who has an address, and prints the answer. Needs python3-jeepney.

    arp_probe.py NETWORK ADDRESS
"""

import socket
import struct
import sys

from jeepney import DBusAddress, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection
from jeepney.low_level import MessageFlag

MANAGER = DBusAddress("/org/rawnet1", bus_name="org.rawnet1", interface="org.rawnet1.Manager")
DIALOGUE_SECONDS = 300  # a user may have to type a password
ARP = struct.Struct("!6s6sH HHBBH 6s4s6s4s")


def open_port(connection, network):
    """A socket and its MAC address as six bytes."""
    options = {"name": ("s", "arp-probe")}
    call = new_method_call(MANAGER, "OpenPacket", "sa{sv}", (network, options))
    call.header.flags |= MessageFlag.allow_interactive_authorization
    reply = connection.send_and_get_reply(call, timeout=DIALOGUE_SECONDS)
    if reply.header.message_type == MessageType.error:
        sys.exit(f"arp-probe: {reply.body[0]}")
    descriptors, _lease, info = reply.body
    return descriptors[0].to_socket(), bytes.fromhex(info["mac"][1].replace(":", ""))


def main():
    network, address = sys.argv[1], socket.inet_aton(sys.argv[2])
    with open_dbus_connection("SYSTEM", enable_fds=True) as connection:
        port, mac = open_port(connection, network)
    with port:  # closing the last copy ends the lease
        port.settimeout(5)
        port.send(ARP.pack(b"\xff" * 6, mac, 0x0806, 1, 0x0800, 6, 4, 1, mac, bytes(4), bytes(6), address))
        while True:
            frame = port.recv(65536)
            if len(frame) >= ARP.size:
                _, _, kind, *_, operation, sender, owner, _, _ = ARP.unpack_from(frame)
                if (kind, operation, owner) == (0x0806, 2, address):
                    print(f"{sys.argv[2]} is at {sender.hex(':')}")
                    return


if __name__ == "__main__":
    try:
        main()
    except TimeoutError:
        sys.exit(f"arp-probe: {sys.argv[2]}: no answer")
