# SPDX-License-Identifier: GPL-2.0-or-later
"""Processor time and context switches of processes and of the whole machine, between two moments."""

import dataclasses
import os
import time

TICK = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Thread:
    name: str
    seconds: float  # exact
    system: float  # in clock ticks
    switches: int


def threads(pid):
    """{thread id: Thread} of a process."""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        base = f"/proc/{pid}/task/{tid}"
        with open(f"{base}/schedstat", encoding="ascii") as file:
            seconds = int(file.read().split()[0]) / 1e9
        with open(f"{base}/stat", encoding="ascii") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
        with open(f"{base}/status", encoding="ascii") as file:
            switches = sum(int(line.split()[1]) for line in file if "_ctxt_switches" in line)
        found[tid] = Thread(name, seconds, int(rest.split()[12]) / TICK, switches)
    return found


def machine_busy():
    """Seconds that all processors were not idle, waiting for a disk or taken by the hypervisor."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, *_ = map(int, file.readline().split()[1:])
    return (user + nice + system + irq + softirq) / TICK


@dataclasses.dataclass
class Used:
    wall: float
    seconds: float  # of the processes, without what an emulated processor did as such
    guest: float  # what the emulated processors took, in user mode
    switches: int  # of the processes' threads
    machine: float  # of the whole machine


class Meter:
    """What the processes use from its making on, or from the last start()."""

    def __init__(self, *pids):
        self.pids = pids
        self.start()

    def start(self):
        self.began, self.machine = time.monotonic(), machine_busy()
        self.before = [threads(pid) for pid in self.pids]

    def read(self):
        wall, machine = time.monotonic() - self.began, machine_busy() - self.machine
        seconds = guest = switches = 0
        for before, after in zip(self.before, map(threads, self.pids)):
            for tid, thread in after.items():
                old = before.get(tid, Thread(thread.name, 0, 0, 0))
                used, system = thread.seconds - old.seconds, thread.system - old.system
                switches += thread.switches - old.switches
                # QEMU's -name debug-threads=on: "CPU 0/TCG". Its system calls (kicks, the big lock) are the host's work.
                if thread.name.startswith("CPU "):
                    seconds += min(system, used)
                    guest += max(0, used - system)
                else:
                    seconds += used
        return Used(wall, seconds, guest, switches, machine)
