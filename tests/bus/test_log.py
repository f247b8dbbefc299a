# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl log: what it asks journalctl for. The lab has no journal: tests/system/test_units.py reads a real one."""

import contextlib
import os
import shlex
import tempfile

import bus
import journal
import lab
import tap

UNIT = "_SYSTEMD_UNIT=rawnetd.service"
MESSAGES = {f"MESSAGE_ID={number}" for number in journal.events().values()}


@contextlib.contextmanager
def printing_journalctl():
    """A PATH with a journalctl that prints its arguments."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        path = f"{place}/journalctl"
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
        os.chmod(path, 0o755)
        yield f"{place}:{os.environ['PATH']}"


def log(*words):
    """Options, and the alternatives, each as a set of matches."""
    with printing_journalctl() as path:
        done = lab.run_as("outsider", ["env", f"PATH={path}", "rawnetctl", "log", *words], check=True)
    found = done.stdout.split("\0")[:-1]
    options = [word for word in found if word.startswith("--")]
    alternatives = " ".join(shlex.quote(word) for word in found if not word.startswith("--")).split(" + ")
    return options, [set(shlex.split(one)) for one in alternatives]


def test_all():
    """Only what journald says is rawnetd's, and all of its events."""
    assert log() == ([], [{UNIT} | MESSAGES])


def test_options_pass():
    assert log("--since", "yesterday; reboot", "--until=2026-11-24 12:00", "--json", "lab")[0] == \
        ["--since=yesterday; reboot", "--until=2026-11-24 12:00", "--output=json"]  # fmt: skip


def test_subjects():
    for words, wanted in (("rn7fff0001", [{"RAWNET_LEASE=rn7fff0001"}]), ("2147418113", [{"RAWNET_LEASE=rn7fff0001"}]),
                          ("52:54:00:AB:CD:EF", [{"RAWNET_MAC=52:54:00:ab:cd:ef"}]),
                          ("lab", [{"RAWNET_NETWORK=lab"}, {"RAWNET_NAME=lab"}]), ("vlab.300", [{"RAWNET_NETWORK=vlab.300"}, {"RAWNET_NAME=vlab.300"}]),
                          ("my vm", [{"RAWNET_NETWORK=my vm"}, {"RAWNET_NAME=my vm"}])):  # fmt: skip
        assert log(words) == ([], [{UNIT} | MESSAGES | one for one in wanted]), words
    # No option of journalctl's comes from there.
    assert log("--", "--vacuum-size=1")[1] == [{UNIT} | MESSAGES | {f"RAWNET_{key}=--vacuum-size=1"} for key in ("NETWORK", "NAME")]


def test_usage():
    for words in (("a", "b"), ("",), ("a\nb",), ("ä",), ("--follow",), ("--since",)):
        done = lab.run_as("outsider", ["rawnetctl", "log", *words])
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and not done.stdout, (words, done)


def test_no_journalctl():
    done = lab.run_as("outsider", ["env", "PATH=/nonexistent", "/usr/bin/rawnetctl", "log"])
    assert done.returncode == 127 and "journalctl" in done.stderr, done


def test_ambiguous_names():
    """The error lists the leases that have the name."""
    with bus.connect("member") as one, bus.connect("member2") as two, \
            one.open_tap("lab", name="web") as a, one.open_tap("lab-private", name="web") as b, two.open_tap("lab", name="web") as c:  # fmt: skip
        for verb in ("stat", "close"):
            done = lab.run_as("outsider", ["rawnetctl", verb, "web"])
            assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done
            for lease, user, network in ((a, "member", "lab"), (b, "member", "lab-private"), (c, "member2", "lab")):
                assert f"rn{lease.id:x} of {user} on {network}" in done.stderr, done
            done = lab.run_as("member", ["rawnetctl", verb, "web"])
            assert done.returncode == 1 and f"rn{b.id:x}" in done.stderr and f"rn{c.id:x}" not in done.stderr, done
        # The only one of the caller's own.
        done = lab.run_as("member2", ["rawnetctl", "close", "web"])
        assert done.returncode == 0, done
        assert [lease["Id"] for lease in one.leases().values() if lease["State"] == "ended"] == [c.id]


if __name__ == "__main__":
    tap.main()
