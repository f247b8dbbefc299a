# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl run --kind veth: a command in namespaces of its own, which is a station on the LAN."""

import hashlib
import json
import os
import re
import signal
import subprocess

import bus
import frames
import lab
import tap
from run_veth import NEIGHBOUR, NEIGHBOUR6, Command, good, refused, run

SHOW = """
import json, os, sys
print(json.dumps({"pid": os.getpid(), "uid": os.getuid(), "gid": os.getgid(), "cwd": os.getcwd(), "arguments": sys.argv[1:],
                  "fds": sorted(os.listdir("/proc/self/fd"), key=int),
                  "environment": {key: value for key, value in os.environ.items() if key.startswith(("RAWNET_", "LISTEN_"))}}))
"""
# Bytes from the neighbour's source and to its sink (tools/lab.d/neighbour.py).
MOVE = """
import hashlib, socket, sys
size = 2000000
with socket.create_connection((sys.argv[1], 9000)) as source:
    source.sendall(b"%d\\n" % size)
    data = b"".join(iter(lambda: source.recv(1 << 16), b""))
with socket.create_connection((sys.argv[1], 9001)) as sink:
    sink.sendall(b"%d\\n" % size + data)
    print(hashlib.sha256(data).hexdigest(), sink.makefile().readline().strip())
"""


def show(*words, **options):
    return json.loads(good(*words[:-1], "--", "/usr/bin/python3", "-c", SHOW, *words[-1], **options))


def test_what_the_command_finds():
    seen = show("--mac", "52:54:00:77:00:01", "lab", ["{mac}", "{mtu}", "{ifname}"], cwd="/tmp")
    assert (seen["uid"], seen["gid"], seen["cwd"]) == (0, 0, "/tmp"), seen
    assert seen["arguments"] == ["52:54:00:77:00:01", "1500", "eth0"], seen
    environment = seen["environment"]
    assert (environment["RAWNET_MAC"], environment["RAWNET_IFNAME"], environment["RAWNET_MTU"]) == (*seen["arguments"][:1], "eth0", "1500"), seen
    assert int(environment["RAWNET_LEASE"]) >= lab.LEASE_ID_FIRST and "LISTEN_FDS" not in environment, seen
    assert seen["fds"] == ["0", "1", "2", "3"], seen  # 3: the listing itself
    with Command("lab") as command:
        links = command.links()
        assert set(links) == {"lo", "eth0"} and "UP" in links["lo"]["flags"] and "UP" in links["eth0"]["flags"], links
        assert links["eth0"]["address"] == command.mac and command.run("cat", "/proc/self/uid_map").split() == ["0", str(lab.uid_of("member")), "1"]
        with bus.connect("member") as connection:
            (lease,) = [lease for lease in connection.leases().values() if lease["Id"] == int(command.variables["RAWNET_LEASE"])]
        assert (lease["Kind"], lease["MAC"], lease["Owner"]) == ("veth", command.mac, lab.uid_of("member")), lease


def test_it_is_the_same_process():
    """Nothing of rawnetctl is left beside the command, above it or below it."""
    with Command("lab") as command:
        with open(f"/proc/{command.pid}/comm", encoding="ascii") as file:
            assert file.read() == "cat\n"
        with open(f"/proc/{command.pid}/task/{command.pid}/children", encoding="ascii") as file:
            assert file.read() == ""
        left = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if b"rawnetctl" in _command_line(pid)]
        assert not left, left


def _command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def test_exit_statuses():
    assert run("lab", "--", "sh", "-c", "exit 7").returncode == 7
    assert run("lab", "--", "sh", "-c", "kill -9 $$").returncode == -9
    assert run("lab", "--", "/etc/passwd").returncode == 126
    assert run("lab", "--", "no-such-program").returncode == 127
    refused("nope", "--", "true", contains=("nope",))
    refused("lab", "--", "echo", "{fd}", contains=("{fd}", "eth0"))
    refused("--interface", "a/b", "lab", "--", "true", contains=("--interface", "a/b"))
    refused("--interface", "lo", "lab", "--", "true", contains=("lo",))


def test_options_that_do_not_go_together():
    asked = len(lab.questions())
    for words, contains in (
        (("--queues", "2", "lab"), ("--queues",)),
        (("--vhost", "lab"), ("--vhost",)),
        (("--vnet-hdr", "no", "lab"), ("--vnet-hdr",)),
        (("--mac", "learn", "lab"), ("--mac learn",)),
        (("--dhcp", "--tap", "tap0", "lab"), ("--dhcp", "--tap")),
        (("--tap", "eth0", "lab"), ("three names",)),
        (("--tap", "bridge", "lab"), ("three names",)),
        (("--dhcp", "--port", "a=lab"), ("--dhcp", "--port")),
        (("--interface", "x", "--port", "a=lab", "--port", "b=lab-private"), ("interface x",)),
        (("--kind", "tap", "--interface", "x", "lab"), ("--interface", "veth")),
        (("--kind", "tap", "--dhcp", "lab"), ("--dhcp", "veth")),
        (("--kind", "packet", "--tap", "tap0", "lab"), ("--tap", "veth")),
    ):
        refused(*words, "--", "true", contains=contains)
    assert len(lab.questions()) == asked, "somebody was asked for it"


def test_interface_and_name():
    with Command("lab", options=("--interface", "lan0", "--name", "box")) as command:
        mac = command.mac
        assert set(command.links()) == {"lo", "lan0"} and command.variables["RAWNET_IFNAME"] == "lan0"
    lab.wait_no_leases()
    with Command("lab", options=("--name", "box")) as command:
        assert command.mac == mac


def test_several_networks():
    """One interface for each."""
    done = run("--port", "wan=lab", "--interface", "inside", "--port", "lan=lab-private", "--", "/usr/bin/python3", "-c", SHOW,
               "{wan.ifname}", "{lan.ifname}", "{wan.mac}")  # fmt: skip
    assert done.returncode == 0, done
    seen = json.loads(done.stdout)
    environment = seen["environment"]
    assert seen["arguments"] == ["eth0", "inside", environment["RAWNET_MAC_WAN"]] and environment["RAWNET_IFNAME_LAN"] == "inside", seen
    links = good("--port", "wan=lab", "--interface", "inside", "--port", "lan=lab-private", "--", "ip", "-br", "link")
    assert re.findall(r"^\w+", links, re.MULTILINE) == ["lo", "eth0", "inside"], links


def test_beside_a_tap():
    """Other kinds keep their descriptors."""
    done = run("--port", "a=lab", "--kind", "tap", "--port", "b=lab", "--", "sh", "-c", "ip -br link; readlink /proc/self/fd/3", "{a.mac}{b.mac}")
    assert done.returncode == 0 and "eth0@" in done.stdout and done.stdout.endswith("/dev/net/tun\n"), done


def test_sockets_of_the_caller():
    """LISTEN_FDS of a unit that has a socket, too: a service on the LAN."""
    script = 'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web; exec rawnetctl run --kind veth lab -- /usr/bin/python3 -c "$0" 3</dev/null'
    done = lab.run_as("member", ["sh", "-c", script, SHOW], check=True)
    seen = json.loads(done.stdout)
    environment = seen["environment"]
    assert environment["LISTEN_PID"] == str(seen["pid"]) and environment["LISTEN_FDNAMES"] == "web", seen
    assert seen["fds"] == ["0", "1", "2", "3", "4"], seen


def test_traffic():
    with Command("--dhcp", "lab") as command:
        (address,) = command.addresses(4)
        expected = hashlib.sha256(hashlib.shake_128(b"rawnet").digest(2000000)).hexdigest()
        (address6,) = lab.wait_for(lambda: command.addresses(6), 20, "an address by router advertisement")
        for neighbour, own in ((NEIGHBOUR, address), (NEIGHBOUR6, address6)):
            command.run("ping", "-c", "1", "-W", "10", neighbour)
            assert lab.run_far(["ping", "-c", "1", "-W", "10", own]).returncode == 0, own
            assert command.run("/usr/bin/python3", "-c", MOVE, neighbour).split() == [expected, expected, "2000000"]


def ping(command, address, seconds=10):
    return command.run("ping", "-c", "1", "-W", str(tap.patience(seconds)), address, check=False) == 0


def test_two_commands():
    """They talk in bridge mode, and do not in private."""
    for network, meet in (("lab", True), ("lab-private", False)):
        with Command("--dhcp", network) as one, Command("--dhcp", network) as two:
            assert ping(one, NEIGHBOUR) and ping(two, NEIGHBOUR)
            seconds = 10 if meet else 2
            assert ping(one, two.addresses(4)[0], seconds) == meet and ping(two, one.addresses(4)[0], seconds) == meet, network
        lab.wait_no_leases()


SPOOF = """
import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind((sys.argv[1], 0))
for frame in sys.argv[2:]:
    sock.send(bytes.fromhex(frame))
"""
OTHER = "52:54:00:66:66:66"


def send(command, *data, interface="eth0"):
    command.run("/usr/bin/python3", "-c", SPOOF, interface, *[frame.hex() for frame in data])


def test_root_cannot_spoof():
    """What its root can do: raw frames, another address, a VLAN device, a bridge, macvlans. Only its own address leaves."""
    with Command("lab") as command, frames.WirePort() as wire:
        send(command, frames.marker(OTHER, "spoofed"), frames.tagged(frames.marker(command.mac, "tagged"), 300))
        command.run("ip", "link", "add", "mv0", "link", "eth0", "address", OTHER, "up", "type", "macvlan")
        send(command, frames.marker(OTHER, "of a macvlan"), interface="mv0")
        command.run("ip", "link", "add", "br0", "up", "type", "bridge")
        command.run("ip", "link", "del", "mv0")
        command.run("ip", "link", "set", "eth0", "address", OTHER)
        send(command, frames.marker(OTHER, "of another address"))
        command.run("ip", "link", "set", "eth0", "master", "br0")
        send(command, frames.marker(OTHER, "of a bridge"), interface="br0")
        command.run("ip", "link", "set", "eth0", "nomaster", "address", command.mac)
        send(command, frames.marker(command.mac, "the end"))
        seen = [frame for frame in wire.before(b"the end", 20) if frame[6:12] != frames.mac_bytes(command.mac) or frame[12:14] == b"\x81\x00"]
        # The neighbour speaks, too, but not on its own wire's socket.
        assert not seen, seen
        with bus.connect("member") as connection:
            (path,) = connection.leases()
            counters = connection.statistics(path)
        assert counters["guard_dropped_spoofed_source"] >= 4 and counters["guard_dropped_vlan_tag"] >= 1, counters


def test_the_end():
    """However it comes: no lease, no process and no interface is left (the runner looks for leases and interfaces)."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with Command("lab") as command:
            os.kill(command.pid, number)
            assert command.process.wait(10) == -number
            lab.wait_no_leases()


def test_killed_while_rawnetd_is_asked():
    """The namespaces end with rawnetctl."""
    helper = lab.helper_pid()
    assert good("lab", "--", "true") == ""
    helper = lab.helper_pid()
    with lab.stopped(helper):
        with lab.popen_as("member", ["rawnetctl", "run", "--kind", "veth", "lab", "--", "true"]) as process:
            holder = int(lab.wait_for(lambda: _children(process.pid), 20, "the holder of the namespaces"))
            lab.wait_for(lambda: os.readlink(f"/proc/{holder}/ns/net") != os.readlink("/proc/self/ns/net"), 20, "its namespace")
            process.kill()
        lab.wait_for_exit(holder)
    lab.wait_no_leases()


def _children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def test_without_user_namespaces():
    """In a user namespace that allows no more of them."""
    script = "echo 0 >/proc/sys/user/max_user_namespaces && exec rawnetctl run --kind veth lab -- true"
    done = lab.run_as("member", ["unshare", "-Ur", "sh", "-c", script])
    assert done.returncode == 125 and "user namespace" in done.stderr and "max_user_namespaces" in done.stderr, done


def test_in_a_user_namespace():
    done = lab.run_as("member", ["unshare", "-Ur", "rawnetctl", "run", "--kind", "veth", "lab", "--", "ip", "-br", "link"])
    assert done.returncode == 0 and re.search(r"^eth0@\S+ +UP", done.stdout, re.MULTILINE), done


def test_root():
    done = lab.subprocess.run(["rawnetctl", "run", "--kind", "veth", "lab", "--", "ip", "-br", "link"], capture_output=True, text=True,
                              check=False, stdin=subprocess.DEVNULL)  # fmt: skip
    assert done.returncode == 0 and re.search(r"^eth0@\S+ +UP", done.stdout, re.MULTILINE), done


if __name__ == "__main__":
    tap.main()
