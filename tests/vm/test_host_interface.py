# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's interface on a VLAN: host and guests reach each other, and the VLAN interface stays hardened. Needs a kernel with VLANs."""

import json

import bus
import lab
import station
import tap
from host_interface import INTERFACE, current, network, rawnetctl, reach
from station import command


@tap.limit(240)
def test_on_a_vlan():
    """The shared VLAN interface is closed as always, and the host interface on it is open and keeps it without any lease."""
    with network(VLAN=100) as name:
        reach(name, "10.77.100", "fd77:100", size=100_000)
        lab.wait_no_leases()
        shared = current()["link"]
        assert shared.startswith("rnv") and "NOARP" in lab.links()[shared]["flags"], lab.links()[shared]
        # Something that makes a sweep: another VLAN's interface comes and goes.
        with bus.connect("member") as member:
            member.open_tap("vlab.300").close_fds()
        lab.wait_for(lambda: sum(link.startswith("rnv") for link in lab.links()) == 1, 10, "the sweep of the other VLAN's")
        assert current()["link"] == shared
        checked = json.loads(rawnetctl("check", "--json", name, user="outsider"))
        assert checked["networks"][0]["host-interface-state"] == "up", checked
        lab.kill_helper()
        with bus.connect("member") as member:
            member.open_tap("lab").close_fds()
        lab.wait_no_leases()
        assert station.ping("10.77.100.1"), "it is gone"
        rawnetctl("host", "down", name)
        lab.wait_for(lambda: shared not in lab.links(), 10, "the end of the shared VLAN interface with its host interface")
        # Deleted by hand, it releases the VLAN as well.
        rawnetctl("host", "up", name)
        command("ip", "link", "del", INTERFACE)
        lab.wait_for(lambda: shared not in lab.links(), 10, "the end of the shared VLAN interface")


if __name__ == "__main__":
    tap.main()
