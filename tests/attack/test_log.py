# SPDX-License-Identifier: GPL-2.0-or-later
"""The log under attack: what a user causes as often as he likes is written once and then counted, and no record of a port is lost
among it."""

import contextlib
import re
import time

import bus
import frames
import lab
import tap
import unfit
from test_flood import flood


def lines(daemon, pattern, start):
    """Lines of the daemon's log that fit, from that offset on."""
    return [line for line in lab.log_of(daemon)[start:].splitlines() if re.search(pattern, line)]


@contextlib.contextmanager
def as_guest(lease, mac):
    """Sends frames from mac on the lease, one after the other, for as long as the block wants."""
    port = frames.Port(lease.fd, vnet_hdr=True)
    yield lambda: port.send(frames.marker(mac, "I am"))


@tap.limit(120)
def test_refusals_are_counted():
    """A flood of refused calls writes a few lines; each port that is opened and closed meanwhile is in the log."""
    with bus.connect("member") as member:
        member.open_tap("lab").close_fds()
        start = len(lab.log_of("rawnetd"))
        begin = time.monotonic()
        ids = []
        with flood("open"):
            for _ in range(10):
                with member.open_tap("lab", seconds=60) as lease:
                    ids.append(f"rn{lease.id:x}")
        for number in ids:
            lab.wait_for(lambda n=number: lines("rawnetd", rf"lease {n} .* ended: its last file descriptor was closed", start), 20, "the record of an end")
            assert len(lines("rawnetd", rf"lease {number} opened: a tap port on network lab for user", start)) == 1, number
        uid = lab.uid_of("outsider")
        found = lines("rawnetd", rf"refused .*\buser {uid}\b", start)
        intervals = (time.monotonic() - begin) / 10
        tap.diag(f"{len(found)} lines: {found[:3]}")
        assert 1 <= len(found) <= 2 + intervals, found[:5]
        # What was not written is counted.
        lab.wait_for(lambda: lines("rawnetd", rf"refused [0-9]+ more requests? by user {uid}\b", start), 30, "the count")


def test_refusals_of_one_method_after_another():
    """Whatever it is that is refused."""
    with bus.connect("nobody") as caller:
        start = len(lab.log_of("rawnetd"))
        begin = time.monotonic()
        for _ in range(20):
            for call in ((caller.open_tap, "nope"), (caller.open_packet, "no/pe"), (caller.can_open, "lab", "x"),
                         (caller.close_lease, "/org/rawnet1/lease/65536"), (caller.call, bus.ROOT, bus.MANAGER, "HostUp", "s", ("nope",))):  # fmt: skip
                with contextlib.suppress(bus.BusError):
                    call[0](*call[1:])
        found = lines("rawnetd", rf"refused .*\buser {lab.uid_of('nobody')}\b", start)
        assert 1 <= len(found) <= 2 + (time.monotonic() - begin) / 10, found[:5]


def test_a_guest_that_wants_an_address_in_use():
    """The first refusal is written, by rawnetd, and no other."""
    mac = "52:54:00:00:77:01"
    with bus.connect("member") as member, member.open_tap("lab", mac=mac), member.open_tap("lab", mac="learn") as lease:
        start, helper_start = len(lab.log_of("rawnetd")), len(lab.log_of("rawnet-helper"))
        deadline = time.monotonic() + 1.5  # a refused guest is heard again after 0.1 s (helper/child/learn.c)
        with as_guest(lease, mac) as send:
            while time.monotonic() < deadline:
                send()
                lab.select.select([], [], [], 0.02)
        found = lab.wait_for(lambda: lines("rawnetd", f"does not take .*{mac}", start), 10, "the refusal")
        assert len(found) == 1 and not lines("rawnet-helper", mac, helper_start), found


def test_a_guest_that_wants_addresses_in_use():
    """The first refusal is written, by rawnetd, and of those that follow ever fewer, also when the guest tries one after another."""
    macs = ["52:54:00:00:77:01", "52:54:00:00:77:02"]
    with bus.connect("member") as member, member.open_tap("lab", mac=macs[0]), member.open_tap("lab", mac=macs[1]), \
            member.open_tap("lab", mac="learn") as lease:  # fmt: skip
        start, helper_start = len(lab.log_of("rawnetd")), len(lab.log_of("rawnet-helper"))
        deadline = time.monotonic() + 1.5  # a refused guest is heard again after 0.1 s (helper/child/learn.c)
        with as_guest(lease, macs[0]) as one, as_guest(lease, macs[1]) as other:
            while time.monotonic() < deadline:
                one()
                lab.select.select([], [], [], 0.02)
                other()
                lab.select.select([], [], [], 0.02)
        pattern = "does not take .*52:54:00:00:77:0[12]"
        found = lab.wait_for(lambda: lines("rawnetd", pattern, start), 10, "the refusal")
        tap.diag(f"{len(found)} lines: {found[:2]}")
        assert len(found) <= 3 and not lines("rawnet-helper", "52:54:00:00:77:0", helper_start), found


def test_features_that_cannot_be_had():
    """Where no namespace can be made, the probe of the kernel says it once, however often ports are refused and properties read."""
    with bus.connect("member") as member, bus.connect("outsider") as reader:
        member.open_tap("lab").close_fds()
        lab.wait_no_leases()
        start = len(lab.log_of("rawnet-helper"))
        with unfit.no_user_namespaces():
            probes = 0
            for _ in range(10):
                bus.expect_error("NotSupported", member.open_tap, "lab")
                probes += "user-namespace" not in reader.get_all(bus.ROOT, bus.MANAGER)["Features"]
        assert probes, "the kernel was fit"
        found = lines("rawnet-helper", "namespace", start)
        tap.diag(f"{found[:2]}")
        assert 1 <= len(found) <= 3, found
        member.open_tap("lab").close_fds()


if __name__ == "__main__":
    tap.main()
