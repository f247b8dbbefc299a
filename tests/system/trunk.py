#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The other end of the trunk, made at each boot of the machine: the second card of the hub, in a namespace of its own, with
VLANs, DHCP and the neighbour's services of tools/lab. Afterwards the modules of tests/lib that look at the wire work here.
"""

import os
import subprocess
import sys

VLANS = (0, 100, 200, 300, 301, 399)


def run(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def main():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    sys.path.append(f"{root}/tools/lab.d")
    import daemons  # pylint: disable=import-outside-toplevel,import-error
    import wire  # pylint: disable=import-outside-toplevel,import-error

    run("ip", "netns", "add", wire.FAR_NAMESPACE)
    for name, value in (("accept_dad", "0"), ("addr_gen_mode", "1")):
        run("ip", "netns", "exec", wire.FAR_NAMESPACE, "sysctl", "-q", f"net.ipv6.conf.default.{name}={value}")
    run("ip", "link", "set", "eth2", "netns", wire.FAR_NAMESPACE, "name", wire.FAR)
    segments = [wire.Segment(vlan) for vlan in VLANS]
    wire.ip(*wire.far_lines(segments), namespace=wire.FAR_NAMESPACE)
    for daemon in (daemons.dnsmasq(segments), daemons.neighbour()):
        run("systemd-run", "--quiet", f"--unit=far-{daemon.name}", "--collect", *daemon.command)


if __name__ == "__main__":
    main()
