# SPDX-License-Identifier: GPL-2.0-or-later
"""A socket in the place of systemd's journal, which the lab has not: what the daemons write there."""

import contextlib
import os
import re
import socket

import lab
import tap

SOCKET = "/run/systemd/journal/socket"


class Journal:
    def __init__(self, sock):
        self.socket = sock

    def entry(self, message_id, seconds=20):
        """The fields of the next entry with that MESSAGE_ID; others are dropped. TimeoutError if none comes."""
        while True:
            fields = self.any_entry(seconds)
            if fields.get("MESSAGE_ID") == message_id:
                return fields

    def any_entry(self, seconds=20):
        """The fields of the next entry."""
        self.socket.settimeout(tap.patience(seconds))
        # systemd.io/JOURNAL_NATIVE_PROTOCOL
        return dict(line.split("=", 1) for line in self.socket.recv(65536).decode().splitlines() if "=" in line)


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


@contextlib.contextmanager
def of_a_new_service():
    """The same, with a rawnetd that has written no entries yet: those of one user are limited."""
    if lab.service_pid():
        lab.kill_service()
    with listening() as log:
        yield log


def events():
    """{name: MESSAGE_ID} of all events, common/names.h."""
    with open(f"{lab.SOURCE}/common/names.h", encoding="utf-8") as header:
        return dict(re.findall(r'^#define RAWNET_EVENT_(\w+) "(\w+)"', header.read(), re.M))
