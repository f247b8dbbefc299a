# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernel, fetched and unpacked under build/vm, and an initramfs that brings up the 9p root.

Never installs anything: no boot loader, hook or file of this machine is touched.
"""

import dataclasses
import fcntl
import glob
import lzma
import os
import platform
import re
import shutil
import struct
import tempfile

import cpio
from common import Trouble, output_of

META_PACKAGE = "linux-image-amd64"  # the cloud kernel is smaller, but has no 9p
RELEASES = ("bookworm", "trixie")
# mmdebstrap runs this with the package lists of another release; downloads what the meta package there points at.
FETCH = f"""
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
package=$(apt-cache depends {META_PACKAGE} | sed -n 's/^ *Depends: \\(linux-image-[0-9].*\\)/\\1/p')
cd "$RAWNET_FETCH"
exec apt-get -q -o APT::Sandbox::User=root download "$package"
"""
BUSYBOX = "/bin/busybox"
INIT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "init.sh")
# What must be there before the root file system is; everything else is loaded from it on demand.
EARLY_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")


@dataclasses.dataclass
class Kernel:
    directory: str  # build/vm/linux-VERSION
    version: str    # as uname -r in the guest

    @property
    def image(self):
        return os.path.join(self.directory, "boot", f"vmlinuz-{self.version}")

    @property
    def plain(self):
        """The image as it is quickest for an emulated processor."""
        return os.path.join(self.directory, "vmlinux")

    @property
    def initrd(self):
        return os.path.join(self.directory, "initrd.cpio")


def resolve():
    """The package that the distribution's meta package points at today."""
    text = output_of(["apt-cache", "depends", META_PACKAGE], "finding Debian's kernel")
    match = re.search(r"Depends: (linux-image-\d\S+)", text)
    if not match:
        raise Trouble(f"apt-cache knows no {META_PACKAGE}: run apt-get update first")
    return match.group(1)


def unpack(package, target):
    with tempfile.TemporaryDirectory(dir=os.path.dirname(target), prefix="fetch-") as work:
        output_of(["apt-get", "-q", "download", "-o", "APT::Sandbox::User=root", package],
                  f"fetching {package}", cwd=work)
        (archive,) = glob.glob(os.path.join(work, "*.deb"))
        unpack_archive(archive, package.removeprefix("linux-image-"), target)


def this_release():
    return platform.freedesktop_os_release().get("VERSION_CODENAME")


def fetch_of_release(release, state):
    """The newest kernel of another release, unpacked in state. No mirror is named: mmdebstrap's own choice, security included."""
    with tempfile.TemporaryDirectory(dir=state, prefix="fetch-") as work:
        # A release that makes nothing but its package lists.
        output_of(["unshare", "--mount", "--", "mmdebstrap", "--mode=root", "--variant=custom", "--format=null",
                   f"--customize-hook={FETCH}", release, "/dev/null"],
                  f"fetching the kernel of Debian {release}", env={**os.environ, "RAWNET_FETCH": work})  # fmt: skip
        (archive,) = glob.glob(os.path.join(work, "*.deb"))
        package = os.path.basename(archive).partition("_")[0]
        unpack_archive(archive, package.removeprefix("linux-image-"), os.path.join(state, package))
    return package


def unpack_archive(archive, version, target):
    """A kernel's package as a directory with boot/ and, in root/usr/lib, its modules. target appears when it is whole."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(target), prefix="fetch-") as work:
        tree = os.path.join(work, "tree")
        output_of(["dpkg-deb", "-x", archive, tree], f"unpacking {os.path.basename(archive)}")
        # "root" is laid over the guest's root, where /lib is a link to usr/lib. Newer packages have usr/lib themselves.
        os.makedirs(os.path.join(tree, "root", "usr"))
        inside = os.path.join(tree, "usr/lib" if os.path.isdir(os.path.join(tree, "usr/lib/modules")) else "lib")
        os.rename(inside, os.path.join(tree, "root", "usr", "lib"))
        shutil.rmtree(os.path.join(tree, "usr"))
        os.symlink("usr/lib", os.path.join(tree, "root", "lib"))
        output_of(["depmod", "-b", os.path.join(tree, "root"), version], "listing the modules")
        os.remove(os.path.join(tree, "root", "lib"))
        os.chmod(tree, 0o755)
        os.rename(tree, target)


def unpacked(image):
    """The kernel as the ELF file inside its image where QEMU can start that (it has a PVH entry), else the image: an emulated processor
    would take most of the boot for unpacking it. Offsets: Documentation/arch/x86/boot.rst; the note: include/xen/interface/elfnote.h."""
    start = (image[0x1F1] + 1) * 512 + struct.unpack_from("<I", image, 0x248)[0]
    try:
        kernel = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(image[start:])
    except lzma.LZMAError:
        return image
    return kernel if kernel.startswith(b"\x7fELF") and struct.pack("<I", 18) + b"Xen\0" in kernel else image


def module_name(path):
    return os.path.basename(path).split(".")[0].replace("-", "_")


def modules_in_order(kernel, names):
    """Paths of the named modules and of all that they need, in the order of loading. Leaves out what is built in: Debian 13
    builds in modules that Debian 12 loads."""
    base = os.path.join(kernel.directory, "root/usr/lib/modules", kernel.version)
    with open(os.path.join(base, "modules.builtin"), encoding="utf-8") as table:
        builtin = {module_name(line.strip()) for line in table}
    needs = {}
    with open(os.path.join(base, "modules.dep"), encoding="utf-8") as table:
        for line in table:
            path, _, wanted = line.strip().partition(":")
            needs[module_name(path)] = (path, wanted.split())
    order = []
    for name in names:
        if name in builtin:
            continue
        if name not in needs:
            raise Trouble(f"{kernel.version} has no module {name}")
        path, wanted = needs[name]
        # modules.dep lists the nearest first; what they need comes behind them.
        for module in list(reversed(wanted)) + [path]:
            if module not in order:
                order.append(module)
    return [os.path.join(base, module) for module in order]


def add_modules(archive, paths):
    """Puts modules and the order of loading into an initramfs. busybox's insmod recognizes xz by the content."""
    names = [os.path.basename(path).removesuffix(".xz") for path in paths]
    for name, path in zip(names, paths):
        archive.file(f"modules/{name}", path, 0o644)
    archive.text("modules/order", "".join(f"{name}\n" for name in names))


def build_initrd(kernel):
    if not os.path.exists(BUSYBOX):
        raise Trouble(f"{BUSYBOX} is missing: install busybox-static")
    archive = cpio.Archive()
    for directory in ("bin", "dev", "proc", "sys", "modules", "lower", "lower/root", "lower/modules", "upper",
                      "root"):
        archive.directory(directory)
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", BUSYBOX, 0o755)
    archive.file("init", INIT, 0o755)
    add_modules(archive, modules_in_order(kernel, EARLY_MODULES))
    unfinished = kernel.initrd + ".new"
    with open(unfinished, "wb") as out:
        out.write(archive.finish())
    os.rename(unfinished, kernel.initrd)


def build_plain(kernel):
    unfinished = kernel.plain + ".new"
    with open(kernel.image, "rb") as image, open(unfinished, "wb") as out:
        out.write(unpacked(image.read()))
    os.rename(unfinished, kernel.plain)


def is_current(kernel):
    if not os.path.exists(kernel.initrd):
        return False
    made = os.path.getmtime(kernel.initrd)
    return all(os.path.getmtime(source) < made for source in (INIT, __file__, cpio.__file__, BUSYBOX))


def prepare(state, release=None):
    """The kernel that the guest runs, of this machine's release or of another one; made on the first call. This machine's is made again
    when Debian has a newer one. Another release's stays until its directory is deleted: a look for a newer one takes too long."""
    other = release and release != this_release()
    state = os.path.join(state, release) if other else state
    os.makedirs(state, exist_ok=True)
    with open(os.path.join(state, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once: the second finds what the first made
        for stale in glob.glob(os.path.join(state, "fetch-*")):
            shutil.rmtree(stale)  # of a run that was killed
        if other:
            found = [os.path.basename(path) for path in glob.glob(os.path.join(state, "linux-image-*"))]
            package = found[0] if found else fetch_of_release(release, state)
        else:
            package = resolve()
        kernel = Kernel(os.path.join(state, package), package.removeprefix("linux-image-"))
        if not os.path.isdir(kernel.directory):
            for stale in glob.glob(os.path.join(state, "linux-image-*")):
                shutil.rmtree(stale)
            unpack(package, kernel.directory)
        if not os.path.exists(kernel.plain):
            build_plain(kernel)
        if not is_current(kernel):
            build_initrd(kernel)
        return kernel
