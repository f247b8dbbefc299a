# SPDX-License-Identifier: GPL-2.0-or-later
"""More leases than one message of the kernel's list of namespace ids holds: a new helper knows every one.

They are opened straight at the helper, past rawnetd's limits, and looked at as users see them."""

import concurrent.futures
import contextlib
import os
import resource

import bus
import ipc
import lab
import tap

# A message of the list holds 1,158 ids at most; some kernels end the list there. The emulated machine's kernel
# does not, and for so many leases it has neither the time nor the memory.
COUNT = 1600 if tap.SLOWNESS == 1 else 160
AT_ONCE = 16
LIMITS = {"MaxLeases": str(COUNT), "MaxLeasesPerUser": str(COUNT)}


def allow_descriptors():
    number = COUNT + 1000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(number, hard), max(number, hard)))


def open_many(helper):
    """{id: descriptor} of COUNT taps of member's on network many."""
    request = ipc.open_request(network=b"many", uid=lab.uid_of("member"))
    found, asked = {}, 0
    while len(found) < COUNT:
        while asked < min(COUNT, len(found) + AT_ONCE):
            helper.send(request)
            asked += 1
        reply = helper.reply()
        assert reply and reply.type == ipc.OPENED, reply
        found[reply.lease] = reply.fds[0]
    return found


def close_many(fds):
    """The kernel takes some 16 ms for a tap's last close, but closes several at a time."""
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(os.close, fds))


@contextlib.contextmanager
def many_leases():
    allow_descriptors()
    with lab.network("many", **LIMITS), ipc.Helper() as helper:
        leases = open_many(helper)
        try:
            yield leases
        finally:
            close_many(leases.values())
            lab.wait_no_leases(60)


def path_of(lease):
    return f"{bus.ROOT}/lease/{lease}"


def close_as_owner(connection, lease):
    assert "tx_packets" in connection.statistics(path_of(lease))
    connection.close_lease(path_of(lease))
    bus.expect_error("NoSuchLease", connection.close_lease, path_of(lease))


@tap.limit(240)
def test_a_new_helper_finds_every_lease():
    with bus.connect("member") as connection, many_leases() as leases:
        lab.wait_for(lambda: len(connection.leases()) == COUNT, 30, "the list of all")
        before = connection.leases()
        lab.kill_helper()
        lab.kill_service()
        after = connection.leases()
        forgotten = set(before) - set(after)
        assert after == before, f"{len(forgotten)} of {len(before)} leases were forgotten"
        bus.expect_error("QuotaExceeded", connection.open_tap, "many")
        # The highest id is what any list names last.
        for lease in (min(leases), max(leases)):
            close_as_owner(connection, lease)
        # Some end while the helper is not there, wherever in the list they are.
        ended = sorted(leases)[::40]
        with lab.stopped(lab.helper_pid()):
            close_many(leases.pop(lease) for lease in ended)
            lab.wait_for(lambda: set(lab.lease_ids()) == set(leases), 30, "the end of some")
            pid = lab.helper_pid()
            os.kill(pid, lab.signal.SIGKILL)
        lab.wait_for_exit(pid)
        alive = {path_of(lease) for lease in leases}
        lab.wait_for(lambda: set(connection.leases()) == alive, 30, "the list of those that live")


if __name__ == "__main__":
    tap.main()
