# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that lacks or forbids something, played for rawnet-helper alone while a block runs. The lab has a /usr of its own."""

import contextlib
import os

import lab
import tap

NO_NAMESPACES = "/run/no-namespaces"
HELPER = "/usr/libexec/rawnet/rawnet-helper"
# Stands in for AppArmor and hardened kernels, which forbid unshare(CLONE_NEWUSER) with EPERM: seccomp(2), then the real one.
FORBIDDING = """#!/usr/bin/python3
import ctypes, os, platform, struct, sys
UNSHARE, BPF = {"x86_64": (272, 321), "aarch64": (97, 280)}[platform.machine()]
code = {"unshare": [(0x20, 0, 0, 0), (0x15, 0, 3, UNSHARE), (0x20, 0, 0, 16), (0x45, 0, 1, 0x10000000),
                    (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)],
        "bpf": [(0x20, 0, 0, 0), (0x15, 0, 1, BPF), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]}["WHAT"]
filters = b"".join(struct.pack("HBBI", *entry) for entry in code)
buffer = ctypes.create_string_buffer(filters)
program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[0] + ".real", ["rawnet-helper", *sys.argv[1:]])
"""
# tests/netns/kernel-without.c
LACKING = """#!/usr/bin/python3
import os, sys
os.environ.update(LD_PRELOAD="{library}", WITHOUT="{what}")
os.execv(sys.argv[0] + ".real", ["rawnet-helper", *sys.argv[1:]])
"""


@contextlib.contextmanager
def _instead(text):
    """text is the helper, and HELPER.real the helper."""
    os.rename(HELPER, HELPER + ".real")
    try:
        with open(HELPER, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(HELPER, 0o755)
        lab.restart("rawnet-helper")
        yield
    finally:
        os.rename(HELPER + ".real", HELPER)
        lab.restart("rawnet-helper")


def no_user_namespaces():
    return _instead(FORBIDDING.replace("WHAT", "unshare"))


def no_bpf():
    return _instead(FORBIDDING.replace("WHAT", "bpf"))


def kernel_without(what):
    """what: "vlan", "egress", "inet" (nftables' family), "clsact", "ingress", "tbf", "fq_codel", "cls_bpf", "address" (no interface gets another), "gate" (the kernel takes it, and it does not hold), "parent" (wire0 is there, but the helper's questions for it are refused), "place" (of an unfinished checksum: the guard is not told it), or "namespace"
    (while the file NO_NAMESPACES is there)."""
    return _instead(LACKING.format(library=f"{lab.build_dir}/tests/netns/kernel-without.so", what=what))


@contextlib.contextmanager
def checksums_of_unknown_place(connection):
    """Debian 13's kernel on any other. A test that uses it skips where all frames are completed first in any case."""
    connection.open_tap("lab").close_fds()  # the features are those of a helper that has started
    if "checksum-trick" in connection.features():
        tap.skip("this kernel has the checksum trick")
    lab.wait_no_leases()
    with kernel_without("place"):
        yield
