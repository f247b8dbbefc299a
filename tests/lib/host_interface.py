# SPDX-License-Identifier: GPL-2.0-or-later
"""Host interfaces (HostInterface=) for tests, and traffic between host and guests."""

import contextlib
import socket
import subprocess

import bus
import lab
import station
from station import command

INTERFACE = "hostif0"
KINDS = (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True}))


def rawnetctl(*words, user="root", status=0):
    done = lab.run_as(user, ["rawnetctl", *words]) if user != "root" else subprocess.run(
        ["rawnetctl", *words], capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == status, (words, done)
    return done.stdout.strip() if status == 0 else done.stderr.strip()


def current(name=INTERFACE):
    """The interface as `ip -details -json link` shows it, or None."""
    return lab.links().get(name)


def addresses(name=INTERFACE):
    return [entry["local"] for entry in lab.ip("addr", "show", "dev", name)[0]["addr_info"]]


def gone(name=INTERFACE):
    lab.wait_for(lambda: not current(name), 10, f"the end of {name}")


@contextlib.contextmanager
def network(name="hosted", **keys):
    """A network with a host interface, which is removed after the block."""
    with lab.network(name, **{"HostInterface": INTERFACE, **keys}):
        try:
            yield name
        finally:
            rawnetctl("host", "down", name)


@contextlib.contextmanager
def host_link(*words):
    """An administrator's own interface."""
    command("ip", "link", "add", *words)
    name = words[words.index("name") + 1]
    try:
        yield name
    finally:
        command("ip", "link", "del", name)


@contextlib.contextmanager
def brought_up(name, prefix, prefix6):
    rawnetctl("host", "up", name)
    for address in (f"{prefix}.50/24", f"{prefix6}::50/64"):
        command("ip", "addr", "add", address, "dev", INTERFACE, *(["nodad"] if ":" in address else []))
    yield current()


def meet(name, kind, options, prefix, prefix6, number, size):
    """Host and guest by ping, IPv4 and IPv6, and by TCP begun on either side."""
    host, guest, host6, guest6 = f"{prefix}.50", f"{prefix}.{number}", f"{prefix6}::50", f"{prefix6}::{number}"
    with bus.connect("member") as member, member.open(kind, name, **options) as lease, \
            station.Station(lease, f"{guest}/24", f"{guest6}/64") as there:  # fmt: skip
        assert station.ping(guest) and station.ping(guest6), f"{kind} {options}: host to guest"
        assert there.ping(host) and there.ping(host6), f"{kind} {options}: guest to host"
        station.transfer(there.socket(), socket.socket(), guest, size=size)
        station.transfer(socket.socket(), there.socket(), host, size=size)


def reach(name, prefix, prefix6, size=1_000_000):
    """Host and guests of every kind, and the neighbour."""
    with brought_up(name, prefix, prefix6):
        for number, (kind, options) in enumerate(KINDS, 60):
            meet(name, kind, options, prefix, prefix6, number, size)
        # And it is a place on the wire like any other.
        assert station.ping(f"{prefix}.1") and station.ping(f"{prefix6}::1"), "the neighbour"


@contextlib.contextmanager
def namespace(name):
    """A network namespace, such as a container's, while the block runs."""
    command("ip", "netns", "add", name)
    try:
        yield name
    finally:
        command("ip", "netns", "del", name)
