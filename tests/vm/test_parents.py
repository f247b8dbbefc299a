# SPDX-License-Identifier: GPL-2.0-or-later
"""Parents of real hosts that need a word or none: a VLAN-aware bridge, one with an ipvlan on it, a member of a VRF."""

import contextlib

import bus
import frames
import lab
import tap
import vlan

KINDS = ("tap", "packet")


@contextlib.contextmanager
def made(*commands, undo):
    """The interface that the commands make, ip(8)'s words each; undo deletes it."""
    try:
        for command in commands:
            vlan.run(*command.split())
        yield
    finally:
        vlan.run("ip", "link", "del", undo)


def wire():
    """parent0, up, with peer0 at its other end."""
    return made("ip link add parent0 type veth peer name peer0", "ip link set parent0 up", "ip link set peer0 up", undo="parent0")


def bridge():
    return made("ip link add br-test type bridge vlan_filtering 1 forward_delay 0", "ip link set parent0 master br-test",
                "ip link set br-test up", undo="br-test")  # fmt: skip


def refused(connection, network, *words):
    for kind in KINDS:
        text = bus.expect_error("NotSupported", connection.open, kind, network)
        for word in (network, *words):
            assert word in text, (word, text)


def check(network):
    done = lab.run_as("member", ["rawnetctl", "check", network])
    return done.returncode, done.stdout


def passes(connection, network, tag=None):
    """A frame each way, with that tag on peer0."""
    for kind in KINDS:
        with connection.open(kind, network) as lease, frames.WirePort("peer0", None) as far:
            port = frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"])
            text = f"{network} {kind}".encode().ljust(46, b"\0")

            def out():
                port.send(frames.ether("ff:ff:ff:ff:ff:ff", lease.info["mac"], frames.TEST, text))
                with contextlib.suppress(AssertionError):
                    return far.wait(text, 0.5)

            lab.wait_for(out, 30, "a frame on the wire")
            port.send(frames.ether("ff:ff:ff:ff:ff:ff", lease.info["mac"], frames.TEST, b"last " + text))
            tags = vlan.taken_apart(far.wait(b"last " + text))[2]
            assert tags == ([(0x8100, tag)] if tag else []), tags
            inner = b"".join((b"\x81\0", tag.to_bytes(2, "big"))) if tag else b""
            frame = frames.ether(lease.info["mac"], "02:00:00:00:00:77", frames.TEST, b"in " + text)
            far.send(frame[:12] + inner + frame[12:])
            port.wait(b"in " + text)
        lab.wait_no_leases()


def test_a_vlan_aware_bridge_that_lacks_the_vlan():
    """Proxmox's vmbr0: the VLAN has to be on the bridge's own interface, too."""
    with wire(), bridge(), bus.connect("member") as connection, lab.network("aware", Parent="br-test", VLAN="150"), \
            lab.network("trunk", Parent="br-test", VLAN="150-159"), lab.network("plain", Parent="br-test"):  # fmt: skip
        vlan.run("bridge", "vlan", "add", "vid", "150", "dev", "parent0")
        remedy = "bridge vlan add vid 150 dev br-test self"
        refused(connection, "aware", remedy)
        refused(connection, "trunk.150", remedy)
        assert (code := check("aware"))[0] == 1 and remedy in code[1], code
        assert not vlan.shared(150), "nothing is made for a network that cannot work"
        passes(connection, "plain")
        vlan.run(*remedy.split())
        assert remedy not in check("aware")[1]
        # Of a range, the first that is missing.
        assert "bridge vlan add vid 151 dev br-test self" in check("trunk")[1]
        assert "bridge vlan" not in check("trunk.150")[1]
        passes(connection, "aware", 150)
        passes(connection, "trunk.150", 150)
        # The whole range in one entry.
        vlan.run("bridge", "vlan", "add", "vid", "151-159", "dev", "br-test", "self")
        assert "bridge vlan" not in check("trunk")[1]


def test_a_vlan_aware_bridge_that_takes_the_tag_off():
    """The default VLAN of a bridge: its own interface gets it untagged, so that its VLAN interface would hear nothing."""
    with wire(), bridge(), bus.connect("member") as connection, lab.network("first", Parent="br-test", VLAN="1"), \
            lab.network("plain", Parent="br-test"):  # fmt: skip
        refused(connection, "first", "bridge vlan add vid 1 dev br-test self")
        passes(connection, "plain")
        vlan.run("bridge", "vlan", "del", "vid", "1", "dev", "br-test", "self")
        refused(connection, "plain", "no untagged frames", "pvid untagged")
        assert "pvid untagged" in check("plain")[1]


def test_a_bridge_that_knows_no_vlans():
    with wire(), made("ip link add br-test type bridge forward_delay 0", "ip link set parent0 master br-test",
                      "ip link set br-test up", undo="br-test"), \
            bus.connect("member") as connection, lab.network("simple", Parent="br-test", VLAN="150"):  # fmt: skip
        assert "bridge vlan" not in check("simple")[1]
        passes(connection, "simple", 150)


def test_an_ipvlan_on_the_parent_is_named():
    """The kernel says "Device or resource busy" of it."""
    with wire(), bus.connect("member") as connection, lab.network("crowded", Parent="parent0"), \
            lab.network("crowded-vlan", Parent="parent0", VLAN="150"):  # fmt: skip
        with made("ip link add link parent0 name own0 type ipvlan", undo="own0"):
            refused(connection, "crowded", "parent0", "own0", "ipvlan", "ip link delete own0")
            assert "parent0 carries own0 (ipvlan)" in check("crowded")[1]
        with made("ip link add link parent0 name parent0.150 type vlan id 150", "ip link set parent0.150 up",
                  "ip link add link parent0.150 name own0 type ipvlan", undo="parent0.150"):  # fmt: skip
            refused(connection, "crowded-vlan", "parent0.150", "own0")
            assert "parent0.150 carries own0 (ipvlan)" in check("crowded-vlan")[1]
        passes(connection, "crowded")


def test_an_ipvlan_of_a_container():
    with wire(), bus.connect("member") as connection, lab.network("crowded", Parent="parent0"):
        vlan.run("ip", "netns", "add", "box")
        try:
            vlan.run("ip", "link", "add", "link", "parent0", "name", "own0", "netns", "box", "type", "ipvlan")
            refused(connection, "crowded", "container", "ipvlan")
        finally:
            vlan.run("ip", "netns", "del", "box")


def test_a_member_of_a_vrf_serves():
    with wire(), bus.connect("member") as connection, lab.network("routed", Parent="parent0"), \
            lab.network("routed-vlan", Parent="parent0", VLAN="150"):  # fmt: skip
        with made("ip link add vrf-test type vrf table 77", "ip link set vrf-test up",
                  "ip link set parent0 master vrf-test", undo="vrf-test"):  # fmt: skip
            assert "port of another" not in check("routed")[1]
            passes(connection, "routed")
            passes(connection, "routed-vlan", 150)


if __name__ == "__main__":
    tap.main()
