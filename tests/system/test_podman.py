# SPDX-License-Identifier: GPL-2.0-or-later
"""Rootless podman of Debian's, as an ordinary user who has logged in: docs/containers.md, typed, and what may happen to containers."""

import contextlib
import json
import os
import socket

import bus
import debian
import documents
import frames
import lab
import processes
import station
import tap
import vlan

IMAGE = "box"
STAY = "tail -f /dev/null"
NEIGHBOUR, NEIGHBOUR6 = "10.77.100.1", "fd77:100::1"
AWAY = "/etc/rawnet/vlan100.conf"  # no network
BUS_SOCKET = "/run/dbus/system_bus_socket"
# podman 4.3 and netavark 1.4 have no network drivers of others; netavark 1.6 was the first.
with open("/etc/debian_version", encoding="ascii") as version:
    HAS_DRIVERS = not version.read().startswith("12")
COMMANDS = "sh tail ip ping wget udhcpc true cat"


def podman(line, user="member", check=True):
    """podman, typed into a login session: what it prints."""
    done = debian.login(user, f"podman {line}", timeout=tap.patience(60))
    tap.diag(f"podman {line}: {done.returncode} {done.stdout.strip()[-300:]} {done.stderr.strip()[-500:]}")
    assert not check or done.returncode == 0, done
    return done.stdout if check else done.stderr


def refused(line, *words, user="member"):
    error = podman(line, user, check=False)
    assert all(word in error for word in words), (line, error)


@contextlib.contextmanager
def running(*names):
    """Removes these containers at the end."""
    try:
        yield
    finally:
        podman(f"rm -f -t 0 {' '.join(names)}")


def field(name, template):
    return podman(f"inspect --format '{{{{{template}}}}}' {name}").strip()


def network_of(name, network="lan"):
    return json.loads(field(name, "json .NetworkSettings.Networks"))[network]


@contextlib.contextmanager
def inside(name):
    """This thread is in the container's network namespace."""
    fd = os.open(f"/proc/{field(name, '.State.Pid')}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with lab.in_namespace(fd):
            yield
    finally:
        os.close(fd)


def leases():
    with bus.connect("member") as connection:
        return connection.leases()


def names():
    return sorted(lease["Name"] for lease in leases().values())


def nothing_left():
    """After the last container is gone."""
    lab.wait_no_leases(30)
    assert not processes.with_word("udhcpc") and not processes.with_word("rawnet\0dhcp"), "a DHCP client is left"
    lab.wait_for(lambda: not vlan.shared(100), 30, "the end of the shared VLAN interface")


def need_drivers():
    if not HAS_DRIVERS:
        tap.skip("this podman has no network drivers of others")


@tap.limit(120)
def test_ready():
    debian.ready()
    root = "/var/tmp/box"
    os.makedirs(f"{root}/bin", exist_ok=True)
    for name in ("etc", "proc", "sys", "dev", "tmp", "root"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    debian.run("cp", "/bin/busybox", f"{root}/bin/busybox")
    for name in COMMANDS.split():
        with contextlib.suppress(FileExistsError):
            os.symlink("busybox", f"{root}/bin/{name}")
    debian.run("tar", "-C", root, "-cf", f"{root}.tar", ".")
    # Each line is typed into a login session of its own; without this the containers would end with it.
    debian.run("loginctl", "enable-linger", "member")
    podman(f"import -q {root}.tar {IMAGE}")


def test_older_podman_says_so():
    """Debian 12."""
    if HAS_DRIVERS:
        tap.skip("this podman has network drivers of others")
    refused("network create -d rawnet --opt network=vlan100 lan", "rawnet")


@tap.limit(120)
def test_attach():
    """To a container without a network, as on Debian 12."""
    typed = documents.block("podman-attach").replace("IMAGE", f"{IMAGE} {STAY}")
    done = debian.login("member", typed, timeout=tap.patience(60))
    tap.diag(f"{done}")
    assert done.returncode == 0, done
    with lab.in_namespace(lab.FAR):
        assert station.ping("10.77.100.77")
    podman("rm -f -t 0 web")
    nothing_left()


@tap.limit(240)
def test_two_commands():
    """An address from the VLAN's DHCP server, both ways with the neighbour, and none to the host."""
    need_drivers()
    create, run = documents.block("podman").splitlines()
    podman(create.removeprefix("podman "))
    with running("web"):
        podman(run.removeprefix("podman ").replace("IMAGE", f"{IMAGE} {STAY}"))
        address = network_of("web")["IPAddress"]
        assert address.startswith("10.77.100."), address
        assert names() == ["web@lan"], names()
        assert "greets" in podman(f"exec web wget -qO- http://{NEIGHBOUR}/")
        with lab.in_namespace(lab.FAR):
            assert station.ping(address)
            client, client6 = socket.socket(), socket.socket(socket.AF_INET6)
        with inside("web"):
            assert station.ping(NEIGHBOUR) and station.ping(NEIGHBOUR6)
            server, server6 = socket.socket(), socket.socket(socket.AF_INET6)
            address6 = global_address()
        station.transfer(server, client, address)
        station.transfer(server6, client6, address6)
        host_is_out_of_reach()
    nothing_left()


def host_is_out_of_reach():
    """The host has an address of the VLAN's subnet, on another interface; nothing that the container says reaches it."""
    debian.run("ip", "address", "add", "10.77.100.250/24", "dev", "eth1")
    try:
        shared = vlan.shared(100)[0]["address"]
        with inside("web"):
            assert not station.ping("10.77.100.250", tries=1)
            debian.run("ip", "neigh", "replace", "10.77.100.250", "lladdr", shared, "dev", "eth0")
            assert not station.ping("10.77.100.250", tries=1)
    finally:
        debian.run("ip", "address", "del", "10.77.100.250/24", "dev", "eth1")


def global_address():
    """The IPv6 address that the kernel has made of a router advertisement."""
    found = []

    def look():
        for link in json.loads(station.command("ip", "-j", "-6", "address", "show", "dev", "eth0", "scope", "global")):
            found.extend(entry["local"] for entry in link.get("addr_info", ()) if entry and not entry.get("tentative"))
        return found

    lab.wait_for(look, 30, "an IPv6 address")
    return found[0]


@tap.limit(240)
def test_no_spoofing():
    """The container's root has every capability there: another MAC address, a VLAN interface, frames of its own making."""
    need_drivers()
    with running("evil"):
        podman(f"run -d --name evil --network lan --cap-add NET_ADMIN --cap-add NET_RAW {IMAGE} {STAY}")
        with frames.WirePort() as trunk, inside("evil"):
            mac = own_mac()
            spoofed = frames.marker("02:00:00:00:00:66", "another source")
            tagged = frames.tagged(frames.marker(mac, "in another VLAN"), (frames.VLAN, 200))
            honest = frames.marker(mac, "its own source")
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
                raw.bind(("eth0", 0))
                for frame in (spoofed, tagged, honest):
                    raw.send(frame)
            # Frames keep their order: what was sent before the honest one would have been seen.
            seen = trunk.before(honest[14:])
            for text in (b"another source", b"in another VLAN"):
                assert not [frame for frame in seen if text in frame], seen
        steps = ("link set eth0 down", "link set eth0 address 02:00:00:00:00:66", "link set eth0 up",
                 "link add link eth0 name tag type vlan id 200", "address add 10.77.200.66/24 dev tag", "link set tag up")  # fmt: skip
        podman(f"exec evil sh -ec '{'; '.join(f'ip {step}' for step in steps)}'")
        with inside("evil"):
            assert own_mac() == "02:00:00:00:00:66"
            assert not station.ping(NEIGHBOUR, tries=1) and not station.ping("10.77.200.1", tries=1)


def own_mac():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as probe:
        probe.bind(("eth0", 0))
        return frames.mac_text(probe.getsockname()[4])


@tap.limit(240)
def test_two_containers():
    """They talk in bridge mode, and not in private mode."""
    need_drivers()
    with running("one", "two"):
        podman(f"run -d --name one --network lan {IMAGE} {STAY}")
        # Its network namespace belongs to a user namespace below podman's.
        podman(f"run -d --name two --network lan --userns keep-id {IMAGE} {STAY}")
        other = network_of("two")["IPAddress"]
        with inside("one"):
            assert station.ping(other)


@tap.limit(240)
def test_two_private_containers():
    need_drivers()
    with debian.network("apart", VLAN=300, Mode="private"):
        podman("network create -d rawnet --opt network=apart --subnet 10.77.30.0/24 apart")
        with running("one", "two"):
            for name in ("one", "two"):
                podman(f"run -d --name {name} --network apart {IMAGE} {STAY}")
            second = network_of("two", "apart")["IPAddress"]
            assert second.startswith("10.77.30."), second
            with inside("one"):
                assert not station.ping(second, tries=1)
        podman("network rm apart")
        lab.wait_no_leases(30)


@tap.limit(240)
def test_connect_restart_kill():
    """A second network comes and goes; the MAC address stays over a restart; a killed container leaves nothing."""
    need_drivers()
    podman(documents.block("podman-subnet").removeprefix("podman "))
    with running("web"):
        podman(f"run -d --name web --network lan {IMAGE} {STAY}")
        podman("network connect fixed web")
        assert names() == ["web@fixed", "web@lan"], names()
        fixed = network_of("web", "fixed")
        with lab.in_namespace(lab.FAR):
            assert station.ping(fixed["IPAddress"])
        podman("network disconnect lan web")
        lab.wait_for(lambda: names() == ["web@fixed"], 10, "the end of the first lease")
        assert not processes.with_word("rawnet\0dhcp"), "the DHCP client is still there"
        podman("restart -t 0 web")
        assert network_of("web", "fixed")["MacAddress"] == fixed["MacAddress"]
        podman("kill -s KILL web")
        lab.wait_no_leases(30)
        podman("start web")
        assert names() == ["web@fixed"], names()
    podman("network rm fixed")
    nothing_left()


@tap.limit(240)
def test_pod_with_two_networks():
    """All containers of a pod share its interfaces. The MAC address is the one that was asked for."""
    need_drivers()
    with debian.network("second", VLAN=300):
        podman("network create -d rawnet --opt network=second --ipam-driver none second")
        try:
            podman("pod create --name pod --network lan:mac=52:54:00:00:00:99,interface_name=lan0 --network second")
            podman(f"run -d --pod pod --name inner {IMAGE} {STAY}")
            assert sorted(lease["Network"] for lease in leases().values()) == ["second", "vlan100"], leases()
            shown = podman("exec inner ip address")
            tap.diag(shown)
            assert "52:54:00:00:00:99" in shown and shown.count("inet 10.77.") == 1, shown
        finally:
            podman("pod rm -f -t 0 pod")
        podman("network rm second")
        lab.wait_no_leases(30)


@tap.limit(240)
def test_removed_while_the_bus_is_away():
    need_drivers()
    podman(f"run -d --name late --network lan {IMAGE} {STAY}")
    os.rename(BUS_SOCKET, f"{BUS_SOCKET}.away")
    try:
        # Without a login: that needs the bus.
        runtime = f"XDG_RUNTIME_DIR=/run/user/{lab.uid_of('member')}"
        tap.diag(debian.run("runuser", "-u", "member", "--", "env", runtime, "HOME=/home/member", "podman", "rm", "-f", "-t", "0", "late",
                            timeout=tap.patience(60), cwd="/home/member"))  # fmt: skip
    finally:
        os.rename(f"{BUS_SOCKET}.away", BUS_SOCKET)
    nothing_left()


@tap.limit(240)
def test_errors_are_sentences():
    need_drivers()
    refused("network create -d rawnet other", "--opt network=NAME")
    refused("network create -d rawnet --opt network=nowhere other", "nowhere", "there is no such network")
    refused("network create -d rawnet --opt network=vlan100 --opt vlan=7 other", "no --opt 'vlan'")
    refused("network create -d rawnet --opt network=vlan100 other", "group rawnet", user="outsider")
    refused(f"run --rm --network lan:mac=02:00:00:00:00:01 {IMAGE} true", "02:00:00:00:00:01", "MACPrefix=")
    refused(f"run --rm --network lan --mac-address 02:00:00:00:00:01 {IMAGE} true", "02:00:00:00:00:01", "MACPrefix=")
    os.rename(debian.NETWORK_FILE, AWAY)
    try:
        refused(f"run --rm --network lan {IMAGE} true", "vlan100", "there is no such network")
    finally:
        os.rename(AWAY, debian.NETWORK_FILE)


@tap.limit(240)
def test_network_that_chooses_every_address():
    """MACChoice=derived."""
    need_drivers()
    with debian.network("chosen", VLAN=300, MACChoice="derived"):
        podman("network create -d rawnet --opt network=chosen --ipam-driver none chosen")
        try:
            refused(f"run --rm --network chosen --mac-address 52:54:00:00:00:98 {IMAGE} true", "MACChoice=derived", "leave mac out")
            podman(f"run --rm --name free --network chosen {IMAGE} true")
        finally:
            podman("network rm -f chosen")
        lab.wait_no_leases(30)


@tap.limit(120)
def test_nothing_is_left():
    podman("rm -f -a -t 0")
    podman("network prune -f")
    nothing_left()
    debian.run("loginctl", "disable-linger", "member")
    names_left = [name for name in os.listdir(f"/run/user/{lab.uid_of('member')}/netns")] if HAS_DRIVERS else []
    assert not names_left, names_left


if __name__ == "__main__":
    tap.main()
