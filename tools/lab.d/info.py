# SPDX-License-Identifier: GPL-2.0-or-later
"""What `tools/lab info` prints, and what is missing from the staged build."""

import os

import daemons
import wire
from accounts import USERS
from mounts import LAB, SOURCE

PARTS = (
    daemons.HELPER,
    "/usr/libexec/rawnet/rawnetd",
    "/usr/bin/rawnetctl",
    "/usr/libexec/rawnet/rawnet-bridge-helper",
    "/usr/share/dbus-1/system.d/org.rawnet1.conf",
    "/usr/share/dbus-1/system-services/org.rawnet1.service",
    "/usr/share/polkit-1/actions/org.rawnet1.policy",
    "/usr/share/polkit-1/rules.d/70-rawnet.rules",
)


def missing_parts():
    return [os.path.basename(path) for path in PARTS if not os.path.exists(path)]


def _segment_line(segment):
    vlan = f"VLAN {segment.vlan}" if segment.vlan else "untagged"
    return f"  {vlan:9} {segment.interface:9} {segment.address4}/24 {segment.address6}/64"


def text(segments, missing):
    vlans = len(segments) > 1
    networks = wire.NETWORKS | (wire.VLAN_NETWORKS if vlans else {})
    lines = ["Users: " + ", ".join(
        f"{name} ({'group rawnet' if groups else 'in no group'})"
        for name, (_, groups, person) in USERS.items() if person)]  # fmt: skip
    lines.append(f"Networks ({wire.NETWORKS_DIR}, parent {wire.NEAR}):")
    lines += [f"  {name:12} {' '.join(words)}" for name, words in networks.items()]
    if not vlans:
        lines.append("  This kernel has no 802.1Q, so there are no VLAN networks.")
    lines.append(f"The neighbour (ip netns exec {wire.FAR_NAMESPACE} …): DHCP, RA, ping, HTTP 80, echo 7, source 9000, sink 9001")
    lines += [_segment_line(segment) for segment in segments]
    if vlans:
        lines.append("  With --every-vlan also on the rest of 300-399: wire.3NN 10.78.NN.1/24 (no leading zero) fd77:3NN::1/64")
    lines.append(f"Logs: {LAB}/log (polkitd has polkit's questions). The checkout: {SOURCE}. Scratch: {LAB}/tmp")
    if missing:
        lines.append("Not in this build yet: " + ", ".join(missing))
    return "\n".join(lines) + "\n"
