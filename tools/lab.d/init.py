# SPDX-License-Identifier: GPL-2.0-or-later
"""PID 1 of the lab: sets everything up, runs the command, keeps the daemons, answers tools/lab ctl.

When it ends, the kernel ends everything in the lab with it.
"""

import json
import os
import pwd
import selectors
import shutil
import signal
import socket
import struct
import sys
import time

import accounts
import activator
import daemons
import info
import kernel
import mounts
import wire
from activator import SERVICE_FILE
from mounts import LAB

OWN_FAILURE = 125
FDS_MAX = 16  # of one message to NOTIFY_SOCKET
START_SECONDS = 30 * int(os.environ.get("RAWNET_SLOWNESS", "1"))  # as tests/lib/tap.py has it, on an emulated machine
FORWARDED = {
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
}  # fmt: skip


class LabError(Exception):
    pass


def tail_of(path, lines=5):
    """The last lines of a log that will be gone with the lab."""
    try:
        with open(path, encoding="utf-8", errors="replace") as text:
            return [f"{os.path.basename(path)}: {line.rstrip()}" for line in text.readlines()[-lines:]]
    except FileNotFoundError:
        return []


class Supervisor:
    """Children, sockets and signals of PID 1 in one loop."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.daemons = {}
        self.command_pid = 0
        self.command_status = None
        self.activator = None  # with dbus-broker
        self.waiting = []  # (daemon name, connection): answered when that daemon has ended
        self.listener = None
        self.signals = kernel.signalfd(FORWARDED | {signal.SIGCHLD})
        self.watch(self.signals, self.on_signals)

    def watch(self, source, handler):
        self.selector.register(source, selectors.EVENT_READ, handler)

    def run_until(self, done, seconds=None, what=""):
        deadline = None if seconds is None else time.monotonic() + seconds
        while not done():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise LabError(f"{what} did not get ready within {seconds} s, see its log in {LAB}/log")
            for key, _ in self.selector.select(left):
                key.data()

    # -- children and signals

    def on_signals(self):
        for number, code in kernel.read_signals(self.signals):
            if number == signal.SIGCHLD:
                self.reap()
            elif code <= 0:  # a terminal's Ctrl-C has reached the command already
                self.forward(number)

    def forward(self, number):
        if not self.command_pid:
            os._exit(128 + number)
        try:
            os.kill(self.command_pid, number)
        except ProcessLookupError:
            pass

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self.command_pid:
                self.command_status = os.waitstatus_to_exitcode(status)
            for daemon in self.daemons.values():
                if daemon.pid == pid:
                    self.ended(daemon, status)

    def ended(self, daemon, status):
        daemon.pid, daemon.status, daemon.ready = 0, os.waitstatus_to_exitcode(status), False
        if daemon.name == "rawnet-helper" and not daemon.stopped:
            self.listen(True)
        # polkitd 122 was seen to end on a busy machine. Elsewhere the bus starts it again at the next question. SIGKILL is a test's.
        if daemon.name == "polkitd" and not daemon.stopped and daemon.status != -signal.SIGKILL:
            said = [line for log in ("polkitd", "dbus-daemon") for line in tail_of(f"{LAB}/log/{log}")]
            print(f"lab: polkitd ended by itself (status {daemon.status}); started again", *said, sep="\nlab:     ", file=sys.stderr, flush=True)
            self.start(daemon)
        self.changed(daemon)
        for entry in [entry for entry in self.waiting if entry[0] == daemon.name]:
            self.waiting.remove(entry)
            self.answer(entry[1], {"status": daemon.status})

    def changed(self, daemon):
        if self.activator and daemon is self.activator.daemon:
            self.activator.changed()

    # -- rawnet-helper's socket, as systemd.socket(5) with Accept=no

    def listen(self, on):
        watched = self.listener in [key.fileobj for key in self.selector.get_map().values()]
        if on and not watched:
            self.watch(self.listener, self.on_helper_wanted)
        elif not on and watched:
            self.selector.unregister(self.listener)

    def on_helper_wanted(self):
        self.listen(False)
        self.start(self.daemons["rawnet-helper"])

    # -- messages to PID 1

    def bind(self, path, handler, mode):
        kind = socket.SOCK_SEQPACKET if handler == self.on_control else socket.SOCK_DGRAM
        sock = socket.socket(socket.AF_UNIX, kind | socket.SOCK_CLOEXEC)
        sock.bind(path)
        os.chmod(path, mode)
        sock.setblocking(False)
        self.watch(sock, lambda: handler(sock))
        return sock

    def on_log(self, sock):
        with open(f"{LAB}/log/syslog", "a", encoding="utf-8") as file:
            while (data := self.receive(sock)) is not None:
                daemons.close_all(data[2])
                file.write(data[0].decode("utf-8", "replace").rstrip("\n\0") + "\n")

    def on_broker_log(self, sock):
        """dbus-broker writes into the journal alone (systemd.journal-fields(7))."""
        with open(f"{LAB}/log/dbus-broker", "a", encoding="utf-8") as file:
            while (data := self.receive(sock)) is not None:
                daemons.close_all(data[2])
                text = data[0].decode("utf-8", "replace").splitlines()
                file.writelines(line.partition("=")[2] + "\n" for line in text if line.startswith("MESSAGE="))

    def on_notify(self, sock):
        while (data := self.receive(sock)) is not None:
            for daemon in self.daemons.values():
                if daemon.pid == data[1]:
                    words = data[0].split(b"\n")
                    daemon.ready |= b"READY=1" in words
                    daemon.stopping |= b"STOPPING=1" in words
                    daemon.store(words, data[2])
                    self.changed(daemon)
                    break
            else:
                daemons.close_all(data[2])

    @staticmethod
    def receive(sock):
        """(data, sender's pid, descriptors) or None when there is nothing more."""
        room = socket.CMSG_SPACE(12) + socket.CMSG_SPACE(4 * FDS_MAX)
        try:
            data, control, _, _ = sock.recvmsg(8192, room, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        pids = [struct.unpack("iII", bytes(value))[0] for _, kind, value in control
                if kind == socket.SCM_CREDENTIALS]  # fmt: skip
        fds = [fd for _, kind, value in control if kind == socket.SCM_RIGHTS for fd in struct.unpack(f"{len(value) // 4}i", value)]
        return data, pids[0] if pids else 0, fds

    def on_control(self, sock):
        connection, _ = sock.accept()
        connection.setblocking(True)
        self.watch(connection, lambda: self.on_request(connection))

    def on_request(self, connection):
        self.selector.unregister(connection)
        try:
            request = json.loads(connection.recv(65536) or b"null")
            self.handle(connection, request)
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.answer(connection, {"error": f"{type(error).__name__}: {error}"})

    @staticmethod
    def answer(connection, reply):
        try:
            connection.send(json.dumps(reply).encode())
        except OSError:
            pass
        connection.close()

    def handle(self, connection, request):
        operation = request["operation"]
        if operation == "status":
            keys = ("pid", "status", "ready", "stopped", "arguments")
            reply = {name: {key: getattr(d, key) for key in keys} for name, d in self.daemons.items()}
            self.answer(connection, reply)
            return
        daemon = self.daemons[request["name"]]
        if operation == "arguments":
            daemon.arguments = [str(word) for word in request["arguments"]]
        elif operation == "start":
            self.resume(daemon)
        elif operation == "stop":
            self.stop(daemon)
        elif operation != "wait":
            raise ValueError(f"no such operation: {operation}")
        if operation in ("stop", "wait") and daemon.pid:
            self.waiting.append((daemon.name, connection))
        else:
            self.answer(connection, {"pid": daemon.pid, "status": daemon.status})

    # -- daemons

    def add(self, daemon):
        self.daemons[daemon.name] = daemon
        return daemon

    def start(self, daemon):
        daemon.start([self.listener.fileno()] if daemon.name == "rawnet-helper" else [])

    def stop(self, daemon):
        """As for `systemctl restart`: what the daemon stored is kept."""
        daemon.stopped = True
        if daemon.name == "rawnet-helper":
            self.listen(False)
        if daemon.pid:
            os.kill(daemon.pid, signal.SIGTERM)

    def resume(self, daemon):
        if daemon.pid:
            return
        daemon.stopped = False
        if daemon.name == "rawnet-helper":
            self.listen(True)
        else:
            self.start(daemon)


def wait_for_name(supervisor, name, seconds):
    """Until the bus knows an owner of name. Own loop: PID 1's loop runs on between the bus's messages."""
    from jeepney import DBusAddress, MatchRule, MessageType, message_bus, new_method_call
    from jeepney.io.blocking import open_dbus_connection

    bus = open_dbus_connection(bus="unix:path=/run/dbus/system_bus_socket", auth_timeout=seconds)
    rule = MatchRule(type="signal", interface="org.freedesktop.DBus", member="NameOwnerChanged")
    rule.add_arg_condition(0, name)
    bus.send_and_get_reply(message_bus.AddMatch(rule))
    driver = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
    owned = bus.send_and_get_reply(new_method_call(driver, "NameHasOwner", "s", (name,))).body[0]
    state = {"owned": owned}

    def on_message():
        """All that is there: what jeepney has read ahead makes the socket readable no more."""
        while True:
            try:
                message = bus.receive(timeout=0)
            except TimeoutError:
                return
            if message.header.message_type == MessageType.signal and message.body[0] == name:
                state["owned"] = bool(message.body[2])

    on_message()
    supervisor.watch(bus.sock, on_message)
    supervisor.run_until(lambda: state["owned"], seconds, name)
    supervisor.selector.unregister(bus.sock)
    bus.close()


def ready_when(path, text):
    """True once the log at path contains text."""

    def check():
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return text in file.read()
        except FileNotFoundError:
            return False

    return check


def start_dbus_daemon(supervisor):
    bus = supervisor.add(daemons.dbus_daemon())
    os.symlink("dbus-daemon", f"{LAB}/log/rawnetd")  # which writes there
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    bus.command.append("--print-address=3")
    bus.start([write_end])
    os.close(write_end)
    addressed = []
    supervisor.watch(read_end, lambda: addressed.append(os.read(read_end, 4096)))
    supervisor.run_until(lambda: addressed, START_SECONDS, "dbus-daemon")
    supervisor.selector.unregister(read_end)
    os.close(read_end)
    bus.command.pop()
    if not addressed[0]:
        raise LabError(f"dbus-daemon did not start, see {bus.log}")


def start_broker(supervisor):
    bus = supervisor.add(daemons.dbus_broker())
    # It does not start without a journal. There is none for anybody else, as with dbus-daemon.
    journal = f"{mounts.directory('/run/systemd/journal')}/socket"
    supervisor.bind(journal, supervisor.on_broker_log, 0o666)
    with daemons.bus_listener() as listener:
        bus.start([listener.fileno()])
    supervisor.run_until(lambda: bus.ready or not bus.pid, START_SECONDS, "dbus-broker")
    if not bus.pid:
        raise LabError("\n     ".join(["dbus-broker did not start", *tail_of(bus.log)]))
    supervisor.activator = activator.Activator(supervisor)
    # dbus-broker 37 opens the journal in the launcher's child, as the bus's user, and may report that it is ready before.
    # A bus that answers has opened it.
    os.unlink(journal)
    supervisor.run_until(lambda: supervisor.activator.owner, START_SECONDS, "the name org.freedesktop.systemd1")


def start_daemons(supervisor, segments, options):
    supervisor.bind("/dev/log", supervisor.on_log, 0o666)
    notify = supervisor.bind(f"{LAB}/notify", supervisor.on_notify, 0o666)
    notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    control = supervisor.bind(f"{LAB}/control", supervisor.on_control, 0o600)
    control.listen(16)

    watched = wait_for_logs(supervisor)
    start_bus = start_broker if options["bus"] == "broker" else start_dbus_daemon
    start_bus(supervisor)
    far = supervisor.add(daemons.neighbour())
    dhcp = supervisor.add(daemons.dnsmasq(segments))
    polkit = supervisor.add(daemons.polkitd(options["question_log"]))
    supervisor.start(far)
    supervisor.start(dhcp)
    supervisor.start(polkit)
    supervisor.listener = daemons.helper_listener()
    supervisor.add(daemons.helper(options["helper_arguments"]))
    supervisor.listen(os.access(daemons.HELPER, os.X_OK))
    wait_for_name(supervisor, "org.freedesktop.PolicyKit1", START_SECONDS)
    supervisor.run_until(ready_when(far.log, "ready"), START_SECONDS, "the neighbour")
    supervisor.run_until(ready_when(dhcp.log, "DHCP, IP range"), START_SECONDS, "dnsmasq")
    supervisor.selector.unregister(watched)
    watched.close()


def wait_for_logs(supervisor):
    """Wakes the loop whenever a log of the far side grows (inotify(7)), so that run_until() looks again."""
    fd = kernel.inotify(f"{LAB}/log")
    file = os.fdopen(fd, "rb", buffering=0)
    supervisor.watch(file, lambda: file.read(65536))
    return file


def command_environment(user):
    account = pwd.getpwnam(user or "root")
    keep = {key: value for key, value in os.environ.items()
            if key in ("TERM", "LANG", "CI", "COLORTERM", "NO_COLOR")
            or key.startswith(("LC_", "RAWNET_", "ASAN_", "UBSAN_", "LAB_"))}  # fmt: skip
    home = f"{LAB}/home/{account.pw_name}"
    return keep | {
        "PATH": daemons.PATH,
        "HOME": home if os.path.isdir(home) else "/",
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": "/bin/bash",
        "TMPDIR": f"{LAB}/tmp",
        "XDG_RUNTIME_DIR": f"/run/user/{account.pw_uid}",
        "PYTHONPATH": f"{mounts.SOURCE}/tests/lib",
        "PYTHONDONTWRITEBYTECODE": "1",
        "RAWNET_LAB": LAB,
        "RAWNET_BUILD": mounts.BUILD,
        "PS1": f"lab {account.pw_name} \\w\\$ ",
    }


def start_command(supervisor, options):
    user = options["user"]
    words = options["command"]
    environment = command_environment(user)
    if user:
        words = daemons.user_words(user) + ["--", *words]
    program = shutil.which(options["command"][0], path=environment["PATH"])
    if program is None and "/" not in options["command"][0]:
        print(f"lab: {options['command'][0]}: not found", file=sys.stderr, flush=True)
        os._exit(127)
    supervisor.command_pid = pid = os.fork()
    if pid:
        return
    try:
        for number in FORWARDED | {signal.SIGPIPE, signal.SIGXFSZ}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvpe(words[0], words, environment)
    except OSError as error:
        print(f"lab: {words[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(126)
    finally:
        os._exit(OWN_FAILURE)


def add_rawnetd_arguments(words):
    """To the command in the lab's copy of the activation file."""
    with open(SERVICE_FILE, encoding="utf-8") as file:
        lines = file.read().splitlines()
    lines = [" ".join([line, *words]) if line.startswith("Exec=") else line for line in lines]
    mounts.write(SERVICE_FILE, "\n".join(lines) + "\n")


def set_up(source_dir, stage, options):
    """The whole lab up to the command; returns the Supervisor."""
    here = os.getcwd()
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC)
    socket.sethostname("rawnet-lab")
    os.umask(0o022)
    mounts.setup(source_dir, stage)
    accounts.setup()
    for path in options["bus_configuration"]:
        shutil.copy(path, "/etc/dbus-1/system.d/")
    if options["rawnetd_arguments"]:
        add_rawnetd_arguments(options["rawnetd_arguments"])
    if options["user"]:
        try:
            pwd.getpwnam(options["user"])
        except KeyError:
            raise LabError(f"no user {options['user']} in the lab: member, member2, outsider, nobody …") from None
    segments = wire.setup(options["every_vlan"])
    supervisor = Supervisor()
    start_daemons(supervisor, segments, options)
    missing = info.missing_parts()
    if missing:
        print(f"lab: not in this build yet: {', '.join(missing)}", file=sys.stderr, flush=True)
    mounts.write(f"{LAB}/info", info.text(segments, missing))
    try:
        os.chdir(here)
    except OSError:
        os.chdir("/")
    return supervisor


def main(source_dir, stage, options):
    try:
        supervisor = set_up(source_dir, stage, options)
    except (LabError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr, flush=True)
        os._exit(OWN_FAILURE)
    except wire.subprocess.CalledProcessError as error:
        print(f"lab: {' '.join(error.cmd)}: {error.stderr.strip()}", file=sys.stderr, flush=True)
        os._exit(OWN_FAILURE)
    start_command(supervisor, options)
    supervisor.run_until(lambda: supervisor.command_status is not None)
    status = supervisor.command_status
    os._exit(status if status >= 0 else 128 - status)
