# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a member waits for a port while a user in no group floods rawnetd on 8 connections. Runs in the lab, as root.

Round by round the member makes four calls (the program `beside`): to the bus alone, to rawnetd without polkit and helper, to polkit alone,
and an open. So one sees which share of an open is whose. The first flood does not concern rawnetd at all: it shows what any user may do to
the bus. tests/attack/test_flood.py holds what must never happen; nothing here passes or fails."""

import argparse
import json
import os
import statistics
import subprocess
import sys

sys.path[:0] = [f"{os.path.dirname(os.path.abspath(__file__))}/../{folder}" for folder in ("lib", "attack")]

import bus  # noqa: E402
import lab  # noqa: E402
import test_flood  # noqa: E402

PROGRAM = f"{lab.build_dir}/tests/bench/beside"
CALLS = ("bus", "rawnetd", "polkit", "open")
# {shape of tests/attack/flooder.py: title}; idle is none
SHAPES = {
    "idle": "no flood",
    "bus": "GetId to the bus, nothing to rawnetd",
    "open": "short calls: OpenTap, unknown network",
    "long-open": "the same with 8 KB each",
    "objects": "GetManagedObjects",
    "descriptors": "calls with 16 descriptors",
    "denied-open": "OpenTap that polkit must refuse",
}
GOALS = {"times": 3, "plus_ms": 100, "peak_kib": 32 * 1024}


def rounds(arguments, pid, row):
    """Adds the member's calls to a row: what each took, how many failed, the most descriptors that rawnetd had."""
    command = [PROGRAM, "lab", str(arguments.opens), str(arguments.seconds)]
    with lab.popen_as("member", command, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            for name, word in zip(CALLS, line.split(), strict=True):
                if word == "-":
                    row["failed"][name] += 1
                else:
                    row["ms"][name].append(int(word) / 1000)
            row["descriptors"] = max(row["descriptors"], lab.fd_count(pid) if os.path.exists(f"/proc/{pid}/fd") else 0)
    if process.returncode != 0:
        sys.exit(f"beside: exit status {process.returncode}")


def settle(pid, descriptors):
    """Until what a flood left on its way has been answered."""
    lab.wait_no_leases(60)
    with bus.connect("member") as member:
        lab.wait_for(lambda: test_flood.may_call(member) == "yes", 60, "an answer")
    lab.wait_for(lambda: lab.service_pid() != pid or lab.fd_count(pid) <= descriptors, 60, "the descriptors' end")


def measure(arguments):
    with bus.connect("member") as member:
        member.open_tap("lab").close_fds()  # both daemons start
        lab.wait_no_leases(30)
        pid = lab.service_pid()
        descriptors = lab.fd_count(pid)
        rows = {}
        # Idle once before and once after the floods.
        for shape in (*SHAPES, "idle"):
            print(f"{shape}", file=sys.stderr, flush=True)
            row = rows.setdefault(shape, {"ms": {name: [] for name in CALLS}, "failed": dict.fromkeys(CALLS, 0), "descriptors": 0})
            if shape == "idle":
                rounds(arguments, pid, row)
            else:
                with test_flood.flood(shape) as flooder:
                    rounds(arguments, pid, row)
                    row["calls"] = test_flood.sent(flooder)
            if lab.service_pid() != pid:
                sys.exit(f"{shape}: rawnetd did not survive")
            row["peak_kib"] = test_flood.memory_peak(pid)  # since rawnetd's start
            settle(pid, descriptors)
    return {"bus": "dbus-broker" if lab.on_broker() else "dbus-daemon", "connections": test_flood.CONNECTIONS, "titles": SHAPES,
            "descriptors_before": descriptors, "goals": GOALS, "rows": rows}  # fmt: skip


def limit_ms(result):
    """What an open may take at most."""
    return GOALS["times"] * statistics.median(result["rows"]["idle"]["ms"]["open"]) + GOALS["plus_ms"]


def text_of(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f} … {max(values):.1f})" if values else "-"


def show(result):
    print(f"{result['bus']}, {result['connections']} connections flood; ms: median (least … most)")
    print(f"{'':40}{'opens':>6}{'failed':>7}" + "".join(f"{name:>26}" for name in CALLS))
    for shape, row in result["rows"].items():
        figures = row["ms"]
        print(f"{SHAPES[shape]:40}{len(figures['open']):6}{sum(row['failed'].values()):7}" + "".join(f"{text_of(figures[name]):>26}" for name in CALLS))
    limit = limit_ms(result)
    print(f"goal: no open longer than {GOALS['times']} times the idle median and {GOALS['plus_ms']} ms, {limit:.0f} ms; none fails")
    for shape, row in result["rows"].items():
        most = max(row["ms"]["open"], default=0)
        held = most <= limit and not any(row["failed"].values()) and row["ms"]["open"]
        print(f"  {SHAPES[shape]:40}{most:8.0f} ms  {'met' if held else 'MISSED'}")
    most = max(row["peak_kib"] for row in result["rows"].values())
    descriptors = max(row["descriptors"] for row in result["rows"].values())
    print(f"rawnetd: the same process throughout; most memory {most} KiB, goal {GOALS['peak_kib']}; "
          f"{result['descriptors_before']} descriptors before and after, most {descriptors}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run flood")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--opens", type=int, default=15, help="at most, beside each flood")
    parser.add_argument("--seconds", type=int, default=10, help="after which no further open begins")
    arguments = parser.parse_args()
    result = measure(arguments)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


main()
