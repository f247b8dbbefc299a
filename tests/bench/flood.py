# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a member waits for a port while a user in no group floods rawnetd on 8 connections. Runs in the lab, as root.

Round by round the member makes four calls (the program `beside`): to the bus alone, to rawnetd without polkit and helper, to polkit alone,
and an open. So one sees which share of an open is whose. The first flood does not concern rawnetd at all: it shows what any user may do to
the bus. tests/attack/test_flood.py holds what must never happen; nothing here passes or fails."""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys

sys.path[:0] = [f"{os.path.dirname(os.path.abspath(__file__))}/../{folder}" for folder in ("lib", "attack")]

import bus  # noqa: E402
import goals  # noqa: E402
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
TIMES, PLUS_MS, PEAK_MIB = 3, 100, 32  # an open takes at most so many times the idle median, and so many ms more


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
            with contextlib.suppress(FileNotFoundError):
                row["descriptors"] = max(row["descriptors"], lab.fd_count(pid))
    if process.returncode != 0:
        sys.exit(f"beside: exit status {process.returncode}")


def settle(pid, descriptors):
    """Until what a flood left on its way has been answered. Returns how many descriptors of rawnetd are left over."""
    lab.wait_no_leases(60)
    with bus.connect("member") as member:
        lab.wait_for(lambda: test_flood.may_call(member) == "yes", 60, "an answer")
    with contextlib.suppress(AssertionError):
        lab.wait_for(lambda: lab.fd_count(pid) <= descriptors, 20, "the descriptors' end")
    return max(0, lab.fd_count(pid) - descriptors)


def measure(arguments):
    rows, ended, left = {}, 0, 0
    with bus.connect("member") as member:
        member.open_tap("lab").close_fds()  # both daemons start
        lab.wait_no_leases(30)
        pid = lab.service_pid()
        descriptors = lab.fd_count(pid)
        # Idle once before and once after the floods.
        for shape in (*SHAPES, "idle"):
            print(SHAPES[shape], file=sys.stderr, flush=True)
            row = rows.setdefault(shape, {"ms": {name: [] for name in CALLS}, "failed": dict.fromkeys(CALLS, 0), "descriptors": 0})
            if shape == "idle":
                rounds(arguments, pid, row)
            else:
                with test_flood.flood(shape) as flooder:
                    rounds(arguments, pid, row)
                    row["flooded"] = test_flood.sent(flooder)
            now = lab.service_pid()
            if now == pid:
                row["peak_kib"] = test_flood.memory_peak(pid)  # since its start
            else:
                ended += 1
                test_flood.may_call(member)  # starts the next one
                pid = lab.service_pid()
            left = max(left, settle(pid, descriptors))
    return {"bus": "dbus-broker" if lab.on_broker() else "dbus-daemon", "connections": test_flood.CONNECTIONS, "titles": SHAPES,
            "descriptors": descriptors, "ended": ended, "left": left, "rows": rows}  # fmt: skip


def limit_ms(result):
    """What an open may take at most."""
    return TIMES * statistics.median(result["rows"]["idle"]["ms"]["open"]) + PLUS_MS


def goals_of(result):
    limit, rows = limit_ms(result), result["rows"]
    found = [goals.goal(shape, f"the longest open, {SHAPES[shape]}", max(row["ms"]["open"], default=float("inf")), goals.AT_MOST, limit, "ms")
             for shape, row in rows.items() if shape != "idle"]  # fmt: skip
    return [
        *found,
        goals.goal("failed", "calls of the member that failed", sum(sum(row["failed"].values()) for row in rows.values()), goals.AT_MOST, 0),
        goals.goal("peak", "the most memory that rawnetd had resident", max(row.get("peak_kib", 0) for row in rows.values()) / 1024, goals.AT_MOST, PEAK_MIB, "MiB"),
        goals.goal("ended", "rawnetd processes that ended", result["ended"], goals.AT_MOST, 0),
        goals.goal("left", "descriptors of rawnetd left after the floods", result["left"], goals.AT_MOST, 0),
    ]


def text_of(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f} … {max(values):.1f})" if values else "-"


def show(result):
    print(f"{result['bus']}, {result['connections']} connections flood; ms: median (least … most)")
    print(f"{'':40}{'opens':>6}{'failed':>7}" + "".join(f"{name:>26}" for name in CALLS))
    for shape, row in result["rows"].items():
        figures = row["ms"]
        print(f"{SHAPES[shape]:40}{len(figures['open']):6}{sum(row['failed'].values()):7}" + "".join(f"{text_of(figures[name]):>26}" for name in CALLS))
    print(f"target for an open: {TIMES} times the idle median and {PLUS_MS} ms, {limit_ms(result):.0f} ms")
    most = max(row["descriptors"] for row in result["rows"].values())
    print(f"rawnetd's descriptors: {result['descriptors']} before, most {most}")
    goals.show(goals_of(result))


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run flood")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--opens", type=int, default=15, help="at most, beside each flood")
    parser.add_argument("--seconds", type=int, default=10, help="after which no further open begins")
    arguments = parser.parse_args()
    result = measure(arguments)
    if arguments.json:
        print(json.dumps(result | {"limit_ms": limit_ms(result), "times": TIMES, "plus_ms": PLUS_MS, "goals": goals_of(result)}))
    else:
        show(result)


main()
