# SPDX-License-Identifier: GPL-2.0-or-later
"""The administrator's own VLAN interface and rawnet's, of which the kernel has one a VLAN: either is there first, and rawnet's is
handed over. (test_vlan.py has leases on the administrator's.)"""

import contextlib
import json
import subprocess
import time

import bus
import frames
import lab
import tap
import test_hardening as hardening
import vlan

VID, OWN = 100, "wire0.100"
GROUP = str(0x726E76)
KINDS = ("tap", "packet")
SECONDS = 20


def add(status=0):
    """What networkd, ifupdown and people do."""
    done = subprocess.run(["ip", "link", "add", "link", "wire0", "name", OWN, "type", "vlan", "id", str(VID)],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode == 0) == (status == 0), done.stderr
    return done.stderr


def rename(old, new, *words):
    """Linux 6.1 renames no interface that is up."""
    vlan.run("ip", "link", "set", "dev", old, "down")
    vlan.run("ip", "link", "set", "dev", old, "name", new, *words, "up")


def hand_over(old, new=OWN):
    """As rawnet.network(5) says it."""
    rename(old, new, "group", "default")
    lab.wait_for(lambda: not lab.links()[new].get("ifalias"), SECONDS, "rawnet's letting go")


@contextlib.contextmanager
def removed(name):
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)


def settings(name):
    """What hardening changes."""
    link = lab.links()[name]
    addresses = [info for entry in lab.ip("-6", "addr", "show", "dev", name) for info in entry.get("addr_info", [])]
    found = {key: link.get(key) for key in ("ifalias", "group", "inet6_addr_gen_mode")}
    # One from a router's advertisement may come as well.
    found["link-local"] = "link" in [info["scope"] for info in addresses]
    found["noarp"] = "NOARP" in link["flags"]
    found["filters"] = vlan.run("tc", "filter", "show", "dev", name, "ingress")
    for path in (f"ipv4/conf/{name}/rp_filter", f"ipv6/conf/{name}/disable_ipv6"):
        with open(f"/proc/sys/net/{path}", encoding="ascii") as text:
            found[path.rsplit("/", maxsplit=1)[-1]] = text.read()
    return found


def wait_same(name, wanted):
    """Addresses of IPv6 come a moment after the setting."""
    try:
        lab.wait_for(lambda: settings(name) == wanted, SECONDS, "a new interface's settings")
    except AssertionError:
        assert settings(name) == wanted, (settings(name), wanted)
        raise


def host_rules():
    return subprocess.run(["nft", "list", "table", "inet", "rawnet"], capture_output=True, check=False).returncode == 0


def both_ways(lease, port):
    with frames.WirePort(f"wire.{VID}") as far:
        mark = f"{lease.id} {time.monotonic_ns()}".encode().ljust(46, b"\0")

        def out():
            port.send(frames.ether(frames.BROADCAST, lease.info["mac"], frames.TEST, mark))
            with contextlib.suppress(AssertionError):
                return far.wait(mark, 0.5)

        lab.wait_for(out, SECONDS, "a frame on the wire")
        far.send(frames.ether(lease.info["mac"], "02:00:00:00:00:77", frames.TEST, b"in " + mark))
        port.wait(b"in " + mark)


def port_of(lease):
    return frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"])


def test_room_after_the_last_lease():
    """While a lease lives the kernel refuses; when none does, the interface is free."""
    with bus.connect("member") as member:
        with member.open_tap("vlan100"), removed(OWN):
            assert "already exists" in add(status=2)
        started = time.monotonic()
        lab.wait_for(lambda: not vlan.shared(VID), SECONDS, "the end of rawnet's interface")
        tap.diag(f"free {1000 * (time.monotonic() - started):.0f} ms after the last descriptor was closed")
        with removed(OWN):
            add()


def test_the_administrators_is_down():
    with lab.network("own", VLAN=130), vlan.host_link("office", "type", "vlan", "id", "130"), bus.connect("member") as member:
        vlan.run("ip", "link", "set", "office", "down")
        for kind in KINDS:
            text = bus.expect_error("ParentMissing", member.open, kind, "own")
            assert "ip link set office up" in text, text
        assert "UP" not in lab.links()["office"]["flags"], "rawnet brought it up"


def test_the_administrators_is_a_port_of_a_bridge():
    with lab.network("own", VLAN=130), vlan.host_link("office", "type", "vlan", "id", "130"), bus.connect("member") as member:
        with removed("br-own"):
            vlan.run("ip", "link", "add", "br-own", "type", "bridge")
            vlan.run("ip", "link", "set", "office", "master", "br-own")
            for kind in KINDS:
                text = bus.expect_error("NotSupported", member.open, kind, "own")
                assert "office" in text and "VLAN=none" in text, text


def test_the_administrators_is_deleted():
    """The leases on it end, and the next open makes one of rawnet's."""
    with lab.network("own", VLAN=130), bus.connect("member") as member:
        member.subscribe()
        with vlan.host_link("office", "type", "vlan", "id", "130"):
            lease = member.open_tap("own")
        _, body = member.wait_signal("Ended", path=lease.path)
        assert body[0] == "link-gone", body
        lease.close_fds()
        with member.open_tap("own"):
            assert vlan.shared(130)


def test_renamed_it_is_as_closed_as_before():
    """By the mark, not by the name: the nftables drop included, which alone keeps broadcasts from 0.0.0.0 out."""
    with hardening.talkative_host() as host, bus.connect("member") as member, member.open_tap("vlan100") as lease:
        (link,) = vlan.shared(VID)
        rename(link["ifname"], "renamed0")
        both_ways(lease, port_of(lease))
        seen = hardening.got_in(host, f"wire.{VID}", link["address"])
        assert not seen, f"the host heard or answered {seen}"
        # The next open uses it, and closes what was opened.
        vlan.run("ip", "link", "set", "renamed0", "arp", "on")
        vlan.run("nft", "flush", "ruleset")
        with member.open_packet("vlan100") as other:
            assert not vlan.shared(VID), "there is another one"
            assert settings("renamed0")["noarp"]
            seen = hardening.got_in(host, f"wire.{VID}", link["address"])
            assert not seen, f"the host heard or answered {seen}"
            both_ways(other, port_of(other))
        lab.wait_for(lambda: lab.lease_ids() == [lease.id], SECONDS, "the other's end")
        assert "renamed0" in lab.links(), "a lease is on it"


def test_renamed_it_is_swept():
    with bus.connect("member") as member:
        with member.open_tap("vlan100"):
            (link,) = vlan.shared(VID)
            rename(link["ifname"], "renamed0")
        lab.wait_for(lambda: "renamed0" not in lab.links(), SECONDS, "its end with the last lease")
        lab.wait_for(lambda: not host_rules(), SECONDS, "the end of the host's rules")
        # By a helper that never saw it under its first name, too.
        with member.open_tap("vlan100"):
            (link,) = vlan.shared(VID)
            lab.kill_service()
            lab.kill_helper()
            rename(link["ifname"], "renamed0")
    with bus.connect("member") as member:
        assert member.networks()
        lab.wait_for(lambda: "renamed0" not in lab.links(), SECONDS, "its removal by the new helper")


def earlier_filter(link):
    """Earlier versions had one more measure."""
    vlan.run("tc", "qdisc", "add", "dev", link["ifname"], "clsact")
    vlan.run("tc", "filter", "add", "dev", link["ifname"], "ingress", "protocol", "all", "prio", str(0x726E), "u32",
             "match", "ether", "dst", link["address"], "action", "drop")  # fmt: skip
    assert settings(link["ifname"])["filters"]


def test_handed_over():
    """It becomes as a new one would be; the leases on it live on, others are opened on it, and nobody deletes it."""
    with removed(OWN), hardening.talkative_host() as host, bus.connect("member") as member:
        with vlan.host_link("plain150", "type", "vlan", "id", "150"):
            lab.wait_for(lambda: settings("plain150")["link-local"], SECONDS, "an interface's own address")
            fresh = settings("plain150")
        with member.open_tap("vlan100") as lease, member.open_packet("vlan100") as packet:
            ports = port_of(lease), port_of(packet)
            (link,) = vlan.shared(VID)
            assert settings(link["ifname"]) != fresh, "nothing was closed"
            earlier_filter(link)
            hand_over(link["ifname"])
            wait_same(OWN, fresh)
            assert lab.links()[OWN]["ifindex"] == link["ifindex"]
            seen = hardening.got_in(host, f"wire.{VID}", link["address"])
            assert seen == hardening.ALL, f"not heard: {hardening.ALL - seen}"
            for one, port in zip((lease, packet), ports):
                both_ways(one, port)
            vlan.run("ip", "addr", "add", "10.130.0.1/24", "dev", OWN)
            with member.open_tap("vlan100") as later:
                both_ways(later, port_of(later))
                assert settings(OWN) == fresh, (settings(OWN), fresh)
            assert not vlan.shared(VID)
        lab.wait_no_leases()
        # Something that makes a sweep: another VLAN's interface comes and goes, and the host's rules with it.
        with member.open_tap("vlab.300"):
            assert host_rules()
        lab.wait_for(lambda: not host_rules(), SECONDS, "the end of the host's rules")
        assert settings(OWN) == fresh, (settings(OWN), fresh)
        assert vlan.run("ip", "-4", "addr", "show", "dev", OWN)


def test_handed_over_the_last_one_takes_the_rules_along():
    with removed(OWN), bus.connect("member") as member, member.open_tap("vlan100"):
        assert host_rules()
        hand_over(vlan.shared(VID)[0]["ifname"])
        lab.wait_for(lambda: not host_rules(), SECONDS, "the end of the host's rules")


def test_handed_over_while_the_helper_is_away():
    """The alias says that something is left to undo; the next start does it."""
    with removed(OWN):
        with bus.connect("member") as member, member.open_tap("vlan100") as lease:
            port = port_of(lease)
            (link,) = vlan.shared(VID)
            lab.kill_service()
            lab.kill_helper()
            rename(link["ifname"], OWN, "group", "default")
            assert settings(OWN)["noarp"]
            with bus.connect("member") as again:
                assert again.networks()
                lab.wait_for(lambda: not settings(OWN)["ifalias"], SECONDS, "the new helper's letting go")
            assert not settings(OWN)["noarp"]
            both_ways(lease, port)
        lab.wait_no_leases()
        assert OWN in lab.links()


def test_without_a_mark_but_with_name_and_alias():
    """One of an earlier version is marked, and swept."""
    with bus.connect("member") as member:
        with member.open_tap("vlan100"):
            (link,) = vlan.shared(VID)
            assert link["group"] == GROUP, link
            vlan.run("ip", "link", "set", "dev", link["ifname"], "group", "default")
            lab.wait_for(lambda: vlan.shared(VID)[0]["group"] == GROUP, SECONDS, "its mark by the sweep")
            lab.kill_service()
            lab.kill_helper()
            vlan.run("ip", "link", "set", "dev", link["ifname"], "group", "default")
    with bus.connect("member") as member:
        assert member.networks()
        lab.wait_for(lambda: not vlan.shared(VID), SECONDS, "the sweep")


def test_a_name_alone_is_no_mark():
    """What somebody else made for this VLAN is not rawnet's, whatever it is called: not used, not changed, not deleted."""
    name = f"rnv{lab.links()['wire0']['ifindex'] << 13 | VID:x}"
    with removed(name), bus.connect("member") as member:
        vlan.run("ip", "link", "add", "link", "wire0", "name", name, "type", "vlan", "id", str(VID))
        vlan.run("ip", "link", "set", "dev", name, "up")
        before = settings(name)
        for kind in KINDS:
            text = bus.expect_error("NetworkBusy", member.open, kind, "vlan100")
            assert name in text and "mark" in text, text
        member.open_tap("vlab.300").close_fds()
        lab.wait_for(lambda: not vlan.shared(300), SECONDS, "a sweep")
        assert settings(name) == before, (settings(name), before)


def check(name):
    """(status, the network's entry, what people see)."""
    shown, raw = (lab.run_as("member", ["rawnetctl", "check", *words, name]) for words in ((), ("--json",)))
    return raw.returncode, json.loads(raw.stdout)["networks"][0], shown.stdout


def test_check_says_whose_it_is():
    with lab.network("own", VLAN=130), lab.network("own-range", VLAN="128-139"), lab.network("other", VLAN=131), \
            bus.connect("member") as member:  # fmt: skip
        assert not check("own")[1]["vlan-interfaces"]
        with member.open_tap("own"):
            status, entry, text = check("own")
            (found,) = entry["vlan-interfaces"]
            assert (status, found["owner"], found["vlan"]) == (0, "rawnet", 130), entry
            assert found["name"] == vlan.shared(130)[0]["ifname"] and "host's own" not in text, text
        lab.wait_for(lambda: not vlan.shared(130), SECONDS, "its end")
        with vlan.host_link("office", "type", "vlan", "id", "130"):
            for name in ("own", "own-range", "own-range.130"):
                status, entry, text = check(name)
                assert (status, entry["vlan-interfaces"]) == (0, [{"vlan": 130, "name": "office", "owner": "host"}]), entry
                assert "VLAN interfaces of the host's own: office" in text, text
            for name in ("own-range.131", "other"):
                assert not check(name)[1]["vlan-interfaces"]


def test_check_says_what_is_in_the_way():
    """The same as an open says."""
    with lab.network("own", VLAN=130), lab.network("alone", VLAN=130, Mode="exclusive"), lab.network("long", VLAN=130, MTU=1500), \
            vlan.host_link("office", "type", "vlan", "id", "130"), bus.connect("member") as member, removed("br-own"):  # fmt: skip

        def says(name, error, *words):
            status, entry, _ = check(name)
            assert status == 1 and any(all(word in text for word in words) for text in entry["problems"]), entry
            opened = bus.expect_error(error, member.open_tap, name)
            assert all(word in opened for word in words), opened

        says("alone", "NetworkBusy", "office", "VLAN 130 of wire0", "exclusive")
        vlan.run("ip", "link", "set", "office", "mtu", "1400")
        says("long", "BadNetworkFile", "MTU=1500", "1400", "office")
        vlan.run("ip", "link", "set", "office", "down")
        says("own", "ParentMissing", "office", "ip link set office up")
        vlan.run("ip", "link", "set", "office", "up")
        assert check("own")[0] == 0
        vlan.run("ip", "link", "add", "br-own", "type", "bridge")
        vlan.run("ip", "link", "set", "office", "master", "br-own")
        says("own", "NotSupported", "office", "bridge", "VLAN=none")


def test_exclusive_names_what_is_in_the_way():
    with lab.network("alone", VLAN=VID, Mode="exclusive"), bus.connect("member") as member, member.open_tap("vlan100"):
        (link,) = vlan.shared(VID)
        text = bus.expect_error("NetworkBusy", member.open_tap, "alone")
        assert link["ifname"] in text and "rawnetctl list" in text and "delete" not in text, text


if __name__ == "__main__":
    tap.main()
