# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain program on a packet lease: asks by ARP who has an address, and prints the frames that it reads from its
descriptor until the answer is there. It knows nothing of rawnet: frames.py FD MAC ASKED, the descriptor by number."""

import os
import select
import socket
import struct
import sys

KINDS = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6"}


def main():
    fd, mac, asked = int(sys.argv[1]), bytes.fromhex(sys.argv[2].replace(":", "")), socket.inet_aton(sys.argv[3])
    request = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + bytes(4) + bytes(6) + asked
    os.write(fd, (b"\xff" * 6 + mac + struct.pack("!H", 0x0806) + request).ljust(60, b"\0"))
    os.set_blocking(fd, False)
    while select.select([fd], [], [], 10)[0]:
        frame = os.read(fd, 65536)
        kind = struct.unpack_from("!H", frame, 12)[0]
        print(f"{len(frame):5} bytes  {frame[6:12].hex(':')} > {frame[0:6].hex(':')}  {KINDS.get(kind, hex(kind))}", flush=True)
        if kind == 0x0806 and frame[20:22] == b"\0\2" and frame[28:32] == asked:
            print(f"{sys.argv[3]} is at {frame[22:28].hex(':')}")
            return 0
    print("no answer within 10 s", file=sys.stderr)
    return 1


sys.exit(main())
