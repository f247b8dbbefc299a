# SPDX-License-Identifier: GPL-2.0-or-later
"""A host without IPv6 (ipv6.disable=1 on the kernel's command line), and links that are too short for it: every kind of port."""

import os

import bus
import frames
import lab
import host_interface
import shapes
import tap

SECONDS = 20


def pass_frames(lease, wire):
    """The port works both ways."""
    port, mac = shapes.port_of(lease), lease.info["mac"]
    port.send(frames.marker(mac, f"out {lease.id}"))
    wire.wait(f"out {lease.id}".encode(), SECONDS)
    wire.send(frames.ether(mac, shapes.FAR_MAC, frames.TEST, f"in {lease.id}".encode()))
    port.wait(f"in {lease.id}".encode(), SECONDS)


def every_kind(network):
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, options in (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True}), ("tap", {"mac": "learn"})):
            with connection.open(kind, network, **options) as lease:
                if options.get("mac") == "learn":
                    lease.info["mac"] = "52:54:00:01:02:03"
                    shapes.port_of(lease).send(frames.marker(lease.info["mac"], "the first frame"))
                    lab.wait_for(lambda: connection.get_all(lease.path, bus.LEASE)["MAC"], SECONDS, "the learned address")
                pass_frames(lease, wire)


def test_mtu_below_that_of_ipv6():
    """RFC 8200, 5: 1280. The kernel takes IPv6 from a shorter link."""
    with lab.network("short", VLAN="none", MTU="1279"):
        every_kind("short")


def need_no_ipv6():
    if os.path.exists("/proc/sys/net/ipv6"):
        tap.skip("this kernel has IPv6")


def test_every_kind():
    need_no_ipv6()
    every_kind("lab")


def test_vlans():
    need_no_ipv6()
    lab.need_vlan()
    with bus.connect("member") as connection:
        for network in ("vlan100", "vlan200"):
            with connection.open_tap(network) as lease:
                wire = frames.WirePort(f"wire.{lease.info['vlan']}")
                with wire:
                    pass_frames(lease, wire)


def test_host_interface():
    need_no_ipv6()
    with host_interface.network():
        host_interface.rawnetctl("host", "up", "hosted")
        assert host_interface.current(), "no host interface"
        host_interface.rawnetctl("host", "down", "hosted")
        host_interface.gone()


if __name__ == "__main__":
    tap.main()
