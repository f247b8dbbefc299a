# SPDX-License-Identifier: GPL-2.0-or-later
"""The few system calls that Python 3.11 has no name for, by ctypes. Each raises OSError."""

import ctypes
import os
import signal
import struct

_libc = ctypes.CDLL(None, use_errno=True)

# linux/sched.h
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
# linux/mount.h
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
# linux/prctl.h
PR_SET_PDEATHSIG = 1

SIGNALFD_INFO_SIZE = 128  # struct signalfd_siginfo, linux/signalfd.h


def _check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags):
    _check(_libc.unshare(flags), "unshare")


def setns(fd, flags):
    _check(_libc.setns(fd, flags), "setns")


def mount(source, target, kind, flags=0, options=""):
    _check(
        _libc.mount(
            source.encode(),
            target.encode(),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            options.encode(),
        ),
        f"mount of {kind or source} on {target}",
    )


def die_with_parent():
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def signalfd(signals):
    """A descriptor that reads the given signals, which are blocked here and now."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    mask = bytearray(128)  # sigset_t of glibc
    for number in signals:
        mask[(number - 1) // 8] |= 1 << ((number - 1) % 8)
    flags = os.O_CLOEXEC | os.O_NONBLOCK
    return _check(_libc.signalfd(-1, bytes(mask), flags), "signalfd")


def read_signals(fd):
    """[(number, code)]: code <= 0 was sent by a process, > 0 by the kernel (sigaction(2), si_code)."""
    try:
        data = os.read(fd, 32 * SIGNALFD_INFO_SIZE)
    except BlockingIOError:
        return []
    return [
        struct.unpack_from("IIi", data, at)[::2] for at in range(0, len(data), SIGNALFD_INFO_SIZE)
    ]


def inotify(path):
    """A descriptor that becomes readable when a file in the directory path changes."""
    IN_MODIFY = 2  # sys/inotify.h
    fd = _check(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK), "inotify_init1")
    _check(_libc.inotify_add_watch(fd, path.encode(), IN_MODIFY), "inotify_add_watch")
    return fd
