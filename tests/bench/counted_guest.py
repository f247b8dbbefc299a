# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets up what the program `counted` measures and prints what it found, as JSON. Runs in a lab in the virtual machine of counted.py.

    counted_guest.py CHUNKS PATH…       PATH: a name of datapath.ORDER
"""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys

import datapath
import lab
import vhost

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


@contextlib.contextmanager
def testpmd(back, *options):
    """DPDK's testpmd as the guest of that back end. Both of its threads are on the one processor."""
    command = ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", "(0,1)@0", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
               f"--vdev=net_virtio_user0,path={back.socket},queues=1,mac={back.mac}", "--", "--total-num-mbufs=2048", "--auto-start",
               *options]  # fmt: skip
    guest = lab.popen_as("member", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                         env={"XDG_RUNTIME_DIR": os.path.dirname(back.socket)})  # fmt: skip
    try:
        for line in guest.stdout:
            if line.startswith("Press enter"):
                break
        else:
            sys.exit("testpmd ended")
        yield guest
    finally:
        guest.kill()
        guest.wait()


BACK_ENDS = {"testpmd, strict": {}}  # and the keys of its network
# What testpmd does, and for which figures: sends frames of one length all the time, or takes what comes.
GUESTS = (
    ("sent", ("short",), ("--forward-mode=txonly", "--txpkts=60")),
    ("sent", ("long",), ("--forward-mode=txonly", "--txpkts=1514")),
    ("received", ("short", "long"), ("--forward-mode=rxonly",)),
)


def back_end(name, chunks):
    """{length: {direction: {"64": chunks}}} of a rawnet-vhost on a lease of its own. 64: it takes many frames a call, as many as it finds."""
    found = {}
    far = datapath.wire("wback")
    with lab.network("bench-back", Parent="wback0", Kinds="packet", **BACK_ENDS[name]):
        for direction, lengths, options in GUESTS:
            print(f"counted: {name}, {direction}, {' and '.join(lengths)}", file=sys.stderr, flush=True)
            with vhost.back_end("bench-back") as back, testpmd(back, *options):
                spec = f"{name}:back={back.process.pid},mac={back.mac},{far}"
                for length in lengths:
                    # Chunks received differ more: what the back end does until it sleeps again is in them.
                    count = chunks if direction == "sent" else str(3 * int(chunks))
                    command = [f"{PROGRAM}-back", "-c", count, direction, length, spec]
                    out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
                    found.setdefault(length, {})[direction] = {"64": json.loads(out)}
                back.end()
    return found


def main(chunks, *names):
    missing = {}
    datapath.ip("link", "add", IDLE, "type", "dummy")
    datapath.quiet(IDLE)
    hooks()
    with contextlib.ExitStack() as stack:
        specs, fds = datapath.paths(stack, names, missing)
        command = [PROGRAM, "-c", chunks, IDLE, *(f"{name}:{spec}" for name, spec in specs.items())]
        found = json.loads(subprocess.run(command, pass_fds=fds, stdout=subprocess.PIPE, check=True).stdout)
        for name in set(BACK_ENDS) & set(names):
            if shutil.which("dpdk-testpmd"):
                found[name] = back_end(name, chunks)
            else:
                missing[name] = "dpdk-testpmd is not installed (tools/setup --bench)"
    print(json.dumps({"kernel": platform.release(), "missing": missing, "chunks": found}))


main(*sys.argv[1:])
