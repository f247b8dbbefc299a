# SPDX-License-Identifier: GPL-2.0-or-later
"""A socket in the place of systemd's journal, which the lab has not: what the daemons write there."""

import contextlib
import os
import socket

import tap

SOCKET = "/run/systemd/journal/socket"


class Journal:
    def __init__(self, sock):
        self.socket = sock

    def entry(self, message_id, seconds=20):
        """The fields of the next entry with that MESSAGE_ID; others are dropped. TimeoutError if none comes."""
        self.socket.settimeout(tap.patience(seconds))
        while True:  # systemd.io/JOURNAL_NATIVE_PROTOCOL
            fields = dict(line.split("=", 1) for line in self.socket.recv(65536).decode().splitlines() if "=" in line)
            if fields.get("MESSAGE_ID") == message_id:
                return fields


@contextlib.contextmanager
def listening():
    assert not os.path.exists(SOCKET), "there is a journal"
    os.makedirs(os.path.dirname(SOCKET), exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(SOCKET)
        os.chmod(SOCKET, 0o666)
        try:
            yield Journal(sock)
        finally:
            os.unlink(SOCKET)
