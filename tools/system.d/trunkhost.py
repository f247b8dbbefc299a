# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine: stock QEMU with the image's disk as a snapshot, three network cards, and a job on a second disk.

eth0 is its own network (QEMU's, without a way out), eth1 the trunk, eth2 the trunk's other end, on a hub with eth1 alone.
Leaves no file: initramfs and job are memfds, and QEMU dies with this process. It never touches this machine's network.
"""

import io
import os
import signal
import socket
import tarfile
import time

import machine

HERE = os.path.dirname(os.path.realpath(__file__))
STREAMS = ("console", "stdout", "stderr", "status")


def memfd(name, data):
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as out:
        out.write(data)
    return fd


def job_archive(files, job):
    """The tar that the guest unpacks at /run/job: {name there: path here}, and the words of its command."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in sorted({**files, "start": os.path.join(HERE, "guest.py")}.items()):
            archive.add(path, name, recursive=True, filter=as_root)
        text = tarfile.TarInfo("job.json")
        text.size = len(job)
        archive.addfile(text, io.BytesIO(job))
    return buffer.getvalue()


def as_root(entry):
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return None if entry.name.endswith("__pycache__") else entry


def card(number, netdev):
    return ["-device", f"virtio-net-pci,netdev={netdev},mac=52:54:01:00:00:0{number},romfile=,addr=0x{number + 8:x}"]


def qemu_line(image, initrd, job, accel, cpus, memory):
    cpu = "host" if accel == "kvm" else "max,la57=off"
    # A device's file is written to: snapshot=on keeps what the guest writes in an unnamed temporary file.
    return ["setpriv", "--pdeathsig", "KILL", "--", machine.QEMU, "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", "q35", "-accel", "kvm" if accel == "kvm" else "tcg,thread=multi,tb-size=512", "-cpu", cpu,
            "-smp", str(cpus), "-m", str(memory), "-kernel", image.kernel, "-initrd", f"/proc/self/fd/{initrd}",
            # What matters of the journal is on the console, where it is shown when the machine has to be cut off.
            "-append", "console=ttyS0 loglevel=4 no_timer_check mitigations=off random.trust_cpu=on net.ifnames=0 rw panic=10 "
                       "systemd.show_status=auto systemd.journald.forward_to_console=1 systemd.journald.max_level_console=notice",
            "-drive", f"file={image.disk},format=raw,if=none,id=root,snapshot=on",
            "-device", "virtio-blk-pci,drive=root,addr=0x5",
            "-drive", f"file=/proc/self/fd/{job},format=raw,if=none,id=job,snapshot=on",
            "-device", "virtio-blk-pci,drive=job,addr=0x6",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-netdev", "user,id=own,restrict=on", *card(0, "own"),
            "-netdev", "hubport,id=trunk,hubid=1", *card(1, "trunk"),
            "-netdev", "hubport,id=far,hubid=1", *card(2, "far")]  # fmt: skip


def run(image, files, job, *, accel, cpus, memory, timeout, verbose, shell=None):
    """Boots, has the job done, powers off. Returns its exit status, or 124 when it was cut off."""
    with open(image.initrd, "rb") as data:
        initrd = memfd("initrd", data.read())
    job_disk = memfd("job", job_archive(files, job))
    line = qemu_line(image, initrd, job_disk, accel, cpus, memory)
    console = machine.Console(verbose, "tools/system")
    ours, theirs = {}, []
    for name in STREAMS:
        ours[name], other_end = socket.socketpair()
        theirs.append(other_end)
        line += ["-chardev", f"socket,id={name},fd={other_end.fileno()}"]
        line += (["-serial", "chardev:console"] if name == "console" else
                 ["-device", f"virtserialport,chardev={name},name={name}"])  # fmt: skip
    if shell:
        line += ["-chardev", f"socket,id=shell,path={shell},server=on,wait=off",
                 "-device", "virtserialport,chardev=shell,name=shell"]  # fmt: skip
    # One that breaks off the reader of our output must end the guest too.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    process = machine.start(line, (initrd, job_disk, *(other_end.fileno() for other_end in theirs)))
    try:
        for other_end in theirs:
            other_end.close()
        status = machine.carry(ours, console, time.monotonic() + timeout)
        if status is None:
            console.show(f"cut off after {timeout:g} s")
            return 124
        if not status.strip().isdigit():
            console.show("the guest ended without a result")
            return 125
        return int(status)
    finally:
        machine.end(process)
        os.close(initrd)
        os.close(job_disk)
        for end_point in ours.values():
            end_point.close()
