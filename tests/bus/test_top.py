# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl top: what a user sees on a terminal and in a pipe, how it ends, and what it asks of rawnetd."""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time

import bus
import frames
import lab
import tap
import terminal
import waiting

TOP = ["rawnetctl", "top"]
SIZE = 1014  # of the frames of traffic()
HEADING = "ID RECEIVED FRAMES SENT FRAMES DROPS OWNER NETWORK NAME".split()


def frame_of(lease):
    return frames.ether(frames.BROADCAST, lease.info["mac"], frames.TEST, bytes(SIZE - 14))


def top(*words, user="outsider", **options):
    """On a terminal; anybody may look."""
    return terminal.Picture(user, [*TOP, *words], **options)


def table(rows):
    """{name: {column: text}} in the order of the rows, or None while there is no whole picture."""
    heads = [number for number, row in enumerate(rows) if row.split() == HEADING]
    if not heads:
        return None
    columns = ("id", "received", "frames-in", "sent", "frames-out", "drops", "owner", "network", "name")
    found = [dict(zip(columns, row.split(maxsplit=8))) for row in rows[heads[0] + 1 : -1] if row]
    return {row["name"]: row for row in found}


def names(picture, expected):
    """Until the picture has leases of these names in this order: the table."""
    return picture.see(lambda rows: list(found := table(rows) or {}) == expected and found)


def rates_are_old(rows):
    return re.match(r"rates out of sight are up to ", rows[1])


def shows_rates(picture, name):
    return picture.see(lambda rows: (found := table(rows) or {}) and name in found and found[name]["sent"] != "-" and found[name])


@contextlib.contextmanager
def traffic(lease):
    """Frames from lease, some hundred a second, during the block."""
    over, frame = threading.Event(), frame_of(lease)

    def send():
        while not over.wait(0.002):
            os.write(lease.fd, frame)

    os.write(lease.fd, frame)
    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def restored(picture):
    """Nothing of what top did to the terminal is left."""
    assert picture.modes == picture.USUAL and picture.echoes(), (picture.modes, picture.echoes())


def test_a_picture():
    """Rates with units, the busiest first, headings and keys; q gives the terminal back."""
    with bus.connect("member") as connection, connection.open_packet("lab", name="quiet") as quiet, \
            connection.open_packet("lab", name="busy") as busy, traffic(busy), top(env={"NO_COLOR": "1"}) as picture:  # fmt: skip
        row = picture.see(lambda rows: "busy" in (found := table(rows) or {}) and found["busy"]["frames-out"] not in ("-", "0") and found["busy"])
        assert row["id"] == f"rn{busy.id:x}" and row["owner"] == "member" and row["network"] == "lab" and row["drops"] == "0", row
        assert int(row["frames-out"]) > 0 and re.fullmatch(r"[0-9.]+[kM]", row["sent"]), row
        picture.type("s")
        names(picture, ["busy", "quiet"])
        picture.type("n")
        names(picture, ["busy", "quiet"])
        picture.type("r")  # a broadcast reaches the other one
        found = names(picture, ["quiet", "busy"])
        assert found["quiet"]["id"] == f"rn{quiet.id:x}" and int(found["quiet"]["frames-in"]) > 0 and found["quiet"]["sent"] == "0", found
        assert re.fullmatch(r"2 leases: received \S+ bit/s, sent \S+ bit/s, dropped 0 frames/s", picture.rows[0]), picture.rows
        assert re.search(r"t total  \[r received\]  s sent  .*  n name  q quit$", picture.rows[-1]), picture.rows
        assert all(len(row) <= 80 for row in picture.rows) and not picture.tones, picture.rows
        assert picture.modes == {"alternate"} and not picture.echoes()
        picture.type("q")
        assert picture.finish() == (0, "")
        restored(picture)


def test_leases_come_and_go():
    with bus.connect("member") as connection, top("--sort", "name") as picture:
        picture.see(lambda rows: rows[0].startswith("0 leases: "))
        with connection.open_tap("lab", name="b") as lease:
            names(picture, ["b"])
            assert shows_rates(picture, "b")["sent"] == "0"
            with connection.open_tap("lab", name="a"):
                names(picture, ["a", "b"])
            names(picture, ["b"])
            connection.close_lease(lease.path)  # its holder has the descriptor, and it has no counters
            picture.see(lambda rows: rows[0].startswith("0 leases: ") and table(rows) == {})
        assert picture.tones, "colours"


def test_scrolling():
    """More leases than lines."""
    with bus.connect("member") as connection, contextlib.ExitStack() as stack:
        all_names = [f"vm{number:02}" for number in range(20)]
        for name in all_names:
            stack.enter_context(connection.open_packet("lab", name=name))
        picture = stack.enter_context(top("--sort", "name", lines=10))
        names(picture, all_names[:7])
        assert picture.rows[0].startswith("1-7 of 20 leases: "), picture.rows
        for keys, first in (("\x1b[B", 1), ("\x1b[6~", 8), ("\x1b[A", 7), ("\x1b[6~\x1b[6~", 13), ("\x1b[B", 13), ("\x1b[5~", 6), ("n", 0)):
            picture.type(keys)
            names(picture, all_names[first : first + 7])


def test_sizes():
    """A new size of the terminal shows at once; a small terminal is no reason to write past its edges, or to end."""
    with bus.connect("member") as connection, connection.open_packet("lab", name="web"), top("--interval", "600") as picture:
        names(picture, ["web"])
        for columns, lines in ((100, 40), (80, 5), (40, 12)):
            picture.resize(columns, lines)
            picture.see(lambda rows: "t total" in rows[-1] and rows[0].startswith("1 lease: "))
        picture.resize(80, 3)
        picture.see(lambda rows: rows[0] == "rawnetctl top needs 4 lines; q quits" and not any(rows[1:3]))
        picture.resize(80, 24)
        names(picture, ["web"])
        picture.type("q")
        assert picture.finish()[0] == 0
        restored(picture)


def test_signals():
    """The terminal is as it was before, and the shell sees which signal it was."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        with top() as picture:
            picture.see(lambda rows: "q quit" in rows[-1])
            if number == signal.SIGINT:
                picture.type("\x03")
            else:
                os.kill(picture.pid, number)
            assert picture.finish()[0] == -number, (number, picture.status)
            restored(picture)


def test_the_bus_ends():
    """The message is to be read afterwards: it is on the usual screen."""
    with bus.connect("member") as connection, connection.open_tap("lab", name="web"), bus.proxy("outsider") as (address, proxy), \
            top(env={"DBUS_SYSTEM_BUS_ADDRESS": address}) as picture:  # fmt: skip
        names(picture, ["web"])
        proxy.kill()
        picture.usual = ""
        assert picture.finish()[0] == 1
        restored(picture)
        assert "closed the connection" in picture.usual, picture.usual


def test_job_control():
    """Ctrl-Z gives the terminal to the shell, fg takes it again."""
    with terminal.Picture("member", ["bash", "--norc", "--noprofile", "-i"], env={"PS1": "READY "}) as picture:
        def shell(typed):
            lab.wait_for(lambda: (picture.read_for(0.1), "READY" in picture.usual)[1], 20, "the shell")
            assert picture.modes == picture.USUAL, picture.modes
            picture.usual = ""
            picture.type(typed)
            picture.see(lambda rows: "alternate" in picture.modes and "q quit" in rows[-1])

        shell("rawnetctl top\n")
        picture.type("\x1a")
        picture.rows = [""] * 24
        shell("fg\n")
        picture.type("\x1a")
        picture.rows = [""] * 24
        shell("fg\n")
        picture.type("q")
        lab.wait_for(lambda: (picture.read_for(0.1), "READY" in picture.usual)[1], 20, "the shell")
        assert picture.modes == picture.USUAL, picture.modes


def test_modes_of_a_shell():
    """A shell that continued it without knowing its modes: it sets them again."""
    with top() as picture:
        picture.see(lambda rows: "q quit" in rows[-1])
        picture.set_echo()
        os.kill(picture.pid, signal.SIGCONT)
        lab.wait_for(lambda: not picture.echoes(), 10, "the picture's modes")
        picture.type("q")
        assert picture.finish()[0] == 0
        restored(picture)


def test_a_simple_terminal():
    """No control sequences; tables one below the other."""
    with bus.connect("member") as connection, connection.open_tap("lab", name="web") as lease:
        for words, env in ((["--interval", "0.2"], {"TERM": "dumb"}), (["--count", "3", "--interval", "0.2"], {"NO_COLOR": "1"})):
            with terminal.Terminal("member", [*TOP, *words], env=env) as screen:
                for _ in range(3):
                    screen.wait(r"ID +RECEIVED +FRAMES +SENT +FRAMES +DROPS +OWNER +NETWORK +NAME\r\n")
                    assert "\x1b" not in screen.wait(rf"rn{lease.id:x} +0 +0 +0 +0 +0 +member +lab +web\r\n")[0]
                if env.get("TERM"):
                    screen.type("\x03")
                assert screen.finish()[0] == (-signal.SIGINT if env.get("TERM") else 0)
    lab.wait_no_leases()
    status, text = terminal.run("member", [*TOP, "--count", "1", "--interval", "0.1"])
    assert (status, text) == (0, "There is no lease.\r\n"), (status, text)


def test_a_pipe():
    """Data and nothing else: the time, numbers without units, blanks in the last field only."""
    with bus.connect("member") as connection, connection.open_packet("lab", name="my web") as lease, connection.open_tap("lab", mac="learn"):
        with traffic(lease):
            done = lab.run_as("outsider", [*TOP, "--count=2", "--interval=0.5", "--sort=sent"], check=True)
        assert not done.stderr and "\x1b" not in done.stdout, done
        rows = [line.split(maxsplit=9) for line in done.stdout.splitlines()]
        assert len(rows) == 4 and all(len(row) == 10 and time.strptime(row[0], "%Y-%m-%dT%H:%M:%S") for row in rows), rows
        assert rows[0][1] == rows[2][1] == f"rn{lease.id:x}" and rows[0][9] == "my web" and rows[1][9] == "-", rows
        assert int(rows[0][4]) > 1000 and int(rows[0][5]) > 0, rows
        assert all(field.isdigit() for row in rows for field in row[2:7]), rows


def test_nobody_reads():
    """It ends at once, not with the next table."""
    with lab.popen_as("member", [*TOP, "--interval=3600"], stdout=subprocess.PIPE) as process:
        process.stdout.close()
        process.wait(tap.patience(20))


class Lines:
    """rawnetctl top --json in a pipe."""

    def __init__(self, *words):
        self.process = lab.popen_as("outsider", [*TOP, "--json", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def next(self):
        assert waiting.readable([self.process.stdout], tap.patience(20)), "no line came"
        line = self.process.stdout.readline()
        assert line, ("it ended", self.process.communicate())
        return {lease["name"]: lease for lease in json.loads(line)["leases"]}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def test_rates_add_up():
    """The rates of all intervals together are what was sent, bit for bit."""
    number = 500
    with bus.connect("member") as connection, connection.open_packet("lab", name="web") as lease, Lines("--interval=0.2") as lines:
        (listed,) = json.loads(lab.run_as("member", ["rawnetctl", "list", "--json"]).stdout)
        found = lines.next()["web"]
        rates = found.pop("rates")
        assert found == listed and rates["usec"] > 100000 and rates["tx_packets"] == 0, (found, listed, rates)
        before = connection.statistics(lease.path)
        frame = frame_of(lease)
        for _ in range(number):
            os.write(lease.fd, frame)
        after = connection.statistics(lease.path)
        packets = after["tx_packets"] - before["tx_packets"]
        assert packets == number, packets
        total = {"tx_packets": 0.0, "tx_bits": 0.0}
        end = time.monotonic() + tap.patience(20)
        while total["tx_packets"] < number - 5:
            assert time.monotonic() < end, total
            rates = lines.next()["web"]["rates"]
            for name in total:
                total[name] += rates[name] * rates["usec"] / 1e6
        bits = 8 * (after["tx_bytes"] - before["tx_bytes"])
        assert abs(total["tx_packets"] - number) < 5 and abs(total["tx_bits"] - bits) < bits / 100, (total, bits)
        assert lines.next()["web"]["rates"]["tx_packets"] == 0


def test_a_lease_between_two_looks():
    """One that opened has no rates yet, one that ended is gone."""
    with bus.connect("member") as connection, Lines("--interval=1") as lines:
        assert lines.next() == {}
        with connection.open_tap("lab", name="web"):
            # Lines that were printed before it was there have not been read yet.
            while not (found := lines.next()):
                pass
            assert found["web"]["rates"] is None, found
            assert lines.next()["web"]["rates"]["tx_bits"] == 0
        while lines.next():
            pass


def test_wrong_words():
    for words, what in ((["--sort", "mac"], "--sort is total, "), (["--interval", "0"], "from 0.1 to 3600, not '0'"), (["--count", "0"], "--count is"),
                        (["web"], "too many arguments"), (["--interval=1.s"], "not '1.s'")):  # fmt: skip
        done = lab.run_as("member", [*TOP, *words])
        assert done.returncode == 2 and what in done.stderr and done.stderr.count("\n") == 1, done


def test_no_bus():
    """On a terminal, too, it is the usual line."""
    status, text = terminal.run("member", TOP, env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/no-such-bus"})
    assert status == 1 and "cannot reach the D-Bus system bus" in text and "\x1b" not in text, (status, text)


def test_the_helper_is_away():
    """The picture says so, and has no old rates; afterwards all is as before."""
    with bus.connect("member") as connection, connection.open_tap("lab", name="web"), top("--interval=0.5", columns=200) as picture:
        shows_rates(picture, "web")
        lab.stop("rawnet-helper")
        try:
            # rawnetd itself waits 20 s for the helper.
            picture.see(lambda rows: "rawnet-helper" in rows[-1] and table(rows)["web"]["sent"] == "-", 30)
        finally:
            lab.start("rawnet-helper")
        shows_rates(picture, "web")
        picture.see(lambda rows: "q quit" in rows[-1])
        lab.kill_service()  # the next call starts it again
        with connection.open_tap("lab", name="after"):
            shows_rates(picture, "after")
            shows_rates(picture, "web")
        picture.type("q")
        assert picture.finish()[0] == 0


def count_calls(enough, *words):
    """top on a terminal until its calls are enough: ({lease: number of its GetStatistics()}, most calls that were open at once, seconds)."""
    asked, open_calls, most = {}, set(), 0
    begin = time.monotonic()
    rules = f"type='method_call',interface='{bus.LEASE}',member='GetStatistics'", f"type='method_return',sender='{bus.NAME}'"
    with bus.Monitor(*rules) as monitor, top(*words) as picture:
        with contextlib.suppress(TimeoutError):
            for message in monitor.messages(90):
                if enough(asked):
                    break
                fields = message.header.fields
                picture.read_for(0)
                if message.header.message_type == bus.MessageType.method_call:
                    asked[fields[bus.HeaderFields.path]] = asked.get(fields[bus.HeaderFields.path], 0) + 1
                    open_calls.add((fields[bus.HeaderFields.sender], message.header.serial))
                else:
                    open_calls.discard((fields[bus.HeaderFields.destination], fields.get(bus.HeaderFields.reply_serial)))
                most = max(most, len(open_calls))
    return asked, most, time.monotonic() - begin


@tap.limit(120)
def test_what_it_asks():
    """With many leases: few calls at a time, at most 200 in a second, what is shown first, and in the end everything."""
    number = 120
    with bus.connect("member") as member, bus.connect("member2") as other, contextlib.ExitStack() as stack:
        for connection in (member, other):
            for _ in range(number // 2):
                stack.enter_context(connection.open_packet("lab"))
        shown = sorted(member.leases(), key=lambda path: int(path.rsplit("/", 1)[1]))[:20]  # the rows of a picture with 24 lines
        asked, most, seconds = count_calls(lambda asked: len(asked) == number and sum(asked.values()) > 1000, "--interval=0.1", "--sort=name")
        assert most <= 4, most
        assert sum(asked.values()) <= 200 * (seconds + 1), sum(asked.values())
        assert len(asked) == number, f"{len(asked)} of {number} were asked"
        least, usual = min(asked[path] for path in shown), max(count for path, count in asked.items() if path not in shown)
        assert least > 3 * usual, (least, usual)


@tap.limit(120)
def test_more_than_it_reads_at_once():
    """The picture says that rates out of sight are old; tables come late, and a line says so."""
    with bus.connect("member") as member, contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(member.open_packet("lab"))
        with top("--interval=0.1", lines=10) as picture:
            picture.see(lambda rows: rows[0].startswith("1-7 of 20 leases: "))
            assert rates_are_old(picture.rows) is None, picture.rows
            for _ in range(20):
                stack.enter_context(member.open_packet("lab"))
            picture.see(lambda rows: rows[0].startswith("1-6 of 40 leases: ") and rates_are_old(rows))
            assert re.fullmatch(r"rates out of sight are up to \d+ s old; at most 200 leases are read in a second", picture.rows[1]), picture.rows
            assert "q quit" in picture.rows[-1], picture.rows
        with top("--interval=0.1", lines=4) as picture:
            picture.see(lambda rows: rows[0] == "rawnetctl top needs 5 lines; q quits")
        late = "a table of 40 leases takes 1 s or more; at most 200 leases are read in a second"
        for words, slow in ((["--interval=0.1", "--count=2"], True), (["--interval=0.1", "--count=1", "--json"], True), (["--count=1"], False)):
            done = lab.run_as("member", [*TOP, *words])
            assert done.returncode == 0 and done.stderr.count(late) == (1 if slow else 0), (words, done.stderr)


if __name__ == "__main__":
    tap.main()
