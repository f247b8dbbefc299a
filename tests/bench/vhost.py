# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames a second that a guest at full speed sends through rawnet-vhost, beside a UDP socket and bare sockets. Runs in the lab, as root.

The guest is Debian's dpdk-testpmd as a virtio-user front end (packages dpdk-dev, librte-net-virtio23, librte-mempool-ring23): it offers
tens of millions of frames a second. Frames are counted by the far end of the wire, which drops them before its IP stack. Only ratios within
a run mean anything, on a machine that does nothing else; processor time covers the sender's process with the softirqs that it ran."""

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import time

sys.path[:0] = [f"{os.path.dirname(os.path.abspath(__file__))}/../lib", f"{os.path.dirname(os.path.abspath(__file__))}/../backend"]

import bus  # noqa: E402
import lab  # noqa: E402
import vhost  # noqa: E402

BLAST = f"{lab.build_dir}/tests/bench/blast"
HOST, NEIGHBOUR = "10.77.0.250/24", "10.77.0.1"
GOALS = (("testpmd, direct", "UDP socket", 2.0), ("testpmd, strict", "UDP socket", 1.4))


def far_packets():
    return lab.ip("-s", "link", "show", "wire", where=lab.FAR)[0]["stats64"]["rx"]["packets"]


def process_times(pid):
    """Processor seconds, voluntary context switches."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        switches = next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), switches


def blast(seconds, *words, **options):
    """(frames a second at the far end, processor µs a frame, None)"""
    before = far_packets()
    out = subprocess.run([BLAST, str(seconds), *words], capture_output=True, text=True, check=True, **options).stdout
    _, _, wall, cpu = map(float, out.split())
    frames = max(1, far_packets() - before)
    return frames / wall, cpu / frames * 1e6, None


def bare(network, seconds):
    with bus.connect("member") as connection:
        lease = connection.open_packet(network, vnet_hdr=True)
        try:
            return blast(seconds, str(lease.fds[0]), lease.info["mac"], pass_fds=lease.fds)
        finally:
            lease.close_fds()
            lab.wait_no_leases()


def testpmd(network, seconds):
    """(frames a second, the back end's processor µs a frame, its context switches a frame)"""
    with vhost.back_end(network) as back:
        command = ["dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
                   f"--vdev=net_virtio_user0,path={back.socket},queues=1,mac={back.mac}", "--",
                   "--forward-mode=txonly", "--total-num-mbufs=8192", "--auto-start"]  # fmt: skip
        environment = {"XDG_RUNTIME_DIR": os.path.dirname(back.socket)}
        guest = lab.popen_as("member", command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        try:
            start = far_packets()
            lab.wait_for(lambda: far_packets() - start > 50000 or guest.poll() is not None, 30, "testpmd's frames")
            assert guest.poll() is None, "testpmd ended"
            began, before, (cpu, switches) = time.monotonic(), far_packets(), process_times(back.process.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                guest.wait(seconds)
            wall, frames, (cpu_after, switches_after) = time.monotonic() - began, far_packets() - before, process_times(back.process.pid)
            return frames / wall, (cpu_after - cpu) / frames * 1e6, (switches_after - switches) / frames
        finally:
            guest.kill()
            guest.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_args()
    if not shutil.which("dpdk-testpmd"):
        sys.exit("vhost: no dpdk-testpmd: apt-get install dpdk-dev librte-net-virtio23 librte-mempool-ring23")
    subprocess.run(["ip", "address", "add", HOST, "dev", "wire0"], check=True)
    subprocess.run(["ip", "netns", "exec", lab.FAR, "nft", "-f", "-"], text=True, check=True,
                   input='table netdev bench {\nchain sink {\ntype filter hook ingress device "wire" priority 0\nether type ip drop\n}\n}\n')  # fmt: skip
    paths = {
        "UDP socket": lambda: blast(options.seconds, "udp", NEIGHBOUR),
        "sendmmsg, direct": lambda: bare("lab-direct", options.seconds),
        "sendmmsg, strict": lambda: bare("lab", options.seconds),
        "testpmd, direct": lambda: testpmd("lab-direct", options.seconds),
        "testpmd, strict": lambda: testpmd("lab", options.seconds),
    }
    figures = {name: [] for name in paths}
    for _ in range(options.rounds):
        for name, measure in paths.items():
            figures[name].append(measure())
    print(f"{'path':<20}{'K frames/s':>12}{'lowest':>9}{'highest':>9}{'CPU µs/frame':>14}{'switches/frame':>16}")
    rates = {}
    for name, rows in figures.items():
        found = [row[0] / 1e3 for row in rows]
        rates[name] = statistics.median(found)
        switches = [row[2] for row in rows if row[2] is not None]
        print(f"{name:<20}{rates[name]:>12.0f}{min(found):>9.0f}{max(found):>9.0f}{statistics.median(row[1] for row in rows):>14.2f}"
              + (f"{statistics.median(switches):>16.3f}" if switches else ""))  # fmt: skip
    for of, against, goal in GOALS:
        print(f"{of} / {against}: {rates[of] / rates[against]:.2f} (goal {goal})")


main()
