# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's own VLAN interface by ifupdown, beside ports on the same VLAN, in either order: one that is called eth1.100, which
ifupdown makes, and one called vlan100 with vlan-raw-device, which Debian's package vlan makes (interfaces(5), vlan-interfaces(5)). As rawnet.network(5) has it."""

import contextlib
import os
import subprocess

import bus
import debian
import frames
import lab
import tap
import test_networkmanager
import test_units
import vlan

VID, NETWORK = 100, "vlan100"
FILE = "/run/interfaces-of-a-test"
OWN = {"eth1.100": "10.130.0.1", "vlan100": "10.130.0.2"}
INTERFACES = f"""iface eth1.100 inet static
    address {OWN['eth1.100']}/24

iface vlan100 inet static
    address {OWN['vlan100']}/24
    vlan-raw-device eth1
"""


@contextlib.contextmanager
def interfaces():
    """The file, for ifup and ifdown alone; the machine's networkd keeps off. Nothing is left."""
    with open(FILE, "w", encoding="ascii") as out:
        out.write(INTERFACES)
    try:
        with test_networkmanager.networkd_without(*OWN):
            yield
    finally:
        for name in OWN:
            if name in lab.links():
                change("ifdown", name)
            subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)
        os.unlink(FILE)


def change(program, name):
    """ifup or ifdown; what it said. Its status says little: ifup ignores an interface that it cannot make."""
    done = subprocess.run([program, "--interfaces", FILE, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, timeout=tap.patience(60))  # fmt: skip
    tap.diag(f"{program} {name}: {done.returncode} {done.stdout.strip()}")
    return done.stdout


def host_answers(name):
    """The host has that interface with its address, and answers the wire there."""
    assert OWN[name] in test_networkmanager.addresses(name), test_networkmanager.addresses(name)
    with frames.WirePort(f"wire.{VID}") as far:
        far.send(frames.arp(1, "02:00:00:00:00:77", "10.130.0.77", OWN[name]))
        far.wait(lambda frame: frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2")


def ended(member, lease, name):
    assert name not in lab.links(), "ifdown left it"
    assert member.wait_signal("Ended", 30, path=lease.path)[1] == ("link-gone",)


def test_ready():
    debian.ready()


@tap.limit(300)
def test_rawnet_s_first():
    """ifup cannot make it, and the port does not notice. Taken over, it is ifup's and the port's; ifdown deletes it."""
    for name in OWN:
        with interfaces(), bus.connect("member") as member, member.open_tap(NETWORK) as lease:
            member.subscribe()
            said = change("ifup", name)
            assert "VLAN device already exists" in said and name not in lab.links(), said
            test_units.both_ways(lease)
            (link,) = vlan.shared(VID)
            debian.run("ip", "link", "set", "dev", link["ifname"], "down")
            debian.run("ip", "link", "set", "dev", link["ifname"], "name", name, "group", "default", "up")
            lab.wait_for(lambda: not lab.links()[name].get("ifalias"), 30, "rawnet's letting go")  # pylint: disable=cell-var-from-loop
            change("ifup", name)
            host_answers(name)
            test_units.both_ways(lease)
            change("ifdown", name)
            ended(member, lease, name)
        lab.wait_no_leases(30)


@tap.limit(300)
def test_after_the_last_lease():
    """What ifup could not make it makes then."""
    for name in OWN:
        with interfaces():
            with bus.connect("member") as member, member.open_tap(NETWORK):
                change("ifup", name)
                assert name not in lab.links()
            lab.wait_for(lambda: not vlan.shared(VID), 30, "the end of rawnet's interface")
            change("ifup", name)
            host_answers(name)


@tap.limit(300)
def test_ifupdown_s_first():
    """Ports use it as it is, and end when ifdown deletes it."""
    for name in OWN:
        with interfaces(), bus.connect("member") as member:
            member.subscribe()
            change("ifup", name)
            with member.open_tap(NETWORK) as lease:
                assert not vlan.shared(VID)
                test_units.both_ways(lease)
                host_answers(name)
                change("ifdown", name)
                ended(member, lease, name)
        lab.wait_no_leases(30)


if __name__ == "__main__":
    tap.main()
