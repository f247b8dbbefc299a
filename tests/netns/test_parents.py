# SPDX-License-Identifier: GPL-2.0-or-later
"""Parents that are missing, down, taken or unfit, and what becomes of leases when theirs goes down, up or away.

An 802.11 station is played in test_refusals.py."""

import contextlib
import errno
import fcntl
import re
import struct
import subprocess

import bus
import frames
import lab
import shapes
import tap

SECONDS = 20


def sh(text):
    subprocess.run(text, shell=True, check=True, capture_output=True)


@contextlib.contextmanager
def parent(name="parent0", peer="peer0", up=True):
    """A wire of its own in the host's namespace; both ends up."""
    sh(f"ip link add {name} type veth peer name {peer}")
    if up:
        sh(f"ip link set {name} up; ip link set {peer} up")
    try:
        yield name
    finally:
        subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)


def refused(connection, error, network, *words):
    for kind in ("tap", "packet"):
        text = bus.expect_error(error, connection.open, kind, network)
        for word in (network, *words):
            assert word in text, (word, text)


def test_missing_then_there():
    with lab.network("far-off", Parent="parent0"), bus.connect("member") as connection:
        refused(connection, "ParentMissing", "far-off", "parent0", "Parent=")
        with parent():
            for kind in ("tap", "packet"):
                with connection.open(kind, "far-off") as lease, frames.WirePort("peer0", None) as wire:
                    shapes.port_of(lease).send(frames.marker(lease.info["mac"], f"there {kind}"))
                    wire.wait(f"there {kind}".encode(), SECONDS)
            lab.wait_no_leases()
        refused(connection, "ParentMissing", "far-off", "parent0")


def test_down():
    with lab.network("asleep", Parent="parent0"), parent(up=False), bus.connect("member") as connection:
        refused(connection, "ParentMissing", "asleep", "parent0", "down", "ip link set parent0 up")
        sh("ip link set parent0 up; ip link set peer0 up")
        connection.open_tap("asleep").close_fds()
        lab.wait_no_leases()


def test_bridge_port():
    with lab.network("bridged", Parent="parent0"), parent(), bus.connect("member") as connection:
        try:
            sh("ip link add br-test type bridge && ip link set parent0 master br-test")
        except subprocess.CalledProcessError:
            tap.skip("no bridge in this kernel")
        try:
            refused(connection, "NotSupported", "bridged", "parent0", "bridge")
        finally:
            sh("ip link del br-test")
        connection.open_tap("bridged").close_fds()
        lab.wait_no_leases()


def test_the_bridge_itself_serves():
    with lab.network("on-bridge", Parent="br-test"), parent(), bus.connect("member") as connection:
        try:
            sh("ip link add br-test type bridge && ip link set parent0 master br-test && ip link set br-test up")
        except subprocess.CalledProcessError:
            tap.skip("no bridge in this kernel")
        try:
            with connection.open_tap("on-bridge") as lease, frames.WirePort("peer0", None) as wire:
                def passes():
                    shapes.port_of(lease).send(frames.marker(lease.info["mac"], "over the bridge"))
                    with contextlib.suppress(AssertionError):
                        return wire.wait(b"over the bridge", 0.5)

                lab.wait_for(passes, 40, "a frame over the bridge, whose port begins to forward")
            lab.wait_no_leases()
        finally:
            sh("ip link del br-test")


def test_enslaved_to_a_bond():
    with lab.network("bonded", Parent="parent0"), parent(), bus.connect("member") as connection:
        try:
            sh("ip link add bond-test type bond && ip link set parent0 down && ip link set parent0 master bond-test")
        except subprocess.CalledProcessError:
            sh("ip link set parent0 up")
            subprocess.run(["ip", "link", "del", "bond-test"], check=False, capture_output=True)
            tap.skip("no bonding in this kernel")
        try:
            refused(connection, "NotSupported", "bonded", "parent0", "bond")
        finally:
            sh("ip link del bond-test")


def test_a_passthru_macvlan_on_the_parent_is_named():
    """The kernel says "Invalid argument" of it."""
    with lab.network("passed", Parent="parent0"), parent(), bus.connect("member") as connection:
        sh("ip link add link parent0 name alone0 type macvlan mode passthru")
        refused(connection, "NotSupported", "passed", "parent0", "alone0", "passthru", "ip link delete alone0")
        checked = lab.run_as("member", ["rawnetctl", "check", "passed"])
        assert checked.returncode == 1 and "parent0 carries alone0" in checked.stdout, checked.stdout
        sh("ip link del alone0")
        checked = lab.run_as("member", ["rawnetctl", "check", "passed"])
        assert "alone0" not in checked.stdout, checked.stdout
        connection.open_tap("passed").close_fds()
        lab.wait_no_leases()


def test_an_ifb_is_noted():
    with lab.network("nowhere", Parent="ifb-test"), bus.connect("member") as connection:
        if subprocess.run(["ip", "link", "add", "ifb-test", "type", "ifb"], check=False, capture_output=True).returncode:
            tap.skip("no ifb in this kernel")
        try:
            sh("ip link set ifb-test up")
            checked = lab.run_as("member", ["rawnetctl", "check", "nowhere"]).stdout
            assert "ifb-test is an ifb, which drops what is sent on it" in checked, checked
            assert "no carrier" not in checked, checked
            with connection.open_tap("nowhere"):
                assert " open " in rawnetctl("list"), "guests reach each other"
            lab.wait_no_leases()
        finally:
            sh("ip link del ifb-test")


def test_not_ethernet():
    with bus.connect("member") as connection, lab.network("looped", Parent="lo"):
        sh("ip link set lo up")
        refused(connection, "NotSupported", "looped", "lo", "not an Ethernet interface")


def test_a_lease_keeps_its_parent_out_of_a_bridge():
    """The kernel's doing, and the reason for the refusal above: macvlan and bridge both want the parent's frames."""
    with lab.network("own", Parent="parent0"), parent(), bus.connect("member") as connection:
        if subprocess.run(["ip", "link", "add", "br-test", "type", "bridge"], check=False, capture_output=True).returncode:
            tap.skip("no bridge in this kernel")
        try:

            def joins():
                return subprocess.run(["ip", "link", "set", "parent0", "master", "br-test"], check=False, capture_output=True).returncode == 0

            with connection.open_tap("own"):
                assert not joins(), "the parent joined a bridge under a live lease"
            # The kernel reports a namespace's end before it deletes the interfaces there.
            lab.wait_for(joins, 20, "the parent's joining")
        finally:
            sh("ip link del br-test")


def alive(lease):
    """Can the holder still send?"""
    try:
        shapes.port_of(lease).send(frames.marker(lease.info["mac"] or "52:54:00:00:00:09", "anybody"))
    except OSError as error:
        assert error.errno in (errno.EBADFD, errno.ENXIO, errno.ENETDOWN, errno.EIO, errno.ENODEV), error
        return False
    return True


def rawnetctl(*words):
    """Its output."""
    return lab.run_as("member", ["rawnetctl", *words]).stdout


def test_without_carrier():
    """Parent down, or its cable out: list, networks and check say so, and the lease goes on when it is back."""
    with lab.network("dark", Parent="parent0"), parent(), bus.connect("member") as connection, connection.open_tap("dark") as lease:
        def says(state, problem):
            assert f" {state} " in rawnetctl("list"), rawnetctl("list")
            (network,) = [line.split() for line in rawnetctl("networks").splitlines() if line.startswith("dark ")]
            assert network[1] == state, network
            done = lab.run_as("member", ["rawnetctl", "check", "dark"])
            assert done.returncode == 1 and problem in done.stdout, done
            assert connection.get_all(lease.path, bus.LEASE)["State"] == "open", "it is alive"

        assert " open " in rawnetctl("list") and "no carrier" not in rawnetctl("check", "dark")
        sh("ip link set peer0 down")
        says("no-carrier", "parent0 has no carrier: is its cable plugged in, or its other end up?")
        sh("ip link set parent0 down")
        says("parent-down", "its parent parent0 is down; bring it up (ip link set parent0 up)")
        sh("ip link set parent0 up; ip link set peer0 up")
        lab.wait_for(lambda: " open " in rawnetctl("list"), SECONDS, "the carrier")
        with frames.WirePort("peer0", None) as wire:
            shapes.port_of(lease).send(frames.marker(lease.info["mac"], "light"))
            wire.wait(b"light", SECONDS)


def test_a_tap_that_nobody_holds():
    """As a parent it has no carrier until a program opens it: check and list say so, and the lease goes on then."""
    with lab.network("held", Parent="tap-test"), bus.connect("member") as connection:
        sh("ip tuntap add dev tap-test mode tap; ip link set tap-test up")
        try:
            with connection.open_packet("held") as lease:
                assert " no-carrier " in rawnetctl("list"), rawnetctl("list")
                done = lab.run_as("member", ["rawnetctl", "check", "held"])
                assert done.returncode == 1 and "tap-test has no carrier" in done.stdout, done
                with open("/dev/net/tun", "r+b", buffering=0) as holder:
                    # TUNSETIFF with IFF_TAP | IFF_NO_PI, linux/if_tun.h
                    fcntl.ioctl(holder, 0x400454CA, struct.pack("16sH22x", b"tap-test", 0x1002))
                    lab.wait_for(lambda: " open " in rawnetctl("list"), SECONDS, "the carrier")
                    assert "no carrier" not in rawnetctl("check", "held")
                    shapes.port_of(lease).send(frames.marker(lease.info["mac"], "held"))
                    frames.Port(holder.fileno()).wait(b"held", SECONDS)
            lab.wait_no_leases()
        finally:
            sh("ip link del tap-test")


def test_the_largest_mtu():
    """A tap has less than its parent may have; check has a note on that, and the port passes frames."""
    with lab.network("jumbo", Parent="parent0"), parent(), bus.connect("member") as connection:
        sh("ip link set parent0 mtu 65535; ip link set peer0 mtu 65535")
        for kind, mtu in (("tap", 65521), ("packet", 65535)):
            with connection.open(kind, "jumbo") as lease, frames.WirePort("peer0", None) as wire:
                assert lease.info["mtu"] == mtu, lease.info
                shapes.port_of(lease).send(frames.marker(lease.info["mac"], kind))
                wire.wait(kind.encode())
        done = lab.run_as("member", ["rawnetctl", "check", "jumbo"])
        assert done.returncode == 0 and "MTU of 65521" in done.stdout and "not 65535" in done.stdout, done


def test_check_says_what_antispoof_does_not_do():
    with lab.network("open", AntiSpoof="no"):
        for name, word in (("open", True), ("lab", False)):
            text = lab.run_as("member", ["rawnetctl", "check", name]).stdout
            assert ("frames to those do not come back" in text) == word, (name, text)


def test_deleted_under_live_leases():
    with lab.network("short", Parent="parent0"), bus.connect("member") as connection, connection.open_tap("lab") as stays, \
            frames.WirePort() as wire:  # fmt: skip
        connection.subscribe()
        with parent():
            leases = [connection.open(kind, "short", **options) for kind, options in
                      (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True}), ("tap", {"mac": "learn"}))]  # fmt: skip
            sh("ip link del parent0")
        for lease in leases:
            assert connection.wait_signal("Ended", 20, path=lease.path)[1] == ("link-gone",)
            # The log has it at that moment, with what is to be done.
            of_whom = f"lease rn{lease.id:x} of user {lab.uid_of('member')} on network short"
            why = "ended: parent0 or its VLAN interface was deleted; open a new lease"
            assert re.search(f"{of_whom}( with MAC [0-9a-f:]+)? {why}", lab.log_of("rawnetd")), lab.log_of("rawnetd")[-2000:]
            bus.expect_error("NoSuchLease", connection.statistics, lease.path)
            assert lease.path in connection.leases(), "held, it still counts"
            assert connection.get_all(lease.path, bus.LEASE)["State"] == "ended"
            # The port goes with the wire, so that no holder runs on without one.
            lab.wait_for(lambda: not alive(lease), SECONDS, "the port's end")  # pylint: disable=cell-var-from-loop
        assert connection.get_all(stays.path, bus.LEASE)["State"] == "open"
        listed = lab.run_as("member", ["rawnetctl", "list"], check=True).stdout
        assert listed.count(" ended ") == len(leases) and listed.count(" open ") == 1, listed
        refused(connection, "ParentMissing", "short", "parent0")
        assert "there is no interface parent0; plug it in or correct Parent= in" in rawnetctl("check", "short"), rawnetctl("check", "short")
        assert re.search(r"^short +no-parent ", rawnetctl("networks"), re.M), rawnetctl("networks")
        lab.kill_service()
        lab.wait_for(lambda: len(connection.leases()) == 5, 20, "the new rawnetd's list")
        for lease in leases:
            lease.close_fds()
        lab.wait_for(lambda: set(connection.leases()) == {stays.path}, 20, "the end")
        shapes.port_of(stays).send(frames.marker(stays.info["mac"], "the other parent's"))
        wire.wait(b"the other parent's", SECONDS)


INDEX = 4711


def parent_with_index(mtu):
    sh(f"ip link add parent0 index {INDEX} mtu {mtu} type veth peer name peer0 mtu {mtu}; ip link set parent0 up; ip link set peer0 up")


def test_a_reused_index_is_another_parent():
    """The kernel gives an index out again. The leases of before have no part in what has it now, whether the helper saw the change or not."""
    with lab.network("twice", Parent="parent0"), bus.connect("member") as connection:
        connection.subscribe()
        for helper_runs in (True, False):
            parent_with_index(1500)
            old = [connection.open(kind, "twice", **options) for kind, options in
                   (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True}))]  # fmt: skip
            if not helper_runs:
                lab.stop("rawnet-helper")
            sh("ip link del parent0")
            parent_with_index(1400)
            try:
                if not helper_runs:
                    lab.start("rawnet-helper")
                for lease in old:
                    assert connection.wait_signal("Ended", 20, path=lease.path)[1] == ("link-gone",)
                with connection.open_tap("twice") as new, frames.WirePort("peer0", None) as wire:
                    assert lab.links()["parent0"]["ifindex"] == INDEX and new.info["mtu"] == 1400, new.info
                    for lease in old:
                        with contextlib.suppress(OSError):
                            shapes.port_of(lease).send(frames.marker(lease.info["mac"], "of before"))
                    shapes.port_of(new).send(frames.marker(new.info["mac"], "of now"))
                    assert not [frame for frame in wire.before(b"of now", SECONDS) if b"of before" in frame]
                    # What happens to it does not happen to them.
                    sh("ip link set parent0 mtu 1300; ip link set peer0 mtu 1300")
                    lab.wait_for(lambda: mtus(new) == [1300], SECONDS, "the new lease's MTU")  # pylint: disable=cell-var-from-loop
                    assert mtus(*old) == [1500] * len(old), mtus(*old)
                    sh("ip link set peer0 down")
                    listed = rawnetctl("list")
                    assert listed.count(" ended ") == len(old) and listed.count(" no-carrier ") == 1, listed
                for lease in old:
                    lease.close_fds()
                lab.wait_no_leases()
            finally:
                sh("ip link del parent0")


def test_down_and_up_under_live_leases():
    with lab.network("blinks", Parent="parent0"), parent(), bus.connect("member") as connection, frames.WirePort("peer0", None) as wire:
        for kind, options in (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True})):
            with connection.open(kind, "blinks", **options) as lease:
                port = shapes.port_of(lease)
                port.send(frames.marker(lease.info["mac"], f"up {kind}"))
                wire.wait(f"up {kind}".encode(), SECONDS)
                sh("ip link set parent0 down")
                with contextlib.suppress(OSError):
                    port.send(frames.marker(lease.info["mac"], f"lost {kind}"))
                assert lease.path in connection.leases()
                sh("ip link set parent0 up")

                def passes():
                    with contextlib.suppress(OSError, AssertionError):
                        port.send(frames.marker(lease.info["mac"], f"again {kind}"))
                        return wire.wait(f"again {kind}".encode(), 0.5)

                lab.wait_for(passes, 30, "frames after the parent came back")
                wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, b"and in"))
                port.wait(b"and in", SECONDS)
            lab.wait_no_leases()


def mtus(*leases):
    with bus.connect("member") as connection:
        return [connection.get_all(lease.path, bus.LEASE)["MTU"] for lease in leases]


def test_mtu_of_the_parent_down_and_up():
    """A lease carries what its parent carries, up to its own MTU, and says so."""
    with lab.network("shrinks", Parent="parent0"), lab.network("small", Parent="parent0", MTU="1300"), \
            parent(), bus.connect("member") as connection, frames.WirePort("peer0", None) as wire:  # fmt: skip
        connection.subscribe()
        leases = [connection.open(kind, "shrinks", **options) for kind, options in
                  (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True}))]  # fmt: skip
        small = connection.open_tap("small")
        assert mtus(*leases, small) == [1500, 1500, 1500, 1300]
        sh("ip link set parent0 mtu 1400; ip link set peer0 mtu 1400")
        for lease in leases:
            assert connection.wait_signal("PropertiesChanged", 20, path=lease.path)[1][1] == {"MTU": ("u", 1400)}
        assert mtus(*leases, small) == [1400, 1400, 1400, 1300]
        lab.restart("rawnet-helper")
        lab.kill_service()
        lab.wait_for(lambda: len(connection.leases()) == 4, 20, "the leases of before")
        assert mtus(*leases, small) == [1400, 1400, 1400, 1300]
        sh("ip link set peer0 mtu 1500; ip link set parent0 mtu 1500")
        lab.wait_for(lambda: mtus(*leases, small) == [1500, 1500, 1500, 1300], 20, "the larger MTU")
        # And they carry it, to the wire, from it and to each other.
        for number, lease in enumerate(leases):
            text, beside = f"long {number}".encode().ljust(1490, b"x"), leases[number - 1]
            shapes.port_of(lease).send(frames.ether(shapes.FAR_MAC, lease.info["mac"], frames.TEST, text))
            wire.wait(text, SECONDS)
            wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, text))
            shapes.port_of(lease).wait(text, SECONDS)
            shapes.port_of(lease).send(frames.ether(beside.info["mac"], lease.info["mac"], frames.TEST, b"to " + text))
            shapes.port_of(beside).wait(b"to " + text, SECONDS)
        for lease in (*leases, small):
            lease.close_fds()
        lab.wait_no_leases()


def test_a_port_with_its_own_mtu():
    """Smaller than its parent's, which falls below it and rises again: every kind carries the smaller of both, both ways, and counts
    what from the wire is longer than its own."""
    with lab.network("small", Parent="parent0", MTU="1300"), parent(), bus.connect("member") as connection, frames.WirePort("peer0", None) as wire:
        for kind, options in (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True})):
            with connection.open(kind, "small", **options) as lease:
                port, dropped = shapes.port_of(lease), 0
                for mtu, carries in ((1500, 1300), (1200, 1200), (1250, 1250), (1500, 1300)):
                    sh(f"ip link set parent0 mtu {mtu}; ip link set peer0 mtu {mtu}")
                    lab.wait_for(lambda: mtus(lease) == [carries], SECONDS, f"MTU {carries}")  # pylint: disable=cell-var-from-loop
                    text = f"{mtu} fits".encode().ljust(carries, b"x")
                    port.send(frames.ether(shapes.FAR_MAC, lease.info["mac"], frames.TEST, text))
                    wire.wait(text, SECONDS)
                    for length in (1305, 1500) if mtu == 1500 else ():
                        wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, b"long".ljust(length, b".")))
                        dropped += 1
                    wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, text))
                    came = port.before(text, SECONDS)
                    assert not [frame for frame in came if b"long" in frame], (kind, options, mtu, [len(frame) for frame in came])
                    found = connection.statistics(lease.path)["guard_dropped_wire_too_long"]
                    assert found == dropped, (kind, options, mtu, found)
            lab.wait_no_leases()


def test_renamed_parent():
    """A lease keeps its uplink; the network has none of that name any more."""
    with lab.network("renamed", Parent="parent0"), parent(peer="peer0"), bus.connect("member") as connection, \
            frames.WirePort("peer0", None) as wire:  # fmt: skip
        with connection.open_tap("renamed") as lease:
            if subprocess.run(["ip", "link", "set", "parent0", "name", "parent9"], check=False, capture_output=True).returncode:
                sh("ip link set parent0 down; ip link set parent0 name parent9; ip link set parent9 up")
            try:
                refused(connection, "ParentMissing", "renamed", "parent0")

                def passes():
                    with contextlib.suppress(OSError, AssertionError):
                        shapes.port_of(lease).send(frames.marker(lease.info["mac"], "still"))
                        return wire.wait(b"still", 0.5)

                lab.wait_for(passes, 20, "the lease's frames")
            finally:
                lab.wait_for(lambda: lease.id in lab.lease_ids(), 5)
        lab.wait_no_leases()
        sh("ip link del parent9")


if __name__ == "__main__":
    tap.main()
