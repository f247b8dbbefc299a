# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets up what the program `datapath` measures, and says what its figures mean. Runs in the lab, as root.

Every path has a wire (a veth pair) of the same make, whose far end counts the frames and throws them away. Leases are real ones,
opened by D-Bus; what they are compared with, bridges and bare sockets, is built by hand."""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/../lib")

import bus  # noqa: E402
import goals  # noqa: E402
import lab  # noqa: E402
from paths import path_name  # noqa: E402

PROGRAM = f"{lab.build_dir}/tests/bench/datapath"
MAC = "52:54:00:be:4c:01"
TAGS = "0x8100, 0x88a8, 0x9100, 0x9200, 0x9300"
CONTROL = "01:80:c2:00:00:00-01:80:c2:00:00:0f, 01:00:0c:cc:cc:cc, 01:00:0c:cc:cc:cd"

# (name, of, against, direction, at least): the goals of the data path, as ratios of one run
GOALS = (
    ("tap-sent", "lease tap strict", "bridge, rules", "sent", 1.0),
    ("tap-received", "lease tap strict", "bridge, rules", "received", 1.0),
    ("bare-sent", "direct, no guard", "bridge", "sent", 1.4),
    ("bare-received", "direct, no guard", "bridge", "received", 1.4),
)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def nft(text, netns=None):
    prefix = ["ip", "netns", "exec", netns] if netns else []
    subprocess.run([*prefix, "nft", "-f", "-"], input=text, text=True, check=True)


def quiet(device, netns=None):
    """No IPv6 on it, and up."""
    with lab.in_namespace(netns) if netns else contextlib.nullcontext():
        with open(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6", "w", encoding="ascii") as file:
            file.write("1")
        ip("link", "set", device, "up")


def wire(name):
    """NAME0 here, NAME1 in the far namespace, where what arrives is dropped before the IP stack. Both ends' key=value words."""
    ip("link", "add", f"{name}0", "type", "veth", "peer", "name", f"{name}1", "netns", lab.FAR)
    quiet(f"{name}0")
    quiet(f"{name}1", lab.FAR)
    nft(f'table netdev bench-{name} {{ chain sink {{\n'
        f'type filter hook ingress device "{name}1" priority 0; policy drop;\n}}\n}}\n', lab.FAR)  # fmt: skip
    return f"far={name}1,farns=/run/netns/{lab.FAR}"


def far_packets(name):
    """What has arrived at the far end of that wire."""
    return lab.ip("-s", "link", "show", f"{name}1", where=lab.FAR)[0]["stats64"]["rx"]["packets"]


def bridge(name, rules=""):
    """tap and wire in a bridge, as qemu-bridge-helper has it, in a namespace of its own: rules in a bridge's hooks hold for all bridges of
    a namespace, and so would cost the plain one, too. rules: nft(8)'s, with {tap} and {wire}."""
    far, place = wire(f"w{name}"), f"bench-{name}"
    ip("netns", "add", place)
    ip("link", "set", f"w{name}0", "netns", place)
    with lab.in_namespace(place):
        with contextlib.suppress(FileNotFoundError), open("/proc/sys/net/bridge/bridge-nf-call-iptables", "w", encoding="ascii") as file:
            file.write("0")  # as where br_netfilter is not loaded: the bridge shall not be slower than it must
        ip("tuntap", "add", f"t{name}", "mode", "tap", "vnet_hdr")
        ip("link", "add", f"br-{name}", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        for port in (f"t{name}", f"w{name}0"):
            ip("link", "set", port, "master", f"br-{name}")
        for device in (f"t{name}", f"w{name}0", f"br-{name}"):
            quiet(device)
        if rules:
            nft(rules.replace("{tap}", f"t{name}").replace("{wire}", f"w{name}0"))
    return f"tap=t{name},netns=/run/netns/{place},header=10,mac={MAC},{far}"


RULES_IN_BRIDGE = f"""
table bridge bench {{ chain prerouting {{
        type filter hook prerouting priority -300; policy accept;
        ether type {{ {TAGS} }} drop
        iifname "{{tap}}" ether saddr != {MAC} drop
        iifname "{{tap}}" ether daddr {{ {CONTROL} }} drop
        iifname "{{tap}}" ether type 0x8808 drop
}}
}}
"""

RULES_ON_PORTS = f"""
table netdev bench {{
        chain port {{
                type filter hook ingress device "{{tap}}" priority 0; policy accept;
                ether type {{ {TAGS}, 0x8808 }} drop
                ether saddr != {MAC} drop
                ether daddr {{ {CONTROL} }} drop
        }}
        chain wire {{
                type filter hook ingress device "{{wire}}" priority 0; policy accept;
                ether type {{ {TAGS} }} drop
        }}
}}
"""


def unguarded():
    """The 2009 arrangement by hand: a socket on a macvlan in a namespace of its own, whose IP stack hears nothing."""
    far = wire("wdn")
    ip("netns", "add", "bench-bare")
    ip("link", "add", "up0", "link", "wdn0", "address", MAC, "netns", "bench-bare", "type", "macvlan", "mode", "bridge")
    quiet("up0", "bench-bare")
    nft('table netdev bench { chain deaf {\ntype filter hook ingress device "up0" priority 0; policy drop;\n}\n}\n',
        "bench-bare")  # fmt: skip
    return f"packet=up0,netns=/run/netns/bench-bare,header=10,mac={MAC},{far}"


# Name: kind, network and options of an open.
LEASES = {
    "lease tap strict": ("tap", "bench", {}),
    "lease packet strict": ("packet", "bench", {"vnet_hdr": True}),
    "lease packet strict, no header": ("packet", "bench", {"vnet_hdr": False}),
}
NETWORKS = {"bench": {}}
# Name: what builds it and returns its spec.
BY_HAND = {
    "bridge": lambda: bridge("plain"),
    "bridge, beside rules": lambda: bridge("beside", RULES_IN_BRIDGE.replace("{tap}", "tother")),
    "bridge, rules": lambda: bridge("rules", RULES_IN_BRIDGE),
    "bridge, rules on its ports": lambda: bridge("ports", RULES_ON_PORTS),
    "direct, no guard": unguarded,
    "socket on the wire": lambda: f"packet=wraw0,header=10,mac={MAC},{wire('wraw')}",
}
ORDER = [name for name in BY_HAND if name.startswith("bridge")] + [*LEASES, "direct, no guard", "socket on the wire"]


def leases(stack, connection, far, names, missing):
    """(name, spec, fd) of one lease of each sort, all on one parent; of one that is refused, its reason in missing."""
    for name in names:
        kind, network, options = LEASES[name]
        try:
            lease = connection.open(kind, network, **options)
        except bus.BusError as error:
            print(f"not shown: {name}: {error.text}", file=sys.stderr)
            missing[name] = error.text
            continue
        stack.enter_context(lease)
        header = 10 if lease.info["vnet-hdr"] else 0
        yield name, f"fd={lease.fd},header={header},mac={lease.info['mac']},{far}", lease.fd


def paths(stack, names=tuple(ORDER), missing=None):
    """{name: spec} of those of ORDER that are named, and the descriptors that `datapath` inherits. missing gets the reason of each lease
    that is refused."""
    specs = {name: make() for name, make in BY_HAND.items() if name in names}
    fds = []
    wanted = [name for name in LEASES if name in names]
    if wanted:
        far = wire("wlease")
        for network in dict.fromkeys(LEASES[name][1] for name in wanted):
            stack.enter_context(lab.network(network, Parent="wlease0", Kinds="tap packet", **NETWORKS[network]))
        connection = stack.enter_context(bus.connect())
        for name, spec, fd in leases(stack, connection, far, wanted, {} if missing is None else missing):
            specs[name] = spec
            fds.append(fd)
    return {name: specs[name] for name in ORDER if name in specs}, fds


def ratio(figures, of, against, key):
    """The median of the rounds' ratios: what disturbs a round disturbs both sides of it."""
    return statistics.median(a / b for a, b in zip(figures[of][key], figures[against][key]) if b)


def show(figures):
    heads = ("sent", "received")
    print(f"{'one frame of 60 bytes per system call':36}" + "".join(f"{head + ', K frames/s':>32}{'ratio':>7}{'(cpu)':>7}" for head in heads))
    for name, rates in figures.items():
        line = f"{name:36}"
        for head in heads:
            thousand = [rate / 1000 for rate in rates[head]]
            spread = f"{statistics.median(thousand):8.0f} ({min(thousand):.0f} … {max(thousand):.0f})"
            line += f"{spread:>32}{ratio(figures, name, 'bridge', head):7.2f}{ratio(figures, name, 'bridge', head + '_cpu'):7.2f}"
        print(line)
    print("ratio: to the plain bridge, median of the rounds; (cpu): the same per second of processor time of the busier thread")
    goals.show(goals_of(figures))


def goals_of(figures):
    return [goals.goal(name, f"{path_name(of)} against {path_name(against)}, frames {head}", ratio(figures, of, against, head), goals.AT_LEAST, limit)
            for name, of, against, head, limit in GOALS if of in figures]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run datapath")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--milliseconds", type=int, default=60, help="of each direction of each path in a round")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        specs, fds = paths(stack)
        command = [PROGRAM, "-r", str(arguments.rounds), "-t", str(arguments.milliseconds)]
        command += [f"{name}:{spec}" for name, spec in specs.items()]
        out = subprocess.run(command, pass_fds=fds, stdout=subprocess.PIPE, check=True).stdout
    figures = json.loads(out)
    if arguments.json:
        print(json.dumps({"figures": figures, "goals": goals_of(figures)}))
    else:
        show(figures)


if __name__ == "__main__":
    main()
