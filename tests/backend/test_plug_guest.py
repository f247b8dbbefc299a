# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl plug with a Linux guest that runs: its driver finds the card, gets an address and moves data; it releases the card when asked.
(tests/bus/test_plug.py has what QEMU shows without one. Here, because this is where the guest is.)"""

import contextlib
import os

import console
import lab
import tap
from test_guest import BOOT, PLAIN_QEMU, Guest, long_frames, talk_in_long_frames

SOCKET = f"{lab.LAB}/home/member/qmp-guest"
APPEAR = console.appears("eth0")
GO = APPEAR.replace("-e /sys", "! -e /sys")


class Machine(Guest):
    """A guest without any card."""

    def __init__(self, *options):  # pylint: disable=super-init-not-called
        self._start([*PLAIN_QEMU, *BOOT, "-no-reboot", "-qmp", f"unix:{SOCKET},server=on,wait=off", *options])


@contextlib.contextmanager
def machine(*options):
    started = Machine(*options)
    try:
        yield started.boot()
    finally:
        started.end()
        os.unlink(SOCKET)
    lab.wait_no_leases()


def rawnetctl(*words):
    done = lab.run_as("member", ["rawnetctl", *words], timeout=tap.patience(40))
    assert done.returncode == 0, done
    return done.stdout


def in_and_out(guest, *options):
    line = rawnetctl("plug", "--qmp", SOCKET, "--id", "net1", *options, "lab")
    assert guest.run(APPEAR) == ""
    assert guest.run("cat /sys/class/net/eth0/address") in line, line
    guest.run("get_address")
    guest.move()
    assert len(lab.lease_ids()) == 1
    rawnetctl("unplug", "--qmp", SOCKET, "net1")
    guest.run(GO)
    lab.wait_no_leases()


@tap.limit(240)
def test_in_and_out_of_a_pc():
    with machine("-M", "pc") as guest:
        in_and_out(guest)
        in_and_out(guest, "--queues", "2")


@tap.limit(240)
def test_in_and_out_of_a_q35():
    with machine("-M", "q35", "-device", "pcie-root-port,id=slot1,chassis=1") as guest:
        in_and_out(guest, "--bus", "slot1")


@tap.limit(240)
def test_long_frames():
    """The card says the network's MTU."""
    with long_frames(9000), machine("-M", "pc") as guest:
        rawnetctl("plug", "--qmp", SOCKET, "--id", "net1", "jumbo")
        guest.run(APPEAR)
        talk_in_long_frames(guest, 9000)


if __name__ == "__main__":
    tap.main()
