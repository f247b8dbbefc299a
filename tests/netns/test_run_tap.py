# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl run --kind veth --tap: a tap that a VMM opens by its name. Without a VMM; tests/bus/test_qemu.py and
tests/backend/test_guest.py have QEMU on it."""

import json
import os
import subprocess

import bus
import frames
import lab
import tap
from run_veth import Command, good, refused, run

# Opens the tap as a VMM does, and passes frames in hex between it and the two pipes.
VMM = """
import fcntl, os, struct, sys, threading
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x2 | 0x1000))  # TUNSETIFF; IFF_TAP, IFF_NO_PI
def receive():
    while True:
        print(os.read(tap, 70000).hex(), flush=True)
threading.Thread(target=receive, daemon=True).start()
print("open", flush=True)
for line in sys.stdin:
    os.write(tap, bytes.fromhex(line))
"""


class Vmm:
    """While the block runs: a program with tap0 open. .send(frame); .wait(text) is the first frame with that text, and .seen all
    before it."""

    def __init__(self, network="lab", name="tap0", options=()):
        words = ["rawnetctl", "run", "--kind", "veth", "--mac", "52:54:00:77:00:02", *options, "--tap", name, network, "--",
                 "/usr/bin/python3", "-c", VMM, "{ifname}", "{mac}"]  # fmt: skip
        pipe = subprocess.PIPE
        self.process = lab.popen_as("member", words, stdin=pipe, stdout=pipe, stderr=pipe)
        self.mac, self.seen = "52:54:00:77:00:02", []

    def __enter__(self):
        assert self.process.stdout.readline() == "open\n", self.process.communicate()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def send(self, frame):
        self.process.stdin.write(frame.hex() + "\n")
        self.process.stdin.flush()

    def wait(self, text):
        while text not in (frame := bytes.fromhex(self.process.stdout.readline())):
            assert frame, "the program has ended"
            self.seen.append(frame)
        return frame


def to(mac, text, source="02:00:00:00:00:07"):
    return frames.ether(mac, source, frames.TEST, text)


def test_what_the_command_finds():
    with Command("lab", options=("--tap", "vm0")) as command:
        links = command.links()
        assert set(links) == {"lo", "eth0", "vm0", "bridge"} and command.variables["RAWNET_IFNAME"] == "vm0", links
        assert all(links[name]["master"] == "bridge" and "UP" in links[name]["flags"] for name in ("eth0", "vm0")), links
        assert links["vm0"]["linkinfo"]["info_data"]["user"] == "root" and links["vm0"]["mtu"] == 1500, links["vm0"]
        assert command.mac not in [link["address"] for link in links.values()], "an interface has the guest's address"
        addresses = [entry for link in json.loads(command.run("ip", "-j", "addr")) for entry in link["addr_info"]]
        assert all(entry["local"] == "127.0.0.1" for entry in addresses), addresses


def test_frames_pass():
    with Vmm() as vmm, frames.WirePort() as wire:
        vmm.send(frames.marker(vmm.mac, "to the wire"))
        assert wire.wait(b"to the wire", 20)[6:12] == frames.mac_bytes(vmm.mac)
        for destination in (vmm.mac, frames.BROADCAST, "33:33:ff:00:00:01", "01:00:5e:00:00:fb"):
            text = f"to {destination}".encode()
            wire.send(to(destination, text))
            vmm.wait(text)


def test_only_the_guest_speaks():
    """From the namespace's beginning to the guest's first frame nothing leaves, nothing answers, and the guard drops nothing."""
    with frames.WirePort() as wire, Vmm() as vmm:
        for address in ("127.0.0.1", "0.0.0.0", "10.77.0.99"):
            wire.send(frames.arp(1, "02:00:00:00:00:07", "10.77.0.7", address))
        wire.send(to("33:33:00:00:00:01", b"the last question"))
        vmm.wait(b"the last question")
        vmm.send(frames.marker(vmm.mac, "the first word"))
        own = frames.mac_bytes("02:00:00:00:00:07")
        before = [frame for frame in wire.before(b"the first word", 20) if frame[6:12] != own]
        assert not before, before
        with bus.connect("member") as connection:
            (path,) = connection.leases()
            counters = connection.statistics(path)
        assert not {name: n for name, n in counters.items() if name.startswith("guard_dropped") and n}, counters


def test_a_guest_cannot_spoof():
    with frames.WirePort() as wire, Vmm() as vmm:
        vmm.send(frames.marker("52:54:00:66:66:66", "spoofed"))
        vmm.send(frames.marker(vmm.mac, "the end"))
        assert not [frame for frame in wire.before(b"the end", 20) if b"spoofed" in frame]


def test_control_frames():
    """The bridge passes what the network lets pass: LLDP's nearest bridge address, and 802.1X."""
    with lab.network("control", ControlFrames="pass"), frames.WirePort() as wire, Vmm("control") as vmm:
        for destination in ("01:80:c2:00:00:0e", "01:80:c2:00:00:03"):
            vmm.send(frames.ether(destination, vmm.mac, frames.TEST, f"to {destination}".encode()))
            wire.wait(f"to {destination}".encode(), 20)
            wire.send(to(destination, f"back {destination}".encode()))
            vmm.wait(f"back {destination}".encode())


def test_mtu():
    with lab.network("small", MTU=1400), Command("small", options=("--tap", "tap0")) as command:
        assert command.links()["tap0"]["mtu"] == 1400 and command.variables["RAWNET_MTU"] == "1400"


def test_the_mac_is_not_used():
    done = run("--tap", "tap0", "lab", "--", "true")
    assert done.returncode == 0 and "does not use the port's MAC" in done.stderr, done
    done = run("--tap", "tap0", "lab", "--", "true", "{mac}")
    assert done.returncode == 0 and not done.stderr, done


def test_without_tun():
    path = f"{lab.LAB}/tmp/no-tun"
    with open(path, "w", encoding="ascii"):
        os.chmod(path, 0)
    subprocess.run(["mount", "--bind", path, "/dev/net/tun"], check=True)
    try:
        refused("--tap", "tap0", "lab", "--", "true", "{mac}", contains=("/dev/net/tun", "--tap"))
    finally:
        subprocess.run(["umount", "/dev/net/tun"], check=True)
    assert good("--tap", "tap0", "lab", "--", "echo", "{ifname}{mac}").startswith("tap052:54:00")


if __name__ == "__main__":
    tap.main()
