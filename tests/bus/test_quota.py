# SPDX-License-Identifier: GPL-2.0-or-later
"""MaxLeases=, MaxLeasesPerUser= and the caps of one user: counted before and after polkit, over all that is held."""

import contextlib

import bus
import lab
import tap

EXCEEDED = "QuotaExceeded"
QUEUES = 128  # of one user: common/names.h


def full(connection, network, *words, kind="tap"):
    text = bus.expect_error(EXCEEDED, connection.open, kind, network)
    for word in (network, "rawnetctl list", *words):
        assert word in text, (word, text)


def test_max_leases_counts_everybody():
    with lab.network("few", MaxLeases="3"), bus.connect("member") as one, bus.connect("member2") as two:
        leases = [one.open_tap("few"), two.open_packet("few"), one.open_packet("few")]
        full(one, "few", "MaxLeases=")
        full(two, "few", "MaxLeases=", kind="packet")
        with one.open_tap("lab"):  # another network has room
            pass
        leases.pop().close_fds()
        lab.wait_for(lambda: len(one.leases()) == 2, 10, "the end of one")
        with two.open_tap("few"):
            full(one, "few")
        for lease in leases:
            lease.close_fds()


def test_max_leases_per_user():
    with lab.network("own", MaxLeasesPerUser="2"), bus.connect("member") as one, bus.connect("member") as same, bus.connect("member2") as two:
        with one.open_tap("own"), same.open_tap("own"):
            full(one, "own", "MaxLeasesPerUser=", "you have 2 of at most 2 leases")
            full(same, "own", "MaxLeasesPerUser=")
            with two.open_tap("own"), two.open_tap("own"):
                full(two, "own", "MaxLeasesPerUser=", "you have 2 of at most 2 leases")


def test_a_closed_lease_that_is_held_counts():
    with lab.network("own", MaxLeasesPerUser="1"), bus.connect("member") as connection:
        connection.subscribe()
        lease = connection.open_tap("own")
        connection.close_lease(lease.path)
        full(connection, "own")
        lab.kill_service()
        full(connection, "own")
        lab.kill_helper()
        full(connection, "own")
        lease.close_fds()
        lab.wait_for(lambda: not connection.leases(), 10, "the end")
        connection.open_tap("own").close_fds()


def test_a_revoked_lease_that_is_held_counts():
    with lab.network("own", MaxLeases="1"), bus.connect("member") as connection, bus.connect() as root, bus.connect("member2") as other:
        lease = connection.open_packet("own")
        root.close_lease(lease.path)
        full(other, "own")
        lease.close_fds()
        lab.wait_for(lambda: not connection.leases(), 10, "the end")
        other.open_tap("own").close_fds()


def test_a_range_is_one_network():
    lab.need_vlan()
    with lab.network("trunk", VLAN="300-310", MaxLeases="2"), bus.connect("member") as connection:
        with connection.open_tap("trunk.300"), connection.open_tap("trunk.301"):
            text = bus.expect_error(EXCEEDED, connection.open_tap, "trunk.302")
            assert "trunk" in text, text


def test_calls_at_once_do_not_pass_the_quota():
    with lab.network("few", MaxLeases="5"), bus.connect("member") as connection:
        serials = [connection.send_open("tap", "few") for _ in range(20)]
        opened, refused = [], 0
        for serial in serials:
            try:
                opened.append(connection.opened("tap", serial))
            except bus.BusError as error:
                assert error.name in (bus.ERROR + EXCEEDED, bus.DBUS_ERROR + "LimitsExceeded"), error
                refused += 1
        assert len(opened) == 5 and refused == 15, (len(opened), refused)
        for lease in opened:
            lease.close_fds()


def test_calls_at_once_fill_the_quota():
    """As many as there is room for all succeed, however their steps fall between each other."""
    with lab.network("full", MaxLeasesPerUser="12"), bus.connect("member") as connection:
        for _ in range(5):
            serials = [connection.send_open("tap", "full") for _ in range(12)]
            opened = [connection.opened("tap", serial) for serial in serials]
            full(connection, "full", "12")
            for lease in opened:
                lease.close_fds()
            lab.wait_for(lambda: not connection.leases(), 10, "the end of all")


def test_the_file_is_read_anew_each_time():
    with bus.connect("member") as connection:
        with lab.network("grows", MaxLeases="1"), connection.open_tap("grows"):
            full(connection, "grows")
            with lab.network("grows", MaxLeases="2"):
                with connection.open_tap("grows"):
                    full(connection, "grows")


def test_default_per_user_quota_is_64():
    with bus.connect("member") as connection:
        leases = [connection.open_tap("lab") for _ in range(64)]
        full(connection, "lab", "64")
        for lease in leases:
            lease.close_fds()
        lab.wait_no_leases(30)


def wait_none_counts(connection):
    """Until rawnetd knows that the ports of an earlier test have ended."""
    lab.wait_for(lambda: not connection.leases(), 10, "the end of the ports before")


def open_queues(stack, connection, network, kinds, count=QUEUES):
    """Ports of 16 queues, of these kinds in turn, that have so many together."""
    wait_none_counts(connection)
    return [stack.enter_context(connection.open(kinds[n % len(kinds)], network, queues=16)) for n in range(count // 16)]


def test_queues_per_user():
    """Over all networks and kinds, whoever of his connections asked; refused before polkit is asked."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(lab.network("other"))
        one, same, two = (stack.enter_context(bus.connect(user)) for user in ("member", "member", "member2"))
        leases = open_queues(stack, one, "lab", ["tap", "packet"], QUEUES // 2)
        leases += [stack.enter_context(same.open_packet("other", queues=16)) for _ in range(4)]
        assert {properties["Queues"] for properties in one.leases().values()} == {16}, one.leases()
        asked = len(lab.questions())
        for kind in ("tap", "packet"):
            for connection in (one, same):
                full(connection, "lab", f"have {QUEUES} of at most {QUEUES} queues", "--queues-per-user=", kind=kind)
        assert len(lab.questions()) == asked, "polkit was asked first"
        with two.open_tap("lab", queues=16):
            pass
        leases.pop().close_fds()
        lab.wait_for(lambda: lease_count(one, "member") == 7, 10, "the end of one")
        with one.open_tap("lab", queues=10), same.open_packet("lab", queues=6):
            full(one, "lab", "1 more")
        lab.wait_for(lambda: lease_count(one, "member") == 7, 10, "the end of two")
        with one.open_tap("lab", queues=9):
            text = bus.expect_error(EXCEEDED, one.open_tap, "lab", queues=8)
            assert "have 121 of at most 128 queues" in text and "8 more" in text and "fewer" in text, text


def lease_count(connection, user):
    return sum(properties["Owner"] == lab.uid_of(user) for properties in connection.leases().values())


def test_queues_of_closed_leases_count_across_restarts():
    """Until the holder closes it, and new daemons count the same."""
    with contextlib.ExitStack() as stack, bus.connect("member") as connection:
        leases = open_queues(stack, connection, "lab", ["tap", "packet"])
        for lease in leases[:2]:
            connection.close_lease(lease.path)
        full(connection, "lab", f"{QUEUES} queues")
        lab.kill_service()
        full(connection, "lab", f"{QUEUES} queues")
        lab.kill_helper()
        lab.kill_service()
        full(connection, "lab", f"{QUEUES} queues")
        for lease in leases[:2]:
            lease.close_fds()
        lab.wait_for(lambda: len(connection.leases()) == 6, 10, "the end of two")
        connection.open_tap("lab", queues=16).close_fds()


def test_calls_at_once_do_not_pass_the_budget_of_queues():
    """The helper is stopped until the first open is refused: ports that it has yet to make count."""
    with bus.connect("member") as connection:
        wait_none_counts(connection)
        with lab.stopped(lab.helper_pid()):
            serials = [connection.send_open(("tap", "packet")[n % 2], "lab", queues=16) for n in range(20)]
            lab.wait_for(lambda: connection.received(serials), 20, "the first refusal")
        opened, refused = [], 0
        for number, serial in enumerate(serials):
            try:
                opened.append(connection.opened(("tap", "packet")[number % 2], serial))
            except bus.BusError as error:
                assert error.name == bus.ERROR + EXCEEDED and "queues" in error.text, error
                refused += 1
        assert len(opened) == QUEUES // 16 and refused == 20 - QUEUES // 16, (len(opened), refused)
        for lease in opened:
            lease.close_fds()


def test_the_administrator_sets_the_budget_of_queues():
    lab.service_arguments("--queues-per-user=3")
    try:
        with bus.connect("member") as connection:
            text = bus.expect_error(EXCEEDED, connection.open_tap, "lab", queues=4)
            assert "have 0 of at most 3 queues" in text, text
            with connection.open_tap("lab", queues=2), connection.open_packet("lab"):
                full(connection, "lab", "have 3 of at most 3 queues")
    finally:
        lab.service_arguments()


@tap.limit(120)
def test_one_users_requests_are_bounded_and_all_are_answered():
    """Promise 6: LimitsExceeded, not silence, and others are served."""
    lab.service_arguments("--queues-per-user=4000")
    with bus.connect("member") as greedy, bus.connect("member2") as other, lab.network("wide", MaxLeases="4000", MaxLeasesPerUser="4000"):
        other.can_open("wide", "tap")
        serials = [greedy.send_open("tap", "wide") for _ in range(300)]
        with other.open_tap("wide"):
            pass
        outcome = {}
        leases = []
        for serial in serials:
            try:
                leases.append(greedy.opened("tap", serial, 60))
                outcome["opened"] = outcome.get("opened", 0) + 1
            except bus.BusError as error:
                outcome[error.name] = outcome.get(error.name, 0) + 1
        tap.diag(f"of 300 at once: {outcome}")
        assert set(outcome) <= {"opened", bus.DBUS_ERROR + "LimitsExceeded"} and sum(outcome.values()) == 300, outcome
        for lease in leases:
            lease.close_fds()
        lab.wait_no_leases(60)
        greedy.open_tap("wide").close_fds()


if __name__ == "__main__":
    tap.main()
