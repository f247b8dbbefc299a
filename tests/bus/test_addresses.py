# SPDX-License-Identifier: GPL-2.0-or-later
"""The option addresses: what it takes, what polkit learns of it, and what a network says to it. tests/netns/test_address_lock.py has what
the guard makes of it."""

import os

import bus
import lab
import tap

INVALID, DENIED = "org.freedesktop.DBus.Error.InvalidArgs", "org.freedesktop.DBus.Error.AccessDenied"
TOO_MANY = [f"10.0.0.{number}" for number in range(1, 18)]
WRONG = (["10.0.0.9/24"], ["10.0.0.9", "x"], [""], ["0.0.0.0"], ["::"], ["ff02::1"], ["::ffff:10.0.0.9"], ["10.0.0.0/0"], ["fd00::/129"],
         ["10.0.0.9 10.0.0.10"], TOO_MANY, TOO_MANY * 100)  # fmt: skip


def test_values():
    with bus.connect("member") as connection:
        for addresses in ([], ["10.0.0.9"], ["10.0.0.9/32", "FD00:0::9"], ["10.0.0.0/24", "fe80::/64"], TOO_MANY[:16]):
            for kind in ("tap", "packet"):
                with connection.open(kind, "lab", addresses=addresses):
                    pass
        for addresses in WRONG:
            bus.expect_error(INVALID, connection.open_tap, "lab", addresses=addresses)
        bus.expect_error(INVALID, connection.open_tap, "lab", addresses=("s", "10.0.0.9"))
        bus.wait_none_listed()
        assert not lab.lease_ids(), "a refused request has made something"


def test_without_anti_spoof():
    with lab.network("loose", AntiSpoof="no"), bus.connect("member") as connection:
        text = bus.expect_error(INVALID, connection.open_tap, "loose", addresses=["10.0.0.9"])
        assert "AntiSpoof=no" in text, text
        with connection.open_tap("loose"):
            pass


def test_bad_file():
    """Such a file names its line."""
    with lab.network("both", AntiSpoof="no", AddressLock="given") as path, bus.connect("member") as connection:
        text = bus.expect_error("BadNetworkFile", connection.open_tap, "both")
        assert f"{os.path.basename(path)}:5: AddressLock=given with AntiSpoof=no" in text, text


def test_property():
    with lab.network("locked", AddressLock="given"), bus.connect("member") as connection:
        lab.wait_for(lambda: "locked" in connection.networks(), 5, "the network")
        assert connection.networks()["locked"]["AddressLock"] == "given"
        assert connection.networks()["lab"]["AddressLock"] == "off"


RULE = """polkit.addRule(function (action, subject) {
    if (action.lookup("kind") && action.lookup("network") == "locked" && action.lookup("addresses") != "10.0.0.9 fd00::/64")
        return polkit.Result.NO;
});"""


def test_polkit():
    """A rule sees all of them, in one form."""
    with lab.network("locked", AddressLock="given"), lab.polkit_rule(RULE), bus.connect("member") as connection:
        with connection.open_tap("locked", addresses=["10.0.0.9/32", "FD00:0:0::/64"]):
            pass
        for addresses in ([], ["10.0.0.9"], ["fd00::/64", "10.0.0.9"], ["10.0.0.9", "fd00::/64", "10.0.0.10"], ["10.0.0.10", "fd00::/64"]):
            bus.expect_error(DENIED, connection.open_tap, "locked", addresses=addresses)


def test_command_line():
    done = lab.run_as("member", ["rawnetctl", "run", "--address", "10.0.0.9", "--address", "fd00::/64", "lab", "--", "true"])
    assert done.returncode == 0, done
    for words in (["--address", "10.0.0.9/24"], ["--address", "x"], ["--address", "10.0.0.1"] * 17):
        done = lab.run_as("member", ["rawnetctl", "run", *words, "lab", "--", "true"])
        assert done.returncode == 125 and "--address" in done.stderr, (words, done)


if __name__ == "__main__":
    tap.main()
