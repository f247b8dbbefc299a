# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's guest: Debian's kernel (fetched and unpacked as tools/vm does it, never installed) and an initramfs of busybox,
the modules for its network card, and guest-init.sh (or another INIT, and further PROGRAMs without libraries in /bin: prepare.py SOURCE TARGET [INIT [PROGRAM...]])."""

import os
import shutil
import sys

SOURCE, TARGET, *MORE = sys.argv[1:]
INIT, PROGRAMS = MORE[:1], MORE[1:]
sys.path.insert(0, os.path.join(SOURCE, "tools/vm.d"))

import cpio  # noqa: E402
import kernel as debian_kernel  # noqa: E402
from common import Trouble, output_of  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ("virtio_pci", "virtio_net", "af_packet")


def fetch():
    state = os.path.join(SOURCE, "build", "vm")
    try:
        return debian_kernel.prepare(state)
    except Trouble as trouble:
        print(f"demo: {trouble}; trying with fresh package lists", flush=True)
        output_of(["apt-get", "update", "-q"], "fetching the package lists")
        return debian_kernel.prepare(state)


def modules_of(kernel):
    """Those of MODULES that this kernel has as modules, with what they need; the others are built in."""
    builtin = os.path.join(kernel.directory, "root/usr/lib/modules", kernel.version, "modules.builtin")
    with open(builtin, encoding="utf-8") as file:
        inside = {os.path.basename(line.strip()).removesuffix(".ko").replace("-", "_") for line in file}
    return debian_kernel.modules_in_order(kernel, [name for name in MODULES if name not in inside])


def main():
    print("demo: Debian's kernel and the guest's initramfs", flush=True)
    kernel = fetch()
    archive = cpio.Archive()
    for directory in ("bin", "dev", "proc", "sys", "modules", "tmp"):
        archive.directory(directory)
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", debian_kernel.BUSYBOX, 0o755)
    archive.file("init", *(INIT or [os.path.join(HERE, "guest-init.sh")]), 0o755)
    for path in PROGRAMS:
        archive.file(f"bin/{os.path.basename(path)}", path, 0o755)
    archive.file("bin/dhcp-event", os.path.join(HERE, "guest-dhcp.sh"), 0o755)
    paths = modules_of(kernel)
    for path in paths:
        archive.file(f"modules/{os.path.basename(path)}", path, 0o644)
    archive.text("modules/order", "".join(f"{os.path.basename(path)}\n" for path in paths))
    os.makedirs(TARGET, exist_ok=True)
    with open(os.path.join(TARGET, "initrd"), "wb") as out:
        out.write(archive.finish())
    shutil.copyfile(kernel.plain, os.path.join(TARGET, "vmlinuz"))


try:
    main()
except Trouble as trouble:
    sys.exit(f"demo: {trouble}")
