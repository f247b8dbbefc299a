# SPDX-License-Identifier: GPL-2.0-or-later
"""A container's lease ends with its interface, whoever is dead by then; nothing else holds it, and nothing is left."""

import contextlib
import os
import signal
import socket
import time

import bus
import container
import frames
import lab
import processes
import station
import tap
from container import Container, attach

NEIGHBOUR = "10.77.0.1"
KEEPER_KIB = 300  # what one may cost
NO_RATE = ("--opens-per-second=0", "--queues-per-user=4000")


def keepers():
    """Process ids of the children that hold containers' leases."""
    return processes.named("rawnet-keep")


def gone(seconds=10):
    """Nothing is left: no lease, no keeper."""
    lab.wait_no_leases(seconds)
    lab.wait_for(lambda: not keepers(), seconds, "the keepers' end")


def kill_container(box):
    box.let_go()
    box.kill()


def delete_interface(box):
    box.run("ip", "link", "delete", "eth0")


ENDS = {"the container is killed": kill_container, "its root deletes the interface": delete_interface}


@contextlib.contextmanager
def nobody():
    yield


@contextlib.contextmanager
def helper_killed():
    lab.kill_helper()
    yield


@contextlib.contextmanager
def helper_stopped():
    lab.stop("rawnet-helper")
    yield
    lab.start("rawnet-helper")


@contextlib.contextmanager
def service_killed():
    lab.kill_service()
    yield


@contextlib.contextmanager
def both_killed():
    lab.kill_helper()
    lab.kill_service()
    yield


@contextlib.contextmanager
def helper_killed_and_back():
    lab.kill_helper()
    with bus.connect("member") as connection:
        lab.wait_for(connection.leases, 20, "the lease in the list again")
    yield


@tap.limit(300)
def test_ends_with_the_interface():
    """Whoever of rawnet's is dead, stopped or started again, and the caller has long left the bus."""
    for dead in (nobody, helper_killed, helper_stopped, service_killed, both_killed, helper_killed_and_back):
        for what, end in ENDS.items():
            with Container() as box:
                with bus.connect("member") as connection:
                    attach(connection, "lab", box)
                box.up("10.77.0.77/24")
                with dead():
                    assert box.ping(NEIGHBOUR), f"{dead.__name__}: no traffic"
                    end(box)
                    gone()
        with bus.connect("member") as connection:
            lab.wait_for(lambda: not connection.leases(), 20, "rawnetd to learn of it")  # pylint: disable=cell-var-from-loop
    tap.diag(f"{list(ENDS)}")


def test_how_soon():
    """The time from the end of the container to the end of the lease."""
    took = {}
    for what, end in ENDS.items():
        times = []
        for _ in range(10):
            with bus.connect("member") as connection, Container() as box:
                connection.subscribe()
                lease = attach(connection, "lab", box)
                box.up()
                began = time.monotonic()
                end(box)
                assert connection.wait_signal("Ended", path=lease.path)[1] == ("interface-gone",)
                times.append(1000 * (time.monotonic() - began))
            gone()
        took[what] = sorted(times)
    for what, times in took.items():
        tap.diag(f"{what}: Ended after {times[len(times) // 2]:.0f} ms, worst {times[-1]:.0f} ms (target: 100 ms)")


def test_lives_while_the_namespace_is_held():
    """A descriptor of the namespace holds what is in it: that is the kernel's rule. The lease goes with the interface all the same."""
    with bus.connect("member") as connection, Container() as box:
        lease = attach(connection, "lab", box)
        box.kill()
        assert lease.id in lab.lease_ids() and "eth0" in box.links()
        with lab.in_namespace(box.namespace):
            station.command("ip", "link", "delete", "eth0")
        gone()


@contextlib.contextmanager
def no_way_back(address):
    """What the neighbour sends to the address goes nowhere."""
    (far,) = (link["ifname"] for link in lab.ip("addr", where=lab.FAR) if any(each.get("local") == NEIGHBOUR for each in link["addr_info"]))
    lab.run_far(["ip", "neigh", "replace", address, "lladdr", "02:00:00:00:00:66", "dev", far, "nud", "permanent"])
    try:
        yield
    finally:
        lab.run_far(["ip", "neigh", "delete", address, "dev", far])


def test_connection_that_nobody_acknowledges():
    """Its TCP socket holds the namespace after the container's end, until the kernel gives up (tcp_orphan_retries, tcp(7)). Close() ends the
    lease at once."""
    with bus.connect("member") as connection, Container() as box, frames.WirePort() as wire:
        lease = attach(connection, "lab", box)
        box.up("10.77.0.77/24")
        with lab.in_namespace(lab.FAR):
            server = socket.create_server((NEIGHBOUR, 7711))
        with lab.in_namespace(box.namespace):
            inside = socket.create_connection((NEIGHBOUR, 7711), tap.patience(10))
        with server, inside, no_way_back("10.77.0.77"):
            inside.sendall(b"never acknowledged")
            wire.wait(b"never acknowledged")
            inside.close()
            kill_container(box)
            # Whatever of it is on its way: it is sent again.
            for _ in range(3):
                wire.wait(b"never acknowledged")
            assert lease.id in lab.lease_ids(), "the lease has ended"
            connection.close_lease(lease.path)
        gone()


def test_follows_the_interface():
    """Into another namespace of the same user, and under another name; it ends with that namespace."""
    with bus.connect("member") as connection, Container() as box:
        lease = attach(connection, "lab", box)
        with box.popen("unshare", "--net", "--", "cat", stdin=lab.subprocess.PIPE, stdout=lab.subprocess.PIPE) as inner:
            inner.stdin.write("ready\n")
            inner.stdin.flush()
            assert inner.stdout.readline() == "ready\n"
            box.run("ip", "link", "set", "eth0", "netns", str(inner.pid))
            assert list(box.links()) == ["lo"] and lease.id in lab.lease_ids()
            space = ["nsenter", f"--net=/proc/{inner.pid}/ns/net"]
            box.run(*space, "ip", "link", "set", "eth0", "name", "wan0", "up")
            box.run(*space, "ip", "addr", "add", "10.77.0.77/24", "dev", "wan0")
            box.run(*space, "ping", "-c", "1", "-W", "5", NEIGHBOUR)
            inner.kill()
        gone()


def test_close_and_the_uplinks_end():
    """What else ends it takes the interface out of the container."""
    with bus.connect("member") as connection, Container() as box:
        lease = attach(connection, "lab", box)
        connection.close_lease(lease.path)
        assert "eth0" not in box.links()
        gone()
        lab.subprocess.run(["ip", "link", "add", "parent7", "type", "veth", "peer", "name", "peer7"], check=True)
        lab.subprocess.run(["ip", "link", "set", "parent7", "up"], check=True)
        with lab.network("vanishing", Parent="parent7"), helper_stopped_afterwards():
            attach(connection, "vanishing", box)
            lab.stop("rawnet-helper")
            lab.subprocess.run(["ip", "link", "delete", "parent7"], check=True)
            gone()
            lab.wait_for(lambda: "eth0" not in box.links(), 10, "the interface's end")


@contextlib.contextmanager
def helper_stopped_afterwards():
    try:
        yield
    finally:
        lab.start("rawnet-helper")


def test_keeper_killed():
    """By an administrator: the lease ends, and nothing else."""
    with bus.connect("member") as connection, Container() as box, Container() as other:
        attach(connection, "lab", box)
        (first,) = keepers()
        stays = attach(connection, "lab", other)
        os.kill(first, signal.SIGKILL)
        lab.wait_for(lambda: lab.lease_ids() == [stays.id], 10, "the lease's end")
        lab.wait_for(lambda: "eth0" not in box.links(), 10, "the interface's end")
        assert "eth0" in other.links()


def test_messages_are_lost():
    """The keeper's socket is full when the uplink goes, so the kernel drops the message of it."""
    with bus.connect("member") as connection, Container() as box:
        attach(connection, "lab", box)
        (keeper,) = lab.wait_for(keepers, 10, "the keeper")
        lab.wait_for(lambda: status(keeper)["Seccomp"] == "2", 10, "its filter")
        words = "\n".join(["link add lost0 type veth peer name lost1", "link delete lost0"] * 200 + ["link delete uplink"])
        os.kill(keeper, signal.SIGSTOP)
        try:
            lab.subprocess.run(["nsenter", f"--net=/proc/{keeper}/ns/net", "ip", "-batch", "-"], input=words, text=True, check=True)
            with open(f"/proc/{keeper}/net/netlink", encoding="ascii") as file:
                assert any(int(line.split()[8]) for line in list(file)[1:]), "nothing was lost"
        finally:
            os.kill(keeper, signal.SIGCONT)
        gone()


def test_helper_killed_in_the_middle():
    """At any moment of an Attach(): there is a lease that rawnetd knows, or nothing."""
    for number in range(20):
        with bus.connect("member") as connection, Container() as box:
            serial = container.send_attach(connection, "lab", box.namespace)
            # A different moment each time: what holds, holds at all of them.
            for _ in range(number):
                lab.lease_ids()
            pid = lab.helper_pid()
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            try:
                path = connection.reply(serial)[0]
            except bus.BusError:
                path = None
            if path:
                assert "eth0" in box.links(), path
                lab.wait_for(lambda: path in connection.leases(), 20, "the lease in the list")  # pylint: disable=cell-var-from-loop
            else:
                lab.wait_for(lambda: "eth0" not in box.links(), 20, "the interface's end")
        gone()


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


def test_keeper_has_nothing():
    """One socket, no capability, hardly a system call; not the guard's entries."""
    with bus.connect("member") as connection, Container() as box:
        attach(connection, "lab", box)
        (keeper,) = lab.wait_for(keepers, 10, "the keeper")
        lab.wait_for(lambda: status(keeper)["Seccomp"] == "2", 10, "its filter")
        fds = {fd: os.readlink(f"/proc/{keeper}/fd/{fd}") for fd in os.listdir(f"/proc/{keeper}/fd")}
        assert list(fds) == ["0"] and fds["0"].startswith("socket:"), fds
        shown = status(keeper)
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(shown[name], 16) == 0, (name, shown[name])
        assert shown["NoNewPrivs"] == "1" and shown["Threads"] == "1", shown
        with open(f"/proc/{keeper}/maps", encoding="ascii") as file:
            mapped = [line.split() for line in file if "bpf-map" in line]
        # What is left is the ring buffer, whose page for the reader is its first one.
        assert [words[2] for words in mapped if words[1].startswith("rw")] == ["00000000"] and len({words[4] for words in mapped}) == 1, mapped


def kernel_kib():
    """What the kernel has allocated, KiB: slab, stacks, page tables, per-cpu."""
    with open("/proc/meminfo", encoding="ascii") as file:
        values = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return sum(values[name] for name in ("Slab", "KernelStack", "PageTables", "Percpu"))


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


@tap.limit(900)
def test_a_thousand():
    """All are there after a restart of both daemons, and all end. What a keeper costs has a bound (ARCHITECTURE.md has the figure)."""
    count = 1000
    lab.service_arguments(*NO_RATE)
    try:
        with lab.network("many", MaxLeases="2000", MaxLeasesPerUser="2000"), bus.connect("member") as connection, contextlib.ExitStack() as stack:
            boxes = [stack.enter_context(Container()) for _ in range(count // 100)]
            for number in range(count):
                attach(connection, "many", boxes[number % len(boxes)], f"e{number}")
            found = lab.wait_for(lambda: len(keepers()) == count and keepers(), 30, "the keepers")
            pss = [pss_kib(pid) for pid in found]
            before = kernel_kib()
            tables = [int(status(pid)["VmPTE"].split()[0]) for pid in found]
            tap.diag(f"a keeper: Pss {sum(pss) / count:.0f} KiB (worst {max(pss)}), page tables {sum(tables) / count:.0f} KiB")
            assert (sum(pss) + sum(tables)) / count <= KEEPER_KIB, "a keeper has grown"
            lab.kill_helper()
            lab.kill_service()
            lab.wait_for(lambda: len(connection.leases()) == count, 60, "all leases again")
            for box in boxes:
                kill_container(box)
            gone(60)
            tap.diag(f"a lease of a container with its keeper: {(before - kernel_kib()) / count:.0f} KiB of the kernel's memory")
            lab.wait_for(lambda: not connection.leases(), 30, "rawnetd to learn of it")
    finally:
        lab.service_arguments()


if __name__ == "__main__":
    tap.main()
