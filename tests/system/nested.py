# SPDX-License-Identifier: GPL-2.0-or-later
"""A small Linux guest inside the machine: the kernel and initramfs that tests/system/run brings along, in a stock QEMU of member's."""

import contextlib
import os
import subprocess

import console
import debian
import lab
import tap

FILES = "/run/job/guest"  # tests/system/run, tools/demo.d/prepare.py
KERNEL, INITRD = f"{FILES}/vmlinuz", f"{FILES}/initrd"
# no_timer_check: tools/demo.d/run.py
WORDS = "console=ttyS0 quiet panic=-1 no_timer_check"
# On an emulated machine the guest has the emulated processor's virtualization, so that it is emulated once and not twice.
EMULATED = bool(os.environ.get("SYSTEM_EMULATED"))


def ready():
    """Makes KVM usable for everybody where the guest is to have it; vhost-net stays closed to everybody but its group."""
    if EMULATED:
        debian.run("modprobe", "kvm_amd")
        os.chmod("/dev/kvm", 0o666)


def on_one_processor():
    """For every process of such a guest, where it has KVM: emulated SVM loses interrupts between two (tools/demo.d/run.py)."""
    return "taskset -c 1 " if EMULATED else ""


def qemu(options, processors=1):
    """The line of a QEMU whose console is its standard input and output."""
    accel = "kvm -cpu host" if EMULATED else "tcg -cpu max"
    return (f"qemu-system-x86_64 -M pc -accel {accel} -smp {processors} -m 160 -nodefaults -no-user-config -no-reboot -display none "
            f"-serial stdio -kernel {KERNEL} -initrd {INITRD} -append '{WORDS}' {options}")  # fmt: skip


class Guest(console.Console):
    """What a line makes that member types into a fresh login session. The far side is that of VLAN 100."""

    neighbour, size = "10.77.100.1", 200_000

    def __init__(self, line):
        self.process = subprocess.Popen(["runuser", "-l", "member", "-c", f"exec {on_one_processor()}{line}"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")  # fmt: skip
        self.attach(self.process.stdout, self.process.stdin)

    def ended(self):
        return f"status {self.process.poll()}"

    def end(self):
        """By its own power switch; QEMU ends with 0, and runuser says so."""
        self.say("poweroff -f")
        status = self.process.wait(tap.patience(20))
        assert status == 0, status

    def kill(self):
        if self.process.poll() is None:
            subprocess.run(["pkill", "-u", "member", "-f", "^qemu-system"], check=False)
            self.process.wait(tap.patience(20))
        self.process.stdin.close()


@contextlib.contextmanager
def guest(line):
    started = Guest(line)
    try:
        yield started.boot()
        started.end()
    finally:
        started.kill()
    lab.wait_no_leases()
