# SPDX-License-Identifier: GPL-2.0-or-later
"""The package rawnet-qemu: QEMU and libvirt reach rawnet by the path that they have built in, QEMU's own helper keeps its rights for
the bridges of others, and whatever becomes of the package, that helper is where it belongs. (tests/bus/test_qemu_path.py has what the
program decides.)"""

import contextlib
import os
import shutil
import struct
import subprocess

import debian
import documents
import lab
import tap
import test_guest
import test_libvirt

os.environ.pop("RAWNET_LAB", None)  # one libvirt session lives through several tests

PLACE, PROGRAM = "/usr/lib/qemu/qemu-bridge-helper", "/usr/sbin/rawnet-qemu-bridge-helper"
ORIGINAL = f"{PLACE}.distrib"
BRIDGE, ACL = "br-real", "/etc/qemu/bridge.conf"
PROFILE = "/etc/apparmor.d/usr.sbin.libvirtd"
WORK = "/var/tmp/qemu-path"
# linux/capability.h, struct vfs_cap_data: revision 2, CAP_NET_ADMIN permitted and effective.
NET_ADMIN = struct.pack("<5I", 0x02000001, 1 << 12, 0, 0, 0)
before = {}


def state(path):
    """What is at path: it must come back."""
    with contextlib.suppress(OSError):
        status = os.stat(path)
        return status.st_ino, status.st_mode, status.st_uid, status.st_gid, os.listxattr(path)
    return None


def is_diverted():
    """Is everything as the package has it?"""
    assert os.readlink(PLACE).endswith("/sbin/rawnet-qemu-bridge-helper") and os.path.samefile(PLACE, PROGRAM)
    assert os.stat(PROGRAM).st_mode & 0o7777 == 0o755 and not os.listxattr(PROGRAM)
    assert debian.run("dpkg-divert", "--listpackage", PLACE).strip() == "rawnet-qemu"
    assert debian.run("dpkg", "--verify", "rawnet-qemu") == ""
    assert debian.run("dpkg", "--verify", "qemu-system-common") == before["verify"]


def is_back():
    """Is everything as it was before the package came, but for what the administrator did to QEMU's own helper?"""
    assert not os.path.islink(PLACE) and not os.path.lexists(ORIGINAL) and not os.path.lexists(PROGRAM)
    assert debian.run("dpkg-divert", "--list", "*qemu-bridge-helper*") == ""
    assert debian.run("dpkg", "--verify", "qemu-system-common") == before["verify"]


def install():
    debian.apt("install", debian.QEMU_PACKAGE)
    is_diverted()


def helper(*words, user="member", path=PLACE):
    """The helper by itself, as member types it."""
    return debian.login(user, " ".join((path, *words)))


def qemu(bridge):
    """A QEMU of member's that its helper lets down: what it says."""
    done = debian.login("member", f"timeout 60 {test_guest.QEMU} -nic bridge,br={bridge}")
    assert done.returncode == 1, done
    return done.stderr


def built(name):
    """A package of what WORK has; its file."""
    debian.run("dpkg-deb", "--root-owner-group", "-Znone", "--build", WORK, f"{WORK}.{name}.deb", timeout=300)
    shutil.rmtree(WORK)
    return f"{WORK}.{name}.deb"


def changed(package, name, change):
    """A package that differs from this one by what change(directory) does."""
    shutil.rmtree(WORK, ignore_errors=True)
    debian.run("dpkg-deb", "--raw-extract", package, WORK)
    change(WORK)
    return built(name)


def qemu_s_package():
    """qemu-system-common as it is installed, for one more installation: the machine has no mirror."""
    name = "qemu-system-common"
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(f"{WORK}/DEBIAN")
    control, keeps = [], True
    for line in debian.run("dpkg-query", "--status", name).splitlines():
        if not line.startswith(" "):
            keeps = not line.startswith(("Status:", "Conffiles:"))
        if keeps:
            control.append(line)
    with open(f"{WORK}/DEBIAN/control", "w", encoding="utf-8") as out:
        out.write("\n".join(control) + "\n")
    for path in debian.run("dpkg-query", "--control-path", name).split():
        shutil.copy(path, f"{WORK}/DEBIAN/{path.rpartition('.')[2]}")
    for path in debian.run("dpkg-query", "--listfiles", name).splitlines():
        source = ORIGINAL if path == PLACE else path
        if path == "/." or not os.path.lexists(source):
            continue  # the machine has no translations
        if os.path.isdir(source) and not os.path.islink(source):
            os.makedirs(WORK + path, exist_ok=True)
        else:
            shutil.copy2(source, WORK + path, follow_symlinks=False)
            if path == PLACE:
                os.chmod(WORK + path, 0o755)
    return built(name)


def dpkg(*words, fails=False):
    done = subprocess.run(["dpkg", *words], capture_output=True, text=True, check=False, env=debian.without_questions())
    assert (done.returncode != 0) == fails, done
    return done.stdout + done.stderr


@contextlib.contextmanager
def setuid_by_statoverride():
    """As an administrator does it before the package is there. What a later --remove does not undo is undone here."""
    debian.run("dpkg-statoverride", "--update", "--add", "root", "root", "4755", PLACE)
    try:
        yield
    finally:
        debian.run("dpkg-statoverride", "--remove", PLACE)
        os.chmod(PLACE, 0o755)


@contextlib.contextmanager
def real_bridge():
    """A bridge without rawnet, which QEMU's own helper may use."""
    debian.run("ip", "link", "add", BRIDGE, "type", "bridge")
    debian.run("ip", "link", "set", BRIDGE, "up")
    os.makedirs(os.path.dirname(ACL), exist_ok=True)
    with open(ACL, "w", encoding="ascii") as out:
        out.write(f"allow {BRIDGE}\n")
    try:
        yield
    finally:
        os.unlink(ACL)
        debian.run("ip", "link", "delete", BRIDGE)


@contextlib.contextmanager
def guest_on_bridge():
    """A QEMU of member's with its tap in the bridge."""
    with subprocess.Popen(["runuser", "-l", "member", "-c", f"exec {test_guest.QEMU} -nic bridge,br={BRIDGE}"], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as guest:  # fmt: skip
        try:
            lab.wait_for(lambda: os.listdir(f"/sys/class/net/{BRIDGE}/brif") or guest.poll() is not None, 60, "the tap in the bridge")
            assert guest.poll() is None, guest.stderr.read()
            yield
        finally:
            subprocess.run(["pkill", "-u", "member", "-f", "^qemu-system"], check=False)
            guest.wait(60)


def test_ready():
    debian.ready()
    dpkg("--purge", "rawnet-qemu")
    before["verify"] = debian.run("dpkg", "--verify", "qemu-system-common")
    before[PLACE] = state(PLACE)
    assert "acl file" in qemu("vlan100")  # QEMU's own helper has no bridge.conf


def test_installed():
    """As docs/getting-started.md has it; what tools/package makes is there already."""
    os.makedirs("/var/tmp/checkout/tools", exist_ok=True)
    with open("/var/tmp/checkout/tools/package", "w", encoding="ascii", opener=debian.executable) as out:
        out.write(f"#!/bin/sh\necho {debian.PACKAGE}\necho {debian.QEMU_PACKAGE}\n")
    debian.run("bash", "-e", "-c", documents.block("install-qemu"), cwd="/var/tmp/checkout", timeout=300, env=debian.without_questions())
    shutil.rmtree("/var/tmp/checkout")
    is_diverted()
    assert state(ORIGINAL) == before[PLACE]


@tap.limit(2 * test_guest.BOOT_SECONDS + 60)
def test_stock_qemu_s_own_options():
    for number, line in enumerate(("-nic bridge,br=vlan100,model=virtio-net-pci,mac={}",
                                   "-netdev bridge,id=n0,br=vlan100 -device virtio-net-pci,netdev=n0,mac={}")):  # fmt: skip
        mac = f"52:54:00:1e:00:0{number}"
        with test_guest.typed(f"{test_guest.QEMU} {line.format(mac)}", mac):
            assert mac in debian.login("member2", "rawnetctl list").stdout


def test_reason_of_rawnet_is_shown():
    done = debian.login("outsider", f"timeout 60 {test_guest.QEMU} -nic bridge,br=vlan100")
    assert done.returncode == 1 and "rawnet-bridge-helper: " in done.stderr and "password" in done.stderr, done


def test_other_bridges_without_rights():
    """The same words as from QEMU's own helper itself."""
    with real_bridge():
        for name in (BRIDGE, "br-none"):
            through, itself = helper(f"--br={name}", "--fd=0"), helper(f"--br={name}", "--fd=0", path=ORIGINAL)
            assert through.returncode == itself.returncode == 1 and through.stderr == itself.stderr != "", (through, itself)
            assert itself.stderr.strip() in qemu(name), name
    assert helper("--help").stderr == helper("--help", path=ORIGINAL).stderr.replace(ORIGINAL, PLACE) != ""


@tap.limit(120)
def test_removed():
    debian.apt("remove", "rawnet-qemu")
    is_back()
    assert state(PLACE) == before[PLACE] and "acl file" in qemu("vlan100")


@tap.limit(240)
def test_setuid_helper():
    """Set up before the package came: it works as before, keeps working when QEMU is upgraded, and after the removal."""
    with setuid_by_statoverride(), real_bridge():
        with guest_on_bridge():
            pass
        setuid = state(PLACE)
        install()
        assert state(ORIGINAL) == setuid
        with guest_on_bridge():
            pass
        dpkg("--install", qemu_s_package())
        is_diverted()
        assert os.stat(ORIGINAL).st_mode & 0o7777 == 0o4755 and os.stat(ORIGINAL).st_ino != setuid[0]
        with guest_on_bridge():
            pass
        debian.apt("purge", "rawnet-qemu")
        is_back()
        assert os.stat(PLACE).st_mode & 0o7777 == 0o4755
        assert debian.run("dpkg-statoverride", "--list", PLACE) == f"root root 4755 {PLACE}\n"
        with guest_on_bridge():
            pass
    assert os.stat(PLACE).st_mode & 0o7777 == 0o755


def test_file_capabilities_stay_with_it():
    os.setxattr(PLACE, "security.capability", NET_ADMIN)
    install()
    assert os.getxattr(ORIGINAL, "security.capability") == NET_ADMIN
    debian.apt("remove", "rawnet-qemu")
    assert os.getxattr(PLACE, "security.capability") == NET_ADMIN
    os.removexattr(PLACE, "security.capability")


def test_setuid_set_at_the_wrong_place():
    """dpkg-statoverride --update follows the link, so rawnet's program gets the bit: it refuses, and its next unpacking takes it off."""
    install()
    debian.run("dpkg-statoverride", "--update", "--add", "root", "root", "4755", PLACE)
    try:
        assert os.stat(PROGRAM).st_mode & 0o7777 == 0o4755
        for name in ("vlan100", BRIDGE):
            done = helper(f"--br={name}", "--fd=0")
            assert done.returncode == 1 and ORIGINAL in done.stderr and "setuid" in done.stderr, done
        debian.apt("install", "--reinstall", debian.QEMU_PACKAGE)
        is_diverted()
    finally:
        debian.run("dpkg-statoverride", "--remove", PLACE)
    assert os.stat(ORIGINAL).st_mode & 0o7777 == 0o755


@tap.limit(240)
def test_upgraded():
    version = debian.run("dpkg-query", "--show", "--showformat=${Version}", "rawnet")
    newer = f"{version}+newer"

    def raise_version(directory):
        debian.run("sed", "-i", f"s/^Version: .*/Version: {newer}/; s/rawnet (= [^)]*)/rawnet (= {newer})/", f"{directory}/DEBIAN/control")

    where = state(ORIGINAL)
    debian.apt("install", changed(debian.PACKAGE, "rawnet", raise_version), changed(debian.QEMU_PACKAGE, "rawnet-qemu", raise_version))
    assert debian.run("dpkg-query", "--show", "--showformat=${Version}", "rawnet-qemu") == newer
    is_diverted()
    debian.apt("install", debian.PACKAGE, debian.QEMU_PACKAGE)
    is_diverted()
    assert state(ORIGINAL) == where


def fails_early(directory):
    with open(f"{directory}/DEBIAN/preinst", "a", encoding="ascii") as out:
        out.write("exit 1\n")


def fails_late(directory):
    """Another package's file; it is unpacked after the link."""
    shutil.copy(PROGRAM, f"{directory}/usr/sbin/libvirtd")


@tap.limit(240)
def test_failed_upgrade_and_installation():
    os.rename(changed(debian.QEMU_PACKAGE, "rawnet-qemu", fails_early), f"{WORK}.early.deb")
    late = changed(debian.QEMU_PACKAGE, "rawnet-qemu", fails_late)
    where = state(ORIGINAL)
    for file in (f"{WORK}.early.deb", late):
        dpkg("--install", file, fails=True)
        is_diverted()
        assert state(ORIGINAL) == where, file
    debian.apt("purge", "rawnet-qemu")
    for file in (f"{WORK}.early.deb", late):
        dpkg("--install", file, fails=True)
        is_back()
        assert state(PLACE) == where, file


def test_diverted_by_somebody_else():
    """The installation is refused, and leaves that diversion."""
    words = ("dpkg-divert", "--local", "--divert", f"{PLACE}.mine", "--rename")
    debian.run(*words, "--add", PLACE)
    dpkg("--install", debian.QEMU_PACKAGE, fails=True)
    assert debian.run("dpkg-divert", "--truename", PLACE).strip() == f"{PLACE}.mine"
    debian.run(*words, "--remove", PLACE)
    dpkg("--purge", "rawnet-qemu")
    is_back()


def session_is_confined():
    """Is member's libvirtd under its profile?"""
    pid = debian.run("pgrep", "-u", "member", "-x", "libvirtd").strip()
    with open(f"/proc/{pid}/attr/current", encoding="ascii") as label:
        return label.read().strip() == "libvirtd (enforce)"


@tap.limit(test_guest.BOOT_SECONDS + 120)
def test_libvirt_without_configuration():
    """With libvirtd as AppArmor has it on a usual Debian."""
    install()
    debian.run("apparmor_parser", "--replace", PROFILE)
    test_libvirt.log_in("member", setup=None)
    test_libvirt.good("list")
    assert session_is_confined()
    mac = "52:54:00:1e:00:10"
    test_libvirt.write_domain("member", "plain", mac)
    with test_libvirt.accepts_offer(mac):
        test_libvirt.good("create plain.xml")
    test_libvirt.good("destroy plain")
    lab.wait_no_leases(30)


def test_libvirt_s_other_bridges():
    with real_bridge():
        test_libvirt.write_domain("member", "other", "52:54:00:1e:00:11", test_libvirt.DOMAIN.replace("vlan100", BRIDGE))
        done = test_libvirt.virsh("create other.xml")
        assert done.returncode != 0 and helper(f"--br={BRIDGE}", "--fd=0").stderr.strip() in done.stderr, done


def test_profile_of_libvirtd_keeps_it_from_libexec():
    """Why docs/getting-started.md says that bridge_helper is not enough there."""
    debian.run("pkill", "-u", "member", "-x", "libvirtd")
    lab.wait_for(lambda: not debian.login("member", "pgrep -u member -x libvirtd").stdout, 30, "the end of libvirtd")
    debian.login("member", f"mkdir -p ~/.config/libvirt && echo '{test_libvirt.SETUP}' > ~/.config/libvirt/qemu.conf")
    test_libvirt.good("list")
    assert session_is_confined()
    done = test_libvirt.virsh("create plain.xml")
    assert done.returncode != 0 and "Permission denied" in done.stderr, done
    os.unlink("/home/member/.config/libvirt/qemu.conf")


def test_logged_out():
    test_libvirt.test_logged_out()
    debian.run("apparmor_parser", "--remove", PROFILE)


def test_goes_with_rawnet():
    install()
    debian.apt("remove", "rawnet")
    is_back()
    debian.apt("install", debian.PACKAGE)


if __name__ == "__main__":
    tap.main()
