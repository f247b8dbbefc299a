# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces that have the name or the ifindex of the right one, and are another. (tests/vm/test_wrong_wire.py has those with 802.1Q.)"""

import contextlib
import json
import subprocess

import bus
import lab
import station
import tap
from host_interface import INTERFACE, gone, host_link, current, namespace, network, rawnetctl

VLAN = 150
KINDS = ("tap", "packet")


def shared_name(parent="wire0", vlan=VLAN, ad=False):
    """What rawnet calls its interface for that VLAN of that parent (ARCHITECTURE.md)."""
    return f"rnv{lab.links()[parent]['ifindex'] << 13 | (1 << 12 if ad else 0) | vlan:x}"


def state(name):
    """Everything that hardening or use would change."""
    def read(path):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            return file.read()
        return None

    qdiscs = subprocess.run(["tc", "qdisc", "show", "dev", name], capture_output=True, text=True, check=True).stdout
    return lab.links()[name]["flags"], read(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), qdiscs


def refused(name, *words):
    with bus.connect("member") as member:
        for kind in KINDS:
            text = bus.expect_error("NetworkBusy", member.open, kind, name)
            for word in words:
                assert word in text, (word, text)


def test_an_alternative_name_is_no_vlan():
    name = shared_name()
    with lab.network("named", VLAN=VLAN), host_link("name", "office0", "type", "veth", "peer", "name", "office1"):
        station.command("ip", "link", "property", "add", "dev", "office0", "altname", name)
        before = state("office0")
        refused("named", "network named", "office0", f"altname {name}", f"VLAN {VLAN} of wire0")
        assert state("office0") == before, (before, state("office0"))


def test_a_name_is_no_vlan():
    for name, protocol in ((shared_name(), "802.1Q"), (shared_name(ad=True), "802.1ad")):
        with lab.network("named", VLAN=VLAN, Protocol=protocol), host_link("name", name, "type", "veth", "peer", "name", "office1"):
            before = state(name)
            refused("named", "network named", f"ip link delete {name}", f"VLAN {VLAN} of wire0")
            assert state(name) == before, (before, state(name))
            # Nor does a sweep take it for one that nothing is on.
            with network() as hosted:
                rawnetctl("host", "up", hosted)
            gone()
            assert name in lab.links()


def test_an_index_is_not_the_parent():
    """By name, alias and index it is the network's host interface, but the index is another namespace's."""
    index = str(lab.links()["wire0"]["ifindex"])
    with network() as name, namespace("elsewhere") as there:
        station.command("ip", "-n", there, "link", "add", "index", index, "name", "x0", "type", "veth", "peer", "index", "90", "name", "x1")
        station.command("ip", "-n", there, "link", "add", "link", "x0", "name", INTERFACE, "type", "macvlan", "mode", "bridge")
        station.command("ip", "-n", there, "link", "set", INTERFACE, "netns", "1")
        station.command("ip", "link", "set", INTERFACE, "alias", f"rawnet: host leg of {name}")
        assert current()["link_index"] == int(index) and "link_netnsid" in current(), current()
        with bus.connect("outsider") as connection:
            lab.wait_for(lambda: name in connection.networks(), 10, "the network's object")  # pylint: disable=cell-var-from-loop
        shown = json.loads(rawnetctl("check", "--json", name, user="outsider"))["networks"][0]
        assert shown["host-interface-state"] == "misplaced", shown
        text = rawnetctl("host", "up", name, status=1)
        assert f"rawnetctl host down {name}" in text, text
        assert "UP" not in (current() or {"flags": ()})["flags"]
        rawnetctl("host", "down", name)
        gone()
        rawnetctl("host", "up", name)
        assert current()["link"] == "wire0", current()


if __name__ == "__main__":
    tap.main()
