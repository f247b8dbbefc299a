# SPDX-License-Identifier: GPL-2.0-or-later
"""Rate= and the option rate: what they take, what polkit learns, and what a network says to it. tests/netns/test_rate.py has what the kernel
makes of it."""

import json
import os

import bus
import lab
import tap
import unfit

INVALID, DENIED = "org.freedesktop.DBus.Error.InvalidArgs", "org.freedesktop.DBus.Error.AccessDenied"
MEGA, GIGA = 10**6, 10**9


def test_values():
    with bus.connect("member") as connection:
        for rate in (MEGA, 1_234_567, 100 * GIGA):
            for kind in ("tap", "packet"):
                with connection.open(kind, "lab", rate=rate):
                    pass
        for rate in (0, 1, MEGA - 1, 100 * GIGA + 1, 2**64 - 1):
            assert "option rate is" in bus.expect_error(INVALID, connection.open_tap, "lab", rate=rate)
        for wrong in (("s", "10M"), ("u", MEGA), ("x", MEGA)):
            bus.expect_error(INVALID, connection.open_tap, "lab", rate=wrong)
        bus.wait_none_listed()
        assert not lab.lease_ids(), "a refused request has made something"


def test_only_lower():
    with lab.network("slow", Rate="10M") as path, bus.connect("member") as connection:
        for rate in (MEGA, 10 * MEGA):
            with connection.open_tap("slow", rate=rate):
                pass
        for rate in (10 * MEGA + 1, GIGA):
            text = bus.expect_error(INVALID, connection.open_tap, "slow", rate=rate)
            assert f"Rate=10M in {path}" in text, text


def test_bad_file():
    for value in ("", "0", "10", "999999", "101G", "10m", "10 M", "1.5G", "10Mbit", "-1M", "10T", "99999999999999999999", "18446744073709551616K"):
        with lab.network("bad", Rate=value) as path, bus.connect("member") as connection:
            text = bus.expect_error("BadNetworkFile", connection.open_tap, "bad")
            assert f"{os.path.basename(path)}:4: Rate=" in text and "from 1M to 100G" in text, (value, text)


def test_property():
    with lab.network("slow", Rate="2500K"), bus.connect("member") as connection:
        lab.wait_for(lambda: "slow" in connection.networks(), 5, "the network")
        assert connection.networks()["slow"]["Rate"] == 2_500_000
        assert connection.networks()["lab"]["Rate"] == 0
        shown = json.loads(lab.run_as("member", ["rawnetctl", "networks", "--json"], check=True).stdout)
        assert {one["name"]: one["rate"] for one in shown}["slow"] == 2_500_000, shown


RULE = """polkit.addRule(function (action, subject) {
    if (action.lookup("network") == "slow" || action.lookup("network") == "lab")
        return Number(action.lookup("rate")) > 0 && Number(action.lookup("rate")) <= 5000000 ? polkit.Result.YES : polkit.Result.NO;
});"""


def test_polkit():
    """A rule sees what the guest would get: the network's limit, or the caller's lower one."""
    with lab.network("slow", Rate="10M"), lab.polkit_rule(RULE), bus.connect("member") as connection:
        for network in ("slow", "lab"):
            with connection.open_tap(network, rate=5 * MEGA):
                pass
            bus.expect_error(DENIED, connection.open_tap, network)
            bus.expect_error(DENIED, connection.open_tap, network, rate=6 * MEGA)


def test_command_line():
    with lab.network("slow", Rate="10M"):
        done = lab.run_as("member", ["rawnetctl", "run", "--rate", "5M", "slow", "--", "true"])
        assert done.returncode == 0, done
        for value in ("", "5m", "0", "5", "200G"):
            done = lab.run_as("member", ["rawnetctl", "run", "--rate", value, "slow", "--", "true"])
            assert done.returncode == 125 and "option --rate: " in done.stderr, (value, done)
        done = lab.run_as("member", ["rawnetctl", "run", "--rate", "11M", "slow", "--", "true"])
        assert done.returncode == 125 and "a rate of 11M is more than Rate=10M" in done.stderr, done


def test_other_commands():
    """Each that opens a port has it, and refuses a wrong one before anything is asked."""
    machine = ["qemu-system-x86_64", "-M", "none", "-netdev"]
    for words in (["attach", "--pid", "1", "--rate", "5m", "lab"], ["vhost", "--socket", "/tmp/none", "--rate", "5m", "lab"],
                  ["plug", "--qmp", "/tmp/none", "--rate", "5m", "lab"], ["qemu", "--dry-run", "--", *machine, "raw,id=n,network=lab,rate=5m"]):  # fmt: skip
        done = lab.run_as("member", ["rawnetctl", *words])
        assert done.returncode != 0 and "'5m' is no rate" in done.stderr, (words, done)
    done = lab.run_as("member", ["rawnetctl", "qemu", "--dry-run", "--", *machine, "raw,id=n,network=lab,rate=5M"])
    assert done.returncode == 0 and "rate" not in done.stdout, done
    with lab.network("slow", Rate="1M"):
        done = lab.run_as("member", ["rawnetctl", "qemu", "--", *machine, "raw,id=n,network=slow,kind=tap,rate=5M"])
        assert "a rate of 5M is more than Rate=1M" in done.stderr, done


def test_a_kernel_without():
    """No port without its limit; others are opened. `rawnetctl check` says it before."""
    with lab.network("slow", Rate="10M"), unfit.kernel_without("tbf"), bus.connect("member") as connection:
        for kind in ("tap", "packet"):
            text = bus.expect_error("NotSupported", connection.open, kind, "slow")
            assert "no qdisc tbf" in text and "sch_tbf" in text, text
            bus.expect_error("NotSupported", connection.open, kind, "lab", rate=MEGA)
            with connection.open(kind, "lab"):
                pass
        bus.wait_none_listed()
        done = lab.run_as("member", ["rawnetctl", "check", "slow"])
        assert done.returncode != 0 and "no qdisc tbf" in done.stdout + done.stderr, done
        assert lab.run_as("member", ["rawnetctl", "check", "lab"]).returncode == 0


def test_a_kernel_with_a_plain_queue():
    """Without fq_codel the limit holds as well."""
    with lab.network("slow", Rate="10M"), unfit.kernel_without("fq_codel"), bus.connect("member") as connection:
        with connection.open_tap("slow"):
            pass


if __name__ == "__main__":
    tap.main()
