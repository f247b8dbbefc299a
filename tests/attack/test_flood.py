# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 6: a user in no group floods org.rawnet1 on 8 connections. A member beside him opens ports as ever, and rawnetd neither
ends nor grows."""

import contextlib
import statistics
import subprocess
import time

import bus
import lab
import tap

CONNECTIONS = 8
OPENS = 25
MEMORY_KIB = 32 * 1024
HELD_UP = 5  # seconds


@contextlib.contextmanager
def flood(shape, connections=CONNECTIONS, deaf=False):
    command = ["/usr/bin/python3", f"{lab.SOURCE}/tests/attack/flooder.py", shape, str(connections), *(["deaf"] if deaf else [])]
    with lab.popen_as("outsider", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == "flooding\n", process.wait(10)
            yield
            assert process.poll() is None, "the flood ended too early"
        finally:
            process.kill()


def memory_peak(pid):
    """The most that has been resident at a time since the process began, KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1])


def open_times(member):
    """Seconds of each of OPENS opens, none of which may fail."""
    times = []
    for _ in range(OPENS):
        begin = time.monotonic()
        member.open_tap("lab", seconds=60).close_fds()
        times.append(time.monotonic() - begin)
    return times


def ms(seconds):
    return f"{seconds * 1000:.1f} ms"


def attack(*shapes, deaf=False):
    with bus.connect("member") as member:
        open_times(member)
        idle = statistics.median(open_times(member))
        # What the bus itself costs an open on this machine while it is flooded with calls that it answers itself.
        with flood("bus"):
            control = statistics.median(open_times(member))
        pid = lab.service_pid()
        descriptors = lab.fd_count(pid)
        for shape in shapes:
            with flood(shape, deaf=deaf):
                times = open_times(member)
                flooded = lab.fd_count(pid)
            median = statistics.median(times)
            tap.diag(f"{shape}: open {ms(idle)} idle, {ms(control)} while the bus is flooded, {ms(median)} now (worst {ms(max(times))}); "
                     f"{memory_peak(pid)} KiB, {flooded} descriptors")  # fmt: skip
            assert lab.service_pid() == pid, f"{shape}: rawnetd did not survive"
            assert memory_peak(pid) <= MEMORY_KIB, f"{shape}: rawnetd grew to {memory_peak(pid)} KiB"
            assert flooded <= descriptors + 16, f"{shape}: {flooded} descriptors instead of {descriptors}"
            # Figures are for the reader: a test does not fail by the clock of a busy machine. Without the defence an open took 17 s.
            assert median <= tap.patience(HELD_UP), f"{shape}: an open took {ms(median)} instead of {ms(idle)}"
        lab.wait_for(lambda: lab.fd_count(pid) <= descriptors, 10, "the descriptors' end")


@tap.limit(300)
def test_calls():
    attack("open", "silent-open", "unknown", "silent-close")


@tap.limit(300)
def test_questions():
    attack("denied-open")


@tap.limit(300)
def test_long_calls():
    attack("long-open", "silent-long-open", "huge-open")


@tap.limit(300)
def test_descriptors():
    attack("descriptors", "silent-descriptors", "signal-descriptors", "signal")


@tap.limit(300)
def test_properties():
    attack("property", "all-properties", "silent-property", "objects", "introspect", "ping")


@tap.limit(300)
def test_replies_that_nobody_reads():
    attack("open", "objects", "long-open", deaf=True)


if __name__ == "__main__":
    tap.main()
