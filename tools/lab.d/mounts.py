# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's file system: private tmpfs, /proc, /sys and /dev, and overlays that put the staged build at its real paths.

Every mount is made in the lab's own mount namespace and ends with it. Nothing here writes to a directory of the
machine: /usr and /etc get writable layers in memory.
"""

import os
import shutil
import stat

import kernel

LAB = "/run/lab"
SOURCE = f"{LAB}/src"  # the checkout, also where its real path is closed to other users (/root)
BUILD = f"{LAB}/build"  # the build directory, likewise
LAYERS = f"{LAB}/layers"

# name: (major, minor, mode), Documentation/admin-guide/devices.txt
DEVICES = {
    "null": (1, 3, 0o666),
    "zero": (1, 5, 0o666),
    "full": (1, 7, 0o666),
    "random": (1, 8, 0o666),
    "urandom": (1, 9, 0o666),
    "tty": (5, 0, 0o666),
    "net/tun": (10, 200, 0o666),  # 0666 on systemd distributions, 0600 on some build machines
}
VHOST_NET = ("vhost-net", (10, 238, 0o660))
KVM = ("kvm", (10, 232, 0o666))  # as somebody at the machine has it


def directory(path, mode=0o755, uid=0, gid=0):
    os.makedirs(path, exist_ok=True)
    os.chmod(path, mode)
    os.chown(path, uid, gid)
    return path


def write(path, text, mode=0o644, uid=0, gid=0):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    os.chown(path, uid, gid)


def _tmpfs(path, mode, flags=kernel.MS_NOSUID | kernel.MS_NODEV):
    kernel.mount("tmpfs", path, "tmpfs", flags, f"mode={mode:o}")


def _overlay(target, lower):
    name = target.strip("/").replace("/", "-")
    upper = directory(f"{LAYERS}/{name}.upper")
    work = directory(f"{LAYERS}/{name}.work")
    options = f"lowerdir={':'.join([*lower, target])},upperdir={upper},workdir={work}"
    kernel.mount("overlay", target, "overlay", 0, options)


def _devices():
    # Built aside: the machine's own /dev is needed until the last bind mount of it is made.
    new = directory(f"{LAB}/dev")
    _tmpfs(new, 0o755, kernel.MS_NOSUID)
    devices = dict(DEVICES)
    if os.path.exists("/dev/vhost-net"):
        devices[VHOST_NET[0]] = VHOST_NET[1]
    # In tools/vm only: elsewhere it may be there and hang guests.
    if os.environ.get("RAWNET_VM") and os.path.exists("/dev/kvm"):
        devices[KVM[0]] = KVM[1]
    os.umask(0)
    for name, (major, minor, mode) in devices.items():
        path = f"{new}/{name}"
        directory(os.path.dirname(path))
        try:
            os.mknod(path, mode | stat.S_IFCHR, os.makedev(major, minor))
        except PermissionError:  # a container that may not make nodes: take the machine's, whatever its mode
            open(path, "w", encoding="ascii").close()
            kernel.mount(f"/dev/{name}", path, None, kernel.MS_BIND)
    os.umask(0o022)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
                         ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"),
                         ("ptmx", "pts/ptmx")):  # fmt: skip
        os.symlink(target, f"{new}/{name}")
    directory(f"{new}/pts")
    kernel.mount("devpts", f"{new}/pts", "devpts", kernel.MS_NOSUID | kernel.MS_NOEXEC,
                 "newinstance,ptmxmode=0666,mode=0620,gid=5")  # fmt: skip
    directory(f"{new}/shm")
    _tmpfs(f"{new}/shm", 0o1777)
    kernel.mount(new, "/dev", None, kernel.MS_BIND | kernel.MS_REC)


def _stage_layers(stage):
    """Copies the staged build, so that a rebuild does not pull files from under a running lab. ([usr], [etc])"""
    copy = f"{LAYERS}/stage"
    shutil.copytree(stage, copy, symlinks=True)
    for path, _, files in os.walk(copy):
        os.chown(path, 0, 0)
        for name in files:
            os.chown(f"{path}/{name}", 0, 0, follow_symlinks=False)
    if os.path.isdir(f"{copy}/lib"):  # merged /usr
        shutil.copytree(f"{copy}/lib", f"{copy}/usr/lib", symlinks=True, dirs_exist_ok=True)
    return [[path] if os.path.isdir(path) else [] for path in (f"{copy}/usr", f"{copy}/etc")]


def setup(source_dir, stage):
    """Returns nothing; OSError with the mount that failed."""
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    # The checkout may be anywhere, also below what is hidden in a moment.
    source_fd = os.open(source_dir, os.O_PATH | os.O_CLOEXEC)
    build_fd = os.open(os.path.dirname(stage), os.O_PATH | os.O_CLOEXEC)
    _tmpfs("/run", 0o755)
    directory(LAB)
    directory(LAYERS, 0o700)
    for fd, path in ((source_fd, SOURCE), (build_fd, BUILD)):
        directory(path)
        kernel.mount(f"/proc/self/fd/{fd}", path, None, kernel.MS_BIND | kernel.MS_REC)
        os.close(fd)
    usr, etc = _stage_layers(f"{BUILD}/{os.path.basename(stage)}")
    try:
        _overlay("/usr", usr)
        _overlay("/etc", etc)
        _overlay("/var/lib", [])
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} (the lab needs overlayfs in the kernel)") from error
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    kernel.mount("sysfs", "/sys", "sysfs", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    _devices()
    for path, mode in (("/run/dbus", 0o755), ("/run/lock", 0o1777), ("/run/netns", 0o755),
                       ("/run/user", 0o755), (f"{LAB}/log", 0o755), (f"{LAB}/home", 0o755),
                       (f"{LAB}/tmp", 0o1777)):  # fmt: skip
        directory(path, mode)
