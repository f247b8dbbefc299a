# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile front ends of rawnet-vhost: descriptors that block their writer, and strangers at the socket's door."""

import contextlib
import fcntl
import os
import select
import signal
import socket
import stat
import struct

import frames
import lab
import tap
import vhost

GET_FEATURES, SET_MEM_TABLE, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE = 1, 5, 8, 9, 10
SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR = 12, 13, 14
TRANSMIT = 1  # the ring's number
MEMORY_SIZE, USER = 0x20000, 0x10000000
DESCRIPTORS, AVAILABLE, USED, FRAME = 0, 0x1000, 0x2000, 0x3000  # offsets in the memory
FULL = 2**64 - 2  # an eventfd's counter holds no more: eventfd(2)


def connect(path, user="member"):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(tap.patience(10))
    with lab.identity(user):
        connection.connect(path)
    return connection


def is_served(connection):
    """Does the port answer a front end's first question?"""
    try:
        connection.sendall(struct.pack("=III", GET_FEATURES, 1, 0))
        return len(connection.recv(20, socket.MSG_WAITALL)) == 20
    except (BrokenPipeError, ConnectionResetError):
        return False


class FrontEnd:
    """A front end with a ring for one guest that sends."""

    def __init__(self, back):
        self.connection = connect(back.socket)
        self.memory = os.memfd_create("guest")
        os.ftruncate(self.memory, MEMORY_SIZE)
        self.kick = os.eventfd(0)
        self.sent = 0

    def close(self):
        self.connection.close()
        os.close(self.memory)
        os.close(self.kick)

    def say(self, request, payload, fds=()):
        socket.send_fds(self.connection, [struct.pack("=III", request, 1, len(payload)) + payload], fds)

    def give(self, request, fd):
        self.say(request, struct.pack("=Q", TRANSMIT), [fd])

    def start(self, call):
        """The transmit ring, of 16 entries, with that call descriptor."""
        self.say(SET_MEM_TABLE, struct.pack("=IIQQQQ", 1, 0, 0, MEMORY_SIZE, USER, 0), [self.memory])
        self.say(SET_VRING_NUM, struct.pack("=II", TRANSMIT, 16))
        self.say(SET_VRING_ADDR, struct.pack("=IIQQQQ", TRANSMIT, 0, USER + DESCRIPTORS, USER + USED, USER + AVAILABLE, 0))
        self.say(SET_VRING_BASE, struct.pack("=II", TRANSMIT, 0))
        self.give(SET_VRING_CALL, call)
        self.give(SET_VRING_KICK, self.kick)
        assert is_served(self.connection)  # the messages before it were, too

    def send(self, frame):
        """The guest makes frame available and kicks."""
        data = bytes(10) + frame
        os.pwrite(self.memory, data, FRAME)
        os.pwrite(self.memory, struct.pack("<QIHH", FRAME, len(data), 0, 0), DESCRIPTORS)
        os.pwrite(self.memory, struct.pack("<H", 0), AVAILABLE + 4 + 2 * (self.sent % 16))
        self.sent += 1
        os.pwrite(self.memory, struct.pack("<H", self.sent), AVAILABLE + 2)
        os.eventfd_write(self.kick, 1)


@contextlib.contextmanager
def front_end(back):
    front = FrontEnd(back)
    try:
        yield front
    finally:
        front.close()


def make_blocking(fd):
    """For everybody who has the same open file."""
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)


def full_pipe():
    """Its two ends."""
    ends = os.pipe()
    os.set_blocking(ends[1], False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(ends[1], bytes(4096))
    make_blocking(ends[1])
    return ends


def test_a_pipe_is_no_event():
    """A full pipe, as kick, call or error descriptor, is refused when it comes: it would block the port at the next frame."""
    for request in (SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR):
        ends = full_pipe()
        with vhost.back_end() as back, front_end(back) as front:
            front.give(request, ends[1])
            assert back.process.wait(tap.patience(10)) == 3
            assert "of ring 1 is not an eventfd" in back.end()[1]
        for fd in ends:
            os.close(fd)


def test_an_event_that_is_made_to_block():
    """The front end clears O_NONBLOCK on the file that both have open, with the counter full: that ends the port, in bounded time."""
    with vhost.back_end() as back, front_end(back) as front, frames.WirePort() as wire:
        call = os.eventfd(0)
        front.start(call)
        frame = frames.marker(back.mac, "MARK of a guest that sends")
        front.send(frame)
        wire.wait(frame[14:40])
        assert select.select([call], [], [], tap.patience(10))[0] and os.eventfd_read(call) == 1
        # The test's control is done. From here on nobody reads.
        os.eventfd_write(call, FULL)
        make_blocking(call)
        front.send(frame)
        assert back.process.wait(tap.patience(20)) == 3
        assert "made an eventfd block" in back.end()[1]
        os.close(call)


def test_sigterm_is_never_blocked():
    """Also where the program that starts the back end blocks it, as some do for signalfd(2)."""

    def block():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGALRM])

    with vhost.back_end(preexec=block) as back:
        with open(f"/proc/{back.process.pid}/status", encoding="ascii") as file:
            blocked = next(int(line.split()[1], 16) for line in file if line.startswith("SigBlk:"))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            assert not blocked >> (number - 1) & 1, f"{number!r} is blocked: {blocked:#x}"
        assert back.end() == (0, "")


# user_obj, group_obj, mask and other, rwx each: linux/posix_acl_xattr.h
OPEN_ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, 7, 0xffffffff) for tag in (0x01, 0x04, 0x10, 0x20))


def test_the_sockets_mode():
    """0600, whatever umask and default ACL would make of it."""
    for mask, acl in ((0, False), (0o077, False), (0o777, False), (0, True)):
        def prepare(mask=mask):
            os.umask(mask)

        with vhost.back_end(preexec=prepare, acl=OPEN_ACL if acl else None) as back:
            mode = stat.S_IMODE(os.stat(back.socket).st_mode)
            assert mode == 0o600, f"umask {mask:03o}, ACL {acl}: {mode:03o}"
            with connect(back.socket) as connection:
                assert is_served(connection)
            assert back.end()[0] == 0


def test_strangers():
    """Other users cannot connect, the port's own user can."""
    with vhost.back_end() as back:
        for user in ("outsider", "member2"):
            try:
                connect(back.socket, user).close()
            except PermissionError:
                continue
            raise AssertionError(f"{user} could connect")
        with connect(back.socket) as connection:
            assert is_served(connection)


def test_a_stranger_who_could_connect():
    """Where the socket's mode was opened afterwards: the port looks at the user, too."""
    with vhost.back_end() as back:
        os.chmod(back.socket, 0o777)
        for user, served in (("outsider", False), ("member2", False), ("member", True)):
            with connect(back.socket, user) as connection:
                assert is_served(connection) == served, f"{user}: {not served}"
        status, said = back.end()
        assert status == 0 and said.count("refused user") == 2, said


def test_another_user_is_allowed():
    with vhost.back_end("lab", "--allow-user=outsider") as back:
        for user, served in (("member2", False), ("outsider", True), ("member", True)):
            with connect(back.socket, user) as connection:
                assert is_served(connection) == served, f"{user}: {not served}"
        status, said = back.end()
        assert status == 0 and "refused user" in said, said


def accept(listener):
    """A connection from the back end."""
    connection = listener.accept()[0]
    connection.settimeout(tap.patience(10))
    return connection


@contextlib.contextmanager
def listening(path, user):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(tap.patience(20))
        with lab.identity(user):
            listener.bind(path)
            os.chmod(path, 0o777)
            listener.listen(1)
        yield listener
    os.unlink(path)


def test_a_stranger_listens():
    """With --connect the port is not for another user who listens at that path first."""
    with vhost.back_end(connects=True) as back:
        with listening(back.socket, "outsider") as listener, accept(listener) as connection:
            assert not is_served(connection), "a stranger got the port"
        with listening(back.socket, "member") as listener, accept(listener) as connection:
            assert is_served(connection)
        status, said = back.end()
        assert status == 0 and "refused user" in said, said


def test_a_signal_to_the_whole_group():
    """As Ctrl-C and systemd send it: the port ends as asked, and the connector with it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        for _ in range(10):
            with vhost.back_end(preexec=os.setsid, connects=True) as back:
                with listening(back.socket, "member") as listener, accept(listener) as connection:
                    assert is_served(connection)
                    child, = children(back.process.pid)
                    os.killpg(back.process.pid, number)
                    assert back.process.wait(tap.patience(10)) == 0, back.end()
                lab.wait_for(lambda pid=child: not os.path.exists(f"/proc/{pid}"), 10, "the connector's end")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def test_the_connector():
    """The process that connects has none of the lease's sockets and ends with the back end, however that ends."""
    with vhost.back_end(connects=True) as back:
        lab.wait_for(lambda: children(back.process.pid), 10, "the connector")
        child, = children(back.process.pid)
        lab.wait_for(lambda: sorted(os.listdir(f"/proc/{child}/fd"), key=int) == ["0", "1", "2"], 10, "its three descriptors")
        with open(f"/proc/{child}/status", encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        assert status["Name"] == "rawnet-connect" and status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == 0, status
        with listening(back.socket, "member") as listener, accept(listener) as connection:
            assert is_served(connection)
        back.process.kill()
        lab.wait_for(lambda: not os.path.exists(f"/proc/{child}"), 10, "the connector's end")
    with vhost.back_end(connects=True) as back:
        lab.wait_for(lambda: children(back.process.pid), 10, "the connector")
        os.kill(children(back.process.pid)[0], signal.SIGKILL)
        assert back.process.wait(tap.patience(10)) == 1
        assert "the process that connects" in back.end()[1]


if __name__ == "__main__":
    tap.main()
