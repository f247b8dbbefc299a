# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard in the helper's hands: what it keeps of CAP_BPF (nothing), and how entries and counters follow the leases, also over a
restart of the helper, to which systemd, and so the lab, gives the maps back."""

import ctypes
import errno
import json
import os
import re
import subprocess

import bus
import frames
import lab
import tap

CAP_NET_ADMIN, CAP_BPF = 12, 39  # linux/capability.h
ENTRY_SIZE, LONGEST_AT = 32, 8  # struct GuardEntry: helper/guard/guard-entry.h
_bpf = ctypes.CDLL("libbpf.so.1", use_errno=True)


def output(*command):
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def status():
    with open(f"/proc/{lab.helper_pid()}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


def test_a_capability_of_the_start_is_given_up():
    with bus.connect("member") as member, member.open_tap("lab"):
        sets = {name: int(status()[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")}
        assert set(sets.values()) == {1 << CAP_NET_ADMIN}, sets
        assert int(status()["CapBnd"], 16) & ~(1 << CAP_NET_ADMIN | 1 << CAP_BPF) == 0


def map_ids(pid):
    """Ids of the maps that a process has descriptors of."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as file:
            found |= {int(number) for number in re.findall(r"^map_id:\t(\d+)$", file.read(), re.M)}
    return found


def maps():
    """{name: id} of what the lab keeps for the helper."""
    shown = {number: json.loads(output("bpftool", "-j", "map", "show", "id", str(number))) for number in map_ids(1)}
    return {{"array": "entries", "hash": "counters", "ringbuf": "events"}[info["type"]]: number for number, info in shown.items()}


def active(number):
    """The lease ids with an active entry in the map with that id."""
    fd = _bpf.bpf_map_get_fd_by_id(number)
    assert fd >= 0, os.strerror(ctypes.get_errno())
    try:
        value = ctypes.create_string_buffer(65536 * ENTRY_SIZE)
        assert _bpf.bpf_map_lookup_elem(fd, ctypes.byref(ctypes.c_uint32(0)), value) == 0
    finally:
        os.close(fd)
    longest = memoryview(value.raw).cast("I")[LONGEST_AT // 4 :: ENTRY_SIZE // 4]
    return {0x7FFF0000 | i for i, bytes_ in enumerate(longest) if bytes_}


def counted(number):
    return {int(entry["key"]) if "key" in entry and isinstance(entry["key"], int) else int.from_bytes(bytes(int(b, 16) for b in entry["key"]), "little")
            for entry in json.loads(output("bpftool", "-j", "map", "dump", "id", str(number)))}  # fmt: skip


def send_spoofed(lease):
    try:
        frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"]).send(frames.ether(frames.BROADCAST, "02:00:00:00:99:99", frames.TEST, b"spoofed"))
    except OSError as error:  # a socket gets an error, a tap does not
        assert error.errno == errno.ENOBUFS, error


def spoofed(member, lease):
    return member.statistics(lease.path)["guard_dropped_spoofed_source"]


def test_entries_of_ended_leases_are_removed():
    with bus.connect("member") as member, member.open_tap("lab") as stays:
        send_spoofed(stays)
        with member.open_tap("lab") as tap_lease, member.open_packet("lab") as packet:
            for lease in (tap_lease, packet):
                send_spoofed(lease)
            ids = {stays.id, tap_lease.id, packet.id}
            assert active(maps()["entries"]) == ids == counted(maps()["counters"])
        lab.wait_for(lambda: active(maps()["entries"]) == {stays.id}, 10, "the entries' end")
        lab.wait_for(lambda: counted(maps()["counters"]) == {stays.id}, 10, "the counters' end")
        assert spoofed(member, stays) == 1


def test_counters_and_entries_outlive_a_restart():
    with bus.connect("member") as member, member.open_packet("lab") as lease, frames.WirePort() as wire:
        send_spoofed(lease)
        before = maps()
        lab.restart("rawnet-helper")
        assert spoofed(member, lease) == 1
        assert maps() == before and active(before["entries"]) == {lease.id}
        send_spoofed(lease)
        assert spoofed(member, lease) == 2
        honest = frames.marker(lease.info["mac"], "after the restart")
        frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"]).send(honest)
        wire.wait(honest[14:])
        # And a lease of the new helper is on the same maps.
        with member.open_tap("lab") as later:
            assert active(before["entries"]) == {lease.id, later.id}


def test_what_ended_while_no_helper_ran_is_removed():
    with bus.connect("member") as member, member.open_tap("lab") as stays:
        with member.open_tap("lab") as ends:
            send_spoofed(ends)
            ids = {stays.id, ends.id}
            assert active(maps()["entries"]) == ids
            lab.stop("rawnet-helper")
        lab.wait_for(lambda: lab.lease_ids() == [stays.id], 10, "the lease's end")
        assert active(maps()["entries"]) == ids
        lab.start("rawnet-helper")
        with member.open_tap("lab") as later:
            lab.wait_for(lambda: active(maps()["entries"]) == {stays.id, later.id}, 10, "the entry's end")
            lab.wait_for(lambda: ends.id not in counted(maps()["counters"]), 10, "the counters' end")


def test_a_check_leaves_no_entry():
    with bus.connect("member") as member, member.open_tap("lab") as lease:
        member.call(bus.ROOT, bus.MANAGER, "Check", "s", ("lab",))
        assert active(maps()["entries"]) == {lease.id}


if __name__ == "__main__":
    tap.main()
