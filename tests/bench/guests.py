# SPDX-License-Identifier: GPL-2.0-or-later
"""The same emulated Linux guest on a bridge, on a tap lease and on rawnet-vhost, and what moving data costs the host. For vhost.py."""

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess

import accounting
import bus
import datapath
import lab
import test_guest
import vhost

TRAFFIC = f"{lab.build_dir}/tests/bench/traffic"
TUNSETIFF, TAP_FLAGS = 0x400454CA, 0x5002  # linux/if_tun.h: IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
MAC = "52:54:00:be:4c:02"


def far_command(*words):
    return ["ip", "netns", "exec", lab.FAR, TRAFFIC, *words]


def talking_wire(name, prefix):
    """NAME0 here, NAME1 at the far end with an address; datagrams to the discard port end there before its IP stack."""
    datapath.ip("link", "add", f"{name}0", "type", "veth", "peer", "name", f"{name}1", "netns", lab.FAR)
    datapath.quiet(f"{name}0")
    datapath.quiet(f"{name}1", lab.FAR)
    datapath.ip("-n", lab.FAR, "address", "add", f"{prefix}.1/24", "dev", f"{name}1")
    datapath.nft(f'table netdev bench-{name} {{ chain sink {{\ntype filter hook ingress device "{name}1" priority 0; policy accept;\n'
                 "udp dport 9 drop\n}\n}\n", lab.FAR)  # fmt: skip


def bridge_tap():
    """A tap in a bridge with the wire gb0, as qemu-bridge-helper makes it; its descriptor."""
    talking_wire("gb", "10.81.0")
    datapath.ip("link", "add", "br-guest", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    datapath.ip("link", "set", "gb0", "master", "br-guest")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"tapguest", TAP_FLAGS))
    datapath.quiet("tapguest")
    datapath.ip("link", "set", "tapguest", "master", "br-guest")
    datapath.quiet("br-guest")
    return fd


class Machine(test_guest.Guest):
    """A guest with one network card at PREFIX.HOST, and the processes that serve it."""

    def __init__(self, prefix, host, wire, netdev, pass_fds=(), back=None):  # pylint: disable=super-init-not-called
        self.prefix, self.address, self.wire, self.back = prefix, f"{prefix}.{host}", wire, back
        options = [*test_guest.BOOT, "-no-reboot", "-name", "guest,debug-threads=on"]
        if back:
            command = vhost.qemu(back, *options)
        else:
            command = [*test_guest.PLAIN_QEMU, *options, *netdev]
        self._start(command, pass_fds=pass_fds)

    def set_up(self):
        self.boot()
        self.run(f"ip link set eth0 up && ip addr add {self.address}/24 dev eth0 && ping -c 1 -W 10 {self.prefix}.1")
        return self

    def pids(self):
        return [self.process.pid, *([self.back.process.pid] if self.back else [])]

    def resident(self):
        """KiB of the back end that are its own; the guest's memory, which it maps, is not."""
        with open(f"/proc/{self.back.process.pid}/status", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith(("RssAnon", "RssFile")))

    # -- one measurement each: a dict of figures

    def far_frames(self):
        return lab.ip("-s", "link", "show", f"{self.wire}1", where=lab.FAR)[0]["stats64"]["rx"]["packets"]

    def send(self, seconds):
        meter, frames = accounting.Meter(*self.pids()), self.far_frames()
        self.run(f"traffic udp-send {seconds} {self.prefix}.1")
        used, frames = meter.read(), max(1, self.far_frames() - frames)
        return per_frame(frames, used, seconds, 0)

    def receive(self, seconds, rate=None):
        self.say("traffic udp-count")
        self._until("^counting$", 20)
        meter = accounting.Meter(*self.pids())
        sender = subprocess.run(far_command("udp-send", str(seconds), self.address, *([str(rate)] if rate else [])),
                                capture_output=True, text=True, check=True)  # fmt: skip
        used = meter.read()
        offered, wall, sender_cpu = sender.stdout.split()
        said = self.run("")
        frames = max(1, int(said.split()[0]))
        return per_frame(frames, used, float(wall), float(sender_cpu)) | {"offered": int(offered) / float(wall), "sender": float(sender_cpu) / int(offered) * 1e6}

    def tcp(self, direction, seconds):
        meter = accounting.Meter(*self.pids())
        count, wall, _ = map(float, self.run(f"traffic tcp-{direction} {seconds} {self.prefix}.1").split())
        used = meter.read()
        return {"rate": count * 8 / wall / 1e6, "cpu": used.seconds / (count / 1e6) * 1e3, "machine": (used.machine - used.guest) / (count / 1e6) * 1e3}


def per_frame(frames, used, wall, sender_cpu):
    """rate: frames a second; cpu: µs a frame of the guest's processes on the host, but for the emulated processor, and with the softirqs that
    ran in them: sending, all the way to the far end (receiving, they run in the far sender, whose µs a frame offered are `sender`); machine:
    of the whole machine but that processor and the sender, softirq threads and idle guests among it; switches: context switches a frame of
    the processes."""
    return {
        "rate": frames / wall,
        "cpu": used.seconds / frames * 1e6,
        "machine": (used.machine - used.guest - sender_cpu) / frames * 1e6,
        "switches": used.switches / frames,
    }


@contextlib.contextmanager
def machines():
    """{path: Machine}, booted side by side; idle ones cost next to nothing."""
    with contextlib.ExitStack() as stack:
        shutil.copytree(f"{lab.build_dir}/bench-guest", test_guest.FILES)
        os.chmod(test_guest.FILES, 0o755)
        found = {}
        fd = bridge_tap()
        device = ["-device", f"virtio-net-pci,netdev=n0,mac={MAC}"]
        found["tap + bridge"] = Machine("10.81.0", 10, "gb", ["-netdev", f"tap,id=n0,fd={fd}", *device], [fd])
        os.close(fd)
        talking_wire("gl", "10.82.0")
        stack.enter_context(lab.network("guest-strict", Parent="gl0", Kinds="tap packet"))
        connection = stack.enter_context(bus.connect("member"))
        lease = connection.open_tap("guest-strict")
        device = ["-device", f"virtio-net-pci,netdev=n0,mac={lease.info['mac']}"]
        found["tap lease"] = Machine("10.82.0", 10, "gl", ["-netdev", f"tap,id=n0,fd={lease.fds[0]}", *device], lease.fds)
        lease.close_fds()
        back = stack.enter_context(vhost.back_end("guest-strict"))
        stack.callback(back.end)  # which keeps to itself what it said
        found["rawnet-vhost, strict"] = Machine("10.82.0", 11, "gl", [], back=back)
        for one in found.values():
            stack.callback(one.end)
        server = stack.enter_context(subprocess.Popen(far_command("tcp-serve"), stdout=subprocess.PIPE, text=True))
        stack.callback(server.kill)
        server.stdout.readline()
        for one in found.values():
            one.set_up()
        yield found
