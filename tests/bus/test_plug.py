# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl plug and unplug: a card with a port behind it, put into a stock QEMU that runs, and taken out again. The guest is what QEMU
brings along: its network boot ROM, which finds the card at the next reset."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import threading

import bus
import frames
import lab
import tap

QEMU = ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none"]
BOOT_SECONDS = 90
HOME = f"{lab.LAB}/home/member"
SOCKET, OURS = f"{HOME}/qmp", f"{HOME}/qmp-test"


class Qmp:
    """The test's own control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(tap.patience(20))
        # The file is there a moment before QEMU listens.
        lab.wait_for(lambda: self.socket.connect_ex(path) == 0, 20, f"QEMU at {path}")
        self.file = self.socket.makefile("rw", encoding="utf-8")
        assert "QMP" in json.loads(self.file.readline())
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while "event" in (answer := json.loads(self.file.readline())):
            pass
        assert "return" in answer, answer
        return answer["return"]

    def get(self, device, name):
        return self.call("qom-get", path=f"/machine/peripheral/{device}", property=name)

    def devices(self):
        """{id: PCI vendor and device} of what was plugged in."""
        return {device["qdev_id"]: (device["id"]["vendor"], device["id"]["device"])
                for pci_bus in self.call("query-pci") for device in pci_bus["devices"] if device["qdev_id"]}  # fmt: skip

    def netdevs(self):
        """The types of those that have no card: a netdev with that id could be added only once."""
        return self.call("human-monitor-command", **{"command-line": "info network"})


@contextlib.contextmanager
def qemu(*words):
    """QEMU of member's with two control sockets: Qmp, process."""
    line = [*QEMU, *words, "-qmp", f"unix:{SOCKET},server=on,wait=off", "-qmp", f"unix:{OURS},server=on,wait=off"]
    with lab.popen_as("member", line, stderr=subprocess.PIPE) as process:
        try:
            yield Qmp(OURS), process
        finally:
            process.kill()
            errors = process.communicate(timeout=tap.patience(20))[1]
            for path in (SOCKET, OURS):
                os.unlink(path)
            if errors:
                tap.diag(errors)
    lab.wait_no_leases()


def rawnetctl(*words, user="member"):
    return lab.run_as(user, ["rawnetctl", *words])


def plugged(*words):
    """What plug printed."""
    done = rawnetctl("plug", "--qmp", SOCKET, *words)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout.strip()


def refused(text, *words, verb="plug", status=1, **options):
    done = rawnetctl(verb, *words, **options)
    assert done.returncode == status and done.stdout == "" and done.stderr.count("\n") == 1 and text in done.stderr, done


def only_holder(process):
    """The lease is QEMU's alone: its end is the lease's."""
    lab.wait_for(lambda: len(lab.lease_ids()) == 1, 10, "the end of other leases")
    process.kill()
    process.wait(20)
    lab.wait_no_leases()


@tap.limit(BOOT_SECONDS + 60)
def test_a_card_appears_and_works():
    mac = "52:54:00:70:00:01"
    with qemu("-boot", "n") as (qmp, _), frames.WirePort() as wire:
        line = plugged("--mac", mac, "--name", "hot", "lab")
        (lease,) = lab.lease_ids()
        name = f"rn{lease:x}"
        assert line == f"{name}: tap on lab, MAC {mac}, MTU 1500, device {name}", line
        assert qmp.devices() == {name: (0x1AF4, 0x1000)}, qmp.devices()
        assert qmp.get(name, "mac") == mac and qmp.call("query-rx-filter", name=name)[0]["main-mac"] == mac
        listed = rawnetctl("list").stdout
        assert name in listed and mac in listed and "hot" in listed, listed
        qmp.call("system_reset")
        source = frames.mac_bytes(mac)
        # A DHCPREQUEST (RFC 2131, option 53 = 3): the offer has come in.
        wire.wait(lambda frame: frame[6:12] == source and frame[12:14] == b"\x08\x00" and b"\x63\x82\x53\x63\x35\x01\x03" in frame,
                  seconds=BOOT_SECONDS)  # fmt: skip
        assert lab.lease_ids() == [lease]


def test_out_again():
    with qemu("-S") as (qmp, _):
        plugged("--id", "wan0", "lab")
        plugged("--id", "lan0", "lab-private")
        assert set(qmp.devices()) == {"wan0", "lan0"} and len(lab.lease_ids()) == 2
        # No guest runs that could release it: a reset does.
        with lab.popen_as("member", ["rawnetctl", "unplug", "--qmp", SOCKET, "wan0"], stderr=subprocess.PIPE) as process:
            lab.wait_for(lambda: resets(qmp, "wan0"), 20, "the card's end")
            errors = process.communicate(timeout=tap.patience(20))[1]
        assert process.returncode == 0, errors
        assert set(qmp.devices()) == {"lan0"} and "wan0" not in qmp.netdevs(), qmp.netdevs()
        lab.wait_for(lambda: len(lab.lease_ids()) == 1, 10, "the first lease's end")
        refused("wan0", "--qmp", SOCKET, "wan0", verb="unplug")
        # Its name is free.
        plugged("--id", "wan0", "lab")


def resets(qmp, name):
    """Resets until the card has gone with one: the first may have come before it was asked to go."""
    qmp.call("system_reset")
    return name not in qmp.devices()


def test_a_guest_that_does_not_let_go():
    with qemu("-S") as (qmp, _):
        plugged("--id", "wan0", "lab")
        for _ in range(2):
            refused("has not released wan0", "--qmp", SOCKET, "wan0", verb="unplug")
        assert "wan0" in qmp.devices() and len(lab.lease_ids()) == 1


def test_multiqueue():
    with bus.connect("member") as member:
        vhost = "vhost-net" in member.get_all(bus.ROOT, bus.MANAGER)["Features"]
    with qemu() as (qmp, process):
        plugged("--id", "n0", "--queues", "4", *(["--vhost"] if vhost else []), "lab")
        assert qmp.get("n0", "mq") is True and qmp.get("n0", "vectors") == 10
        assert qmp.netdevs().count("index=") == 8, qmp.netdevs()
        descriptors = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")]
        assert descriptors.count("/dev/net/tun") == 4 and descriptors.count("/dev/vhost-net") == 4 * vhost, descriptors
        only_holder(process)


def test_learn_leaves_the_mac_to_qemu():
    with qemu() as (qmp, process):
        assert "(learning)" in plugged("--mac", "learn", "--id", "n0", "lab")
        assert qmp.get("n0", "mac").startswith("52:54:00:")
        only_holder(process)


def test_network_that_chooses_every_address():
    """MACChoice=derived."""
    with lab.network("fixed", MACChoice="derived"), qemu() as (qmp, process):
        for mac in ("52:54:00:12:34:56", "learn"):
            refused("MACChoice=derived", "--qmp", SOCKET, "--mac", mac, "--id", "n0", "fixed")
            assert not lab.lease_ids() and not qmp.devices(), mac
        plugged("--name", "web", "--id", "n0", "fixed")
        assert list(qmp.devices()) == ["n0"]
        only_holder(process)


def test_what_fails_is_undone():
    with qemu() as (qmp, process):
        before = len(os.listdir(f"/proc/{process.pid}/fd"))
        refused("nosuchbus", "--qmp", SOCKET, "--bus", "nosuchbus", "--id", "n0", "--queues", "2", "lab")
        lab.wait_no_leases()
        plugged("--id", "n0", "lab")
        # The second of that id: netdev_add says no, and the descriptors are taken back.
        refused("n0", "--qmp", SOCKET, "--id", "n0", "--queues", "3", "lab")
        lab.wait_for(lambda: len(lab.lease_ids()) == 1, 10, "the second lease's end")
        assert list(qmp.devices()) == ["n0"] and qmp.netdevs().count("index=0") == 2, qmp.netdevs()
        lab.wait_for(lambda: len(os.listdir(f"/proc/{process.pid}/fd")) == before + 1, 10, "all descriptors but the card's")
        refused("nosuch", "--qmp", SOCKET, "nosuch")
        only_holder(process)


def test_pretty_answers():
    """With pretty=on QEMU writes each message on several lines; a message ends where its object ends."""
    monitor = ("-chardev", f"socket,id=c0,path={SOCKET}-pretty,server=on,wait=off", "-mon", "chardev=c0,mode=control,pretty=on")
    for words in ("-qmp-pretty", f"unix:{SOCKET}-pretty,server=on,wait=off"), monitor:
        with qemu(*words) as (qmp, process):
            done = rawnetctl("plug", "--qmp", f"{SOCKET}-pretty", "--id", "n0", "lab")
            assert done.returncode == 0 and done.stderr == "", done
            assert list(qmp.devices()) == ["n0"]
            only_holder(process)
        os.unlink(f"{SOCKET}-pretty")


def test_q35_without_a_bus():
    with qemu("-M", "q35", "-device", "pcie-root-port,id=slot1,chassis=1") as (qmp, _):
        refused("--bus slot1", "--qmp", SOCKET, "--id", "n0", "lab")
        refused("--bus slot1", "--qmp", SOCKET, "--id", "n0", "--bus", "pcie.0", "lab")
        lab.wait_no_leases()
        line = plugged("--id", "n0", "--bus", "slot1", "lab")
        assert qmp.get("n0", "mac") in line, line


def test_other_ways_to_qemu():
    """What QEMU's -qmp takes beside a UNIX socket: the answer says what to write."""
    for way in ("tcp:127.0.0.1:4444", "tcp:localhost:4444,server=on,wait=off", "telnet:localhost:4444", "stdio", "fd:5"):
        refused("-qmp unix:", "--qmp", way, "lab")
        refused("-qmp unix:", "--qmp", way, "n0", verb="unplug")
    refused("--qmp /run/vm.qmp", "--qmp", "unix:/run/vm.qmp,server=on", "lab")


def test_no_qemu_there():
    refused("-qmp unix:", "--qmp", "/nonexistent/qmp", "lab")
    refused("at most 107 bytes", "--qmp", "/" + "x" * 200, "lab")
    refused("--qmp", "lab", status=2)
    refused("which network", "--qmp", SOCKET, status=2)
    refused("--id is a letter and then", "--qmp", SOCKET, "--id", "0a", "lab", status=2)
    refused("not 'a:b'", "--qmp", SOCKET, "--id", "a:b", "lab", status=2)
    refused("which device", "--qmp", SOCKET, verb="unplug", status=2)
    path = f"{HOME}/not-qemu"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o777)
        listener.listen()
        try:
            for greeting in (b"HTTP/1.1 400 Bad Request\r\n", b"{}\r\n", b"[1]\r\n", b""):
                with lab.popen_as("member", ["rawnetctl", "plug", "--qmp", path, "lab"], stderr=subprocess.PIPE) as process:
                    peer, _ = listener.accept()
                    with peer:
                        peer.sendall(greeting)
                        peer.shutdown(socket.SHUT_WR)
                        errors = process.communicate(timeout=20)[1]
                assert process.returncode == 1 and path in errors and errors.count("\n") == 1, (greeting, errors)
        finally:
            os.unlink(path)
    assert not lab.lease_ids()


@contextlib.contextmanager
def useless_server(path, answers):
    """One that accepts and then says answers for ever; None: one that accepts nobody, with a full queue."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        stack.callback(os.unlink, path)
        os.chmod(path, 0o777)
        listener.listen(0)
        if answers is None:
            with contextlib.suppress(BlockingIOError):
                while True:
                    other = stack.enter_context(socket.socket(socket.AF_UNIX))
                    other.setblocking(False)
                    other.connect(path)
        else:
            threading.Thread(target=talk, args=(listener, answers), daemon=True).start()
        yield


def talk(listener, answers):
    with listener.accept()[0] as peer, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        peer.sendall(b'{"QMP": {}}\r\n{"return": {}, "id": 1}\r\n')
        while not select.select([peer], [], [], 0.1)[0] or peer.recv(4096):
            peer.sendall(answers)


def test_servers_that_answer_nothing_useful():
    """plug gives up in time, says why, and leaves no lease: with one that talks of other things, and one that does not accept."""
    with contextlib.ExitStack() as stack:
        running = []
        for name, answers in ("talks", b'{"event": "RTC_CHANGE"}\r\n'), ("full", None):
            path = f"{HOME}/useless-{name}"
            stack.enter_context(useless_server(path, answers))
            process = lab.popen_as("member", ["rawnetctl", "plug", "--qmp", path, "--queues", "8", "lab"], stderr=subprocess.PIPE)
            running.append((path, stack.enter_context(process)))
            stack.callback(process.kill)
        for path, process in running:
            errors = process.communicate(timeout=tap.patience(40))[1]
            assert process.returncode == 1 and f"QEMU at {path} does not answer" in errors and errors.count("\n") == 1, errors
    lab.wait_no_leases()


def test_killed_in_the_middle():
    """QEMU holds what it was given until the name is used; the lease ends with it at the latest."""
    with qemu() as (_, process):
        with lab.stopped(process.pid):
            with lab.popen_as("member", ["rawnetctl", "plug", "--qmp", SOCKET, "lab"]) as client:
                client.send_signal(signal.SIGKILL)
        only = plugged("--id", "n0", "lab")
        assert "device n0" in only
        only_holder(process)


if __name__ == "__main__":
    tap.main()
