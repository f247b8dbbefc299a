# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemons restarted, killed and upgraded under live leases: none is lost, none of their holders notices, and what their guards have
dropped is counted on."""

import contextlib
import os
import shutil

import bus
import debian
import lab
import tap
from held import Held, held

NEWER = "/var/tmp/newer"


def pids():
    return {unit: debian.pid(unit) for unit in ("rawnetd.service", "rawnet-helper.service")}


def all_new(before):
    after = pids()
    assert all(after[unit] and after[unit] != before[unit] for unit in before), (before, after)


def test_ready():
    debian.ready()


def test_restart():
    with held():
        before = pids()
        for unit in before:
            debian.run("systemctl", "restart", unit)
        with bus.connect("member") as member, member.open_tap("vlan100"):
            all_new(before)


def test_restart_of_the_socket():
    with held():
        before = pids()["rawnet-helper.service"]
        debian.run("systemctl", "restart", "rawnet-helper.socket")
        with bus.connect("member") as member, member.open_tap("vlan100"):
            assert debian.pid("rawnet-helper.service") not in (0, before)


def test_killed():
    with held():
        before = pids()
        for unit in before:
            debian.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", unit)
        lab.wait_for(lambda: all(pid and pid != before[unit] for unit, pid in pids().items()), 30, "both to be there again")


def test_stopped_for_a_while():
    """While the daemons are not there, one lease ends. What is left afterwards is what lives."""
    with contextlib.ExitStack() as stack:
        leases = Held(stack)
        debian.run("systemctl", "stop", "rawnetd.service", "rawnet-helper.service")
        gone = leases.leases.pop()
        gone.close_fds()
        del leases.before[gone.path]
        lab.wait_for(lambda: gone.id not in lab.lease_ids(), 10, "the kernel's end of the lease")
        leases.check(counts=False)  # systemd forgets what it keeps for a service that is stopped
    lab.wait_no_leases(30)


@tap.limit(90)
def test_upgraded():
    """To a package with a higher version."""
    shutil.rmtree(NEWER, ignore_errors=True)
    debian.run("dpkg-deb", "--raw-extract", debian.PACKAGE, NEWER)
    with open(f"{NEWER}/DEBIAN/control", encoding="utf-8") as text:
        control = text.read()
    version = debian.run("dpkg-query", "--show", "--showformat=${Version}", "rawnet")
    with open(f"{NEWER}/DEBIAN/control", "w", encoding="utf-8") as out:
        out.write(control.replace(f"Version: {version}\n", f"Version: {version}+newer\n"))
    debian.run("dpkg-deb", "--root-owner-group", "-Znone", "--build", NEWER, f"{NEWER}.deb")
    with held():
        before = pids()
        debian.apt("install", f"{NEWER}.deb")
        assert debian.run("dpkg-query", "--show", "--showformat=${Version}", "rawnet") == f"{version}+newer"
        with bus.connect("member") as member, member.open_tap("vlan100"):
            all_new(before)
    assert debian.state("rawnet-helper.socket") == "active"
    shutil.rmtree(NEWER)
    os.unlink(f"{NEWER}.deb")


if debian.FULL:

    @tap.limit(90)
    def test_reinstalled():
        with held():
            before = pids()
            debian.apt("install", "--reinstall", debian.PACKAGE)
            with bus.connect("member") as member, member.open_tap("vlan100"):
                all_new(before)


if __name__ == "__main__":
    tap.main()
