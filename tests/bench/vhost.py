# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnet-vhost beside what there was before it: the comparison of 2009, all paths in one run. Runs in the lab, as root.

Three parts, interleaved round by round. A guest at full speed (Debian's dpdk-testpmd as a virtio-user front end, which offers tens of
millions of frames a second) beside a UDP socket without a VM; ports written and read one frame a call, as QEMU does, by the program
`datapath`; and the same emulated Linux guest in stock QEMU on each path (guests.py). Frames sent are counted at the far end of the
wire, those received by the guest. Only ratios within a run mean anything, on a machine that does nothing else."""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys

sys.path[:0] = [f"{os.path.dirname(os.path.abspath(__file__))}/../lib", f"{os.path.dirname(os.path.abspath(__file__))}/../backend"]

import accounting  # noqa: E402
import bus  # noqa: E402
import datapath  # noqa: E402
import goals  # noqa: E402
import guests  # noqa: E402
import lab  # noqa: E402
import vhost  # noqa: E402
from paths import path_name  # noqa: E402

BLAST = f"{lab.build_dir}/tests/bench/blast"
NEIGHBOUR, NEIGHBOUR_MAC = "10.83.0.1", "02:00:00:00:fa:12"
CALLS = ("bridge", "bridge, rules", "lease packet strict", "lease packet direct", "direct, no guard")

# (of, against, figure, goal): medians of the rounds' ratios; ">" at least, "<" at most
GOALS = (
    ("testpmd, direct", "UDP socket, no VM", "fast rate", ">2.0"),
    ("testpmd, strict", "UDP socket, no VM", "fast rate", ">1.4"),
    ("direct, no guard", "bridge", "call sent", ">1.4"),
    ("direct, no guard", "bridge", "call received", ">1.4"),
    ("lease packet strict", "bridge, rules", "call sent", ">1.0"),
    ("lease packet strict", "bridge, rules", "call received", ">1.0"),
    *((f"rawnet-vhost, {sort}", against, figure, goal) for sort in ("strict", "direct") for against, figure, goal in (
        ("tap + bridge", "send rate", ""), ("tap + bridge", "receive rate", ""),
        ("tap + bridge", "send cpu", "<0.6"), ("tap + bridge", "receive cpu", "<0.6"),
        ("tap + bridge", "send switches", "<0.33"), ("tap + bridge", "receive switches", "<0.33"),
        ("tap lease", "get rate", ">1.0"), ("tap lease", "put rate", ">1.0"),
    )),
)  # fmt: skip

# What a figure of a part is called in a sentence.
FIGURES = {
    "fast rate": "frames sent at full speed", "call sent": "frames sent, one a call", "call received": "frames received, one a call",
    "send rate": "frames sent", "receive rate": "frames received", "send cpu": "CPU time for a frame sent",
    "receive cpu": "CPU time for a frame received", "send switches": "context switches for a frame sent",
    "receive switches": "context switches for a frame received", "get rate": "TCP into the guest", "put rate": "TCP out of the guest",
}  # fmt: skip
RESIDENT_MIB = 8


def program(wire, *words, **options):
    """A sender's figures: it prints what it thinks it sent, seconds and processor seconds."""
    before = datapath.far_packets(wire)
    out = subprocess.run(words, capture_output=True, text=True, check=True, **options).stdout
    *_, wall, cpu = map(float, out.split())
    frames = max(1, datapath.far_packets(wire) - before)
    return {"rate": frames / wall, "cpu": cpu / frames * 1e6}


def udp(seconds):
    return program("wudp", guests.TRAFFIC, "udp-send", str(seconds), NEIGHBOUR)


def bare(network, seconds):
    """A loop of sendmmsg() on the lease: what a back end that costs nothing would reach."""
    with bus.connect("member") as connection, connection.open_packet(network, vnet_hdr=True) as lease:
        return program("wlease", BLAST, str(seconds), str(lease.fds[0]), lease.info["mac"], pass_fds=lease.fds)


def testpmd(network, seconds):
    with vhost.back_end(network) as back:
        command = ["dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
                   f"--vdev=net_virtio_user0,path={back.socket},queues=1,mac={back.mac}", "--",
                   "--forward-mode=txonly", "--total-num-mbufs=8192", "--auto-start"]  # fmt: skip
        guest = lab.popen_as("member", command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env={"XDG_RUNTIME_DIR": os.path.dirname(back.socket)})  # fmt: skip
        try:
            start = datapath.far_packets("wlease")
            lab.wait_for(lambda: datapath.far_packets("wlease") - start > 50000 or guest.poll() is not None, 30, "testpmd's frames")
            assert guest.poll() is None, "testpmd ended"
            meter, before = accounting.Meter(back.process.pid), datapath.far_packets("wlease")
            with contextlib.suppress(subprocess.TimeoutExpired):
                guest.wait(seconds)
            used, frames = meter.read(), max(1, datapath.far_packets("wlease") - before)
            return {"rate": frames / used.wall, "cpu": used.seconds / frames * 1e6, "switches": used.switches / frames}
        finally:
            guest.kill()
            guest.wait()
            back.end()


def calls(specs, fds):
    """One round of `datapath`: {path: {sent, received}}."""
    command = [datapath.PROGRAM, "-r", "1", "-t", "200", *(f"{name}:{specs[name]}" for name in CALLS if name in specs)]
    found = json.loads(subprocess.run(command, pass_fds=fds, stdout=subprocess.PIPE, check=True).stdout)
    return {name: {"sent": rates["sent"][0], "received": rates["received"][0]} for name, rates in found.items()}


class Figures:
    """{part: {path: {figure: [a value a round]}}}"""

    def __init__(self):
        self.parts = {}

    def add(self, part, path, found):
        for figure, value in found.items():
            self.parts.setdefault(part, {}).setdefault(path, {}).setdefault(figure, []).append(value)

    def ratio(self, of, against, part, figure):
        pairs = zip(self.parts[part][of][figure], self.parts[part][against][figure])
        return statistics.median(a / b for a, b in pairs if b)

    def ratios(self):
        """[(what, median of the rounds' ratios, goal)] of GOALS, as far as they were measured."""
        found = []
        for of, against, name, goal in GOALS:
            part, figure = name.split()
            if of in self.parts.get(part, {}) and against in self.parts[part]:
                found.append((f"{path_name(of)} against {path_name(against)}, {FIGURES[name]}", f"{of}: {name}", self.ratio(of, against, part, figure), goal))
        return found

    def goals(self):
        found = [goals.goal(name, what, got, goals.AT_LEAST if goal[0] == ">" else goals.AT_MOST, float(goal[1:]))
                 for what, name, got, goal in self.ratios() if goal]  # fmt: skip
        resident = [value for path in self.parts.get("resident", {}).values() for value in path["kib"]]
        if resident:
            found.append(goals.goal("resident", "rawnet-vhost's own memory", max(resident) / 1024, goals.AT_MOST, RESIDENT_MIB, "MiB"))
        return found

    def table(self, part, title, columns):
        """columns: (heading, figure, factor, digits)"""
        print(f"\n{title:28}" + "".join(f"{heading:>32}" for heading, *_ in columns))
        for path, figures in self.parts.get(part, {}).items():
            line = f"{path:28}"
            for _, figure, factor, digits in columns:
                values = [value * factor for value in figures.get(figure, [])]
                text = f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} … {max(values):.{digits}f})" if values else "-"
                line += f"{text:>32}"
            print(line)


def show(figures):
    figures.table("fast", "a sender at full speed", (("K frames/s", "rate", 1e-3, 0), ("CPU µs/frame", "cpu", 1, 2), ("switches/frame", "switches", 1, 4)))
    figures.table("call", "one frame a call", (("sent, K frames/s", "sent", 1e-3, 0), ("received, K frames/s", "received", 1e-3, 0)))
    columns = ("K frames/s", "rate", 1e-3, 1), ("host CPU µs/frame", "cpu", 1, 2), ("switches/frame", "switches", 1, 3)
    figures.table("send", "the emulated guest sends", columns)
    figures.table("receive", "the emulated guest receives", (*columns, ("sender's CPU µs/frame", "sender", 1, 2)))
    for part, title in (("get", "TCP to the guest"), ("put", "TCP from the guest")):
        figures.table(part, title, (("Mbit/s", "rate", 1, 0), ("host CPU ms/MB", "cpu", 1, 2)))
    figures.table("resident", "rawnet-vhost's own memory", (("KiB", "kib", 1, 0),))
    print()
    for what, _, got, goal in figures.ratios():
        if not goal:
            print(f"{what}: {got:.2f}")
    goals.show(figures.goals())


def measure(options):
    figures = Figures()
    with contextlib.ExitStack() as stack:
        specs, fds = datapath.paths(stack)
        datapath.wire("wudp")
        datapath.ip("address", "add", "10.83.0.2/24", "dev", "wudp0")
        datapath.ip("neighbour", "add", NEIGHBOUR, "lladdr", NEIGHBOUR_MAC, "dev", "wudp0")
        machines = stack.enter_context(guests.machines()) if not options.without_guests else {}
        fast = {
            "UDP socket, no VM": lambda: udp(options.seconds),
            "sendmmsg, direct": lambda: bare("bench-direct", options.seconds),
            "sendmmsg, strict": lambda: bare("bench", options.seconds),
            "testpmd, direct": lambda: testpmd("bench-direct", options.seconds),
            "testpmd, strict": lambda: testpmd("bench", options.seconds),
        }
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            for path, run in fast.items():
                figures.add("fast", path, run())
            for path, found in calls(specs, fds).items():
                figures.add("call", path, found)
            for path, machine in machines.items():
                figures.add("send", path, machine.send(options.seconds))
                figures.add("receive", path, machine.receive(options.seconds))
                for direction in ("get", "put"):
                    figures.add(direction, path, machine.tcp(direction, options.seconds))
                if machine.back:
                    figures.add("resident", path, {"kib": machine.resident()})
    return figures


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run vhost")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--without-guests", action="store_true", help="leave the emulated guests out")
    options = parser.parse_args()
    if not shutil.which("dpdk-testpmd"):
        sys.exit("vhost: no dpdk-testpmd: run tools/setup --bench")
    figures = measure(options)
    if options.json:
        print(json.dumps({"bridges": "apart", "rounds": options.rounds, "seconds": options.seconds, "figures": figures.parts, "ratios": {name: got for _, name, got, _ in figures.ratios()},
                          "goals": figures.goals()}))  # fmt: skip
    else:
        show(figures)


main()
