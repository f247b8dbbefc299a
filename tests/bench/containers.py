# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP of an unprivileged user's container, on each way that it can get to the LAN: rawnetctl run --kind veth, pasta, and, as what root can
have, a macvlan. Beside them the host itself. Runs in the lab, as root.

All paths share one wire, and the far end's program. They are measured in turn, round by round, with the same program (traffic.c). Only ratios
within a run mean anything, on a machine that does nothing else."""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/../lib")

import lab  # noqa: E402

TRAFFIC = f"{lab.build_dir}/tests/bench/traffic"
NEIGHBOUR, PREFIX = "10.77.0.1", "10.77.0"
DIRECTIONS = ("put", "get")
TITLES = {
    "host": "the host itself, no container",
    "macvlan": "macvlan, made by root",
    "rawnet": "rawnetctl run --kind veth",
    "pasta": "pasta",
}
AGAINST = ("macvlan", "pasta")


@contextlib.contextmanager
def surroundings():
    """The far end's program, an address of the host, which pasta translates to, and root's macvlan."""

    def ip(*words, **options):
        subprocess.run(["ip", *words], check=True, **options)

    ip("addr", "add", f"{PREFIX}.3/24", "dev", "wire0")
    ip("route", "add", "default", "via", NEIGHBOUR)
    ip("netns", "add", "bench-root")
    ip("link", "add", "up0", "link", "wire0", "netns", "bench-root", "type", "macvlan", "mode", "bridge")
    ip("-n", "bench-root", "addr", "add", f"{PREFIX}.4/24", "dev", "up0")
    ip("-n", "bench-root", "link", "set", "up0", "up")
    with subprocess.Popen(["ip", "netns", "exec", lab.FAR, TRAFFIC, "tcp-serve"], stdout=subprocess.PIPE, text=True) as far:
        try:
            assert far.stdout.readline() == "ready\n"
            yield
        finally:
            far.kill()
            ip("netns", "del", "bench-root")


def command(path, words):
    """What runs words on that path, as the user or, for root's macvlan, as root."""
    if path == "macvlan":
        return ["ip", "netns", "exec", "bench-root", *words]
    if path == "rawnet":
        inside = f'ip addr add {PREFIX}.5/24 dev eth0 && exec "$@"'
        return ["rawnetctl", "run", "--kind", "veth", "lab", "--", "sh", "-c", inside, "sh", *words]
    # The neighbour is the gateway, whose address pasta would take for the host's.
    return ["pasta", "--config-net", "--no-map-gw", "-4", "--", *words] if path == "pasta" else words


def measure(path, direction, seconds):
    """Bits a second."""
    words = command(path, [TRAFFIC, f"tcp-{direction}", str(seconds), NEIGHBOUR])
    if path == "macvlan":
        out = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    else:
        out = lab.run_as("member", words, timeout=60, check=True).stdout
    count, wall, _ = map(float, out.split())
    return count * 8 / wall


def ratio(figures, of, against, direction):
    return statistics.median(a / b for a, b in zip(figures[of][direction], figures[against][direction]))


def show(figures):
    print(f"{'Gbit/s, medians':32}{'sent':>8}{'received':>10}")
    for path, title in TITLES.items():
        print(f"{title:32}" + "".join(f"{statistics.median(figures[path][direction]) / 1e9:9.2f}" for direction in DIRECTIONS))
    for against in AGAINST:
        sent, received = (ratio(figures, "rawnet", against, direction) for direction in DIRECTIONS)
        print(f"rawnet against {against}: sent {sent:.2f}, received {received:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = {path: {direction: [] for direction in DIRECTIONS} for path in TITLES}
    with surroundings():
        for _ in range(arguments.rounds):
            for direction in DIRECTIONS:
                for path in TITLES:
                    figures[path][direction].append(measure(path, direction, arguments.seconds))
    if arguments.json:
        print(json.dumps({"rounds": arguments.rounds, "titles": TITLES, "figures": figures}))
    else:
        show(figures)


if __name__ == "__main__":
    main()
