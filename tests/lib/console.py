# SPDX-License-Identifier: GPL-2.0-or-later
"""The shell of a Linux guest that has tests/backend/guest-init.sh as its /init, on the guest's serial line."""

import hashlib
import queue
import re
import threading

import tap

BOOT_SECONDS = 90


def appears(name):
    """A line for run(): until the guest has that interface. Nothing is typed meanwhile: each read waits for a second."""
    return f"for i in $(seq 30); do [ -e /sys/class/net/{name} ] && break; read -r -t 1 _; done; [ -e /sys/class/net/{name} ]"


class Console:
    """Something has to attach() the two ends of the line."""

    neighbour, size = "10.77.0.1", 4 * 1000 * 1000  # with whom, and how many bytes, move() moves

    def attach(self, from_guest, to_guest):
        """Text streams."""
        self.to_guest, self.lines = to_guest, queue.Queue()
        threading.Thread(target=self._listen, args=(from_guest, self.lines), daemon=True).start()

    @staticmethod
    def _listen(stream, lines):
        for line in stream:
            lines.put(line.strip())
        lines.put(None)

    def ended(self):
        """What is known of its end, for the reader."""
        return ""

    def _until(self, pattern, seconds):
        said = []
        while True:
            try:
                line = self.lines.get(timeout=tap.patience(seconds))
            except queue.Empty:
                line = None
            assert line is not None, f"the guest did not say {pattern} ({self.ended()}): " + "\n".join(said[-20:])
            said.append(line)
            if found := re.search(pattern, line):
                return said[:-1], found

    def boot(self):
        self._until("^ready$", BOOT_SECONDS)
        return self

    def say(self, line):
        self.to_guest.write(line + "\n")
        self.to_guest.flush()

    def run(self, line, seconds=60, status=0):
        """Runs a shell line in the guest; what it printed."""
        self.say(line)
        return self.answer(line, seconds, status)

    def answer(self, line, seconds=60, status=0):
        """What a line printed that was said before."""
        said, found = self._until(r"^status (\d+)$", seconds)
        assert status is None or int(found[1]) == status, f"{line}: {found[0]}: {said}"
        return "\n".join(said)

    def move(self):
        """TCP in each direction, every byte as sent, and no checksum wrong at the guest's end."""
        expected = hashlib.sha256(hashlib.shake_128(b"rawnet").digest(self.size)).hexdigest()
        said = self.run(f"move {self.neighbour} {self.size}", 120)
        assert said == f"down {expected}\nup {expected} {self.size}", said
        assert self.run("checksum_errors") == "0"
