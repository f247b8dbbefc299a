# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest in stock QEMU on rawnet-vhost: its virtio-net driver, its TCP, its offloads."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess

import bus
import console
import lab
import tap
import vhost

NEIGHBOUR = console.Console.neighbour
FILES = f"{lab.LAB}/tmp/guest"
PLAIN_QEMU = ["qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none"]
BOOT = ["-cpu", "max", "-serial", "stdio", "-kernel", f"{FILES}/vmlinuz", "-initrd", f"{FILES}/initrd",
        "-append", "console=ttyS0 quiet panic=-1 no_timer_check"]  # fmt: skip


def files():
    """The kernel and the initramfs (tools/test makes them), where member can read them."""
    if not os.path.exists(FILES):
        shutil.copytree(f"{lab.build_dir}/guest", FILES)
        os.chmod(FILES, 0o755)


class Guest(console.Console):
    """A booted guest and its shell."""

    def __init__(self, back, *options, reconnect=False, device="", queues=1, reboots=False):
        boot = [*BOOT, *([] if reboots else ["-no-reboot"]), *options]
        self._start(vhost.qemu(back, *boot, device=device, reconnect=reconnect, queues=queues))

    def _start(self, command, **options):
        files()
        self.process = lab.popen_as("member", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, errors="replace", **options)  # fmt: skip
        self.attach(self.process.stdout, self.process.stdin)

    def ended(self):
        return f"status {self.process.poll()}"

    def end(self):
        self.process.kill()
        self.process.wait()


class OldSpelling(Guest):
    """The same by rawnetctl qemu, on that network."""

    def __init__(self, network, *options, card="virtio-net-pci,netdev=n0", qemu=PLAIN_QEMU):  # pylint: disable=super-init-not-called
        self._start(["rawnetctl", "qemu", "--", *qemu, *BOOT, "-no-reboot", "-netdev", f"raw,id=n0,network={network}",
                     "-device", card, *options])  # fmt: skip


class ByName(Guest):
    """The same on a tap that QEMU opens by its name."""

    def __init__(self, network, *options):  # pylint: disable=super-init-not-called
        self._start(["rawnetctl", "run", "--kind", "veth", "--tap", "tap0", network, "--", *PLAIN_QEMU, *BOOT, "-no-reboot",
                     "-netdev", "tap,id=n0,ifname=tap0,script=no,downscript=no", "-device", "virtio-net-pci,netdev=n0,mac={mac}",
                     *options])  # fmt: skip


@contextlib.contextmanager
def guest(back, *options, **named):
    started = Guest(back, *options, **named)
    try:
        yield started.boot()
    finally:
        started.end()


def features(one):
    return one.run("cat /sys/class/net/eth0/device/features")


PLAIN = ",csum=off,host_tso4=off,host_tso6=off,host_ecn=off,guest_csum=off," \
        "guest_tso4=off,guest_tso6=off,guest_ecn=off,mrg_rxbuf=off,event_idx=off,indirect_desc=off"


def qmp(path, *commands):
    """Runs commands on a QMP socket; their answers."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(tap.patience(20))
        sock.connect(path)
        stream = sock.makefile("rw", encoding="utf-8")
        stream.readline()
        answers = []
        for command in ("qmp_capabilities", *commands):
            stream.write(json.dumps({"execute": command}) + "\n")
            stream.flush()
            while "return" not in (answer := json.loads(stream.readline())):
                assert "error" not in answer, answer
            answers.append(answer["return"])
        return answers[1:]


@tap.limit(300)
def test_offloads_and_interruptions():
    with vhost.back_end() as back:
        control = f"{os.path.dirname(back.socket)}/qmp"
        with guest(back, "-qmp", f"unix:{control},server=on,wait=off", reconnect=True) as one:
            bits = features(one)
            assert all(bits[bit] == "1" for bit in (0, 1, 7, 8, 11, 12, 15, 28, 29, 32)), bits
            one.run("get_address")
            one.run(f"ping -c 3 -W 5 {NEIGHBOUR}")
            one.move()
            # The driver releases the device, which resets it, and takes it again.
            one.run("cd /sys/bus/virtio/drivers/virtio_net; d=$(ls -d virtio*); echo $d >unbind; echo $d >bind; cd /")
            one.run("get_address")
            one.move()
            assert qmp(control, "stop", "query-status", "cont", "query-status")[1]["status"] == "paused"
            one.move()
            # Killed in front of a running guest; the next one goes on with the same rings.
            back.end(signal.SIGKILL)
            back.start()
            one.run(f"ping -c 60 -i 1 -W 1 {NEIGHBOUR} | grep -m 1 -q seq=", 90)
            one.move()
        # QEMU was killed: the port waits for the next one.
        with guest(back) as one:
            one.run("get_address")
        status, said = back.end()
        assert status == 0 and said.count("front end has disconnected") == 2, (status, said)


@tap.limit(200)
def test_guest_without_offloads():
    """Frames of the wire's length with finished checksums, though the wire itself leaves both to the receiver."""
    with vhost.back_end() as back, guest(back, device=PLAIN) as one:
        bits = features(one)
        assert not any(bits[bit] == "1" for bit in (0, 1, 7, 8, 11, 12, 15, 28, 29)), bits
        one.run("get_address")
        one.move()


@tap.limit(200)
def test_legacy_guest():
    """Header of 10 bytes, no VERSION_1."""
    with vhost.back_end() as back, guest(back, device=",disable-modern=on,mrg_rxbuf=off") as one:
        assert features(one)[32] == "0"
        one.run("get_address")
        one.move()


@tap.limit(200)
def test_two_queues():
    with vhost.back_end(queues=2) as back, guest(back, "-smp", "2", queues=2) as one:
        one.run("get_address")
        assert one.run("ls -d /sys/class/net/eth0/queues/tx-*").count("tx-") == 2
        one.move()


@tap.limit(200)
def test_looking_by_itself():
    """With --busy-poll the back end looks for a while before it sleeps: what comes after that while is served as well."""
    with vhost.back_end("lab", "--busy-poll=500") as back, guest(back) as one:
        one.run("get_address")
        assert "4 packets received" in one.run(f"ping -c 4 -i 1 -W 5 {NEIGHBOUR}")
        one.move()


def far_packets():
    return lab.ip("-s", "link", "show", "wire", where=lab.FAR)[0]["stats64"]["rx"]["packets"]


@contextlib.contextmanager
def stream_from(one, seconds):
    """The guest sends datagrams one after the other; begins when they come in thousands."""
    before = far_packets()
    one.say(f"traffic udp-send {seconds} {NEIGHBOUR}")
    lab.wait_for(lambda: far_packets() - before > 5000, 30, "the guest's stream")
    yield


def far_pings(address):
    done = lab.run_far(["ping", "-c", "3", "-i", "0.2", "-W", "10", address])
    assert done.returncode == 0, done


@tap.limit(200)
def test_streams():
    """What goes one way for long is served in batches: a question in between is answered, the wire's flood drowns nothing, and the end of
    the lease is noticed in the middle of it."""
    with vhost.back_end() as back, guest(back) as one:
        one.run("get_address")
        address = one.run("ip -4 -o addr show dev eth0 | awk '{ print $4 }'").partition("/")[0]
        with stream_from(one, 3):
            far_pings(address)
        one.answer("udp-send")
        one.move()
        done = lab.run_far([f"{lab.build_dir}/tests/bench/traffic", "udp-send", "2", address])
        assert done.returncode == 0, done
        far_pings(address)
        one.move()
        with stream_from(one, 60):
            lab.run_as("member", ["rawnetctl", "close", str(lab.lease_ids()[0])], check=True)
            assert back.process.wait(tap.patience(10)) == 4
        assert "the lease has ended" in back.end()[1]


CARRIER = "cat /sys/class/net/eth0/carrier"


@tap.limit(300)
def test_the_guests_link():
    """rawnet-vhost(1): it is up while the back end serves it, and a tap's is ever. What the parent has of a link the guest does not see."""
    def ip(*lines):
        for line in lines:
            subprocess.run(["ip", "link", *line.split()], check=True)

    for kind in ("packet", "tap"):
        ip("add card0 type veth peer name socket0", "set card0 up", "set socket0 up")
        one = None
        try:
            with lab.network("unplugged", Parent="card0"):
                one = OldSpelling(f"unplugged,kind={kind}").boot()
                one.run("ip link set eth0 up")
                for line in ("set socket0 down", "set card0 down", "set card0 up", "set socket0 up"):
                    ip(line)
                    assert one.run(CARRIER) == "1", line
                ip("del card0")
                if kind == "packet":
                    # The shell's read waits for a second: nothing is typed.
                    one.run(f"for i in $(seq 30); do [ $({CARRIER}) = 0 ] && break; read -r -t 1 _; done; [ $({CARRIER}) = 0 ]")
                else:
                    lab.wait_for(lambda: " ended " in lab.run_as("member", ["rawnetctl", "list"]).stdout, 20, "the lease's end")
                    assert one.run(CARRIER) == "1"
        finally:
            if one:
                one.end()
            subprocess.run(["ip", "link", "del", "card0"], check=False, capture_output=True)
        lab.wait_no_leases()


RESET_FUNCTION = """cd /sys/bus/virtio/drivers/virtio_net
d=$(ls -d virtio*)
echo $d >unbind
echo 1 >/sys/bus/virtio/devices/$d/../reset
echo $d >bind
cd /"""


@tap.limit(200)
def test_tap_by_name():
    """With the driver's offloads, IPv6, pings both ways and a neighbour's question for the address."""
    one = ByName("lab")
    try:
        one.boot().run("get_address")
        one.move()
        far_pings(one.run("ip -4 -o addr show dev eth0 | awk '{ print $4 }'").partition("/")[0])
        far_pings(one.run("until ip -6 -o addr show dev eth0 scope global | grep -q -v tentative; do read -r -t 1 _; done; "
                          "ip -6 -o addr show dev eth0 scope global | awk '{ print $4 }'").partition("/")[0])  # fmt: skip
    finally:
        one.end()
    lab.wait_no_leases()


@tap.limit(300)
def test_reboots_and_resets():
    """Whoever resets the machine or the device: the port works again."""
    with vhost.back_end() as back:
        control = f"{os.path.dirname(back.socket)}/qmp"
        # On PCI Express the function can be reset by itself.
        with guest(back, "-M", "q35", "-device", "pcie-root-port,id=slot1,chassis=1", "-qmp", f"unix:{control},server=on,wait=off",
                   device=",bus=slot1", reboots=True) as one:  # fmt: skip
            one.run("get_address")
            one.move()
            qmp(control, "system_reset")
            one.boot().run("get_address")
            one.move()
            one.say("reboot -f")
            one.boot().run("get_address")
            one.move()
            one.run(RESET_FUNCTION.replace("\n", " && "))
            one.run("get_address")
            one.move()
        status, said = back.end()
        assert status == 0 and said.count("\n") == 1, (status, said)


@contextlib.contextmanager
def long_frames(mtu):
    """A wire of that MTU, and a network on it."""

    def set_mtu(value):
        for namespace in ([], ["-n", lab.FAR]):
            subprocess.run(["ip", *namespace, "link", "set", "wire" if namespace else "wire0", "mtu", str(value)], check=True)

    set_mtu(mtu)
    try:
        with lab.network("jumbo", MTU=mtu):
            yield
    finally:
        set_mtu(1500)


def talk_in_long_frames(one, mtu):
    assert one.run("cat /sys/class/net/eth0/mtu") == str(mtu)
    assert features(one)[3] == "1", features(one)
    one.run("get_address")
    one.move()
    address = one.run("ip -4 -o addr show dev eth0 | awk '{ print $4 }'").partition("/")[0]
    # As long as the link takes (IPv4 and ICMP headers are in it), and not in pieces.
    done = lab.run_far(["ping", "-M", "do", "-s", str(mtu - 28), "-c", "3", "-i", "0.2", "-W", "10", address])
    assert done.returncode == 0, done


@tap.limit(300)
def test_long_frames():
    """MTU 9000, which VIRTIO_NET_F_MTU reports to the guest; with offloads, and without."""
    with long_frames(9000):
        with vhost.back_end("jumbo", "--mtu=9000") as back, guest(back, device=f",host_mtu={back.mtu}{PLAIN}") as one:
            talk_in_long_frames(one, 9000)
        # rawnetctl qemu says it by itself.
        one = OldSpelling("jumbo").boot()
        try:
            talk_in_long_frames(one, 9000)
        finally:
            one.end()
        lab.wait_no_leases()


@tap.limit(300)
def test_xdp():
    """The back end is not told which offloads XDP turns off. Without their control the guest's driver refuses XDP, and TCP goes on;
    on a tap XDP works. (With the control XDP is attached on the packet port, and TCP stops.)"""
    for kind, said in (("packet", "xdp: Operation not supported"), ("tap", "attached")):
        one = OldSpelling(f"lab,kind={kind}").boot()
        try:
            one.run("get_address")
            assert one.run(": >/tmp/xdp; xdp eth0 >/tmp/xdp & until grep -q . /tmp/xdp; do read -r -t 1 _; done; cat /tmp/xdp") == said
            one.move()
        finally:
            one.end()
        lab.wait_no_leases()


@tap.limit(200)
def test_memory_that_is_not_shared():
    """The guest waits for ever; the back end says what to change."""
    for options, sentence in ((["-mem-path", "/dev/shm"], "although the guest kicks it"), (["-M", "pc"], "within one region")):
        with vhost.back_end() as back:
            line = [word for word in vhost.qemu(back, *BOOT, "-no-reboot", *options)]
            at = line.index("-object")
            del line[at : at + 4]
            one = Guest.__new__(Guest)
            one._start(line)  # pylint: disable=protected-access
            try:
                one.boot().run("ip link set eth0 up; ping -c 2 -W 1 -I eth0 10.77.0.1", status=None)
            finally:
                one.end()
            status, said = back.end()
            tap.diag(said)
            assert sentence in said and "share=on" in said, (status, said)


FALL_BACK = [word for word in PLAIN_QEMU if word not in ("-accel", "tcg")] + ["-accel", "kvm", "-accel", "tcg"]


@tap.limit(500)
def test_what_a_linux_driver_does_with_each_spelling():
    """A Linux guest switches MSI-X on where it finds it: in front of a vhost-user back end, without KVM, this QEMU ends with SIGSEGV then."""
    for card, qemu, kind in (("virtio-net,netdev=n0", PLAIN_QEMU, "packet"), ("virtio-net-pci-non-transitional,netdev=n0,", FALL_BACK, "packet"),
                             ("virtio-net-pci,netdev=n0,vectors=6", PLAIN_QEMU, "tap")):  # fmt: skip
        one = OldSpelling("lab", card=card, qemu=qemu).boot()
        try:
            with bus.connect("member") as connection:
                (lease,) = connection.leases().values()
            assert lease["Kind"] == kind, (card, lease)
            one.run("get_address")
            one.move()
            # No control of offloads, which the back end would not see: XDP in the guest is refused and not mute.
            assert features(one)[2] == ("0" if kind == "packet" else "1"), features(one)
        finally:
            one.end()
        lab.wait_no_leases()


if __name__ == "__main__":
    tap.main()
