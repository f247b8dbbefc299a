# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases of two users that are open while something happens to rawnet or to the machine, and must not notice."""

import contextlib
import os

from jeepney import HeaderFields

import bus
import frames
import lab
import vlan


class Held:
    """Leases of two users, of each kind, that stay open while something happens to rawnet."""

    def __init__(self, stack):
        self.connections = {}
        self.connect(stack)
        self.leases = []
        for user, connection in self.connections.items():
            for kind, options in (("tap", {"name": user}), ("packet", {}), ("packet", {"vnet_hdr": True})):
                self.leases.append(stack.enter_context(connection.open(kind, "vlan100", **options)))
        self.before = self.known()
        assert len(self.before) == 6, self.before

    def connect(self, stack):
        """Anew, when the bus has been away."""
        for user in ("member", "member2"):
            self.connections[user] = stack.enter_context(bus.connect(user))
        self.connections["member"].subscribe()

    def known(self):
        return self.connections["member"].leases()

    def check(self):
        """All of them are known as before, and work; nobody was told of an end."""
        # Others, that have just been closed, may be known a moment longer.
        lab.wait_for(lambda: self.known() == self.before, 10, "the same leases as before")
        with frames.WirePort() as trunk, frames.WirePort("wire.100") as far:
            for lease in self.leases:
                port = frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"])
                out = frames.marker(lease.info["mac"], f"still there {lease.id} {os.urandom(3).hex()}")
                port.send(out)
                trunk.wait(out[14:])
                text = os.urandom(46)
                far.send(frames.ether(lease.info["mac"], "02:00:00:00:00:77", frames.TEST, text))
                port.wait(text)
        ended = [fields[HeaderFields.path] for fields in (message.header.fields for message in self.connections["member"].signals)
                 if fields[HeaderFields.member] == "Ended" and fields[HeaderFields.path] in self.before]  # fmt: skip
        assert not ended, ended


@contextlib.contextmanager
def held():
    with contextlib.ExitStack() as stack:
        leases = Held(stack)
        yield leases
        leases.check()
    lab.wait_no_leases(30)
    lab.wait_for(lambda: not vlan.shared(100), 30, "the end of the shared VLAN interface")
