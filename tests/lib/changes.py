# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes of a network file between polkit's question and what comes of the answer."""

# What is in the file before and after, beside Parent=wire0 and VLAN=none. Both files offer taps.
CHANGES = [
    ({}, {"Description": "another"}), ({}, {"Parent": "lo"}), ({}, {"VLAN": "55"}), ({"VLAN": "55"}, {"VLAN": "56"}),
    ({"VLAN": "55"}, {"VLAN": "55", "Protocol": "802.1ad"}), ({}, {"Mode": "private"}), ({}, {"Mode": "vepa"}),
    ({"VLAN": "55"}, {"VLAN": "55", "Mode": "exclusive"}), ({}, {"Kinds": "tap"}),
    ({}, {"AntiSpoof": "no"}), ({}, {"ControlFrames": "pass"}), ({"ControlFrames": "pass"}, {"ControlFrames": "drop"}),
    ({}, {"MACChoice": "derived"}), ({"MACChoice": "derived"}, {}), ({}, {"GuestServers": "ra"}), ({"GuestServers": "dhcp ra"}, {"GuestServers": "dhcp"}),
    ({}, {"MTU": "1400"}), ({"MTU": "1400"}, {}), ({}, {"MACPrefix": "02:01"}), ({}, {"MaxLeases": "9"}),
    ({}, {"MaxLeasesPerUser": "9"}), ({}, {"HostInterface": "host0"}),
]  # fmt: skip
# The error that comes before the comparison.
OTHERWISE_REFUSED = [({}, {"Kinds": "packet"}, "KindNotOffered"), ({}, {"Colour": "red"}, "BadNetworkFile"),
                     ({}, {"Isolation": "strict"}, "BadNetworkFile")]  # fmt: skip
