# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses: given, derived, random, learned; allowed and in use."""

import contextlib

import bus
import frames
import lab
import processes
import shapes
import tap

SECONDS = 20


def mac_of(connection, network="lab", kind="tap", **options):
    with connection.open(kind, network, **options) as lease:
        return lease.info["mac"]


def uplink_macs(lease):
    """The address of the interface in the lease's namespace that is on the parent."""
    with lab.in_namespace(lease.fd):
        return {link["address"] for link in lab.ip("link") if "link_index" in link and link.get("linkinfo", {}).get("info_kind") in ("macvlan", "vlan")}


def test_given():
    with bus.connect("member") as connection:
        for kind in ("tap", "packet"):
            with connection.open(kind, "lab", mac="52:54:00:12:34:56") as lease:
                assert uplink_macs(lease) == {"52:54:00:12:34:56"} == {lease.info["mac"]}
            lab.wait_no_leases()


def test_derived_is_stable():
    with bus.connect("member") as one, bus.connect("member2") as two, lab.network("elsewhere"):
        first = mac_of(one, name="stable")
        lab.wait_no_leases()
        assert mac_of(one, name="stable") == first
        lab.wait_no_leases()
        lab.kill_service()
        lab.kill_helper()
        assert mac_of(one, name="stable") == first, "another process, another address"
        lab.wait_no_leases()
        assert mac_of(one, name="stable", kind="packet") == first, "of host, uid, network and name only"
        others = {mac_of(two, name="stable"), mac_of(one, name="other"), mac_of(one, "elsewhere", name="stable")}
        assert len(others) == 3 and first not in others, (first, others)
        assert all(mac.startswith("52:54:00:") for mac in others | {first})


def test_derived_keeps_to_the_prefix():
    with bus.connect("member") as connection:
        for prefix in ("02", "06:11", "aa:bb:cc"):
            with lab.network("prefixed", MACPrefix=prefix):
                derived, random = mac_of(connection, "prefixed", name="x"), mac_of(connection, "prefixed")
                assert derived.startswith(prefix) and random.startswith(prefix), (prefix, derived, random)
        with lab.network("prefixed", MACPrefix=""):
            for options in ({"name": "x"}, {}):
                first = int(mac_of(connection, "prefixed", **options)[:2], 16)
                assert first & 3 == 2, "not locally administered unicast"


def test_random_without_a_name():
    with bus.connect("member") as connection:
        found = {mac_of(connection) for _ in range(8)}
        assert len(found) == 8, found


def test_random_addresses_of_many_leases_differ():
    with bus.connect("member") as connection:
        leases = [connection.open_tap("lab") for _ in range(40)]
        assert len({lease.info["mac"] for lease in leases}) == 40
        for lease in leases:
            lease.close_fds()
        lab.wait_no_leases(30)


def test_in_use_is_refused():
    mac = "52:54:00:aa:00:01"
    networks = ["lab", "lab-private", "lab-vepa"]
    with bus.connect("member") as connection, bus.connect("member2") as other:
        for network in networks:
            with connection.open_tap(network, mac=mac):
                # Each waits its 2 s for the address: all at once.
                asked = [(who, again, kind, who.send_open(kind, again, mac=mac)) for kind in ("tap", "packet") for who, again in
                         ((connection, network), (other, network), (other, networks[0]), (other, networks[1]))]  # fmt: skip
                for who, again, kind, serial in asked:
                    text = bus.expect_error("AddressInUse", who.opened, kind, serial)
                    assert again in text and mac in text and "choose" in text, text
            lab.wait_no_leases()


def test_the_parents_own_address_is_in_use():
    with open("/sys/class/net/wire0/address", encoding="ascii") as file:
        before = file.read().strip()
    lab.subprocess.run("ip link set wire0 address 52:54:00:00:be:01", shell=True, check=True)
    try:
        with bus.connect("member") as connection:
            text = bus.expect_error("AddressInUse", connection.open_tap, "lab", mac="52:54:00:00:be:01")
            assert "lab" in text, text
            connection.open_tap("lab", mac="52:54:00:00:be:02").close_fds()
    finally:
        lab.wait_no_leases()
        lab.subprocess.run(f"ip link set wire0 address {before}", shell=True, check=True)


def test_same_mac_on_two_vlans():
    lab.need_vlan()
    with bus.connect("member") as connection, connection.open_tap("vlan100", mac="52:54:00:00:00:05"):
        with connection.open_tap("vlab.300", mac="52:54:00:00:00:05"), connection.open_tap("lab", mac="52:54:00:00:00:05"):
            bus.expect_error("AddressInUse", connection.open_tap, "vlan100", mac="52:54:00:00:00:05")


def test_same_mac_again_at_once():
    """The kernel releases it after a moment: the helper waits, and the caller does not notice."""
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for number in range(10):
            kind = ("tap", "packet")[number % 2]
            with bus.open_after_end(connection, kind, "lab", mac="52:54:00:00:00:06") as lease:
                shapes.port_of(lease).send(frames.marker(lease.info["mac"], f"again {number}"))
                wire.wait(f"again {number}".encode(), SECONDS)


def test_waiting_for_an_address_holds_nobody_up():
    with bus.connect("member") as connection, bus.connect("member2") as other, connection.open_tap("lab", mac="52:54:00:00:00:07"):
        serial = connection.send_open("tap", "lab", mac="52:54:00:00:00:07")
        start = lab.time.monotonic()
        other.open_tap("lab").close_fds()
        took = lab.time.monotonic() - start
        try:
            connection.opened("tap", serial)
            raise AssertionError("it was opened twice")
        except bus.BusError as error:
            assert error.name == bus.ERROR + "AddressInUse", error
        waited = lab.time.monotonic() - start
        tap.diag(f"another open took {took:.2f} s, the refusal {waited:.2f} s")
        assert waited > 1, "the helper did not wait for the address"
        assert took < waited, "the other waited with it"


# -- learn


def learn_frames(mac):
    return frames.ether(frames.BROADCAST, mac, frames.TEST, f"from {mac}".encode())


@contextlib.contextmanager
def learning(connection, network="lab", **options):
    with connection.open_tap(network, mac="learn", **options) as lease:
        assert lease.info["mac"] == "", lease.info
        assert connection.get_all(lease.path, bus.LEASE)["MAC"] == ""
        yield lease, shapes.port_of(lease)


def wait_mac(connection, lease, mac):
    while True:
        body = connection.wait_signal("PropertiesChanged", 20, path=lease.path)[1]
        changed = bus.plain(body[1])
        if "MAC" in changed or "MAC" in body[2]:
            break
    assert connection.get_all(lease.path, bus.LEASE)["MAC"] == mac
    return changed


def test_learn_the_first_frames_source():
    mac = "52:54:00:77:00:01"
    with bus.connect("member") as connection, frames.WirePort() as wire:
        connection.subscribe()
        with learning(connection) as (lease, port):
            wire.send(frames.ether(mac, shapes.FAR_MAC, frames.TEST, b"before"))
            wire.send(frames.marker(shapes.FAR_MAC, "before, to all"))
            port.send(learn_frames(mac))
            assert wait_mac(connection, lease, mac).get("MAC", mac) == mac
            port.send(learn_frames(mac))
            wire.wait(f"from {mac}".encode(), SECONDS)
            wire.send(frames.ether(mac, shapes.FAR_MAC, frames.TEST, b"after"))
            seen = port.before(b"after", SECONDS)
            assert not any(b"before" in frame for frame in seen), seen
            # From now on it is like any other: nothing of another source.
            port.send(frames.ether(frames.BROADCAST, "52:54:00:77:00:02", frames.TEST, b"spoofed"))
            port.send(frames.marker(mac, "marker after spoofed"))
            assert not any(b"spoofed" in frame and b"marker" not in frame for frame in wire.before(b"marker after", SECONDS))
            assert uplink_macs(lease) == {mac}


def test_learn_ignores_what_is_not_allowed():
    with bus.connect("member") as connection, frames.WirePort() as wire:
        connection.subscribe()
        with learning(connection) as (lease, port):
            for bad in ("02:00:00:00:00:01", "01:54:00:00:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "52:54:01:00:00:01"):
                port.send(learn_frames(bad))
            good = "52:54:00:77:00:03"
            port.send(learn_frames(good))
            wait_mac(connection, lease, good)
            port.send(frames.marker(good, "it lives"))
            seen = wire.before(b"it lives", SECONDS)
            assert not [frame for frame in seen if frame[12:14] == b"\x88\xb5" and good.encode() not in frame], seen


def test_learn_does_not_take_an_address_in_use():
    taken, free = "52:54:00:77:00:04", "52:54:00:77:00:05"
    with bus.connect("member") as connection, frames.WirePort() as wire, connection.open_tap("lab", mac=taken) as first:
        connection.subscribe()
        with learning(connection) as (lease, port):
            port.send(learn_frames(taken))
            shapes.port_of(first).send(frames.marker(taken, "the owner"))
            seen = wire.before(b"the owner", SECONDS)
            assert not any(b"from" in frame for frame in seen)

            def learned():
                port.send(learn_frames(free))
                return connection.get_all(lease.path, bus.LEASE)["MAC"] == free

            lab.wait_for(learned, 20, "the free address")
            port.send(frames.marker(free, "now it is mine"))
            wire.wait(b"now it is mine", SECONDS)
            wire.send(frames.ether(taken, shapes.FAR_MAC, frames.TEST, b"for the owner"))
            shapes.port_of(first).wait(b"for the owner", SECONDS)


def test_learning_child_ends_with_the_port():
    with bus.connect("member") as connection:
        with learning(connection):
            lab.wait_for(lambda: len(processes.learners()) == 1, 10, "the learning child")
        lab.wait_for(lambda: not processes.learners(), 10, "the child's end")
        with learning(connection) as (lease, _):
            lab.wait_for(processes.learners, 10, "the learning child")
            connection.close_lease(lease.path)
            lab.wait_for(lambda: not processes.learners(), 10, "the child's end")
        connection.subscribe()
        with learning(connection) as (lease, port):
            port.send(learn_frames("52:54:00:77:00:06"))
            wait_mac(connection, lease, "52:54:00:77:00:06")
            lab.wait_for(lambda: not processes.learners(), 10, "the child's end")


def test_learning_outlives_the_daemons():
    mac = "52:54:00:77:00:07"
    with bus.connect("member") as connection, frames.WirePort() as wire:
        with learning(connection) as (lease, port):
            lab.kill_helper()
            lab.kill_service()
            port.send(learn_frames(mac))

            def passes():
                port.send(frames.marker(mac, "without the daemons"))
                with contextlib.suppress(AssertionError):
                    return wire.wait(b"without the daemons", 0.2)

            lab.wait_for(passes, 20, "a frame of the learned address")
            # The child writes it down after it has opened the guard.
            lab.wait_for(lambda: connection.leases()[lease.path]["MAC"] == mac, 20, "the learned address")


def test_learned_while_the_service_is_away_is_seen_by_the_next():
    mac = "52:54:00:77:00:08"
    with bus.connect("member") as connection:
        with learning(connection) as (lease, port):
            lab.kill_service()
            port.send(learn_frames(mac))
            lab.wait_for(lambda: connection.leases()[lease.path]["MAC"] == mac, 20, "the learned address")


def test_learn_with_several_queues():
    mac = "52:54:00:77:00:09"
    with bus.connect("member") as connection, frames.WirePort() as wire:
        connection.subscribe()
        with learning(connection, queues=3) as (lease, _):
            shapes.port_of(lease, 2).send(learn_frames(mac))
            wait_mac(connection, lease, mac)
            for number in range(3):
                shapes.port_of(lease, number).send(frames.marker(mac, f"queue {number}"))
                wire.wait(f"queue {number}".encode(), SECONDS)


def test_quiet_learner_is_silent_on_the_wire():
    with bus.connect("member") as connection, frames.WirePort() as wire:
        with learning(connection) as (lease, _):
            with connection.open_tap("lab") as other:
                wire.send(frames.arp(1, shapes.FAR_MAC, "10.77.0.9", "10.77.0.77"))
                shapes.port_of(other).send(frames.marker(other.info["mac"], "the other"))
                seen = wire.before(b"the other", SECONDS)
            assert lease.id in lab.lease_ids()
        known = {frames.mac_bytes(other.info["mac"])}
        ours = [frame for frame in seen if frame[6:9] == b"\x52\x54\x00" and frame[6:12] not in known]
        assert not ours, ours


if __name__ == "__main__":
    tap.main()
