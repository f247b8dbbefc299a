# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest machine: stock QEMU, its streams carried here, cut off when it hangs.

Leaves no file: the initramfs is a memfd, the streams are socket pairs, and QEMU dies with this process.
"""

import collections
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time

import cpio
from common import Trouble

QEMU = "qemu-system-x86_64"
LOG_LINES = 60          # of the guest's console, shown when something went wrong
PROBE_SECONDS = 8       # KVM that boots at all boots within one
STREAMS = ("stdout", "stderr", "status")


def initrd_with(kernel, texts):
    """The cached initramfs and a second archive with this run's words, as an fd that has no name."""
    archive = cpio.Archive()
    for name, text in texts.items():
        archive.text(name, text)
    fd = os.memfd_create("initrd", os.MFD_CLOEXEC)
    with open(kernel.initrd, "rb") as base, os.fdopen(os.dup(fd), "wb") as out:
        out.write(base.read())
        out.write(archive.finish())
    return fd


# How each kind of processor is asked for. counted: its time stamp counter counts instructions while it works. Its waiting lasts as long as
# it would elsewhere (sleep=on), so that deadlines of programs there hold. Its model is a fixed one, so that the figures do not depend on
# what QEMU's newest model has. That one has no fast string instructions (ERMS): QEMU counts each byte that they copy as an instruction.
PROCESSORS = {
    "kvm": ("-accel", "kvm", "-cpu", "host"),
    "tcg": ("-accel", "tcg,thread=multi", "-cpu", "max,la57=off"),
    "counted": ("-accel", "tcg,thread=single", "-icount", "shift=0,sleep=on", "-cpu", "Westmere,+rdrand"),
}


def qemu_line(kernel, initrd, accel, cpus, memory, append=""):
    return ["setpriv", "--pdeathsig", "KILL", "--", QEMU, "-nodefaults", "-no-user-config", "-no-reboot",
            "-display", "none", "-machine", "q35", *PROCESSORS[accel], "-smp", str(cpus), "-m", str(memory),
            "-kernel", kernel.image if accel == "kvm" else kernel.plain, "-initrd", f"/proc/self/fd/{initrd}",
            # no_timer_check: the kernel measures the IO-APIC timer against its own loop and panics when this machine is busy just then.
            "-append", "console=ttyS0 loglevel=5 panic=-1 no_timer_check mitigations=off random.trust_cpu=on "
            + append]


def stream(name):
    """A socket pair for one of QEMU's character devices: (ours, QEMU's)."""
    ours, theirs = socket.socketpair()
    return ours, theirs, ["-chardev", f"socket,id={name},fd={theirs.fileno()}"]


def start(line, inherited, stderr=None):
    try:
        return subprocess.Popen(line, stdin=subprocess.DEVNULL, stderr=stderr, pass_fds=inherited)
    except FileNotFoundError as error:
        raise Trouble(f"{error.filename} is not installed: install qemu-system-x86") from None


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()


def kvm_boots(kernel, state):
    """Does a guest really boot with KVM here? Tried once in each boot of this machine: it may be there and hang."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as text:
        this_boot = f"{text.read().strip()} {kernel.version}"
    verdict = os.path.join(state, "kvm")
    if os.path.exists(verdict):
        with open(verdict, encoding="ascii") as text:
            boot, _, answer = text.read().rpartition(" ")
        if boot == this_boot:
            return answer == "yes"
    initrd = initrd_with(kernel, {"job.probe": ""})
    ours, theirs, arguments = stream("console")
    with ours, theirs:
        process = start(qemu_line(kernel, initrd, "kvm", 2, 256) + arguments + ["-serial", "chardev:console"],
                        (initrd, theirs.fileno()), subprocess.DEVNULL)
        theirs.close()
        seen = b""
        deadline = time.monotonic() + PROBE_SECONDS
        try:
            while b"probe booted" not in seen:
                ours.settimeout(max(0.001, deadline - time.monotonic()))
                data = ours.recv(4096)
                if not data:
                    break
                seen += data
        except TimeoutError:
            pass
        finally:
            end(process)
            os.close(initrd)
    boots = b"probe booted" in seen
    with open(verdict, "w", encoding="ascii") as text:
        text.write(f"{this_boot} {'yes' if boots else 'no'}")
    return boots


class Console:
    """The guest's log: its last lines are kept for the case that something goes wrong."""

    def __init__(self, verbose, program="tools/vm"):
        self._verbose = verbose
        self._program = program
        self._lines = collections.deque(maxlen=LOG_LINES)
        self._rest = b""

    def feed(self, data):
        if self._verbose:
            sys.stderr.buffer.write(data)
            sys.stderr.buffer.flush()
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines.extend(lines)

    def show(self, why):
        print(f"{self._program}: {why}; the guest's log ends with:", file=sys.stderr)
        for line in [*self._lines, self._rest]:
            print(f"    {line.decode(errors='replace').rstrip()}", file=sys.stderr)


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def carry(ours, console, deadline):
    """Moves the guest's streams until QEMU closes them. Returns the exit status it reported (bytes), None when late."""
    selector = selectors.DefaultSelector()
    for name, end_point in ours.items():
        selector.register(end_point, selectors.EVENT_READ, name)
    status = b""
    while selector.get_map():
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        for key, _ in selector.select(left):
            try:
                data = key.fileobj.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                selector.unregister(key.fileobj)
            elif key.data == "console":
                console.feed(data)
            elif key.data == "status":
                status += data
            else:
                write_all(1 if key.data == "stdout" else 2, data)
    return status


def run(kernel, job, *, cpus, memory, timeout, verbose, state, append="", counted=False):
    """Boots, runs job, powers off. Returns the command's exit status, or 124 when it was cut off."""
    if counted:
        accel, cpus = "counted", 1
    else:
        accel = "kvm" if kvm_boots(kernel, state) else "tcg"
    job["emulated"] = accel != "kvm"
    # Tests wait longer for what must come (tests/lib/tap.py).
    job["environment"].setdefault("RAWNET_SLOWNESS", "1" if accel == "kvm" else "4")
    initrd = initrd_with(kernel, {"job.json": json.dumps(job), "job.runner": job["runner"]})
    line = qemu_line(kernel, initrd, accel, cpus, memory, append)
    # The root: read-only for QEMU too, so nothing that runs in the guest can change this machine. Owners and setuid
    # bits are as they are; inode numbers of several file systems are kept apart.
    # overlayfs refuses two layers of one file system that lie in each other: the modules come by a second device.
    for tag, path in (("root", "/"), ("modules", os.path.join(kernel.directory, "root"))):
        line += ["-fsdev", f"local,id={tag},path={path},security_model=none,readonly=on,multidevs=remap",
                 "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    line += ["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
    console = Console(verbose)
    ours, theirs = {}, []
    for name in ("console", *STREAMS):
        ours[name], their_end, arguments = stream(name)
        theirs.append(their_end)
        line += arguments
        line += (["-serial", "chardev:console"] if name == "console" else
                 ["-device", f"virtserialport,chardev={name},name={name}"])
    # One that breaks off the reader of our output must end the guest too.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    process = start(line, (initrd, *(end_point.fileno() for end_point in theirs)))
    try:
        for end_point in theirs:
            end_point.close()
        status = carry(ours, console, time.monotonic() + timeout)
        if status is None:
            console.show(f"cut off after {timeout:g} s")
            return 124
        if not status.strip().isdigit():
            console.show("the guest ended without a result")
            return 125
        return int(status)
    finally:
        end(process)
        os.close(initrd)
        for end_point in ours.values():
            end_point.close()
