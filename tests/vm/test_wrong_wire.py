# SPDX-License-Identifier: GPL-2.0-or-later
"""An ifindex of another namespace is not the parent's, and a parent that was moved away is not the one that came (802.1Q)."""

import contextlib

import bus
import frames
import lab
import tap
import vlan
from host_interface import namespace

SECONDS = 20
INDEX = "77"


@contextlib.contextmanager
def card(name="card0", where=None):
    """A network card with ifindex 77 and its other end, both up."""
    ip = ["ip", *(["-n", where] if where else [])]
    vlan.run(*ip, "link", "add", "index", INDEX, "name", name, "type", "veth", "peer", "index", "90", "name", f"{name}far")
    try:
        vlan.run(*ip, "link", "set", name, "up")
        vlan.run(*ip, "link", "set", f"{name}far", "up")
        yield name
    finally:
        vlan.run(*ip, "link", "del", f"{name}far")


def busy(connection, network):
    for kind in ("tap", "packet"):
        text = bus.expect_error("NetworkBusy", connection.open, kind, network)
        assert "VLAN 100 of card0" in text, text


def test_a_vlan_interface_on_an_index_of_another_namespace():
    """The parent's VLAN 100 is inside a container; the host has a VLAN interface whose lower link has the parent's index elsewhere."""
    with namespace("container") as container, namespace("foreign") as foreign, card() as parent, card("other0", foreign), \
            lab.network("indexed", Parent=parent, VLAN=100), bus.connect("member") as connection:  # fmt: skip
        vlan.run("ip", "link", "add", "link", parent, "name", "inside", "netns", container, "type", "vlan", "id", "100")
        vlan.run("ip", "-n", foreign, "link", "add", "link", "other0", "name", "host100", "type", "vlan", "id", "100")
        vlan.run("ip", "-n", foreign, "link", "set", "host100", "netns", "1")
        vlan.run("ip", "link", "set", "host100", "up")
        busy(connection, "indexed")
        vlan.run("ip", "link", "del", "host100")


def test_a_parent_that_was_moved_away():
    """The shared interface of VLAN 100 stays in the host's namespace with the old parent; a new card gets the parent's index."""
    with contextlib.ExitStack() as stack:
        container = stack.enter_context(namespace("container"))
        connection = stack.enter_context(bus.connect("member"))
        stack.enter_context(lab.network("moved", Parent="card0", VLAN=100))
        with card() as parent, connection.open_tap("moved") as lease:
            vlan.run("ip", "link", "set", parent, "netns", container)
            vlan.run("ip", "link", "add", "index", INDEX, "name", "card0", "type", "veth", "peer", "index", "91", "name", "newfar")
            stack.callback(vlan.run, "ip", "link", "del", "newfar")
            vlan.run("ip", "link", "set", "card0", "up")
            vlan.run("ip", "link", "set", "newfar", "up")
            busy(connection, "moved")
            lease.close_fds()
        # Nothing holds the old interface any more: the next open makes one on the new card.
        lab.wait_for(lambda: not vlan.shared(100), SECONDS, "the end of the old shared interface")
        with connection.open_tap("moved") as lease, frames.WirePort("newfar", None) as new:
            frames.Port(lease.fd, True).send(frames.marker(lease.info["mac"], "on the new wire"))
            new.wait(b"on the new wire", SECONDS)


if __name__ == "__main__":
    tap.main()
