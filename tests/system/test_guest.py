# SPDX-License-Identifier: GPL-2.0-or-later
"""A stock QEMU that member starts in a plain login session, through each door, onto VLAN 100. The guest is the network boot ROM that
QEMU brings: that it accepts the DHCP offer shows both directions."""

import contextlib
import subprocess

import debian
import frames
import lab
import tap

BOOT_SECONDS = 60  # of a nested guest
QEMU = "qemu-system-x86_64 -M pc -accel tcg -m 64 -nodefaults -display none"
HELPER = "/usr/libexec/rawnet/rawnet-bridge-helper"


@contextlib.contextmanager
def typed(line, mac):
    """The line in member's login session until its guest has accepted an address; then QEMU is ended, and with it the lease."""
    with frames.WirePort("wire.100") as far, \
            subprocess.Popen(["runuser", "-l", "member", "-c", f"exec {line}"], stdin=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True) as guest:  # fmt: skip
        try:
            source = frames.mac_bytes(mac)
            far.wait(lambda frame: frame[6:12] == source and b"\x63\x82\x53\x63\x35\x01\x03" in frame, BOOT_SECONDS)
            yield
        finally:
            subprocess.run(["pkill", "-u", "member", "-f", "^qemu-system"], check=False)
            tap.diag(guest.communicate(timeout=60)[1])
    lab.wait_no_leases()


def test_ready():
    debian.ready()


@tap.limit(BOOT_SECONDS + 30)
def test_run_with_queues_and_vhost_net():
    mac = "52:54:00:1c:00:01"
    line = (f"rawnetctl run --mac {mac} --queues 2 --vhost vlan100 -- {QEMU} "
            "-netdev tap,id=n0,fds={fds},vhost=on,vhostfds={vhostfds} "
            "-device virtio-net-pci,netdev=n0,mac={mac},mq=on,vectors=6")  # fmt: skip
    with typed(line, mac):
        listed = debian.login("member2", "rawnetctl list").stdout
        assert mac in listed and "member" in listed, listed


@tap.limit(BOOT_SECONDS + 30)
def test_qemu_s_own_option():
    mac = "52:54:00:1c:00:02"
    with typed(f"{QEMU} -netdev bridge,id=n0,br=vlan100,helper={HELPER} -device virtio-net-pci,netdev=n0,mac={mac}", mac):
        assert mac in debian.login("member2", "rawnetctl list").stdout


if __name__ == "__main__":
    tap.main()
