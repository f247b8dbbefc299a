# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases of two users that are open while something happens to rawnet or to the machine, and must not notice."""

import contextlib
import os

from jeepney import HeaderFields

import bus
import frames
import lab
import vlan
from container import Container, attach


SPOOFED = "02:00:00:00:99:99"
NEIGHBOUR, ADDRESS = "10.77.100.1", "10.77.100.79/24"


class Held:
    """Leases of two users, of each kind, that stay open while something happens to rawnet: .leases, and .attached in .box."""

    def __init__(self, stack):
        self.connections = {}
        self.connect(stack)
        self.leases = []
        for user, connection in self.connections.items():
            for kind, options in (("tap", {"name": user}), ("packet", {}), ("packet", {"vnet_hdr": True})):
                self.leases.append(stack.enter_context(connection.open(kind, "vlan100", **options)))
        self.box = stack.enter_context(Container())
        self.attached = attach(self.connections["member"], "vlan100", self.box, up=True)
        self.box.run("ip", "address", "add", ADDRESS, "dev", "eth0")
        self.before = self.known()
        assert len(self.before) == 7, self.before
        self.n_spoofed = 0
        self.spoof()

    def connect(self, stack):
        """Anew, when the bus has been away."""
        for user in ("member", "member2"):
            self.connections[user] = stack.enter_context(bus.connect(user))
        self.connections["member"].subscribe()

    def spoof(self):
        """One frame of each that its guard has to drop. The sender gets ENOBUFS from a socket."""
        self.n_spoofed += 1
        for lease in self.leases:
            with contextlib.suppress(OSError):
                frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"]).send(frames.ether(frames.BROADCAST, SPOOFED, frames.TEST, b"spoofed"))

    def counted(self):
        """What each one's guard has dropped, as the helper that runs now can read it."""
        return {self.connections["member"].statistics(lease.path)["guard_dropped_spoofed_source"] for lease in self.leases}

    def check_guard(self, counts):
        """Their guard is there, and counts go on where systemd has kept them."""
        assert self.counted() == {self.n_spoofed if counts else 0}, (self.n_spoofed, self.counted())
        with frames.WirePort() as trunk:
            self.spoof()
            assert self.counted() == {self.n_spoofed if counts else 0}, (self.n_spoofed, self.counted())
            with self.connections["member"].open_tap("vlan100") as later:  # one of the new helper
                out = frames.marker(later.info["mac"], f"later {later.id}")
                frames.Port(later.fd, vnet_hdr=True).send(out)
                assert not [frame for frame in trunk.before(out[14:]) if frame[6:12] == frames.mac_bytes(SPOOFED)]

    def ids(self):
        return sorted(lease.id for lease in (*self.leases, self.attached))

    def known(self):
        return self.connections["member"].leases()

    def check(self, counts=True):
        """rawnetd lists all of them as before, they work, and no Ended was sent. counts: systemd has kept the guard's maps."""
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
        assert self.box.ping(NEIGHBOUR), "the container has lost its network"
        self.check_guard(counts)
        ended = [fields[HeaderFields.path] for fields in (message.header.fields for message in self.connections["member"].signals)
                 if fields[HeaderFields.member] == "Ended" and fields[HeaderFields.path] in self.before]  # fmt: skip
        assert not ended, ended


@contextlib.contextmanager
def held(counts=True):
    """counts: the units are not stopped meanwhile, so that systemd keeps the guard's maps."""
    with contextlib.ExitStack() as stack:
        leases = Held(stack)
        yield leases
        leases.check(counts)
    lab.wait_no_leases(30)
    lab.wait_for(lambda: not vlan.shared(100), 30, "the end of the shared VLAN interface")
