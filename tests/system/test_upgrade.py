# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemons restarted, killed and upgraded under live leases: none is lost, none of their holders notices."""

import contextlib
import os
import shutil

from jeepney import HeaderFields

import bus
import debian
import frames
import lab
import tap
import vlan

NEWER = "/var/tmp/newer"


class Held:
    """Leases of two users, of each kind, that stay open while something happens to rawnet."""

    def __init__(self, stack):
        self.connections = {user: stack.enter_context(bus.connect(user)) for user in ("member", "member2")}
        self.leases = []
        for user, connection in self.connections.items():
            for kind, options in (("tap", {"name": user}), ("packet", {}), ("packet", {"vnet_hdr": True})):
                self.leases.append(stack.enter_context(connection.open(kind, "vlan100", **options)))
        self.before = self.known()
        assert len(self.before) == 6, self.before
        self.connections["member"].subscribe()

    def known(self):
        return self.connections["member"].leases()

    def check(self):
        """All of them are known as before, and work; nobody was told of an end."""
        # Others, that have just been closed, may be known a moment longer.
        lab.wait_for(lambda: self.known() == self.before, 10, "the same leases as before")
        with frames.WirePort() as trunk, frames.WirePort("wire.100") as far:
            for lease in self.leases:
                port = frames.Port(lease.fd, vnet_hdr=lease.info["vnet-hdr"])
                out = frames.marker(lease.info["mac"], f"still there {lease.id} {os.urandom(3).hex()}")
                port.send(out)
                trunk.wait(out[14:])
                text = os.urandom(46)
                far.send(frames.ether(lease.info["mac"], "02:00:00:00:00:77", frames.TEST, text))
                port.wait(text)
        ended = [fields[HeaderFields.path] for fields in (message.header.fields for message in self.connections["member"].signals)
                 if fields[HeaderFields.member] == "Ended" and fields[HeaderFields.path] in self.before]  # fmt: skip
        assert not ended, ended


@contextlib.contextmanager
def held():
    with contextlib.ExitStack() as stack:
        leases = Held(stack)
        yield leases
        leases.check()
    lab.wait_no_leases(30)
    lab.wait_for(lambda: not vlan.shared(100), 30, "the end of the shared VLAN interface")


def pids():
    return {unit: debian.pid(unit) for unit in ("rawnetd.service", "rawnet-helper.service")}


def all_new(before):
    after = pids()
    assert all(after[unit] and after[unit] != before[unit] for unit in before), (before, after)


def test_ready():
    debian.ready()


def test_restart():
    with held():
        before = pids()
        for unit in before:
            debian.run("systemctl", "restart", unit)
        with bus.connect("member") as member, member.open_tap("vlan100"):
            all_new(before)


def test_restart_of_the_socket():
    with held():
        before = pids()["rawnet-helper.service"]
        debian.run("systemctl", "restart", "rawnet-helper.socket")
        with bus.connect("member") as member, member.open_tap("vlan100"):
            assert debian.pid("rawnet-helper.service") not in (0, before)


def test_killed():
    with held():
        before = pids()
        for unit in before:
            debian.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", unit)
        lab.wait_for(lambda: all(pid and pid != before[unit] for unit, pid in pids().items()), 30, "both to be there again")


def test_stopped_for_a_while():
    """While the daemons are not there, one lease ends. What is left afterwards is what lives."""
    with contextlib.ExitStack() as stack:
        leases = Held(stack)
        debian.run("systemctl", "stop", "rawnetd.service", "rawnet-helper.service")
        gone = leases.leases.pop()
        gone.close_fds()
        del leases.before[gone.path]
        lab.wait_for(lambda: gone.id not in lab.lease_ids(), 10, "the kernel's end of the lease")
        leases.check()
    lab.wait_no_leases(30)


@tap.limit(90)
def test_upgraded():
    """To a package with a higher version."""
    shutil.rmtree(NEWER, ignore_errors=True)
    debian.run("dpkg-deb", "--raw-extract", debian.PACKAGE, NEWER)
    with open(f"{NEWER}/DEBIAN/control", encoding="utf-8") as text:
        control = text.read()
    version = debian.run("dpkg-query", "--show", "--showformat=${Version}", "rawnet")
    with open(f"{NEWER}/DEBIAN/control", "w", encoding="utf-8") as out:
        out.write(control.replace(f"Version: {version}\n", f"Version: {version}+newer\n"))
    debian.run("dpkg-deb", "--root-owner-group", "-Znone", "--build", NEWER, f"{NEWER}.deb")
    with held():
        before = pids()
        debian.apt("install", f"{NEWER}.deb")
        assert debian.run("dpkg-query", "--show", "--showformat=${Version}", "rawnet") == f"{version}+newer"
        with bus.connect("member") as member, member.open_tap("vlan100"):
            all_new(before)
    assert debian.state("rawnet-helper.socket") == "active"
    shutil.rmtree(NEWER)
    os.unlink(f"{NEWER}.deb")


if debian.FULL:

    @tap.limit(90)
    def test_reinstalled():
        with held():
            before = pids()
            debian.apt("install", "--reinstall", debian.PACKAGE)
            with bus.connect("member") as member, member.open_tap("vlan100"):
                all_new(before)

    def test_bus_restarted():
        """dbus-daemon's end disconnects everybody; rawnetd starts anew, leases do not notice."""
        with bus.connect("member") as member, member.open_tap("vlan100") as lease:
            debian.run("systemctl", "restart", "dbus.service")
            with bus.connect("member") as again:
                lab.wait_for(lambda: lease.path in again.leases(), 30, "the lease to be known again")
                assert lab.lease_ids() == [lease.id]


if __name__ == "__main__":
    tap.main()
