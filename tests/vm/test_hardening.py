# SPDX-License-Identifier: GPL-2.0-or-later
"""The shared VLAN interface in the host: the host must neither hear nor answer anything there (SECURITY.md, promise 7).

Each probe is shown to be a real one: on an ordinary VLAN interface beside it every one of them gets in.
"""

import contextlib
import os
import socket

import bus
import frames
import lab
import tap
import vlan

HOST4, NEIGHBOUR4, HOST6, NEIGHBOUR6 = "10.99.0.1", "10.99.0.2", "fd99::1", "fd99::2"
FAR_MAC = "02:00:00:00:00:99"
PORT = 4099
ALL = {"arp", "udp4", "broadcast4", "broadcast4 to the subnet", "source 0.0.0.0", "multicast4", "udp6", "ff02::1"}


def probes(own):
    """{name: frame}: all that facts have been measured for, and a few more. own is the interface's address."""

    def udp(destination_mac, source, destination, name):
        kind = frames.IPV6 if ":" in source else frames.IPV4
        return frames.ether(destination_mac, FAR_MAC, kind, frames.udp(source, destination, PORT, PORT, f"probe {name}|".encode()))

    return {
        "arp": frames.arp(1, FAR_MAC, NEIGHBOUR4, HOST4),
        "udp4": udp(own, NEIGHBOUR4, HOST4, "udp4"),
        "broadcast4": udp(frames.BROADCAST, NEIGHBOUR4, "255.255.255.255", "broadcast4"),
        "broadcast4 to the subnet": udp(frames.BROADCAST, NEIGHBOUR4, "10.99.0.255", "broadcast4 to the subnet"),
        "source 0.0.0.0": udp(frames.BROADCAST, "0.0.0.0", "255.255.255.255", "source 0.0.0.0"),
        "multicast4": udp("01:00:5e:00:00:01", NEIGHBOUR4, "224.0.0.1", "multicast4"),
        "udp6": udp(own, NEIGHBOUR6, HOST6, "udp6"),
        "ff02::1": udp("33:33:00:00:00:01", "fe80::99", "ff02::1", "ff02::1"),
    }  # fmt: skip


@contextlib.contextmanager
def talkative_host():
    """The host has addresses on the parent and listens on all of its interfaces; yields its two sockets."""
    conf = "/proc/sys/net/ipv6/conf/wire0/disable_ipv6"
    write(conf, "0")
    vlan.run("ip", "addr", "add", f"{HOST4}/24", "brd", "+", "dev", "wire0")
    vlan.run("ip", "addr", "add", f"{HOST6}/64", "dev", "wire0", "nodad")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for sock in (four, six):
            sock.bind(("", PORT))
            sock.settimeout(10)
        # All on one processor: what was sent first arrives first (veth uses the sender's backlog queue).
        processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(processors)})
        try:
            yield four, six
        finally:
            os.sched_setaffinity(0, processors)
            vlan.run("ip", "addr", "del", f"{HOST4}/24", "dev", "wire0")
            vlan.run("ip", "addr", "del", f"{HOST6}/64", "dev", "wire0")
            write(conf, "1")


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def got_in(host, far_interface, own):
    """Sends every probe on the neighbour's interface of a VLAN; the names of those that the host heard or answered.

    The end of each kind is marked by one that is sure to get in: to the host's address on the untagged wire.
    """
    parent = lab.links()["wire0"]["address"]
    seen = set()
    with frames.WirePort("wire") as trunk, frames.WirePort(far_interface) as far:
        for frame in probes(own).values():
            far.send(frame)
        for sock, source, destination in zip(host, (NEIGHBOUR4, NEIGHBOUR6), (HOST4, HOST6)):
            kind = frames.IPV6 if ":" in source else frames.IPV4
            trunk.send(frames.ether(parent, FAR_MAC, kind, frames.udp(source, destination, PORT, PORT, b"end|")))
            while (data := sock.recv(2048)) != b"end|":
                seen.add(data.decode().removeprefix("probe ").rstrip("|"))
        trunk.send(frames.arp(1, FAR_MAC, NEIGHBOUR4, HOST4, destination=parent))
        answers = [vlan.taken_apart(frame) for frame in trunk.before(is_untagged_answer)]
    for _, _, tags, kind, payload in answers:
        if tags and kind == frames.ARP and payload[6:8] == b"\0\2":
            seen.add("arp")
    return seen


def is_untagged_answer(frame):
    _, _, tags, kind, payload = vlan.taken_apart(frame)
    return not tags and kind == frames.ARP and payload[6:8] == b"\0\2"


def test_probes_are_real():
    with talkative_host() as host, vlan.far_link("wire.150", "type", "vlan", "id", "150"), \
            vlan.host_link("plain150", "type", "vlan", "id", "150") as link:  # fmt: skip
        seen = got_in(host, "wire.150", link["address"])
    assert seen == ALL, f"these say nothing: {ALL - seen}"


def test_host_hears_and_answers_nothing():
    with talkative_host() as host, bus.connect("member") as member:
        for kind in ("tap", "packet"):
            with member.open(kind, "vlan100"):
                (link,) = vlan.shared(100)
                assert "NOARP" in link["flags"], link["flags"]
                seen = got_in(host, "wire.100", link["address"])
                assert not seen, f"{kind}: the host heard or answered {seen}"
            lab.wait_no_leases()


def test_flush_ruleset_and_next_open():
    """What an administrator's `nft flush ruleset` reopens is closed again by the next open on that VLAN."""
    with talkative_host() as host, bus.connect("member") as member:
        with member.open_tap("vlan100"):
            (link,) = vlan.shared(100)
            vlan.run("nft", "flush", "ruleset")
            seen = got_in(host, "wire.100", link["address"])
            tap.diag(f"open after nft flush ruleset: {sorted(seen) or 'nothing'}")
            # The other measures still hold: no answer, no unicast, nothing from an address that is routed elsewhere.
            assert seen <= {"source 0.0.0.0"}, seen
            with member.open_tap("vlan100"):
                assert not got_in(host, "wire.100", link["address"])


def test_every_measure_is_put_back():
    with talkative_host() as host, bus.connect("member") as member, member.open_tap("vlan100"):
        (link,) = vlan.shared(100)
        name = link["ifname"]
        vlan.run("nft", "flush", "ruleset")
        vlan.run("ip", "link", "set", name, "arp", "on")
        vlan.run("tc", "qdisc", "del", "dev", name, "clsact")
        write(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0")
        write(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "0")
        assert got_in(host, "wire.100", link["address"]), "nothing was undone"
        with member.open_packet("vlan100"):
            seen = got_in(host, "wire.100", link["address"])
            assert not seen, f"the host heard or answered {seen}"


def test_host_says_nothing_on_the_vlan():
    """An ordinary VLAN interface that comes up later speaks (IPv6) while rawnet's stays silent, and so does the lease's own stack."""
    with bus.connect("member") as member, frames.WirePort("wire") as trunk, member.open_tap("vlan100"), \
            member.open_packet("vlan100"), vlan.host_link("plain150", "type", "vlan", "id", "150"):  # fmt: skip
        said = trunk.before(lambda frame: vlan.taken_apart(frame)[2:4] == ([(0x8100, 150)], frames.IPV6), seconds=20)
    assert not [frame.hex() for frame in said if (0x8100, 100) in vlan.taken_apart(frame)[2]]


def test_no_address_and_no_route():
    with bus.connect("member") as member:
        before = vlan.run("ip", "-o", "addr"), vlan.run("ip", "route"), vlan.run("ip", "-6", "route")
        with member.open_tap("vlan100"), member.open_packet("vlan100"):
            (link,) = vlan.shared(100)
            addresses = vlan.run("ip", "-o", "addr", "show", "dev", link["ifname"])
            assert not addresses, addresses
            after = vlan.run("ip", "-o", "addr"), vlan.run("ip", "route"), vlan.run("ip", "-6", "route")
            assert after == before, after


if __name__ == "__main__":
    tap.main()
