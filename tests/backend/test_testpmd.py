# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's dpdk-testpmd on rawnet-vhost: DPDK's virtio-user, a front end and a driver in one process, at full speed. Its huge pages stay out
(--no-huge): it is an ordinary process of an ordinary user."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading

import frames
import lab
import tap
import vhost

ADDRESS = "02:00:00:00:fa:31"  # of the far end's frames
MANY = 20000


class Testpmd:
    """The process, and its prompt."""

    def __init__(self, back, mode, queues=1, options=()):
        self.directory = os.path.dirname(back.socket)
        self.mac = back.mac
        self.far_sent = far_counts()[1]  # before it was there
        device = f"net_virtio_user0,path={back.socket},queues={queues},mac={back.mac}" + (",server=1" if back.connects else "")
        command = ["stdbuf", "-oL", "dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry", f"--vdev={device}", "--",
                   f"--forward-mode={mode}", "--total-num-mbufs=8192", f"--rxq={queues}", f"--txq={queues}", "--interactive",
                   *options]  # fmt: skip
        # Its driver logs to stderr, in the middle of the dialogue.
        self.log = tempfile.TemporaryFile()
        self.process = lab.popen_as("member", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                    env={"XDG_RUNTIME_DIR": self.directory})  # fmt: skip
        self.said = queue.Queue()
        self.text = ""  # not looked at yet
        threading.Thread(target=self._listen, daemon=True).start()
        self.until("testpmd> ")

    def _listen(self):
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.said.put(data.decode(errors="replace"))
        self.said.put(None)

    def logged(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def until(self, words, seconds=40):
        """Everything up to the words: a prompt, which has no end of line, or news of its own, which may come behind a prompt."""
        while words not in self.text:
            try:
                piece = self.said.get(timeout=tap.patience(seconds))
            except queue.Empty:
                piece = None
            assert piece is not None, f"no {words!r} from testpmd (status {self.process.poll()}): {self.text[-2000:]}\n{self.logged()[-2000:]}"
            self.text += piece
        before, _, self.text = self.text.partition(words)
        return before

    def run(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        # It repeats what it was told.
        self.until(line)
        return self.until("testpmd> ")

    def counts(self):
        """(received, sent) of its port."""
        text = self.run("show port stats 0")
        return tuple(int(re.search(rf"{way}-packets: (\d+)", text)[1]) for way in ("RX", "TX"))

    def queues_used(self):
        """[(received, sent)] of each of several queues, as `stop` tells them; that stops forwarding, too."""
        found = re.findall(r"RX Port= 0/Queue= *\d+ .*\n *RX-packets: (\d+) +TX-packets: (\d+)", self.run("stop"))
        return [(int(received), int(sent)) for received, sent in found]

    def end(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait(tap.patience(20))


@contextlib.contextmanager
def testpmd(back, mode, **options):
    started = Testpmd(back, mode, **options)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.end()


def far_counts():
    stats = lab.ip("-s", "link", "show", "wire", where=lab.FAR)[0]["stats64"]
    return stats["rx"]["packets"], stats["tx"]["packets"]


def sends(front):
    """What it sends is on the wire, whole and with the lease's address."""
    with frames.WirePort() as wire:
        wire.drain()
        front.run("start")
        source = frames.mac_bytes(front.mac)
        frame = wire.wait(lambda seen: seen[6:12] == source and seen[12:14] == b"\x08\x00", 10)
        assert len(frame) == 64, frame.hex()
    before = far_counts()[0]
    lab.wait_for(lambda: far_counts()[0] - before >= MANY, 20, f"{MANY} frames from testpmd")


def receives(front, back, sources=1):
    """What the far end sends reaches it: each frame once it has room, and none made up."""
    front.run("start")
    before = front.counts()[0]
    with frames.WirePort() as wire:
        sent = 0
        while front.counts()[0] - before < 1000:
            # Different addresses, so that queues share them.
            for number in range(64):
                packet = frames.udp(f"10.77.1.{number % sources + 1}", "10.77.0.99", 1000 + number % sources, 9, bytes(18))
                wire.send(frames.ether(back.mac, ADDRESS, frames.IPV4, packet))
            sent += 64
            assert sent < 200000, f"{front.counts()[0] - before} of {sent} frames arrived"
    # The neighbour has things to say as well.
    received = front.counts()[0]
    assert received <= far_counts()[1] - front.far_sent, f"{received} received, {sent} of them sent here"


@tap.limit(120)
def test_both_directions():
    with vhost.back_end("lab") as back:
        with testpmd(back, "txonly") as front:
            sends(front)
        # It was killed in the middle of that; the next one on the same port.
        with testpmd(back, "rxonly") as front:
            receives(front, back)
        with testpmd(back, "txonly") as front:
            sends(front)
        status, said = back.end()
        assert status == 0 and said.count("front end has disconnected") == 3, (status, said)


@tap.limit(120)
def test_two_queues():
    with vhost.back_end(queues=2) as back:
        with testpmd(back, "rxonly", queues=2) as front:
            receives(front, back, sources=32)
            used = front.queues_used()
            assert len(used) == 2 and all(received for received, _ in used), used
        with testpmd(back, "txonly", queues=2) as front:
            sends(front)
            used = front.queues_used()
            assert len(used) == 2 and all(sent for _, sent in used), used


@tap.limit(120)
def test_back_end_restarted():
    """The front end listens (server=1), and the back end is killed under it: the next one serves the same device."""
    with vhost.back_end(connects=True) as back, testpmd(back, "txonly") as front:
        sends(front)
        back.end(signal.SIGKILL)
        front.until("link state change event")
        front.run("stop")
        back.start()
        sends(front)


if __name__ == "__main__":
    tap.main()
