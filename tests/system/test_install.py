# SPDX-License-Identifier: GPL-2.0-or-later
"""The package on a machine that has never seen it: what it brings, that it grants nobody anything, and the README's start."""

import grp
import json
import os
import pwd
import re
import shutil
import subprocess

import bus
import debian
import documents
import frames
import lab
import tap

BEFORE = "/var/lib/system-tests.before"
BOOT_SECONDS = 60  # of a nested guest


def test_remember_what_was_there():
    """For the purge at the end."""
    assert not debian.is_installed()
    with open(BEFORE, "w", encoding="utf-8") as out:
        json.dump(everything(), out)


def everything():
    """Every path where a package may leave something."""
    found = []
    for top in ("/etc", "/usr", "/var/lib", "/run", "/lib", "/var/cache", "/opt", "/srv"):
        for directory, directories, files in os.walk(top):
            directories[:] = [name for name in directories
                              if f"{directory}/{name}" not in ("/run/job", "/run/lab", "/run/user", "/run/udev")]  # fmt: skip
            found += [f"{directory}/{name}" for name in directories + files]
    return found


def test_apt_installs_it():
    """As the README has it; what tools/package makes is there already."""
    os.makedirs("/var/tmp/checkout/tools", exist_ok=True)
    with open("/var/tmp/checkout/tools/package", "w", encoding="ascii", opener=debian.executable) as out:
        out.write(f"#!/bin/sh\necho {debian.PACKAGE}\n")
    output = debian.run("bash", "-e", "-c", documents.block("install"), cwd="/var/tmp/checkout", timeout=300, env=debian.without_questions())
    shutil.rmtree("/var/tmp/checkout")
    for word in ("warning", "error", "failed"):
        assert word not in output.lower().replace("no sandbox user", ""), output
    assert debian.run("dpkg", "--verify", "rawnet") == ""


def test_only_the_helper_s_socket_is_started():
    assert {unit: debian.state(unit) for unit in debian.UNITS} == {
        "rawnet-helper.socket": "active", "rawnet-helper.service": "inactive", "rawnetd.service": "inactive"}  # fmt: skip
    assert debian.run("systemctl", "is-enabled", "rawnet-helper.socket").strip() == "enabled"
    status = os.stat(lab.HELPER_SOCKET)
    assert (status.st_mode & 0o777, status.st_uid) == (0o600, lab.uid_of("_rawnet")), oct(status.st_mode)


def test_its_users_and_an_empty_group():
    assert grp.getgrnam("rawnet").gr_mem == []
    for name in ("_rawnet", "_rawnet-helper"):
        account = pwd.getpwnam(name)
        assert account.pw_uid < 1000 and account.pw_shell.endswith("nologin"), account
        assert grp.getgrgid(account.pw_gid).gr_name == name, account


def test_there_are_no_networks():
    assert os.listdir("/etc/rawnet/networks") == []
    with bus.connect("member") as member:
        assert member.networks() == {}
        bus.expect_error("NoSuchNetwork", member.open_tap, "vlan100")


def test_nobody_may_before_the_group_has_members():
    with debian.network("early", VLAN=100):
        for user in ("member", "outsider", "nobody"):
            with bus.connect(user) as connection:
                for kind in ("tap", "packet"):
                    assert connection.can_open("early", kind) in ("no", "challenge"), user
                    bus.expect_error(bus.DBUS_ERROR + "InteractiveAuthorizationRequired", connection.open, kind, "early")


# -- the README, typed


def typed_as_root(text):
    """Into a login shell, as it stands."""
    done = subprocess.run(["bash", "-le"], input=text + "\n", capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{text}: {done.stdout} {done.stderr}"
    return done.stdout


@tap.limit(BOOT_SECONDS + 30)
def test_five_minutes():
    """The README's section of that name, as it is printed."""
    debian.run("useradd", "--create-home", "--shell", "/bin/bash", "alice")
    typed_as_root(documents.block("network-file"))
    typed_as_root(documents.block("group"))
    done = debian.login("alice", documents.block("check"))
    assert done.returncode == 0 and re.search("^vlan100 .* ok$", done.stdout, re.M), done
    tap.diag(done.stdout)
    # Her disk is empty, so the guest goes on to boot from the network.
    assert debian.login("alice", "truncate -s 1M disk.img").returncode == 0
    with frames.WirePort("wire.100") as far, \
            subprocess.Popen(["runuser", "-l", "alice", "-c", "exec " + documents.block("first-guest")], stdin=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True) as guest:  # fmt: skip
        try:
            far.wait(b"\x63\x82\x53\x63\x35\x01\x03", BOOT_SECONDS)  # DHCPREQUEST: it had an offer
            listed = debian.login("alice", documents.block("list")).stdout
            tap.diag(listed)
            assert "vlan100" in listed and "packet" in listed, listed
        finally:
            debian.run("pkill", "-u", "alice", "-f", "^qemu-system")
            tap.diag(guest.communicate(timeout=60)[1])
    lab.wait_no_leases()


def test_others_still_may_not():
    with bus.connect("outsider") as outsider:
        bus.expect_error(bus.DBUS_ERROR + "InteractiveAuthorizationRequired", outsider.open_tap, "vlan100")


@tap.limit(120)
def test_what_autopkgtest_runs():
    """debian/tests, on this installed package."""
    output = debian.run(f"{lab.SOURCE}/debian/tests/port-on-a-wire", timeout=120)
    assert output.endswith("PASS\n"), output
    assert not os.path.exists("/etc/rawnet/networks/autopkgtest.conf")
    lab.wait_no_leases()


if __name__ == "__main__":
    tap.main()
