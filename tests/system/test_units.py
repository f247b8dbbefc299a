# SPDX-License-Identifier: GPL-2.0-or-later
"""The units: how they start, that their sandbox is tight and yet lets everything through that a lease needs, what they say in
the journal, and that networkd keeps off."""

import contextlib
import json
import os
import re
import signal

import bus
import debian
import frames
import lab
import tap
import vlan

EXPOSURE = {"rawnetd.service": 0.8, "rawnet-helper.service": 2.0}
OPENED, REFUSED, ENDED = (
    "d8141f479581476994268bf323dadbb4", "6adb09ff20f549539a2a4bdebe7732fd", "797cad538a664f4090b5e7fa4592af89")  # fmt: skip
ADDRESS_REFUSED, DROPPED = "850804c49e27425a96167aa82792d60e", "72502471835c4200932ffad91125c612"
OTHER = "52:54:00:00:be:ef"


def stop_all():
    debian.run("systemctl", "stop", "rawnetd.service", "rawnet-helper.service")


def both_ways(lease, tag=100, far="wire.100"):
    """A frame out, tagged, and one back in, by content."""
    port = frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"])
    with frames.WirePort() as trunk, frames.WirePort(far) as there:
        out = frames.marker(lease.info["mac"], f"out of {lease.id}")
        port.send(out)
        _, source, tags, _, _ = vlan.taken_apart(trunk.wait(out[14:]))
        assert (source, tags) == (lease.info["mac"], [(frames.VLAN, tag)]), (source, tags)
        text = f"back to {lease.id}".encode().ljust(46, b"\0")
        there.send(frames.ether(lease.info["mac"], "02:00:00:00:00:77", frames.TEST, text))
        port.wait(text)


def test_ready():
    debian.ready()


def test_exposure():
    for unit, limit in EXPOSURE.items():
        text = debian.run("systemd-analyze", "security", "--no-pager", unit)
        level = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", text)[1])
        worst = [line for line in text.splitlines() if line.startswith("✗")]
        tap.diag(f"{unit}: {level}")
        assert level <= limit, "\n".join([f"{unit}: {level}", *worst])


def test_units_are_well_written():
    debian.run("systemd-analyze", "verify", "--man=no", *debian.UNITS)


def test_the_host_s_network_comes_first():
    """At boot a port must not make the VLAN interface that networkd or ifupdown is about to make."""
    after = debian.show("rawnet-helper.service", "After")["After"].split()
    assert {"network-pre.target", "network.target", "rawnet-helper.socket"} <= set(after), after
    # The socket does not wait: a port that is opened before is served when the network is there.
    early = debian.show("rawnet-helper.socket", "After")["After"].split()
    assert "network.target" not in early, early
    cycles = [entry["MESSAGE"] for entry in debian.journal("_PID=1") if "ordering cycle" in str(entry.get("MESSAGE"))]
    assert not cycles, cycles


def test_memory_and_tasks_are_bounded():
    for unit in EXPOSURE:
        limits = dict(line.split("=", 1) for line in debian.run("systemctl", "show", "-p", "MemoryMax,TasksMax,LimitNOFILE", unit).split())
        assert len(limits) == 3 and all(value.isdigit() for value in limits.values()), limits


def test_bus_and_socket_start_them():
    stop_all()
    assert debian.state("rawnetd.service") == debian.state("rawnet-helper.service") == "inactive"
    with bus.connect("member") as member, member.open_tap("vlan100") as lease:
        assert debian.state("rawnetd.service") == debian.state("rawnet-helper.service") == "active"
        both_ways(lease)
    for unit, user in (("rawnetd.service", "_rawnet"), ("rawnet-helper.service", "_rawnet-helper")):
        with open(f"/proc/{debian.pid(unit)}/status", encoding="ascii") as text:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in text)
        wanted = 0 if user == "_rawnet" else 1 << 12  # CAP_NET_ADMIN, capability.h
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {wanted}, status
        # CAP_BPF, given up, stays in this set, which no process without CAP_SETPCAP can change: helper/privilege.c
        assert int(status["CapBnd"], 16) == (wanted and wanted | 1 << 39), status
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
        assert status["Uid"].split() == [str(lab.uid_of(user))] * 4, status


def test_tap_with_vhost_and_queues():
    assert os.path.exists("/dev/vhost-net")
    with bus.connect("member") as member, member.open_tap("vlan100", vhost=True, queues=4) as lease:
        assert (len(lease.fds), len(lease.vhosts)) == (4, 4)
        assert {os.fstat(fd).st_rdev for fd in lease.vhosts} == {os.stat("/dev/vhost-net").st_rdev}
        assert debian.loaded("vhost_net")
    with bus.connect("member") as member, member.open_tap("vlan100") as lease:
        both_ways(lease)


def test_packet():
    for options in ({}, {"vnet_hdr": True}):
        with bus.connect("member") as member, member.open_packet("vlan100", **options) as lease:
            both_ways(lease)


def test_every_mode():
    for number, mode in enumerate(("private", "vepa", "exclusive")):
        with debian.network("other", VLAN=300 + min(number, 1), Mode=mode), bus.connect("member") as member:
            for kind in ("tap", "packet"):
                with member.open(kind, "other") as lease:
                    both_ways(lease, 300 + min(number, 1), f"wire.{300 + min(number, 1)}")
                lab.wait_no_leases()
        lab.wait_for(lambda: not vlan.shared(300) + vlan.shared(301), 30, "the end of the shared VLAN interface")


def test_learning():
    """What QEMU's helper= and libvirt get: a child of the helper stays in the lease."""
    mac = "52:54:00:00:77:01"
    with bus.connect("member") as member, member.open_tap("vlan100", mac="learn") as lease:
        port = frames.Port(lease.fd, vnet_hdr=True)
        with frames.WirePort() as trunk:
            for number in range(100):
                port.send(frames.marker(mac, f"learn {number}"))
                if trunk.receive(0.3):
                    break
        lab.wait_for(lambda: member.leases()[lease.path]["MAC"] == mac, 10, "the learnt MAC")


def test_helper_s_host_measures():
    """Inside the sandbox too the shared VLAN interface gets everything that closes the host (facts: all columns)."""
    with bus.connect("member") as member, member.open_tap("vlan100"):
        (link,) = vlan.shared(100)
        name = link["ifname"]
        assert "NOARP" in link["flags"], link["flags"]
        for path, value in ((f"ipv4/conf/{name}/rp_filter", "1"), (f"ipv6/conf/{name}/disable_ipv6", "1")):
            with open(f"/proc/sys/net/{path}", encoding="ascii") as text:
                assert text.read().strip() == value, path
        names = re.findall(r"^table inet (rawnet(?:-\d+)?)$", debian.run("nft", "list", "tables"), re.M)
        assert len(names) == 2 and "rawnet" in names, names  # rawnet-helper(8), NFTABLES
        for table in names:
            rules = debian.run("nft", "list", "table", "inet", table)
            assert re.search(r"prerouting.*iifgroup 7499382 drop", rules, re.S), rules


def test_networkd_keeps_off():
    """Although the machine has a file that takes every interface (tools/system.d/customize.sh)."""
    with bus.connect("member") as member, member.open_tap("vlan100"):
        (link,) = vlan.shared(100)
        lab.wait_for(lambda: networkd_state(link["ifindex"]) != "pending", 30, "networkd's decision")
        assert networkd_state(link["ifindex"]) == "unmanaged"
        assert not [address for entry in lab.ip("address", "show", "dev", link["ifname"]) for address in entry["addr_info"]]
    # The positive control: it does take another VLAN interface.
    debian.run("ip", "link", "add", "link", "eth1", "name", "someones", "type", "vlan", "id", "4001")
    try:
        index = lab.links()["someones"]["ifindex"]
        lab.wait_for(lambda: networkd_state(index) in ("configuring", "configured"), 30, "networkd to take an interface")
    finally:
        debian.run("ip", "link", "del", "someones")


def test_networkd_takes_what_is_handed_over():
    """By the commands of rawnet.network(5): the interface gets the host's address and answers, and the lease lives on."""
    unit = "/run/systemd/network/00-office.network"
    with bus.connect("member") as member, member.open_tap("vlan100") as lease:
        (link,) = vlan.shared(100)
        os.makedirs(os.path.dirname(unit), exist_ok=True)
        with open(unit, "w", encoding="ascii") as file:
            file.write("[Match]\nName=eth1.100\n[Network]\nAddress=10.130.0.1/24\n")
        try:
            debian.run("networkctl", "reload")
            debian.run("ip", "link", "set", "dev", link["ifname"], "down")
            debian.run("ip", "link", "set", "dev", link["ifname"], "name", "eth1.100", "group", "default", "up")
            lab.wait_for(lambda: networkd_state(link["ifindex"]) == "configured", 60, "networkd's configuration")
            lab.wait_for(lambda: not lab.links()["eth1.100"].get("ifalias"), 30, "rawnet's letting go")

            def scopes():
                return {info.get("scope") for entry in lab.ip("address", "show", "dev", "eth1.100") for info in entry["addr_info"]}

            lab.wait_for(lambda: scopes() >= {"global", "link"}, 30, "an IPv4 address and a link-local one")
            assert scopes() == {"global", "link"}, scopes()
            assert "NOARP" not in lab.links()["eth1.100"]["flags"]
            both_ways(lease)
            with frames.WirePort("wire.100") as far:
                far.send(frames.arp(1, "02:00:00:00:00:77", "10.130.0.77", "10.130.0.1"))
                far.wait(lambda frame: frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2")
        finally:
            os.unlink(unit)
            if "eth1.100" in lab.links():
                debian.run("ip", "link", "del", "eth1.100")
            debian.run("networkctl", "reload")


def networkd_state(index):
    for entry in json.loads(debian.run("networkctl", "--json=short", "list"))["Interfaces"]:
        if entry["Index"] == index:
            return entry["AdministrativeState"]
    return "pending"


def test_networkmanager_s_file():
    """Only its form; test_networkmanager.py has the daemon. A key file, one device section, a key that NetworkManager.conf(5) has."""
    with open("/usr/lib/NetworkManager/conf.d/99-rawnet.conf", encoding="utf-8") as text:
        lines = [line.strip() for line in text if line.strip() and not line.startswith("#")]
    assert lines == ["[device-rawnet]", "match-device=interface-name:rnv*", "managed=0"], lines


def spoof(lease):
    frames.Port(lease.fd, vnet_hdr=True).send(frames.marker(OTHER, "I am another one"))


def test_journal():
    foreign = "bc:24:11:00:77:01"
    with bus.connect("member") as member, member.open_tap("vlan100", name="journal") as lease, member.open_tap("vlan100", mac="learn") as learns:
        number, learning = lease.id, learns.id
        spoof(lease)
        frames.Port(learns.fd, vnet_hdr=True).send(frames.marker(foreign, "I am"))
        lab.wait_for(lambda: member.leases()[learns.path]["RefusedMAC"] == foreign, 20, "the refused address")
    lab.wait_no_leases()
    with bus.connect("outsider") as outsider:
        bus.expect_error(bus.DBUS_ERROR + "InteractiveAuthorizationRequired", outsider.open_tap, "vlan100")

    def events(identifier, **fields):
        return [entry for entry in debian.journal(f"MESSAGE_ID={identifier}")
                if all(entry.get(key) == value for key, value in fields.items())]  # fmt: skip

    wanted = {"RAWNET_LEASE": f"rn{number:x}", "RAWNET_NETWORK": "vlan100", "RAWNET_UID": str(lab.uid_of("member"))}
    lab.wait_for(lambda: events(OPENED, **wanted) and events(ENDED, **wanted), 20, "the lease in the journal")
    assert events(OPENED, **wanted)[0]["_SYSTEMD_UNIT"] == "rawnetd.service"
    lab.wait_for(lambda: events(REFUSED, RAWNET_UID=str(lab.uid_of("outsider"))), 20, "the refusal in the journal")
    lab.wait_for(lambda: events(DROPPED, **wanted, RAWNET_REASON="spoofed_source", RAWNET_SOURCE=OTHER), 20, "the drop in the journal")
    wanted = {"RAWNET_LEASE": f"rn{learning:x}", "RAWNET_NETWORK": "vlan100", "RAWNET_MAC": foreign, "RAWNET_UID": str(lab.uid_of("member"))}
    lab.wait_for(lambda: events(ADDRESS_REFUSED, **wanted), 20, "the refused address in the journal")
    assert "MACPrefix=" in events(ADDRESS_REFUSED, **wanted)[0]["MESSAGE"], events(ADDRESS_REFUSED, **wanted)
    for subject in (f"rn{number:x}", "journal", "vlan100"):
        rows = [json.loads(line) for line in debian.run("rawnetctl", "log", "--json", subject).splitlines()]
        found = [row["MESSAGE_ID"] for row in rows if row["RAWNET_LEASE" if "RAWNET_LEASE" in row else "RAWNET_NETWORK"] == f"rn{number:x}"]
        assert found == [OPENED, DROPPED, ENDED], (subject, rows)
    assert f"lease rn{number:x} (journal) opened" in debian.run("rawnetctl", "log", "--since", "-1h", "vlan100")
    assert debian.run("rawnetctl", "log", "--json", "--until", "-1h", "vlan100") == ""
    # A user's own words are not rawnetd's.
    debian.run("sh", "-c", f"printf 'MESSAGE=forged\nMESSAGE_ID={OPENED}\nRAWNET_NETWORK=vlan100\n' | logger --journald")
    assert "forged" not in debian.run("rawnetctl", "log", "vlan100")
    explained = debian.run("journalctl", "--no-pager", "--boot", "--catalog", f"MESSAGE_ID={OPENED}")
    assert "It lives until the last copy of its file descriptors is closed." in explained, explained[-1000:]
    explained = debian.run("journalctl", "--no-pager", "--boot", "--catalog", f"MESSAGE_ID={DROPPED}", f"RAWNET_LEASE=rn{number:x}")
    assert "reason: spoofed source" in explained and f"rawnetctl stat rn{number:x} shows how many" in explained, explained[-1000:]
    catalog = debian.run("journalctl", "--list-catalog")
    assert catalog.count(" rawnet: ") == 9, [line for line in catalog.splitlines() if "rawnet" in line]


def test_nothing_is_denied():
    """No line of the sandbox got in the way so far."""
    entries = debian.journal("_TRANSPORT=audit") + debian.journal("_TRANSPORT=kernel")
    denied = [entry["MESSAGE"] for entry in entries if "SECCOMP" in str(entry.get("MESSAGE")) and "rawnet" in entry["MESSAGE"]]
    assert not denied, denied
    told = [entry["MESSAGE"] for entry in debian.journal("--unit=rawnetd", "--unit=rawnet-helper", "--priority=warning")]
    if told:
        tap.diag("the daemons' warnings:\n" + "\n".join(str(line) for line in told))
    for unit in EXPOSURE:
        assert debian.show(unit, "NRestarts")["NRestarts"] == "0", unit


def spoofed(connection, lease):
    """The guard's counter, once both daemons answer again."""
    found = []

    def answered():
        with contextlib.suppress(bus.BusError):
            found.append(connection.statistics(lease.path)["guard_dropped_spoofed_source"])
        return found

    lab.wait_for(answered, 30, "the lease's counters")
    return found[-1]


def test_the_guard_s_counters_outlive_the_helper():
    """systemd keeps its maps over a restart and a crash, and not when the unit is stopped. The guard holds in any case."""
    with bus.connect("member") as member, member.open_tap("vlan100") as lease:
        for count, ends in enumerate((lambda: debian.run("systemctl", "restart", "rawnet-helper.service"),
                                      lambda: os.kill(debian.pid("rawnet-helper.service"), signal.SIGKILL)), 1):  # fmt: skip
            spoof(lease)
            assert spoofed(member, lease) == count
            ends()
            assert spoofed(member, lease) == count
        debian.run("systemctl", "stop", "rawnet-helper.service")
        assert spoofed(member, lease) == 0
        with frames.WirePort() as trunk:
            spoof(lease)
            honest = frames.marker(lease.info["mac"], "and I am myself")
            frames.Port(lease.fd, vnet_hdr=True).send(honest)
            assert not [frame for frame in trunk.before(honest[14:]) if b"I am another one" in frame]
        assert spoofed(member, lease) == 0
    lab.wait_no_leases()


if __name__ == "__main__":
    tap.main()
