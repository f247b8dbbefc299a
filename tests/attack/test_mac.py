# SPDX-License-Identifier: GPL-2.0-or-later
"""MAC addresses that are another's: derived for another user, used by the host, outside of what the network file allows."""

import contextlib
import os
import stat

import attacker
import bus
import frames
import lab
import tap

CHALLENGE = bus.DBUS_ERROR + "InteractiveAuthorizationRequired"
INVALID = bus.DBUS_ERROR + "InvalidArgs"
ALLOW = """polkit.addRule(function (action, subject) {
        if (action.id === "org.rawnet1.open-tap" && action.lookup("mac-class") === "reserved" && subject.user === "member2")
                return polkit.Result.YES;
        return polkit.Result.NOT_HANDLED;
});
"""


def derived(connection, network="lab", name="mine"):
    """The address of this name, and its lease's end."""
    with connection.open_tap(network, name=name) as lease:
        mac = lease.info["mac"]
    lab.wait_no_leases()
    return mac


def frame_of(mac):
    return frames.ether(frames.BROADCAST, mac, frames.TEST, f"from {mac}".encode())


def learn(connection, mac, *before, network="lab", **options):
    """A lease that learns mac, and nothing from the frames with the addresses before it: what it learned."""
    with connection.open_tap(network, mac="learn", **options) as lease:
        port = frames.Port(lease.fd, lease.info["vnet-hdr"])
        for address in (*before, mac):
            port.send(frame_of(address))
        learned = lab.wait_for(lambda: connection.get_all(lease.path, bus.LEASE)["MAC"], 20, "a learned address")
    lab.wait_no_leases()
    return learned


def test_anothers_derived_address_is_refused():
    with bus.connect("member") as owner, bus.connect("member2") as other:
        mac = derived(owner)
        before = len(lab.asked_since(0))
        text = bus.expect_error(CHALLENGE, other.open_tap, "lab", mac=mac)
        assert mac in text and "reserved" in text and "group" not in text, text
        question = lab.asked_since(before)[-1]
        assert question["user"] == "member2" and question["mac"] == mac and question["mac-class"] == "reserved", question
        bus.expect_error(CHALLENGE, other.open_packet, "lab", mac=mac)
        # Nor under a name of his, which gives him another.
        bus.expect_error(CHALLENGE, other.open_tap, "lab", mac=mac, name="mine")
        # Nor by its owner under another name.
        bus.expect_error(CHALLENGE, owner.open_tap, "lab", mac=mac)
        bus.expect_error(CHALLENGE, owner.open_tap, "lab", mac=mac, name="other")
        assert derived(owner) == mac
        before = len(lab.questions())
        with owner.open_tap("lab", mac=mac, name="mine") as lease:
            assert lease.info["mac"] == mac
            assert lab.asked_since(before)[-1]["mac-class"] == "derived", lab.questions()[-1]


def test_anothers_derived_address_is_not_learned():
    free = "52:54:00:77:02:01"
    with bus.connect("member") as owner, bus.connect("member2") as other:
        mac = derived(owner)
        assert learn(other, free, mac) == free
        assert learn(other, free, mac, name="mine") == free
        # The owner may, under the name that it belongs to.
        assert learn(owner, mac, name="mine") == mac


def test_another_network_of_the_same_wire_is_no_way_around():
    free = "02:00:00:77:02:02"
    with lab.network("wide", MACPrefix=""), lab.network("elsewhere", Parent="wire1"), bus.connect("member") as owner, \
            bus.connect("member2") as other:  # fmt: skip
        mac = derived(owner)
        lab.wait_for(lambda: {"wide", "elsewhere"} <= set(other.networks()), 10, "the networks")
        text = bus.expect_error(CHALLENGE, other.open_tap, "wide", mac=mac)
        assert "reserved" in text, text
        assert learn(other, free, mac, network="wide") == free


def test_a_rule_may_allow_it():
    with bus.connect("member") as owner, bus.connect("member2") as other:
        mac = derived(owner)
        with lab.polkit_rule(ALLOW):
            with other.open_tap("lab", mac=mac) as lease:
                assert lease.info["mac"] == mac
            lab.wait_no_leases()
        bus.expect_error(CHALLENGE, other.open_tap, "lab", mac=mac)


def test_the_key_is_a_secret():
    """Whoever knew it could look for a name that gives another user's address."""
    path = "/var/lib/rawnet/mac-key"
    with bus.connect("member") as connection:
        before = derived(connection)
        status = os.stat(path)
        assert stat.S_IMODE(status.st_mode) == 0o600 and status.st_uid == lab.uid_of("_rawnet"), status
        assert attacker.as_user("member", attacker.attempt, open, path, "rb")
        os.unlink(path)
        lab.kill_service()
        after = derived(connection)
        assert after != before, "the address does not depend on the key"
        lab.kill_service()
        assert derived(connection) == after


@contextlib.contextmanager
def host_interface(mac):
    """An interface of the host's own, joined to nothing."""
    lab.subprocess.run(["ip", "link", "add", "own0", "address", mac, "type", "veth", "peer", "name", "own1"], check=True)
    try:
        yield
    finally:
        lab.subprocess.run(["ip", "link", "del", "own0"], check=True)


def test_the_hosts_own_addresses_are_refused():
    mac, free = "52:54:00:77:03:01", "52:54:00:77:03:02"
    with bus.connect("member") as connection, host_interface(mac):
        for kind in ("tap", "packet"):
            text = bus.expect_error("AddressInUse", connection.open, kind, "lab", mac=mac)
            assert "own0" in text and mac in text and "lab" in text, text
        assert learn(connection, free, mac) == free
    with bus.connect("member") as connection, connection.open_tap("lab", mac=mac) as lease:
        assert lease.info["mac"] == mac


def test_prefixes_of_other_hypervisors():
    """What the administrator has written out is allowed; where rawnet chooses it stays with locally administered addresses."""
    foreign = ("bc:24:11:00:00:01", "00:0c:29:00:00:01", "08:00:27:12:34:56", "50:01:00:00:00:01")
    with bus.connect("member") as connection:
        for mac in foreign:
            text = bus.expect_error(INVALID, connection.open_tap, "lab", mac=mac)
            assert "MACPrefix=" in text and "/etc/rawnet/networks/lab.conf" in text and mac[:8] in text, text
        with lab.network("foreign", MACPrefix="bc:24:11 00:0c:29 08:00:27:12:34:56 50:01:00 52:54:00"):
            for mac in foreign:
                with connection.open_tap("foreign", mac=mac) as lease:
                    assert lease.info["mac"] == mac
                lab.wait_no_leases()
                assert learn(connection, mac, "00:16:3e:00:00:01", network="foreign") == mac
            bus.expect_error(INVALID, connection.open_tap, "foreign", mac="08:00:27:12:34:57")
            for options in ({}, {"name": "x"}):
                with connection.open_tap("foreign", **options) as lease:
                    assert lease.info["mac"].startswith("52:54:00:"), lease.info
            lab.wait_no_leases()
        for prefixes in ("bc:24:11", "52:54:00:12:34", "bc:24:11 52:54:00:12:34:56"):
            with lab.network("narrow", MACPrefix=prefixes):
                for options in ({}, {"name": "x"}):
                    text = bus.expect_error(INVALID, connection.open_tap, "narrow", **options)
                    assert "MACPrefix=" in text and "/etc/rawnet/networks/narrow.conf" in text and "locally administered" in text, text
                mac = prefixes.split()[0] + ":00:00:00:01"[-(17 - len(prefixes.split()[0])):]
                with connection.open_tap("narrow", mac=mac) as lease:
                    assert lease.info["mac"] == mac
                lab.wait_no_leases()


if __name__ == "__main__":
    tap.main()
