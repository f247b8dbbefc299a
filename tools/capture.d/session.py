# SPDX-License-Identifier: GPL-2.0-or-later
"""The run that the picture shows, inside the lab: member boots a guest on VLAN 100, and rawnetctl lists its lease.

Prints one line of JSON for each line of the picture: ["member$", a command], ["guest#", a command] or ["", what one printed].
Every command is run as it is shown, and everything that it printed is shown. rawnetctl has a terminal, colours included."""

import json
import os
import shutil
import subprocess
import sys

import bus
import console
import lab
import terminal

HOME = f"{lab.LAB}/home/member"
# Options that have nothing to do with networks: QEMU reads them from a file, so that the line shows the others.
MACHINE = f"""[machine]
  kernel = "{HOME}/vmlinuz"
  initrd = "{HOME}/initrd"
  append = "console=ttyS0 quiet panic=-1 no_timer_check"
  accel = "{{accel}}"
[memory]
  size = "256M"
"""
QEMU = ["qemu-system-x86_64", "-readconfig", "guest.cfg", "-display", "none", "-serial", "stdio"]
PORT = ["-netdev", "raw,id=n0,network=vlan100", "-device", "virtio-net-pci,netdev=n0"]
COLUMNS = 88
NEIGHBOUR = "10.77.100.1"


def show(prompt, text):
    for line in text.rstrip("\n").split("\n"):
        print(json.dumps([prompt, line.rstrip()]), flush=True)


def member(line):
    """A command of member's, to its end."""
    show("member$", line)
    status, printed = terminal.run("member", ["sh", "-c", line], columns=COLUMNS)
    assert status == 0, (line, status, printed)
    show("", printed.replace("\r\n", "\n"))


class Guest(console.Console):
    def __init__(self):
        """Starts it."""
        command = ["rawnetctl", "qemu", "--", *QEMU, *PORT]
        words = " ".join(command)
        before, after = words.split(" -netdev ")
        show("member$", f"{before} \\")
        show("", f"    -netdev {after}")
        self.process = lab.popen_as("member", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    errors="replace", cwd=HOME)  # fmt: skip
        self.attach(self.process.stdout, self.process.stdin)

    def ended(self):
        return f"status {self.process.poll()}"

    def errors(self):
        """Shows what rawnetctl has said on standard error until now; QEMU keeps the stream open."""
        os.set_blocking(self.process.stderr.fileno(), False)
        try:
            show("", os.read(self.process.stderr.fileno(), 65536).decode())
        except BlockingIOError:
            pass  # it had nothing to say

    def command(self, line):
        show("guest#", line)
        said = self.run(line)
        if said:
            show("", said)


def main():
    source = sys.argv[1]
    os.makedirs(HOME, exist_ok=True)
    for name in ("vmlinuz", "initrd"):
        shutil.copyfile(f"{source}/{name}", f"{HOME}/{name}")
    accel = "kvm" if os.environ.get("RAWNET_VM") and os.path.exists("/dev/kvm") else "tcg"
    with open(f"{HOME}/guest.cfg", "w", encoding="ascii") as out:
        out.write(MACHINE.format(accel=accel))
    with bus.connect("member") as connection:
        connection.open_packet("vlan100").close_fds()  # starts both daemons, and waits for them
    lab.wait_no_leases()
    member("id -Gn")
    guest = Guest()
    try:
        guest.boot()
        guest.errors()
        guest.run("get_address eth0")
        guest.command("ip -4 address show eth0 | grep inet")
        guest.command(f"ping -c 2 {NEIGHBOUR}")
        member("rawnetctl list")
        guest.say("poweroff -f")
        status = guest.process.wait(60)
        assert status == 0, status
    finally:
        guest.process.kill()
    lab.wait_no_leases()
    member("ip -brief link")


main()
