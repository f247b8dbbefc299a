# SPDX-License-Identifier: GPL-2.0-or-later
"""org.rawnet1 on the lab's system bus, as any user, descriptors included."""

import collections
import contextlib
import os
import tempfile

from jeepney import DBusAddress, HeaderFields, MatchRule, MessageType, message_bus, new_method_call, new_signal
from jeepney.io.blocking import open_dbus_connection
from jeepney.low_level import MessageFlag

import lab
import tap

NAME = "org.rawnet1"
ROOT = "/org/rawnet1"
MANAGER = "org.rawnet1.Manager"
NETWORK = "org.rawnet1.Network"
LEASE = "org.rawnet1.Lease"
ERROR = "org.rawnet1.Error."
DBUS_ERROR = "org.freedesktop.DBus.Error."
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
SECONDS = 30
UNASKED = ("NameAcquired", "DescriptorProbe")  # signals that are sent to one connection: the bus's greeting, rawnetd's question

OPTION_TYPES = {"mac": "s", "name": "s", "queues": "u", "vhost": "b", "vnet_hdr": "b", "up": "b", "addresses": "as", "rate": "t"}


class BusError(Exception):
    """An error reply: .name and .text."""

    def __init__(self, name, text):
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


class Lease:
    """What OpenTap or OpenPacket gave: .fds (ints, ours), .vhosts, .path, .info {key: value}, .id."""

    held = set()

    def __init__(self, fds, vhosts, path, info):
        Lease.held.add(self)
        self.fds = [_take(fd) for fd in fds]
        self.vhosts = [_take(fd) for fd in vhosts]
        self.path = path
        self.info = plain(info)
        self.id = self.info.get("id")
        self.fd = self.fds[0] if self.fds else -1

    def close_fds(self):
        """Closes every descriptor: that ends the lease."""
        for fd in self.fds + self.vhosts:
            os.close(fd)
        self.fds, self.vhosts, self.fd = [], [], -1
        Lease.held.discard(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close_fds()


def _let_go():
    for lease in list(Lease.held):
        lease.close_fds()


lab.after_failure.append(_let_go)


def wait_none_listed(seconds=30):
    """Until rawnetd lists no lease: it has heard of every end, and counts none of them. Does not start it."""
    if not lab.service_pid():
        return
    with connect() as connection:
        lab.wait_for(lambda: not connection.leases(), seconds, "rawnetd's news of all ends")


lab.after_test.append(wait_none_listed)


def _take(descriptor):
    fd = descriptor.to_raw_fd()
    os.set_inheritable(fd, False)
    return fd


def plain(values):
    """{key: (signature, value)} to {key: value}."""
    return {key: value[1] for key, value in values.items()}


def options_of(named):
    """{'vnet_hdr': True} to a{sv}; a tuple (signature, value) is taken as it is, for wrong types."""
    return {key.replace("_", "-"): value if isinstance(value, tuple) else (OPTION_TYPES.get(key, "s"), value)
            for key, value in named.items()}  # fmt: skip


class Connection:
    """A connection to the bus. Calls raise BusError; signals that come in between are kept for wait_signal()."""

    def __init__(self, user=None, descriptors=True):
        with lab.identity(user) if user else contextlib.nullcontext():
            self.bus = open_dbus_connection(bus="unix:path=/run/dbus/system_bus_socket", enable_fds=descriptors, auth_timeout=SECONDS)
        self.signals = collections.deque()
        self.replies = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.bus.close()

    # -- calls

    def send(self, path, interface, member, signature="", body=(), destination=NAME, interactive=False):
        """Sends a call without waiting; the serial is for reply()."""
        message = new_method_call(DBusAddress(path, destination, interface), member, signature or None, tuple(body))
        if interactive:
            message.header.flags |= MessageFlag.allow_interactive_authorization
        serial = next(self.bus.outgoing_serial)
        self.bus.send(message, serial=serial)
        return serial

    def reply(self, serial, seconds=SECONDS):
        """The reply's body (a tuple); BusError, or TimeoutError."""
        deadline = lab.time.monotonic() + tap.patience(seconds)
        while serial not in self.replies:
            self._receive(max(0, deadline - lab.time.monotonic()))
        message = self.replies.pop(serial)
        if message.header.message_type == MessageType.error:
            body = message.body
            raise BusError(message.header.fields[HeaderFields.error_name], body[0] if body else "")
        return message.body

    def received(self, serials):
        """How many of these calls have been answered by now."""
        with contextlib.suppress(TimeoutError):
            self._receive(0)
        return sum(serial in self.replies for serial in serials)

    def call(self, path, interface, member, signature="", body=(), seconds=SECONDS, **options):
        return self.reply(self.send(path, interface, member, signature, body, **options), seconds)

    def _receive(self, seconds):
        message = self.bus.receive(timeout=seconds)
        if message.header.message_type == MessageType.signal:
            if message.header.fields[HeaderFields.member] not in UNASKED:
                self.signals.append(message)
        elif HeaderFields.reply_serial in message.header.fields:
            self.replies[message.header.fields[HeaderFields.reply_serial]] = message

    # -- org.rawnet1

    def open_tap(self, network, seconds=SECONDS, **options):
        """Options by name (mac, name, queues, vhost, vnet_hdr): a Lease."""
        return self.opened("tap", self.send_open("tap", network, **options), seconds)

    def open_packet(self, network, seconds=SECONDS, **options):
        return self.opened("packet", self.send_open("packet", network, **options), seconds)

    def open(self, kind, network, **options):
        return self.open_tap(network, **options) if kind == "tap" else self.open_packet(network, **options)

    def send_open(self, kind, network, interactive=False, **options):
        """Sends OpenTap or OpenPacket without waiting; the serial is for opened()."""
        member = "OpenTap" if kind == "tap" else "OpenPacket"
        return self.send(ROOT, MANAGER, member, "sa{sv}", (network, options_of(options)), interactive=interactive)

    def opened(self, kind, serial, seconds=SECONDS):
        body = self.reply(serial, seconds)
        return Lease(*body) if kind == "tap" else Lease(body[0], [], body[1], body[2])

    def can_open(self, network, kind):
        return self.call(ROOT, MANAGER, "CanOpen", "ss", (network, kind))[0]

    def objects(self):
        """GetManagedObjects: {path: {interface: {property: value}}}."""
        found = self.call(ROOT, OBJECT_MANAGER, "GetManagedObjects")[0]
        return {path: {name: plain(values) for name, values in interfaces.items()}
                for path, interfaces in found.items()}  # fmt: skip

    def leases(self):
        """{path: properties} of the leases that rawnetd knows."""
        return {path: value[LEASE] for path, value in self.objects().items() if LEASE in value}

    def networks(self):
        """{name: properties}."""
        return {value[NETWORK]["Name"]: value[NETWORK] for value in self.objects().values() if NETWORK in value}

    def features(self):
        """The Manager's Features. rawnetd starts without them when rawnet-helper takes longer than 5 s for its first answer."""
        return lab.wait_for(lambda: self.get_all(ROOT, MANAGER)["Features"], 10, "the helper's features")

    def get_all(self, path, interface):
        return plain(self.call(path, PROPERTIES, "GetAll", "s", (interface,))[0])

    def close_lease(self, path, **options):
        self.call(path, LEASE, "Close", **options)

    def statistics(self, path):
        return self.call(path, LEASE, "GetStatistics")[0]

    # -- signals

    def subscribe(self):
        """From now on wait_signal() hears every signal of rawnetd."""
        rule = MatchRule(type="signal", sender=NAME)
        message = message_bus.AddMatch(rule)
        serial = next(self.bus.outgoing_serial)
        self.bus.send(message, serial=serial)
        self.reply(serial)

    def wait_signal(self, member, seconds=10, path=None):
        """The next signal of that name (on that path): (path, body). Earlier ones that do not fit stay for later calls."""
        deadline = lab.time.monotonic() + tap.patience(seconds)
        while True:
            for message in self.signals:
                fields = message.header.fields
                if fields[HeaderFields.member] == member and path in (None, fields[HeaderFields.path]):
                    self.signals.remove(message)
                    return fields[HeaderFields.path], message.body
            self._receive(max(0, deadline - lab.time.monotonic()))


class Monitor:
    """Everything that passes the bus and fits one of the rules (match rules' texts), from now on."""

    def __init__(self, *rules):
        self.bus = open_dbus_connection(bus="unix:path=/run/dbus/system_bus_socket", enable_fds=True, auth_timeout=SECONDS)
        driver = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus.Monitoring")
        self.bus.send_and_get_reply(new_method_call(driver, "BecomeMonitor", "asu", (list(rules), 0)))

    def messages(self, seconds=10):
        """Each message, one after the other; TimeoutError once they take longer than that in all."""
        deadline = lab.time.monotonic() + tap.patience(seconds)
        while True:
            yield self.bus.receive(timeout=max(0, deadline - lab.time.monotonic()))

    def wait(self, member, seconds=10):
        """The next message of that name: its body. Others are dropped."""
        for message in self.messages(seconds):
            if message.header.fields.get(HeaderFields.member) == member:
                return message.body

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bus.close()


def connect(user=None, descriptors=True):
    """A Connection as user (None: root), which takes descriptors or does not."""
    return Connection(user, descriptors)


@contextlib.contextmanager
def proxy(user):
    """A bus of the user's that passes everything on and can be killed: (address, process)."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        path = f"{folder}/bus"
        with lab.popen_as(user, ["socat", f"UNIX-LISTEN:{path},mode=666", "UNIX-CONNECT:/run/dbus/system_bus_socket"]) as process:
            try:
                lab.wait_for(lambda: os.path.exists(path), 10, "socat's socket")
                yield f"unix:path={path}", process
            finally:
                process.kill()


PATIENCE = 2  # s, PLAN_PATIENCE_USEC of helper/plan.h: so long an open waits for what a lease that has ended still holds


def open_after_end(connection, kind, network, **options):
    """Opens a port whose VLAN or address had another lease, which has just ended. rawnet waits for that; where the kernel takes longer than
    rawnet's patience, the open is refused, and not earlier. After the end it succeeds."""
    start = lab.time.monotonic()
    try:
        return connection.open(kind, network, **options)
    except BusError as error:
        assert error.name in (ERROR + "NetworkBusy", ERROR + "AddressInUse"), error
        assert lab.time.monotonic() - start >= PATIENCE, f"refused without waiting: {error}"
    lab.wait_no_leases(60)
    return connection.open(kind, network, **options)


def owner_of(name):
    """The unique name of the connection that has a name."""
    driver = "org.freedesktop.DBus"
    with connect() as connection:
        return connection.call("/org/freedesktop/DBus", driver, "GetNameOwner", "s", (name,), destination=driver)[0]


def expect_error(name, function, /, *words, **named):
    """Calls function and returns the BusError's text; AssertionError if it succeeds or the name is another.
    name without a dot is org.rawnet1.Error.NAME."""
    full = name if "." in name else ERROR + name
    try:
        result = function(*words, **named)
    except BusError as error:
        assert error.name == full, f"expected {full}, got {error}"
        return error.text
    if isinstance(result, Lease):
        result.close_fds()
    raise AssertionError(f"expected {full}, but it succeeded: {result}")
