# SPDX-License-Identifier: GPL-2.0-or-later
"""A stock QEMU of an ordinary user through each door, onto the untagged wire. The guest is the network boot ROM that QEMU
brings: that it goes on to accept the DHCP offer shows both directions. (tests/vm/test_qemu.py has the same with VLANs.)"""

import contextlib
import os
import signal
import subprocess

import frames
import lab
import tap

QEMU = ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none"]
BOOT_SECONDS = 90
DEVICE = "virtio-net-pci,netdev=n0"


def accepts_offer(mac):
    """A DHCPREQUEST (RFC 2131, option 53 = 3) of that guest."""
    source = frames.mac_bytes(mac)

    def check(frame):
        return (frame[6:12] == source and frame[12:14] == b"\x08\x00" and frame[23] == 17
                and b"\x63\x82\x53\x63\x35\x01\x03" in frame)  # fmt: skip

    return check


@contextlib.contextmanager
def booted(command, mac, **options):
    """command's guest, once it has accepted an address; ended with SIGTERM, which only QEMU turns into status 0."""
    with frames.WirePort() as wire, lab.popen_as("member", command, stderr=subprocess.PIPE, **options) as process:
        try:
            wire.wait(accepts_offer(mac), seconds=BOOT_SECONDS)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            errors = process.communicate(timeout=20)[1]
            tap.diag(errors)
    assert process.returncode == 0 and "terminating on signal 15" in errors, (process.returncode, errors)
    lab.wait_no_leases()


def helper():
    path = f"{lab.build_dir}/stage/usr/libexec/rawnet/rawnet-bridge-helper"
    return path if os.path.exists(path) else "/usr/libexec/rawnet/rawnet-bridge-helper"


@tap.limit(BOOT_SECONDS + 40)
def test_run_fd():
    mac = "52:54:00:d0:00:01"
    line = [*QEMU, "-netdev", "tap,id=n0,fd={fd}", "-device", DEVICE + ",mac={mac}"]
    with booted(["rawnetctl", "run", "--mac", mac, "lab", "--", *line], mac):
        assert len(lab.lease_ids()) == 1


@tap.limit(BOOT_SECONDS + 40)
def test_run_multiqueue():
    mac = "52:54:00:d0:00:02"
    line = [*QEMU, "-netdev", "tap,id=n0,fds={fds}", "-device", DEVICE + ",mac={mac},mq=on,vectors=10"]
    with booted(["rawnetctl", "run", "--mac", mac, "--queues", "4", "lab", "--", *line], mac):
        assert len(lab.lease_ids()) == 1


@tap.limit(BOOT_SECONDS + 40)
def test_qemu_raw():
    """The MAC only on the device: it becomes the lease's."""
    mac = "52:54:00:d0:00:03"
    line = [*QEMU, "-netdev", "raw,id=n0,network=lab,kind=tap,name=door", "-device", f"{DEVICE},mac={mac}"]
    with booted(["rawnetctl", "qemu", "--", *line], mac):
        listed = lab.run_as("outsider", ["rawnetctl", "list"], check=True).stdout
        assert mac in listed and "door" in listed, listed


@tap.limit(BOOT_SECONDS + 40)
def test_qemu_raw_json_multiqueue():
    mac = "52:54:00:d0:00:04"
    line = [*QEMU, "-netdev", '{"type":"raw","id":"n0","network":"lab","kind":"tap","queues":2,"mac":"%s"}' % mac,
            "-device", '{"driver":"virtio-net-pci","netdev":"n0"}']  # fmt: skip
    with booted(["rawnetctl", "qemu", *line], mac):
        assert len(lab.lease_ids()) == 1


@tap.limit(BOOT_SECONDS + 40)
def test_bridge_helper():
    """QEMU's own option, and a MAC that rawnet has never heard of."""
    mac = "52:54:00:d0:00:05"
    with booted([*QEMU, "-netdev", f"bridge,id=n0,br=lab,helper={helper()}", "-device", f"{DEVICE},mac={mac}"], mac):
        assert mac in lab.run_as("outsider", ["rawnetctl", "list"], check=True).stdout


@tap.limit(BOOT_SECONDS + 40)
def test_bridge_helper_with_mac():
    """A helper= with a blank in it goes through the shell."""
    mac = "52:54:00:d0:00:06"
    line = [*QEMU, "-netdev", f"bridge,id=n0,br=lab,helper={helper()} --mac={mac}", "-device", f"{DEVICE},mac={mac}"]
    with booted(line, mac):
        assert len(lab.lease_ids()) == 1


def test_bridge_helper_says_why():
    result = lab.run_as("outsider", [*QEMU, "-netdev", f"bridge,id=n0,br=lab,helper={helper()}"])
    assert result.returncode == 1 and "rawnet-bridge-helper: " in result.stderr and "password" in result.stderr, result


if __name__ == "__main__":
    tap.main()
