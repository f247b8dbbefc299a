# SPDX-License-Identifier: GPL-2.0-or-later
"""MACChoice=derived: no way to a port lets its caller name an address or have one learned, not even a compromised rawnetd's."""

import socket

import bus
import frames
import ipc
import lab
import tap
from container import Container, attach

MAC = "52:54:00:12:34:56"
INVALID = bus.DBUS_ERROR + "InvalidArgs"
PATH = "/etc/rawnet/networks/fixed.conf"


def fixed(**keys):
    return lab.network("fixed", MACChoice="derived", **keys)


def check(text):
    """Names the key, the file and what to do."""
    assert "MACChoice=derived" in text and PATH in text and "leave mac out" in text, text


def test_nobody_names_or_learns():
    with fixed(), bus.connect("member") as member, bus.connect() as root:
        for caller in (member, root):
            for kind in ("tap", "packet"):
                for options in ({"mac": MAC}, {"mac": MAC, "name": "x"}):
                    check(bus.expect_error(INVALID, caller.open, kind, "fixed", **options))
            check(bus.expect_error(INVALID, caller.open_tap, "fixed", mac="learn"))
        assert not lab.lease_ids()


def test_not_even_the_own_one():
    """The address of the own lease is given to the name, not to who asks for it."""
    with fixed(), bus.connect("member") as member:
        with member.open_tap("fixed", name="web") as lease:
            own = lease.info["mac"]
        lab.wait_no_leases()
        bus.expect_error(INVALID, member.open_tap, "fixed", mac=own)
        bus.expect_error(INVALID, member.open_tap, "fixed", mac=own, name="web")
        with member.open_packet("fixed", name="web") as lease:
            assert lease.info["mac"] == own


def test_without_a_name():
    """rawnet draws one, which is no derived one."""
    with fixed(), bus.connect("member") as member:
        found = set()
        for _ in range(8):
            with member.open_tap("fixed") as lease:
                found.add(lease.info["mac"])
        assert len(found) == 8 and all(mac.startswith("52:54:00:") and mac[9] != "f" for mac in found), found


def test_polkit_is_not_asked():
    with fixed(), bus.connect("outsider") as outsider:
        for mac in (MAC, "learn"):
            before = len(lab.questions())
            bus.expect_error(INVALID, outsider.open_tap, "fixed", mac=mac)
            assert len(lab.questions()) == before, mac


def ways():
    """Command lines that name an address or have one learned."""
    run = ["rawnetctl", "run", "--kind"]
    yield [*run, "tap", "--mac", MAC, "fixed", "--", "true"]
    yield [*run, "packet", "--mac", MAC, "fixed", "--", "true"]
    yield [*run, "veth", "--mac", MAC, "fixed", "--", "true"]
    yield ["rawnetctl", "run", "--mac", "learn", "fixed", "--", "true"]
    yield ["rawnetctl", "run", "--mac", MAC, "--port", "a=fixed", "--", "true"]
    yield ["rawnetctl", "vhost", "--socket", "/tmp/mac-choice.sock", "--mac", MAC, "fixed"]
    yield ["rawnetctl", "qemu", "--", "true", "-netdev", "raw,id=n0,network=fixed,kind=tap", "-device", f"virtio-net-pci,netdev=n0,mac={MAC}"]
    yield ["rawnetctl", "qemu", "--", "true", "-nic", f"raw,network=fixed,kind=tap,mac={MAC}"]


def test_every_command():
    with fixed():
        for words in ways():
            done = lab.run_as("member", words)
            assert done.returncode, words
            check(done.stderr)
        assert not lab.lease_ids()


def test_bridge_helper():
    """QEMU and libvirt do not tell it an address, and the guest's own is not taken."""
    with fixed():
        for words in ([], [f"--mac={MAC}"]):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                command = ["/usr/libexec/rawnet/rawnet-bridge-helper", "--br=fixed", f"--fd={theirs.fileno()}", "--use-vnet", *words]
                done = lab.run_as("member", command, pass_fds=(theirs.fileno(),))
            assert done.returncode, done
            check(done.stderr)


def test_containers():
    """Attach(), rawnetctl attach, and the helper's own judgement."""
    reserved, other = frames.mac_bytes("52:54:00:f0:00:01"), frames.mac_bytes(MAC)
    with fixed(), bus.connect("member") as member, Container() as box:
        check(bus.expect_error(INVALID, attach, member, "fixed", box, mac=MAC))
        done = lab.run_as("member", ["rawnetctl", "attach", "--pid", str(box.pid), "--mac", MAC, "fixed"])
        assert done.returncode == 1, done
        check(done.stderr)
        for mode, mac in ((ipc.GIVEN, other), (ipc.RESERVED, reserved), (ipc.DERIVED, other)):
            with ipc.Helper() as helper:
                reply = helper.call(ipc.attach_request(network=b"fixed", uid=lab.uid_of("member"), mac_mode=mode, mac=mac), [box.namespace])
            assert (reply.type, reply.error) == (ipc.REFUSED, "InvalidArgs"), (mode, reply)
        assert list(box.links()) == ["lo"] and not lab.lease_ids()
        assert attach(member, "fixed", box, name="web").info["mac"] == box.links()["eth0"]["address"]


def test_check_says_so():
    with fixed():
        done = lab.run_as("member", ["rawnetctl", "check", "fixed"])
        assert done.returncode == 0 and "MACChoice=derived" in done.stdout and "rawnet-bridge-helper" in done.stdout, done


def refused(errors, **forged):
    with ipc.Helper() as helper:
        reply = helper.call(ipc.open_request(network=b"fixed", **forged))
        opened = len(reply.fds)
        reply.close_fds()
    assert not opened and reply.type == ipc.REFUSED and reply.error in errors, f"{forged}: {reply}"


def test_a_compromised_rawnetd():
    """The helper itself refuses what its own look at the file does not allow, whatever rawnetd calls it."""
    reserved, other = frames.mac_bytes("52:54:00:f0:00:01"), frames.mac_bytes(MAC)
    with fixed():
        for kind in (ipc.TAP, ipc.PACKET):
            refused(("InvalidArgs",), kind=kind, mac_mode=ipc.GIVEN, mac=other)
            refused(("InvalidArgs",), kind=kind, mac_mode=ipc.RESERVED, mac=reserved)
            refused(("InvalidArgs",), kind=kind, mac_mode=ipc.RESERVED, mac=other)
            # Called derived, but not of the part of the prefix where derived addresses are.
            refused(("InvalidArgs",), kind=kind, mac_mode=ipc.DERIVED, mac=other)
        refused(("InvalidArgs",), mac_mode=ipc.LEARN)
        refused(("InvalidArgs",), mac_mode=ipc.LEARN, mac=reserved)
        for words in ({"mac_mode": ipc.RANDOM}, {"mac_mode": ipc.DERIVED, "mac": reserved}):
            with ipc.Helper() as helper:
                reply = helper.call(ipc.open_request(network=b"fixed", **words))
                assert reply.type == ipc.OPENED, reply
                reply.close_fds()
            lab.wait_no_leases()


if __name__ == "__main__":
    tap.main()
