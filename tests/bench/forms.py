# SPDX-License-Identifier: GPL-2.0-or-later
"""Forms that the guard could have, and ways through a packet socket: what each costs. Runs in the lab, as root.

The guard's forms are loaded with nft(8) into the namespaces of real leases, in turn, and measured by the same program; the first of each
group is what the helper built. So are the knobs of sockets and interfaces, one turned at a time. Round by round, all in one run; medians of the rounds' ratios."""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/../lib")

import bus  # noqa: E402
import datapath  # noqa: E402
import lab  # noqa: E402

PROGRAM = f"{lab.build_dir}/tests/bench/rings"
WAYS = ("call", "batch=16", "batch=64", "batch=256", "ring")

TAGS = "0x8100, 0x88a8, 0x9100, 0x9200, 0x9300"
COMPARES = " ".join(f"ether type != {kind}" for kind in (*TAGS.split(", "), "0x8808"))
SOURCE = "ether saddr {mac}"
GROUPS = "ether daddr & ff:ff:ff:ff:00:00 != 01:80:c2:00:00:00 ether daddr & ff:ff:ff:ff:00:00 != 01:00:0c:cc:00:00"
ONE_BY_ONE = f"{GROUPS} {SOURCE} {COMPARES}"
MARK, NO_MARK = "meta mark set 0x7261776e", "meta mark 0x7261776e meta mark set 0"


def chain(name, device, hook, *rules):
    return f"chain {name} {{ type filter hook {hook} device \"{device}\" priority 0; policy drop;\n" + "\n".join(rules) + "\n}\n"


def rules(*chains):
    wire = chain("from-wire", "uplink", "ingress", f"ether type != {{ {TAGS} }} fwd to inner")
    return wire + chain("port", "{port}", "ingress") + "".join(chains)


FORMS = {
    "as built": None,
    "nftables, behind the veth, gate": rules(chain("g", "inner", "ingress", f"{ONE_BY_ONE} {MARK} fwd to uplink"),
                                             chain("gate", "uplink", "egress", f"{NO_MARK} accept")),
    "nftables, at the port's exit, gate": rules(chain("g", "{port}", "egress", f"{ONE_BY_ONE} {MARK} fwd to uplink"),
                                                chain("gate", "uplink", "egress", f"{NO_MARK} accept")),
    "nftables, at the uplink's exit, no mark": rules(chain("g", "{port}", "egress", "fwd to uplink"),
                                                     chain("gate", "uplink", "egress", f"{ONE_BY_ONE} accept")),
}  # fmt: skip


SOL_PACKET, PACKET_VNET_HDR = 263, 15  # linux/if_packet.h
SO_BUSY_POLL, SO_SNDBUFFORCE, SO_RCVBUFFORCE = 46, 32, 33  # asm-generic/socket.h


def with_option(level, option, value):
    def apply(lease):
        with socket.socket(fileno=os.dup(lease.fd)) as same:
            same.setsockopt(level, option, value)

    return apply


def veth_napi(lease):
    """With GRO a veth receives by NAPI (drivers/net/veth.c) and not by the processor's backlog."""
    with lab.in_namespace(lease.fd):
        for name in ("inner", lease.info["interface"]):
            subprocess.run(["ethtool", "-K", name, "gro", "on"], check=True)


# {name: (which directions, what is done to an open one)}; the first is what the helper built
KNOBS = {
    "as built": ("send receive", None),
    "SO_SNDBUF 4 MiB": ("send", with_option(socket.SOL_SOCKET, SO_SNDBUFFORCE, 2 << 20)),
    "GRO and NAPI on the veth": ("send receive", veth_napi),
    "SO_BUSY_POLL 50 µs": ("receive", with_option(socket.SOL_SOCKET, SO_BUSY_POLL, 50)),
    "SO_RCVBUF 208 KiB": ("receive", with_option(socket.SOL_SOCKET, SO_RCVBUFFORCE, 104 << 10)),
    "SO_RCVBUF 4 MiB": ("receive", with_option(socket.SOL_SOCKET, SO_RCVBUFFORCE, 2 << 20)),
}


class ByHand:
    """A bare macvlan with a socket, without guard, in a namespace of its own: what number of transmit queues it has is open here."""

    def __init__(self, queues):
        self.info = {"mac": datapath.MAC}
        self.namespace = f"forms-{queues}"
        datapath.ip("netns", "add", self.namespace)
        datapath.ip("link", "add", "up0", "numtxqueues", str(queues), "link", "wforms0", "address", datapath.MAC, "netns", self.namespace,
                    "type", "macvlan", "mode", "bridge")  # fmt: skip
        datapath.quiet("up0", self.namespace)
        with lab.in_namespace(self.namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.socket.bind(("up0", 0))
        self.fd = self.socket.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        # By itself first: a namespace is emptied in its own time, and the address would be in use till then.
        datapath.ip("-n", self.namespace, "link", "del", "up0")
        datapath.ip("netns", "del", self.namespace)


def load(lease, text):
    """The lease's guard is that text now, and the eBPF programs are gone."""
    text = text.replace("{port}", lease.info["interface"]).replace("{mac}", lease.info["mac"])
    with lab.in_namespace(lease.fd):
        for link in ("uplink", "inner", lease.info["interface"]):
            shown = subprocess.run(["tc", "qdisc", "show", "dev", link], capture_output=True, text=True, check=True).stdout
            for qdisc in ("ingress", "clsact"):
                if f"qdisc {qdisc} " in shown:
                    subprocess.run(["tc", "qdisc", "del", "dev", link, qdisc], check=True)
        subprocess.run(["nft", "-f", "-"], input=f"flush ruleset\ntable netdev rawnet {{\n{text}}}\n", text=True, check=True)


def far_socket(device):
    """A plain packet socket that sends there and hears nothing."""
    with lab.in_namespace(lab.FAR):
        far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    far.bind((device, 0))
    return far


def move(lease, direction, way, milliseconds, far=None):
    fds = [lease.fd, *([far.fileno()] if far else [])]
    words = [PROGRAM, str(milliseconds), direction, way, str(lease.fd), lease.info["mac"], *map(str, fds[1:])]
    before = datapath.far_packets("wforms")
    out = subprocess.run(words, capture_output=True, text=True, check=True, pass_fds=fds).stdout
    moved, wall, cpu, flooded, flood_cpu = map(float, out.split())
    if direction == "send":
        moved = datapath.far_packets("wforms") - before
    found = {"rate": moved / wall, "cpu": cpu / max(1, moved) * 1e6}
    return found | ({"arrival": flood_cpu / max(1, flooded) * 1e6} if far else {})


@contextlib.contextmanager
def open_lease():
    """A lease; one for each measurement, since a socket keeps its ring."""
    with bus.connect("member") as connection, connection.open_packet("forms", vnet_hdr=True) as lease:
        yield lease
    lab.wait_no_leases()


def measure(options):
    figures = {}

    def add(part, name, found):
        for figure, value in found.items():
            figures.setdefault(part, {}).setdefault(name, {}).setdefault(figure, []).append(value)

    with contextlib.ExitStack() as stack:
        datapath.wire("wforms")
        stack.enter_context(lab.network("forms", Parent="wforms0", Kinds="packet"))
        far = stack.enter_context(far_socket("wforms1"))
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            if options.part in ("all", "guard"):
                with open_lease() as lease:
                    for name, text in FORMS.items():
                        if text is not None:
                            load(lease, text)
                        add("guard", name, move(lease, "send", "batch=64", options.milliseconds))
            for way in WAYS if options.part in ("all", "ways") else ():
                with open_lease() as lease:
                    add("send", way, move(lease, "send", way, options.milliseconds))
                with open_lease() as lease:
                    add("receive", way, move(lease, "receive", way, options.milliseconds, far))
            for name, (directions, apply) in KNOBS.items() if options.part in ("all", "knobs") else ():
                for direction in directions.split():
                    with open_lease() as lease:
                        if apply:
                            apply(lease)
                        add(f"knobs, {direction}", name, move(lease, direction, "batch=64", options.milliseconds, far if direction == "receive" else None))
            for queues in (1, 4) if options.part in ("all", "knobs") else ():
                with ByHand(queues) as port:
                    add("knobs, a bare macvlan, send", f"transmit queues: {queues}", move(port, "send", "batch=64", options.milliseconds))
    return figures


def text_of(values, factor, digits):
    values = [value * factor for value in values]
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} … {max(values):.{digits}f})"


def show(figures):
    for part, rows in figures.items():
        first = next(iter(rows))
        print(f"\n{part:34}{'K frames/s':>24}{'ratio':>7}{'CPU µs/frame':>26}{'ratio':>7}{'µs on arrival':>26}")
        for name, row in rows.items():
            ratios = [statistics.median(a / b for a, b in zip(row[figure], rows[first][figure]) if b) for figure in ("rate", "cpu")]
            print(f"{name:34}{text_of(row['rate'], 1e-3, 0):>24}{ratios[0]:7.2f}{text_of(row['cpu'], 1, 2):>26}{ratios[1]:7.2f}"
                  + (f"{text_of(row['arrival'], 1, 2):>26}" if "arrival" in row else ""))  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run forms")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--milliseconds", type=int, default=300)
    parser.add_argument("--part", choices=("all", "guard", "ways", "knobs"), default="all")
    options = parser.parse_args()
    figures = measure(options)
    if options.json:
        print(json.dumps({"figures": figures, "goals": []}))
    else:
        show(figures)


main()
