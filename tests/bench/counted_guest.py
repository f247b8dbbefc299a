# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets up what the program `counted` measures and prints what it found, as JSON. Runs in a lab in the virtual machine of counted.py.

    counted_guest.py CHUNKS PATH…       PATH: a name of datapath.ORDER
"""

import contextlib
import json
import platform
import subprocess
import sys

import datapath
import lab

PROGRAM = f"{lab.build_dir}/tests/bench/counted"
IDLE = "idle0"
HOOKED = "hooked0"


def hooks():
    """Chains and a qdisc on an interface without any traffic. The kernel asks no interface for its hooks until the first one in the
    machine has some. From then on each frame of each interface costs that question, so that one lease would make a bridge dearer."""
    datapath.ip("link", "add", HOOKED, "type", "dummy")
    chains = "".join(f'chain {hook} {{ type filter hook {hook} device "{HOOKED}" priority 0; }}\n' for hook in ("ingress", "egress"))
    datapath.nft(f"table netdev bench-hooks {{\n{chains}}}\n")
    subprocess.run(["tc", "qdisc", "add", "dev", HOOKED, "clsact"], check=True)


def main(chunks, *names):
    missing = {}
    datapath.ip("link", "add", IDLE, "type", "dummy")
    datapath.quiet(IDLE)
    hooks()
    with contextlib.ExitStack() as stack:
        specs, fds = datapath.paths(stack, names, missing)
        command = [PROGRAM, "-c", chunks, IDLE, *(f"{name}:{spec}" for name, spec in specs.items())]
        out = subprocess.run(command, pass_fds=fds, stdout=subprocess.PIPE, check=True).stdout
    print(json.dumps({"kernel": platform.release(), "missing": missing, "chunks": json.loads(out)}))


main(*sys.argv[1:])
