# SPDX-License-Identifier: GPL-2.0-or-later
"""A cpio archive in the "newc" format, the one the kernel unpacks as initramfs.

Source of the format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
"""

import lzma
import stat


class Archive:
    def __init__(self):
        self._parts = []
        self._inode = 0

    def _add(self, name, mode, data=b"", major=0, minor=0):
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(encoded), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        for part in (header + encoded, data):
            self._parts.append(part + b"\0" * (-len(part) % 4))

    def directory(self, name):
        self._add(name, stat.S_IFDIR | 0o755)

    def device(self, name, major, minor):
        self._add(name, stat.S_IFCHR | 0o600, major=major, minor=minor)

    def text(self, name, text, permissions=0o644):
        self._add(name, stat.S_IFREG | permissions, text.encode())

    def file(self, name, source, permissions):
        """A copy of source; what ends in .xz there (kernel modules of newer releases) is unpacked."""
        opener = lzma.open if source.endswith(".xz") else open
        with opener(source, "rb") as data:
            self._add(name, stat.S_IFREG | permissions, data.read())

    def finish(self):
        self._add("TRAILER!!!", 0)
        # The kernel wants the next archive of the same initramfs on a boundary of 4; 512 is customary.
        size = sum(len(part) for part in self._parts)
        return b"".join(self._parts) + b"\0" * (-size % 512)
