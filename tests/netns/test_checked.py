# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests of traffic again, on leases as a kernel with the checksum trick needs them: every frame of the guest passes a veth that
completes checksums and segments before the guard looks. On such a kernel (Debian 12's) that is what the other files test already."""

import re
import subprocess

import bus
import lab
import shapes
import tap
from test_modes import test_bridge_guests_reach_each_other, test_jumbo, test_queues_each_frame_exactly_once  # noqa: F401
from test_offload import (  # noqa: F401
    test_a_reader_may_fall_behind,
    test_a_socket_that_bypasses_the_queues,
    test_guest_to_guest_between_the_kinds,
    test_long_and_short_frames_keep_their_order,
    test_tcp_into_a_plain_reader,
    test_tcp_into_a_reader_with_virtio_net_hdr,
    test_tcp_into_a_tap,
    test_unfinished_frames_of_a_guest_are_finished_on_the_wire,
)
from test_traffic import (  # noqa: F401
    test_802_3_length_frames,
    test_multicast,
    test_no_tagged_frame_comes_in,
    test_nothing_leaves_that_the_guard_forbids,
    test_sizes,
    test_the_first_frames_pass,
    test_the_leases_own_stack_is_silent,
    test_unicast_and_broadcast,
)


def test_the_extra_pair_is_there():
    with bus.connect("member") as connection, connection.open_tap("lab") as lease:
        assert "checksum-trick" in shapes.features(connection)
        with lab.in_namespace(lease.fd):
            kinds = sorted(link.get("linkinfo", {}).get("info_kind", "") for link in lab.ip("link"))
        assert kinds == ["", "macvlan", "tun", "veth", "veth"], kinds


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def programs(link, hook):
    """The qdisc ingress has one hook, and tc shows its programs for whichever is named."""
    if hook == "egress" and "clsact" not in output("tc", "qdisc", "show", "dev", link):
        return []
    return re.findall(r" (from_guest|from_wire|to_check|dead_end) direct-action", output("tc", "filter", "show", "dev", link, hook))


def test_a_packet_lease_is_guarded_behind_the_veth():
    """At the port's exit nothing is completed yet, so no program is there."""
    for options in ({}, {"vnet_hdr": True}):
        with bus.connect("member") as connection, connection.open_packet("lab", **options) as lease:
            with lab.in_namespace(lease.fd):
                rules = output("nft", "list", "ruleset")
                port = lease.info["interface"]
                found = [programs(*place) for place in ((port, "egress"), (port, "ingress"), ("inner", "ingress"), ("uplink", "ingress"))]
            assert found == [[], ["dead_end"], ["from_guest"], ["from_wire"]], found
            assert re.findall(r"hook egress device \"([^\"]+)\"", rules) == ["uplink"], rules


def kernel_has_it():
    with bus.connect("member") as connection:
        connection.can_open("lab", "tap")
        return "checksum-trick" in shapes.features(connection)


if __name__ == "__main__":
    if kernel_has_it():
        # The other files have tested just that.
        own = ("test_the_extra_pair_is_there", "test_a_packet_lease_is_guarded_behind_the_veth")
        for name in [name for name in globals() if name.startswith("test_") and name not in own]:
            del globals()[name]
    else:
        lab.helper_arguments("--assume-checksum-trick")
    tap.main()
