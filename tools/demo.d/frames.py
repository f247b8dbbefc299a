# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain program on a packet lease: asks by ARP who has an address, and prints the frames that it reads from its
descriptor. It knows nothing of rawnet: frames.py FD MAC ASKED COUNT, the descriptor by number."""

import os
import select
import socket
import struct
import sys

KINDS = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6"}


def main():
    fd, mac, asked, count = int(sys.argv[1]), bytes.fromhex(sys.argv[2].replace(":", "")), sys.argv[3], int(sys.argv[4])
    request = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + bytes(4) + bytes(6) + socket.inet_aton(asked)
    os.write(fd, (b"\xff" * 6 + mac + struct.pack("!H", 0x0806) + request).ljust(60, b"\0"))
    os.set_blocking(fd, False)
    while count and select.select([fd], [], [], 10)[0]:
        frame = os.read(fd, 65536)
        kind = struct.unpack_from("!H", frame, 12)[0]
        print(f"{len(frame):5} bytes  {frame[6:12].hex(':')} > {frame[0:6].hex(':')}  {KINDS.get(kind, hex(kind))}", flush=True)
        count -= 1
    sys.exit(1 if count else 0)


main()
