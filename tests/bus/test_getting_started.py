# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of docs/getting-started.md and docs/vhost-user.md, typed by a member as they are printed: QEMU gets an address from the
wire's DHCP server (its disk is empty, so it boots from the network), and the list has the port meanwhile."""

import contextlib
import os
import re
import signal
import subprocess

import bus
import documents
import frames
import lab
import tap

PLACE = f"{lab.LAB}/tmp/started"
SOCKET = f"/run/user/{lab.uid_of('member')}/vm1.sock"
REQUEST = b"\x63\x82\x53\x63\x35\x01\x03"  # BOOTP's magic cookie, DHCPREQUEST: there was an offer (RFC 2132)
SECONDS = 60


def place():
    os.makedirs(PLACE, exist_ok=True)
    os.chmod(PLACE, 0o777)
    with open(f"{PLACE}/disk.img", "wb") as file:
        file.truncate(1 << 20)
    os.chmod(f"{PLACE}/disk.img", 0o666)


@contextlib.contextmanager
def typed(text):
    """A member's shell that becomes the command; ended afterwards with all that it started."""
    place()
    process = lab.popen_as("member", ["bash", "-e", "-c", f"exec {text}"], cwd=PLACE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=tap.patience(30))


@contextlib.contextmanager
def network():
    """The one of the documents, without a VLAN; no lease is left on it."""
    with lab.network("vlan100", VLAN="none"):
        yield
        lab.wait_no_leases()


def lease_of(connection):
    """The only lease's properties."""
    (properties,) = connection.leases().values()
    return properties


def boots(name, **expected):
    """The block starts a guest that is on the wire, by a lease with these properties."""
    with network(), bus.connect("member") as connection, frames.WirePort() as wire, typed(documents.block(name)):
        request = wire.wait(REQUEST, SECONDS)
        lease = lease_of(connection)
        for key, value in expected.items():
            assert lease[key] == value, (key, lease)
        source = ":".join(f"{byte:02x}" for byte in request[6:12])
        assert source == lease["MAC"], (source, lease)


@tap.limit(SECONDS + 60)
def test_another_card():
    boots("qemu-nic", Kind="tap")


@tap.limit(SECONDS + 60)
def test_a_packet_port():
    boots("vhost-qemu", Kind="packet")


@tap.limit(SECONDS + 60)
def test_queues():
    boots("run-queues", Kind="tap", Queues=2)


@tap.limit(SECONDS + 60)
def test_qemus_helper():
    boots("qemu-helper", Kind="tap", MAC="52:54:00:12:34:56")  # QEMU's own


@tap.limit(SECONDS + 60)
def test_what_it_would_get():
    with network(), typed(documents.block("qemu-dry-run")) as process:
        said = process.communicate(timeout=tap.patience(30))[0]
        assert process.returncode == 0 and "-netdev" in said and "vhost-user" in said, said
        assert not lab.lease_ids()


@tap.limit(SECONDS + 90)
def test_a_name_and_its_end():
    """The port with a name; the section that shows and ends it."""
    with network(), frames.WirePort() as wire, typed(documents.block("run-name")):
        wire.wait(REQUEST, SECONDS)
        done = lab.run_as("member", ["bash", "-e", "-c", documents.block("see-and-end")])
        assert done.returncode == 0 and "vlan100" in done.stdout and "web1" in done.stdout, done
        with bus.connect("member") as connection:
            lab.wait_for(lambda: not connection.leases() or lease_of(connection)["State"] != "up", 10, "the end of the port")


@tap.limit(SECONDS + 60)
def test_plug_and_unplug():
    """Into the QEMU of the block before, whose BIOS has nothing to boot and stays."""
    with network(), bus.connect("member") as connection, typed(documents.block("qemu-qmp")):
        lab.wait_for(lambda: os.path.exists(f"/run/user/{lab.uid_of('member')}/vm1.qmp"), 30, "QEMU's socket")
        plug, _, _ = documents.block("plug").partition("\n")  # unplug needs a guest with an operating system
        done = lab.run_as("member", ["bash", "-e", "-c", plug])
        assert done.returncode == 0 and lease_of(connection)["Name"] == "extra", done


@tap.limit(SECONDS + 60)
def test_a_program():
    with network(), bus.connect("member") as connection, typed(documents.block("run-python")) as process, \
            frames.WirePort() as wire:  # fmt: skip
        lab.wait_for(connection.leases, 10, "the port")
        mac = lease_of(connection)["MAC"]
        wire.send(frames.ether(mac, "02:00:00:00:00:01", 0x88B5))
        said = process.communicate(timeout=tap.patience(30))[0]
        assert re.search(f"^I am {mac} and got [0-9]+ bytes$", said, re.M), said


@tap.limit(SECONDS + 90)
def test_any_front_end():
    with network(), frames.WirePort() as wire, typed(documents.block("vhost-socket")):
        lab.wait_for(lambda: os.path.exists(SOCKET), 20, "the back end's socket")
        with typed(documents.block("vhost-front-end")) as front_end:
            request = wire.wait(REQUEST, SECONDS)
            assert request[6:12] == bytes.fromhex("525400000001"), request
            assert front_end.poll() is None


if __name__ == "__main__":
    tap.main()
