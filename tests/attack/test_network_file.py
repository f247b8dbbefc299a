# SPDX-License-Identifier: GPL-2.0-or-later
"""Network files in the middle of being written: no lease and no object comes from half a file."""

import contextlib
import hashlib
import os
import threading
import time

from jeepney import HeaderFields

import bus
import ipc
import lab
import tap

PATH = f"{lab.NETWORKS_DIR}/halved.conf"
HALF = "[Network]\nParent=wire0\nVLAN=none\nDescription=Half"  # valid by itself: another MTU than the whole file's
REST = " or whole\nMTU=1400\n"
WHOLE = HALF + REST
OBJECT = "/org/rawnet1/network/halved"


def overwrite(text):
    """As a shell's > does: the file is emptied first, and written in place."""
    with open(PATH, "w", encoding="ascii") as file:
        file.write(text)


def append(text):
    with open(PATH, "a", encoding="ascii") as file:
        file.write(text)


@contextlib.contextmanager
def network_file(text=WHOLE):
    """halved.conf while the block runs, old enough to be believed."""
    overwrite(text)
    try:
        lab.wait_for(lambda: time.time() - os.stat(PATH).st_ctime > 1.1, 10, "an old file")
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(PATH)


def in_two_steps(between):
    """Writes HALF, runs between, writes the rest: between's value. Half a file is a file after a second, so a machine that
    stood still in between does it again."""
    for _ in range(20):
        start = time.monotonic()
        overwrite(HALF)
        value, undo = between()
        append(REST)
        if time.monotonic() - start < 0.9:
            return value
        undo()
    raise AssertionError("this machine stands still for too long")


def test_half_a_file_opens_nothing():
    with network_file(), bus.connect("member") as connection:
        for kind in ("tap", "packet"):

            def between():
                serial = connection.send_open(kind, "halved")  # pylint: disable=cell-var-from-loop
                # Calls of one connection are taken in their order: by now the file has been read.
                connection.open_tap("lab").close_fds()
                return serial, lambda: connection.opened(kind, serial).close_fds()  # pylint: disable=cell-var-from-loop

            with connection.opened(kind, in_two_steps(between)) as lease:
                assert lease.info["mtu"] == 1400, f"opened from half a file: {lease.info}"


def test_the_helper_reads_whole_files_only():
    """Nor does it leave that to rawnetd."""
    with network_file(), ipc.Helper() as helper:

        def between():
            helper.send(ipc.open_request(b"halved", file_digest=hashlib.sha256(WHOLE.encode()).digest()))
            with ipc.Helper() as other:  # taken after the first, answered before it
                other.call(ipc.open_request(b"lab")).close_fds()
            return None, lambda: helper.reply().close_fds()

        in_two_steps(between)
        reply = helper.reply()
        assert reply.type == ipc.OPENED, reply
        mtu = lab.links(where=reply.fds[0])[f"rn{reply.lease:x}"]["mtu"]
        reply.close_fds()
        assert mtu == 1400, f"opened from half a file: MTU {mtu}"


def test_renamed_into_place():
    """The usual way to replace a file: each opens what the file said before or says now."""
    new = f"{lab.NETWORKS_DIR}/.halved.new"
    with network_file("[Network]\nParent=wire0\nVLAN=none\nMTU=1300\n"), bus.connect("member") as connection:
        with open(new, "w", encoding="ascii") as file:
            file.write(HALF)
        with connection.open_tap("halved") as lease:
            assert lease.info["mtu"] == 1300, lease.info
        with open(new, "a", encoding="ascii") as file:
            file.write(REST)
        os.rename(new, PATH)
        with connection.open_tap("halved") as lease:
            assert lease.info["mtu"] == 1400, lease.info


def test_no_last_newline():
    """Some editors leave none: the file counts when it has not changed for a second, and is not waited for when it is old."""
    with network_file(HALF), bus.connect("member") as connection:
        overwrite(f"{HALF}\nMTU=1300")
        with connection.open_tap("halved") as lease:
            assert lease.info["mtu"] == 1300, lease.info
        with connection.open_tap("halved") as lease:
            assert lease.info["mtu"] == 1300, lease.info


def test_never_finished():
    """A writer that does not come to an end: refused with the reason, and others are served meanwhile."""
    done = threading.Event()

    def keep_writing():
        while not done.wait(0.02):
            append("# more\n")

    writer = threading.Thread(target=keep_writing)
    with network_file(), bus.connect("member") as connection, bus.connect("member2") as other:
        writer.start()
        try:
            lab.wait_for(lambda: time.time() - os.stat(PATH).st_ctime < 0.05, 10, "a write")
            serial = connection.send_open("tap", "halved")
            for _ in range(5):
                other.open_tap("lab").close_fds()
                assert serial not in connection.replies
            text = bus.expect_error("NetworkBusy", connection.opened, "tap", serial)
            assert PATH in text and "is being written" in text, text
            assert "is being written" in bus.expect_error("NetworkBusy", connection.can_open, "halved", "tap")
        finally:
            done.set()
            writer.join()
        connection.open_tap("halved").close_fds()


def test_whoever_waited_has_left():
    service = lab.service_pid()
    with network_file():
        overwrite(HALF)
        with bus.connect("member") as connection:
            connection.send_open("tap", "halved")
            connection.open_tap("lab").close_fds()
        append(REST)
        with bus.connect("member") as connection:
            connection.open_tap("halved").close_fds()
        lab.wait_no_leases()
        assert lab.service_pid() == service


def signals_of(connection):
    """Which signals concern halved's object: [member]."""
    found = []
    for message in connection.signals:
        member, path = message.header.fields[HeaderFields.member], message.header.fields[HeaderFields.path]
        if OBJECT in (path, message.body[0]):
            found.append(member)
    return found


def away_for_a_moment(connection, other, take_away):
    """Takes the file away until rawnetd has looked, and writes it again with other as description. False: that took this machine about a
    second, after which the file is away for good."""
    with lab.network(other):
        start = time.monotonic()
        take_away()
        # Another file's object appears: the directory has been looked at since.
        while not connection.wait_signal("InterfacesAdded")[1][0].endswith(f"/{other}"):
            pass
        shown = connection.networks().get("halved")
        overwrite(WHOLE.replace("Half", f"Text {other}"))
        in_time = time.monotonic() - start < 0.9
        assert not in_time or shown and shown["Parent"] == "wire0", f"the object is {shown}"
        lab.wait_for(lambda: connection.networks().get("halved", {}).get("Description") == f"Text {other} or whole", 10, "the new text")
    return in_time


@tap.limit(120)
def test_a_rewritten_file_keeps_its_object():
    """Emptied, or gone, for as long as it takes rawnetd to look: the object stays, and changes once."""
    with network_file(), bus.connect("member") as connection:
        lab.wait_for(lambda: "halved" in connection.networks(), 10, "the object")
        connection.subscribe()
        for number, take_away in enumerate((lambda: overwrite(""), lambda: os.unlink(PATH), lambda: overwrite("[Network]\nParent="))):
            for again in range(20):
                connection.signals.clear()
                if away_for_a_moment(connection, f"other{number}x{again}", take_away):
                    break
            else:
                raise AssertionError("this machine stands still for too long")
            assert signals_of(connection) == ["PropertiesChanged"], signals_of(connection)
        # Gone for good, it does go.
        os.unlink(PATH)
        while connection.wait_signal("InterfacesRemoved")[1][0] != OBJECT:
            pass
        assert "halved" not in connection.networks()


if __name__ == "__main__":
    tap.main()
