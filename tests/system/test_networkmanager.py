# SPDX-License-Identifier: GPL-2.0-or-later
"""NetworkManager on the machine: it keeps off rawnet's own interfaces, whoever was there first, and may manage a host interface.

It runs in this file alone, and never for the machine's own cards, which are networkd's.
"""

import contextlib
import os
import shutil
import subprocess

import bus
import debian
import lab
import station
import tap
import test_units
import vlan

SERVICE = "NetworkManager.service"
RUN, STATE = "/run/NetworkManager", "/var/lib/NetworkManager"
# As a package would bring it: without it, it takes an interface that it did not make once that has an address.
CATCH_ALL = "/usr/lib/NetworkManager/conf.d/50-everything.conf"
EVERYTHING = """[device-everything]
match-device=*
managed=1
"""
CONFIGURATION = """[main]
dns=none
hostname-mode=none
no-auto-default=*

[device-cards]
match-device=interface-name:eth*
managed=0
"""
NETWORK, INTERFACE, VID = "hosted", "build0", 301
UNIT = f"rawnet-host@{NETWORK}.service"
SOMEONES = "someones"
OWN, PROFILE, ADDRESS = "eth1.100", "office", "10.130.0.1"
NETWORKD = "/run/systemd/network/10-networkmanager-s.network"


def cards():
    """What must not change: addresses, flags, and who manages them."""
    return [(entry["ifname"], entry["flags"], [address["local"] for address in entry["addr_info"]],
             test_units.networkd_state(entry["ifindex"]))
            for entry in lab.ip("address", "show") if entry["ifname"].startswith("eth")]  # fmt: skip


def states():
    """{interface: state} as NetworkManager has it."""
    lines = debian.run("nmcli", "-t", "-f", "DEVICE,STATE", "device").splitlines()
    return dict(line.split(":", 1) for line in lines)


def addresses(name):
    return [address["local"] for entry in lab.ip("address", "show", "dev", name) for address in entry["addr_info"]]


@contextlib.contextmanager
def networkmanager():
    """It runs, and leaves nothing."""
    before = os.listdir(STATE)
    os.makedirs(f"{RUN}/conf.d")
    for path, text in ((CATCH_ALL, EVERYTHING), (f"{RUN}/conf.d/cards.conf", CONFIGURATION)):
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
    try:
        debian.run("systemctl", "start", SERVICE)
        yield
    except AssertionError:
        tap.diag(debian.run("journalctl", "--no-pager", "--boot", "--lines=60", f"--unit={SERVICE}"))
        raise
    finally:
        debian.run("systemctl", "stop", SERVICE)
        os.unlink(CATCH_ALL)
        shutil.rmtree(RUN)
        for name in set(os.listdir(STATE)) - set(before):
            os.unlink(f"{STATE}/{name}")


@contextlib.contextmanager
def networkd_without(*names):
    """These are NetworkManager's: the machine's networkd would take every interface (tools/system.d/customize.sh)."""
    os.makedirs(os.path.dirname(NETWORKD), exist_ok=True)
    with open(NETWORKD, "w", encoding="ascii") as out:
        out.write(f"[Match]\nName={' '.join(names)}\n\n[Link]\nUnmanaged=yes\n")
    debian.run("networkctl", "reload")
    try:
        yield
    finally:
        os.unlink(NETWORKD)
        debian.run("networkctl", "reload")


@contextlib.contextmanager
def someones_vlan():
    """The positive control: of the same kind as rawnet's, on the same port, up, but by another name."""
    debian.run("ip", "link", "add", "link", "eth1", "name", SOMEONES, "up", "type", "vlan", "id", "4001")
    try:
        yield
    finally:
        debian.run("ip", "link", "del", SOMEONES)


@contextlib.contextmanager
def host_interface():
    debian.write_network(NETWORK, VID, HostInterface=INTERFACE)
    try:
        debian.run("systemctl", "start", UNIT)
        yield
    finally:
        debian.run("systemctl", "stop", UNIT, "rawnet-host.path")
        os.unlink(f"/etc/rawnet/networks/{NETWORK}.conf")


def taken(name):
    return states().get(name, "unmanaged") != "unmanaged"


def kept_off(lease, vid):
    """It works, and its VLAN interface is nobody's, and closed."""
    (link,) = vlan.shared(vid)
    assert states()[link["ifname"]] == "unmanaged", states()
    assert addresses(link["ifname"]) == []
    with open(f"/proc/sys/net/ipv6/conf/{link['ifname']}/disable_ipv6", encoding="ascii") as text:
        assert text.read() == "1\n", link["ifname"]
    test_units.both_ways(lease, vid, f"wire.{vid}")


def test_ready():
    debian.ready()
    assert debian.state(SERVICE) == "inactive"


@tap.limit(300)
def test_keeps_off():
    before = cards()
    with bus.connect("member") as member, debian.network("later", VLAN=300), networkd_without(SOMEONES), \
            member.open_tap("vlan100") as earlier, networkmanager():  # fmt: skip
        with member.open_tap("later") as later, someones_vlan():
            # Made last: when that one is taken, the others have been decided on.
            lab.wait_for(lambda: taken(SOMEONES), 30, "NetworkManager to take an interface")
            tap.diag(f"{states()}")
            kept_off(earlier, 100)
            kept_off(later, 300)
            test_units.test_helper_s_host_measures()
    assert debian.state(SERVICE) == "inactive" and cards() == before, cards()


@tap.limit(300)
def test_a_host_interface_is_its():
    before = cards()
    with networkd_without(INTERFACE), host_interface(), networkmanager():
        lab.wait_for(lambda: taken(INTERFACE), 30, "NetworkManager to take the host interface")
        (link,) = vlan.shared(VID)
        debian.run("nmcli", "connection", "add", "save", "no", "con-name", INTERFACE, "type", "macvlan", "ifname", INTERFACE, "dev", link["ifname"],
                   "mode", "bridge", "ipv4.method", "auto", "ipv6.method", "disabled")  # fmt: skip
        debian.run("nmcli", "connection", "up", INTERFACE)
        lab.wait_for(lambda: addresses(INTERFACE), 30, "NetworkManager's address")
        assert addresses(INTERFACE)[0].startswith("10.78.1.") and station.ping("10.78.1.1"), addresses(INTERFACE)
        assert states()[link["ifname"]] == "unmanaged" and addresses(link["ifname"]) == [], states()
    lab.wait_for(lambda: not vlan.shared(VID), 20, "the end of the shared VLAN interface")
    assert debian.state(SERVICE) == "inactive" and cards() == before, cards()


@contextlib.contextmanager
def own_vlan():
    """A profile of the host's own interface on VLAN 100; NetworkManager runs, and networkd keeps off. Nothing is left."""
    with networkd_without(OWN), networkmanager():
        debian.run("nmcli", "connection", "add", "save", "no", "con-name", PROFILE, "autoconnect", "no", "type", "vlan", "ifname", OWN,
                   "dev", "eth1", "id", "100", "ipv4.method", "manual", "ipv4.addresses", f"{ADDRESS}/24", "ipv6.method", "disabled")  # fmt: skip
        try:
            yield
        finally:
            debian.run("nmcli", "connection", "delete", PROFILE)
            subprocess.run(["ip", "link", "del", OWN], capture_output=True, check=False)


@tap.limit(300)
def test_its_own_vlan_interface_after_rawnet_s():
    """It cannot make one. Taken over, the interface is its, and stays when the profile goes down, since it did not make it."""
    with own_vlan(), bus.connect("member") as member, member.open_tap("vlan100") as lease:
        done = subprocess.run(["nmcli", "connection", "up", PROFILE], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode != 0 and "File exists" in done.stderr and OWN not in lab.links(), done
        test_units.both_ways(lease)
        (link,) = vlan.shared(100)
        debian.run("ip", "link", "set", "dev", link["ifname"], "down")
        debian.run("ip", "link", "set", "dev", link["ifname"], "name", OWN, "group", "default", "up")
        lab.wait_for(lambda: not lab.links()[OWN].get("ifalias"), 30, "rawnet's letting go")
        debian.run("nmcli", "connection", "up", PROFILE)
        assert ADDRESS in addresses(OWN), addresses(OWN)
        test_units.both_ways(lease)
        debian.run("nmcli", "connection", "down", PROFILE)
        assert ADDRESS not in addresses(OWN) and member.get_all(lease.path, bus.LEASE)["State"] == "open"
        test_units.both_ways(lease)
    lab.wait_no_leases(30)


@tap.limit(300)
def test_its_own_vlan_interface_before_rawnet_s():
    """Ports use it as it is, and end with it when the profile goes down."""
    with own_vlan(), bus.connect("member") as member:
        member.subscribe()
        debian.run("nmcli", "connection", "up", PROFILE)
        with member.open_tap("vlan100") as lease:
            assert not vlan.shared(100) and ADDRESS in addresses(OWN)
            test_units.both_ways(lease)
            debian.run("nmcli", "connection", "down", PROFILE)
            assert OWN not in lab.links()
            assert member.wait_signal("Ended", 30, path=lease.path)[1] == ("link-gone",)
    lab.wait_no_leases(30)


if __name__ == "__main__":
    tap.main()
