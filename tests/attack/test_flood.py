# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 6: a user in no group floods org.rawnet1 on 8 connections. A member beside him opens ports as ever, and rawnetd neither
ends nor grows. That nobody is held up is counted and not timed: how many of the flooder's calls come before one of the member's in
rawnetd, and in polkit.

On dbus-broker all calls to a receiver wait in one queue of the broker's, where the flooder's come first; what follows in rawnetd and in
polkit is the same. There this runs with policy/examples/dbus-broker-limits.conf, without which that queue has 256 MB."""

import contextlib
import subprocess

from jeepney import HeaderFields, MessageType

import bus
import lab
import tap

CONNECTIONS = 8
OPENS = 5 if lab.on_broker() else 15
MEMORY_KIB = 32 * 1024
# What may come first. rawnetd answers one call of each user in turn, after the calls that it had read already when the member's
# came; with one queue for all users it would be hundreds. polkit has one question of a user in each second, and not 16.
ANSWERS_MAX, QUESTIONS_MAX = 64, 4


@contextlib.contextmanager
def flood(shape, connections=CONNECTIONS, deaf=False):
    command = ["/usr/bin/python3", f"{lab.SOURCE}/tests/attack/flooder.py", shape, str(connections), *(["deaf"] if deaf else [])]
    with lab.popen_as("outsider", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == "flooding\n", process.wait(10)
            yield process
            assert process.poll() is None, "the flood ended too early"
        finally:
            process.kill()


def sent(flooder):
    """How many messages a flood has sent."""
    flooder.stdin.write("\n")
    flooder.stdin.flush()
    return int(flooder.stdout.readline())


def memory_peak(pid):
    """The most that has been resident at a time since the process began, KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1])


def may_call(connection):
    try:
        return connection.can_open("lab", "tap")
    except bus.BusError as error:
        tap.diag(error)
        return None


class Witness:
    """Sees what rawnetd and polkit do while `caller`, a bus.Connection, opens ports."""

    def __init__(self, caller):
        self.caller = caller.bus.unique_name
        self.service, self.polkit = bus.owner_of(bus.NAME), bus.owner_of("org.freedesktop.PolicyKit1")
        self.monitor = bus.Monitor(f"type='method_call',sender='{self.caller}',destination='{bus.NAME}'",
                                   f"type='method_return',sender='{self.service}'", f"type='error',sender='{self.service}'",
                                   f"type='method_call',sender='{self.service}',member='CheckAuthorization'",
                                   f"type='method_return',sender='{self.polkit}',destination='{self.service}'")  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.monitor.__exit__()

    def overtaken(self):
        """The caller's next open, whose end has been seen: how many answers of others rawnetd sent between the call and its question
        to polkit, and how many answers on others polkit gave between that question and its answer."""
        answers, questions, asked, serial = 0, 0, False, None
        for message in self.monitor.messages(60):
            fields, kind = message.header.fields, message.header.message_type
            sender, receiver = fields.get(HeaderFields.sender), fields.get(HeaderFields.destination)
            if sender == self.caller:
                answers = questions = 0
            elif sender == self.polkit:
                questions += serial is not None
                if fields[HeaderFields.reply_serial] == serial:
                    questions, serial = questions - 1, None
            elif kind == MessageType.method_call:
                if message.body[0][1]["name"][1] == self.caller:
                    asked, serial = True, message.header.serial
            elif receiver == self.caller:
                assert asked, message
                break
            else:
                answers += not asked
        return answers, questions


def open_and_count(member, witness):
    """Opens ports, none of which may fail: the most that overtook one of them in rawnetd, and in polkit."""
    counts = []
    for _ in range(OPENS):
        member.open_tap("lab", seconds=60).close_fds()
        counts.append(witness.overtaken())
    return [max(count[i] for count in counts) for i in (0, 1)]


def attack(*shapes, deaf=False):
    with bus.connect("member") as member:
        member.open_tap("lab").close_fds()
        pid = lab.service_pid()
        descriptors = lab.fd_count(pid)
        for shape in shapes:
            with flood(shape, deaf=deaf), Witness(member) as witness:
                answers, questions = open_and_count(member, witness)
                flooded = lab.fd_count(pid)
            tap.diag(f"{shape}: the most that came first: {answers} calls, {questions} questions; {memory_peak(pid)} KiB, {flooded} descriptors")
            assert lab.service_pid() == pid, f"{shape}: rawnetd did not survive"
            assert memory_peak(pid) <= MEMORY_KIB, f"{shape}: rawnetd grew to {memory_peak(pid)} KiB"
            assert flooded <= descriptors + 16, f"{shape}: {flooded} descriptors instead of {descriptors}"
            assert answers <= ANSWERS_MAX or lab.on_broker(), f"{shape}: {answers} calls of the flooder were answered before the member's"
            assert questions <= QUESTIONS_MAX, f"{shape}: polkit was asked {questions} questions of the flooder before the member's"
        lab.wait_for(lambda: lab.fd_count(pid) <= descriptors, 10, "the descriptors' end")


@tap.limit(300)
def test_calls():
    attack("open", "silent-open", "unknown", "silent-close")


@tap.limit(300)
def test_questions():
    attack("denied-open")


def workers(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return len(file.read().split())


@tap.limit(300)
def test_checks():
    """Everybody may have networks judged, which takes rawnet-helper processes and namespaces: one at a time for one user."""
    attack("check")
    lab.wait_no_leases()
    helper = lab.helper_pid()
    # What the flooder left in its sockets is answered, too.
    lab.wait_for(lambda: workers(helper) == 1, 20, "the end of all workers but the spare")
    with bus.connect("member2") as another:  # none of whose calls is refused
        serials = [another.send(bus.ROOT, bus.MANAGER, "Check", "s", ("lab",)) for _ in range(60)]
        most = 0
        for serial in serials:
            another.reply(serial, 60)
            most = max(most, workers(helper))
    tap.diag(f"at most {most} workers")
    # The spare, a check, and one that has just answered; perhaps a sweep after the opens.
    assert most <= 4 and lab.helper_pid() == helper, most


@tap.limit(300)
def test_long_calls():
    attack("long-open", "silent-long-open", "huge-open")


@tap.limit(120)
def test_long_calls_at_once():
    """rawnetd stands still while 100 calls of 1 MiB arrive, and keeps none of them."""
    with bus.connect("member") as member:
        member.open_tap("lab").close_fds()
        pid = lab.service_pid()
        with flood("huge-open") as flooder:
            with lab.stopped(pid):
                lab.wait_for(lambda: sent(flooder) >= 100, 60, "the flood")
            member.open_tap("lab", seconds=60).close_fds()
        assert lab.service_pid() == pid, "rawnetd did not survive"
        assert memory_peak(pid) <= MEMORY_KIB, f"rawnetd grew to {memory_peak(pid)} KiB"


@tap.limit(300)
def test_descriptors():
    attack("descriptors", "silent-descriptors", "signal-descriptors", "signal")


@tap.limit(300)
def test_properties():
    attack("property", "all-properties", "silent-property", "objects", "introspect", "ping")


@tap.limit(120)
def test_outsiders_by_the_buss_policy():
    """With the example for the bus nobody outside the group reaches rawnetd, and members do not wait for them at all."""
    with lab.bus_example("org.rawnet1-members.conf"), bus.connect("member") as member, bus.connect("outsider") as outsider:
        member.open_tap("lab").close_fds()
        bus.expect_error("org.freedesktop.DBus.Error.AccessDenied", outsider.can_open, "lab", "tap")
        bus.expect_error("org.freedesktop.DBus.Error.AccessDenied", outsider.objects)
        done = lab.run_as("outsider", ["rawnetctl", "list"])
        assert done.returncode == 1 and "the system bus does not let you" in done.stderr and "group rawnet" in done.stderr, done
        with bus.connect() as root:
            root.open_packet("lab").close_fds()
        with flood("open"), Witness(member) as witness:
            assert open_and_count(member, witness) == [0, 0]
    with bus.connect("outsider") as outsider:
        # What the flooder left in its sockets still arrives.
        lab.wait_for(lambda: may_call(outsider), 20, "the end of the example's policy")


@tap.limit(300)
def test_replies_that_nobody_reads():
    attack("open", "objects", "long-open", deaf=True)


if __name__ == "__main__":
    tap.main()
