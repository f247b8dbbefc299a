# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's session mode as an ordinary user has it: one line of set-up, and guests on VLAN 100 whose MAC rawnet never heard of.
One is a small Linux, which drives a card that is plugged in and is still there when it has been restored; the others are the network
boot ROM that QEMU brings: that it accepts the DHCP offer shows both directions."""

import contextlib
import os
import re
import socket
import subprocess

import bus
import console
import debian
import documents
import frames
import lab
import nested
import tap

# One domain lives through several tests: the runner is not to look for what is left after each; the last test does.
os.environ.pop("RAWNET_LAB", None)

BOOT_SECONDS = 60  # of a nested guest
# What a reader of the documents has: the line of set-up, and the interfaces.
SETUP = documents.block("libvirt-conf").strip()
BRIDGE = documents.block("libvirt-interface")
SHARED, VHOSTUSER = documents.block("vhost-libvirt-memory"), documents.block("vhost-libvirt-interface")
DOMAIN = """<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>96</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='network'/></os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    """ + BRIDGE.replace("<source", "<mac address='{mac}'/><source") + """
  </devices>
</domain>
"""
# A packet port, served by rawnet-vhost: the guest's memory is shared with it.
SERVED = (DOMAIN.replace("  <os>", f"  {SHARED}\n  <os>")
          .replace(BRIDGE.replace("<source", "<mac address='{mac}'/><source"), VHOSTUSER.replace("52:54:00:f0:00:01", "{mac}")
                   .replace("/run/user/1000/rawnet-vlan100.sock", "{socket}")))  # fmt: skip
# Where it has virtualization it keeps to one processor, as nested.py says.
TYPE, CPU, PINNED = ("kvm", "host-passthrough", "cpuset='1'") if nested.EMULATED else ("qemu", "maximum", "")
LINUX = f"""<domain type='{TYPE}'>
  <name>{{name}}</name>
  <memory unit='MiB'>160</memory>
  <vcpu {PINNED}>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{nested.KERNEL}</kernel><initrd>{nested.INITRD}</initrd><cmdline>{nested.WORDS}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='{CPU}'/>
""" + DOMAIN[DOMAIN.index("  <devices>"):].replace(
    "    <memballoon", "    <serial type='unix'><source mode='bind' path='/home/member/{name}.console'/></serial>\n    <memballoon")
sessions = {}


def virsh(line, user="member", timeout=170):
    return debian.login(user, f"virsh --quiet --connect qemu:///session {line}", timeout)


def good(line, **options):
    done = virsh(line, **options)
    assert done.returncode == 0, f"virsh {line}: {done.stdout}{done.stderr}"
    return done.stdout


def log_in(user, setup=SETUP):
    """A session that stays, as of somebody at a desk: /run/user/UID and libvirtd in it live as long."""
    sessions[user] = subprocess.Popen(["runuser", "-l", user, "-c", "echo in; exec tail -f /dev/null"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert sessions[user].stdout.readline() == "in\n"
    line = f"mkdir -p ~/.config/libvirt && echo '{setup}' > ~/.config/libvirt/qemu.conf"
    assert debian.login(user, line if setup else "rm -f ~/.config/libvirt/qemu.conf").returncode == 0


def write_domain(user, name, mac, domain=DOMAIN, **words):
    with open(f"/home/{user}/{name}.xml", "w", encoding="utf-8") as out:
        out.write(domain.format(name=name, mac=mac, **words))


@contextlib.contextmanager
def accepts_offer(mac):
    """Inside, something has to make that guest boot: it accepts its address on VLAN 100."""
    with frames.WirePort("wire.100") as far:
        yield
        source = frames.mac_bytes(mac)
        far.wait(lambda frame: frame[6:12] == source and b"\x63\x82\x53\x63\x35\x01\x03" in frame, BOOT_SECONDS)


def leases():
    with bus.connect("member") as member:
        return list(member.leases().values())


class Desk(console.Console):
    """The Linux guest's console, while its QEMU runs. The far side is that of VLAN 100."""

    neighbour, size = "10.77.100.1", 200_000

    def __init__(self):
        line = socket.socket(socket.AF_UNIX)
        line.connect("/home/member/desk.console")
        self.attach(line.makefile("r", encoding="utf-8", errors="replace"), line.makefile("w", encoding="utf-8"))

    def ended(self):
        return virsh("domstate desk").stdout.strip()


MAC, PLUGGED = "52:54:00:1b:00:01", "52:54:00:1b:00:02"
desks = []


@contextlib.contextmanager
def seen_from(mac):
    """Inside, that card has to say something that reaches the far side of VLAN 100."""
    with frames.WirePort("wire.100") as far:
        yield
        source = frames.mac_bytes(mac)
        far.wait(lambda frame: frame[6:12] == source)


def test_ready():
    debian.ready()
    nested.ready()
    log_in("member")
    # The first call starts libvirtd, which tries what its QEMU can do.
    good("list")


@tap.limit(console.BOOT_SECONDS + 30)
def test_defined_and_started():
    write_domain("member", "desk", MAC, LINUX)
    good("define desk.xml")
    good("start desk")
    desk = Desk().boot()
    desks.append(desk)
    with seen_from(MAC):
        desk.run("get_address")
    desk.move()
    (lease,) = leases()
    assert (lease["MAC"], lease["VLAN"], lease["Owner"]) == (MAC, 100, lab.uid_of("member")), lease
    target = re.search(r"<target dev='([^']+)'/>", good("dumpxml desk"))[1]
    assert target == lease["Interface"], (target, lease)
    # virsh's name for it does for rawnetctl.
    done = debian.login("member", f"rawnetctl stat {target}")
    assert done.returncode == 0 and "\nreceived  " in done.stdout, done
    assert virsh(f"domifstat desk {target}").returncode != 0, "domifstat works"


@tap.limit(120)
def test_second_card_plugged_in():
    """The guest finds it, and has its address and its data by it alone."""
    (desk,) = desks
    good(f"attach-interface desk bridge vlan100 --model virtio --mac {PLUGGED} --live")
    lab.wait_for(lambda: len(leases()) == 2, 20, "a second lease")
    assert sorted(lease["MAC"] for lease in leases()) == ["", MAC]
    desk.run(console.appears("eth1"))
    assert desk.run("cat /sys/class/net/eth1/address") == PLUGGED
    desk.run("ip link set eth0 down")
    with seen_from(PLUGGED):
        desk.run("get_address eth1")
    desk.move()
    assert sorted(lease["MAC"] for lease in leases()) == [MAC, PLUGGED]


def test_libvirtd_killed():
    before = sorted(lab.lease_ids())
    debian.run("pkill", "-KILL", "-u", "member", "-x", "libvirtd")
    assert "running" in good("domstate desk")
    assert sorted(lab.lease_ids()) == before
    desks[0].move()


@tap.limit(BOOT_SECONDS + 60)
def test_managed_save_and_restore():
    """New leases, which learn the old addresses from a guest that has not noticed."""
    desks[0].run("ip link set eth0 up")
    good("managedsave desk")
    lab.wait_no_leases(30)
    good("start desk")
    assert "running" in good("domstate desk")
    lab.wait_for(lambda: len(leases()) == 2, 20, "the leases of the restored guest")
    desk = Desk()
    desks[:] = [desk]
    with seen_from(PLUGGED):
        desk.move()
    desk.run("ip link set eth1 down")
    with seen_from(MAC):
        desk.run("get_address")
    desk.move()
    assert sorted(lease["MAC"] for lease in leases()) == [MAC, PLUGGED]


def test_shut_down():
    desks[0].say("poweroff -f")
    lab.wait_for(lambda: "shut off" in good("domstate desk"), 20, "the guest's end")
    lab.wait_no_leases(30)
    good("undefine desk")


def test_what_session_mode_cannot_do():
    """As docs/getting-started.md and rawnet-bridge-helper(1) have it, so that neither says more than holds."""
    for number, extra in enumerate(("<mtu size='1400'/>", "<bandwidth><inbound average='1000'/></bandwidth>", "<filterref filter='clean-traffic'/>")):
        write_domain("member", "cannot", f"52:54:00:1b:00:1{number}", DOMAIN.replace("</interface>", f"{extra}</interface>"))
        done = virsh("create cannot.xml")
        tap.diag(done.stderr.strip())
        assert done.returncode != 0, extra
        assert not lab.lease_ids()


@tap.limit(BOOT_SECONDS + 30)
def test_transient():
    mac = "52:54:00:1b:00:03"
    write_domain("member", "passing", mac)
    with accepts_offer(mac):
        good("create passing.xml")
    good("destroy passing")
    lab.wait_no_leases(30)


@tap.limit(2 * BOOT_SECONDS + 60)
def test_vhostuser():
    """The other kind of port, by the user unit: one guest after the other at the same socket. The lease is the back end's."""
    socket = f"/run/user/{lab.uid_of('member')}/rawnet-vlan100.sock"
    bus.wait_none_listed()
    assert debian.login("member", "systemctl --user start rawnet-vhost@vlan100").returncode == 0
    lab.wait_for(lambda: leases() and os.path.exists(socket), 20, "the back end")
    (lease,) = leases()
    assert (lease["Kind"], lease["Owner"]) == ("packet", lab.uid_of("member")), lease
    write_domain("member", "served", lease["MAC"], SERVED, socket=socket)
    for _ in range(2):
        with accepts_offer(lease["MAC"]):
            good("create served.xml")
        assert "vhostuser" in good("dumpxml served") and leases() == [lease]
        good("destroy served")
    assert debian.login("member", "systemctl --user stop rawnet-vhost@vlan100").returncode == 0
    lab.wait_no_leases(30)
    assert not os.path.exists(socket)


def test_refused_with_polkit_s_reason():
    log_in("outsider")
    write_domain("outsider", "refused", "52:54:00:1b:00:04")
    done = virsh("create refused.xml", "outsider")
    assert done.returncode != 0, done
    tap.diag(done.stderr)
    assert "vlan100" in done.stderr and "password is needed" in done.stderr, done.stderr
    assert not lab.lease_ids()


def test_logged_out():
    for user, session in sessions.items():
        debian.run("loginctl", "terminate-user", user)
        session.wait(30)
    lab.wait_no_leases(30)


if __name__ == "__main__":
    tap.main()
