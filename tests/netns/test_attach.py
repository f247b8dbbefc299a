# SPDX-License-Identifier: GPL-2.0-or-later
"""Attach(): an interface in a container's network namespace, which is a station on the LAN like any other."""

import bus
import container
import lab
import tap
from container import Container, attach

NEIGHBOUR, NEIGHBOUR6 = "10.77.0.1", "fd77::1"


def test_interface():
    with bus.connect("member") as connection, Container() as box:
        lease = attach(connection, "lab", box, "lan0")
        link = box.links()["lan0"]
        tap.diag(str(lease.info))
        assert link["address"] == lease.info["mac"] and link["mtu"] == lease.info["mtu"], (link, lease.info)
        assert "UP" not in link["flags"], link


def test_ping():
    with bus.connect("member") as connection, Container() as box:
        attach(connection, "lab", box)
        box.up("10.77.0.77/24")
        assert box.ping(NEIGHBOUR)


if __name__ == "__main__":
    tap.main()
