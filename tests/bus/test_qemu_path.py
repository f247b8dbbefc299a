# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnet-qemu-bridge-helper at the path that QEMU has built in: which names go to rawnet and which to QEMU's own helper, with what
arguments and rights. (tests/system/test_qemu_path.py has the package, and libvirt.)"""

import contextlib
import os
import pwd
import shutil
import socket
import struct
import subprocess

import bus
import lab
import tap
import test_getting_started
import test_qemu

PLACE, PROGRAM = "/usr/lib/qemu/qemu-bridge-helper", "/usr/sbin/rawnet-qemu-bridge-helper"
ORIGINAL = f"{PLACE}.distrib"
# Prints $MARK and what it was given, and has a status of its own.
SHOW = """#!/bin/sh
printf '%s\\0' "${MARK-}" "$@"
exit 7
"""
# linux/capability.h, struct vfs_cap_data: revision 2, CAP_NET_ADMIN permitted, not effective.
NET_ADMIN_PERMITTED = struct.pack("<5I", 0x02000000, 1 << 12, 0, 0, 0)


def put_in_place():
    """As debian/rawnet-qemu.preinst and the package do it; the lab's /usr is its own."""
    os.makedirs(os.path.dirname(PLACE), exist_ok=True)
    if os.path.exists(PLACE):
        os.rename(PLACE, f"{PLACE}.real")
    os.symlink("../../sbin/rawnet-qemu-bridge-helper", PLACE)


put_in_place()


@contextlib.contextmanager
def original(text=SHOW, copy_of=None, mode=0o755):
    """QEMU's own helper while the block runs: a script, or a copy of another program."""
    if copy_of:
        shutil.copyfile(copy_of, ORIGINAL)
    else:
        with open(ORIGINAL, "w", encoding="ascii") as out:
            out.write(text)
    os.chmod(ORIGINAL, mode)
    try:
        yield
    finally:
        os.unlink(ORIGINAL)


def call(*words, user="member", argv0=PLACE, **options):
    """Without no_new_privs, which would hide a setuid bit."""
    account = pwd.getpwnam(user)
    return subprocess.run([argv0, *words], executable=PLACE, capture_output=True, text=True, check=False, timeout=60, user=account.pw_uid,
                          group=account.pw_gid, extra_groups=os.getgrouplist(user, account.pw_gid), **options)  # fmt: skip


def goes_to(*words, **options):
    """'rawnet' or 'qemu', by who answers; QEMU's helper must have got exactly these words."""
    done = call(*words, **options)
    if done.returncode == 7:
        assert done.stdout.split("\0")[1:-1] == list(words), done
        return "qemu"
    assert done.stderr.startswith("rawnet-bridge-helper: "), done
    return "rawnet"


@contextlib.contextmanager
def opened(*words):
    """As QEMU's net_bridge_run_helper() does it: (status, stderr, descriptors)."""
    ours, theirs = socket.socketpair()
    with ours:
        process = lab.popen_as("member", [PLACE, "--use-vnet", *(word.replace("N", str(theirs.fileno())) for word in words)],
                               pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)  # fmt: skip
        theirs.close()
        _, error = process.communicate(timeout=60)
        _, fds, _, _ = socket.recv_fds(ours, 16, 4)
        try:
            yield process.returncode, error, fds
        finally:
            for fd in fds:
                os.close(fd)


def test_network_is_opened():
    for words in (["--fd=N", "--br=lab"], ["--br", "lab", "--fd", "N"]):
        with opened(*words) as (status, error, fds), bus.connect("member") as member:
            assert (status, error, len(fds)) == (0, "", 1), (words, status, error)
            (lease,) = member.leases().values()
            assert (lease["Network"], lease["Kind"], lease["MAC"]) == ("lab", "tap", ""), lease
        lab.wait_no_leases()


def test_names_of_networks():
    """What a file has, in the first directory; each of a range; a range's mistake is for rawnet to report."""
    with original(), lab.network("vrange", VLAN="100-199"):
        for name in ("lab", "lab-private", "lab.100", "vrange", "vrange.100", "vrange.4094"):
            assert goes_to("--use-vnet", "--fd=3", f"--br={name}") == "rawnet", name
            assert goes_to("--use-vnet", "--fd", "3", "--br", name) == "rawnet", name


def test_other_names():
    with original():
        for name in ("virbr0", "br0", "br0.100", "labb", "la", "", ".", "..", "lab.", ".100", "lab.0", "lab.0100", "lab.4095", "lab.x", "lab.1.2",
                     "../networks/lab", "lab/", "/etc/rawnet/networks/lab", "lab.conf", "lab\n", " lab", "l\u00e4b", "x" * 33, "x" * 5000,
                     "--br=lab", "%s%n"):  # fmt: skip
            assert goes_to("--use-vnet", "--fd=3", f"--br={name}") == "qemu", name
            assert goes_to("--use-vnet", "--fd", "3", "--br", name) == "qemu", name


def test_networks_with_mistakes_are_rawnet_s():
    with original():
        for options in ({"text": "[Network]\nParent=\n"}, {"mode": 0o666}, {"mode": 0}, {"uid": lab.uid_of("member")}, {"text": "x"}):
            with lab.network("wrong", **options):
                assert goes_to("--fd=3", "--br=wrong") == "rawnet", options
    with lab.network("wrong", mode=0o666), opened("--fd=N", "--br=wrong") as (status, error, fds):
        assert status == 1 and not fds and "chmod 644" in error, error


def test_first_file_of_a_name_decides():
    os.makedirs("/usr/lib/rawnet/networks", exist_ok=True)
    with open("/usr/lib/rawnet/networks/vendor.conf", "w", encoding="ascii") as out:
        out.write("[Network]\nParent=wire0\nVLAN=none\n")
    with original():
        assert goes_to("--fd=3", "--br=vendor") == "rawnet"
        os.symlink("/dev/null", "/etc/rawnet/networks/vendor.conf")  # masked: there is no such network
        try:
            assert goes_to("--fd=3", "--br=vendor") == "qemu"
        finally:
            os.unlink("/etc/rawnet/networks/vendor.conf")
            os.unlink("/usr/lib/rawnet/networks/vendor.conf")


def test_lines_that_only_qemu_s_helper_may_judge():
    with original():
        for words in ([], ["--help"], ["--use-vnet"], ["--fd=3"], ["--br=lab", "--help"], ["--br=lab", "--nonsense"], ["--br"],
                      ["lab"], ["--br=lab", "more"], ["more", "--br=lab"], ["--br=lab", "--mac=learn"], ["-b", "lab"]):  # fmt: skip
            assert goes_to(*words) == "qemu", words
        # The last one counts, as for QEMU's helper.
        assert goes_to("--br=lab", "--br=virbr0") == "qemu"
        assert goes_to("--br=virbr0", "--br=lab") == "rawnet"


def test_everything_else_is_passed_on():
    """argv[0], the environment, the status."""
    with original():
        done = call("--br=virbr0", env={"MARK": "kept"})
        assert (done.returncode, done.stdout.split("\0")[0]) == (7, "kept"), done
    with original(copy_of="/usr/bin/cat"):
        done = call("/proc/self/cmdline", argv0="a name")
        assert done.stdout == "a name\0/proc/self/cmdline\0", done


def test_no_helper_of_qemu_s():
    done = call("--br=virbr0", "--fd=3")
    assert done.returncode == 1 and done.stderr == (
        f"rawnet-qemu-bridge-helper: bridge virbr0 is no rawnet network, and {ORIGINAL} cannot be run: No such file or directory\n"), done
    with original(mode=0o700):
        done = call("--br=virbr0", "--fd=3")
        assert done.returncode == 1 and f"{ORIGINAL} cannot be run: Permission denied" in done.stderr, done
    # rawnet's networks do not need it.
    with opened("--fd=N", "--br=lab") as (status, _, fds):
        assert status == 0 and len(fds) == 1
    lab.wait_no_leases()


def test_rights_of_qemu_s_helper_are_its_own():
    """A setuid bit there has its effect, and none on the way."""
    with original(copy_of="/usr/bin/id", mode=0o4755):
        done = call(argv0="id")
        assert f"uid={lab.uid_of('member')}(member)" in done.stdout and "euid=0(root)" in done.stdout, done
    with original(copy_of="/usr/bin/id"):
        assert "euid" not in call(argv0="id").stdout


def test_raised_rights_are_refused():
    """By whatever way the administrator gave them to the path where QEMU's helper was."""
    with original():
        try:
            for mode in (0o4755, 0o2755, 0o6755):
                os.chmod(PLACE, mode)  # follows the link
                assert os.stat(PROGRAM).st_mode & 0o7777 == mode
                for name in ("lab", "virbr0"):
                    done = call(f"--br={name}", "--fd=3")
                    assert done.returncode == 1 and ORIGINAL in done.stderr and not done.stdout, (oct(mode), done)
            # Root has no more by it.
            assert goes_to("--br=virbr0", user="root") == "qemu"
        finally:
            os.chmod(PLACE, 0o755)
        try:
            os.setxattr(PROGRAM, "security.capability", NET_ADMIN_PERMITTED)
            done = call("--br=virbr0", "--fd=3")
            assert done.returncode == 1 and ORIGINAL in done.stderr and not done.stdout, done
        finally:
            os.removexattr(PROGRAM, "security.capability")
        assert goes_to("--br=virbr0", "--fd=3") == "qemu"


@tap.limit(2 * (test_getting_started.SECONDS + 60))
def test_stock_qemu():
    """No path on its command line, as the documents have it."""
    test_qemu.need_qemu()
    for name in ("qemu-path", "man-qemu-path"):
        test_getting_started.boots(name, Kind="tap", MAC="52:54:00:12:34:56")  # QEMU's own


def test_stock_qemu_shows_the_reason():
    test_qemu.need_qemu()
    done = lab.run_as("outsider", [*test_qemu.LINE, "-nic", "bridge,br=lab"], timeout=90)
    assert done.returncode == 1 and "rawnet-bridge-helper: " in done.stderr and "password" in done.stderr, done
    shutil.copyfile(f"{PLACE}.real", ORIGINAL)
    os.chmod(ORIGINAL, 0o755)
    try:
        done = lab.run_as("member", [*test_qemu.LINE, "-nic", "bridge,br=virbr9"], timeout=90)
        assert done.returncode == 1 and "failed to parse default acl file" in done.stderr, done
    finally:
        os.unlink(ORIGINAL)


if __name__ == "__main__":
    tap.main()
