# SPDX-License-Identifier: GPL-2.0-or-later
"""Users who would stall the system bus by way of rawnetd (promise 6): with connections that take no descriptors, or that do not read.

dbus-broker tells nobody that a connection takes no descriptors, and ends it when a reply has some. It bounds by itself what a user
leaves unread, and does not say what it holds. So most of this is skipped there."""

import contextlib
import os
import socket
import statistics
import threading

from jeepney import Header, HeaderFields, Message, MessageType, Parser
from jeepney.low_level import Endianness

import bus
import ipc
import lab
import tap

LIMITS = bus.DBUS_ERROR + "LimitsExceeded"
UNABLE = bus.ERROR + "NotSupported"
DRIVER = ("/org/freedesktop/DBus", "org.freedesktop.DBus")
HELD_MAX = 63  # descriptors of one sender: at 64 dbus-daemon reads nothing more from it (dbus-daemon(1), max_incoming_unix_fds)


def ask_bus(connection, member, signature="", body=(), interface="org.freedesktop.DBus", seconds=bus.SECONDS):
    return connection.call(DRIVER[0], interface, member, signature, body, seconds=seconds, destination=DRIVER[1])


def need_stats():
    with bus.connect() as root:
        try:
            held_by_bus(root, root.bus.unique_name)
        except bus.BusError as error:
            tap.skip(f"this bus does not say what it holds: {error}")


def held_by_bus(connection, name):
    """What dbus-daemon holds: descriptors that came from the connection of that name, and descriptors that wait for it."""
    found = bus.plain(ask_bus(connection, "GetConnectionStats", "s", (name,), "org.freedesktop.DBus.Debug.Stats")[0])
    return found["IncomingFDs"], found["OutgoingFDs"]


def unread_bytes(connection, name):
    """What dbus-daemon holds of what came from the connection of that name."""
    return bus.plain(ask_bus(connection, "GetConnectionStats", "s", (name,), "org.freedesktop.DBus.Debug.Stats")[0])["IncomingBytes"]


def rawnetd_name(connection):
    connection.can_open("lab", "tap")  # starts it
    return ask_bus(connection, "GetNameOwner", "s", (bus.NAME,))[0]


def fill(connection):
    """From now on this connection reads nothing, and what is sent to it stays with dbus-daemon."""
    connection.bus.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for _ in range(60):
        connection.send(DRIVER[0], "org.freedesktop.DBus.Introspectable", "Introspect", destination=DRIVER[1])


@contextlib.contextmanager
def deaf(user, known):
    """A connection that does not read. known: it has opened a port before, so that rawnetd knows that it takes descriptors."""
    with bus.connect(user) as connection:
        if known:
            connection.open_tap("lab").close_fds()
            lab.wait_no_leases()
        fill(connection)
        yield connection


class Impatient(threading.Thread):
    """Another user's connection, which asks dbus-daemon for its id all the time: the times it took, in seconds."""

    def __init__(self):
        super().__init__()
        self.times = []
        self.failure = None
        self.over = threading.Event()
        self.connection = bus.connect("outsider")

    def run(self):
        while not self.over.wait(0.002):
            start = lab.time.monotonic()
            try:
                ask_bus(self.connection, "GetId")
            except (TimeoutError, OSError, bus.BusError) as failure:
                self.failure = failure
                return
            self.times.append(lab.time.monotonic() - start)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        self.connection.close()


def name_of(function, *words, **named):
    try:
        function(*words, **named).close_fds()
    except bus.BusError as error:
        return error.name
    return ""


def open_without_descriptors(kind, connections=1, opens=1, **options):
    """The names of the errors of so many opens on each of so many connections that take no descriptors, and the last text."""
    names, text = set(), ""
    for _ in range(connections):
        with bus.connect("member", descriptors=False) as unable:
            assert unable.can_open("lab", "tap") == "yes"
            serials = [unable.send_open(kind, "lab", **options) for _ in range(opens)]
            for serial in serials:
                try:
                    unable.opened(kind, serial).close_fds()
                    names.add("")
                except bus.BusError as error:
                    names.add(error.name)
                    text = error.text
    return names, text


def nothing_made(witness):
    """After what rawnetd has done so far: a witness that has subscribed has heard of no lease."""
    assert witness.can_open("lab", "tap") == "yes"
    added = [m for m in witness.signals if m.header.fields[HeaderFields.member] == "InterfacesAdded"]
    return not added and not lab.lease_ids()


def test_a_connection_that_takes_no_descriptors():
    """Nothing is made for it, whoever it is, and the error says why. Its user is served on another connection."""
    need_stats()
    with bus.connect("member2") as witness:
        witness.subscribe()
        for kind, options in (("tap", {}), ("packet", {"queues": 16}), ("tap", {"mac": "learn"})):
            names, text = open_without_descriptors(kind, **options)
            assert names == {UNABLE} and "lab" in text and "descriptor" in text, (names, text)
            assert nothing_made(witness)
        with bus.connect("member") as able, able.open_tap("lab"):
            pass


def test_flood_of_callers_that_take_no_descriptors():
    """160 opens from 40 connections: no lease is made, so that dbus-daemon closes none; and it answers others meanwhile."""
    need_stats()
    lab.service_arguments("--opens-per-second=0")  # test_opens_by_time() is about that
    with bus.connect("member2") as witness, Impatient() as other:
        witness.subscribe()
        names, _ = open_without_descriptors("packet", connections=40, opens=4, queues=16)
        assert names == {UNABLE}, names
        assert nothing_made(witness), "leases were made"
    tap.diag(f"GetId beside it: median {statistics.median(other.times) * 1e3:.2f} ms, worst {max(other.times) * 1e3:.1f} ms of {len(other.times)}")
    assert not other.failure, f"a call to dbus-daemon was not answered: {other.failure!r}"


def test_connection_that_never_read():
    """It asks for ports of 16 descriptors and has left everything before that unread: none is made."""
    need_stats()
    with bus.connect() as root, deaf("member", known=False) as greedy:
        service = rawnetd_name(root)
        for _ in range(4):
            greedy.send_open("packet", "lab", queues=16)
        with bus.connect("member2") as other:
            assert other.can_open("lab", "tap") == "yes"
            other.open_packet("lab", queues=16).close_fds()
        assert held_by_bus(root, service)[0] <= 1, held_by_bus(root, service)
        # Its user has lost nothing but time: refused once rawnetd has lost its patience with that connection.
        with bus.connect("member") as another:
            text = bus.expect_error(LIMITS, another.open_tap, "lab")
            assert greedy.bus.unique_name in text and "read" in text, text
            greedy.close()
            lab.wait_for(lambda: name_of(another.open_tap, "lab") == "", 10, "its user being served again")
    lab.wait_no_leases()


def test_connections_that_stopped_reading():
    """Two users' connections that are known to take descriptors ask for 64 each, and read none. dbus-daemon never holds 64, and a
    third user is served at once."""
    need_stats()
    with bus.connect() as root, contextlib.ExitStack() as stack:
        service = rawnetd_name(root)
        greedy = [stack.enter_context(deaf(user, known=True)) for user in ("member", "member", "member2")]
        for connection in greedy:
            for _ in range(4):
                connection.send_open("packet", "lab", queues=16)
        lab.wait_for(lambda: held_by_bus(root, service)[0] >= 32, 10, "the replies that are not read")
        for _ in range(5):
            assert root.can_open("lab", "tap") == "yes"
            root.open_packet("lab", queues=8).close_fds()
            assert held_by_bus(root, service)[0] <= HELD_MAX, held_by_bus(root, service)
        assert held_by_bus(root, service)[0] == 32, "more than one unread reply of a user"
        # What waits behind an unread reply is given up, and so are its leases.
        lab.wait_for(lambda: len(lab.lease_ids()) == 2, 20, "the end of leases that cannot be delivered")
        with bus.connect("member") as another:
            assert name_of(another.open_tap, "lab") == LIMITS
    lab.wait_no_leases()


def test_last_close_is_rawnetds():
    """The caller leaves without having read its reply. dbus-daemon closes its copies at once; they are not the last, since rawnetd,
    which stands still here, has its own."""
    need_stats()
    with bus.connect() as root, deaf("member", known=True) as greedy:
        service = rawnetd_name(root)
        greedy.send_open("packet", "lab", queues=16)
        lab.wait_for(lambda: held_by_bus(root, service)[0] == 16, 10, "the reply that is not read")
        leases = lab.lease_ids()
        assert len(leases) == 1, leases
        with lab.stopped(lab.service_pid()):
            greedy.close()
            lab.wait_for(lambda: held_by_bus(root, service)[0] == 0, 10, "the end of dbus-daemon's copies")
            # The kernel removes namespaces a moment later, in the order in which they ended: this one ends after that.
            with ipc.Helper() as helper:
                later = helper.call(ipc.open_request())
                later.close_fds()
                lab.wait_for(lambda: later.lease not in lab.lease_ids(), 10, "the end of a later lease")
            assert lab.lease_ids() == leases, "dbus-daemon's were the last copies"
    lab.wait_no_leases()


def test_others_are_served_beside_all_of_these():
    """On every bus, whatever it says of what it holds: one user's connections that do not read, or take no descriptors, cost another
    neither his ports nor rawnetd."""
    with bus.connect("member2") as other:
        other.can_open("lab", "tap")
        pid = lab.service_pid()
        with deaf("member", known=False) as unknown, deaf("member", known=True) as known, bus.connect("member", descriptors=False) as unable:
            for connection in (unknown, known):
                for _ in range(4):
                    connection.send_open("packet", "lab", queues=16)
            # dbus-daemon answers with an error, dbus-broker ends the connection.
            with contextlib.suppress(bus.BusError, ConnectionResetError):
                unable.open_packet("lab", queues=16).close_fds()
            for _ in range(5):
                assert other.can_open("lab", "tap") == "yes"
                other.open_packet("lab", queues=8).close_fds()
        assert lab.service_pid() == pid
    lab.wait_no_leases()


def test_copies_go_once_the_reply_is_read():
    """rawnetd keeps nothing of what was taken."""
    with bus.connect("member") as member:
        member.open_tap("lab").close_fds()
        lab.wait_no_leases()
        before = lab.fd_count(lab.service_pid())
        leases = [member.open_packet("lab", queues=16) for _ in range(4)]
        lab.wait_for(lambda: lab.fd_count(lab.service_pid()) <= before, 10, "the end of rawnetd's copies")
        for lease in leases:
            lease.close_fds()


def test_many_cards_at_once():
    """64 opens that are sent at once on one connection are all served."""
    with bus.connect("member") as member, lab.network("many", MaxLeasesPerUser="64"):
        serials = [member.send_open("tap", "many") for _ in range(64)]
        leases = [member.opened("tap", serial) for serial in serials]
        assert len(lab.lease_ids()) == 64
        for lease in leases:
            lease.close_fds()
    lab.wait_no_leases(30)


def opens_for_ever(connection):
    while True:
        connection.open_tap("fast").close_fds()


@tap.limit(180)
def test_opens_by_time():
    """One user has 128 opens at once and then so many each second, and another is served meanwhile."""
    # Leases that end later than the next ones begin do not meet the budget of queues.
    lab.service_arguments("--opens-per-second=1", "--queues-per-user=4000")
    try:
        with bus.connect("member") as member, bus.connect("member2") as other, bus.connect() as root, \
                lab.network("fast", MaxLeasesPerUser="4096"):  # fmt: skip
            names = [name_of(member.open_tap, "fast") for _ in range(128)]
            assert names == [""] * 128, [names.count(name) for name in set(names)]
            # As many more as the seconds have brought meanwhile.
            while (name := name_of(member.open_tap, "fast")) == "":
                pass
            assert name == LIMITS, name
            text = bus.expect_error(LIMITS, opens_for_ever, member)
            assert "fast" in text and "1 each second" in text, text
            assert name_of(other.open_tap, "fast") == "" and member.can_open("fast", "tap") == "yes"
            names = {name_of(root.open_tap, "fast") for _ in range(150)}
            assert names == {""}, f"root is limited: {names}"
            lab.wait_for(lambda: name_of(member.open_tap, "fast") == "", 10, "the next open of the user")
            lab.wait_no_leases(30)
    finally:
        lab.service_arguments()


# -- replies without descriptors


@tap.limit(120)
def test_replies_that_are_not_read():
    """600 calls with long replies that nobody reads: dbus-daemon, which reads nothing more from a sender at 127 MiB, does not hold
    ever more of them. Their user is served on a connection that reads."""
    limit = 16 * 1024 * 1024
    need_stats()
    with bus.connect() as root, contextlib.ExitStack() as stack, lab.network("large", MaxLeasesPerUser="200"), \
            bus.connect("outsider") as honest:  # fmt: skip
        service = rawnetd_name(root)
        for _ in range(100):
            stack.enter_context(root.open_tap("large"))
        length = len(str(root.objects()))
        connections = [stack.enter_context(deaf("outsider", known=False)) for _ in range(4)]
        for _ in range(10):
            for connection in connections:
                for _ in range(15):
                    connection.send(bus.ROOT, bus.OBJECT_MANAGER, "GetManagedObjects")
            honest.can_open("lab", "tap")  # behind them all
            assert len(honest.objects()) > 100
        unread = unread_bytes(root, service)
        tap.diag(f"{unread >> 10} KiB unread after 600 replies of more than {length >> 11} KiB")
        assert unread < limit, unread
    lab.wait_no_leases(30)


# -- a bus that does not take what rawnetd sends


class FakeBus:
    """A bus for one rawnetd: answers what it asks to start with. Then it does what a test wants."""

    PATH = "/run/lab/fake-bus"
    ANSWERS = {"Hello": ("s", (":1.1",)), "RequestName": ("u", (1,)), "GetConnectionUnixUser": ("u", (0,))}

    def __init__(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.PATH)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.PATH)
        os.chmod(self.PATH, 0o777)
        self.listener.listen(1)
        self.listener.settimeout(20)
        self.serial = 0

    def send(self, kind, fields, signature="", body=()):
        self.serial += 1
        if signature:
            fields[HeaderFields.signature] = signature
        header = Header(Endianness.little, kind, 0, 1, -1, -1, {HeaderFields.destination: ":1.1", **fields})
        self.peer.sendall(Message(header, body).serialise(serial=self.serial))

    def serve_until_named(self):
        self.peer = self.listener.accept()[0]
        self.peer.settimeout(20)
        data = b""
        while b"BEGIN\r\n" not in data:
            data += self.peer.recv(4096)
        self.peer.sendall(b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n")
        self.parser = Parser()
        self.parser.add_data(data.partition(b"BEGIN\r\n")[2])
        while self.serve() != "RequestName":
            pass

    def receive(self):
        """rawnetd's next message."""
        while not (message := self.parser.get_next_message()):
            data = self.peer.recv(4096)
            assert data, "rawnetd has left"
            self.parser.add_data(data)
        return message

    def answer(self, question):
        assert question.header.message_type == MessageType.method_call, f"no question: {question}"
        member = question.header.fields[HeaderFields.member]
        self.send(MessageType.method_return, {HeaderFields.reply_serial: question.header.serial,
                                              HeaderFields.sender: "org.freedesktop.DBus"}, *self.ANSWERS.get(member, ()))  # fmt: skip
        return member

    def serve(self):
        """Answers rawnetd's next message: its name."""
        return self.answer(self.receive())

    def call(self, times=1):
        for _ in range(times):
            self.send(MessageType.method_call, {HeaderFields.path: bus.ROOT, HeaderFields.interface: "org.freedesktop.DBus.Introspectable",
                                                HeaderFields.member: "Introspect", HeaderFields.sender: ":1.9"})  # fmt: skip

    def close(self):
        self.peer.close()
        self.listener.close()


@contextlib.contextmanager
def on_fake_bus(**environment):
    """A FakeBus and a rawnetd (a Popen) on it that has its name."""
    fake = FakeBus()
    process = lab.popen_as("_rawnet", ["/usr/libexec/rawnet/rawnetd"], stderr=lab.subprocess.PIPE,
                           env={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={fake.PATH}", **environment})  # fmt: skip
    try:
        fake.serve_until_named()
        yield fake, process
    finally:
        process.kill()
        process.communicate()
        fake.close()


@tap.limit(120)
def test_bus_that_takes_nothing():
    """rawnetd says so and ends with an error, for its service manager to start it again; it does not wait for the bus to end."""
    with on_fake_bus() as (fake, process):
        fake.call(200)
        _, errors = process.communicate(timeout=tap.patience(40))
        assert process.returncode == 1 and "taken nothing" in errors, (process.returncode, errors)


def bus_pid():
    name = "dbus-broker" if lab.on_broker() else "dbus-daemon"
    return int(lab.subprocess.run(["pgrep", "-x", name], capture_output=True, text=True, check=True).stdout.split()[0])


@tap.limit(120)
def test_nobody_loses_more_than_calls_that_waited():
    """The bus stands still until rawnetd has given up its connection. A call that waits ends with NoReply, as it would with a new
    connection of the same process. The next one is served, and the port is still there and belongs to its owner."""
    with bus.connect("member") as member, bus.connect("member2") as other, other.open_packet("lab", name="kept") as lease:
        other.subscribe()
        before = other.leases()[lease.path]
        pid, start = lab.service_pid(), len(lab.log_of("rawnetd"))
        with lab.stopped(bus_pid()):
            serial = member.send_open("tap", "lab")
            lab.wait_for_exit(pid, 40)
        bus.expect_error("org.freedesktop.DBus.Error.NoReply", member.opened, "tap", serial)
        member.open_tap("lab").close_fds()
        assert lab.service_pid() not in (0, pid)
        assert other.leases()[lease.path] == before
        assert "taken nothing from rawnetd for 10 s" in lab.log_of("rawnetd")[start:]
        other.close_lease(lease.path)
        assert other.wait_signal("Ended", path=lease.path)[1] == ("closed",)
    # Where nobody calls, it is the unit that starts rawnetd again: then a lease's end is heard of as ever.
    with open(f"{lab.SOURCE}/systemd/rawnetd.service.in", encoding="utf-8") as unit:
        assert "Restart=on-failure\n" in unit.read()


@tap.limit(120)
def test_bus_that_answers_late():
    """dbus-broker's answers come behind all calls that wait for rawnetd. libsystemd gives up a question after 25 s, here after 4;
    rawnetd does not, and the call that it asked about is served."""
    with on_fake_bus(SYSTEMD_BUS_TIMEOUT="4s") as (fake, _):
        fake.call()
        question = fake.receive()
        assert question.header.fields[HeaderFields.member] == "GetConnectionUnixUser", question
        # rawnetd asks for the bus's id 2 s after a call, if none is asked for: each is one more call's.
        for _ in range(3):
            assert fake.serve() == "GetId"
            fake.call()
        fake.answer(question)
        assert fake.receive().header.message_type == MessageType.method_return


if __name__ == "__main__":
    tap.main()
