# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's daemons: how each is started, and the supervisor that knows which runs.

Started as the distribution starts them: dbus-daemon or dbus-broker with the distribution's system.conf, polkitd as its unit has it,
rawnet-helper by its socket with its own user, CAP_NET_ADMIN, and CAP_BPF for its start. rawnetd is not here: dbus-daemon activates it, through the real
dbus-daemon-launch-helper, from the project's own activation file, or dbus-broker by activator.py.
"""

import grp
import os
import pwd
import select
import signal
import socket

from accounts import USERS
from mounts import LAB, directory, write
from wire import FAR_NAMESPACE, HAS_IPV6

BUS_SOCKET = "/run/dbus/system_bus_socket"
HELPER_SOCKET = "/run/rawnet/helper.sock"
HELPER = "/usr/libexec/rawnet/rawnet-helper"
HELPER_STORES = 8  # FileDescriptorStoreMax= of rawnet-helper.service
POLKITD = "/usr/lib/polkit-1/polkitd"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
QUESTION_RULE = """// The lab's: writes down every question, decides nothing.
polkit.addRule(function (action, subject) {
        var text = "question " + action.id + " user=" + subject.user;
        ["network", "parent", "vlan", "protocol", "kind", "mode", "mac", "mac-class", "queues", "rate", "vhost", "interface"].forEach(function (key) {
                var value = action.lookup(key);
                if (value !== undefined)
                        text += " " + key + "=" + value;
        });
        polkit.log(text);
        return polkit.Result.NOT_HANDLED;
});
"""


def close_all(fds):
    for fd in fds:
        os.close(fd)


class Daemon:
    """One program: `command` starts it, `pid` is 0 while it does not run, `status` is its last wait status."""

    def __init__(self, name, command, environment=None, log=None):
        self.name = name
        self.command = command
        self.environment = environment or {}
        self.log = f"{LAB}/log/{log or name}"
        self.arguments = []
        self.pid = 0
        self.status = None
        self.ready = False  # said READY=1 by sd_notify(3)
        self.stopping = False  # said STOPPING=1
        self.stopped = False  # on request: not to be started by its socket
        self.stores = 0  # FileDescriptorStoreMax=
        self.stored = []  # (FDNAME=, descriptor): what it gave into keeping, for the next start

    def store(self, words, fds):
        """FDSTORE=1 and FDSTOREREMOVE=1 of sd_notify(3). As with systemd, a name may be kept more than once, and without FDPOLL=0
        nothing is kept that reports an error."""
        name = next((word[7:].decode("ascii") for word in words if word.startswith(b"FDNAME=")), "stored")
        if b"FDSTOREREMOVE=1" in words:
            close_all([fd for of, fd in self.stored if of == name])
            self.stored = [pair for pair in self.stored if pair[0] != name]
        for fd in fds:
            poll = select.poll()
            poll.register(fd, 0)
            kept = b"FDPOLL=0" in words or not poll.poll(0)
            if b"FDSTORE=1" in words and kept and len(self.stored) < self.stores:
                self.stored.append((name, fd))
            else:
                os.close(fd)

    def start(self, fds=()):
        """Forks and execs in a session of its own. fds, and after them what it stored, become 3, 4, … with LISTEN_FDS and
        LISTEN_FDNAMES (sd_listen_fds(3))."""
        self.ready, self.stopping, self.stopped, self.status = False, False, False, None
        # Unblocked before the exec: the supervisor itself takes its signals by signalfd.
        pid = os.fork()
        if pid:
            self.pid = pid
            return pid
        try:
            os.setsid()
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            environment = {"PATH": PATH, "LANG": "C.UTF-8", **self.environment}
            environment["NOTIFY_SOCKET"] = f"{LAB}/notify"
            names = [*[f"{self.name}.socket"] * len(fds), *[name for name, _ in self.stored]]
            fds = [*fds, *[fd for _, fd in self.stored]]
            if fds:
                environment |= {"LISTEN_FDS": str(len(fds)), "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": ":".join(names)}
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            null = os.open("/dev/null", os.O_RDONLY)
            high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
            os.dup2(null, 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
            os.closerange(3 + len(high), 4096)
            os.execvpe(self.command[0], [*self.command, *self.arguments], environment)
        except BaseException as error:  # pylint: disable=broad-except
            os.write(2, f"lab: {self.name} could not be started: {error}\n".encode())
        finally:
            os._exit(127)


def user_words(name, extra=()):
    """setpriv(1) words that make a process an ordinary one of this user: no capability, none to be gained."""
    user = pwd.getpwnam(name)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups",
            "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs",
            *extra]  # fmt: skip


def dbus_daemon():
    return Daemon("dbus-daemon", ["dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog"])


def dbus_broker():
    return Daemon("dbus-broker", ["dbus-broker-launch", "--scope", "system", "--config-file", "/usr/share/dbus-1/system.conf"])


def bus_listener():
    """The socket of dbus.socket, for dbus-broker; dbus-daemon makes its own."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listener.bind(BUS_SOCKET)
    os.chmod(BUS_SOCKET, 0o666)
    listener.listen(128)
    return listener


def polkitd(question_log):
    if question_log:
        write("/etc/polkit-1/rules.d/00-lab-questions.rules", QUESTION_RULE)
    # Otherwise dbus-daemon would start a second one whenever a test has stopped the first.
    hidden = "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service"
    if os.path.exists(hidden):
        os.unlink(hidden)
    # Without --no-debug: polkit.log() writes to stderr, which that option closes (polkitd 122).
    return Daemon("polkitd", [POLKITD])


def neighbour():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "neighbour.py")
    return Daemon("neighbour", ["ip", "netns", "exec", FAR_NAMESPACE, "/usr/bin/python3", "-B", path])


def dnsmasq(segments):
    """DHCP and router advertisements on every segment; leases and all in memory."""
    lines = ["port=0", "no-hosts", "no-resolv", "no-ping", "keep-in-foreground", "log-facility=-",
             "log-dhcp", "dhcp-authoritative", *(["enable-ra"] if HAS_IPV6 else []), "user=root", "group=root",
             f"dhcp-leasefile={LAB}/far/leases", "leasefile-ro"]  # fmt: skip
    for segment in segments:
        first, last = f"{segment.prefix4}.50", f"{segment.prefix4}.250"
        lines.append(f"interface={segment.interface}")
        lines.append(f"dhcp-range={first},{last},255.255.255.0,1h")
        if HAS_IPV6:
            lines.append(f"dhcp-range={segment.prefix6}::,ra-only,64,1h")
    directory(f"{LAB}/far")
    write(f"{LAB}/far/dnsmasq.conf", "\n".join(lines) + "\n")
    return Daemon("dnsmasq", ["ip", "netns", "exec", FAR_NAMESPACE, "dnsmasq",
                              f"--conf-file={LAB}/far/dnsmasq.conf"])  # fmt: skip


def helper(arguments):
    number = USERS["_rawnet-helper"][0]
    try:
        groups = f"--groups={grp.getgrnam('kvm').gr_gid}"  # /dev/vhost-net is root:kvm 0660
    except KeyError:
        groups = "--clear-groups"
    daemon = Daemon("rawnet-helper", [
        "setpriv", f"--reuid={number}", f"--regid={number}", groups,
        "--inh-caps=-all,+net_admin,+bpf", "--ambient-caps=-all,+net_admin,+bpf",
        "--bounding-set=-all,+net_admin,+bpf", "--no-new-privs", HELPER])  # fmt: skip
    daemon.arguments = list(arguments)
    daemon.stores = HELPER_STORES
    return daemon


def helper_listener():
    """The socket of rawnet-helper.socket: 0600, rawnetd's."""
    number = USERS["_rawnet"][0]
    directory(os.path.dirname(HELPER_SOCKET))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    os.umask(0o177)
    listener.bind(HELPER_SOCKET)
    os.umask(0o022)
    os.chown(HELPER_SOCKET, number, number)
    listener.listen(128)
    listener.setblocking(False)
    return listener
