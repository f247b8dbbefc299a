# SPDX-License-Identifier: GPL-2.0-or-later
"""What the VLAN tests share: rawnet's VLAN interface in the host, and the tags of a frame on the trunk."""

import contextlib
import struct
import subprocess

import frames
import lab

TAGS = {0x8100, 0x88A8, 0x9100, 0x9200, 0x9300}


def taken_apart(frame):
    """(destination, source, [(EtherType, VID) of each tag, outermost first], EtherType, payload)."""
    tags, at = [], 12
    while (kind := struct.unpack_from("!H", frame, at)[0]) in TAGS:
        tags.append((kind, struct.unpack_from("!H", frame, at + 2)[0] & 0xFFF))
        at += 4
    return frames.mac_text(frame[0:6]), frames.mac_text(frame[6:12]), tags, kind, frame[at + 2:]


def shared(vid, protocol="802.1Q"):
    """The records of rawnet's own VLAN interfaces for vid in the host's namespace (at most one, one hopes)."""
    return [link for name, link in lab.links().items()
            if name.startswith("rnv") and link["linkinfo"]["info_data"]["id"] == vid
            and link["linkinfo"]["info_data"]["protocol"] == protocol]  # fmt: skip


def run(*words):
    """A command that has to succeed; AssertionError with its words."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr.strip()}"
    return done.stdout


def run_far(*words):
    return run("ip", "netns", "exec", lab.FAR, *words)


@contextlib.contextmanager
def far_link(name, *words):
    """An interface of the neighbour's on the wire while the block runs, up: far_link("wire.150", "type", "vlan", "id", "150")."""
    run_far("ip", "link", "add", "link", "wire", "name", name, *words)
    try:
        run_far("ip", "link", "set", name, "up")
        yield name
    finally:
        run_far("ip", "link", "del", name)


@contextlib.contextmanager
def host_link(name, *words):
    """An interface of the host's on the wire while the block runs, up; its record."""
    run("ip", "link", "add", "link", "wire0", "name", name, *words)
    try:
        run("ip", "link", "set", name, "up")
        yield lab.links()[name]
    finally:
        run("ip", "link", "del", name)


