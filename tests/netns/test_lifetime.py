# SPDX-License-Identifier: GPL-2.0-or-later
"""How leases end, whoever dies at whatever moment, and that nothing else notices."""

import contextlib
import json
import os
import signal
import socket

import bus
import frames
import lab
import processes
import shapes
import tap

SECONDS = 20
NO_RATE = ("--opens-per-second=0", "--queues-per-user=4000")  # a user may open 128 at once, and have 128 queues
HOLDER = """
import json, os, signal, sys
sys.path.insert(0, "/run/lab/src/tests/lib")
import bus
kind, network, options, copies = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])
connection = bus.connect()
leases = [connection.open(kind, network, **options) for _ in range(copies)]
print(json.dumps([lease.info for lease in leases]), flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def holder(kind="tap", network="lab", copies=1, user="member", **options):
    """Another process that holds leases: (Popen, their infos)."""
    process = lab.popen_as(user, ["/usr/bin/python3", "-c", HOLDER, kind, network, json.dumps(options), str(copies)],
                           stdin=lab.subprocess.PIPE, stdout=lab.subprocess.PIPE)  # fmt: skip
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def talks(lease, wire, text, port=None):
    """A positive control: frames of this lease pass both ways."""
    port = port or shapes.port_of(lease)
    port.send(frames.marker(lease.info["mac"], f"{text} out {lease.id}"))
    wire.wait(f"{text} out {lease.id}".encode(), SECONDS)
    wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, f"{text} in {lease.id}".encode()))
    port.wait(f"{text} in {lease.id}".encode(), SECONDS)


@contextlib.contextmanager
def bystander(kind="packet"):
    """A lease of another user that must not notice anything."""
    with bus.connect("member2") as connection, connection.open(kind, "lab", name="bystander") as lease, frames.WirePort() as wire:
        talks(lease, wire, "before")
        properties = connection.get_all(lease.path, bus.LEASE)
        yield lease
        talks(lease, wire, "after")
        assert connection.get_all(lease.path, bus.LEASE) == properties
    lab.wait_no_leases(30)


def ended(connection, identity, reason="last-fd"):
    path = f"/org/rawnet1/lease/{identity}"
    assert connection.wait_signal("Ended", 20, path=path)[1] == (reason,)


def test_last_fd_closed():
    with bystander(), bus.connect("member") as connection:
        connection.subscribe()
        for kind in ("tap", "packet"):
            lease = connection.open(kind, "lab", queues=2)
            for fd in list(lease.fds):
                assert lease.id in lab.lease_ids()
                os.close(fd)
            lease.fds = []
            ended(connection, lease.id)


def test_a_copy_anywhere_keeps_it_alive():
    with bus.connect("member") as connection, frames.WirePort() as wire:
        connection.subscribe()
        for kind in ("tap", "packet"):
            lease = connection.open(kind, "lab")
            copy = os.dup(lease.fd)
            lease.close_fds()
            lease.fds = [copy]
            talks(lease, wire, "by a copy")
            # In a message that nobody has taken yet.
            left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            socket.send_fds(left, [b"x"], [copy])
            os.close(copy)
            lease.fds = []
            assert lease.id in lab.lease_ids()
            lease.fds = [socket.recv_fds(right, 1, 1)[1][0]]
            talks(lease, wire, "by a message")
            # In a child that outlives its parent's copy.
            with lab.subprocess.Popen(["cat"], stdin=lab.subprocess.PIPE, pass_fds=lease.fds) as child:
                os.close(lease.fds.pop())
                assert lease.id in lab.lease_ids()
                child.stdin.close()
                child.wait()
            ended(connection, lease.id)
            left.close()
            right.close()


def test_holder_killed():
    with bystander(), bus.connect("member") as connection:
        connection.subscribe()
        for kind in ("tap", "packet"):
            for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
                with holder(kind, queues=2) as (process, infos):
                    assert lab.lease_ids(), "it holds one"
                    process.send_signal(number)
                    ended(connection, infos[0]["id"])


def test_holder_leaves_the_bus_and_keeps_its_port():
    with bus.connect("member") as connection, frames.WirePort() as wire:
        lease = connection.open_tap("lab")
        connection.close()
        talks(lease, wire, "off the bus")
        with bus.connect("outsider") as other:
            assert lease.path in other.leases()
        lease.close_fds()


def test_daemons_killed():
    for kill in (lab.kill_helper, lab.kill_service):
        with bystander("tap"):
            with bus.connect("member") as connection, connection.open_packet("lab") as lease, frames.WirePort() as wire:
                kill()
                talks(lease, wire, "without it")
            lab.wait_for(lambda: len(lab.lease_ids()) == 1, 20, "the end, with nobody there to see it")


def test_same_exclusive_network_again_at_once():
    lab.need_vlan()
    with bus.connect("member") as connection, frames.WirePort("wire.200") as wire:
        for number in range(10):
            kind = ("tap", "packet")[number % 2]
            with bus.open_after_end(connection, kind, "vlan200") as lease:
                shapes.port_of(lease).send(frames.marker(lease.info["mac"], f"again {number}"))
                wire.wait(f"again {number}".encode(), SECONDS)


def test_exclusive_after_revoke_is_free_though_held():
    lab.need_vlan()
    with bus.connect("member") as connection, connection.open_tap("vlan200") as held:
        connection.close_lease(held.path)
        if connection.networks()["vlan200"]["MaxLeases"] > 1:
            with connection.open_tap("vlan200"):
                pass


def test_shared_vlan_interface_goes_with_its_last_lease():
    lab.need_vlan()

    def shared():
        return [name for name in lab.links() if name.startswith("rnv")]

    with bus.connect("member") as connection:
        with connection.open_tap("vlan100"):
            with connection.open_packet("vlan100"):
                assert len(shared()) == 1, shared()
            lab.wait_for(lambda: len(lab.lease_ids()) == 1, 20, "the first's end")
            assert len(shared()) == 1, shared()
        lab.wait_for(lambda: not shared(), 20, "the interface's end")
        with connection.open_tap("vlan100"):
            lab.kill_helper()
            lab.kill_service()
            assert len(shared()) == 1
        lab.wait_no_leases()
        assert connection.networks()  # the next start removes it
        lab.wait_for(lambda: not shared(), 20, "the interface's end")


def seconds_of_an_open(connection):
    times = []
    for _ in range(10):
        start = lab.time.monotonic()
        connection.open_tap("lab").close_fds()
        times.append(lab.time.monotonic() - start)
    lab.wait_for(lambda: len(lab.lease_ids()) == 1, 60, "the end of all but the bystander")
    return sorted(times)[5]


def as_many_as_fit(most, connection):
    """`most` where an open is fast, a tenth of it where everything is emulated: time is what a thousand of them take."""
    return most if seconds_of_an_open(connection) < 0.1 else most // 10


def moments(connection):
    """(number, seconds after the call was sent), spread over what an open takes on this machine."""
    each = seconds_of_an_open(connection)
    rounds = 50 if each < 0.1 else 10
    for number in range(rounds):
        yield number, each * number / rounds


@tap.limit(300)
def test_a_thousand_end_together():
    lab.service_arguments(*NO_RATE)
    with bystander(), lab.network("wide", MaxLeasesPerUser="4000"), bus.connect("member") as connection:
        connection.subscribe()
        half = as_many_as_fit(500, connection)
        count = 2 * half + 1
        start = lab.time.monotonic()
        with holder("tap", "wide", half) as (taps, infos1), holder("packet", "wide", half, user="member2") as (packets, infos2):
            tap.diag(f"{count} opened in {lab.time.monotonic() - start:.1f} s")
            assert (len(lab.lease_ids()), len(connection.leases())) == (count, count), (len(lab.lease_ids()), len(connection.leases()))
            # New daemons have to find every one of them.
            lab.kill_helper()
            lab.kill_service()
            lab.wait_for(lambda: len(connection.leases()) == count, 60, f"{count} leases known to new daemons")
            start = lab.time.monotonic()
            taps.kill()
            packets.kill()
            lab.wait_for(lambda: len(lab.lease_ids()) == 1, 120, f"the end of {count - 1}")
            tap.diag(f"gone in {lab.time.monotonic() - start:.1f} s")
        lab.wait_for(lambda: len(connection.leases()) == 1, 60, "rawnetd's knowledge of it")
        tap.diag(f"all known {lab.time.monotonic() - start:.1f} s after the kill")
        for info in infos1[:5] + infos2[-5:]:
            ended(connection, info["id"])


@tap.limit(200)
def test_resync_after_lost_messages():
    """The helper is stopped while more ends than its socket's buffer holds: what the kernel did not report is found by a scan."""
    lab.service_arguments(*NO_RATE)
    with bystander(), lab.network("wide", MaxLeasesPerUser="4000"), bus.connect("member") as connection:
        connection.subscribe()
        with holder("tap", "wide", as_many_as_fit(300, connection)) as (process, infos):
            with lab.stopped(lab.helper_pid()):
                process.kill()
                lab.wait_for(lambda: len(lab.lease_ids()) == 1, 60, "the end of all but the bystander")
                # And links that come and go, to fill its buffers: RTM_NEWLINK and RTM_DELLINK of the host.
                batch = "".join(f"link add flood{n} type veth peer name other{n}\nlink del flood{n}\n" for n in range(200))
                lab.subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
        lab.wait_for(lambda: len(connection.leases()) == 1, 60, "the resync")
        ended(connection, infos[0]["id"])
        ended(connection, infos[-1]["id"])


def after_the_storm(connection, kind, serial):
    """Whatever came of a call in whose middle somebody died: an answer, and nothing left."""
    try:
        lease = connection.opened(kind, serial, 40)
    except bus.BusError as error:
        return error.name.rsplit(".", 1)[1]
    with frames.WirePort() as wire:
        talks(lease, wire, "survivor")
    lease.close_fds()
    return "opened"


@tap.limit(400)
def test_helper_killed_in_the_middle_of_an_open():
    """At as many moments as an open has: each call is answered, the next works, nothing is left."""
    outcome = {}
    with bystander(), bus.connect("member") as connection:
        for number, moment in moments(connection):
            kind = ("tap", "packet")[number % 2]
            connection.open(kind, "lab").close_fds()  # both daemons run
            pid = lab.helper_pid()
            serial = connection.send_open(kind, "lab", **({"mac": "learn"} if number % 10 == 4 else {}))
            spin(moment)
            os.kill(pid, signal.SIGKILL)
            lab.wait_for_exit(pid)
            result = after_the_storm(connection, kind, serial) if number % 10 != 4 else close_whatever(connection, kind, serial)
            outcome[result] = outcome.get(result, 0) + 1
            lab.wait_for(lambda: len(lab.lease_ids()) == 1, 30, "the end of all but the bystander")
    tap.diag(f"{outcome}")
    assert set(outcome) <= {"opened", "HelperUnavailable"}, outcome


def close_whatever(connection, kind, serial):
    try:
        connection.opened(kind, serial, 40).close_fds()
        return "opened"
    except bus.BusError as error:
        return error.name.rsplit(".", 1)[1]


def spin(seconds):
    """Busy, because the moment is what matters, and it is too short for anything else."""
    end = lab.time.perf_counter() + seconds
    while lab.time.perf_counter() < end:
        pass


@tap.limit(400)
def test_service_killed_in_the_middle_of_an_open():
    outcome = {}
    with bystander(), bus.connect("member") as connection:
        for number, moment in moments(connection):
            kind = ("tap", "packet")[number % 2]
            connection.open(kind, "lab").close_fds()
            pid = lab.service_pid()
            serial = connection.send_open(kind, "lab")
            spin(moment)
            os.kill(pid, signal.SIGKILL)
            lab.wait_for_exit(pid)
            result = after_the_storm(connection, kind, serial)
            outcome[result] = outcome.get(result, 0) + 1
            lab.wait_for(lambda: len(lab.lease_ids()) == 1, 30, "the end of all but the bystander")
    tap.diag(f"{outcome}")
    assert set(outcome) <= {"opened", "NoReply"}, outcome


@tap.limit(300)
def test_caller_killed_in_the_middle_of_an_open():
    with bystander(), bus.connect("member") as connection:
        for number, moment in moments(connection):
            with bus.connect("member") as caller:
                caller.send_open(("tap", "packet")[number % 2], "lab")
                spin(moment)
            lab.wait_for(lambda: len(lab.lease_ids()) <= 1 and len(connection.leases()) == 1, 30, "the end of all but the bystander")


def at_rest(pid):
    """The helper has only the worker that waits for the next open, and that one's child, which is in a namespace of its own."""
    with contextlib.suppress(FileNotFoundError):  # one that ends just now
        pids = processes.descendants(pid)
        return len(pids) == 2 and os.readlink(f"/proc/{pids[1]}/ns/net") != os.readlink("/proc/self/ns/net")
    return False


def test_no_process_of_the_helper_is_left():
    """After all of the above: the helper has what waits for the next open, and neither daemon has more descriptors than before."""
    with bus.connect("member") as connection:
        connection.open_tap("lab").close_fds()
        lab.wait_no_leases()
        pid = lab.helper_pid()
        lab.wait_for(lambda: at_rest(pid), 20, "the end of the helper's children but those that wait")
        before = lab.fd_count(pid), lab.fd_count(lab.service_pid())
        for number in range(20):
            with contextlib.suppress(bus.BusError):
                connection.open(("tap", "packet")[number % 2], "lab", queues=3).close_fds()
        lab.wait_no_leases(30)
        lab.wait_for(lambda: at_rest(pid), 20, "the end of the helper's children but those that wait")

        def settled():
            return lab.fd_count(pid) <= before[0] and lab.fd_count(lab.service_pid()) <= before[1]

        lab.wait_for(settled, 10, f"the daemons' descriptors back at {before}")


if __name__ == "__main__":
    tap.main()
