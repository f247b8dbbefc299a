#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A polkit agent and a caller in one unprivileged process, driven by lines on stdin, reporting JSON lines on stdout.

Registered for its own process, as pkttyagent(1) does. It never answers itself: the test, as root, tells polkit that the
password was right (AuthenticationAgentResponse2), which is what polkit-agent-helper-1 does after PAM.

    open KIND NETWORK [OPTION=VALUE…]   call OpenTap or OpenPacket, interaction allowed
    quiet KIND NETWORK                  the same without
    close PATH                          Lease.Close, interaction allowed
    done | cancel                       the dialogue is over, or was dismissed by the person
    vanish                              the caller leaves the bus; the agent stays
"""

import json
import os
import sys

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_call, new_method_return
from jeepney.io.blocking import open_dbus_connection

import bus
import waiting

POLKIT = DBusAddress("/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1", "org.freedesktop.PolicyKit1.Authority")
AGENT_PATH = "/org/rawnet/test/agent"


def say(**words):
    print(json.dumps(words), flush=True)


def start_time():
    """Field 22 of /proc/self/stat, proc(5)."""
    with open("/proc/self/stat", encoding="utf-8") as file:
        return int(file.read().rpartition(")")[2].split()[19])


class Agent:
    def __init__(self):
        self.bus = open_dbus_connection(bus="unix:path=/run/dbus/system_bus_socket")
        self.caller = bus.connect()
        self.question = None
        subject = ("unix-process", {"pid": ("u", os.getpid()), "start-time": ("t", start_time())})
        self.bus.send_and_get_reply(new_method_call(POLKIT, "RegisterAuthenticationAgent", "(sa{sv})ss", (subject, "C", AGENT_PATH)))
        self.kinds = {}
        say(event="ready")

    def run(self):
        while True:
            sources = [sys.stdin, self.bus.sock] + ([self.caller.bus.sock] if self.caller else [])
            ready = waiting.readable(sources)
            if self.bus.sock in ready:
                self.each(self.bus, self.on_polkit)
            if self.caller and self.caller.bus.sock in ready:
                self.each(self.caller.bus, self.on_reply)
            if sys.stdin in ready:
                lines = os.read(sys.stdin.fileno(), 65536).decode()  # the test writes whole lines
                if not lines:
                    return
                for line in lines.splitlines():
                    self.on_line(line.split())

    @staticmethod
    def each(connection, handler):
        while True:
            try:
                message = connection.receive(timeout=0)
            except TimeoutError:
                return
            handler(message)

    def on_polkit(self, message):
        if message.header.message_type != MessageType.method_call:
            return
        member = message.header.fields[HeaderFields.member]
        if member == "BeginAuthentication":
            action, text, _icon, details, cookie, identities = message.body
            self.question = message
            say(event="asked", action=action, text=text, details=details, cookie=cookie, identities=[kind for kind, _ in identities])
        elif member == "CancelAuthentication":
            self.bus.send(new_method_return(message))
            say(event="cancelled", cookie=message.body[0])
            self.question = None

    def on_reply(self, message):
        serial = message.header.fields.get(HeaderFields.reply_serial)
        if serial not in self.kinds:
            return
        self.caller.replies[serial] = message
        kind = self.kinds.pop(serial)
        try:
            if kind == "close":
                self.caller.reply(serial)
                say(event="closed")
            else:
                lease = self.caller.opened(kind, serial)
                say(event="opened", path=lease.path, info=lease.info)
        except bus.BusError as error:
            say(event="refused", name=error.name, text=error.text)

    def on_line(self, words):
        if words[0] in ("open", "quiet"):
            options = dict(word.split("=", 1) for word in words[3:])
            self.kinds[self.caller.send_open(words[1], words[2], interactive=words[0] == "open", **options)] = words[1]
        elif words[0] == "close":
            self.kinds[self.caller.send(words[1], bus.LEASE, "Close", interactive=True)] = "close"
        elif words[0] == "done":
            self.bus.send(new_method_return(self.question))
        elif words[0] == "cancel":
            self.bus.send(new_error(self.question, "org.freedesktop.PolicyKit1.Error.Cancelled", "s", ("dismissed",)))
        elif words[0] == "vanish":
            self.caller.close()
            self.caller = None


if __name__ == "__main__":
    Agent().run()
