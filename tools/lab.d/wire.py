# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's wire: wire0 here, `wire` in the neighbour's namespace, VLANs on the far side, and the network files.

The near end has no address and speaks no IPv6: the host must stay as silent as a trunk port that carries guests only.
"""

import os
import subprocess

import kernel
from mounts import directory, write

NEAR, FAR, FAR_NAMESPACE = "wire0", "wire", "rawnet-far"
NETWORKS_DIR = "/etc/rawnet/networks"

# name: lines after Parent=
NETWORKS = {
    "lab": ["VLAN=none", "Mode=bridge"],
    "lab-private": ["VLAN=none", "Mode=private"],
    "lab-vepa": ["VLAN=none", "Mode=vepa"],
}
VLAN_NETWORKS = {
    "vlan100": ["VLAN=100", "Mode=bridge"],
    "vlan200": ["VLAN=200", "Mode=exclusive"],
    "vlab": ["VLAN=300-399", "Mode=bridge"],
}
# Of the range its ends and neighbours; with --every-vlan all of it, which takes long on an emulated machine.
VLANS = [100, 200, 300, 301, 302, 399]
EVERY_VLAN = [100, 200, *range(300, 400)]


# A kernel booted with ipv6.disable=1 has no such directory, and no AF_INET6.
HAS_IPV6 = os.path.isdir("/proc/sys/net/ipv6")


class Segment:
    """The neighbour on one VLAN (0: untagged): interface and addresses there."""

    def __init__(self, vlan):
        self.vlan = vlan
        self.interface = f"{FAR}.{vlan}" if vlan else FAR
        # 300 and up do not fit an octet: vlab.3NN has 10.78.NN.1
        self.prefix4 = "10.77.0" if not vlan else f"10.77.{vlan}" if vlan < 256 else f"10.78.{vlan - 300}"
        self.prefix6 = f"fd77:{vlan}" if vlan else "fd77"
        self.address4 = f"{self.prefix4}.1"
        self.address6 = f"{self.prefix6}::1"


def ip(*lines, namespace=None):
    """Runs lines of ip(8) as one batch; CalledProcessError with its words."""
    command = ["ip", *(["-n", namespace] if namespace else []), "-batch", "-"]
    subprocess.run(command, input="\n".join(lines) + "\n", text=True, check=True, capture_output=True)


def _kernel_has_vlan():
    add = ["ip", "link", "add", "link", NEAR, "name", "vlan-probe", "type", "vlan", "id", "4000"]
    if subprocess.run(add, check=False, capture_output=True).returncode:
        return False
    ip("link del vlan-probe")
    return True


def _ipv6_default(name, value):
    if HAS_IPV6:
        _sysctl(f"ipv6/conf/default/{name}", value)


def _sysctl(name, value):
    with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:
        file.write(str(value))


def _make_far_namespace():
    """As `ip netns add`, which would take two more processes; the caller stays where it is."""
    path = f"/run/netns/{FAR_NAMESPACE}"
    here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o444))
    kernel.unshare(kernel.CLONE_NEWNET)
    kernel.mount("/proc/self/ns/net", path, None, kernel.MS_BIND)
    # No address of its own but the given ones, so nothing waits for duplicate address detection.
    _ipv6_default("accept_dad", 0)
    _ipv6_default("addr_gen_mode", 1)
    _sysctl("ipv4/ip_forward", 0)
    kernel.setns(here, kernel.CLONE_NEWNET)
    os.close(here)


def far_lines(segments):
    lines = ["link set lo up", f"link set {FAR} up"]
    for segment in segments:
        if segment.vlan:
            lines.append(f"link add link {FAR} name {segment.interface} type vlan id {segment.vlan}")
            lines.append(f"link set {segment.interface} up")
        lines.append(f"addr add {segment.address4}/24 dev {segment.interface}")
        if not HAS_IPV6:
            continue
        lines.append(f"addr add {segment.address6}/64 dev {segment.interface} nodad")
        lines.append(f"addr add fe80::1/64 dev {segment.interface} nodad")
    return lines


def _write_networks(names):
    directory(NETWORKS_DIR)
    for name, lines in names.items():
        text = f"[Network]\nDescription=The lab's network {name}\nParent={NEAR}\n" + "\n".join(lines) + "\n"
        write(f"{NETWORKS_DIR}/{name}.conf", text)


def setup(every_vlan):
    """Returns the list of Segments."""
    _sysctl("unix/max_dgram_qlen", 1024)  # polkit's log must not wait for PID 1
    # The wire wants to be silent before it is up: no IPv6 on the near end.
    _ipv6_default("disable_ipv6", 1)
    _make_far_namespace()
    ip("link set lo up",
       f"link add {NEAR} type veth peer name {FAR} netns {FAR_NAMESPACE}",
       f"link set {NEAR} up")  # fmt: skip
    _ipv6_default("disable_ipv6", 0)
    has_vlan = _kernel_has_vlan()
    vlans = (EVERY_VLAN if every_vlan else VLANS) if has_vlan else []
    segments = [Segment(vlan) for vlan in [0, *vlans]]
    ip(*far_lines(segments), namespace=FAR_NAMESPACE)
    _write_networks(NETWORKS | (VLAN_NETWORKS if has_vlan else {}))
    return segments
