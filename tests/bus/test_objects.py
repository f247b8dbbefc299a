# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be seen on the bus: objects, properties, signals and their order, the contract's XML, busctl."""

import contextlib
import json
import os
import time
import xml.etree.ElementTree as ElementTree

from jeepney import HeaderFields

import bus
import frames
import lab
import tap

LEASE_PROPERTIES = {"Id", "Network", "Kind", "Owner", "MAC", "RefusedMAC", "RefusedReason", "MTU", "Queues", "VLAN", "Parent", "Interface", "Name", "Since",
                    "State"}  # fmt: skip
NETWORK_PROPERTIES = {"Name", "Description", "Parent", "VLANs", "Protocol", "Mode", "Kinds", "AntiSpoof",
                      "AddressLock", "GuestServers", "MACPrefix", "MACChoice", "Rate", "MTU", "MaxLeases", "HostInterface", "Error", "Leases"}  # fmt: skip
STATISTICS = ["rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped",
              "multicast", "collisions", "rx_length_errors", "rx_over_errors", "rx_crc_errors", "rx_frame_errors",
              "rx_fifo_errors", "rx_missed_errors", "tx_aborted_errors", "tx_carrier_errors", "tx_fifo_errors",
              "tx_heartbeat_errors", "tx_window_errors", "rx_compressed", "tx_compressed", "rx_nohandler",
              *(f"guard_dropped_{reason}" for reason in (
                  "spoofed_source", "vlan_tag", "control_frame", "server", "not_judged", "too_long",
                  "wire_vlan_tag", "wire_own_source", "wire_too_long", "foreign_address"))]  # fmt: skip


@contextlib.contextmanager
def listener(user="outsider"):
    """A connection that hears rawnetd's signals, of somebody who may do nothing else."""
    with bus.connect(user) as connection:
        connection.subscribe()
        connection.objects()  # rawnetd runs
        yield connection


def next_signals(connection, count, seconds=10):
    """The next signals in their order: [(member, path, body)]."""
    deadline = time.monotonic() + seconds
    while len(connection.signals) < count:
        connection._receive(max(0, deadline - time.monotonic()))  # pylint: disable=protected-access
    found = [connection.signals.popleft() for _ in range(count)]
    return [(m.header.fields[HeaderFields.member], m.header.fields[HeaderFields.path], m.body) for m in found]


# -- leases


def test_lease_object():
    with bus.connect("member") as connection, bus.connect("outsider") as other:
        before = time.time()
        for kind in ("tap", "packet"):
            with connection.open(kind, "lab", name=f"a {kind}") as lease:
                objects = other.objects()
                properties = objects[lease.path][bus.LEASE]
                assert set(properties) == LEASE_PROPERTIES, properties
                since = properties.pop("Since") / 1e6
                assert before - 1 <= since <= time.time() + 1, since
                assert properties == {"Id": lease.id, "Network": "lab", "Kind": kind, "Owner": lab.uid_of("member"),
                                      "MAC": lease.info["mac"], "RefusedMAC": "", "RefusedReason": "", "MTU": 1500, "Queues": 1, "VLAN": 0, "Parent": "wire0",
                                      "Interface": lease.info["interface"], "Name": f"a {kind}", "State": "open"}, properties  # fmt: skip
                assert other.get_all(lease.path, bus.LEASE).keys() == LEASE_PROPERTIES
                assert other.call(lease.path, bus.PROPERTIES, "Get", "ss", (bus.LEASE, "Kind"))[0] == ("s", kind)
        lab.wait_for(lambda: not other.leases(), 10, "the objects' end")


def test_properties_are_read_only():
    with bus.connect() as root, root.open_tap("lab") as lease:
        for path, interface, name, value in ((lease.path, bus.LEASE, "Owner", ("u", 0)), (lease.path, bus.LEASE, "MAC", ("s", "x")),
                                             ("/org/rawnet1/network/lab", bus.NETWORK, "Parent", ("s", "eth0")),
                                             (bus.ROOT, bus.MANAGER, "Version", ("s", "x"))):  # fmt: skip
            text = bus.expect_error(bus.DBUS_ERROR + "PropertyReadOnly", root.call, path, bus.PROPERTIES, "Set", "ssv",
                                    (interface, name, value))  # fmt: skip
            assert text


def test_manager():
    with bus.connect("outsider") as connection:
        manager = connection.get_all(bus.ROOT, bus.MANAGER)
        assert set(manager) == {"Version", "Features"} and manager["Version"], manager
        assert ("vlan" in manager["Features"]) == lab.has_vlan(), manager
        assert ("vhost-net" in manager["Features"]) == os.path.exists("/dev/vhost-net"), manager
        assert "nft-egress" in manager["Features"] and "user-namespace" in manager["Features"], manager


def test_added_before_the_reply_and_ended_before_removed():
    with bus.connect("member") as connection:
        connection.subscribe()
        for kind in ("tap", "packet"):
            lease = connection.open(kind, "lab")
            # The reply has been read from the same connection: what rawnetd sent before it is there already.
            assert [m.header.fields[HeaderFields.member] for m in connection.signals] == ["InterfacesAdded"], connection.signals
            member, path, body = next_signals(connection, 1)[0]
            assert path == bus.ROOT and body[0] == lease.path and set(body[1]) >= {bus.LEASE}, body
            assert bus.plain(body[1][bus.LEASE])["Id"] == lease.id, body
            lease.close_fds()
            ended, removed = next_signals(connection, 2)
            assert ended == ("Ended", lease.path, ("last-fd",)), ended
            assert removed[0] == "InterfacesRemoved" and removed[1] == bus.ROOT, removed
            assert removed[2] == (lease.path, [bus.LEASE]), removed


def test_end_is_seen_soon():
    """Within 100 ms on an idle machine: said, not asserted, since this machine may be busy."""
    with bus.connect("member") as connection:
        connection.subscribe()
        for kind in ("tap", "packet"):
            times = []
            for _ in range(10):
                lease = connection.open(kind, "lab")
                start = time.monotonic()
                lease.close_fds()
                connection.wait_signal("Ended", path=lease.path)
                times.append((time.monotonic() - start) * 1000)
            times.sort()
            tap.diag(f"{kind}: Ended after the last close: median {times[5]:.1f} ms, worst {times[-1]:.1f} ms")


def test_closed_by_its_owner():
    with bus.connect("member") as connection:
        connection.subscribe()
        lease = connection.open_tap("lab")
        port = frames.Port(lease.fd, True)
        with frames.WirePort() as wire:
            port.send(frames.marker(lease.info["mac"], "alive"))
            wire.wait(b"alive")
            connection.close_lease(lease.path)
            assert connection.wait_signal("Ended", path=lease.path)[1] == ("closed",)
            try:
                port.send(frames.marker(lease.info["mac"], "dead"))
            except OSError:
                pass
            wire.send(frames.marker("02:00:00:00:00:01", "flush"))
            with connection.open_tap("lab") as other:
                frames.Port(other.fd, True).send(frames.marker(other.info["mac"], "other"))
                seen = wire.before(b"other")
            assert not any(b"dead" in frame for frame in seen), seen
        # Held, it counts and is seen, and nothing more can be done with it.
        assert lease.path in connection.leases()
        text = bus.expect_error("NoSuchLease", connection.close_lease, lease.path)
        assert "lab" in text, text
        bus.expect_error("NoSuchLease", connection.statistics, lease.path)
        lease.close_fds()
        while connection.wait_signal("InterfacesRemoved")[1][0] != lease.path:
            pass
        again = [m for m in connection.signals if m.header.fields[HeaderFields.member] == "Ended"
                 and m.header.fields[HeaderFields.path] == lease.path]  # fmt: skip
        assert not again, "Ended twice"


def test_close_another_users_lease():
    with bus.connect("member") as owner, bus.connect("member2") as other, bus.connect() as root, owner.open_packet("lab") as lease:
        owner.subscribe()
        name = bus.DBUS_ERROR + "InteractiveAuthorizationRequired"
        text = bus.expect_error(name, other.close_lease, lease.path)
        assert f"rn{lease.id:x}" in text and "password" in text, text
        with lab.polkit_rule('polkit.addRule(function (action) { if (action.id == "org.rawnet1.close-others") return "no"; });'):
            bus.expect_error(bus.DBUS_ERROR + "AccessDenied", other.close_lease, lease.path)
        # What it received is the neighbour's affair, whose advertisements go to all; sent it has nothing.
        assert owner.statistics(lease.path)["tx_packets"] == 0, "it lives"
        root.close_lease(lease.path)
        assert owner.wait_signal("Ended", path=lease.path)[1] == ("revoked",)


def test_close_with_a_rule_that_says_yes():
    rule = """polkit.addRule(function (action, subject) {
        if (action.id == "org.rawnet1.close-others" && action.lookup("network") == "lab" && subject.user == "member2" &&
            action.lookup("owner") == "%d") return polkit.Result.YES; });""" % lab.uid_of("member")
    with bus.connect("member") as owner, bus.connect("member2") as other, lab.polkit_rule(rule):
        owner.subscribe()
        with owner.open_tap("lab") as lease, owner.open_tap("lab-private") as private:
            other.close_lease(lease.path)
            assert owner.wait_signal("Ended", path=lease.path)[1] == ("revoked",)
            bus.expect_error(bus.DBUS_ERROR + "InteractiveAuthorizationRequired", other.close_lease, private.path)


def test_no_such_lease():
    with bus.connect("member") as connection:
        for identity in (65536, 0x7FFFFFFF, 1, 0, "x"):
            path = f"/org/rawnet1/lease/{identity}"
            text = bus.expect_error("NoSuchLease", connection.close_lease, path)
            shown = f"rn{identity:x}" if isinstance(identity, int) and identity >= lab.LEASE_ID_MIN else str(identity)
            assert f"lease {shown};" in text and "rawnetctl list" in text, text
            bus.expect_error("NoSuchLease", connection.statistics, path)
        with connection.open_tap("lab") as lease:
            pass
        lab.wait_for(lambda: not connection.leases(), 10, "the object's end")
        bus.expect_error("NoSuchLease", connection.close_lease, lease.path)


def test_link_gone():
    lab.subprocess.run(["ip", "link", "add", "parent0", "type", "veth", "peer", "name", "parent1"], check=True)
    lab.subprocess.run("ip link set parent0 up; ip link set parent1 up", shell=True, check=True)
    with lab.network("short-lived", Parent="parent0"), bus.connect("member") as connection:
        connection.subscribe()
        leases = [connection.open(kind, "short-lived") for kind in ("tap", "packet")]
        with connection.open_tap("lab") as stays:
            lab.subprocess.run(["ip", "link", "del", "parent0"], check=True)
            for lease in leases:
                assert connection.wait_signal("Ended", path=lease.path)[1] == ("link-gone",)
            assert set(connection.leases()) == {stays.path, *[lease.path for lease in leases]}
            for lease in leases:
                lease.close_fds()
            lab.wait_for(lambda: set(connection.leases()) == {stays.path}, 10, "the ended leases' removal")
            assert connection.statistics(stays.path)


def test_statistics_are_the_guests():
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for kind in ("tap", "packet"):
            with connection.open(kind, "lab") as lease:
                port = frames.Port(lease.fd, lease.info["vnet-hdr"])
                wire.send(frames.ether(lease.info["mac"], "02:00:00:00:00:01", frames.TEST, b"the first"))
                port.wait(b"the first")
                first = connection.statistics(lease.path)
                assert sorted(first) == sorted(STATISTICS), first
                for number in range(5):
                    port.send(frames.marker(lease.info["mac"], f"out{number}"))
                wire.wait(b"out4")
                for number in range(3):
                    wire.send(frames.ether(lease.info["mac"], "02:00:00:00:00:01", frames.TEST, f"in{number}".encode() * 20))
                came = [*port.before(b"in2"), port.last]
                after = connection.statistics(lease.path)
                # The neighbour's advertisements come when they like.
                came += iter(lambda: port.receive(0), None)  # pylint: disable=cell-var-from-loop
                others = [frame for frame in came if frame[6:12] != frames.mac_bytes("02:00:00:00:00:01")]
                change = {key: after[key] - first[key] for key in ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes")}
                assert (change["tx_packets"], change["tx_bytes"]) == (5, 5 * 60), (kind, change)
                assert 0 <= change["rx_packets"] - 3 <= len(others), (kind, change, others)
                assert 0 <= change["rx_bytes"] - 3 * 74 <= sum(map(len, others)), (kind, change, others)


def test_many_leases_are_listed():
    with bus.connect("member") as connection, bus.connect("outsider") as other:
        leases = [connection.open_tap("lab", name=f"n{number}") for number in range(30)]
        listed = other.leases()
        assert {path: properties["Name"] for path, properties in listed.items()} == {
            lease.path: f"n{number}" for number, lease in enumerate(leases)}  # fmt: skip
        assert other.networks()["lab"]["Leases"] == 30 and other.networks()["lab-private"]["Leases"] == 0
        for lease in leases:
            lease.close_fds()
        lab.wait_for(lambda: not other.leases(), 20, "the end of 30 leases")


# -- networks


def network_path(name):
    """As sd_bus_path_encode(3)."""
    text = "".join(c if c.isalnum() and not (i == 0 and c.isdigit()) else f"_{ord(c):02x}" for i, c in enumerate(name))
    return f"/org/rawnet1/network/{text}"


def test_network_object():
    with lab.network("full-1", Description="Everything is set: grüße", Mode="vepa", Kinds="packet tap",
                     AntiSpoof="no", ControlFrames="pass", GuestServers="ra dhcp", MTU="1400", MACPrefix="02:AB", MaxLeases="7", MaxLeasesPerUser="3"), \
            bus.connect("outsider") as connection:  # fmt: skip
        lab.wait_for(lambda: "full-1" in connection.networks(), 10, "the new network")
        properties = connection.get_all(network_path("full-1"), bus.NETWORK)
        assert set(properties) == NETWORK_PROPERTIES, properties
        assert properties == {"Name": "full-1", "Description": "Everything is set: grüße", "Parent": "wire0", "VLANs": (0, 0),
                              "Protocol": "802.1Q", "Mode": "vepa", "Kinds": ["tap", "packet"],
                              "AntiSpoof": False, "AddressLock": "off", "GuestServers": ["dhcp", "ra"], "MACPrefix": "02:ab", "MACChoice": "any", "Rate": 0, "MTU": 1400, "MaxLeases": 7, "HostInterface": "", "Error": "", "Leases": 0}, properties  # fmt: skip


def test_networks_of_the_lab():
    with bus.connect("outsider") as connection:
        names = {"lab", "lab-private", "lab-vepa"} | ({"vlan100", "vlan200", "vlab"} if lab.has_vlan() else set())
        lab.wait_for(lambda: set(connection.networks()) == names, 10, "the lab's own networks alone")
        found = {path: value[bus.NETWORK]["Name"] for path, value in connection.objects().items() if bus.NETWORK in value}
        assert found == {network_path(name): name for name in names}, found
        assert not [value for value in connection.networks().values() if value["Error"]]
        if lab.has_vlan():
            assert connection.networks()["vlab"]["VLANs"] == (300, 399)


def wait_object(connection, member, path):
    """InterfacesAdded or InterfacesRemoved of that object: its body. Others are dropped."""
    while True:
        body = connection.wait_signal(member)[1]
        if body[0] == path:
            return body


def test_networks_follow_the_files():
    with listener() as connection:
        path = network_path("comes")
        with lab.network("comes", Mode="bridge"):
            added = wait_object(connection, "InterfacesAdded", path)
            assert bus.plain(added[1][bus.NETWORK])["Mode"] == "bridge", added
            with lab.network("other"):
                wait_object(connection, "InterfacesAdded", network_path("other"))
            assert wait_object(connection, "InterfacesRemoved", network_path("other"))[1] == [bus.NETWORK]
            # Changed, in the same file and by a new one in its place.
            with open(f"{lab.NETWORKS_DIR}/comes.conf", "a", encoding="utf-8") as file:
                file.write("Description=Changed in place\n")
            changed = connection.wait_signal("PropertiesChanged", path=path)[1]
            assert changed[0] == bus.NETWORK and set(bus.plain(changed[1])) | set(changed[2]) == {"Description"}, changed
            with lab.network("comes", Mode="private", MTU="1300", GuestServers="ra", MACChoice="derived"):
                changed = connection.wait_signal("PropertiesChanged", path=path)[1]
                assert {"Mode", "MTU", "GuestServers", "MACChoice"} <= set(bus.plain(changed[1])) | set(changed[2]), changed
                assert connection.networks()["comes"]["Mode"] == "private"
        assert wait_object(connection, "InterfacesRemoved", path)[1] == [bus.NETWORK]
        assert "comes" not in connection.networks()


def test_bad_file_shows_its_error_and_mends():
    with listener() as connection:
        path = network_path("bad")
        with lab.network("bad", "[Network]\nParent=wire0\nVLAN=4095\n"):
            wait_object(connection, "InterfacesAdded", path)
            error = connection.networks()["bad"]["Error"]
            assert "/etc/rawnet/networks/bad.conf:3" in error and "VLAN" in error, error
            with lab.network("bad"):
                changed = connection.wait_signal("PropertiesChanged", path=path)[1]
                assert "Error" in set(bus.plain(changed[1])) | set(changed[2]), changed
                assert connection.networks()["bad"]["Error"] == ""
        wait_object(connection, "InterfacesRemoved", path)


def test_live_leases_stay_when_their_file_turns_bad():
    with bus.connect("member") as connection, lab.network("turns"), frames.WirePort() as wire:
        lab.wait_for(lambda: "turns" in connection.networks(), 10, "the new network")
        connection.subscribe()
        with connection.open_tap("turns") as lease:
            with lab.network("turns", "[Network]\nnonsense\n"):
                connection.wait_signal("PropertiesChanged", path=network_path("turns"))
                bus.expect_error("BadNetworkFile", connection.open_tap, "turns")
                frames.Port(lease.fd, True).send(frames.marker(lease.info["mac"], "still here"))
                wire.wait(b"still here")
                assert lease.path in connection.leases()


def test_masked_and_overridden():
    lower = "/run/rawnet/networks"
    os.makedirs(lower, exist_ok=True)
    with listener() as connection:
        with open(f"{lower}/layered.conf", "w", encoding="utf-8") as file:
            file.write("[Network]\nParent=wire0\nVLAN=none\nDescription=below\n")
        try:
            lab.wait_for(lambda: "layered" in connection.networks(), 10, "a network of /run")
            with lab.network("layered", Description="above"):
                lab.wait_for(lambda: connection.networks()["layered"]["Description"] == "above", 10, "the overriding file")
            lab.wait_for(lambda: connection.networks()["layered"]["Description"] == "below", 10, "the file of /run")
            with lab.network("layered", ""):
                lab.wait_for(lambda: "layered" not in connection.networks(), 10, "the mask")
                with bus.connect("member") as member:
                    text = bus.expect_error("NoSuchNetwork", member.open_tap, "layered")
                    assert "disables (masks)" in text and "/etc/rawnet/networks/layered.conf" in text, text
            lab.wait_for(lambda: "layered" in connection.networks(), 10, "the network without mask")
            os.symlink("/dev/null", f"{lab.NETWORKS_DIR}/layered.conf")
            lab.wait_for(lambda: "layered" not in connection.networks(), 10, "the mask by /dev/null")
            os.unlink(f"{lab.NETWORKS_DIR}/layered.conf")
        finally:
            os.unlink(f"{lower}/layered.conf")
        lab.wait_for(lambda: "layered" not in connection.networks(), 10, "the network's end")


def test_directory_goes_and_comes():
    with listener() as connection:
        os.rename(lab.NETWORKS_DIR, lab.NETWORKS_DIR + ".away")
        try:
            lab.wait_for(lambda: not connection.networks(), 10, "the end of all networks")
        finally:
            os.rename(lab.NETWORKS_DIR + ".away", lab.NETWORKS_DIR)
        lab.wait_for(lambda: "lab" in connection.networks(), 10, "the networks' return")
        with lab.network("after"):
            lab.wait_for(lambda: "after" in connection.networks(), 10, "the new network")


# -- the contract's XML


def described(root):
    """{interface: {member: what it is}} of an introspection document."""
    found = {}
    for interface in root.iter("interface"):
        members = {}
        for member in interface:
            arguments = [(a.get("name"), a.get("type"), a.get("direction", "in" if member.tag == "method" else "out"))
                         for a in member.findall("arg")]  # fmt: skip
            emits = [a.get("value") for a in member.findall("annotation") if a.get("name").endswith("EmitsChangedSignal")]
            privileged = [a.get("value") for a in member.findall("annotation") if "systemd1.Privileged" in a.get("name", "")]
            if member.tag in ("method", "signal", "property"):
                members[f"{member.tag} {member.get('name')}"] = (arguments, member.get("type"), member.get("access"), emits or ["true"], privileged)
        found[interface.get("name")] = members
    return found


def test_the_xml_is_what_the_service_says():
    with open(f"{lab.SOURCE}/dbus/org.rawnet1.xml", "rb") as file:
        contract = described(ElementTree.fromstring(file.read()))
    live = {}
    with bus.connect("member") as connection, connection.open_tap("lab") as lease:
        for path in (bus.ROOT, "/org/rawnet1/network/lab", lease.path):
            text = connection.call(path, "org.freedesktop.DBus.Introspectable", "Introspect")[0]
            live |= {name: members for name, members in described(ElementTree.fromstring(text)).items() if name.startswith("org.rawnet1")}
    assert set(contract) == set(live) == {bus.MANAGER, bus.NETWORK, bus.LEASE}
    for name, members in contract.items():
        assert members == live[name], {key: (members.get(key), live[name].get(key)) for key in set(members) | set(live[name])
                                       if members.get(key) != live[name].get(key)}  # fmt: skip


def test_object_manager_is_where_it_should_be():
    with bus.connect("outsider") as connection:
        text = connection.call(bus.ROOT, "org.freedesktop.DBus.Introspectable", "Introspect")[0]
        assert "org.freedesktop.DBus.ObjectManager" in text
        assert bus.ROOT not in connection.objects(), "the manager's own path is not one of its objects"


# -- busctl, as a user


def busctl(*words, user="member", check=True):
    return lab.run_as(user, ["busctl", "--system", *words], check=check).stdout


def test_busctl():
    with bus.connect("member") as connection, connection.open_tap("lab", name="seen by busctl") as lease:
        tree = busctl("tree", "--list", bus.NAME, user="outsider").split()
        assert {bus.ROOT, lease.path, network_path("lab"), network_path("lab-private")} <= set(tree), tree
        for path, words in ((bus.ROOT, (".OpenTap", ".CanOpen", ".Features")), (lease.path, (".Close", ".Ended", ".Since")),
                            (network_path("lab"), (".VLANs", ".Error"))):  # fmt: skip
            text = busctl("introspect", bus.NAME, path, user="outsider")
            assert all(word in text for word in words), text
        assert busctl("get-property", bus.NAME, lease.path, bus.LEASE, "Name", "Kind") == 's "seen by busctl"\ns "tap"\n'
        assert busctl("call", bus.NAME, bus.ROOT, bus.MANAGER, "CanOpen", "ss", "lab", "tap") == 's "yes"\n'
        assert busctl("call", bus.NAME, bus.ROOT, bus.MANAGER, "CanOpen", "ss", "lab", "tap", user="outsider") == 's "challenge"\n'
        statistics = json.loads(busctl("--json=short", "call", bus.NAME, lease.path, bus.LEASE, "GetStatistics"))
        assert set(statistics["data"][0]) == set(STATISTICS), statistics
        opened = busctl("call", bus.NAME, bus.ROOT, bus.MANAGER, "OpenPacket", "sa{sv}", "lab", "1", "name", "s", "by busctl")
        assert opened.startswith("ahoa{sv} 1 ") and '"by busctl"' not in opened, opened
        failed = lab.run_as("outsider", ["busctl", "--system", "call", bus.NAME, bus.ROOT, bus.MANAGER, "OpenTap", "sa{sv}", "lab", "0"])
        assert failed.returncode == 1 and "lab" in failed.stderr, failed
        busctl("call", bus.NAME, lease.path, bus.LEASE, "Close")
        bus.expect_error("NoSuchLease", connection.close_lease, lease.path)


def test_busctl_monitor_of_signals_needs_no_call_to_rawnetd():
    """A listener that never calls hears the signals of a rawnetd that somebody else started."""
    with bus.connect("outsider") as silent, bus.connect("member") as connection:
        silent.subscribe()
        lease = connection.open_tap("lab")
        assert silent.wait_signal("InterfacesAdded")[1][0] == lease.path
        lease.close_fds()
        assert silent.wait_signal("Ended")[0] == lease.path


def test_unknown_members():
    with bus.connect("member") as connection:
        bus.expect_error(bus.DBUS_ERROR + "UnknownMethod", connection.call, bus.ROOT, bus.MANAGER, "Nothing")
        bus.expect_error(bus.DBUS_ERROR + "InvalidArgs", connection.call, bus.ROOT, bus.MANAGER, "CanOpen", "s", ("lab",))
        assert connection.can_open("lab", "tap") == "yes"


if __name__ == "__main__":
    tap.main()
