# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo, inside the lab: an unprivileged user boots a guest on a rawnet port, first a tap and then an AF_PACKET socket, and everything
is checked from both ends."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import bus
import lab

IN_VM = bool(os.environ.get("RAWNET_VM"))
# In tools/vm the emulated processor has virtualization, so the guest's need not be emulated once more (tools/vm.d/guest.py).
ACCELERATION = ["-accel", "kvm", "-cpu", "host"] if IN_VM and os.path.exists("/dev/kvm") else ["-accel", "tcg", "-cpu", "max"]
SIZES = {"tap": 20_000_000, "packet": 20_000_000}  # of TCP, each way
SECONDS = 600  # for the guest's next word; an emulated processor on a busy machine took 200 for one upload
HERE = os.path.dirname(os.path.abspath(__file__))
STARTED = time.monotonic()


class Demo:
    def __init__(self, directory):
        self.checks = []  # (good, sentence)
        self.network = "vlan100" if lab.has_vlan() else "lab"
        self.neighbour = ("10.77.100.1", "fd77:100::1") if lab.has_vlan() else ("10.77.0.1", "fd77::1")
        self.scratch = f"{lab.LAB}/tmp/demo"
        os.mkdir(self.scratch, 0o755)
        for name in ("vmlinuz", "initrd"):
            shutil.copyfile(f"{directory}/{name}", f"{self.scratch}/{name}")
        self.guest = self.kind = None
        with bus.connect("member") as connection:
            self.completes = "checksum-trick" in connection.features()  # ARCHITECTURE.md, the completing veth
        self.said = {}
        self.news = threading.Condition()

    # -- telling

    def step(self, text):
        print(f"\n[{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)

    def show(self, text):
        for line in text.rstrip().splitlines():
            print(f"          {line}", flush=True)

    def check(self, good, sentence):
        self.checks.append((bool(good), sentence))
        self.show(f"{'ok' if good else 'NOT OK'}: {sentence}")

    def output(self, user, *command, **options):
        """Shows a command of a user and what it printed; CompletedProcess."""
        self.show(f"{user}$ {' '.join(command)}")
        done = lab.run_as(user, command, **options)
        self.show(done.stdout + done.stderr)
        return done

    # -- the guest

    def boot(self, kind):
        """The same guest by a port of that kind."""
        # no_timer_check: on a busy machine an emulated timer misses the kernel's test for a broken one, which then panics
        # (Documentation/admin-guide/kernel-parameters.txt; seen).
        qemu = ["qemu-system-x86_64",
                "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", *ACCELERATION,
                "-m", "256", "-serial", "stdio",
                "-kernel", f"{self.scratch}/vmlinuz", "-initrd", f"{self.scratch}/initrd",
                "-append", f"console=ttyS0 quiet panic=-1 no_timer_check NEIGHBOUR4={self.neighbour[0]} "
                           f"NEIGHBOUR6={self.neighbour[1]} SIZE={SIZES[kind]}"]  # fmt: skip
        if kind == "tap":
            command = ["rawnetctl", "run", self.network, "--", *qemu, "-netdev", "tap,id=n0,fd={fd}",
                       "-device", "virtio-net-pci,netdev=n0,mac={mac}"]  # fmt: skip
        else:
            command = ["rawnetctl", "qemu", "--", *qemu, "-netdev", f"raw,id=n0,network={self.network}",
                       "-device", "virtio-net-pci,netdev=n0"]  # fmt: skip
        self.show("member$ " + " ".join(command))
        self.kind, self.said = kind, {}
        self.guest = lab.popen_as("member", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, errors="replace", preexec_fn=on_one_processor)  # fmt: skip
        threading.Thread(target=self.listen, args=(self.guest, self.said), daemon=True).start()

    def listen(self, guest, said):
        """Keeps what the guest says; its console also shows what went wrong."""
        log = []
        for line in guest.stdout:
            log.append(line)
            found = re.search(r"demo: (\S+) ?(.*)", line.rstrip())
            if found:
                self.show(f"guest: {found[1]} {found[2]}")
                with self.news:
                    said[found[1]] = found[2]
                    self.news.notify_all()
        with self.news:
            said["end"] = ""
            if "off" not in said:
                self.show("the guest's console ended with:\n" + "".join(log[-15:]))
            self.news.notify_all()

    def heard(self, key):
        """The guest's word for key, waited for; '' when the guest ended without it, or is too slow."""
        with self.news:
            if not self.news.wait_for(lambda: key in self.said or "end" in self.said, SECONDS):
                self.show(f"the guest has not said '{key}' within {SECONDS} s: this machine may be too busy")
        return self.said.get(key, "")

    # -- the parts

    def policy(self):
        self.step("outsider, who is not in group rawnet, asks for the same network and is refused by polkit")
        done = self.output("outsider", "rawnetctl", "run", self.network, "--", "true")
        self.check(done.returncode == 125 and done.stderr, "outsider gets no port, and is told why")

    def talk(self):
        self.step("the guest comes up on the wire")
        mac = self.heard("mac")
        assert mac, "the guest did not start, its last words are above"
        address4 = self.heard("dhcp").split("/")[0]
        address6 = self.heard("ra").split("/")[0]
        self.check(address4.startswith(self.neighbour[0].rsplit(".", 1)[0]), f"DHCP gave the guest {address4}")
        self.check(address6, f"the neighbour's router advertisement gave it {address6}")
        self.check("3 packets received" in self.heard("ping4"), "the guest pings the neighbour, IPv4")
        self.check("3 packets received" in self.heard("ping6"), "the guest pings the neighbour, IPv6")
        for address in (address4, address6):
            done = lab.run_far(["ping", "-c", "3", "-i", "0.2", "-W", "5", "-q", address or "0.0.0.0"])
            self.check(done.returncode == 0, f"the neighbour pings the guest, {address}")
        return mac, address4

    def listings(self, mac, address4):
        self.step("meanwhile: what rawnetctl shows, what polkit was asked, and a second port for a plain program")
        done = self.output("member", "rawnetctl", "list")
        self.check(done.returncode == 0 and self.network in done.stdout, "rawnetctl list shows the guest's lease")
        asked = [entry for entry in lab.questions() if entry["user"] == "member"]
        for entry in asked:
            self.show("polkit was asked: " + " ".join(f"{key}={value}" for key, value in entry.items()))
        self.check([(entry["action"], entry.get("network")) for entry in asked] == [("org.rawnet1.open-tap", self.network)],
                   "polkit was asked once, for exactly this network and kind")  # fmt: skip
        done = self.output("member", "rawnetctl", "run", "--kind", "packet", self.network, "--", "/usr/bin/python3",
                           f"{self.scratch}/frames.py", "{fd}", "{mac}", address4)
        self.check(done.returncode == 0 and mac and mac in done.stdout,
                   "a plain program on a packet lease reads frames, the guest's answer among them")  # fmt: skip

    def back_end(self, mac):
        self.step("meanwhile: what serves the guest's network card")
        done = self.output("member", "rawnetctl", "list")
        self.check(mac in done.stdout and "packet" in done.stdout, "rawnetctl list shows the guest's packet lease")
        asked = [(entry["action"], entry.get("network")) for entry in lab.questions() if entry["user"] == "member"]
        self.check(asked[-1] == ("org.rawnet1.open-packet", self.network), "polkit was asked for exactly this network and kind")
        pids = back_ends()
        self.check(len(pids) == 1, "one process, rawnet-vhost, is between the AF_PACKET socket and the guest's rings")
        for pid in pids:
            status = status_of(pid)
            words = {key: status[key].split()[0] for key in ("Uid", "CapEff", "NoNewPrivs", "Seccomp", "RssAnon", "RssFile")}
            self.show(" ".join(f"{key}: {value}" for key, value in words.items()))
            self.check(int(words["CapEff"], 16) == 0 and words["Seccomp"] == "2" and words["Uid"] == str(lab.uid_of("member")),
                       "it is member's own, without a capability and under seccomp")  # fmt: skip

    def bulk(self):
        size = SIZES[self.kind]
        self.step(f"{size / 1e6:g} MB over TCP in each direction")
        expected = hashlib.sha256(hashlib.shake_128(b"rawnet").digest(size)).hexdigest()
        self.check(self.heard("download") == f"{expected} {size}", "neighbour to guest: every byte as sent (sha256)")
        self.check(self.heard("upload") == f"{expected} {size}", "guest to neighbour: every byte as sent (sha256)")
        far = lab.run_far(["sh", "-c", "cat /proc/net/snmp"]).stdout
        errors = [self.heard("checksum-errors"), far_errors(far)]
        self.check(errors == ["0 0", 0], f"no checksum error in the guest or at the neighbour ({errors[0]}, {errors[1]})")
        features = subprocess.run(["ethtool", "-k", "wire0"], capture_output=True, text=True, check=True).stdout
        on = [name for name in ("tx-checksumming", "tcp-segmentation-offload") if f"{name}: on" in features]
        self.check(len(on) == 2, f"the wire had {' and '.join(on)} on all the while")

    def power_off(self):
        self.step("the guest powers off")
        with contextlib.suppress(BrokenPipeError):  # it may have ended on its own: its status tells
            self.guest.stdin.write("off\n")
            self.guest.stdin.flush()
        status = self.guest.wait(60)
        self.check(status == 0, f"QEMU's exit status came through rawnetctl {'run' if self.kind == 'tap' else 'qemu'}: {status}")
        lab.wait_for(lambda: not lab.lease_ids(), 10, "the end of the lease's namespace")
        done = self.output("member", "rawnetctl", "list", "--json")
        self.check(done.returncode == 0 and not re.search(r'"id"', done.stdout), "rawnetctl list is empty")
        if self.kind == "packet":
            self.check(not back_ends(), "the back end has gone with it")
        links = sorted(lab.links())
        self.check(links == ["lo", "wire0"], f"the host has only its own interfaces: {' '.join(links)}")
        namespaces = subprocess.run(["lsns", "--noheadings", "--type", "net", "--output", "NS,COMMAND"],
                                        capture_output=True, text=True, check=True).stdout.splitlines()  # fmt: skip
        # The helper keeps an empty one ready for the next open (helper/daemon/pool.h).
        ready = [line for line in namespaces if "rawnet-helper" in line]
        self.check(len(namespaces) - len(ready) == 2 and len(ready) <= 1,
                   "no lease's network namespace is left, only the host's, the neighbour's and the helper's empty one")  # fmt: skip


def container(demo):
    """A rootless container of podman's, if podman is there. Debian 12's has no network drivers of others, so rawnetctl attach serves every
    release."""
    if not shutil.which("podman"):
        demo.step("no container: podman is not installed (apt install podman)")
        return
    demo.step("a rootless container of podman's, without a network: member attaches it to the same one")
    make_root(f"{demo.scratch}/box")
    address = f"{demo.neighbour[0].rsplit('.', 1)[0]}.9"
    done = podman(demo, "run", "--detach", "--name", "box", "--network", "none", "--cap-add", "NET_ADMIN,NET_RAW", "--cgroups", "disabled",
                  "--rootfs", f"{demo.scratch}/box", "busybox", "tail", "-f", "/dev/null")  # fmt: skip
    if done.returncode:
        demo.show("podman cannot run a container here, so none is shown")
        return
    try:
        pid = podman(demo, "inspect", "--format", "{{.State.Pid}}", "box").stdout.strip()
        done = demo.output("member", "rawnetctl", "attach", "--pid", pid, demo.network)
        demo.check(done.returncode == 0, "the container has an interface on the network")
        podman(demo, "exec", "box", "busybox", "ip", "address", "add", f"{address}/24", "dev", "eth0")
        done = podman(demo, "exec", "box", "busybox", "ping", "-c", "3", "-q", demo.neighbour[0])
        demo.check(done.returncode == 0, "the container pings the neighbour")
        done = lab.run_far(["ping", "-c", "3", "-i", "0.2", "-W", "5", "-q", address])
        demo.check(done.returncode == 0, f"the neighbour pings the container, {address}")
        done = demo.output("member", "rawnetctl", "list")
        demo.check("veth" in done.stdout, "rawnetctl list shows its lease")
    finally:
        podman(demo, "rm", "--force", "--time", "0", "box")
    lab.wait_for(lambda: not lab.lease_ids(), 10, "the end of the container's lease")
    demo.check(True, "the container is removed, and its lease has ended")


def make_root(path):
    """A root file system with busybox alone, member's own."""
    for name in ("bin", "dev", "etc", "proc", "run", "sys", "tmp"):
        os.makedirs(f"{path}/{name}")
    shutil.copy("/bin/busybox", f"{path}/bin/busybox")
    for name in (path, *(f"{path}/{entry}" for entry in os.listdir(path)), f"{path}/bin/busybox"):
        shutil.chown(name, "member")
    # crun looks what is mounted there (the lab's mounts are its own).
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"], check=False)


def podman(demo, *words):
    """Without systemd, and with no other storage than a directory of member's."""
    return demo.output("member", "podman", "--cgroup-manager=cgroupfs", "--events-backend=none", "--storage-driver=vfs", "--log-level=fatal",
                       *words, timeout=120)  # fmt: skip


def on_one_processor():
    """In tools/vm QEMU and the back end share one of the emulated processors. On two, the guest was reset now and then in the middle of an upload, on
    an idle machine (emulated SVM of QEMU 7.2). Why is not known; on one it has not been seen."""
    if "kvm" in ACCELERATION:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def status_of(pid):
    """/proc/PID/status as a dict."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def back_ends():
    """Process ids of rawnet-vhost."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="ascii") as file:
            if file.read() == "rawnet-vhost\n":
                found.append(pid)
    return found


def far_errors(snmp):
    """Sum of the InCsumErrors of /proc/net/snmp."""
    lines = [line.split() for line in snmp.splitlines()]
    return sum(int(value) for names, values in zip(lines[::2], lines[1::2])
               for name, value in zip(names, values) if name == "InCsumErrors")  # fmt: skip


class Capture:
    """tcpdump in the neighbour's namespace."""

    def __init__(self, path):
        self.path = path
        words = ["ip", "netns", "exec", lab.FAR, "tcpdump", "-i", "wire", "-n", "-U", "-s", "128", "-w", path]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        self.process.stderr.readline()  # "listening on": from here on it sees everything

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=20)

    def read(self, *expression):
        return subprocess.run(["tcpdump", "-r", self.path, "-n", "-e", *expression], capture_output=True,
                              text=True, check=True).stdout  # fmt: skip


def main():
    demo = Demo(sys.argv[1])
    shutil.copyfile(f"{HERE}/frames.py", f"{demo.scratch}/frames.py")
    print(f"\n{'In the virtual machine' if IN_VM else 'On this machine'}: Linux {os.uname().release}, QEMU with {ACCELERATION[1]}.", flush=True)
    if demo.network == "lab":
        print("This kernel has no 802.1Q: the demo uses the untagged network `lab`; tools/demo --vm shows VLANs.")
    capture = Capture(f"{demo.scratch}/wire.pcap")
    demo.policy()
    demo.step("member, an ordinary user (no capability, no_new_privs), boots a guest in stock QEMU")
    rights = lab.run_as("member", ["grep", "-E", "^(Uid|CapEff|CapBnd|NoNewPrivs)", "/proc/self/status"]).stdout
    demo.show(" ".join(rights.split()))
    macs = []
    try:
        demo.boot("tap")
        mac, address4 = demo.talk()
        macs.append(mac)
        demo.listings(mac, address4)
        demo.bulk()
        demo.heard("done")
        demo.power_off()
        demo.step("the same guest in the spelling of 2009, -netdev raw: no tap, frames go between an AF_PACKET socket and the guest's memory")
        demo.boot("packet")
        mac, _ = demo.talk()
        macs.append(mac)
        demo.back_end(mac)
        demo.bulk()
        demo.heard("done")
        demo.power_off()
        container(demo)
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        demo.check(False, f"the demo broke off: {error}")
        return summary(demo)
    finally:
        if demo.guest:
            demo.guest.kill()
    demo.step("what the neighbour's capture has of the guests")
    capture.end()
    for mac in macs:
        show_capture(demo, capture, mac)
    return summary(demo)


def show_capture(demo, capture, mac):
    own = capture.read("ether", "src", mac).splitlines()
    demo.show("\n".join([line[:140] for line in own[:4]] + [f"… {len(own)} frames with the guest's address {mac}"]))
    sizes = [int(size) for size in re.findall(r", length (\d+):", "\n".join(own))]
    demo.check(len(own) > 20, "the guest's own frames, with its own address, were on the wire")
    if demo.network == "vlan100":
        demo.check(all(": vlan 100, p " in line for line in own), "each of them with the tag of VLAN 100")
    largest = max(sizes, default=0)
    if demo.completes:
        demo.show(f"the largest frame had {largest} bytes: this kernel's checksums are completed, and long frames cut, before the guard looks")
    else:
        demo.check(largest > 1518, f"segmentation offload was in use: the largest frame had {largest} bytes")


def summary(demo):
    failed = [sentence for good, sentence in demo.checks if not good]
    print(f"\nSummary: {len(demo.checks) - len(failed)} of {len(demo.checks)} checks passed, {time.monotonic() - STARTED:.0f} s")
    for sentence in failed:
        print(f"  NOT OK: {sentence}")
    if not failed:
        speed = "" if demo.completes else " with full speed-ups"
        print(f"  An ordinary user's guest was on the LAN{speed}, polkit decided, and nothing is left of it.")
    return 1 if failed else 0


sys.exit(main())
