# SPDX-License-Identifier: GPL-2.0-or-later
"""A stock QEMU of an ordinary user on a VLAN, through each door, and vhost-net's descriptors. The guest is the network
boot ROM that QEMU brings: it asks for an address, and that it goes on to accept the offer shows both directions."""

import contextlib
import os
import stat

import bus
import frames
import lab
import tap
import vlan

QEMU = ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none"]
# Times tap.SLOWNESS: a processor emulated on an emulated processor takes its time.
BOOT_SECONDS = 50


def is_request(mac, vid):
    """A DHCPREQUEST (RFC 2131, option 53 = 3) of that guest, on that VLAN."""

    def check(frame):
        _, source, tags, kind, payload = vlan.taken_apart(frame)
        return (source == mac and tags == [(0x8100, vid)] and kind == frames.IPV4 and payload[9] == 17
                and b"\x63\x82\x53\x63\x35\x01\x03" in payload)  # fmt: skip

    return check


@contextlib.contextmanager
def running(command, **options):
    """A program of member's, ended with the block."""
    process = lab.popen_as("member", command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def boots(command, mac, vid, **options):
    with frames.WirePort() as trunk, running(command, **options) as process:
        try:
            trunk.wait(is_request(mac, vid), seconds=BOOT_SECONDS)
        finally:
            assert process.poll() is None, f"QEMU ended with {process.returncode}"
    # Only QEMU held the lease.
    lab.wait_no_leases()


@tap.limit(BOOT_SECONDS + 20)
def test_tap_descriptor():
    mac = "52:54:00:51:00:01"
    line = [*QEMU, "-netdev", "tap,id=n0,fd={fd}", "-device", "virtio-net-pci,netdev=n0,mac={mac}"]
    boots(["rawnetctl", "run", "--mac", mac, "vlan100", "--", *line], mac, 100)


@tap.limit(BOOT_SECONDS + 20)
def test_multiqueue_with_vhost_on_an_exclusive_vlan():
    mac = "52:54:00:51:00:02"
    line = [*QEMU, "-netdev", "tap,id=n0,fds={fds},vhost=on,vhostfds={vhostfds}",
            "-device", "virtio-net-pci,netdev=n0,mac={mac},mq=on,vectors=6"]  # fmt: skip
    boots(["rawnetctl", "run", "--mac", mac, "--queues", "2", "--vhost", "vlan200", "--", *line], mac, 200)


@tap.limit(BOOT_SECONDS + 20)
def test_bridge_helper_learns_the_mac():
    mac = "52:54:00:51:00:03"
    line = [*QEMU, "-netdev", "bridge,id=n0,br=vlab.300,helper=/usr/libexec/rawnet/rawnet-bridge-helper",
            "-device", f"virtio-net-pci,netdev=n0,mac={mac}"]  # fmt: skip
    boots(line, mac, 300)


def test_vhost_descriptors():
    with bus.connect("member") as member:
        for queues in (1, 8):
            with member.open_tap("vlan100", vhost=True, queues=queues) as lease:
                assert (len(lease.fds), len(lease.vhosts)) == (queues, queues), lease.info
                device = os.stat("/dev/vhost-net").st_rdev
                for fd in lease.vhosts:
                    status = os.fstat(fd)
                    assert stat.S_ISCHR(status.st_mode) and status.st_rdev == device, status
            lab.wait_no_leases()
        bus.expect_error(bus.DBUS_ERROR + "InvalidArgs", member.open_tap, "vlan100", vhost=True, queues=9)
        bus.expect_error(bus.DBUS_ERROR + "InvalidArgs", member.open_packet, "vlan100", vhost=True)


def test_vhost_descriptor_alone_keeps_no_lease():
    """The taps are the lease; a vhost-net descriptor without a tap in it is nothing."""
    with bus.connect("member") as member:
        lease = member.open_tap("vlan100", vhost=True)
        kept = os.dup(lease.vhosts[0])
        try:
            lease.close_fds()
            lab.wait_no_leases()
        finally:
            os.close(kept)


if __name__ == "__main__":
    tap.main()
