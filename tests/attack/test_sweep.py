# SPDX-License-Identifier: GPL-2.0-or-later
"""What a sweep deletes must be unwanted for certain, and nobody keeps a sweep from what it has to delete."""

import contextlib
import os

import bus
import lab
import host_interface
import tap

SECONDS = 20
TEXT = f"[Network]\nParent=wire0\nVLAN=none\nHostInterface={host_interface.INTERFACE}\n"
REWRITES = 90


def sweep(connection):
    """Makes the helper sweep, as it does when a macvlan of the host is deleted, or any member's lease on a VLAN ends."""
    lab.ip("link", "add", "sweeping", "link", "wire0", "type", "macvlan")
    lab.ip("link", "del", "sweeping")
    # Read after the sweep has begun, and it reads nothing until the sweep is over.
    connection.open_tap("lab").close_fds()


def rewrite(path, how):
    """As a shell, cp or an editor does it. The helper may look at any moment in between."""
    if how == "removed first":
        os.unlink(path)
    elif how == "renamed first":
        os.rename(path, f"{path}~")
    with open(path, "w", encoding="ascii") as file:
        file.write(TEXT)


@tap.limit(150)
def test_a_rewritten_file_keeps_its_host_interface():
    with lab.network("hosted", TEXT) as path, bus.connect("member") as connection:
        host_interface.rawnetctl("host", "up", "hosted")
        index = host_interface.current()["ifindex"]
        lab.ip("addr", "add", "10.77.0.99/24", "dev", host_interface.INTERFACE)
        for number in range(REWRITES):
            rewrite(path, ("in place", "removed first", "renamed first")[number % 3])
            sweep(connection)
        assert host_interface.current() and host_interface.current()["ifindex"] == index, "the host interface was deleted"
        assert "10.77.0.99" in host_interface.addresses()
        host_interface.rawnetctl("host", "down", "hosted")


def test_a_file_that_is_away_for_a_moment_keeps_its_host_interface():
    """An editor moves the old file away before it writes the new one: shorter than a second, here with sweeps meanwhile."""
    proofs = 0
    with lab.network("hosted", TEXT) as path, bus.connect("member") as connection:
        for _ in range(20):
            host_interface.rawnetctl("host", "up", "hosted")
            index = host_interface.current()["ifindex"]
            started = lab.time.monotonic()
            os.rename(path, f"{path}~")
            sweep(connection)
            os.rename(f"{path}~", path)
            if lab.time.monotonic() - started > 0.9:
                continue  # this machine was busy: the file was away for good
            sweep(connection)
            assert host_interface.current() and host_interface.current()["ifindex"] == index, "the host interface was deleted"
            proofs += 1
        host_interface.rawnetctl("host", "down", "hosted")
    assert proofs, "this machine is too busy for a file to be away for less than a second"


@tap.limit(90)
def test_waiting_opens_do_not_hold_the_sweep_up():
    """Opens for an address in use wait for it for two seconds each. A network's host interface goes with its file all the same."""
    with lab.network("hosted", TEXT) as path, bus.connect("member") as connection, \
            connection.open_tap("lab", mac="52:54:00:5e:00:02") as taken:  # fmt: skip
        host_interface.rawnetctl("host", "up", "hosted")

        def ask():
            return connection.send_open("tap", "lab", mac=taken.info["mac"])

        waiting = [ask() for _ in range(8)]
        os.rename(path, f"{path}.off")
        started = lab.time.monotonic()
        refused = 0
        while host_interface.current():
            assert lab.time.monotonic() - started < tap.patience(SECONDS), f"still there after {refused} opens that waited"
            # Before the answer to one is taken the next is sent: at every moment some of them are waiting.
            waiting.append(ask())
            bus.expect_error("AddressInUse", connection.opened, "tap", waiting.pop(0), 30)
            refused += 1
        tap.diag(f"gone after {lab.time.monotonic() - started:.1f} s and {refused} opens")
        for serial in waiting:
            bus.expect_error("AddressInUse", connection.opened, "tap", serial, 30)
        os.rename(f"{path}.off", path)


if __name__ == "__main__":
    tap.main()
