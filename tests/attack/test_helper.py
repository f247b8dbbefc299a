# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnet-helper against everybody but rawnetd, and against a rawnetd that was taken over (promise 4): it opens what the network files
say and nothing else, and survives whatever it is sent."""

import contextlib
import errno
import os
import random
import signal
import socket

import attacker
import bus
import changes
import frames
import ipc
import lab
import processes
import tap
from attacker import as_user, attempt
from container import Container


def alive():
    """The helper answers an honest request, in the same process as before where pid is given."""
    with ipc.Helper() as helper:
        reply = helper.call(ipc.open_request())
        assert reply.type == ipc.OPENED and len(reply.fds) == 1, reply
        reply.close_fds()
    lab.wait_no_leases()


def alive_beside(number):
    """An honest lease beside another namespace's number."""
    with bus.connect("member") as member, member.open_tap("lab") as lease:
        assert {number, lease.id} <= set(lab.lease_ids())
    lab.wait_for(lambda: lab.lease_ids() == [number], 10, "the lease's end")


@contextlib.contextmanager
def same_process():
    alive()
    pid = lab.helper_pid()
    yield
    lab.wait_no_leases()
    alive()
    assert lab.helper_pid() == pid, "the helper did not survive"


# -- who may speak


def connect_and_ask():
    """errno of connect(), or what a request is answered with."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        number = attempt(sock.connect, lab.HELPER_SOCKET)
        if number:
            return number
        sock.settimeout(10)
        try:
            sock.send(ipc.open_request())
            data, fds, _, _ = socket.recv_fds(sock, 4096, 32)
        except OSError as error:
            return error.errno
        for fd in fds:
            os.close(fd)
        return len(data)


def test_only_rawnetd_may_speak():
    """The socket's mode keeps users out, and the check of the peer everybody else: root, and whoever finds the socket's mode changed."""
    with same_process():
        for user in ("nobody", "member", "outsider", "_rawnet-helper", "root"):
            assert as_user(user, connect_and_ask) == errno.EACCES, user
        os.chmod(lab.HELPER_SOCKET, 0o666)
        try:
            for user in ("nobody", "member", "outsider", "_rawnet-helper", "root"):
                answer = as_user(user, connect_and_ask)
                assert answer in (0, errno.EPIPE, errno.ECONNRESET), f"{user}: {answer}"
        finally:
            os.chmod(lab.HELPER_SOCKET, 0o600)
        # root with all its capabilities is not rawnetd either.
        assert connect_and_ask() in (0, errno.EPIPE, errno.ECONNRESET)
        assert not lab.lease_ids()
        assert "only _rawnet may speak here" in lab.log_of("rawnet-helper")


def test_connections_without_right_use_nothing_up():
    """A hundred refused connections, held open, leave rawnetd's own served."""
    with same_process(), contextlib.ExitStack() as stack:
        for _ in range(100):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            sock.connect(lab.HELPER_SOCKET)
        with bus.connect("member") as member, member.open_tap("lab"):
            pass


# -- malformed


def malformed():
    good = ipc.open_request()
    nothing = bytes(ipc.OPEN_PART.size)
    yield "one byte", good[:1]
    yield "cut", good[:-1]
    yield "too long", good + b"\0"
    yield "huge", good + bytes(60000)
    yield "version 0", ipc.open_request(version=0)
    yield "older version", ipc.open_request(version=ipc.VERSION - 1)
    yield "serial 0", ipc.open_request(serial=0)
    for operation in (0, 5, 255, 0x7FFFFFFF, 0xFFFFFFFF):
        yield f"operation {operation}", ipc.request(operation)
    yield "open with a lease", ipc.open_request(lease=0x10000)
    yield "check of no kind", ipc.check_request(kinds=0)
    yield "check of a kind that is none", ipc.check_request(kinds=8)
    yield "check of a path", ipc.check_request(network=b"../lab")
    yield "check with a reserved byte", ipc.check_request(reserved=1)
    yield "list with a body", ipc.request(ipc.LIST, body=b"x" + nothing[1:])
    yield "close with a body", ipc.request(ipc.CLOSE, lease=0x12345, body=nothing[:-1] + b"x")
    for lease in (0, 1, 0xFFFF, 0x80000000, 0xFFFFFFFF):
        yield f"close of {lease:x}", ipc.request(ipc.CLOSE, lease=lease)
        yield f"statistics of {lease:x}", ipc.request(ipc.STATISTICS_OF, lease=lease)
    yield "network without end", ipc.open_request(network=b"l" * 38)
    yield "network with more behind its end", ipc.open_request(network=b"lab\0x")
    yield "no network", ipc.open_request(network=b"")
    for name in (b"../lab", b"lab/..", b"lab/../lab", b"lab.0", b"lab.4095", b"lab.01", b"la\xffb", b"la\nb", b"lab.conf", b".", b"l" * 33):
        yield f"network {name}", ipc.open_request(network=name)
    yield "lease name without end", ipc.open_request(name=b"n" * 65)
    yield "lease name with an escape", ipc.open_request(name=b"\x1b[31m")
    yield "lease name with a line", ipc.open_request(name=b"a\nb")
    yield "uid of nobody at all", ipc.open_request(uid=0xFFFFFFFF)
    yield "veth without a namespace", ipc.attach_request()
    yield "a tap's interface name", ipc.open_request(interface=b"eth0")
    for kind in (3, 255, 0xFFFFFFFF):
        yield f"kind {kind}", ipc.open_request(kind=kind)
    for queues in (0, 17, 255, 0xFFFFFFFF):
        yield f"queues {queues}", ipc.open_request(queues=queues)
    yield "17 descriptors", ipc.open_request(queues=9, vhost=1)
    for mode in (0, 4, 0xFFFFFFFF):
        yield f"mac mode {mode}", ipc.open_request(mac_mode=mode)
    yield "given, but zero", ipc.open_request(mac_mode=ipc.GIVEN)
    yield "random, but given", ipc.open_request(mac=b"RT\0\0\0\1")
    yield "learn on packet", ipc.open_request(mac_mode=ipc.LEARN, kind=ipc.PACKET)
    yield "vhost 2", ipc.open_request(vhost=2)
    yield "vhost on packet", ipc.open_request(vhost=1, kind=ipc.PACKET)
    yield "vnet-hdr 2", ipc.open_request(vnet_hdr=2)
    for parent in (b"", b"p" * 16, b"wire0\0x", b"../wire0", b"a b", b"wire\xff"):
        yield f"parent {parent}", ipc.open_request(parent=parent)
    yield "VLAN 4095", ipc.open_request(vlan=4095)
    yield "VLAN 65535", ipc.open_request(vlan=65535)
    yield "VLAN other than the name's", ipc.open_request(network=b"lab.100", vlan=101)
    yield "mode 4", ipc.open_request(mode=4)
    yield "exclusive without a VLAN", ipc.open_request(mode=ipc.EXCLUSIVE)
    yield "up", ipc.open_request(up=1)
    yield "guest servers 4", ipc.open_request(guest_servers=4)
    yield "an address of another family", ipc.open_request(addresses=b"\5\x20\x0a\0\0\x09")
    yield "an address of 33 bits", ipc.open_request(addresses=b"\4\x21\x0a\0\0\x09")
    yield "bits behind the prefix", ipc.open_request(addresses=b"\4\x18\x0a\0\0\x09")
    yield "a rate of 1", ipc.open_request(rate=1)
    yield "a rate beyond the largest", ipc.open_request(rate=10**11 + 1)
    yield "a reserved byte", ipc.open_request(reserved=b"\0\0\0\1")
    yield "a reserved word", ipc.open_request(spare=1)
    yield "any address", ipc.open_request(addresses=b"\4\0")
    yield "an address behind none", ipc.open_request(addresses=bytes(18) + b"\4\x20\x0a\0\0\x09")
    for protocol in (0, 0x800, 0x9100, 0xFFFF):
        yield f"protocol {protocol:x}", ipc.open_request(network=b"lab.100", vlan=100, protocol=protocol)
    yield "a protocol without a tag", ipc.open_request(protocol=ipc.AD)


def test_malformed_messages():
    """Each ends its connection, without an answer, a lease or a descriptor; the next connection is served."""
    with same_process():
        for what, data in malformed():
            with ipc.Helper() as helper:
                reply = helper.call(data)
                close_all(reply)
                assert reply is None, f"{what}: answered with {reply}"
        assert not lab.lease_ids()


def test_descriptors_are_not_taken():
    """No request carries descriptors: they are closed, all of them, and so is the connection."""
    with same_process():
        made_ahead()  # it has descriptors, too
        pid = lab.helper_pid()
        before = lab.fd_count(pid)
        for count in (1, 16, 17, 100):
            with ipc.Helper() as helper, open("/dev/null", "rb") as null:
                reply = helper.call(ipc.open_request(), [null.fileno()] * count)
                close_all(reply)
                assert reply is None, f"with {count} descriptors: answered with {reply}"
        lab.wait_for(lambda: lab.fd_count(pid) <= before, 5, "the descriptors' end")


def attach_malformed():
    for name in (b"", b"a/b", b".", b"..", b"-x", b"eth%d", b"all", b"default", b"a b", b"e" * 16, b"eth0\0x", b"\xc3\xa9", b"a:b"):
        yield f"interface {name}", ipc.attach_request(name)
    yield "two queues", ipc.attach_request(queues=2)
    yield "vnet-hdr", ipc.attach_request(vnet_hdr=1)
    yield "vhost", ipc.attach_request(vhost=1)
    yield "up is no boolean", ipc.attach_request(up=2)
    yield "learn", ipc.attach_request(mac_mode=ipc.LEARN)
    yield "a list with a namespace", ipc.request(ipc.LIST)
    yield "a tap with a namespace", ipc.open_request()
    yield "a check with a namespace", ipc.check_request()


def test_malformed_attach():
    with same_process(), Container() as box:
        made_ahead()
        pid = lab.helper_pid()
        before = lab.fd_count(pid)
        for what, data in attach_malformed():
            with ipc.Helper() as helper:
                reply = helper.call(data, [box.namespace])
                close_all(reply)
                assert reply is None, f"{what}: answered with {reply}"
        for count in (2, 16, 17):
            with ipc.Helper() as helper:
                assert helper.call(ipc.attach_request(), [box.namespace] * count) is None, f"{count} descriptors were taken"
        assert list(box.links()) == ["lo"] and not lab.lease_ids()
        lab.wait_for(lambda: lab.fd_count(pid) <= before, 5, "the descriptors' end")


def attach_refused(error, fd, **forged):
    with ipc.Helper() as helper:
        reply = helper.call(ipc.attach_request(**forged), [fd])
    assert (reply.type, reply.error, reply.fds) == (ipc.REFUSED, error, []), reply
    assert not lab.lease_ids(), reply
    return reply.text


def test_helper_itself_asks_whose_namespace_it_is():
    """A rawnetd that was taken over says what it likes of the caller; a namespace of the host's it gets for nobody."""
    member, member2 = lab.uid_of("member"), lab.uid_of("member2")
    with same_process(), Container() as box, Container("member2") as other, contextlib.ExitStack() as stack:
        links = set(lab.links())
        host = os.open("/proc/self/ns/net", os.O_RDONLY)
        stack.callback(os.close, host)
        neighbour = os.open(f"/run/netns/{lab.FAR}", os.O_RDONLY)
        stack.callback(os.close, neighbour)
        user = os.open(f"/proc/{box.pid}/ns/user", os.O_RDONLY)
        stack.callback(os.close, user)
        null = os.open("/dev/null", os.O_RDONLY)
        stack.callback(os.close, null)
        for uid in (member, 0, lab.uid_of("_rawnet"), lab.uid_of("_rawnet-helper")):
            for namespace in (host, neighbour):
                assert "the host's own user namespace" in attach_refused("AccessDenied", namespace, uid=uid), uid
        for namespace in (user, null):
            assert "not that of a network namespace" in attach_refused("InvalidArgs", namespace, uid=member)
        assert f"belongs to user {member2}" in attach_refused("AccessDenied", other.namespace, uid=member)
        assert f"belongs to user {member}" in attach_refused("AccessDenied", box.namespace, uid=0)
        # Nor does it take another lease's namespace: that is the helper's own.
        with bus.connect("member") as connection, connection.open_packet("lab") as lease:
            inside = lab.open_namespace(lease.fd)
            stack.callback(os.close, inside)
            with ipc.Helper() as helper:
                reply = helper.call(ipc.attach_request(uid=member), [inside])
            assert (reply.type, reply.error) == (ipc.REFUSED, "AccessDenied"), reply
        assert list(box.links()) == list(other.links()) == ["lo"] and set(lab.links()) == links


def test_attach_that_nobody_waits_for():
    """rawnetd leaves before the answer: the interface does not stay."""
    with same_process(), Container() as box:
        made_ahead()
        pid = lab.helper_pid()
        before = lab.fd_count(pid)
        for _ in range(10):
            with ipc.Helper() as helper:
                helper.send(ipc.attach_request(uid=lab.uid_of("member")), [box.namespace])
            lab.wait_for(lambda: lab.fd_count(pid) <= before, 10, "the connection's end")
            lab.wait_no_leases()
        lab.wait_for(lambda: list(box.links()) == ["lo"], 10, "the end of the interfaces")


def test_random_messages():
    """Good messages with some bytes changed: an honest lease, a refusal, or the connection's end."""
    dice = random.Random(20091)
    with same_process():
        counts = {}
        for _ in range(300):
            data = bytearray(ipc.open_request(kind=dice.randrange(2), serial=dice.randrange(1, 1 << 40)))
            for _ in range(dice.randrange(1, 4)):
                data[dice.randrange(len(data))] = dice.choice((0, 1, 2, 0x7F, 0x80, 0xFF, dice.randrange(256)))
            with ipc.Helper() as helper:
                reply = helper.call(bytes(data))
                counts[reply and reply.type] = counts.get(reply and reply.type, 0) + 1
                assert reply is None or reply.type in (ipc.OPENED, ipc.REFUSED, ipc.LEASE, ipc.DONE), reply
                if reply:
                    reply.close_fds()
        tap.diag(f"answers by type: {counts}")


def close_all(reply):
    """Lets go of what should not have come; how many descriptors there were."""
    count = len(reply.fds) if reply else 0
    if reply:
        reply.close_fds()
    return count


# -- well-formed, and not what the files say


def refused(names, **forged):
    """The request is refused with one of the errors, and makes nothing."""
    links = set(lab.links())
    with ipc.Helper() as helper:
        reply = helper.call(ipc.open_request(**forged))
    opened = close_all(reply)
    assert not opened and reply and reply.type == ipc.REFUSED, f"{forged}: {reply}"
    assert reply.error in names, f"{forged}: {reply}"
    assert not lab.lease_ids() and set(lab.links()) == links, f"{forged}: something was made"


def test_only_what_the_file_said():
    """The file that polkit was asked about is another one by now, whichever key it is."""
    for before, after in changes.CHANGES:
        with lab.network("moving", **before):
            digest = ipc.digest_of(b"moving")
        vlan = int(after.get("VLAN", 0))
        protocol = ipc.AD if "Protocol" in after else ipc.Q
        mode = ("bridge", "private", "vepa", "exclusive").index(after.get("Mode", "bridge"))
        parent = after.get("Parent", "wire0").encode()
        with lab.network("moving", **after):  # the digest alone is the old file's
            refused(("AccessDenied",), network=b"moving", parent=parent, vlan=vlan, protocol=protocol, mode=mode, file_digest=digest)
    with lab.network("moving"), ipc.Helper() as helper:
        reply = helper.call(ipc.open_request(network=b"moving"))
        assert close_all(reply) and reply.type == ipc.OPENED, reply


def test_only_what_the_file_says():
    """Every difference between request and network file is refused: network, parent, VLAN, mode, guest servers, kind, MAC, rate."""
    with same_process(), lab.network("taps", Kinds="tap"), lab.network("packets", Kinds="packet"), \
            lab.network("narrow", MACPrefix="52:54:77"), lab.network("absent", Parent="absent0"), lab.network("slow", Rate="10M"):  # fmt: skip
        denied = ("AccessDenied",)
        refused(("NoSuchNetwork",), network=b"nowhere")
        refused(("NoSuchNetwork",), network=b"lab.100", vlan=100)
        refused(denied, parent=b"lo")
        refused(denied, parent=b"eth0")
        refused(denied, vlan=100)
        refused(denied, vlan=4094)
        refused(denied, mode=ipc.PRIVATE)
        refused(denied, mode=ipc.VEPA)
        refused(denied, mode=ipc.EXCLUSIVE, vlan=1)
        refused(denied, network=b"lab-private")
        refused(denied, guest_servers=1)
        refused(denied, guest_servers=2)
        refused(denied, vlan=100, protocol=ipc.AD)
        refused(denied, file_digest=bytes(32))
        refused(("KindNotOffered",), network=b"taps", kind=ipc.PACKET)
        refused(("KindNotOffered",), network=b"packets")
        for kind in (ipc.TAP, ipc.PACKET):
            refused(("InvalidArgs",), network=b"slow", kind=kind, rate=10_000_001)
            refused(("InvalidArgs",), network=b"slow", kind=kind, rate=10**11)
        for mac in ("02:00:00:00:00:01", "52:54:01:00:00:01", "53:54:00:00:00:01", "ff:ff:ff:ff:ff:ff", "00:54:00:00:00:01"):
            refused(("InvalidArgs",), mac_mode=ipc.GIVEN, mac=frames.mac_bytes(mac))
            refused(("InvalidArgs",), mac_mode=ipc.GIVEN, mac=frames.mac_bytes(mac), kind=ipc.PACKET)
        refused(("InvalidArgs",), network=b"narrow", mac_mode=ipc.GIVEN, mac=frames.mac_bytes("52:54:00:00:00:01"))
        for mode in (ipc.DERIVED, ipc.RESERVED):
            refused(("InvalidArgs",), mac_mode=mode, mac=frames.mac_bytes("bc:24:11:00:00:01"))
        refused(denied, mac_mode=ipc.GIVEN, mac=frames.mac_bytes("52:54:00:f0:00:01"))
        refused(("ParentMissing",), network=b"absent", parent=b"absent0")
        with lab.network("open", text="[Network]\nParent=wire0\nVLAN=none\n", mode=0o666):
            refused(("BadNetworkFile",), network=b"open")
        with lab.network("theirs", uid=lab.uid_of("_rawnet")):
            refused(("BadNetworkFile",), network=b"theirs")
        with lab.network("wrong", text="[Network]\nParent=wire0\nVLAN=none\nEvil=yes\n"):
            refused(("BadNetworkFile",), network=b"wrong")


def test_most_leases_of_a_file():
    """MaxLeases= is the helper's to keep as well."""
    with same_process(), lab.network("one", MaxLeases="1"), ipc.Helper() as helper:
        first = helper.call(ipc.open_request(network=b"one"))
        assert first.type == ipc.OPENED, first
        second = helper.call(ipc.open_request(network=b"one", serial=2))
        second.close_fds()
        first.close_fds()
        assert second.type == ipc.REFUSED and second.error == "QuotaExceeded", second


@contextlib.contextmanager
def other_namespace(number):
    """Somebody else's namespace, which the host has given a number in the leases' range."""

    def ip(*words):
        lab.subprocess.run(["ip", *words], check=True)

    ip("netns", "add", "other")
    try:
        ip("-n", "other", "link", "add", f"rn{number:x}", "type", "veth", "peer", "name", "uplink")
        ip("netns", "set", "other", str(number))
        yield "other"
    finally:
        ip("netns", "del", "other")


def test_nobody_elses_namespaces():
    """Close and statistics reach leases only, not other namespaces that the host has given a number."""
    number = 0x4711BEEF
    with same_process(), other_namespace(number) as other:
        links = set(lab.links(where=other))
        with ipc.Helper() as helper:
            for operation in (ipc.CLOSE, ipc.STATISTICS_OF):
                for lease in (number, 0x7FFFFFFE):
                    reply = helper.call(ipc.request(operation, lease=lease))
                    assert reply.type == ipc.REFUSED and reply.error == "NoSuchLease", reply
            helper.send(ipc.request(ipc.LIST))
            listed = []
            while (reply := helper.reply()).type != ipc.DONE:
                listed.append(reply.lease)
            assert number not in listed, listed
        assert set(lab.links(where=other)) == links, lab.links(where=other)
        alive_beside(number)


def test_guarded_whatever_rawnetd_says():
    """A lease that a compromised rawnetd opens for somebody is guarded as every other."""
    with ipc.Helper() as helper, frames.WirePort() as far:
        mac = "52:54:00:0b:ad:01"
        reply = helper.call(ipc.open_request(uid=0, mac_mode=ipc.GIVEN, mac=frames.mac_bytes(mac)))
        assert reply.type == ipc.OPENED, reply
        port = frames.Port(reply.fds[0], vnet_hdr=True)
        as_user("nobody", port.send, frames.marker(attacker.VICTIM, "EVIL"))
        end = frames.marker(mac, "MARK helper")
        port.send(end)
        assert not [frame for frame in far.before(end[14:40]) if b"EVIL" in frame]
        reply.close_fds()


# -- a flood


@tap.limit(90)
def test_flood_of_opens():
    """500 opens in the name of member2, written at once by one connection that reads none of the answers: member is served meanwhile,
    and nothing is left."""
    with same_process():
        with ipc.Helper() as greedy:
            greedy.socket.setblocking(False)
            sent = 0
            for number in range(500):
                try:
                    greedy.send(ipc.open_request(uid=6002, serial=number + 1))
                    sent += 1
                except BlockingIOError:
                    break
            with bus.connect("member") as member, member.open_tap("lab", name="meanwhile"):
                pass
        tap.diag(f"{sent} requests went in before the socket was full")
        assert sent > 16, sent
        lab.wait_no_leases(60)


# -- what is made ahead


def namespace_of(fd):
    with lab.in_namespace(fd):
        return os.readlink("/proc/thread-self/ns/net")


def made_ahead(other_than=()):
    """Worker and child that wait for the next open, the child in a namespace of its own, once they are there."""
    own = os.readlink("/proc/self/ns/net")
    with ipc.Helper() as helper:  # nothing is made ahead before it is there
        assert helper.call(ipc.request(ipc.LIST)) is not None

    def there():
        with contextlib.suppress(FileNotFoundError):  # a worker that ends just now
            pids = processes.descendants(lab.helper_pid())
            return len(pids) == 2 and not set(pids) & set(other_than) and space_of(pids[1]) != own
        return False

    lab.wait_for(there, 10, "worker and child")
    return processes.descendants(lab.helper_pid())


def space_of(pid):
    return os.readlink(f"/proc/{pid}/ns/net")


def test_what_is_made_ahead_is_one_empty_namespace():
    """However many opens are asked for and refused: one worker, one child, no nsid, no interface; and it stays the same while nobody opens."""
    with same_process():
        links = lab.links()
        with ipc.Helper() as helper:
            for serial in range(1, 101):
                assert helper.call(ipc.open_request(network=b"nowhere", serial=serial)).error == "NoSuchNetwork"
            pids = made_ahead()
            assert not lab.lease_ids(), lab.lease_ids()
            assert lab.links() == links, (lab.links(), links)
            assert helper.call(ipc.request(ipc.LIST, serial=101)).type == ipc.DONE
            assert made_ahead() == pids
            with open(f"/proc/{pids[1]}/ns/net", "rb") as space:
                assert set(lab.links(where=space.fileno())) == {"lo"}, lab.links(where=space.fileno())


def test_what_is_made_ahead_is_used_once():
    """Two opens, one after the other: each has what was made ahead for it, two leases, two namespaces."""
    with same_process(), ipc.Helper() as helper:
        replies, spaces = [], []
        pids = ()
        for serial in (300, 301):
            pids = made_ahead(pids)
            space = space_of(pids[1])
            replies.append(helper.call(ipc.open_request(serial=serial)))
            assert replies[-1].type == ipc.OPENED, replies[-1]
            spaces.append(namespace_of(replies[-1].fds[0]))
            assert spaces[-1] == space, (space, spaces)
        assert len(set(spaces)) == len(set(lab.lease_ids())) == 2, spaces
        made_ahead(pids)
        replies[0].close_fds()
        lab.wait_for(lambda: lab.lease_ids() == [replies[1].lease], 10, "the end of the first lease")
        replies[1].close_fds()


def test_opens_at_once_share_nothing():
    """Eight opens written at once: one takes what was made ahead, the others make their own."""
    with same_process(), ipc.Helper() as helper:
        made_ahead()
        for serial in range(300, 308):
            helper.send(ipc.open_request(serial=serial))
        replies = [reply for reply in (helper.reply() for _ in range(8))]
        assert {reply.type for reply in replies} == {ipc.OPENED}, replies
        assert len({namespace_of(reply.fds[0]) for reply in replies}) == len(lab.lease_ids()) == 8
        for reply in replies:
            reply.close_fds()


@tap.limit(120)
def test_an_open_is_answered_before_it_is_news():
    """Who opens a lease hears of it by the answer first (else rawnetd counts it twice for a moment, near a quota one too many); who else
    listens hears of it once."""
    with ipc.Helper() as helper, ipc.Helper() as other:
        for listener in (helper, other):
            assert listener.call(ipc.request(ipc.LIST, serial=7)).type == ipc.DONE
        for _ in range(15):
            for serial in range(300, 310):
                helper.send(ipc.open_request(serial=serial))
            opened, news = {}, []
            while len(opened) < 10 or len(news) < 10:
                reply = helper.reply()
                assert reply.type in (ipc.OPENED, ipc.LEASE), reply
                if reply.type == ipc.OPENED:
                    opened[reply.lease] = reply
                else:
                    assert reply.lease in opened, f"news of lease {reply.lease} before its answer"
                    news.append(reply.lease)
            assert sorted(news) == sorted(opened), (news, opened)
            assert sorted(other.reply().lease for _ in range(10)) == sorted(opened)
            for reply in opened.values():
                reply.close_fds()
            for listener in (helper, other):
                ends = [listener.reply() for _ in range(10)]
                assert {reply.type for reply in ends} == {ipc.ENDED}, ends


def test_what_is_made_ahead_judges_as_the_rest():
    """A worker made ahead reads the network file when it gets its request, and counts the leases of that moment."""
    with ipc.Helper() as helper, lab.network("ahead", MaxLeases="1"):
        first = helper.call(ipc.open_request(network=b"ahead", serial=300))
        assert first.type == ipc.OPENED, first
        made_ahead()
        refused = helper.call(ipc.open_request(network=b"ahead", serial=301))
        assert refused.error == "QuotaExceeded", refused
        first.close_fds()
        lab.wait_no_leases()
    with ipc.Helper() as helper:
        made_ahead()
        with lab.network("ahead", Kinds="packet"):
            refused = helper.call(ipc.open_request(network=b"ahead", serial=302))
        assert refused.error == "KindNotOffered", refused


def test_what_is_made_ahead_dies():
    """Worker or child killed while they wait: the next open makes its own. The helper killed: both go."""
    with same_process(), ipc.Helper() as helper:
        for serial, victim in ((300, 0), (301, 1)):
            pids = made_ahead()
            os.kill(pids[victim], signal.SIGKILL)
            lab.wait_for(lambda pid=pids[victim]: is_dead(pid), 10, "the victim's end")
            reply = helper.call(ipc.open_request(serial=serial))
            assert reply.type == ipc.OPENED, reply
            made_ahead(pids)
            reply.close_fds()
            lab.wait_no_leases()
    pids = made_ahead()
    os.kill(lab.helper_pid(), signal.SIGKILL)
    for pid in pids:
        lab.wait_for_exit(pid)
    alive()


def is_dead(pid):
    """Gone, or waiting for its parent to ask."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@tap.limit(120)
def test_flood_of_checks():
    """Whatever rawnetd asks for: most workers are left for opens, which are served meanwhile."""
    with ipc.Helper() as helper, ipc.Helper() as other:
        for serial in range(1, 201):
            helper.send(ipc.check_request(serial=serial))
        for _ in range(5):
            opened = other.call(ipc.open_request())
            assert opened.type == ipc.OPENED, opened
            opened.close_fds()
        ends = []
        while len(ends) < 200:
            reply = helper.reply()
            if reply.type in (ipc.DONE, ipc.REFUSED):
                ends.append(reply)
        refused = [reply for reply in ends if reply.type == ipc.REFUSED]
        tap.diag(f"{len(refused)} of 200 refused")
        assert refused and all("too many networks at once" in reply.text for reply in refused), refused[:2]
        assert helper.call(ipc.check_request(serial=300)).type in (ipc.DONE, ipc.FINDING)


def test_full_of_connections():
    """More connections as _rawnet than there is room for: refused, and room again when they end."""
    with same_process():
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(ipc.Helper())
            # The helper answers those it has room for, others see their connection closed.
            with ipc.Helper() as helper:
                assert helper.call(ipc.request(ipc.LIST)) is None
        lab.wait_for(lambda: served(), 10, "room for a connection")


def served():
    with ipc.Helper() as helper:
        reply = helper.call(ipc.request(ipc.LIST))
        return reply is not None


if __name__ == "__main__":
    tap.main()
