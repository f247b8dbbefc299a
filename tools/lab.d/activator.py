# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays systemd's part for dbus-broker, which starts no program by itself: it asks org.freedesktop.systemd1 for a unit.

Only the project's own unit is known. What systemd would read from that file the lab reads from the activation file, as dbus-daemon does:
the command and its user.
"""

import configparser

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_call, new_method_return, new_signal
from jeepney.io.blocking import open_dbus_connection

from daemons import Daemon

NAME, PATH, MANAGER = "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
UNIT_PATH = f"{PATH}/unit/rawnetd_2eservice"
SERVICE_FILE = "/usr/share/dbus-1/system-services/org.rawnet1.service"
OWNER = 1  # RequestName's answer: primary owner (D-Bus Specification)


class Activator:
    """Owns org.freedesktop.systemd1 on the bus. `daemon` is rawnetd."""

    def __init__(self, supervisor):
        self.supervisor = supervisor
        self.daemon = supervisor.add(Daemon("rawnetd", []))
        self.owner = False
        self.again = False  # it is leaving, and wanted again
        self.job = 0  # the last one's number; open until it is ready or has ended
        self.job_open = False
        self.bus = open_dbus_connection(bus="unix:path=/run/dbus/system_bus_socket", auth_timeout=20)
        driver = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
        # What is sent to the name may come before the answer.
        self.bus.send(new_method_call(driver, "RequestName", "su", (NAME, 0)))
        supervisor.watch(self.bus.sock, self.on_messages)

    def on_messages(self):
        while True:
            try:
                message = self.bus.receive(timeout=0)
            except TimeoutError:
                return
            except ConnectionResetError:  # the bus has ended, and the lab's purpose with it
                self.supervisor.selector.unregister(self.bus.sock)
                return
            if message.header.message_type == MessageType.method_return:
                self.owner |= message.body == (OWNER,)
            elif message.header.message_type == MessageType.method_call:
                self.answer(message)

    def answer(self, call):
        member, unit = call.header.fields[HeaderFields.member], call.body[0] if call.body else None
        if member == "Subscribe":
            reply = new_method_return(call)
        elif unit != "rawnetd.service":
            reply = new_error(call, f"{NAME}.NoSuchUnit", "s", (f"the lab has no {unit}",))
        elif member == "LoadUnit":
            reply = new_method_return(call, "o", (UNIT_PATH,))
        elif member == "StartUnit":
            self.start()
            reply = new_method_return(call, "o", (self.job_path(),))
        else:
            reply = new_error(call, "org.freedesktop.DBus.Error.UnknownMethod", "s", (f"the lab has no {member}",))
        self.bus.send(reply)

    def job_path(self):
        return f"{PATH}/job/{self.job}"

    def start(self):
        """A new job. One that still runs is left alone, unless it is leaving: then it is started again after its end."""
        self.job += 1
        self.job_open = True
        if self.daemon.pid:
            self.again = self.daemon.stopping
            return
        file = configparser.ConfigParser(interpolation=None)
        file.read(SERVICE_FILE)
        service = file["D-BUS Service"]
        self.daemon.command = ["setpriv", f"--reuid={service['User']}", f"--regid={service['User']}", "--init-groups",
                               *service["Exec"].split()]  # fmt: skip
        self.daemon.start()

    def changed(self):
        """The daemon is ready, or has ended."""
        if self.again and not self.daemon.pid:
            self.again = False
            self.daemon.start()
        elif self.job_open and (self.daemon.ready or not self.daemon.pid):
            self.job_open = False
            result = "done" if self.daemon.ready else "failed"
            self.bus.send(new_signal(DBusAddress(PATH, interface=MANAGER), "JobRemoved", "uoss",
                                     (self.job, self.job_path(), "rawnetd.service", result)))  # fmt: skip
