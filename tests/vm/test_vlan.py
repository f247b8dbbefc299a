# SPDX-License-Identifier: GPL-2.0-or-later
"""802.1Q for real: what of a lease's frames is on the trunk, with which tag, and what comes back. Needs a kernel with VLANs."""

import contextlib
import os
import subprocess

import bus
import frames
import lab
import station
import tap
import vlan

KINDS = ("tap", "packet")
DOTQ, DOTAD = 0x8100, 0x88A8


def open_port(connection, kind, network, **options):
    lease = connection.open(kind, network, **options)
    return lease, frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"])


def check_both_ways(kind, network, tag, far_interface, **options):
    """One frame each way, by content: outside with exactly that tag, inside with none."""
    with bus.connect("member") as member, frames.WirePort() as trunk, frames.WirePort(far_interface) as far:
        lease, port = open_port(member, kind, network, **options)
        with lease:
            assert lease.info["vlan"] == tag[1], lease.info
            out = frames.marker(lease.info["mac"], f"out of {network} by {kind}")
            port.send(out)
            _, source, tags, ethertype, payload = vlan.taken_apart(trunk.wait(out[14:]))
            assert (source, tags, ethertype) == (lease.info["mac"], [tag], frames.TEST), (source, tags, hex(ethertype))
            assert payload[:46] == out[14:], payload
            # The neighbour's own interface for that VLAN takes it in.
            far.wait(out[14:])
            back = frames.ether(lease.info["mac"], "02:00:00:00:00:77", frames.TEST, b"back to the guest".ljust(46, b"\0"))
            far.send(back)
            got = port.wait(b"back to the guest")
            assert got == back, got.hex()


def test_features_say_what_this_kernel_has():
    with bus.connect("member") as member:
        features = set(member.features())
    assert {"vlan", "nft-egress", "vhost-net"} <= features, features
    # Debian 12's kernel has the trick, Debian 13's has not.
    old = tuple(map(int, os.uname().release.split(".")[:2])) < (6, 12)
    assert ("checksum-trick" in features) == old, features


def test_tagged_on_the_trunk_tap():
    check_both_ways("tap", "vlan100", (DOTQ, 100), "wire.100")


def test_tagged_on_the_trunk_packet():
    check_both_ways("packet", "vlan100", (DOTQ, 100), "wire.100")


def test_tagged_on_the_trunk_packet_with_vnet_hdr():
    check_both_ways("packet", "vlan100", (DOTQ, 100), "wire.100", vnet_hdr=True)


def test_exclusive_both_kinds():
    for kind in KINDS:
        check_both_ways(kind, "vlan200", (DOTQ, 200), "wire.200")
        assert not vlan.shared(200), "an exclusive VLAN is not shared in the host"
        lab.wait_no_leases()


def test_range():
    for vid in (300, 399):
        check_both_ways("tap", f"vlab.{vid}", (DOTQ, vid), f"wire.{vid}")
    with bus.connect("member") as member:
        for name in ("vlab", "vlab.299", "vlab.400", "vlan100.100", "lab.100"):
            bus.expect_error("NoSuchNetwork", member.open_tap, name)


def test_service_tag():
    with lab.network("svlan", VLAN=120, Protocol="802.1ad"), \
            vlan.far_link("wire.s120", "type", "vlan", "protocol", "802.1ad", "id", "120"):
        for kind in KINDS:
            check_both_ways(kind, "svlan", (DOTAD, 120), "wire.s120")


def test_both_protocols_with_one_vid():
    """802.1Q 120 and 802.1ad 120 of one parent are two networks."""
    with lab.network("svlan", VLAN=120, Protocol="802.1ad"), lab.network("cvlan", VLAN=120), \
            bus.connect("member") as member, frames.WirePort() as trunk:
        mac = "52:54:00:00:01:20"
        one, one_port = open_port(member, "tap", "svlan", mac=mac)
        with one:
            other, other_port = open_port(member, "tap", "cvlan", mac=mac)
            with other:
                for port, tag in ((one_port, DOTAD), (other_port, DOTQ)):
                    frame = frames.marker(mac, f"tag {tag:x}")
                    port.send(frame)
                    assert vlan.taken_apart(trunk.wait(frame[14:]))[2] == [(tag, 120)]


def test_other_vlans_do_not_come_in():
    with bus.connect("member") as member, frames.WirePort("wire.100") as own:
        for kind in KINDS:
            lease, port = open_port(member, kind, "vlan100")
            with lease:
                mac = lease.info["mac"]
                for interface in ("wire", "wire.200", "wire.300"):
                    with frames.WirePort(interface) as other:
                        for destination in (mac, frames.BROADCAST, "01:00:5e:00:00:05"):
                            other.send(frames.ether(destination, "02:00:00:00:00:01", frames.TEST, b"stray"))
                own.send(frames.ether(frames.BROADCAST, "02:00:00:00:00:01", frames.TEST, b"right"))
                came = [frame for frame in port.before(b"right") if b"stray" in frame]
                assert not came, f"{kind}: {[frame.hex() for frame in came]}"


def test_untagged_lease_hears_no_vlan():
    """A VLAN=none lease on a trunk: neither VLANs that the host has an interface for nor those that it has not."""
    with bus.connect("member") as member, frames.WirePort("wire") as trunk, \
            vlan.host_link("here150", "type", "vlan", "id", "150"):
        for kind in KINDS:
            lease, port = open_port(member, kind, "lab")
            with lease:
                for vid in (1, 100, 150, 4094):
                    for destination in (lease.info["mac"], frames.BROADCAST):
                        inner = frames.ether(destination, "02:00:00:00:00:01", frames.TEST, b"stray")
                        trunk.send(frames.tagged(inner, vid))
                        trunk.send(frames.tagged(inner, (DOTAD, vid)))
                trunk.send(frames.ether(frames.BROADCAST, "02:00:00:00:00:01", frames.TEST, b"right"))
                came = [frame for frame in port.before(b"right") if b"stray" in frame]
                assert not came, f"{kind}: {[frame.hex() for frame in came]}"


def test_tag_in_tag_does_not_come_in():
    with bus.connect("member") as member, frames.WirePort("wire.100") as far:
        for kind in KINDS:
            lease, port = open_port(member, kind, "vlan100")
            with lease:
                inner = frames.ether(lease.info["mac"], "02:00:00:00:00:01", frames.TEST, b"stray")
                for outer in sorted(vlan.TAGS):
                    far.send(frames.tagged(inner, (outer, 200)))
                far.send(frames.ether(frames.BROADCAST, "02:00:00:00:00:01", frames.TEST, b"right"))
                came = [frame for frame in port.before(b"right") if b"stray" in frame]
                assert not came, f"{kind}: {[frame.hex() for frame in came]}"


def test_no_tag_gets_out():
    """Single and double tags of every kind, on a VLAN and untagged: nothing but the marker, with its one tag. A priority tag is taken off."""
    with bus.connect("member") as member, frames.WirePort() as trunk:
        for network, own in (("vlan100", [(DOTQ, 100)]), ("vlan200", [(DOTQ, 200)]), ("lab", [])):
            for kind, options in (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True})):
                lease = bus.open_after_end(member, kind, network, **options)
                port = frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"])
                with lease:
                    mac = lease.info["mac"]
                    for tags in ([100], [200], [0, 100], [100, 0], [100, 200], [200, 100], [(DOTAD, 200), 100]):
                        port_try(port, frames.tagged(frames.marker(mac, "hop"), *tags))
                    for outer in sorted(vlan.TAGS):
                        port_try(port, frames.tagged(frames.marker(mac, "hop"), (outer, 300)))
                    end = frames.marker(mac, f"end {network} {kind} {options}")
                    port.send(end)
                    escaped = [vlan.taken_apart(frame) for frame in trunk.before(end[14:])
                               if frames.mac_text(frame[6:12]) == mac]  # fmt: skip
                    assert not escaped, f"{network} {kind} {options}: {escaped}"
                    assert vlan.taken_apart(trunk.last)[2] == own, trunk.last.hex()
                    for tag in (0, 0x2000, (DOTAD, 0)):
                        priority = frames.marker(mac, f"priority {tag}")
                        port.send(frames.tagged(priority, tag))
                        assert vlan.taken_apart(trunk.wait(priority[14:]))[2] == own, trunk.last.hex()


def port_try(port, frame):
    """A frame that the guard drops may come back to the sender as ENOBUFS."""
    try:
        port.send(frame)
    except OSError:
        pass


def test_one_mac_on_two_vlans():
    mac = "52:54:00:aa:bb:cc"
    with bus.connect("member") as member, frames.WirePort() as trunk:
        first, first_port = open_port(member, "tap", "vlab.300", mac=mac)
        with first:
            second, second_port = open_port(member, "packet", "vlab.301", mac=mac)
            with second:
                text = bus.expect_error("AddressInUse", member.open_tap, "vlab.300", mac=mac)
                assert "vlab.300" in text and mac in text, text
                for port, vid in ((first_port, 300), (second_port, 301)):
                    frame = frames.marker(mac, f"on {vid}")
                    port.send(frame)
                    assert vlan.taken_apart(trunk.wait(frame[14:]))[2] == [(DOTQ, vid)]
                for port, vid in ((first_port, 300), (second_port, 301)):
                    with frames.WirePort(f"wire.{vid}") as far:
                        far.send(frames.ether(mac, "02:00:00:00:00:01", frames.TEST, f"for {vid}".encode()))
                    got = port.wait(b"for 3")
                    assert f"for {vid}".encode() in got, got


def test_guests_of_one_vlan_meet_and_keep_apart():
    """bridge: in the kernel. private: never. vepa: only by the wire."""
    with lab.network("b110", VLAN=110), lab.network("p111", VLAN=111, Mode="private"), \
            lab.network("v112", VLAN=112, Mode="vepa"), bus.connect("member") as member, \
            frames.WirePort() as trunk:  # fmt: skip
        for network, vid, meet in (("b110", 110, True), ("p111", 111, False), ("v112", 112, False)):
            one, one_port = open_port(member, "tap", network)
            with one:
                other, other_port = open_port(member, "packet", network)
                with other, vlan.far_link(f"wire.{vid}", "type", "vlan", "id", str(vid)), \
                        frames.WirePort(f"wire.{vid}") as far:  # fmt: skip
                    direct = frames.ether(other.info["mac"], one.info["mac"], frames.TEST, b"neighbours")
                    one_port.send(direct)
                    one_port.send(frames.marker(one.info["mac"], "all of us"))
                    far.wait(b"all of us")
                    far.send(frames.ether(frames.BROADCAST, "02:00:00:00:00:01", frames.TEST, b"right"))
                    came = other_port.before(b"right")
                    texts = [text for text in (b"neighbours", b"all of us") if any(text in frame for frame in came)]
                    assert texts == ([b"neighbours", b"all of us"] if meet else []), f"{network}: {texts}"
            trunk.drain()


def test_exclusive_is_exclusive_and_free_at_once():
    with bus.connect("member") as member, bus.connect("member2") as other:
        for _ in range(3):
            with bus.open_after_end(member, "tap", "vlan200"):
                text = bus.expect_error("NetworkBusy", other.open_packet, "vlan200")
                assert "vlan200" in text, text
            # The dying namespace still holds the VLAN for a moment: rawnet waits, the caller does not see it.
            bus.open_after_end(other, "packet", "vlan200").close_fds()


def test_shared_interface_comes_and_goes():
    with bus.connect("member") as member:
        assert not vlan.shared(100)
        with member.open_tap("vlan100") as first:
            (link,) = vlan.shared(100)
            assert link["link"] == "wire0", link
            alias = link.get("ifalias", "")
            assert "100" in alias and "wire0" in alias, f"VID and parent are in its alias: {alias}"
            with member.open_packet("vlan100"):
                assert [found["ifindex"] for found in vlan.shared(100)] == [link["ifindex"]], "both stand on one"
                first.close_fds()
                lab.wait_for(lambda: len(lab.lease_ids()) == 1, 10, "the first lease's end")
                assert [found["ifindex"] for found in vlan.shared(100)] == [link["ifindex"]], "one still needs it"
        lab.wait_for(lambda: not vlan.shared(100), 10, "its end with the last lease")


def test_shared_interface_left_by_a_killed_helper():
    """Nobody is there to remove it when the last lease ends; the next start does."""
    with bus.connect("member") as member:
        with member.open_tap("vlan100"):
            (link,) = vlan.shared(100)
            lab.kill_helper()
        with member.open_tap("lab"):
            lab.wait_for(lambda: link["ifname"] not in lab.links(), 10, "its removal by the new helper")


def state_of(name):
    """All that one can see of an interface but its counters and who stands on it."""
    link = lab.links()[name]
    keep = {key: link.get(key) for key in ("ifindex", "mtu", "address", "ifalias", "linkinfo", "inet6_addr_gen_mode",
                                           "qdisc", "promiscuity", "allmulti")}  # fmt: skip
    # Carrier and operstate settle by themselves, a moment after an interface is up.
    keep["flags"] = sorted(set(link["flags"]) - {"LOWER_UP", "NO-CARRIER"})
    # An IPv6 address goes from tentative to there by itself.
    keep["addresses"] = [(entry["family"], entry["local"])
                         for entry in lab.ip("addr", "show", "dev", name)[0]["addr_info"]]  # fmt: skip
    keep["tc"] = vlan.run("tc", "filter", "show", "dev", name, "ingress")
    for family, key in (("ipv4", "rp_filter"), ("ipv6", "disable_ipv6")):
        with open(f"/proc/sys/net/{family}/conf/{name}/{key}", encoding="ascii") as value:
            keep[key] = value.read()
    return keep


def check_same(name, before):
    after = state_of(name)
    changed = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    assert not changed, f"{name} was changed: {changed}"


def test_administrators_own_interface():
    with lab.network("own", VLAN=130), vlan.far_link("wire.130", "type", "vlan", "id", "130"), \
            vlan.host_link("office", "type", "vlan", "id", "130"):  # fmt: skip
        vlan.run("ip", "addr", "add", "10.130.0.1/24", "dev", "office")
        vlan.run("ip", "link", "set", "office", "alias", "the administrator's")
        before = state_of("office")
        for kind in KINDS:
            check_both_ways(kind, "own", (DOTQ, 130), "wire.130")
            assert not vlan.shared(130)
        lab.wait_no_leases()
        check_same("office", before)
        vlan.run_far("ip", "addr", "add", "10.130.0.2/24", "dev", "wire.130")
        vlan.run_far("ping", "-c1", "-W5", "10.130.0.1")


def test_administrators_own_interface_with_a_smaller_mtu():
    with lab.network("own", VLAN=130, MTU=1500), vlan.host_link("office", "type", "vlan", "id", "130"), \
            bus.connect("member") as member:  # fmt: skip
        vlan.run("ip", "link", "set", "office", "mtu", "1400")
        text = bus.expect_error("BadNetworkFile", member.open_tap, "own")
        assert "1500" in text and "1400" in text and "office" in text, text


def test_administrators_own_interface_is_not_taken_away():
    with lab.network("own", VLAN=130, Mode="exclusive"), vlan.host_link("office", "type", "vlan", "id", "130"), \
            bus.connect("member") as member:  # fmt: skip
        before = state_of("office")
        text = bus.expect_error("NetworkBusy", member.open_tap, "own")
        assert "own" in text, text
        check_same("office", before)


def through_again(port, source, text, trunk):
    """Frames get out, be it not the first: until one is seen."""

    def passes():
        port_try(port, frames.marker(source, text))
        return any(text.encode() in got for got in iter(lambda: trunk.receive(0.1), None))

    lab.wait_for(passes, 10, f"{text}: the first frame")


def test_parent_down_and_up():
    """Shared and exclusive, at once; what is learnt stays learnt."""
    with bus.connect("member") as member, frames.WirePort() as trunk:
        learnt = "52:54:00:00:01:99"
        for network, vid, kind, options in (("vlan100", 100, "tap", {}), ("vlan100", 100, "packet", {}), ("vlan200", 200, "tap", {}),
                                            ("vlan200", 200, "packet", {}), ("vlan100", 100, "tap", {"mac": "learn"})):  # fmt: skip
            lease, port = open_port(member, kind, network, **options)
            with lease:
                name = f"{network} {kind} {options}"
                source = lease.info["mac"] or learnt
                through_again(port, source, f"light, {name}", trunk)
                vlan.run("ip", "link", "set", "wire0", "down")
                port_try(port, frames.marker(source, "into the dark"))
                assert lease.path in member.leases()
                vlan.run("ip", "link", "set", "wire0", "up")
                through_again(port, source, f"light again, {name}", trunk)
                with frames.WirePort(f"wire.{vid}") as far:
                    far.send(frames.ether(source, "02:00:00:00:00:77", frames.TEST, b"and back in"))
                    port.wait(b"and back in")
            lab.wait_no_leases()


@contextlib.contextmanager
def cable():
    """A second wire of the host's while the block runs, which may delete it."""
    vlan.run("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1")
    try:
        for name in ("cable0", "cable1"):
            vlan.run("ip", "link", "set", name, "up")
        yield "cable0"
    finally:
        if "cable0" in lab.links():
            vlan.run("ip", "link", "del", "cable0")


def test_parent_deleted():
    """Under a lease of every kind and mode: each ends, and nothing keeps the others."""
    with lab.network("doomed", Parent="cable0", VLAN=100), lab.network("alone", Parent="cable0", VLAN=200, Mode="exclusive"), \
            lab.network("service", Parent="cable0", VLAN=100, Protocol="802.1ad"), bus.connect("member") as member, \
            member.open_tap("vlan100") as stays:  # fmt: skip
        member.subscribe()
        for exclusive in KINDS:
            with cable() as parent, contextlib.ExitStack() as stack:
                leases = [stack.enter_context(member.open(kind, network, **options)) for kind, network, options in
                          (("tap", "doomed", {}), ("packet", "doomed", {}), ("tap", "doomed", {"mac": "learn"}),
                           ("tap", "service", {}), (exclusive, "alone", {}))]  # fmt: skip
                vlan.run("ip", "link", "del", parent)
                for lease in leases:
                    _, body = member.wait_signal("Ended", path=lease.path)
                    assert body[0] == "link-gone", body
                for network in ("doomed", "service", "alone"):
                    bus.expect_error("ParentMissing", member.open_tap, network)
            lab.wait_for(lambda: lab.lease_ids() == [stays.id], 10, "the end of all but the other parent's")
        with frames.WirePort() as trunk:
            through_again(frames.Port(stays.fd, vnet_hdr=True), stays.info["mac"], "the other parent's", trunk)


# -- sizes, addresses


def test_far_side_pings_the_guest():
    """The neighbour's kernel finds the guest by ARP and by neighbour discovery, and the guest's finds the neighbour."""
    with bus.connect("member") as member:
        for number, (kind, vid) in enumerate(((kind, vid) for kind in KINDS for vid in (100, 200)), 50):
            own = f"10.77.{vid}.{number}", f"fd77:{vid}::{number}"
            with member.open(kind, f"vlan{vid}") as lease, station.Station(lease, f"{own[0]}/24", f"{own[1]}/64") as guest:
                for address, neighbour in zip(own, (f"10.77.{vid}.1", f"fd77:{vid}::1")):
                    with lab.in_namespace(lab.FAR):
                        assert station.ping(address), f"{kind} on VLAN {vid}: {address} does not answer"
                    assert guest.ping(neighbour), f"{kind} on VLAN {vid}: {neighbour} does not answer"
            lab.wait_no_leases()


@contextlib.contextmanager
def jumbo_wire():
    ends = [(vlan.run, "wire0"), (vlan.run_far, "wire"), (vlan.run_far, "wire.100"), (vlan.run_far, "wire.200")]
    for run, name in ends:
        run("ip", "link", "set", name, "mtu", "9000")
    try:
        yield
    finally:
        for run, name in reversed(ends):
            run("ip", "link", "set", name, "mtu", "1500")


def check_jumbo(lease, vid):
    assert lease.info["mtu"] == 9000, lease.info
    port = frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"])
    payload = bytes(range(250)) * 36  # 9,000 bytes: with header and tag 9,018 on the wire
    with frames.WirePort(f"wire.{vid}") as far:
        out = frames.ether(frames.BROADCAST, lease.info["mac"], frames.TEST, payload)
        port.send(out)
        assert far.wait(lambda frame: frame[6:12] == out[6:12]) == out
        back = frames.ether(lease.info["mac"], "02:00:00:00:00:77", frames.TEST, payload)
        far.send(back)
        assert port.wait(lambda frame: frame[6:12] == back[6:12]) == back


def test_mtu_9000():
    with jumbo_wire(), bus.connect("member") as member:
        for network, vid in (("vlan100", 100), ("vlan200", 200)):
            for kind, options in (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True})):
                with member.open(kind, network, **options) as lease:
                    check_jumbo(lease, vid)
                lab.wait_no_leases()


def test_parent_s_mtu_raised_and_lowered_under_leases():
    """The shared interface follows at the next open, so that what the file asks for is there."""
    with lab.network("jumbo", VLAN=100, MTU=9000), bus.connect("member") as member, member.open_tap("vlan100") as small:
        assert small.info["mtu"] == 1500, small.info
        text = bus.expect_error("BadNetworkFile", member.open_tap, "jumbo")
        assert "9000" in text and "1500" in text and "wire0" in text, text
        with jumbo_wire():
            with member.open_tap("jumbo") as lease:
                check_jumbo(lease, 100)
            with member.open_packet("vlan100") as lease:
                check_jumbo(lease, 100)
        lab.wait_for(lambda: lab.lease_ids() == [small.id], 10, "the end of the large ones")
        with member.open_packet("vlan100") as lease:
            assert lease.info["mtu"] == 1500, lease.info
        with frames.WirePort() as trunk:
            through_again(frames.Port(small.fd, vnet_hdr=True), small.info["mac"], "still there", trunk)


def test_parent_s_mtu_falls_and_rises_under_leases():
    """The kernel lowers rawnet's interface with the parent and does not raise it: rawnet does, while leases live, and they follow."""
    def mtus(*leases):
        with bus.connect("member") as connection:
            return [connection.get_all(lease.path, bus.LEASE)["MTU"] for lease in leases]

    with lab.network("small", VLAN=100, MTU=1300), bus.connect("member") as member, contextlib.ExitStack() as stack:
        leases = [stack.enter_context(member.open(kind, network, **options)) for kind, network, options in
                  (("tap", "small", {}), ("packet", "small", {}), ("packet", "small", {"vnet_hdr": True}),
                   ("tap", "vlan100", {}), ("tap", "vlan200", {}))]  # fmt: skip
        stack.callback(vlan.run, "ip", "link", "set", "wire0", "mtu", "1500")
        for mtu in (1500, 1200, 1400, 1500):
            vlan.run("ip", "link", "set", "wire0", "mtu", str(mtu))
            wanted = [min(mtu, 1300)] * 3 + [mtu] * 2
            lab.wait_for(lambda: mtus(*leases) == wanted, 30, f"the leases' MTU of {wanted}")  # pylint: disable=cell-var-from-loop
            (shared,) = vlan.shared(100)
            assert shared["mtu"] == mtu and "NOARP" in shared["flags"], shared
            for lease, carries in zip(leases, wanted):
                port, text = frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"]), f"{lease.id} {mtu}".encode().ljust(carries, b"x")
                with frames.WirePort(f"wire.{lease.info['vlan']}") as far:

                    def out():
                        # Above 1280 rawnet's interface was down for a moment (helper/worker/host/shared.c), and its carrier comes after it.
                        port.send(frames.ether(frames.BROADCAST, lease.info["mac"], frames.TEST, text))  # pylint: disable=cell-var-from-loop
                        with contextlib.suppress(AssertionError):
                            return far.wait(text, 0.5)  # pylint: disable=cell-var-from-loop

                    lab.wait_for(out, 20, f"a frame of {carries} bytes from {lease.info}")
                    far.send(frames.ether(lease.info["mac"], "02:00:00:00:00:77", frames.TEST, text))
                    port.wait(text)


def test_shared_interface_gets_no_address_when_it_grows():
    """The kernel gives a link IPv6 anew, with an address, when its MTU passes 1280: not this one."""
    with contextlib.ExitStack() as stack:
        member = stack.enter_context(bus.connect("member"))
        vlan.run("ip", "link", "set", "wire0", "mtu", "1200")
        stack.callback(vlan.run, "ip", "link", "set", "wire0", "mtu", "1500")
        small = stack.enter_context(member.open_tap("vlan100"))
        assert small.info["mtu"] == 1200, small.info
        vlan.run("ip", "link", "set", "wire0", "mtu", "1500")
        with subprocess.Popen(["ip", "-6", "monitor", "address"], stdout=subprocess.PIPE, text=True) as monitor:
            try:
                # A change that the monitor sees says that it listens.
                vlan.run("ip", "link", "set", "lo", "up")
                vlan.run("ip", "addr", "add", "fd99::1/128", "dev", "lo")
                # Before it may come what lo gets by itself.
                next(line for line in monitor.stdout if "fd99::1" in line)
                with member.open_packet("vlan100") as lease:
                    assert lease.info["mtu"] == 1500, lease.info
                    (name,) = [link["ifname"] for link in vlan.shared(100)]
                vlan.run("ip", "addr", "del", "fd99::1/128", "dev", "lo")
                seen = []
                for line in monitor.stdout:
                    seen.append(line)
                    if "Deleted" in line and "fd99::1" in line:
                        break
            finally:
                monitor.kill()
        assert not any(name in line for line in seen), seen


if __name__ == "__main__":
    tap.main()
