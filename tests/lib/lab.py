# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab as tests see it: users, daemons, processes, namespaces, network files, polkit. Only inside `tools/lab exec`, as root."""

import contextlib
import ctypes
import errno
import fcntl
import functools
import itertools
import json
import os
import pwd
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import tap
import waiting

LAB = "/run/lab"
SOURCE = f"{LAB}/src"
FAR = "rawnet-far"
SYSLOG = f"{LAB}/log/syslog"
NETWORKS_DIR = "/etc/rawnet/networks"
RULES_DIR = "/etc/polkit-1/rules.d"
HELPER_SOCKET = "/run/rawnet/helper.sock"
LEASE_ID_MIN = 0x10000  # common/names.h
LEASE_ID_FIRST, LEASE_ID_LAST = 0x7FFF0000, 0x7FFFFFFF  # of new leases
NETLINK_SIZE = 32768

build_dir = os.environ["RAWNET_BUILD"]  # the lab sets it to a path that every user can reach

sys.path.append(f"{SOURCE}/tools/lab.d")
from ctl import request  # noqa: E402  pylint: disable=wrong-import-position,import-error
import kernel  # noqa: E402  pylint: disable=wrong-import-position,import-error

# -- waiting


def wait_for(predicate, seconds, what="it"):
    """Polls predicate until it is true and returns its value; AssertionError after `seconds`.
    For conditions that have no event; where there is one (a frame, a signal, a process's end), wait for that."""
    seconds = tap.patience(seconds)
    deadline = time.monotonic() + seconds
    while not (value := predicate()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        select.select([], [], [], 0.003)
    return value


def wait_for_exit(pid, seconds=10):
    """Until a process (also one that is not our child) has ended."""
    assert pid > 0, pid
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError as error:
        # It went between the call's two looks (kernel/pid.c, pidfd_create()).
        assert error.errno == errno.EINVAL, error
        return
    seconds = tap.patience(seconds)
    try:
        assert waiting.readable([fd], seconds), f"process {pid} still runs after {seconds} s"
    finally:
        os.close(fd)


# -- users and their processes


def popen_as(user, command, **options):
    """subprocess.Popen as user: supplementary groups, no capabilities, no_new_privs. `pass_fds` works."""
    account = pwd.getpwnam(user)
    words = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups",
             "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs"]  # fmt: skip
    home = f"{LAB}/home/{user}"
    environment = {**os.environ, "HOME": home if os.path.isdir(home) else "/", "USER": user,
                   "LOGNAME": user, "XDG_RUNTIME_DIR": f"/run/user/{account.pw_uid}",
                   **options.pop("env", {})}  # fmt: skip
    options.setdefault("text", True)
    return subprocess.Popen([*words, "--", *command], env=environment, **options)


def run_as(user, command, timeout=None, check=False, **options):
    """Runs command to its end and captures its output: CompletedProcess. `input=` is its stdin. timeout: seconds, else a patient minute."""
    given = options.pop("input", None)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    options["stdin"] = subprocess.PIPE if given is not None else subprocess.DEVNULL
    with popen_as(user, command, **options) as process:
        try:
            out, err = process.communicate(given, timeout or tap.patience(60))
        except BaseException:
            process.kill()
            raise
    result = subprocess.CompletedProcess(command, process.returncode, out, err)
    if check:
        assert result.returncode == 0, f"{command} as {user}: {result}"
    return result


def uid_of(user):
    return pwd.getpwnam(user).pw_uid


@contextlib.contextmanager
def identity(user):
    """This thread is `user` for a moment (effective and real ids and groups): for connect() and open()."""
    account = pwd.getpwnam(user)
    groups = os.getgroups()
    os.setgroups(os.getgrouplist(user, account.pw_gid))
    os.setresgid(account.pw_gid, account.pw_gid, 0)
    os.setresuid(account.pw_uid, account.pw_uid, 0)
    try:
        yield account
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


# -- daemons


def daemons():
    """{name: {'pid', 'status', 'ready', 'stopped', 'arguments'}} of dbus-daemon (or dbus-broker and rawnetd), polkitd, rawnet-helper, dnsmasq, neighbour."""
    return request(operation="status")


def stop(name):
    """SIGTERM, and wait for the end. rawnet-helper's socket does not start it again until start()."""
    return request(operation="stop", name=name)


def start(name):
    """Starts a stopped daemon; rawnet-helper only by its socket, at the next request."""
    return request(operation="start", name=name)


def restart(name):
    stop(name)
    start(name)


def helper_arguments(*words):
    """rawnet-helper's arguments from its next start on. Stops a running one, so that the next request starts it anew."""
    request(operation="arguments", name="rawnet-helper", arguments=list(words))
    restart("rawnet-helper")


def on_broker():
    """Is the bus dbus-broker (tools/lab exec --bus broker)?"""
    return "dbus-broker" in daemons()


def reload_bus():
    """The bus reads its configuration again."""
    subprocess.run(["busctl", "--system", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                    "ReloadConfig"], check=True, capture_output=True)  # fmt: skip


@contextlib.contextmanager
def bus_example(name):
    """One of policy/examples is in force while the block runs, for connections that are made in it."""
    path = f"/etc/dbus-1/system.d/{name}"
    with open(f"{SOURCE}/policy/examples/{name}", encoding="utf-8") as example, open(path, "w", encoding="utf-8") as file:
        file.write(example.read())
    try:
        reload_bus()
        yield
    finally:
        os.unlink(path)
        reload_bus()


@functools.cache
def service_file(path):
    """Its lines as the lab made them."""
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def service_arguments(*words):
    """rawnetd's arguments from its next start on, behind those that the lab was started with, in the lab's copy of the
    activation file. Stops a running rawnetd, so that the next call starts it anew."""
    path = "/usr/share/dbus-1/system-services/org.rawnet1.service"
    lines = [" ".join([line, *words]) if line.startswith("Exec=") else line for line in service_file(path)]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    reload_bus()
    pid = service_pid()
    if pid:
        with contextlib.suppress(ProcessLookupError):  # it may just be leaving by itself
            os.kill(pid, signal.SIGTERM)
        wait_for_service_exit(pid)


def helper_pid():
    """0 while it does not run."""
    return daemons()["rawnet-helper"]["pid"]


def service_pid():
    """rawnetd's process id, 0 while it does not run. Never starts it."""
    out = subprocess.run(["busctl", "--system", "--json=short", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus",
                          "org.freedesktop.DBus", "GetConnectionUnixProcessID", "s", "org.rawnet1"],
                         capture_output=True, text=True, check=False)  # fmt: skip
    return json.loads(out.stdout)["data"][0] if out.returncode == 0 else 0


def wait_for_service_exit(pid):
    """Until rawnetd has ended and the bus knows it. dbus-broker may pass one more call to a connection that is closed."""
    wait_for_exit(pid)
    wait_for(lambda: service_pid() != pid, 10, "the bus's notice of the end")


@contextlib.contextmanager
def stopped(pid):
    """A process stands still (SIGSTOP) while the block runs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def kill_helper(number=signal.SIGKILL):
    """Kills rawnet-helper and waits for its end; its socket starts it again at the next request."""
    return _kill(helper_pid(), number)


def kill_service(number=signal.SIGKILL):
    """Kills rawnetd and waits for its end; the bus starts it again at the next call."""
    pid = _kill(service_pid(), number)
    wait_for_service_exit(pid)
    return pid


def _kill(pid, number):
    assert pid, "it does not run"
    os.kill(pid, number)
    wait_for_exit(pid)
    return pid


def resident_kib(pid):
    """RssAnon+RssFile+RssShmem of a process, KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1])


def fd_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def log_of(name):
    """What a daemon wrote to stderr: rawnet-helper, rawnetd, dbus-daemon (the same one) or dbus-broker, polkitd, dnsmasq, neighbour."""
    try:
        with open(f"{LAB}/log/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


# -- polkit


def questions():
    """polkit's questions so far, oldest first: [{'action', 'user', and the details}]. The lab's rule writes them down."""
    found = []
    # polkitd 122 writes polkit.log() to stderr, newer ones to syslog.
    for line in (log_of("polkitd") + log_of("syslog")).splitlines():
        _, mark, text = line.partition("question ")
        if mark:
            action, *words = text.split(" ")
            found.append({"action": action} | dict(word.partition("=")[::2] for word in words))
    return found


def asked_since(before, count=1):
    """The questions after the first `before`, at least `count` of them: the log comes a moment after the answer."""
    return wait_for(lambda: questions()[before:] if len(questions()) >= before + count else None, 10, "polkit's question")


@contextlib.contextmanager
def polkit_rule(javascript, name="10-test.rules"):
    """A rule file while the block runs; polkitd has loaded it when the block begins, and dropped it afterwards."""
    path = f"{RULES_DIR}/{name}"
    loads = _polkit_loads()
    with open(path, "w", encoding="utf-8") as file:
        file.write(javascript)
    os.chmod(path, 0o644)
    wait_for(lambda: _polkit_loads() > loads, 20, "polkitd's reload")
    try:
        yield
    finally:
        loads = _polkit_loads()
        os.unlink(path)
        wait_for(lambda: _polkit_loads() > loads, 20, "polkitd's reload")


def _polkit_loads():
    return log_of("syslog").count("Finished loading, compiling and executing")


# -- network files


@contextlib.contextmanager
def network(name, text=None, mode=0o644, uid=0, **keys):
    """A network file while the block runs: network('x', VLAN='none', Mode='private'); Parent= is wire0 if not given.
    text is written as it is instead."""
    path = f"{NETWORKS_DIR}/{name}.conf"
    if text is None:
        keys = {"Parent": "wire0", "VLAN": "none", **keys}
        text = "[Network]\n" + "".join(f"{key}={value}\n" for key, value in keys.items())
    # Written aside and renamed: a watcher never sees half a file.
    with open(f"{NETWORKS_DIR}/.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(f"{NETWORKS_DIR}/.new", mode)
    os.chown(f"{NETWORKS_DIR}/.new", uid, 0)
    os.rename(f"{NETWORKS_DIR}/.new", path)
    try:
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def has_vlan():
    """Has this kernel 802.1Q? (The lab found out.)"""
    return os.path.exists(f"{NETWORKS_DIR}/vlan100.conf")


def need_vlan():
    if not has_vlan():
        tap.skip("no 802.1Q in this kernel")


# -- namespaces and links


@contextlib.contextmanager
def in_namespace(where):
    """This thread is in another network namespace while the block runs: a name (lab.FAR), a namespace fd, or a lease's fd."""
    opened = _namespace_fd(where)
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        kernel.setns(opened, kernel.CLONE_NEWNET)
        yield
    finally:
        kernel.setns(here, kernel.CLONE_NEWNET)
        os.close(here)
        os.close(opened)


def open_namespace(where):
    """A descriptor of a namespace, the caller's; where as for in_namespace()."""
    return _namespace_fd(where)


def _namespace_fd(where):
    if isinstance(where, str):
        return os.open(f"/run/netns/{where}", os.O_RDONLY | os.O_CLOEXEC)
    for operation in (0x54E3, 0x894C):  # TUNGETDEVNETNS (linux/if_tun.h), SIOCGSKNS (linux/sockios.h)
        with contextlib.suppress(OSError):
            return fcntl.ioctl(where, operation, 0)
    return os.dup(where)


def ip(*words, where=None):
    """ip -j WORDS, parsed; where as for in_namespace()."""
    with in_namespace(where) if where is not None else contextlib.nullcontext():
        out = subprocess.run(["ip", "-j", "-d", *words], capture_output=True, text=True, check=True).stdout
    return json.loads(out) if out.strip() else []


def links(where=None):
    """{name: ip -d link's record}."""
    return {link["ifname"]: link for link in ip("link", where=where)}


def run_far(command, **options):
    """Runs a command in the neighbour's namespace, captured: CompletedProcess."""
    options.setdefault("timeout", 30)
    return subprocess.run(["ip", "netns", "exec", FAR, *command], capture_output=True, text=True, check=False, **options)


def lease_ids():
    """Ids of all leases alive, as the kernel has them (nsids of the host's namespace).

    Not by `ip netns list-id`: kernel 6.18 ends the dump after its first message (helper/kernel/nsid.c), so that has to be as long as the
    kernel makes one, 32 KiB for 1,158 ids, which it does for a socket whose owner was seen to read that much. Where it may have
    been too short all the same, every id that a lease can have is asked for."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        # Refused, which is answer enough: the receive buffer's length is noted.
        sock.send(_nsid_question())
        sock.recv(NETLINK_SIZE)
        sock.send(_nsid_question(flags=0x301))  # NLM_F_REQUEST | NLM_F_DUMP
        found, done = set(), False
        while not done:
            done = _add_nsids(found, sock.recv(NETLINK_SIZE))
        if len(found) > 1000:
            for first in range(LEASE_ID_FIRST, LEASE_ID_LAST + 1, 64):
                sock.send(b"".join(_nsid_question(nsid) for nsid in range(first, first + 64)))
                for _ in range(64):
                    _add_nsids(found, sock.recv(NETLINK_SIZE))
    return sorted(nsid for nsid in found if nsid >= LEASE_ID_MIN)


def _nsid_question(nsid=None, flags=1):
    """RTM_GETNSID (linux/rtnetlink.h), for one id or for none."""
    attribute = struct.pack("=HHi", 8, 1, nsid) if nsid is not None else b""  # NETNSA_NSID, linux/net_namespace.h
    return struct.pack("=IHHIIBxxx", 20 + len(attribute), 90, flags, 1, 0, 0) + attribute


def _add_nsids(found, data):
    """Adds the ids in what was received. Returns whether that was the end of a dump."""
    while data:
        length, kind = struct.unpack_from("=IH", data)
        if kind == 3:  # NLMSG_DONE
            return True
        if kind == 88:  # RTM_NEWNSID
            found.add(struct.unpack_from("=i", data, 24)[0])
        data = data[(length + 3) & ~3 :]
    return False


def wait_no_leases(seconds=10):
    """Until no lease is alive, and what the last ones had is free: their addresses, VLANs and interfaces."""
    wait_for(lambda: not lease_ids(), seconds, "the end of all leases")
    wait_deleted(seconds)


def wait_deleted(seconds=10):
    """Until the kernel has deleted what was in the namespaces whose ids are gone. It takes the id away first, and the interfaces later;
    and it deletes a namespace only when it has done with those that ended before (cleanup_net(), net/core/net_namespace.c)."""
    nsid = next(_nsids)
    namespace = new_namespace()
    try:
        _give_nsid(namespace, nsid)
    finally:
        os.close(namespace)
    wait_for(lambda: not _has_nsid(nsid), seconds, "the end of a namespace that ended later")


def new_namespace():
    """A descriptor that keeps a new network namespace."""
    made = []

    def make():
        kernel.unshare(kernel.CLONE_NEWNET)
        made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


_nsids = itertools.count(0x1000)  # no lease's, and none that the kernel gives by itself


def _give_nsid(namespace, nsid):
    """RTM_NEWNSID (linux/rtnetlink.h), acknowledged."""
    attributes = struct.pack("=HHiHHi", 8, 3, namespace, 8, 1, nsid)  # NETNSA_FD, NETNSA_NSID, linux/net_namespace.h
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.send(struct.pack("=IHHIIBxxx", 20 + len(attributes), 88, 0x5, 1, 0, 0) + attributes)
        (error,) = struct.unpack_from("=i", sock.recv(NETLINK_SIZE), 16)
        assert error == 0, os.strerror(-error)


def _has_nsid(nsid):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.send(_nsid_question(nsid))
        found = set()
        _add_nsids(found, sock.recv(NETLINK_SIZE))
        return nsid in found


_links_at_start = set()
after_failure = []  # functions that let go of what a failed test still held, so that the next one starts clean
after_test = []  # functions that wait until nothing of a test's leases counts any more


def note_start():
    """What is there before the first test (tap calls it)."""
    _links_at_start.update(links())


def clean_after_failure():
    for function in after_failure:
        function()
    wait_no_leases(30)


def check_nothing_left():
    """After every test (tap calls it): no lease, and no interface in the host's namespace that was not there before."""
    wait_no_leases()
    for function in after_test:
        function()
    wait_for(lambda: not set(links()) - _links_at_start, 10, f"the end of new interfaces ({', '.join(links())})")


def unshare_net():
    """This process gets a network namespace of its own (for a child process to call)."""
    kernel.unshare(kernel.CLONE_NEWNET)


def prctl(option, *values):
    """prctl(2) with up to four integers."""
    return ctypes.CDLL(None, use_errno=True).prctl(option, *[*values, 0, 0, 0, 0][:4])


def helper_connection():
    """A connected SOCK_SEQPACKET socket to rawnet-helper, made as rawnetd's user."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with identity("_rawnet"):
        sock.connect(HELPER_SOCKET)
    return sock
