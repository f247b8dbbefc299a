# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine's disk: a Debian made by mmdebstrap, its kernel beside it, kept as long as what it is made of stays the same.

Nothing is mounted or installed here, and nothing is written outside build/system.
"""

import dataclasses
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

import cpio
import kernel as vm_kernel
from common import Trouble, output_of

HERE = os.path.dirname(os.path.realpath(__file__))
BUSYBOX = "/bin/busybox"
DISK_SIZE = "4G"  # sparse
# What has to be there before the disk is; more is loaded from it, on demand.
EARLY_MODULES = ("virtio_pci", "virtio_blk", "ext4")
# And packages that have another name there: old → new, or None for those that the machine does without.
RELEASES = {"bookworm": {"docker.io": None, "docker-cli": None, "rootlesskit": None}, "trixie": {}}


@dataclasses.dataclass
class Image:
    directory: str
    version: str  # of the kernel

    @property
    def disk(self):
        return os.path.join(self.directory, "disk")

    @property
    def kernel(self):
        return os.path.join(self.directory, "linux", "boot", f"vmlinuz-{self.version}")

    @property
    def initrd(self):
        return os.path.join(self.directory, "initrd.cpio")


def packages(release):
    with open(os.path.join(HERE, "packages.txt"), encoding="utf-8") as text:
        names = [line.strip() for line in text if line.strip() and not line.startswith("#")]
    return [name for name in (RELEASES[release].get(name, name) for name in names) if name]


def digest(release):
    """Of everything the image depends on, but for the day it is made."""
    total = hashlib.sha256(release.encode())
    for source in ("packages.txt", "customize.sh", "init.sh", "image.py"):
        with open(os.path.join(HERE, source), "rb") as data:
            total.update(data.read())
    return total.hexdigest()[:16]


def say(text):
    print(f"system: {text}", file=sys.stderr, flush=True)


def run_logged(argv, log, what):
    with open(log, "ab") as out:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
    if done.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as text:
            tail = "".join(text.readlines()[-30:])
        raise Trouble(f"{what} failed (all of its output: {log}):\n{tail}")


def build_initrd(image):
    modules = vm_kernel.Kernel(os.path.join(image.directory, "linux"), image.version)
    paths = vm_kernel.modules_in_order(modules, EARLY_MODULES)
    archive = cpio.Archive()
    for directory in ("bin", "dev", "modules", "root"):
        archive.directory(directory)
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", BUSYBOX, 0o755)
    archive.file("init", os.path.join(HERE, "init.sh"), 0o755)
    vm_kernel.add_modules(archive, paths)
    with open(image.initrd, "wb") as out:
        out.write(archive.finish())


def build(release, work):
    log = os.path.join(os.path.dirname(work), f"{release}.log")
    with open(log, "wb"):
        pass
    root = os.path.join(work, "root")
    say(f"making a Debian {release} (once; its log: {log})")
    # No mirror is named: mmdebstrap's own choice, updates and security included. What it mounts is nobody else's: a process that looked into
    # it would keep it there, and deleting a failed image would go through it.
    run_logged(["unshare", "--mount", "--", "mmdebstrap", "--mode=root", "--variant=minbase",
                "--aptopt=APT::Install-Recommends \"false\"",
                "--dpkgopt=path-exclude=/usr/share/locale/*",
                f"--include={','.join(packages(release))}", f"--customize-hook={HERE}/customize.sh \"$1\"",
                release, root], log, "mmdebstrap")  # fmt: skip
    (archive,) = glob.glob(os.path.join(root, "kernel", "*.deb"))
    version = re.match(r"linux-image-([^_]+)_", os.path.basename(archive))[1]
    image = Image(work, version)
    vm_kernel.unpack_archive(archive, version, os.path.join(work, "linux"))
    shutil.rmtree(os.path.join(root, "kernel"))
    output_of(["cp", "-a", os.path.join(work, "linux/root/usr/lib/modules"), os.path.join(root, "usr/lib/")],
              "copying the modules")
    build_initrd(image)
    say("making its disk")
    run_logged(["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1,root_owner=0:0", "-d", root, image.disk, DISK_SIZE],
               log, "mke2fs")
    shutil.rmtree(root)
    shutil.rmtree(os.path.join(work, "linux", "root"))
    with open(os.path.join(work, "version"), "w", encoding="ascii") as out:
        out.write(version)


def prepare(state, release):
    """The image of that release; made on the first call, and again when what it is made of changes."""
    os.makedirs(state, exist_ok=True)
    with open(os.path.join(state, f"{release}.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once: the second finds what the first made
        target = os.path.join(state, f"{release}-{digest(release)}")
        if not os.path.isdir(target):
            for stale in glob.glob(os.path.join(state, f"{release}-*")):
                shutil.rmtree(stale)
            work = tempfile.mkdtemp(dir=state, prefix=f"{release}-new-")
            # mkdtemp makes it 0700; users of the new system have to get through while it is made.
            os.chmod(work, 0o755)
            try:
                build(release, work)
            except BaseException:
                shutil.rmtree(work, ignore_errors=True)
                raise
            os.rename(work, target)
        with open(os.path.join(target, "version"), encoding="ascii") as text:
            return Image(target, text.read())
