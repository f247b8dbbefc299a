# SPDX-License-Identifier: GPL-2.0-or-later
"""What rawnetctl prints on a terminal, and what into a pipe."""

import json
import re
import unicodedata

import bus
import frames
import lab
import tap
import terminal

ESCAPE = re.compile("\x1b\\[[0-9;]*m")
LONG_NAME = "a name that has sixty-four characters, as long as it may be, ok!"
NETWORK = "a-network-with-a-very-long-name"
DESCRIPTION = "B\u00fcro \u6771\u4eac, a description that is longer than a terminal is wide, so that it has to be cut"


def pipe(*words, user="member"):
    return lab.run_as(user, ["rawnetctl", *words], check=True).stdout


def shown(*words, user="member", **options):
    """The lines on a terminal, with colours."""
    status, text = terminal.run(user, ["rawnetctl", *words], **options)
    assert status == 0, (status, text)
    return text.replace("\r\n", "\n").splitlines()


def width(line):
    """Columns on a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in ESCAPE.sub("", line))


def test_list_on_a_terminal():
    """80 columns, however long the names are; nothing that one types is cut where there is room."""
    with bus.connect("member") as connection, lab.network(NETWORK), connection.open_packet("lab", name="web 1") as lease:
        heading, row = shown("list", user="outsider", env={"NO_COLOR": "1"})
        assert heading.split() == ["ID", "STATE", "AGE", "KIND", "MAC", "OWNER", "NETWORK", "NAME"], heading
        assert re.fullmatch(rf"rn{lease.id:x}  open +\d+s  packet  {lease.info['mac']}  member  lab +web 1", row), row
        with connection.open_packet(NETWORK, name=LONG_NAME):
            lines = shown("list")
            assert len(lines) == 3 and all(width(line) <= 80 for line in lines), lines
            assert "\u2026" in lines[2] and NETWORK not in lines[2], lines
            (line,) = [line for line in shown("list", columns=200) if NETWORK in line]
            assert LONG_NAME in line and "\u2026" not in line, line


def test_networks_on_a_terminal():
    with lab.network("wide", Description=DESCRIPTION), lab.network(NETWORK, Parent="nowhere0"), lab.network("bad", "[Network]\nVLAN=x\n"), \
            bus.connect("member") as connection:  # fmt: skip
        lab.wait_for(lambda: {"wide", NETWORK, "bad"} <= set(connection.networks()), 10, "the networks")
        lines = shown("networks", env={"NO_COLOR": "1"})
        table, below = [line for line in lines if ".conf:" not in line], [line for line in lines if ".conf:" in line]
        assert table[0].split() == ["NETWORK", "STATE", "LEASES", "VLAN", "PARENT", "KINDS", "HOST", "DESCRIPTION"[:7] + "\u2026"], table
        assert all(width(line) <= 80 for line in table), table
        rows = {line.split()[0]: line.split()[1:] for line in table[1:]}
        assert rows["lab"][0] == "up" and rows["bad"][0] == "error" and rows["lab"][4] == "tap,packet,veth", rows
        assert next(row for name, row in rows.items() if name.startswith("a-netw"))[0] == "no-parent", rows
        assert len(below) == 1 and "bad.conf:2" in below[0], below
        # Columns begin at the same place, behind wide characters, too.
        lines = [line for line in shown("networks", columns=200, env={"NO_COLOR": "1"}) if ".conf:" not in line]
        (wide,) = [line for line in lines if DESCRIPTION in line]
        assert all(width(line[: line.index("tap,")]) == width(wide[: wide.index("tap,")]) for line in lines if "tap," in line), lines


def test_nothing_but_data_into_a_pipe():
    """One line for each object, blanks only in the last field, whole names and errors."""
    assert pipe("list") == ""
    with lab.network("wide", Description=DESCRIPTION), lab.network("bad", "[Network]\nVLAN=x\n"), bus.connect("member") as connection, \
            connection.open_packet("lab", name=LONG_NAME), connection.open_tap("lab", mac="learn"):  # fmt: skip
        lab.wait_for(lambda: {"wide", "bad"} <= set(connection.networks()), 10, "the networks")
        lines = pipe("list").splitlines()
        assert [len(line.split(maxsplit=7)) for line in lines] == [8, 8] and lines[0].endswith(LONG_NAME), lines
        assert pipe("list", "--no-legend") == pipe("list")
        lines = pipe("networks").splitlines()
        assert len(lines) == len(json.loads(pipe("networks", "--json"))), lines
        rows = {line.split()[0]: line.split(maxsplit=7) for line in lines}
        assert rows["wide"][7] == DESCRIPTION and "bad.conf:2" in rows["bad"][7], rows
        assert all(len(row) == 8 for row in rows.values()), rows
        assert "\x1b" not in pipe("list") + pipe("networks")


def test_no_legend():
    with bus.connect("member") as connection, connection.open_tap("lab") as lease:
        assert [line.split()[0] for line in shown("list", "--no-legend")] == [f"rn{lease.id:x}"]
        assert "NETWORK" not in " ".join(shown("networks", "--no-legend"))
    lab.wait_no_leases()
    assert shown("list") == ["There is no lease."] and shown("list", "--no-legend") == []


def test_colours():
    """On a terminal only, never with NO_COLOR, and not on a terminal that has none."""
    with bus.connect("member") as connection, connection.open_tap("lab"):
        assert "\x1b[1m" in "".join(shown("list"))
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
            assert "\x1b" not in "".join(shown("list", env=env)), env
        assert "\x1b[1m" in "".join(shown("list", env={"NO_COLOR": ""})), "an empty NO_COLOR is none (no-color.org)"


def summary(*words):
    """{label: the rest of the line} of stat."""
    return dict(re.split(" {2,}", line, maxsplit=1) for line in pipe("stat", *words).splitlines() if line)


def test_stat():
    """A short summary with units; --all has every counter."""
    with bus.connect("member") as connection, connection.open_packet("lab", name="web") as lease:
        found = summary("web")
        assert found["lease"] == f"rn{lease.id:x} (web)" and found["network"] == "lab, untagged on wire0" and found["owner"] == "member", found
        assert found["kind"] == "packet" and found["MAC"] == lease.info["mac"] and found["MTU"] == "1500 bytes", found
        assert found["errors"] == "0 frames" and found["dropped"].endswith(" frames"), found
        before = json.loads(pipe("stat", "--json", "web"))["statistics"]
        frame = frames.ether(frames.BROADCAST, lease.info["mac"], 0x88B5, bytes(1000))
        for _ in range(30):
            lab.os.write(lease.fd, frame)
        after = json.loads(pipe("stat", "--json", "web"))["statistics"]
        assert after["tx_packets"] - before["tx_packets"] == 30, (before, after)
        kib = after["tx_bytes"] * 10 // 1024
        assert summary("web")["sent"] == f"{kib // 10}.{kib % 10} KiB in {after['tx_packets']} frames", (summary("web"), after)
        counters = summary("--all", "web")
        assert set(after) < set(counters) and counters["tx_packets"] == str(after["tx_packets"]) and "sent" not in counters, counters


def test_stat_of_a_closed_lease():
    with bus.connect("member") as connection, connection.open_tap("lab", name="over") as lease:
        connection.close_lease(lease.path)
        done = lab.run_as("member", ["rawnetctl", "stat", "over"])
        assert done.returncode == 1 and "already closed" in done.stderr and re.search(r"^state +ended", done.stdout, re.MULTILINE), done
        assert "received" not in done.stdout, done


def test_a_lease_by_its_name():
    """One's own first; a name that several have is refused with their IDs."""
    def stat(user, name):
        return lab.run_as(user, ["rawnetctl", "stat", name])

    with bus.connect("member") as member, bus.connect("member2") as other, other.open_tap("lab", name="web") as theirs:
        assert f"rn{theirs.id:x} (web)" in stat("member", "web").stdout, "the only one"
        with member.open_tap("lab", name="web") as own:
            assert f"rn{own.id:x} (web)" in stat("member", "web").stdout and f"rn{theirs.id:x} (web)" in stat("member2", "web").stdout
            done = stat("outsider", "web")
            assert done.returncode == 1 and f"rn{own.id:x}" in done.stderr and f"rn{theirs.id:x}" in done.stderr, done
            with member.open_tap("lab", name="1"):  # no number of a lease
                assert "(1)" in stat("member", "1").stdout
            lab.run_as("member", ["rawnetctl", "close", "web"], check=True)
            assert member.get_all(own.path, bus.LEASE)["State"] == "ended" and other.get_all(theirs.path, bus.LEASE)["State"] == "open"
        done = stat("member", "webserver")
        assert done.returncode == 1 and "there is no lease 'webserver'" in done.stderr, done


if __name__ == "__main__":
    tap.main()
