# SPDX-License-Identifier: GPL-2.0-or-later
"""mac=learn as a weapon: leases whose guest never sends a frame, each of which keeps a process and a descriptor of the helper, and frames
with addresses that the guest must not get."""

import contextlib

import bus
import frames
import ipc
import lab
import processes
import tap

PER_USER, ALL = 16, 256  # common/names.h
ATTACHED = 4096  # the same
LIMITS = bus.DBUS_ERROR + "LimitsExceeded"
SECONDS = 20


def open_all(connection, network="lab", most=64, **options):
    """Opens with mac=learn until one is refused: the leases and the refusal."""
    leases = []
    for _ in range(most):
        try:
            leases.append(connection.open_tap(network, mac="learn", **options))
        except bus.BusError as error:
            return leases, error
    return leases, None


def close_all(leases):
    for lease in leases:
        lease.close_fds()
    lab.wait_no_leases(30)
    lab.wait_for(lambda: not processes.learners(), 20, "the learning children's end")
    bus.wait_none_listed()


def wait_learners(number):
    """A child has its name a moment after the answer."""
    lab.wait_for(lambda: len(processes.learners()) == number, 10, f"{number} learning children")


def port_of(lease):
    return frames.Port(lease.fd, lease.info["vnet-hdr"])


def frame_of(mac):
    return frames.ether(frames.BROADCAST, mac, frames.TEST, f"from {mac}".encode())


# -- how many


def test_unlearned_leases_of_one_user_are_bounded():
    with bus.connect("member") as greedy, bus.connect("member2") as other:
        leases, refusal = open_all(greedy)
        assert refusal and refusal.name == LIMITS and len(leases) == PER_USER, (len(leases), refusal)
        assert "lab" in refusal.text and "mac=" in refusal.text and f"{PER_USER} of your ports wait" in refusal.text, refusal
        assert len(lab.lease_ids()) == PER_USER
        wait_learners(PER_USER)
        # Others may learn, and the same user may do everything else.
        with other.open_tap("lab", mac="learn"), greedy.open_tap("lab"), greedy.open_packet("lab"):
            pass
        # One that has learned counts no more, and neither does one that was closed under its holder.
        greedy.subscribe()
        port_of(leases[0]).send(frame_of("52:54:00:77:01:01"))
        lab.wait_for(lambda: greedy.get_all(leases[0].path, bus.LEASE)["MAC"], 20, "the learned address")
        greedy.close_lease(leases[1].path)
        leases += [greedy.open_tap("lab", mac="learn"), greedy.open_tap("lab", mac="learn")]
        bus.expect_error(LIMITS, greedy.open_tap, "lab", mac="learn")
        close_all(leases)
        greedy.open_tap("lab", mac="learn").close_fds()


def test_calls_at_once_do_not_pass_the_bound():
    with bus.connect("member") as greedy:
        serials = [greedy.send_open("tap", "lab", mac="learn") for _ in range(40)]
        leases, refused = [], 0
        for serial in serials:
            try:
                leases.append(greedy.opened("tap", serial))
            except bus.BusError as error:
                assert error.name == LIMITS, error
                refused += 1
        assert len(leases) == PER_USER and refused == 40 - PER_USER, (len(leases), refused)
        close_all(leases)


def test_the_bound_outlives_the_daemons():
    with bus.connect("member") as greedy:
        leases, _ = open_all(greedy)
        lab.kill_helper()
        lab.kill_service()
        bus.expect_error(LIMITS, greedy.open_tap, "lab", mac="learn")
        # What is learned while no daemon listens is seen all the same, and makes room.
        port_of(leases[0]).send(frame_of("52:54:00:77:01:02"))
        lab.wait_for(lambda: greedy.leases()[leases[0].path]["MAC"] == "52:54:00:77:01:02", 30, "the learned address")
        leases.append(greedy.open_tap("lab", mac="learn"))
        bus.expect_error(LIMITS, greedy.open_tap, "lab", mac="learn")
        close_all(leases)


@contextlib.contextmanager
def few_descriptors(number):
    """The helper may have that many descriptors while the block runs."""
    with bus.connect("member") as member:
        lease = member.open_tap("lab")
        lease.close_fds()
    lab.wait_for(lambda: lease.id not in lab.lease_ids(), 10, "the lease's end")
    pid = lab.helper_pid()
    set_limit(pid, number)
    try:
        yield pid
    finally:
        if lab.helper_pid() == pid:
            set_limit(pid, 1024)


def set_limit(pid, number):
    """Only the process's own user may: prlimit(2)."""
    lab.run_as("_rawnet-helper", ["prlimit", f"--pid={pid}", f"--nofile={number}:"], check=True)


@contextlib.contextmanager
def forged_learns():
    """Opens of a rawnetd that was taken over, each for another user, until one is refused: the connection, the replies, the refusal."""
    replies = []
    with ipc.Helper() as helper:
        try:
            for number in range(64):
                reply = helper.call(ipc.open_request(mac_mode=ipc.LEARN, uid=20000 + number, serial=1 + number))
                if reply.type != ipc.OPENED:
                    break
                replies.append(reply)
            yield helper, replies, reply
        finally:
            close_all(replies)


@tap.limit(120)
def test_the_helper_counts_by_itself():
    """Whatever rawnetd counts, all users together do not use up the helper: it refuses before anything is made, and every other open
    and close finds room."""
    with few_descriptors(64) as pid:
        with forged_learns() as (helper, opened, refused):
            assert refused.error == "LimitsExceeded", refused
            assert "lab" in refused.text and "mac=" in refused.text, refused.text
            assert 1 <= len(opened) <= 16, (len(opened), refused)
            wait_learners(len(opened))
            assert len(lab.lease_ids()) == len(opened), "the refused one left something"
            for number in range(8):
                answer = helper.call(ipc.open_request(serial=1000 + number))
                assert answer.type == ipc.OPENED, answer
                assert helper.call(ipc.request(ipc.CLOSE, serial=2000 + number, lease=answer.lease)).type == ipc.DONE
                answer.close_fds()
            for number, reply in enumerate(opened):
                assert helper.call(ipc.request(ipc.CLOSE, serial=3000 + number, lease=reply.lease)).type == ipc.DONE
        with bus.connect("member") as member:
            member.open_tap("lab", mac="learn").close_fds()
        assert lab.helper_pid() == pid, "the helper was used up"


def test_a_helper_that_starts_anew_counts_what_lives():
    with contextlib.ExitStack() as stack:
        with few_descriptors(64):
            _, opened, refused = stack.enter_context(forged_learns())
            assert refused.error == "LimitsExceeded", refused
        lab.kill_helper()
        with few_descriptors(64), bus.connect("member") as member:
            text = bus.expect_error(LIMITS, member.open_tap, "lab", mac="learn")
            assert "all users" in text, text
            opened.pop().close_fds()

            def opens_again():
                try:
                    member.open_tap("lab", mac="learn").close_fds()
                except bus.BusError as error:
                    assert error.name == LIMITS, error
                    return False
                return True

            lab.wait_for(opens_again, 20, "room for one more")


def unit_value(name, key):
    with open(f"{lab.SOURCE}/systemd/{name}", encoding="utf-8") as file:
        return next(line.partition("=")[2].strip() for line in file if line.startswith(f"{key}="))


def test_the_units_limits_fit_the_bounds():
    """What all bounds together allow: 128 workers with a child each, their spare pair, and the learning children."""
    workers = 128  # helper/daemon/server.h
    assert int(unit_value("rawnet-helper.service.in", "TasksMax")) >= 1 + 2 * workers + 2 + ALL + ATTACHED
    assert int(unit_value("rawnet-helper.service.in", "LimitNOFILE")) >= 4 * max(ALL, 2 * workers)


if __name__ == "__main__":
    tap.main()
