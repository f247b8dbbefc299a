# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest in stock QEMU on rawnet-vhost: its virtio-net driver, its TCP, its offloads."""

import contextlib
import hashlib
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading

import lab
import tap
import vhost

BOOT_SECONDS = 90
NEIGHBOUR = "10.77.0.1"
SIZE = 4 * 1000 * 1000
SHA = hashlib.sha256(hashlib.shake_128(b"rawnet").digest(SIZE)).hexdigest()


def files():
    """The kernel and the initramfs (tools/test makes them), where member can read them."""
    directory = f"{lab.LAB}/tmp/guest"
    if not os.path.exists(directory):
        shutil.copytree(f"{lab.build_dir}/guest", directory)
        os.chmod(directory, 0o755)
    return directory


class Guest:
    """A booted guest and its shell."""

    def __init__(self, back, *options, reconnect=False, device="", queues=1):
        directory = files()
        boot = ["-no-reboot", "-cpu", "max", "-serial", "stdio", "-kernel", f"{directory}/vmlinuz", "-initrd", f"{directory}/initrd",
                "-append", "console=ttyS0 quiet panic=-1", *options]  # fmt: skip
        command = vhost.qemu(back, *boot, device=device, reconnect=reconnect, queues=queues)
        self.process = lab.popen_as("member", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, errors="replace")  # fmt: skip
        self.lines = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put(None)

    def _until(self, pattern, seconds):
        said = []
        while True:
            try:
                line = self.lines.get(timeout=tap.patience(seconds))
            except queue.Empty:
                line = None
            assert line is not None, f"the guest did not say {pattern} (status {self.process.poll()}): " + "\n".join(said[-20:])
            said.append(line)
            if found := re.search(pattern, line):
                return said[:-1], found

    def boot(self):
        self._until("^ready$", BOOT_SECONDS)
        return self

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def run(self, line, seconds=60, status=0):
        """Runs a shell line in the guest; what it printed."""
        self.say(line)
        said, found = self._until(r"^status (\d+)$", seconds)
        assert status is None or int(found[1]) == status, f"{line}: {found[0]}: {said}"
        return "\n".join(said)

    def move(self):
        """Megabytes of TCP in each direction, and no checksum wrong at either end."""
        said = self.run(f"move {NEIGHBOUR} {SIZE}", 120)
        assert said == f"down {SHA}\nup {SHA} {SIZE}", said
        assert self.run("checksum_errors") == "0"

    def end(self):
        self.process.kill()
        self.process.wait()


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
            # The driver lets go of the device, which resets it, and takes it again.
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
        assert status == 0 and said.count("front end has gone") == 2, (status, said)


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


if __name__ == "__main__":
    tap.main()
