# SPDX-License-Identifier: GPL-2.0-or-later
"""Every shape of lease that this kernel has, and what the tests in this directory share."""

import contextlib

import bus
import frames
import lab

FAR_MAC = "02:00:00:00:77:01"  # a station on the far side that the neighbour's kernel knows nothing of
TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454D0, 0x400454D8


class Shape:
    """One combination. wire: the far interface where its frames are seen."""

    def __init__(self, network, kind, vnet_hdr, vlan, mode):
        self.network, self.kind, self.vnet_hdr, self.vlan, self.mode = network, kind, vnet_hdr, vlan, mode
        self.wire = f"wire.{vlan}" if vlan else "wire"

    def __str__(self):
        return f"{self.network}/{self.kind}{'+vnet' if self.vnet_hdr else ''}"

    def open(self, connection, **options):
        """(Lease, Port)."""
        if self.kind == "packet":
            options["vnet_hdr"] = self.vnet_hdr
        lease = connection.open(self.kind, self.network, **options)
        assert lease.info["vlan"] == self.vlan, (str(self), lease.info)
        return lease, port_of(lease)


def port_of(lease, number=0):
    return frames.Port(lease.fds[number], lease.info["vnet-hdr"])


def features(connection):
    return connection.features()


@contextlib.contextmanager
def all_shapes():
    """(connection, [Shape]): modes × VLANs × kinds × vnet-hdr that this kernel has; network files while it runs."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(bus.connect("member"))
        modes = [(mode, 0) for mode in ("bridge", "private", "vepa")]
        if lab.has_vlan():
            modes += [(mode, vlan) for mode, vlan in (("bridge", 100), ("private", 301), ("vepa", 302), ("exclusive", 200))]
        shapes = []
        for mode, vlan in modes:
            name = f"s-{mode}-{vlan}"
            stack.enter_context(lab.network(name, Mode=mode, VLAN=str(vlan or "none")))
            shapes.append(Shape(name, "tap", True, vlan, mode))
            shapes += [Shape(name, "packet", vnet, vlan, mode) for vnet in (False, True)]
        yield connection, shapes
