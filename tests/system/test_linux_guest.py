# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest in stock QEMU that member starts by rawnetctl run in a plain login session, on VLAN 100: it gets its address and moves
data both ways. With one queue, with several, and with the kernel's vhost-net."""

import os

import console
import debian
import frames
import lab
import nested
import tap
import vlan

MAC = "52:54:00:1e:00:01"
LIMIT = 60  # times tap.SLOWNESS


def line(options, netdev, device="", processors=1):
    return (f"rawnetctl run --mac {MAC} {options} vlan100 -- " + nested.qemu(
        f"-netdev tap,id=n0,{netdev} -device virtio-net-pci,netdev=n0,mac={{mac}}{device}", processors))  # fmt: skip


def has_tag(frame):
    _, source, tags, _, _ = vlan.taken_apart(frame)
    return source == MAC and tags == [(frames.VLAN, 100)]


def talks(guest):
    """Its address from the far side's DHCP, in frames with the VLAN's tag; then data."""
    with frames.WirePort() as trunk:
        guest.run("get_address")
        trunk.wait(has_tag)
    assert guest.run("ip -4 -o addr show dev eth0 | awk '{ print $4 }'").startswith("10.77.100."), "not an address of VLAN 100"
    assert MAC in debian.login("member2", "rawnetctl list").stdout
    guest.move()


def test_ready():
    debian.ready()
    nested.ready()


@tap.limit(LIMIT)
def test_one_queue():
    with nested.guest(line("", "fd={fd}")) as guest:
        talks(guest)


def received(guest, number):
    """How often that receive queue has interrupted the guest."""
    (row,) = guest.run(f"grep -- -input.{number} /proc/interrupts").splitlines()
    return sum(map(int, filter(str.isdigit, row.split()[1:])))


def uses_both_queues(guest):
    """What one of its processors sends goes out by that one's queue, and the answers come back there."""
    talks(guest)
    for number in (0, 1):
        before = received(guest, number)
        guest.run(f"taskset {1 << number} ping -c 5 -i 1 -W 5 {guest.neighbour}")
        assert received(guest, number) - before >= 5, f"queue {number}"


if debian.FULL:

    @tap.limit(LIMIT)
    def test_two_queues():
        with nested.guest(line("--queues 2", "fds={fds}", ",mq=on,vectors=6", 2)) as guest:
            uses_both_queues(guest)

    @tap.limit(LIMIT)
    def test_vhost_net():
        """member has its descriptor from rawnet, and could not open the device."""
        assert os.path.exists("/dev/vhost-net")
        assert debian.login("member", ": <>/dev/vhost-net").returncode != 0
        with nested.guest(line("--vhost", "fd={fd},vhost=on,vhostfd={vhostfds}")) as guest:
            talks(guest)
            # It is the kernel that moves the frames, in a thread of its own for this QEMU.
            (pid,) = debian.run("pgrep", "-u", "member", "-f", "^qemu-system").split()
            assert f"vhost-{pid}" in debian.run("ps", "-eLo", "comm").splitlines()

    @tap.limit(LIMIT)
    def test_plugged_in_and_out():
        """A QEMU that runs already gets a card over its control socket."""
        control = "/home/member/qmp"
        with nested.guest(nested.qemu(f"-qmp unix:{control},server=on,wait=off")) as guest:
            done = debian.login("member", f"rawnetctl plug --qmp {control} --id net1 --mac {MAC} vlan100")
            assert done.returncode == 0 and MAC in done.stdout, done
            guest.run(console.appears("eth0"))
            talks(guest)
            done = debian.login("member", f"rawnetctl unplug --qmp {control} net1")
            assert done.returncode == 0, done
            lab.wait_no_leases()

    @tap.limit(LIMIT)
    def test_two_queues_of_vhost_net():
        with nested.guest(line("--queues 2 --vhost", "fds={fds},vhost=on,vhostfds={vhostfds}", ",mq=on,vectors=6", 2)) as guest:
            uses_both_queues(guest)


if __name__ == "__main__":
    tap.main()
