# SPDX-License-Identifier: GPL-2.0-or-later
"""The package taken away again: leases outlive it, and it leaves its system users and what the administrator wrote."""

import json
import os

import bus
import debian
import frames
import lab
import tap
import test_install

# What changes on a machine that lives, whoever is installed: logs, caches, dpkg's own books, the users' database.
ALIVE = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/etc/.pwd.lock", "/etc/ld.so.cache",
         "/var/lib/dpkg/", "/var/lib/apt/", "/var/lib/systemd/", "/var/lib/dbus", "/var/lib/misc", "/var/lib/system-", "/var/lib/polkit-1",
         "/var/lib/private", "/var/cache/", "/run/", "/usr/share/polkit-1/rules.d", "/var/lib/man-db", "/var/lib/libvirt",
         "/etc/apparmor.d")  # fmt: skip


def test_ready():
    debian.ready()


def test_removed_under_a_lease():
    with bus.connect("member") as member, member.open_tap("vlan100") as lease:
        port = frames.Port(lease.fd, vnet_hdr=True)
        debian.apt("remove", "rawnet")
        with frames.WirePort() as trunk:
            out = frames.marker(lease.info["mac"], "outlives the package")
            port.send(out)
            trunk.wait(out[14:])
        # And comes back to it.
        debian.apt("install", debian.PACKAGE)
        with bus.connect("member") as again:
            # A slow machine's rawnetd has started without the helper's list.
            lab.wait_for(lambda: lease.path in again.leases(), 30, "the lease in the list")
    lab.wait_no_leases(30)
    lab.wait_for(lambda: not [name for name in lab.links() if name.startswith("rnv")], 30, "the end of the VLAN interface")


def test_purged():
    debian.apt("purge", "rawnet")
    assert not debian.is_installed()
    for unit in debian.UNITS:
        assert debian.show(unit, "LoadState")["LoadState"] == "not-found", unit
    assert not os.path.exists("/run/rawnet"), os.listdir("/run/rawnet")
    assert not [name for name in lab.links() if name.startswith("rnv")]


def test_users_and_networks_stay():
    for name in ("_rawnet", "_rawnet-helper"):
        debian.run("getent", "passwd", name)
    assert "member" in debian.run("getent", "group", "rawnet")
    assert os.path.exists(debian.NETWORK_FILE)


def test_nothing_else_stays():
    if not os.path.exists(test_install.BEFORE):
        return  # this file by itself
    with open(test_install.BEFORE, encoding="utf-8") as text:
        before = set(json.load(text))
    new = sorted(set(test_install.everything()) - before - {debian.NETWORK_FILE, "/etc/rawnet", "/etc/rawnet/networks"})
    left = [path for path in new if not path.startswith(ALIVE)
            or "rawnet" in path and not path.startswith(("/var/lib/dpkg/", "/var/cache/apt"))]  # fmt: skip
    assert not left, left


if debian.FULL:

    def test_an_empty_directory_goes_too():
        debian.apt("install", debian.PACKAGE)
        os.unlink(debian.NETWORK_FILE)
        debian.apt("purge", "rawnet")
        assert not os.path.exists("/etc/rawnet")


if __name__ == "__main__":
    tap.main()
