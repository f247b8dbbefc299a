# SPDX-License-Identifier: GPL-2.0-or-later
"""Attach(): what it takes, what it refuses and with which words, whom polkit is asked about, and rawnetctl attach."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys

import bus
import container
import lab
import tap
import test_restart
from container import Container, attach

sys.path.append(f"{lab.SOURCE}/tests/attack")
import ipc  # noqa: E402

SIGNATURE = "shsa{sv}"
INVALID, DENIED = bus.DBUS_ERROR + "InvalidArgs", bus.DBUS_ERROR + "AccessDenied"


def refused(error, connection, namespace, interface="eth0", network="lab", **options):
    """The text of the refusal, and nothing was made."""
    text = bus.expect_error(error, attach, connection, network, namespace, interface, **options)
    assert not lab.lease_ids(), "a lease was made"
    return text


def test_takes_only_its_arguments():
    with bus.connect("member") as connection, Container() as box:
        assert "unknown option 'queues' for a veth port; there are addresses, mac, name, rate, up" in refused(INVALID, connection, box, queues=1)
        assert "unknown option 'vhost'" in refused(INVALID, connection, box, vhost=True)
        assert "option up has D-Bus type u, it takes b" in refused(INVALID, connection, box, up=("u", 1))
        assert "unknown option 'up' for a tap port" in bus.expect_error(INVALID, connection.open_tap, "lab", up=True)
        assert "mac=learn works with kind tap only" in refused("NotSupported", connection, box, mac="learn")
        assert "name has 0 characters" in refused(INVALID, connection, box, name="")
        refused("NoSuchNetwork", connection, box, network="nowhere")
        assert "not a network name" in refused(INVALID, connection, box, network="lab/")


def test_interface_names():
    with bus.connect("member") as connection, Container() as box:
        for name in ("", "x" * 16, "a/b", "a b", ".", "..", ".x", "-x", "a:b", "eth%d", "all", "default", "é", "a\n", "a\\"):
            assert "is no name for an interface" in refused(INVALID, connection, box, name), name
        assert "has an interface lo already; choose another name" in refused(INVALID, connection, box, "lo")
        box.run("ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1")
        for name in ("other0", "other1"):
            assert f"has an interface {name} already" in refused(INVALID, connection, box, name)
        attach(connection, "lab", box, "x" * 15)
        attach(connection, "lab", box, "A-z_0.9")
        assert {"x" * 15, "A-z_0.9"} <= set(box.links())


@contextlib.contextmanager
def closing(fd):
    try:
        yield fd
    finally:
        os.close(fd)


def test_what_is_no_namespace():
    with bus.connect("member") as connection, contextlib.ExitStack() as stack:
        read, write = os.pipe()
        stack.callback(os.close, read)
        stack.callback(os.close, write)
        unlinked = os.open(f"{lab.LAB}/tmp", os.O_TMPFILE | os.O_RDWR)
        stack.callback(os.close, unlinked)
        named = "/tmp/net:[4026531840]"
        with open(named, "wb") as file:
            stack.callback(os.unlink, named)
            others = [os.open("/dev/null", os.O_RDONLY), os.memfd_create("net:[4026531840]")]
            others += [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in ("user", "mnt", "pid", "ipc", "uts")]
            for fd in others:
                stack.callback(os.close, fd)
            with socket.socket() as sock:
                for fd in (read, unlinked, file.fileno(), sock.fileno(), *others):
                    text = refused(INVALID, connection, fd)
                    assert "not that of a network namespace; open /proc/PID/ns/net" in text, text


def test_namespaces_of_others():
    mine, root = os.open("/proc/self/ns/net", os.O_RDONLY), Container("root")
    with closing(mine), root, Container("member2") as other, Container() as own, bus.connect("member") as member, bus.connect() as admin:
        for connection in (member, admin):
            text = refused(DENIED, connection, mine)
            assert "the host's own user namespace, and nobody may attach" in text, text
        text = refused(DENIED, member, other)
        assert f"belongs to user {lab.uid_of('member2')}, and you are user {lab.uid_of('member')}" in text, text
        assert "belongs to user 0," in refused(DENIED, member, root)
        # Root may do many things, but a namespace is its user's.
        assert "and you are user 0" in refused(DENIED, admin, own)
        attach(admin, "lab", root)
        attach(member, "lab", own)


def test_process_that_has_gone():
    """The descriptor is all that is left of the container, and enough; afterwards nothing is left."""
    with bus.connect("member") as connection, Container() as box:
        box.kill()
        attach(connection, "lab", box)
        assert "eth0" in box.links()
        box.let_go()
        lab.wait_no_leases()


def test_descriptors_in_other_calls():
    """The bus lets one descriptor pass, and only to this method."""
    with bus.connect("member") as connection, Container() as box:
        for member, signature, body in (("OpenTap", "sh", ("lab", box.namespace)), ("Attach", "shhsa{sv}", ("lab", box.namespace, box.namespace, "eth0", {}))):
            text = bus.expect_error(DENIED, connection.call, bus.ROOT, bus.MANAGER, member, signature, body)
            assert "Rejected send message" in text or lab.on_broker(), text


def test_kinds():
    with lab.network("boxes", Kinds="veth"), lab.network("machines", Kinds="tap packet"), bus.connect("member") as connection, Container() as box:
        attach(connection, "boxes", box)
        assert connection.can_open("boxes", "veth") == "yes"
        text = bus.expect_error("KindNotOffered", connection.open_tap, "boxes")
        assert "offers veth leases only, not tap; ask for veth" in text, text
        text = bus.expect_error("KindNotOffered", attach, connection, "machines", box, "eth1")
        assert "offers tap and packet leases only, not veth; ask for one of these" in text, text
        assert lab.wait_for(lambda: connection.networks().get("boxes"), 10, "the network's object")["Kinds"] == ["veth"]


def test_polkit_is_asked_in_full():
    before = len(lab.questions())
    with bus.connect("member") as connection, Container() as box:
        attach(connection, "lab", box, "lan0", mac="52:54:00:00:00:05")
    (question,) = lab.asked_since(before)
    expected = {"action": "org.rawnet1.attach", "network": "lab", "vlan": "none", "kind": "veth", "mode": "bridge",
                "mac": "52:54:00:00:00:05", "mac-class": "given", "interface": "lan0", "parent": "wire0"}  # fmt: skip
    assert expected.items() <= question.items(), question


def test_polkit_decides():
    rule = """polkit.addRule(function (action, subject) {
        if (action.id === "org.rawnet1.attach" && action.lookup("interface") === "bad0")
                return polkit.Result.NO;
        return polkit.Result.NOT_HANDLED;
    });"""
    with bus.connect("member") as connection, bus.connect("outsider") as outsider, Container() as box, Container("outsider") as theirs:
        text = refused(bus.DBUS_ERROR + "InteractiveAuthorizationRequired", outsider, theirs)
        assert "to attach an interface to network lab, a password is needed" in text and "org.rawnet1.attach" in text, text
        assert (connection.can_open("lab", "veth"), outsider.can_open("lab", "veth")) == ("yes", "challenge")
        with lab.polkit_rule(rule):
            text = refused(DENIED, connection, box, "bad0")
            assert "you may not attach an interface to network lab: a polkit rule refuses" in text, text
            attach(connection, "lab", box, "good0")


def test_reserved_address_needs_more_than_the_group():
    with bus.connect("member") as connection, Container() as box:
        text = refused(bus.DBUS_ERROR + "InteractiveAuthorizationRequired", connection, box, mac="52:54:00:f1:02:03")
        assert "to attach an interface to network lab with MAC address 52:54:00:f1:02:03, which is reserved" in text, text


def test_nobody_is_asked_for_what_is_refused_anyway():
    before = len(lab.questions())
    with bus.connect("outsider") as connection, Container() as box, closing(os.open("/dev/null", os.O_RDONLY)) as null:
        refused(DENIED, connection, box)
        refused(INVALID, connection, null)
        refused(INVALID, connection, null, "a/b")
    assert lab.questions()[before:] == []


def test_quotas():
    with lab.network("few", MaxLeasesPerUser="2", MaxLeases="3"), bus.connect("member") as connection, bus.connect("member2") as second:
        with Container() as box, Container("member2") as other:
            attach(connection, "few", box, "eth0")
            attach(connection, "few", box, "eth1")
            assert "you have 2 of at most 2 leases on it" in bus.expect_error("QuotaExceeded", attach, connection, "few", box, "eth2")
            attach(second, "few", other)
            assert "has 3 of at most 3 leases" in bus.expect_error("QuotaExceeded", attach, second, "few", other, "eth1")
            box.run("ip", "link", "delete", "eth0")
            lab.wait_for(lambda: len(connection.leases()) == 2, 10, "the first one's end")
            attach(connection, "few", box, "eth0")


def test_address_in_use():
    with bus.connect("member") as connection, Container() as box:
        first = attach(connection, "lab", box, "eth0")
        text = bus.expect_error("AddressInUse", attach, connection, "lab", box, "eth1", mac=first.info["mac"])
        assert first.info["mac"] in text and "eth1" not in box.links(), text


def test_name_gives_the_address():
    found = set()
    for _ in range(2):
        with bus.connect("member") as connection, Container() as box:
            lease = attach(connection, "lab", box, name="box 1")
            found.add(lease.info["mac"])
            assert connection.leases()[lease.path]["Name"] == "box 1"
            assert box.links()["eth0"]["address"] == lease.info["mac"]
        lab.wait_no_leases()
    assert len(found) == 1, found


def test_object():
    with bus.connect("member") as connection, Container() as box:
        lease = attach(connection, "lab", box)
        shown = connection.leases()[lease.path]
        assert (shown["Kind"], shown["Queues"], shown["MAC"], shown["State"]) == ("veth", 1, lease.info["mac"], "open"), shown
        assert shown["Interface"] == lease.info["interface"] == f"rn{lease.id:x}" and shown["Owner"] == lab.uid_of("member"), shown
        assert set(lease.info) == {"id", "mac", "mtu", "interface", "vlan", "vnet-hdr"} and lease.info["vnet-hdr"] is False
        assert "attach" in connection.features()


def test_ends():
    """Ended says who ended it, and so does the journal's text."""
    with bus.connect("member") as connection, bus.connect() as admin:
        connection.subscribe()
        for how, reason in (("killed", "interface-gone"), ("deleted", "interface-gone"), ("closed", "closed"), ("revoked", "revoked")):
            with Container() as box:
                lease = attach(connection, "lab", box)
                if how == "killed":
                    box.kill()
                    box.let_go()
                elif how == "deleted":
                    box.run("ip", "link", "delete", "eth0")
                else:
                    (connection if how == "closed" else admin).close_lease(lease.path)
                    assert "eth0" not in box.links(), "the interface is still there after Close()"
                assert connection.wait_signal("Ended", path=lease.path)[1] == (reason,), how
                connection.wait_signal("InterfacesRemoved")
                assert lease.path not in connection.leases()
            lab.wait_no_leases()
    assert "its interface, or the namespace that had it, is gone" in lab.log_of("rawnetd") + lab.log_of("journal")


LAST_FD = 1  # IPC_END_LAST_FD, common/ipc.h


def helper_says(peer, kind, serial=0, reason=0, lease=0):
    part = ipc.LEASE_PART.pack(lease, *([0] * 10), 0, *([b""] * 6))
    peer.send((ipc.REPLY.pack(ipc.VERSION, kind, serial, reason, 0) + part).ljust(ipc.REPLY_SIZE, b"\0"))


def test_closed_though_the_end_is_news_first():
    """Close() deletes the interface, and with it the namespace ends: the helper may hear of that before its worker says what it did."""
    with bus.connect("member") as connection, bus.connect() as admin, Container() as box:
        for caller, reason in ((connection, "closed"), (admin, "revoked")):
            lease = attach(connection, "lab", box, f"{reason}0")
            with ipc.Helper() as helper:
                record = helper.raw_record(lease.id)
            connection.subscribe()
            with test_restart.dying_helper() as sock:
                call = caller.send(lease.path, bus.LEASE, "Close")  # has rawnetd connect at once
                with sock.accept()[0] as peer:
                    _, _, serial, *_ = ipc.REQUEST.unpack_from(peer.recv(4096))
                    peer.send(record[:8] + serial.to_bytes(8, sys.byteorder) + record[16:])
                    helper_says(peer, ipc.DONE, serial)
                    _, operation, serial, number, _ = ipc.REQUEST.unpack_from(peer.recv(4096))
                    assert (operation, number) == (ipc.CLOSE, lease.id), (operation, number)
                    helper_says(peer, ipc.ENDED, reason=LAST_FD, lease=lease.id)
                    helper_says(peer, ipc.DONE, serial)
                    caller.reply(call)
                assert connection.wait_signal("Ended", path=lease.path)[1] == (reason,)
            # In truth nothing was closed.
            box.run("ip", "link", "delete", f"{reason}0")
            lab.wait_no_leases()


def test_caller_that_leaves():
    """Nobody got the reply: the interface does not stay."""
    with Container() as box:
        connection = bus.connect("member")
        # rawnetd is connected to it again, and needs no answer before it asks polkit.
        with lab.stopped(_started()):
            before = len(lab.questions())
            container.send_attach(connection, "lab", box.namespace)
            assert lab.asked_since(before)[0]["action"] == "org.rawnet1.attach", lab.questions()
            connection.close()
        lab.wait_no_leases()
        lab.wait_for(lambda: "eth0" not in box.links(), 10, "the interface's end")


def _started():
    with bus.connect("member") as connection:
        connection.open_tap("lab").close_fds()
    lab.wait_no_leases()
    return lab.helper_pid()


# -- rawnetctl attach


def rawnetctl(*words, user="member"):
    return lab.run_as(user, ["rawnetctl", "attach", *words], timeout=60)


def test_rawnetctl():
    with Container() as box, bus.connect() as connection:
        done = rawnetctl("--pid", str(box.pid), "--name", "web", "lab")
        ((path, lease),) = connection.leases().items()
        expected = f"{lease['Interface']}: interface eth0 of process {box.pid} on lab, MAC {lease['MAC']}, MTU {lease['MTU']}\n"
        assert (done.returncode, done.stdout, done.stderr) == (0, expected, ""), done
        assert lease["Name"] == "web" and "UP" in box.links()["eth0"]["flags"], (lease, box.links())
        # The next free name; and one of the user's choice.
        assert "interface eth1 of" in rawnetctl("--pid", str(box.pid), "lab").stdout
        done = rawnetctl("--pid", str(box.pid), "--interface", "lan0", "--mac", "52:54:00:00:00:09", "lab")
        assert "interface lan0 of" in done.stdout and box.links()["lan0"]["address"] == "52:54:00:00:00:09", done
        listed = lab.run_as("member", ["rawnetctl", "list"], check=True).stdout
        assert listed.count("veth") == 3, listed
        lab.run_as("member", ["rawnetctl", "close", "web"], check=True)
        assert "eth0" not in box.links(), box.links()
        lab.wait_for(lambda: path not in connection.leases(), 10, "the lease's end")


def test_rawnetctl_errors():
    with Container() as box, Container("member2") as other, subprocess.Popen(["sleep", "60"]) as of_root:
        gone = subprocess.Popen(["true"])  # pylint: disable=consider-using-with
        gone.wait()
        cases = (
            (("--pid", str(gone.pid), "lab"), 1, f"there is no process {gone.pid}"),
            (("--pid", str(other.pid), "lab"), 1, f"you may not look into process {other.pid}: it is another user's"),
            (("--pid", str(of_root.pid), "lab"), 1, f"you may not look into process {of_root.pid}"),
            (("--pid", str(os.getpid()), "lab"), 1, "you may not look into process"),
            (("--pid", str(box.pid), "--interface", "lo", "lab"), 1, "has an interface lo already"),
            (("--pid", str(box.pid), "--interface", "a/b", "lab"), 1, "is no name for an interface"),
            (("--pid", str(box.pid), "--mac", "learn", "lab"), 1, "mac=learn works with kind tap only"),
            (("--pid", str(box.pid), "nowhere"), 1, "network nowhere"),
            (("lab",), 2, "--pid is missing"),
            (("--pid", "x", "lab"), 2, "--pid is the number of a process, not 'x'"),
            (("--pid", "0", "lab"), 2, "--pid is the number of a process"),
            (("--pid", str(box.pid)), 2, "which network?"),
            (("--pid", str(box.pid), "lab", "more"), 2, "too many arguments"),
        )
        for words, status, text in cases:
            done = rawnetctl(*words)
            assert (done.returncode, done.stdout) == (status, "") and text in done.stderr, (words, done)
        of_root.kill()
        # The user's own process, in no container.
        with lab.popen_as("member", ["sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as own:
            own.stdout.readline()
            done = rawnetctl("--pid", str(own.pid), "lab")
            own.kill()
        assert done.returncode == 1 and "the host's own user namespace" in done.stderr, done


def test_rawnetctl_root():
    """Root attaches to its own containers, and to nobody else's."""
    with Container() as box, Container("root") as own:
        done = rawnetctl("--pid", str(box.pid), "lab", user="root")
        assert done.returncode == 1 and f"you may not look into process {box.pid}" in done.stderr, done  # without capabilities
        assert rawnetctl("--pid", str(own.pid), "lab", user="root").returncode == 0
        assert "UP" in own.links()["eth0"]["flags"]


def test_bubblewrap():
    if not shutil.which("bwrap"):
        tap.skip("bwrap is not installed")
    words = ["bwrap", "--ro-bind", "/", "/", "--unshare-user", "--unshare-net", "--unshare-pid", "--die-with-parent", "--", "sh", "-c", "echo; exec cat"]
    with lab.popen_as("member", words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        (inner,) = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True).stdout.split()
        done = rawnetctl("--pid", inner, "lab")
        assert done.returncode == 0 and "interface eth0" in done.stdout, done
        process.kill()
    lab.wait_no_leases()


if __name__ == "__main__":
    tap.main()
