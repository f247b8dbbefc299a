# SPDX-License-Identifier: GPL-2.0-or-later
"""Rate=: how close to a limit a lease's traffic comes, and how long a question waits beside it. Runs in the lab, as root.

A container with an interface of a limited lease (rawnetctl run --kind veth has the same) sends to the far end of the wire and receives from
it, by TCP and by UDP, for some seconds. What counts are the bytes of Ethernet frames, seen by the interface at the receiving end between
two looks at its counters, so neither the program's start nor its end counts. UDP is sent at twice the limit.

The same traffic on a lease without a limit shows what the machine can do. UDP of twice 1G has to be more than 1G there, or that row says
something about the machine only.

Beside all of it, echo requests go out ten times a second. Their answers beside TCP are compared with those of an idle lease, and with those
beside the same stream without a limit of rawnet's: there the far end of the wire has one of the same rate and a queue of a
thousand frames, as a switch or a modem has it."""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import time

sys.path[:0] = [f"{os.path.dirname(os.path.abspath(__file__))}/../lib"]

import bus  # noqa: E402
import goals  # noqa: E402
import lab  # noqa: E402
from container import Container, attach  # noqa: E402

TRAFFIC = f"{lab.build_dir}/tests/bench/traffic"
NEIGHBOUR, PREFIX = "10.77.0.1", "10.77.0"
RATES = {"10M": 10e6, "100M": 100e6, "1G": 1e9}
DIRECTIONS = ("sent", "received")
KINDS = ("TCP", "UDP")
LEAST, MOST, LATE_MS = 0.95, 1.05, 50
SETTLE = 1.0  # seconds until TCP has found its rate
HEADERS, TCP_HEADERS = 42, 66  # Ethernet, IPv4, and UDP or TCP with timestamps


def far(*words):
    return ["ip", "netns", "exec", lab.FAR, *words]


def received(interface, where):
    """(the time, bytes, frames) that the interface has received."""
    with lab.in_namespace(where), open("/proc/thread-self/net/dev", encoding="ascii") as file:
        fields = re.search(rf"^\s*{re.escape(interface)}:(.*)$", file.read(), re.M)[1].split()
    return time.monotonic(), int(fields[0]), int(fields[1])


def rate_of(kind, before, after):
    """Bits a second of frames as they are on a wire. A segmented frame of TCP is seen with one header, and has one for each 1,448 bytes."""
    seconds, count, frames = (b - a for a, b in zip(before, after))
    if kind == "TCP":
        count = (count - frames * TCP_HEADERS) * 1514 / (1514 - TCP_HEADERS)
    return count * 8 / seconds


class Guest:
    """A container on a network, with an address."""

    def __init__(self, stack, connection, network, number):
        self.box = stack.enter_context(Container())
        self.lease = attach(connection, network, self.box, up=True)
        self.address = f"{PREFIX}.{number}"
        self.box.up(f"{self.address}/24")

    def popen(self, *words, **options):
        return self.box.popen(*words, stdout=subprocess.PIPE, stdin=subprocess.PIPE, **options)


@contextlib.contextmanager
def stream(guest, kind, direction, seconds, rate):
    """Traffic of that kind while the block runs."""
    with contextlib.ExitStack() as stack:
        if kind == "TCP":
            words = [TRAFFIC, "tcp-put" if direction == "sent" else "tcp-get", str(seconds), NEIGHBOUR]
            runs = [guest.popen(*words)]
        else:
            size = 1472
            sender = [TRAFFIC, "udp-flood", str(seconds), NEIGHBOUR if direction == "sent" else guest.address, str(2 * rate / 8 / (size + HEADERS)), str(size)]
            runs = [guest.popen(*sender) if direction == "sent" else subprocess.Popen(far(*sender), stdout=subprocess.PIPE)]
        for run in runs:
            stack.enter_context(run)
        try:
            yield
        finally:
            for run in runs:
                run.kill()


def answers(guest, seconds):
    """How many ms the answers took, and how many questions had none."""
    count = max(5, int(seconds * 10))
    with guest.popen("ping", "-n", "-i", "0.1", "-c", str(count), "-W", "2", NEIGHBOUR) as ping:
        out = ping.communicate()[0]
    found = [float(one) for one in re.findall(r"time=([0-9.]+)", out)]
    return found, count - len(found)


def receiver(guest, direction):
    return ("wire", lab.FAR) if direction == "sent" else ("eth0", guest.box.namespace)


def measure(guest, kind, direction, rate, seconds):
    """{"rate": bits a second, "ms": [...], "lost": n}"""
    interface, where = receiver(guest, direction)
    with stream(guest, kind, direction, SETTLE + 2 * seconds + 5, rate):
        answers(guest, SETTLE)
        before = received(interface, where)
        ms, lost = answers(guest, seconds)
        after = received(interface, where)
    return {"rate": rate_of(kind, before, after), "ms": ms, "lost": lost}


@contextlib.contextmanager
def long_queue(rate):
    """The far end of the wire sends at that rate, and a thousand frames wait there: what Rate= must not be."""
    subprocess.run(far("tc", "qdisc", "add", "dev", "wire", "root", "tbf", "rate", f"{rate:.0f}bit", "burst", "64k", "limit", str(1000 * 1514)), check=True)
    try:
        yield
    finally:
        subprocess.run(far("tc", "qdisc", "del", "dev", "wire", "root"), check=True)


def p99(values):
    return sorted(values)[int(len(values) * 0.99)] if values else float("nan")


def goals_of(figures):
    found = []
    for rate, row in figures.items():
        for key in (f"{kind} {direction}" for kind in KINDS for direction in DIRECTIONS):
            value = statistics.median(one["rate"] for one in row[key]) / RATES[rate]
            found.append(goals.goal(f"{rate} {key} least", f"{key} at {rate}, of the limit", value, goals.AT_LEAST, LEAST))
            found.append(goals.goal(f"{rate} {key} most", f"{key} at {rate}, of the limit", value, goals.AT_MOST, MOST))
        for direction in DIRECTIONS:
            late = p99([ms for one in row[f"TCP {direction}"] for ms in one["ms"]])
            found.append(goals.goal(f"{rate} {direction} late", f"an answer beside TCP {direction} at {rate}, 99th percentile", late, goals.AT_MOST, LATE_MS, "ms"))
    return found


def show(result):
    print(f"{'of the limit, medians':24}" + "".join(f"{rate:>9}" for rate in result["figures"]))
    for kind in KINDS:
        for direction in DIRECTIONS:
            shares = [statistics.median(one["rate"] for one in row[f"{kind} {direction}"]) / RATES[rate] for rate, row in result["figures"].items()]
            print(f"{kind + ' ' + direction:24}" + "".join(f"{share:9.3f}" for share in shares))
    print("what this machine moves without a limit, of 1G: " + ", ".join(f"{key} {statistics.median(found) / 1e9:.2f}" for key, found in result["free"].items()))
    print(f"an answer on the idle lease: {statistics.median(result['idle_ms']):.2f} ms")
    for direction in DIRECTIONS:
        for rate, row in result["figures"].items():
            ms = [one for found in row[f"TCP {direction}"] for one in found["ms"]]
            print(f"beside TCP {direction} at {rate}: {statistics.median(ms):.2f} ms, 99th percentile {p99(ms):.2f} ms")
    for rate, ms in result["long_queue_ms"].items():
        print(f"beside TCP received through a queue of 1,000 frames at {rate}: {statistics.median(ms):.2f} ms, 99th percentile {p99(ms):.2f} ms")
    goals.show(goals_of(result["figures"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = {rate: {f"{kind} {direction}": [] for kind in KINDS for direction in DIRECTIONS} for rate in RATES}
    result = {"rounds": arguments.rounds, "figures": figures, "long_queue_ms": {"10M": []}}
    with contextlib.ExitStack() as stack, bus.connect("member") as connection:
        networks = {rate: stack.enter_context(lab.network(f"rate-{rate}", Rate=rate)) and f"rate-{rate}" for rate in RATES}
        serve = stack.enter_context(subprocess.Popen(far(TRAFFIC, "tcp-serve"), stdout=subprocess.PIPE, text=True))
        stack.callback(serve.kill)
        assert serve.stdout.readline() == "ready\n"
        guests = {rate: Guest(stack, connection, name, 20 + number) for number, (rate, name) in enumerate(networks.items())}
        free = Guest(stack, connection, "lab", 40)
        result["idle_ms"] = answers(guests["100M"], 2)[0]
        result["free"] = {key: [] for key in figures["1G"]}
        for _ in range(arguments.rounds):
            for kind in KINDS:
                for direction in DIRECTIONS:
                    for rate, guest in guests.items():
                        figures[rate][f"{kind} {direction}"].append(measure(guest, kind, direction, RATES[rate], arguments.seconds))
            for key, found in result["free"].items():
                found.append(measure(free, *key.split(), RATES["1G"], arguments.seconds)["rate"])
            for rate in result["long_queue_ms"]:
                with long_queue(RATES[rate]):
                    result["long_queue_ms"][rate] += measure(free, "TCP", "received", RATES[rate], arguments.seconds)["ms"]
    result["qdisc"] = "fq_codel" if os.path.exists("/sys/module/sch_fq_codel") else "the bucket's FIFO"
    if arguments.json:
        print(json.dumps(result | {"goals": goals_of(figures)}))
    else:
        show(result)


if __name__ == "__main__":
    main()
