# SPDX-License-Identifier: GPL-2.0-or-later
"""The messages that users meet first, whole: each says what happened, where, and what to do. HACKING.md has the form."""

import contextlib
import os
import re
import socket
import tempfile

import bus
import lab
import tap
import vhost

FOLDER = "/etc/rawnet/networks"
NO_AGENT = "a password is needed, and there is no authentication agent to ask for it: use a terminal or a desktop session"


def ctl(*words, user="member"):
    return lab.run_as(user, ["rawnetctl", *words])


def says(sentence, *words, user="member"):
    """The whole of what a command that fails says."""
    done = ctl(*words, user=user)
    assert done.returncode != 0 and done.stderr == f"rawnetctl: {sentence}\n", done


@contextlib.contextmanager
def files(**texts):
    """Files of the folder of networks, whatever their names end in; __ stands for a dot."""
    paths = [f"{FOLDER}/{name.replace('__', '.')}" for name in texts]
    try:
        for path, text in zip(paths, texts.values(), strict=True):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        yield
    finally:
        for path in paths:
            os.unlink(path)


def opens(network):
    return ("run", network, "--", "true", "{mac}")


BAD_FILES = (
    ('[Network]\nParent="wire0"\nVLAN=none\n', '2: Parent="wire0" is not allowed; remove the quotation marks'),
    ("[Network]\nParent=wire0\nVLAN=none # untagged\n", "3: VLAN=none # untagged is not allowed; write the comment on a line of its own"),
    ("[Network]\nParent=wire0\nVlan=none\n", "3: unknown key Vlan=; write VLAN=, case counts"),
    ("[Network]\nParent wire0\n", "2: 'Parent wire0' is not understood; write Key=value"),
    ("Parent=wire0\n[Network]\n", "1: Parent= comes before [Network]; move it below that line"),
    ("\ufeff[Network]\nParent=wire0\nVLAN=none\n", "1: the file starts with a byte order mark; save it as UTF-8 without BOM"),
)


def test_bad_files():
    for text, sentence in BAD_FILES:
        with lab.network("bad", text):
            says(f"network bad: {FOLDER}/bad.conf:{sentence}", *opens("bad"))


def test_files_that_are_not_read():
    good = "[Network]\nParent=wire0\nVLAN=none\n"
    long = "n" * 33
    with files(noext=good, a__b__conf=good, **{f"{long}__conf": good}):
        says(f"network noext: {FOLDER}/noext is not read, because its name does not end in .conf; an administrator renames it to noext.conf",
             *opens("noext"))  # fmt: skip
        said = ctl("networks").stderr
        for sentence in ("a.b.conf: ignored: a network's name has letters, digits, '-' and '_' only, and not '.'; rename the file",
                         f"{long}.conf: ignored: the name has 33 characters, and at most 32 are allowed; rename the file"):  # fmt: skip
            assert f"rawnetctl: {FOLDER}/{sentence}\n" in said, said
    with lab.network("masked", ""):
        said = ctl(*opens("masked")).stderr
        assert said == (f"rawnetctl: network masked: {FOLDER}/masked.conf is empty, which disables (masks) this network; an administrator "
                        "removes that file, or writes a [Network] section into a new one\n"), said  # fmt: skip
    says(f"network nope: there is no such network; rawnetctl networks shows what there is, and an administrator adds one as {FOLDER}/nope.conf",
         *opens("nope"))  # fmt: skip


def test_parent_is_missing():
    with lab.network("away", Parent="nothere0"):
        says(f"network away: there is no interface nothere0; plug it in or correct Parent= in {FOLDER}/away.conf", *opens("away"))


def test_files_of_others():
    with lab.network("theirs", uid=lab.uid_of("member")) as path:
        says(f"network theirs: {path}: it belongs to user member and must belong to root; an administrator checks its contents, then runs: "
             f"chown root {path}", *opens("theirs"))  # fmt: skip
    with lab.network("theirs", mode=0o664) as path:
        says(f"network theirs: {path}: its group or others may write to it; an administrator checks its contents, then runs: chmod 644 {path}",
             *opens("theirs"))  # fmt: skip


def test_options():
    says("network lab: option mac is neither an address such as 52:54:00:12:34:56 nor learn", "run", "--mac", "52:54", "lab", "--", "true")
    says("run: --queues comes after the network: write options before the network, and -- before the command", "run", "lab", "--queues")
    says("run: --mac comes after the last --port and would apply to none: write it before its --port",
         "run", "--port", "a=lab", "--mac=learn", "--", "true")  # fmt: skip
    with bus.connect("member") as connection:
        said = bus.expect_error("org.freedesktop.DBus.Error.InvalidArgs", connection.open_tap, "lab", colour="red")
        assert "unknown option 'colour' for a tap port" in said, said
        said = bus.expect_error("NotSupported", connection.open_packet, "lab", mac="learn")
        assert said == "network lab: mac=learn works with kind tap only; give an address, or leave mac out for one that rawnet chooses", said


def test_address_is_not_used():
    done = ctl("run", "--mac", "52:54:00:00:81:01", "lab", "--", "true")
    assert done.returncode == 0 and done.stderr == (
        "rawnetctl: the command does not use the port's MAC address 52:54:00:00:81:01; a guest with another one gets no traffic. "
        "Write {mac} for it, or use --mac learn\n"), done  # fmt: skip


def test_quota():
    """The caller is "you", not a number."""
    with lab.network("few", MaxLeases="2", MaxLeasesPerUser="1") as path, bus.connect("member") as one, bus.connect("member2") as two:
        with one.open_tap("few"):
            says(f"network few: you have 1 of at most 1 lease on it; close one of them (rawnetctl list), or ask an administrator to raise "
                 f"MaxLeasesPerUser= in {path}", *opens("few"))  # fmt: skip
            with two.open_tap("few"):
                says(f"network few has 2 of at most 2 leases; close one of them (rawnetctl list), or ask an administrator to raise MaxLeases= "
                     f"in {path}", *opens("few"))  # fmt: skip


def test_authorization():
    says(f"to open a tap port on network lab, {NO_AGENT}, or ask an administrator to add you to group rawnet (action org.rawnet1.open-tap)",
         *opens("lab"), user="outsider")  # fmt: skip
    with lab.network("hosted", HostInterface="own0"):
        says(f"to make the host interface of network hosted, {NO_AGENT} (action org.rawnet1.host)", "host", "up", "hosted")
        says(f"to remove the host interface of network hosted, {NO_AGENT} (action org.rawnet1.host)", "host", "down", "hosted")
    says(f"network lab has no host interface; an administrator adds HostInterface=NAME to {FOLDER}/lab.conf", "host", "up", "lab")


def test_leases():
    """By their IDs and names, never by numbers; users by their names."""
    says("there is no lease '1': give an ID, such as rn7fff0001, or a name that 'rawnetctl list' shows", "stat", "1")
    says("there is no lease rn7fff5678; it may have ended, rawnetctl list shows the leases", "stat", "rn7fff5678")
    with bus.connect("member") as connection, connection.open_tap("lab", name="web") as lease:
        word = f"rn{lease.id:x}"
        says(f"to close lease {word} (web) of user member, {NO_AGENT} (action org.rawnet1.close-others)", "close", "web", user="outsider")
        assert ctl("close", "web").returncode == 0
        says(f"lease {word} (web) on network lab is already closed; it counts against quotas until its program closes the file descriptors",
             "close", "web")  # fmt: skip
        said = bus.expect_error("NoSuchLease", connection.statistics, lease.path)
        assert said == f"lease {word} (web) is already closed; it counts against quotas until its program closes the file descriptors", said


def test_journal():
    """Users by their numbers, since rawnetd asks no directory for names; and in words why a lease ended."""
    uid = lab.uid_of("member")
    start = len(lab.log_of("rawnetd"))
    ends = (
        ("closed", lambda lease, connection: connection.close_lease(lease.path), "its user closed it"),
        ("revoked", lambda lease, _: lab.run_as("root", ["rawnetctl", "close", f"rn{lease.id:x}"], check=True), "another user closed it, user 0"),
        ("ends", lambda lease, _: lease.close_fds(), "its last file descriptor was closed"),
    )
    with bus.connect("member") as connection:
        for name, end, reason in ends:
            with connection.open_tap("lab", name=name, mac="52:54:00:00:81:02") as lease:
                end(lease, connection)
                lines = (f"lease rn{lease.id:x} ({name}) opened: a tap port on network lab for user {uid}, MAC 52:54:00:00:81:02, "
                         "untagged on wire0\n",
                         f"lease rn{lease.id:x} ({name}) of user {uid} on network lab with MAC 52:54:00:00:81:02 ended: {reason}\n")  # fmt: skip
                for line in lines:
                    lab.wait_for(lambda text=line: f"rawnetd: {text}" in lab.log_of("rawnetd")[start:], 10, line)
            lab.wait_for(lambda: not connection.leases(), 10, "the end of the lease")
    with lab.network("hosted", HostInterface="own0"):
        lab.run_as("root", ["rawnetctl", "host", "up", "hosted"], check=True)
        lab.run_as("root", ["rawnetctl", "host", "down", "hosted"], check=True)
    said = lab.log_of("rawnetd")[start:]
    assert "host interface own0 of network hosted: brought up for user 0\n" in said, said
    assert "host interface of network hosted: removed for user 0\n" in said, said
    assert not re.search(r"\buid [0-9]", said), said


def back_end(*words, **options):
    return lab.run_as("member", [vhost.program(), *words], **options)


def test_back_end():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        path = f"{folder}/socket"
        done = back_end("--fd=3", "here")
        assert done.returncode != 0 and done.stderr == "rawnet-vhost: unexpected argument 'here'; rawnet-vhost --help lists the options\n", done
        done = back_end("--fd=3")
        assert "give --fd, and one of --socket, --socket-fd and --connect; see rawnet-vhost --help\n" in done.stderr, done
        done = ctl("vhost", "--socket", f"{folder}/no/socket", "lab")
        assert done.stderr == f"rawnet-vhost: cannot listen on {folder}/no/socket: No such file or directory\n", done
        with open(path, "w", encoding="utf-8"):
            pass
        done = ctl("vhost", "--socket", path, "lab")
        assert done.returncode != 0 and f"{path} exists and is not a socket; remove it, or choose another path\n" in done.stderr, done
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            os.chmod(path, 0o777)
            other.listen()
            done = ctl("vhost", "--socket", path, "lab")
            assert f"another program listens on {path} already; choose another path\n" in done.stderr, done


if __name__ == "__main__":
    tap.main()
