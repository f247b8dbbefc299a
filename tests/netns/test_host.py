# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 7: because of a lease the host gets no address, no route, no answer that it did not give before."""

import contextlib

import bus
import frames
import lab
import shapes
import tap

SECONDS = 20
HOST4, HOST6 = "10.99.0.1", "fd99::1"


def networks():
    return ["lab", "lab-private", "lab-vepa"] + (["vlan100", "vlan200", "vlab.302"] if lab.has_vlan() else [])


@contextlib.contextmanager
def leases_everywhere(connection):
    with contextlib.ExitStack() as stack:
        for network in networks():
            for kind in ("tap", "packet") if network != "vlan200" else ("tap",):
                stack.enter_context(connection.open(kind, network))
        stack.enter_context(connection.open_tap("lab", mac="learn"))
        yield
    lab.wait_no_leases()


def state():
    """Addresses and routes of the host's namespace, loopback's own aside."""
    addresses = sorted((entry["ifname"], info["local"]) for entry in lab.ip("addr") for info in entry["addr_info"])
    routes = sorted(str(sorted(route.items(), key=str)) for family in ("-4", "-6") for route in lab.ip(family, "route", "show", "table", "all"))
    return addresses, routes


@contextlib.contextmanager
def host_address():
    """The host has addresses on an interface of its own, as hosts have: what it answers elsewhere is the question."""
    lab.subprocess.run(f"ip link set lo up; ip addr add {HOST4}/32 dev lo; ip addr add {HOST6}/128 dev lo", shell=True, check=True)
    try:
        yield
    finally:
        lab.subprocess.run(f"ip addr del {HOST4}/32 dev lo; ip addr del {HOST6}/128 dev lo", shell=True, check=True)


def answers(interface, macs):
    """What is heard on the far side from the host after probes for its addresses: [frame]. macs: unicast destinations."""
    probes = [frames.arp(1, shapes.FAR_MAC, "10.99.0.9", HOST4), frames.neighbour_solicitation(shapes.FAR_MAC, "fd99::9", HOST6),
              frames.ether("33:33:00:00:00:01", shapes.FAR_MAC, frames.IPV6, frames.icmp_echo("fe80::99", "ff02::1")),
              frames.ether(frames.BROADCAST, shapes.FAR_MAC, frames.IPV4, frames.icmp_echo("10.99.0.9", HOST4))]  # fmt: skip
    for mac in macs:
        probes += [frames.arp(1, shapes.FAR_MAC, "10.99.0.9", HOST4, destination=mac),
                   frames.ether(mac, shapes.FAR_MAC, frames.IPV4, frames.icmp_echo("10.99.0.9", HOST4)),
                   frames.ether(mac, shapes.FAR_MAC, frames.IPV4, frames.udp("10.99.0.9", HOST4, 9, 9, b"port closed")),
                   frames.ether(mac, shapes.FAR_MAC, frames.IPV6, frames.icmp_echo("fd99::9", HOST6))]  # fmt: skip
    with frames.WirePort(interface) as wire, bus.connect("member") as connection:
        for probe in probes:
            wire.send(probe)
        # The marker goes the other way round: it is sent by the host's side after all answers.
        with connection.open_packet("lab" if interface == "wire" else {"wire.100": "vlan100", "wire.302": "vlab.302"}[interface]) as lease:
            port = shapes.port_of(lease)
            port.send(frames.marker(lease.info["mac"], "marker"))
            seen = wire.before(b"marker", SECONDS)
    lab.wait_for(lambda: True, 1)
    return [frame for frame in seen if not known_noise(frame)]


def known_noise(frame):
    """The neighbour's own frames come in as well (it is a bridge's worth of namespaces); its MAC is not the host's."""
    return frames.mac_text(frame[6:12]) in far_macs()


def far_macs():
    return {link["address"] for link in lab.links(lab.FAR).values() if "address" in link}


def near_macs():
    """Every address that an interface of the host's namespace has."""
    return {link["address"] for link in lab.links().values() if link.get("link_type") == "ether"}


def test_no_address_and_no_route():
    before = state()
    with bus.connect("member") as connection:
        with leases_everywhere(connection):
            assert state() == before, (before, state())
        assert state() == before


def test_the_host_answers_as_it_did():
    segments = ["wire"] + (["wire.100", "wire.302"] if lab.has_vlan() else [])
    with host_address(), bus.connect("member") as connection:
        with leases_everywhere(connection):
            macs = near_macs()
            after = {segment: sorted({frame[12:14].hex() for frame in answers(segment, macs)}) for segment in segments}
        without = {segment: sorted({frame[12:14].hex() for frame in answers(segment, near_macs())}) for segment in segments[:1]}
        tap.diag(f"the host answers, with leases: {after}, without: {without}")
        # The untagged parent answers as before (an administrator's IP on it is reachable or not, that is not ours).
        assert after["wire"] == without["wire"], (after, without)
        for segment in segments[1:]:
            assert after[segment] == [], after


def test_the_parent_keeps_its_settings():
    def settings():
        found = {}
        for family, names in (("ipv4", ("rp_filter", "arp_ignore", "arp_announce", "forwarding", "accept_redirects")),
                              ("ipv6", ("disable_ipv6", "forwarding", "accept_ra", "addr_gen_mode"))):  # fmt: skip
            for name in names:
                for where in ("wire0", "all", "default"):
                    with open(f"/proc/sys/net/{family}/conf/{where}/{name}", encoding="ascii") as file:
                        found[f"{family}.{where}.{name}"] = file.read().strip()
        link = lab.links()["wire0"]
        return found | {key: link.get(key) for key in ("mtu", "address", "master", "ifalias")} | {
            "flags": sorted(set(link["flags"]) - {"PROMISC", "ALLMULTI"})}  # fmt: skip

    before = settings()
    with bus.connect("member") as connection, leases_everywhere(connection):
        assert settings() == before, {key: (before[key], value) for key, value in settings().items() if before[key] != value}
    after = lab.links()["wire0"]
    assert settings() == before and not {"PROMISC", "ALLMULTI"} & set(after["flags"]), after


def test_the_hosts_firewall_is_left_alone():
    import subprocess  # pylint: disable=import-outside-toplevel

    def ruleset():
        return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout

    rules = "add table inet site; add chain inet site input { type filter hook input priority 0; }; add rule inet site input ip saddr 192.0.2.1 accept"
    lab.wait_for(lambda: "rawnet" not in ruleset(), 20, "the end of what an earlier lease needed there")
    subprocess.run(["nft", rules], check=True)
    try:
        before = ruleset()
        with bus.connect("member") as connection:
            with leases_everywhere(connection):
                assert "table inet site" in ruleset()
                if not lab.has_vlan():
                    assert ruleset() == before, "without a shared VLAN interface there is nothing to add on the host"
            lab.wait_for(lambda: ruleset() == before, 20, "the host's rules as they were")
    finally:
        subprocess.run(["nft", "delete table inet site"], check=True)


def test_the_host_on_its_parent_stays_reachable():
    """An administrator who has the host's own address on the untagged parent keeps it, leases or not."""
    lab.subprocess.run("ip addr add 10.77.0.2/24 dev wire0", shell=True, check=True)
    try:
        with bus.connect("member") as connection:
            for when in ("before", "with leases", "after"):
                with leases_everywhere(connection) if when == "with leases" else contextlib.nullcontext():
                    assert lab.run_far(["ping", "-c1", "-W10", "10.77.0.2"]).returncode == 0, when
                    done = lab.subprocess.run(["ping", "-c1", "-W10", "10.77.0.1"], capture_output=True, text=True, check=False)
                    assert done.returncode == 0, (when, done)
    finally:
        lab.subprocess.run("ip addr del 10.77.0.2/24 dev wire0", shell=True, check=True)


if __name__ == "__main__":
    tap.main()
