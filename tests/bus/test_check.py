# SPDX-License-Identifier: GPL-2.0-or-later
"""Check(): why a port is refused, in the words of the open that is refused; everybody may ask, and nothing in the host changes."""

import contextlib
import json
import os
import signal
import socket
import subprocess

import bus
import container
import lab
import tap
import unfit

KINDS = ("tap", "packet", "veth")
KEYS = {"severity", "what", "where", "kinds", "text"}
MORE_KEYS = {"error", "vlan", "detail"}


def check(connection, network, seconds=60):
    """The findings, each with the keys that org.rawnet1(5) promises."""
    (found,) = connection.call(bus.ROOT, bus.MANAGER, "Check", "s", (network,), seconds=seconds)
    found = [bus.plain(finding) for finding in found]
    for finding in found:
        assert KEYS <= set(finding) <= KEYS | MORE_KEYS, finding
        assert finding["severity"] in ("error", "busy", "warning", "note", "fact"), finding
        assert finding["what"] in ("file", "parent", "vlan", "host", "port", "leases"), finding
        assert set(finding["kinds"]) <= set(KINDS) and finding["kinds"], finding
        assert finding["text"] or finding["severity"] == "fact", finding
        assert ("error" in finding) == (finding["severity"] in ("error", "busy")) or finding["severity"] == "warning", finding
    return found


def refusals(found, kind):
    """What an open of that kind is refused with: [(error, text)]."""
    return [(finding["error"], finding["text"]) for finding in found if finding["severity"] in ("error", "busy") and kind in finding["kinds"]]


def opened(connection, network, kind):
    """Opens a port of a kind and closes it again."""
    if kind != "veth":
        connection.open(kind, network).close_fds()
        return
    with container.Container() as box:
        container.attach(connection, network, box)


def agree(connection, network, kinds=KINDS):
    """The check and the opens: both say yes, or the open is refused with one of the check's errors, word by word. Returns the findings."""
    found = check(connection, network)
    for kind in kinds:
        expected = refusals(found, kind)
        try:
            opened(connection, network, kind)
            lab.wait_no_leases()
            lab.wait_for(lambda: not connection.leases(), 10, "rawnetd to learn of the lease's end")
            assert not expected, (network, kind, expected)
        except bus.BusError as error:
            assert (error.name, error.text) in expected, (network, kind, str(error), found)
    return found


def sh(text):
    subprocess.run(text, shell=True, check=True, capture_output=True)


@contextlib.contextmanager
def parent():
    sh("ip link add parent0 type veth peer name peer0 && ip link set parent0 up && ip link set peer0 up")
    try:
        yield
    finally:
        sh("ip link del parent0")


def test_good():
    with bus.connect("member") as member, bus.connect("outsider") as outsider:
        assert not [finding for finding in agree(member, "lab") if finding["severity"] != "note"]
        assert check(outsider, "lab") == check(member, "lab"), "polkit is not asked"


@tap.limit(120)
def test_the_words_of_an_open():
    cases = {"missing": {"Parent": "nowhere0"}, "loop": {"Parent": "lo"}, "long": {"Parent": "parent0", "MTU": "9000"},
             "down": {"Parent": "down0"}, "wrong": "[Network]\nParent=wire0\nVLAN=x\n", "taps": {"Kinds": "tap"},
             "own": {"MaxLeases": "1"}, "tagged": {"VLAN": "77"}, "alone": {"VLAN": "78", "Mode": "exclusive"}}  # fmt: skip
    with parent(), contextlib.ExitStack() as stack, bus.connect("member") as member:
        sh("ip link add down0 type veth peer name down1")
        stack.callback(sh, "ip link del down0")
        for name, keys in cases.items():
            stack.enter_context(lab.network(name, keys) if isinstance(keys, str) else lab.network(name, **keys))
        for name in cases:
            found = agree(member, name, ("tap",) if name == "taps" else KINDS)
            tap.diag(f"{name}: {[finding['text'] for finding in found if finding['text']]}")
            refused = bool([finding for finding in found if finding["severity"] == "error"])
            assert refused == (name not in ("taps", "own") and not (name in ("tagged", "alone") and lab.has_vlan())), (name, found)
        (finding,) = check(member, "wrong")
        assert finding["what"] == "file" and finding["where"].endswith("wrong.conf") and "wrong.conf:3: " in finding["text"], finding
        (finding,) = [finding for finding in check(member, "missing") if finding["severity"] == "error"]
        assert (finding["what"], finding["where"], finding["kinds"]) == ("parent", "nowhere0", list(KINDS)), finding
        with member.open_tap("own"):
            found = check(member, "own")
            assert [finding["severity"] for finding in found] == ["busy"] and found[0]["what"] == "leases", found
            for kind in KINDS:
                text = bus.expect_error("QuotaExceeded", member.open, kind, "own")
                assert refusals(found, kind) == [(bus.ERROR + "QuotaExceeded", text)], found


@tap.limit(120)
def test_what_a_kernel_lacks():
    """The port that is rehearsed fails as the real one does."""
    for lacking, kinds in ((unfit.kernel_without("egress"), ["packet"]), (unfit.no_user_namespaces(), list(KINDS)), (unfit.no_bpf(), list(KINDS)), (unfit.kernel_without("vlan"), [])):
        with lacking, bus.connect("member") as member:
            errors = [finding for finding in agree(member, "lab") if finding["severity"] == "error"]
            tap.diag(f"{[finding['text'] for finding in errors]}")
            assert [finding["kinds"] for finding in errors] == ([kinds] if kinds else []), errors
            # Where no namespace can be made, what else is missing is not known.
            if not kinds:
                with lab.network("tagged", VLAN="77"):
                    assert [finding["error"] for finding in agree(member, "tagged") if finding["severity"] == "error"]


@tap.limit(120)
def test_the_hosts_guard():
    """Ports on a shared VLAN interface need nftables in the host. Its absence is found where no such interface can be made, too."""
    networks = {"tagged": {"VLAN": "77"}, "alone": {"VLAN": "78", "Mode": "exclusive"}}
    with contextlib.ExitStack() as stack, bus.connect("member") as member:
        for name, keys in networks.items():
            stack.enter_context(lab.network(name, **keys))
        for lacking, expected in ((unfit.kernel_without("inet"), ["tagged"]), (contextlib.nullcontext(), [])):
            with lacking:
                for name in ("lab", *networks):
                    found = [finding for finding in agree(member, name) if finding["severity"] == "error" and "nftables" in finding["text"]]
                    tap.diag(f"{name}: {[finding['text'] for finding in found]}")
                    assert [name] * len(found) == [each for each in expected if each == name], (name, found)
                    assert all(finding["what"] == "vlan" and finding["kinds"] == list(KINDS) for finding in found), found


def test_all_reasons_at_once():
    """An open names the first."""
    with parent(), lab.network("twice", Parent="parent0", MTU="9000"), bus.connect("outsider") as outsider:
        sh("ip link set parent0 down")
        texts = [finding["text"] for finding in check(outsider, "twice") if finding["severity"] == "error"]
        assert len(texts) == 2 and any("is down" in text for text in texts) and any("MTU=9000" in text for text in texts), texts
        sh("ip link set parent0 up; ip link set peer0 down")
        found = [finding for finding in check(outsider, "twice") if finding["severity"] == "warning"]
        assert len(found) == 1 and "no carrier" in found[0]["text"] and found[0]["where"] == "parent0", found


def test_names():
    with lab.network("range", VLAN="100-109"), bus.connect("outsider") as outsider:
        for name, error in (("nope", "NoSuchNetwork"), ("range.110", "NoSuchNetwork"), ("lab.1", "NoSuchNetwork"),
                            ("no/pe", bus.DBUS_ERROR + "InvalidArgs"), ("", bus.DBUS_ERROR + "InvalidArgs"),
                            ("a" * 4000, bus.DBUS_ERROR + "InvalidArgs")):  # fmt: skip
            assert name[:30] in bus.expect_error(error, check, outsider, name)
        for name in ("range", "range.100"):
            check(outsider, name)


def test_a_file_that_is_being_written():
    """It is waited for, as for an open."""
    path = f"{lab.NETWORKS_DIR}/script.conf"
    try:
        with bus.connect("outsider") as outsider:
            for number in range(2):
                with open(path, "w", encoding="ascii") as file:
                    file.write(f"[Network]\nParent=wire0\nVLAN=none\nDescription={number}")
                assert not [finding for finding in check(outsider, "script") if finding["severity"] == "error"]
    finally:
        os.unlink(path)


def rtnetlink():
    """A socket on which the kernel reports every interface, address and namespace of this one that comes, goes or changes."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    sock.bind((0, 0))
    for group in (1, 5, 9, 28):  # linux/rtnetlink.h: RTNLGRP_LINK, _IPV4_IFADDR, _IPV6_IFADDR, _NSID
        sock.setsockopt(270, 1, group)  # SOL_NETLINK, NETLINK_ADD_MEMBERSHIP
    return sock


def test_nothing_changes():
    """No interface, no address, no lease: the kernel has no news, and everything is as before."""
    states = ("ip -d -N link", "ip -N addr", "ip netns list-id", "nft list ruleset")
    with lab.network("tagged", VLAN="77", HostInterface="own77"), bus.connect("outsider") as outsider:
        check(outsider, "lab")  # both daemons run, and have looked around
        before = [subprocess.run(words.split(), capture_output=True, check=True).stdout for words in states]
        with rtnetlink() as news:
            for name in ("lab", "tagged") * 3:
                check(outsider, name)
            with contextlib.suppress(BlockingIOError):
                raise AssertionError(news.recv(65536))
        assert [subprocess.run(words.split(), capture_output=True, check=True).stdout for words in states] == before
        assert not lab.lease_ids() and not outsider.leases()
        # It would be heard.
        with rtnetlink() as news, bus.connect("member") as member:
            member.open_tap("lab").close_fds()
            assert news.recv(65536)
            lab.wait_no_leases()


def shown(name):
    """What rawnetctl check makes of it: (exit status, JSON of the network, what people see)."""
    people, programs = (lab.run_as("member", ["rawnetctl", "check", *words, name]) for words in ((), ("--json",)))
    assert people.returncode == programs.returncode, (people, programs)
    report = json.loads(programs.stdout)
    return people.returncode, report["networks"][0], people.stdout


def test_rawnetctl_shows_it():
    with parent(), lab.network("far", Parent="parent0"), lab.network("own", MaxLeases="1"), lab.network("nowhere", Parent="nowhere0"), \
            bus.connect("member") as member:  # fmt: skip
        status, network, text = shown("far")
        assert (status, network["state"]) == (0, "ok") and network["can-open"] == dict.fromkeys(KINDS, "yes"), network
        sh("ip link set peer0 down")
        status, network, text = shown("far")
        assert (status, network["state"]) == (1, "warning") and " serves, see below" in text and "no carrier" in network["problems"][0], text
        status, network, text = shown("nowhere")
        assert (status, network["state"]) == (1, "error") and "cannot serve" in text, text
        assert network["can-open"] == dict.fromkeys(KINDS, "no") and network["findings"] == plain_json(check(member, "nowhere")), network
        with member.open_tap("own"):
            status, network, text = shown("own")
            assert (status, network["state"], network["problems"]) == (0, "busy", []) and " in use" in text and "note: network own has 1 of at most 1 lease;" in text
        lab.wait_no_leases()
        with unfit.kernel_without("egress"):
            status, network, text = shown("lab")
            assert (status, network["state"], network["can-open"]) == (1, "partial", {"tap": "yes", "packet": "no", "veth": "yes"}), network
            assert "serves in part" in text and "no nf_tables egress hook" in text, text


def plain_json(found):
    """What is absent is empty there."""
    return [{"error": "", "detail": "", "vlan": 0, **finding, "kinds": finding["kinds"]} for finding in found]


@contextlib.contextmanager
def started_without_namespaces():
    """A helper that could make none when it started, and now can."""
    with open(unfit.NO_NAMESPACES, "w", encoding="ascii"):
        pass
    try:
        with unfit.kernel_without("namespace"), bus.connect("member") as member:
            bus.expect_error("NotSupported", member.open_tap, "lab")
            assert "user-namespace" not in member.features() and member.can_open("lab", "tap") == "no"
            member.subscribe()
            os.unlink(unfit.NO_NAMESPACES)
            yield member
            _, body = member.wait_signal("PropertiesChanged", path=bus.ROOT)
            assert "Features" in (*body[1], *body[2]) and {"user-namespace", "nft-egress"} <= set(member.features()), body
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfit.NO_NAMESPACES)


def test_namespaces_are_allowed_again():
    """The next port, or the next rehearsal, has the helper probe the kernel again; reading a property has not."""
    for act in (lambda member: member.open_tap("lab").close_fds(), lambda member: check(member, "lab"),
                lambda member: member.can_open("lab", "packet")):  # fmt: skip
        with started_without_namespaces() as member:
            for _ in range(3):
                assert "user-namespace" not in member.features()
            act(member)
        lab.wait_no_leases()


@tap.limit(120)
def test_without_the_helper():
    """A mistake in the file is found all the same."""
    with lab.network("wrong", "[Network]\nParent=wire0\nVLAN=x\n"), bus.connect("outsider") as outsider:
        check(outsider, "lab")
        lab.stop("rawnet-helper")
        try:
            text = bus.expect_error("HelperUnavailable", check, outsider, "lab")
            assert "lab" in text and "systemctl status rawnet-helper" in text, text
            assert "wrong.conf:3: " in check(outsider, "wrong")[0]["text"]
        finally:
            lab.start("rawnet-helper")
        check(outsider, "lab")


def test_the_helper_goes_meanwhile():
    """Once is no reason to fail: the next one is asked."""
    with bus.connect("outsider") as outsider:
        check(outsider, "lab")
        helper = lab.helper_pid()
        with lab.stopped(helper):
            serial = outsider.send(bus.ROOT, bus.MANAGER, "Check", "s", ("lab",))
            assert outsider.networks()  # rawnetd has sent the request by now
            os.kill(helper, signal.SIGKILL)
        outsider.reply(serial, 60)


def test_added_to_the_group_after_the_login():
    """polkit of Debian 13 goes by the groups of the caller's process. A rule plays it here."""
    rule = "polkit.addRule(function (a, s) { if (s.user == 'member') return polkit.Result.AUTH_ADMIN; });"
    words = "user member has been added to group rawnet since this login: log in again"
    stale = ["setpriv", f"--reuid={lab.uid_of('member')}", f"--regid={lab.uid_of('member')}", "--clear-groups", "rawnetctl", "check", "lab"]
    with lab.polkit_rule(rule):
        fresh = lab.run_as("member", ["rawnetctl", "check", "lab"])
        done = subprocess.run(stale, capture_output=True, text=True, check=False, timeout=tap.patience(30))
    assert "password" in fresh.stdout and words not in fresh.stdout, fresh
    assert words in done.stdout, done
    done = subprocess.run(stale, capture_output=True, text=True, check=False, timeout=tap.patience(30))
    assert words not in done.stdout, ("nothing to say where no password is wanted", done)


if __name__ == "__main__":
    tap.main()
