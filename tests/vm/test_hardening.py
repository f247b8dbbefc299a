# SPDX-License-Identifier: GPL-2.0-or-later
"""The shared VLAN interface in the host: the host must neither hear nor answer anything there (SECURITY.md, promise 7).

Each probe is shown to be a real one: on an ordinary VLAN interface beside it every one of them gets in.
"""

import concurrent.futures
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import tempfile
import threading

import bus
import frames
import lab
import tap
import unfit
import vlan

HOST4, NEIGHBOUR4, HOST6, NEIGHBOUR6 = "10.99.0.1", "10.99.0.2", "fd99::1", "fd99::2"
FAR_MAC = "02:00:00:00:00:99"
PORT = 4099
PIDFD_GETFD = 438  # asm-generic/unistd.h
# linux/netlink.h, linux/netfilter/nf_tables.h
NETLINK_NETFILTER, INET, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE, REQUEST, ACK = 12, 1, 10, 1, 1, 4
ALL = {"arp", "udp4", "broadcast4", "broadcast4 to the subnet", "source 0.0.0.0", "multicast4", "udp6", "ff02::1"}


def probes(own):
    """{name: frame}: all that facts have been measured for, and a few more. own is the interface's address."""

    def udp(destination_mac, source, destination, name):
        kind = frames.IPV6 if ":" in source else frames.IPV4
        return frames.ether(destination_mac, FAR_MAC, kind, frames.udp(source, destination, PORT, PORT, f"probe {name}|".encode()))

    return {
        "arp": frames.arp(1, FAR_MAC, NEIGHBOUR4, HOST4),
        "udp4": udp(own, NEIGHBOUR4, HOST4, "udp4"),
        "broadcast4": udp(frames.BROADCAST, NEIGHBOUR4, "255.255.255.255", "broadcast4"),
        "broadcast4 to the subnet": udp(frames.BROADCAST, NEIGHBOUR4, "10.99.0.255", "broadcast4 to the subnet"),
        "source 0.0.0.0": udp(frames.BROADCAST, "0.0.0.0", "255.255.255.255", "source 0.0.0.0"),
        "multicast4": udp("01:00:5e:00:00:01", NEIGHBOUR4, "224.0.0.1", "multicast4"),
        "udp6": udp(own, NEIGHBOUR6, HOST6, "udp6"),
        "ff02::1": udp("33:33:00:00:00:01", "fe80::99", "ff02::1", "ff02::1"),
    }  # fmt: skip


@contextlib.contextmanager
def talkative_host():
    """The host has addresses on the parent and listens on all of its interfaces; yields its two sockets."""
    conf = "/proc/sys/net/ipv6/conf/wire0/disable_ipv6"
    write(conf, "0")
    vlan.run("ip", "addr", "add", f"{HOST4}/24", "brd", "+", "dev", "wire0")
    vlan.run("ip", "addr", "add", f"{HOST6}/64", "dev", "wire0", "nodad")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for sock in (four, six):
            sock.bind(("", PORT))
            sock.settimeout(10)
        # All on one processor: what was sent first arrives first (veth uses the sender's backlog queue).
        processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(processors)})
        try:
            yield four, six
        finally:
            os.sched_setaffinity(0, processors)
            vlan.run("ip", "addr", "del", f"{HOST4}/24", "dev", "wire0")
            vlan.run("ip", "addr", "del", f"{HOST6}/64", "dev", "wire0")
            write(conf, "1")


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def got_in(host, far_interface, own):
    """Sends every probe on the neighbour's interface of a VLAN; the names of those that the host heard or answered.

    The end of each kind is marked by one that is sure to get in: to the host's address on the untagged wire.
    """
    parent = lab.links()["wire0"]["address"]
    seen = set()
    with frames.WirePort("wire") as trunk, frames.WirePort(far_interface) as far:
        for frame in probes(own).values():
            far.send(frame)
        for sock, source, destination in zip(host, (NEIGHBOUR4, NEIGHBOUR6), (HOST4, HOST6)):
            kind = frames.IPV6 if ":" in source else frames.IPV4
            trunk.send(frames.ether(parent, FAR_MAC, kind, frames.udp(source, destination, PORT, PORT, b"end|")))
            while (data := sock.recv(2048)) != b"end|":
                seen.add(data.decode().removeprefix("probe ").rstrip("|"))
        trunk.send(frames.arp(1, FAR_MAC, NEIGHBOUR4, HOST4, destination=parent))
        answers = [vlan.taken_apart(frame) for frame in trunk.before(is_untagged_answer)]
    for _, _, tags, kind, payload in answers:
        if tags and kind == frames.ARP and payload[6:8] == b"\0\2":
            seen.add("arp")
    return seen


def is_untagged_answer(frame):
    _, _, tags, kind, payload = vlan.taken_apart(frame)
    return not tags and kind == frames.ARP and payload[6:8] == b"\0\2"


def test_probes_are_real():
    with talkative_host() as host, vlan.far_link("wire.150", "type", "vlan", "id", "150"), \
            vlan.host_link("plain150", "type", "vlan", "id", "150") as link:  # fmt: skip
        seen = got_in(host, "wire.150", link["address"])
    assert seen == ALL, f"these say nothing: {ALL - seen}"


def test_host_hears_and_answers_nothing():
    with talkative_host() as host, bus.connect("member") as member:
        for kind in ("tap", "packet"):
            with member.open(kind, "vlan100"):
                (link,) = vlan.shared(100)
                assert "NOARP" in link["flags"], link["flags"]
                seen = got_in(host, "wire.100", link["address"])
                assert not seen, f"{kind}: the host heard or answered {seen}"
            lab.wait_no_leases()


def owned_table():
    """The table that belongs to the helper that runs: "inet rawnet-PORT", or ""."""
    return next((line.removeprefix("table ") for line in vlan.run("nft", "list", "tables").splitlines()
                 if line.startswith("table inet rawnet-")), "")  # fmt: skip


def kept_table():
    return "table inet rawnet\n" in vlan.run("nft", "list", "tables")


def test_flush_ruleset():
    """Neither that nor what distributions do with /etc/nftables.conf opens the VLAN, and the administrator's rules are loaded."""
    with talkative_host() as host, bus.connect("member") as member, member.open_tap("vlan100"), \
            tempfile.NamedTemporaryFile("w", suffix=".nft") as conf:  # fmt: skip
        (link,) = vlan.shared(100)
        conf.write("flush ruleset\ntable inet site {\n\tchain input {\n\t\ttype filter hook input priority 0;\n\t}\n}\n")
        conf.flush()
        for words in (["flush", "ruleset"], ["-f", conf.name], ["-f", conf.name], ["flush", "ruleset"]):
            vlan.run("nft", *words)
            assert ("table inet site" in vlan.run("nft", "list", "tables")) == (words[0] == "-f"), words
            assert owned_table() and not kept_table(), vlan.run("nft", "list", "tables")
            seen = got_in(host, "wire.100", link["address"])
            assert not seen, f"nft {' '.join(words)}: the host heard or answered {seen}"
        # What stays when the helper ends is put back by the next open, whose VLAN may be another.
        with member.open_tap("vlab.300"):
            assert kept_table()


def test_check_tries_the_table():
    """Where nftables refuses it, the check says what the open is refused with."""
    lab.wait_for(lambda: not owned_table() and not kept_table(), 20, "the end of an earlier lease's tables")
    with bus.connect("member") as member:
        for without, said in ((unfit.kernel_without("inet"), 1), (contextlib.nullcontext(), 0)):
            with without:
                (found,) = member.call(bus.ROOT, bus.MANAGER, "Check", "s", ("vlan100",), seconds=60)
                errors = [bus.plain(finding)["text"] for finding in found if bus.plain(finding)["severity"] == "error"]
                assert len(errors) == said and not owned_table() and not kept_table(), (errors, vlan.run("nft", "list", "tables"))
                if errors:
                    assert errors == [bus.expect_error("KernelRefused", member.open_tap, "vlan100")], errors
                else:
                    member.open_tap("vlan100").close_fds()


def test_nobody_else_changes_the_table():
    with bus.connect("member") as member, member.open_tap("vlan100"):
        table = owned_table()
        before = vlan.run("nft", "list", "table", *table.split())
        for command in (f"delete table {table}", f"flush table {table}", f"delete chain {table} prerouting",
                        f"insert rule {table} prerouting accept", f"add table {table} {{ flags dormant; }}",
                        f"add chain {table} other"):  # fmt: skip
            done = subprocess.run(["nft", command], capture_output=True, text=True, check=False)
            assert done.returncode != 0 and "Operation not permitted" in done.stderr, (command, done)
        assert vlan.run("nft", "list", "table", *table.split()) == before


def owning_socket():
    """A copy of the helper's socket that owns the table."""
    pid = lab.helper_pid()
    pidfd = os.pidfd_open(pid)
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            if os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:"):
                fd = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, pidfd, int(number), 0)
                assert fd >= 0, os.strerror(ctypes.get_errno())
                sock = socket.socket(fileno=fd)
                if (sock.family, sock.proto) == (socket.AF_NETLINK, NETLINK_NETFILTER):
                    return sock
                sock.close()
    finally:
        os.close(pidfd)
    raise AssertionError("the helper has no socket for nftables")


def is_waited_for(sock):
    """Does a process wait for the lock on it? proc(5), /proc/locks."""
    inode = os.fstat(sock.fileno()).st_ino
    with open("/proc/locks", encoding="ascii") as locks:
        return any(" -> POSIX " in line and line.split()[-3].endswith(f":{inode}") for line in locks)


def test_workers_take_turns():
    """They share the socket: the second one waits for the first, whose unread answers are no answers to it."""
    with bus.connect("member") as member, member.open_tap("vlan100"), concurrent.futures.ThreadPoolExecutor() as pool:
        with owning_socket() as sock:
            fcntl.lockf(sock, fcntl.LOCK_EX)
            vlan.run("nft", "flush", "ruleset")
            # The VLAN's interface is there: no sweep follows, whose worker would take a turn as well.
            opening = pool.submit(member.open_tap, "vlan100")
            try:
                lab.wait_for(lambda: is_waited_for(sock), 20, "a worker's wait for its turn")
                # A question without a name, which the kernel refuses (EINVAL), as by a worker that was killed before it read that.
                question = struct.pack("=IHHII", 20, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, REQUEST | ACK, 1, 0)
                sock.send(question + struct.pack("!BBH", INET, 0, 0))
                assert sock.recv(4096, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                assert not opening.done() and not kept_table()
            finally:
                fcntl.lockf(sock, fcntl.LOCK_UN)
        with opening.result():
            assert owned_table() and kept_table()


def kept_out(host, link):
    """Without any table, by the interface's own settings alone."""
    seen = got_in(host, "wire.100", link["address"])
    tap.diag(f"open without the tables: {sorted(seen) or 'nothing'}")
    assert seen <= {"source 0.0.0.0"}, seen


def test_helper_ends():
    """Between its end and its next start the host is as deaf, unless the rules were flushed as well; then it hears what SECURITY.md says."""
    with talkative_host() as host, bus.connect("member") as member, member.open_tap("vlan100"), \
            member.open_tap("vlan100", mac="learn"):  # whose child does not keep the table  # fmt: skip
        (link,) = vlan.shared(100)
        old = owned_table()
        lab.kill_service()
        lab.kill_helper()
        assert kept_table() and not owned_table(), vlan.run("nft", "list", "tables")
        seen = got_in(host, "wire.100", link["address"])
        assert not seen, f"without a helper the host heard or answered {seen}"
        vlan.run("nft", "flush", "ruleset")
        kept_out(host, link)
        # Nobody opens anything: the start itself puts both back.
        with bus.connect("member") as again:
            assert again.networks()
            lab.wait_for(lambda: owned_table() and kept_table(), 20, "the new helper's tables")
            assert owned_table() != old
            seen = got_in(host, "wire.100", link["address"])
            assert not seen, f"the host heard or answered {seen}"
    lab.wait_no_leases()
    lab.wait_for(lambda: not owned_table() and not kept_table(), 20, "the end of the host's rules with the last lease")


@tap.limit(120)
def test_helper_stays_while_a_shared_interface_does():
    """With no lease alive, but something of the administrator's on it. The positive control is the leave that follows its end."""

    def remove():
        subprocess.run(["ip", "link", "del", "office0"], capture_output=True, check=False)

    lab.service_arguments("--idle-seconds=1")
    lab.helper_arguments("--idle-seconds=1")
    try:
        with bus.connect("member") as member:
            with member.open_tap("vlan100"):
                (link,) = vlan.shared(100)
                vlan.run("ip", "link", "add", "link", link["ifname"], "name", "office0", "type", "macvlan", "mode", "bridge")
            helper = lab.helper_pid()
        lab.wait_for(lambda: not lab.service_pid(), 20, "rawnetd's leave")
        threading.Event().wait(3)  # time itself is what the helper waits for
        assert lab.helper_pid() == helper and owned_table()
        remove()
        lab.wait_for(lambda: not vlan.shared(100), 20, "the sweep")
        lab.wait_for(lambda: not lab.helper_pid(), 20, "the helper's leave")
        assert not owned_table() and not kept_table()
    finally:
        remove()
        lab.service_arguments()
        lab.helper_arguments()


def test_every_measure_is_put_back():
    with talkative_host() as host, bus.connect("member") as member, member.open_tap("vlan100"):
        (link,) = vlan.shared(100)
        name = link["ifname"]
        lab.kill_service()
        lab.kill_helper()
        vlan.run("nft", "flush", "ruleset")
        vlan.run("ip", "link", "set", name, "arp", "on")
        write(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0")
        write(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "0")
        seen = got_in(host, "wire.100", link["address"])
        assert seen == ALL, f"still closed to {ALL - seen}"
        with member.open_packet("vlan100"):
            seen = got_in(host, "wire.100", link["address"])
            assert not seen, f"the host heard or answered {seen}"
            # Each by itself, too.
            lab.kill_service()
            lab.kill_helper()
            vlan.run("nft", "flush", "ruleset")
            kept_out(host, link)
    with bus.connect("member") as again:
        assert again.networks()  # whose helper sweeps


def test_host_says_nothing_on_the_vlan():
    """An ordinary VLAN interface that comes up later speaks (IPv6) while rawnet's stays silent, and so does the lease's own stack."""
    with bus.connect("member") as member, frames.WirePort("wire") as trunk, member.open_tap("vlan100"), \
            member.open_packet("vlan100"), vlan.host_link("plain150", "type", "vlan", "id", "150"):  # fmt: skip
        said = trunk.before(lambda frame: vlan.taken_apart(frame)[2:4] == ([(0x8100, 150)], frames.IPV6), seconds=20)
    assert not [frame.hex() for frame in said if (0x8100, 100) in vlan.taken_apart(frame)[2]]


def test_no_address_and_no_route():
    with bus.connect("member") as member:
        before = vlan.run("ip", "-o", "addr"), vlan.run("ip", "route"), vlan.run("ip", "-6", "route")
        with member.open_tap("vlan100"), member.open_packet("vlan100"):
            (link,) = vlan.shared(100)
            addresses = vlan.run("ip", "-o", "addr", "show", "dev", link["ifname"])
            assert not addresses, addresses
            after = vlan.run("ip", "-o", "addr"), vlan.run("ip", "route"), vlan.run("ip", "-6", "route")
            assert after == before, after


if __name__ == "__main__":
    tap.main()
