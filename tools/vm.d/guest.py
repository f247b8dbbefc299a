#!/usr/bin/python3 -ISB
# SPDX-License-Identifier: GPL-2.0-or-later
"""PID 1 of the guest: runs the one command, carries its output to the virtio ports, says its status, powers off.

Reaps what the command leaves behind. It must never end by itself: the kernel would panic.
"""

import ctypes
import fcntl
import grp
import json
import os
import pwd
import resource
import selectors
import signal
import sys

PORTS = "/sys/class/virtio-ports"
CHUNK = 1 << 16
RB_POWER_OFF = 0x4321FEDC  # reboot(2)


def port(name):
    for entry in os.listdir(PORTS):
        with open(f"{PORTS}/{entry}/name", encoding="ascii") as text:
            if text.read().strip() == name:
                return os.open(f"/dev/{entry}", os.O_WRONLY | os.O_CLOEXEC)
    raise FileNotFoundError(f"no virtio port {name}")


def raise_limits():
    """systemd's: a soft limit of 1024 and a hard one that a program may raise to."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 524288))


def prepare_devices(emulated):
    """What udev and systemd do at boot, as far as programs here depend on it. An emulated processor has emulated virtualization as well, and
    that works whatever KVM does on the machine outside: a guest in this guest is then emulated once and not twice over."""
    for module in ("virtio_console", "tun", "vhost_net", *(["kvm_amd"] if emulated else [])):
        os.spawnv(os.P_WAIT, "/sbin/modprobe", ["modprobe", "-q", module])
    for path, mode, group in (("/dev/net/tun", 0o666, "root"), ("/dev/vhost-net", 0o660, "kvm"),
                              ("/dev/kvm", 0o666, "kvm"), ("/dev/ptmx", 0o666, "root"), ("/dev/fuse", 0o666, "root")):
        try:
            os.chmod(path, mode)
            os.chown(path, 0, grp.getgrnam(group).gr_gid)
        except (FileNotFoundError, KeyError):
            pass  # a kernel or machine without it


def become(job):
    user = pwd.getpwnam(job["user"])
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": user.pw_dir,
                   "USER": user.pw_name, "LOGNAME": user.pw_name, "SHELL": user.pw_shell,
                   "RAWNET_VM": "1", **job["environment"]}
    if user.pw_uid != 0:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    return environment


def start(job, out, err):
    pid = os.fork()
    if pid:
        return pid
    status = 126  # not runnable, as env(1) has it
    try:
        os.setsid()
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        environment = become(job)
        os.chdir(job["directory"])
        os.execvpe(job["command"][0], job["command"], environment)
    except FileNotFoundError as error:
        status = 127
        os.write(2, f"tools/vm: {error}\n".encode())
    except Exception as error:  # pylint: disable=broad-except
        os.write(2, f"tools/vm: {error}\n".encode())
    finally:
        os._exit(status)


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def carry(pid, streams):
    """Moves output until the command has ended and nothing is left in the pipes. Returns the wait status."""
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(wake_read, selectors.EVENT_READ)
    for source in streams:
        os.set_blocking(source, False)
        selector.register(source, selectors.EVENT_READ)
    ended = None
    while True:
        # Children that died before the handler stood are found here too.
        while True:
            try:
                dead, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if dead == 0:
                break
            if dead == pid:
                ended = status
        moved = False
        for key, _ in selector.select(0 if ended is not None else None):
            try:
                data = os.read(key.fd, CHUNK)
            except BlockingIOError:
                continue
            if key.fd == wake_read:
                continue
            if not data:
                selector.unregister(key.fd)
                continue
            write_all(streams[key.fd], data)
            moved = True
        # A daemon that the command left behind may hold the pipes: what it says later is not waited for.
        if ended is not None and not moved:
            return ended


def main():
    with open("/run/rawnet-vm/job.json", encoding="utf-8") as text:
        job = json.load(text)
    raise_limits()
    prepare_devices(job["emulated"])
    out_read, out_write = os.pipe2(os.O_CLOEXEC)
    err_read, err_write = os.pipe2(os.O_CLOEXEC)
    fcntl.fcntl(out_read, fcntl.F_SETPIPE_SZ, 1 << 20)
    report = port("status")
    streams = {out_read: port("stdout"), err_read: port("stderr")}
    pid = start(job, out_write, err_write)
    os.close(out_write)
    os.close(err_write)
    status = os.waitstatus_to_exitcode(carry(pid, streams))
    write_all(report, b"%d\n" % (128 - status if status < 0 else status))


if __name__ == "__main__":
    try:
        main()
    except BaseException as trouble:  # pylint: disable=broad-except
        print(f"rawnet-vm: {trouble!r}", flush=True)
    sys.stdout.flush()
    ctypes.CDLL(None).reboot(ctypes.c_int(RB_POWER_OFF))
    while True:
        signal.pause()
