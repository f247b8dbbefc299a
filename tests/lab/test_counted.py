# SPDX-License-Identifier: GPL-2.0-or-later
"""The arithmetic of tests/bench/run counted, and what the counted tier makes of it. Measures nothing."""

import os
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [f"{SOURCE}/tests/lib", f"{SOURCE}/tests/bench"]
sys.dont_write_bytecode = True

import counted  # noqa: E402
import counting  # noqa: E402
import tap  # noqa: E402

# What the program prints: the bridge takes 100 instructions a frame sent, 150 received, of which sending into nothing is 50.
FOUND = {
    "": {"short": {"sent": {"64": [3200, 3200, 9999]}}},
    "bridge": {"short": {"sent": {"1": [6400, 6400, 6400, 70000, 6401]}, "received": {"1": [12800]}}},
    "lease packet strict": {"short": {"sent": {"1": [8000], "64": [5120]}, "received": {"1": [16000], "64": [9600]}}},
}
TABLE = """# a comment
6.1  packet sent 1 0.80  # why
6.1  packet received 64 0.80

6.12 tap    sent 1 1.00
"""


def refused(text):
    try:
        counting.read_table(text, counted.KERNELS, counted.FORMS)
    except counting.Wrong as wrong:
        return str(wrong)
    return None


def test_a_frame():
    assert counting.a_frame([6400, 6401, 70000, 6400, 6400]) == 100, "a clock tick in one chunk changes the figure"
    assert counting.a_frame([12800], [3200, 3200, 9999]) == 150, "the sending is not taken off"


def test_figures_and_ratios():
    figures = counting.frames(FOUND)
    assert list(figures) == ["bridge", "lease packet strict"]
    assert figures["bridge"]["short"] == {"sent": {"1": 100}, "received": {"1": 150}}, figures
    assert counting.ratio(figures, "bridge", "short", "sent", "1") == 1
    assert counting.ratio(figures, "lease packet strict", "short", "sent", "1") == 0.8
    # The bridge's tap takes one frame a call, whatever the other takes.
    assert counting.ratio(figures, "lease packet strict", "short", "sent", "64") == 1.25
    assert counting.ratio(figures, "lease packet strict", "short", "received", "64") == 1.5
    assert counting.ratio(figures, "lease packet strict", "long", "sent", "1") is None
    assert counting.ratio(figures, "lease tap strict", "short", "sent", "1") is None


def test_verdicts():
    assert [counting.verdict(ratio, 1.0) for ratio in (0.969, 0.971, 1.0, 1.029, 1.031, None)] == \
        ["dearer", "as expected", "as expected", "as expected", "cheaper", "dearer"]  # fmt: skip


def test_table():
    rows = counting.read_table(TABLE, counted.KERNELS, counted.FORMS)
    assert rows == [(("6.1", "packet", "sent", "1"), 0.8), (("6.1", "packet", "received", "64"), 0.8), (("6.12", "tap", "sent", "1"), 1.0)], rows
    assert "line 1: 5 words" in refused("6.1 packet sent 0.8")
    for line in ("5.10 packet sent 1 0.8", "6.1 pakcet sent 1 0.8", "6.1 packet send 1 0.8", "6.1 packet sent 2 0.8"):
        assert "line 1: unknown" in refused(line), line
    assert "x is no ratio" in refused("6.1 packet sent 1 x")
    assert refused("# nothing\n") == "no row"
    with open(f"{SOURCE}/tests/counted/ratios", encoding="utf-8") as file:
        committed = file.read()
    assert refused(committed) is None
    assert {row[0] for row, _ in counting.read_table(committed, counted.KERNELS, counted.FORMS)} == set(counted.KERNELS)


def test_update():
    measured = {("6.1", "packet", "sent", "1"): 0.907, ("6.12", "tap", "sent", "1"): 1.2}
    assert counting.updated(TABLE, measured) == TABLE.replace("sent 1 0.80", "sent 1 0.907").replace("1.00", "1.200")


def test_command_line():
    for words in (["--kernel", "5.10"], ["--form", "nosuch"]):
        done = subprocess.run([f"{SOURCE}/tests/bench/run", "counted", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "invalid choice" in done.stderr, (done.returncode, done.stderr)


def test_no_qemu_is_a_visible_skip():
    done = subprocess.run([f"{SOURCE}/tests/counted/run"], capture_output=True, text=True, check=False, env={"PATH": "/nonexistent"})
    assert done.returncode == 0 and done.stdout.startswith("1..0 # SKIP "), (done.returncode, done.stdout, done.stderr)


if __name__ == "__main__":
    tap.main()
