# SPDX-License-Identifier: GPL-2.0-or-later
"""What the paths that the benchmarks measure are called in documents."""

PATHS = {
    "bridge": "tap + bridge",
    "bridge, beside rules": "tap + bridge, rules of another bridge beside it",
    "bridge, rules": "tap + bridge with the guard's rules",
    "bridge, rules on its ports": "tap + bridge, the rules on its ports",
    "lease tap strict": "lease: tap",
    "lease packet strict": "lease: packet",
    "lease packet strict, no header": "lease: packet, wire frames",
    "lease packet direct": "lease: packet, direct (a weaker guard, removed since)",
    "direct, no guard": "macvlan and socket, no guard",
    "socket on the wire": "AF_PACKET straight on the wire",
    "tap lease": "lease: tap",
    "rawnet-vhost, strict": "packet on rawnet-vhost",
    "sendmmsg, strict": "bare loop of sendmmsg, lease",
    "testpmd, strict": "testpmd on rawnet-vhost",
}


def path_name(name):
    return PATHS.get(name, name)
