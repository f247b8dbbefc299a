# SPDX-License-Identifier: GPL-2.0-or-later
"""How many instructions a frame takes, on Debian 12's and Debian 13's kernels, in virtual machines whose processor counts them.

Runs outside the lab, as root. A figure does not depend on how fast or how busy this machine is. What it cannot show: caches, memory and
locks cost nothing in it, so a ratio of instructions is a ratio of work, not of time."""

import argparse
import json
import os
import subprocess
import sys
import time

import counting
import goals
from paths import path_name

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KERNELS = {"6.1": "bookworm", "6.12": "trixie"}
# What --form calls the paths of datapath.py, in the order of the table.
FORMS = {
    "bridge": "bridge",
    "beside": "bridge, beside rules",
    "rules": "bridge, rules",
    "tap": "lease tap strict",
    "packet": "lease packet strict",
    "wire": "lease packet strict, no header",
    "macvlan": "direct, no guard",
    "socket": "socket on the wire",
    "testpmd": "testpmd, strict",
}
CHUNKS = 9
SECONDS = 900  # for one machine, on a busy host


def say(text):
    print(f"counted: {text}", file=sys.stderr, flush=True)


def measure(kernel, names, chunks=CHUNKS):
    """What the guest found with that kernel, and how long it took."""
    say(f"Linux {kernel} (Debian's {KERNELS[kernel]}) boots in an emulated machine")
    start = time.monotonic()
    command = [f"{SOURCE}/tools/vm", "exec", "--release", KERNELS[kernel], "--counted", "--memory", "1536", "--timeout", str(SECONDS), "--",
               f"{SOURCE}/tools/lab", "exec", "--no-question-log", "--",
               "/usr/bin/python3", "-B", f"{SOURCE}/tests/bench/counted_guest.py", str(chunks), *names]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(f"counted: the machine with Linux {kernel} ended with status {done.returncode}")
    found = json.loads(done.stdout)
    seconds = round(time.monotonic() - start)
    say(f"Linux {kernel}: {seconds} s")
    return {"kernel": found["kernel"], "debian": KERNELS[kernel], "seconds": seconds, "missing": found["missing"],
            "frames": counting.frames(found["chunks"])}


COLUMNS = (("sent", "1"), ("sent", "64"), ("received", "1"), ("received", "64"))


def show(kernel, found):
    for length, size in counting.LENGTHS.items():
        print(f"\n{f'Linux {kernel}, frames of {size:,} bytes':36}" + "".join(f"{f'{direction}, {batch} a call':>24}" for direction, batch in COLUMNS))
        for name in found["frames"]:
            line = f"{path_name(name):36}"
            for column in COLUMNS:
                value = counting.look(found["frames"], name, length, *column)
                ratio = counting.ratio(found["frames"], name, length, *column)
                line += f"{f'{value:,.0f}' if value else '–':>16}{f'({ratio:.2f})' if ratio else '':>8}"
            print(line)
    for name, reason in found["missing"].items():
        print(f"{path_name(name)}: not measured: {reason}")


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run counted")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--kernel", action="append", choices=list(KERNELS))
    parser.add_argument("--form", action="append", choices=list(FORMS))
    parser.add_argument("--chunks", type=int, default=CHUNKS, help="of 64 frames, for each figure")
    arguments = parser.parse_args()
    subprocess.run([f"{SOURCE}/tools/setup", "--system", *(["--bench"] if "testpmd" in (arguments.form or FORMS) else [])], stdout=sys.stderr, check=True)
    # The bridge is what the others are compared with.
    names = [name for form, name in FORMS.items() if form == "bridge" or not arguments.form or form in arguments.form]
    result = {}
    for kernel in KERNELS:
        if not arguments.kernel or kernel in arguments.kernel:
            result[kernel] = measure(kernel, names, arguments.chunks)
    if arguments.json:
        print(json.dumps({"kernels": result, "goals": counting.goals_of(result)}))
        return
    for kernel, found in result.items():
        show(kernel, found)
    print("\ninstructions for a frame; in brackets: frames for the same instructions, tap + bridge = 1, above 1 is cheaper")
    goals.show(counting.goals_of(result))


if __name__ == "__main__":
    main()
