# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile D-Bus clients (promises 3, 4 and 6): another's lease, crafted names and options, raw bytes, floods of requests and of open
polkit questions. Each time an honest client beside them is served."""

import contextlib
import json
import os
import socket
import struct

import jeepney

import bus
import frames
import lab
import tap
from attacker import attempt

INVALID = bus.DBUS_ERROR + "InvalidArgs"
DENIED = bus.DBUS_ERROR + "AccessDenied"
INTERACTIVE = bus.DBUS_ERROR + "InteractiveAuthorizationRequired"
LIMITS = bus.DBUS_ERROR + "LimitsExceeded"
NEVER = "polkit.addRule(function (action, subject) { if (subject.user == 'outsider') return polkit.Result.NO; });"


@contextlib.contextmanager
def unharmed():
    """rawnetd and the helper are the same processes afterwards, an honest member is served, and a lease of before still is."""
    with bus.connect("member2") as member, member.open_tap("lab", name="bystander") as bystander:
        port = frames.Port(bystander.fd, vnet_hdr=True)
        before = lab.service_pid(), lab.helper_pid()
        yield
        with member.open_tap("lab", name="honest"):
            pass
        assert (lab.service_pid(), lab.helper_pid()) == before, "a daemon did not survive"
        with frames.WirePort() as wire:
            end = frames.marker(bystander.info["mac"], "MARK bystander")
            port.send(end)
            wire.wait(end[14:40])


def refused(connection, names, network, kind="tap", **options):
    """Refused with one of the errors; nothing was made."""
    try:
        connection.open(kind, network, **options).close_fds()
    except bus.BusError as error:
        assert error.name in [name if "." in name else bus.ERROR + name for name in names], f"{network!r} {options}: {error}"
        assert len(error.text) < 1100, len(error.text)
        return error.text
    raise AssertionError(f"{network!r} {options}: it was opened")


# -- others' leases


def test_anothers_lease():
    """Close of another's lease is polkit's to say: no for outsider and for a member; the lease lives on. Its owner may."""
    with unharmed(), bus.connect("member") as owner, owner.open_tap("lab") as lease, frames.WirePort() as wire:
        port = frames.Port(lease.fd, vnet_hdr=True)
        for user in ("outsider", "member2", "nobody"):
            with bus.connect(user) as other:
                bus.expect_error(INTERACTIVE, other.close_lease, lease.path)
                # What rawnet knows of a lease is no secret (SECURITY.md), its descriptors are: nothing gives those.
                assert other.leases()[lease.path]["Owner"] == lab.uid_of("member")
        with lab.polkit_rule(NEVER), bus.connect("outsider") as other:
            bus.expect_error(DENIED, other.close_lease, lease.path)
        end = frames.marker(lease.info["mac"], "MARK alive")
        port.send(end)
        wire.wait(end[14:40])
        owner.close_lease(lease.path)
        assert attempt(port.send, end), "the port still takes frames after its owner's Close"


def test_leases_that_are_not():
    with unharmed(), bus.connect("member") as member:
        for path in ("0", "1", "65535", "2147483648", "4294967296", "18446744073709551616", "00065536", "lo", "_31", "1/2", "65536x"):
            for call in (member.close_lease, member.statistics):
                try:
                    call(f"/org/rawnet1/lease/{path}")
                except bus.BusError as error:
                    assert error.name in (bus.ERROR + "NoSuchLease", bus.DBUS_ERROR + "UnknownObject"), f"{path}: {error}"
                else:
                    raise AssertionError(f"there is a lease {path}")


def test_outsider_opens_nothing():
    """Whatever network, kind and options: without polkit's yes there is no descriptor."""
    with unharmed(), bus.connect("outsider") as outsider:
        count = len(lab.lease_ids())
        for network in ("lab", "lab-private", "lab-vepa"):
            for kind in ("tap", "packet"):
                refused(outsider, (INTERACTIVE,), network, kind)
        refused(outsider, (INTERACTIVE,), "lab", mac="learn")
        refused(outsider, (INTERACTIVE,), "lab", queues=16)
        refused(outsider, (INTERACTIVE,), "lab", mac="52:54:00:00:00:09", name="n" * 64)
        with lab.polkit_rule(NEVER):
            refused(outsider, (DENIED,), "lab")
        assert len(lab.lease_ids()) == count


def test_yes_for_one_is_not_yes_for_another():
    """A rule that allows one network, VLAN or kind opens that one only."""
    rule = ("polkit.addRule(function (action, subject) { if (subject.user == 'outsider' && action.id == 'org.rawnet1.open-tap' && "
            "action.lookup('network') == 'lab-private' && action.lookup('mode') == 'private' && action.lookup('mac') == '') "
            "return polkit.Result.YES; });")  # fmt: skip
    with unharmed(), lab.polkit_rule(rule), lab.network("private2", Mode="private"), bus.connect("outsider") as outsider:
        with outsider.open_tap("lab-private"):
            pass
        refused(outsider, (INTERACTIVE,), "private2")
        refused(outsider, (INTERACTIVE,), "lab")
        refused(outsider, (INTERACTIVE,), "lab-vepa")
        refused(outsider, (INTERACTIVE,), "lab-private", "packet")
        refused(outsider, (INTERACTIVE,), "lab-private", mac="52:54:00:00:00:09")
        refused(outsider, (INTERACTIVE,), "lab-private", mac="learn")


# -- crafted arguments


def test_crafted_names():
    with unharmed(), bus.connect("member") as member, lab.network("range", VLAN="100-199"):
        for name in ("l" * 33, "l" * 256, "l" * 65536, "../lab", "lab/..", "./lab", "/etc/rawnet/networks/lab", "lab/", "lab.conf", "lab.0",
                     "lab.4095", "lab.4294967396", "lab.-1", "lab.+1", "lab. 1", "lab.1e2", "lab.0x64", "lab.0100", "lab.100.100", ".", "..", "",
                     " lab", "lab ", "lab\n", "lab\t", "LAB\x7f", "l\u0430b", "lab\u202e", "%n%n%s", "lab;id", "$(id)", "lab*", "*"):  # fmt: skip
            refused(member, (INVALID,), name)
            refused(member, (INVALID,), name, "packet")
            bus.expect_error(INVALID, member.can_open, name, "tap")
        for name in ("lab.100", "lab.1", "LAB", "range", "range.99", "range.200", "range.1", "lab-", "l" * 32):
            refused(member, ("NoSuchNetwork",), name)
        bus.expect_error(INVALID, member.can_open, "lab", "t" * 65536)


def test_crafted_options():
    with unharmed(), bus.connect("member") as member:
        for queues in (0, 17, 255, 0x7FFFFFFF, 0xFFFFFFFF):
            refused(member, (INVALID,), "lab", queues=queues)
            refused(member, (INVALID,), "lab", "packet", queues=queues)
        refused(member, (INVALID,), "lab", queues=9, vhost=True)
        refused(member, (INVALID,), "lab", queues=16, vhost=True)
        for kind in ("tap", "packet"):
            refused(member, (INVALID,), "lab", kind, **{"x" * 65536: "y"})
            refused(member, (INVALID,), "lab", kind, **{"": "y"})
            refused(member, (INVALID,), "lab", kind, **{"uid": ("u", 0)})
            refused(member, (INVALID,), "lab", kind, **{"vlan": ("u", 100)})
            refused(member, (INVALID,), "lab", kind, name="n" * 65536)
            refused(member, (INVALID,), "lab", kind, name="\x1b[2J")
            refused(member, (INVALID,), "lab", kind, mac="52:54:00:00:00:01" + " " * 65536)
            for type_, value in (("t", 2), ("y", 2), ("i", -1), ("d", 2.0), ("v", ("u", 2)), ("au", [2]), ("(u)", (2,)), ("s", "2"), ("b", True)):
                refused(member, (INVALID,), "lab", kind, queues=(type_, value))
        refused(member, (INVALID,), "lab", vhost=("u", 1))
        # No method takes a descriptor: the bus refuses the call (dbus/org.rawnet1.conf), and it never reaches rawnetd.
        pid = lab.service_pid()
        before = lab.fd_count(pid)
        with open("/dev/null", "rb") as null:
            for _ in range(20):
                refused(member, (DENIED,), "lab", queues=("h", null))
                refused(member, (DENIED,), "lab", evil=("h", null))
        lab.wait_for(lambda: lab.fd_count(pid) <= before, 5, "the descriptors' end")


def raw_open(*options):
    """The bytes of a call OpenTap("lab", …) whose dictionary may have a key twice."""
    entries = b""
    for key, value in options:
        entries += bytes(-len(entries) % 8) + struct.pack("<I", len(key)) + key + b"\0"
        entries += b"\1s\0" + bytes(-(len(entries) + 3) % 4) + struct.pack("<I", len(value)) + value + b"\0"
    return struct.pack("<I4sI4x", 3, b"lab\0", len(entries)) + entries


def send_raw(body, serial=4711):
    """A call with that body, sent as member; (error name or "", text), or None when the bus has closed the connection."""
    address = jeepney.DBusAddress(bus.ROOT, bus.NAME, bus.MANAGER)
    with bus.connect("member") as member:
        message = jeepney.new_method_call(address, "OpenTap", "sa{sv}", ("lab", {}))
        data = bytearray(message.serialise(serial))
        old = struct.unpack_from("<I", data, 4)[0]
        del data[len(data) - old :]
        struct.pack_into("<I", data, 4, len(body))
        member.bus.sock.sendall(bytes(data) + body)
        try:
            member.opened("tap", serial).close_fds()
        except bus.BusError as error:
            return error.name, error.text
        except (ConnectionError, EOFError, OSError):
            return None
        return "", ""


def test_raw_bytes():
    """What is no string, or no UTF-8, ends the sender's connection at the bus; the same bytes made good are served."""
    good = raw_open((b"mac", b"52:54:00:00:00:0a"), (b"name", b"raw"))
    with unharmed():
        assert send_raw(good) == ("", ""), send_raw(good)
        for bad in (b"52:54\0:00:00:00:0", b"\xff\xfe:00:00:00:00:a", b"\xc0\x80:00:00:00:00:a", b"\xed\xa0\x80:0:00:00:00:a"):
            assert len(bad) <= 17
            assert send_raw(good.replace(b"52:54:00:00:00:0a", bad.ljust(17, b"0"))) is None, bad
        assert send_raw(good.replace(b"lab\0", b"l\0b\0")) is None
        assert send_raw(good[:-3]) is None
        assert send_raw(struct.pack("<I", 0xFFFFFFF0) + good[4:]) is None


def test_duplicate_options():
    with unharmed():
        for twice in (((b"name", b"a"), (b"name", b"b")), ((b"mac", b"52:54:00:00:00:0b"), (b"mac", b"learn")),
                      ((b"mac", b"learn"), (b"name", b"x"), (b"mac", b"learn"))):  # fmt: skip
            answer = send_raw(raw_open(*twice))
            assert answer and answer[0] == INVALID and "twice" in answer[1], answer


def test_wrong_signatures():
    """Other arguments, members, interfaces and objects than there are."""
    with unharmed(), bus.connect("member") as member:
        for signature, body in (("", ()), ("s", ("lab",)), ("sa{ss}", ("lab", {"name": "x"})), ("ssa{sv}", ("lab", "lab", {})), ("u", (1,)),
                                ("a{sv}s", ({}, "lab")), ("oa{sv}", ("/lab", {})), ("sa{sv}s", ("lab", {}, "x")), ("v", (("s", "lab"),))):  # fmt: skip
            bus.expect_error(INVALID, member.call, bus.ROOT, bus.MANAGER, "OpenTap", signature, body)
        for path, interface, name in ((bus.ROOT, bus.MANAGER, "OpenRaw"), (bus.ROOT, bus.LEASE, "Close"), ("/", bus.MANAGER, "OpenTap"),
                                      ("/org/rawnet1/network/lab", bus.MANAGER, "OpenTap"), (bus.ROOT, "org.rawnet1", "OpenTap")):  # fmt: skip
            try:
                member.call(path, interface, name, "sa{sv}", ("lab", {}))
            except bus.BusError as error:
                assert error.name.startswith(bus.DBUS_ERROR + "Unknown"), error
            else:
                raise AssertionError(f"{path} {interface}.{name} was answered")
        # Nothing is to be written.
        for interface, name, value in ((bus.MANAGER, "Version", ("s", "x")), (bus.MANAGER, "Features", ("as", []))):
            try:
                member.call(bus.ROOT, bus.PROPERTIES, "Set", "ssv", (interface, name, value))
            except bus.BusError as error:
                assert error.name in (bus.DBUS_ERROR + "PropertyReadOnly", DENIED), error
            else:
                raise AssertionError(f"{name} was written")


def test_only_rawnetd_owns_the_name():
    """No user can be org.rawnet1, or take replies or signals that are not for it."""
    for user in ("member", "outsider", "nobody", "_rawnet-helper"):
        with bus.connect(user) as somebody:
            bus.expect_error(DENIED, somebody.call, "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su", (bus.NAME, 7),
                             destination="org.freedesktop.DBus")  # fmt: skip
            bus.expect_error(DENIED, somebody.call, "/org/freedesktop/DBus", "org.freedesktop.DBus.Monitoring", "BecomeMonitor", "asu", ([], 0),
                             destination="org.freedesktop.DBus")  # fmt: skip


# -- floods


@contextlib.contextmanager
def agent_that_never_answers(connection):
    """Registered for this process as user outsider: polkit asks it, and waits as long as a person might think."""
    with open("/proc/self/stat", encoding="ascii") as file:
        start = int(file.read().rpartition(")")[2].split()[19])
    polkit = ("/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority")
    subject = ("unix-process", {"pid": ("u", os.getpid()), "start-time": ("t", start), "uid": ("i", lab.uid_of("outsider"))})
    connection.call(*polkit, "RegisterAuthenticationAgent", "(sa{sv})ss", (subject, "C", "/agent"), destination="org.freedesktop.PolicyKit1")
    yield


def outcome(connection, serial, seconds):
    try:
        connection.opened("tap", serial, seconds).close_fds()
    except TimeoutError:
        return "open"
    except bus.BusError as error:
        return error.name
    return ""


OPEN_QUESTIONS = """
import os, sys
sys.path.insert(0, sys.argv[1])
import test_clients
test_clients.ask_and_wait()
"""


def ask_and_wait():
    """As outsider: 100 questions that nobody answers. Prints how many were refused at once, and waits for its stdin's end."""
    with bus.connect() as agent, bus.connect() as caller, agent_that_never_answers(agent):
        serials = [caller.send_open("tap", "lab", interactive=True, name=f"q{number}") for number in range(100)]
        refusals = {}
        # The last of them is over the cap: when its answer is there, all the answers are that are going to be.
        last = outcome(caller, serials[-1], 10)
        refusals[last] = 1
        for serial in serials[:-1]:
            name = outcome(caller, serial, 0.01)
            refusals[name] = refusals.get(name, 0) + 1
        print(json.dumps(refusals), flush=True)
        os.read(0, 1)


def test_flood_of_open_questions():
    """One user's questions that nobody answers are bounded, LimitsExceeded beyond; others are served; gone with their caller."""
    with unharmed():
        process = lab.popen_as("outsider", ["/usr/bin/python3", "-c", OPEN_QUESTIONS, f"{lab.SOURCE}/tests/attack"],
                               stdin=lab.subprocess.PIPE, stdout=lab.subprocess.PIPE)  # fmt: skip
        with process:
            try:
                counts = json.loads(process.stdout.readline())
                tap.diag(f"100 questions: {counts}")
                assert set(counts) == {"open", LIMITS} and 1 <= counts["open"] <= 64, counts
                with bus.connect("member") as member, member.open_tap("lab", name="served"):
                    pass
                with bus.connect("outsider") as again:
                    assert refused(again, (LIMITS,), "lab")
            finally:
                process.stdin.close()
                process.wait(10)
        with bus.connect("outsider") as after:
            # The questions ended with the one who asked.
            lab.wait_for(lambda: outcome(after, after.send_open("tap", "lab"), 10) == INTERACTIVE, 10, "room for a question")


def answers_so_far(connections):
    """How many replies have come; the connections keep them."""
    for connection in connections:
        with contextlib.suppress(TimeoutError):
            while True:
                connection._receive(0)
    return sum(len(connection.replies) for connection in connections)


def test_flood_of_requests():
    """With a helper that stands still, one user's requests are bounded over all its connections, another's are taken in and answered."""
    rule = 'polkit.addRule(function (action) { if (action.lookup("network") == "lab-private") return polkit.Result.NO; });'
    with unharmed(), contextlib.ExitStack() as stack, bus.connect("member") as greedy, bus.connect("member2") as other, \
            lab.polkit_rule(rule), greedy.open_tap("lab") as lease:  # fmt: skip
        connections = [greedy, *(stack.enter_context(bus.connect("member")) for _ in range(3))]
        for one in connections:  # from now on rawnetd knows whose they are
            one.get_all(bus.ROOT, bus.MANAGER)
        with lab.stopped(lab.helper_pid()):
            # dbus-daemon lets a connection have 128 calls open (dbus-daemon(1), max_replies_per_connection): stay below that.
            asked = [(one, one.send(lease.path, bus.LEASE, "GetStatistics")) for one in connections for _ in range(100)]
            lab.wait_for(lambda: answers_so_far(connections) >= 400 - 64, 15, "the refusals")
            assert other.can_open("lab-private", "tap") == "no"  # polkit's; a yes would be the helper's to confirm
            assert other.get_all(lease.path, bus.LEASE)["Owner"] == lab.uid_of("member")
            assert answers_so_far(connections) == 400 - 64
        served = 0
        for connection, serial in asked:
            try:
                served += "rx_packets" in connection.reply(serial)[0]
            except bus.BusError as error:
                assert error.name == LIMITS and "you have 64 requests in progress" in error.text, error
        assert served == 64, served


def test_flood_of_leases():
    """MaxLeasesPerUser= holds for opens that are under way as well: 300 at once give as many leases as allowed."""
    with unharmed(), lab.network("few", MaxLeasesPerUser="5", MaxLeases="7"), bus.connect("member") as member, \
            bus.connect("member2") as other, contextlib.ExitStack() as stack:  # fmt: skip
        serials = [member.send_open("tap", "few") for _ in range(300)]
        names = {}
        for serial in serials:
            try:
                stack.enter_context(member.opened("tap", serial))
                names[""] = names.get("", 0) + 1
            except bus.BusError as error:
                names[error.name] = names.get(error.name, 0) + 1
        assert names[""] == 5 and set(names) <= {"", bus.ERROR + "QuotaExceeded", LIMITS}, names
        for _ in range(2):
            stack.enter_context(other.open_tap("few"))
        bus.expect_error("QuotaExceeded", other.open_tap, "few")
        bus.expect_error("QuotaExceeded", member.open_tap, "few")


def test_callers_that_vanish():
    """Opens whose callers leave before the answer: no lease stays."""
    with unharmed():
        for _ in range(40):
            with bus.connect("member") as member:
                for _ in range(3):
                    member.send_open("tap", "lab")
        lab.wait_for(lambda: len(lab.lease_ids()) == 1, 20, "the end of leases that nobody holds")


def test_connections_that_do_not_read():
    """A client that subscribes to everything and reads nothing harms itself only."""
    with unharmed(), bus.connect("outsider") as deaf:
        deaf.subscribe()
        deaf.bus.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        with bus.connect("member") as member:
            for _ in range(50):
                member.open_tap("lab").close_fds()
            for _ in range(200):
                deaf.send(bus.ROOT, bus.OBJECT_MANAGER, "GetManagedObjects")
            with member.open_tap("lab"):
                pass
        lab.wait_for(lambda: len(lab.lease_ids()) == 1, 20, "the leases' end")


if __name__ == "__main__":
    tap.main()
