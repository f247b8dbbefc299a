# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user sees who asks for a port that cannot be had: rawnetctl's one line with what it is about and what to do, its exit status,
and no lease, interface or namespace left. `rawnetctl check` says the same of the networks beforehand."""

import contextlib
import os
import socket
import struct
import subprocess

import bus
import frames
import lab
import tap
import unfit

MAC = "52:54:00:aa:00:07"
FAR_MAC = "02:00:00:00:77:01"  # a station on the far side that the neighbour's kernel knows nothing of


def refused(network, *said, kind="tap", options=()):
    """One line with all of these words, and the status of a command that was not run."""
    before = set(lab.links())
    done = lab.run_as("member", ["rawnetctl", "run", "--kind", kind, *options, network, "--", "true"], timeout=30)
    tap.diag(done.stderr.strip())
    assert done.returncode == 125 and not done.stdout, done
    assert done.stderr.startswith("rawnetctl: ") and len(done.stderr.splitlines()) == 1, done.stderr
    missing = [words for words in said if words not in done.stderr]
    assert not missing, f"{missing} is not in: {done.stderr}"
    # The namespace of an open that failed late goes like any other: a moment after its last process.
    lab.wait_no_leases()
    lab.wait_for(lambda: set(lab.links()) == before, 10, "the host's interfaces as they were")


def checked(network, *said):
    """rawnetctl check says so, too, once rawnetd has seen the file."""
    with bus.connect("member") as connection:
        lab.wait_for(lambda: network in connection.networks(), 10, "the network")
    done = lab.run_as("member", ["rawnetctl", "check", network])
    assert done.returncode == 1, done
    missing = [words for words in said if words not in done.stdout]
    assert not missing, f"{missing} is not in: {done.stdout}"


def works(network="lab", kind="tap", options=()):
    lab.run_as("member", ["rawnetctl", "run", "--kind", kind, *options, network, "--", "true"], check=True)
    lab.wait_no_leases()


def sh(text):
    subprocess.run(text, shell=True, check=True, capture_output=True)


@contextlib.contextmanager
def parent(up=True):
    sh("ip link add parent0 type veth peer name peer0" + (" && ip link set parent0 up && ip link set peer0 up" if up else ""))
    try:
        yield
    finally:
        sh("ip link del parent0")


# -- the network's file


def test_file_with_a_mistake():
    with lab.network("wrong", text="[Network]\nParent=wire0\nVLAN=4095\n") as path:
        for kind in ("tap", "packet"):
            refused("wrong", "network wrong", f"{path}:3: ", "VLAN=", "1 to 4094", kind=kind)
        checked("wrong", f"{path}:3: ")


def test_name_too_long():
    """Never cut off: another network may have the shorter name."""
    with lab.network("n" * 32):
        refused("n" * 33, "n" * 33, "longer than 32", "rawnetctl networks")
        works("n" * 32)
    refused("lab", "--name", "65", "1 to 64", options=["--name", "v" * 65])
    works(options=["--name", "v" * 64])
    with lab.network("far", Parent="p" * 16) as path:
        refused("far", f"{path}:2: ", "Parent=", "at most 15")


# -- its parent


def test_parent_missing():
    with lab.network("away", Parent="parent0") as path:
        refused("away", "network away", "no interface parent0", "Parent=", path)
        checked("away", "parent0", "Parent=")


def test_parent_down():
    with parent(up=False), lab.network("asleep", Parent="parent0"):
        refused("asleep", "network asleep", "parent0 is down", "ip link set parent0 up")
        checked("asleep", "parent0", "down", "ip link set parent0 up")


def test_parent_is_a_bridge_port():
    with parent(), lab.network("port", Parent="parent0"):
        if subprocess.run("ip link add br-test type bridge", shell=True, check=False, capture_output=True).returncode:
            tap.skip("no bridge in this kernel")
        try:
            sh("ip link set parent0 master br-test")
            refused("port", "network port", "parent0 is a port of another interface", "Parent=", "out of it")
            checked("port", "parent0 is a port of another interface (bridge)", "Parent=")
        finally:
            sh("ip link del br-test")


def test_parent_is_wireless():
    """Played: /sys shows an 802.11 interface in place of the veth. No kernel here has mac80211_hwsim."""
    with parent(), lab.network("air", Parent="parent0"):
        works("air")
        shown = os.path.realpath("/sys/class/net/parent0")
        sh(f"mount -t tmpfs none {shown}")
        try:
            os.mkdir(f"{shown}/phy80211")
            with open(f"{shown}/uevent", "w", encoding="ascii") as file:
                file.write("DEVTYPE=wlan\nINTERFACE=parent0\nIFINDEX=7\n")
            refused("air", "network air", "parent0 is a wireless station", "one MAC address", "wired")
            checked("air", "parent0", "wireless station")
        finally:
            sh(f"umount {shown}")
        works("air")


# -- addresses, and who has what


def test_mac_out_of_policy():
    with lab.network("ours", MACPrefix="52:54:00"):
        for mac, *said in (("02:00:00:00:00:01", "begins with 52:54:00"), ("53:54:00:00:00:01", "unicast")):
            refused("ours", "network ours", mac, "leave mac out", *said, options=["--mac", mac])


def test_mac_in_use():
    with bus.connect("member2") as other, other.open_tap("lab", mac=MAC):
        before = lab.lease_ids()
        done = lab.run_as("member", ["rawnetctl", "run", "--mac", MAC, "lab", "--", "true"])
        tap.diag(done.stderr.strip())
        assert done.returncode == 125 and all(word in done.stderr for word in ("lab", MAC, "in use", "choose another")), done
        lab.wait_for(lambda: lab.lease_ids() == before, 10, "the end of what was tried")
    lab.wait_no_leases()
    works(options=["--mac", MAC])


def test_exclusive_network_is_taken():
    lab.need_vlan()
    with bus.connect("member2") as other, other.open_tap("vlan200"):
        done = lab.run_as("member", ["rawnetctl", "run", "vlan200", "--", "true"])
        tap.diag(done.stderr.strip())
        assert done.returncode == 125 and all(word in done.stderr for word in ("network vlan200", "VLAN 200", "another lease", "rawnetctl list")), done
    lab.wait_no_leases()
    works("vlan200")


# -- the kernel


def test_no_vlans():
    with contextlib.ExitStack() as stack:
        if lab.has_vlan():
            stack.enter_context(unfit.kernel_without("vlan"))
        stack.enter_context(lab.network("tagged", VLAN="77"))
        refused("tagged", "network tagged", "no 802.1Q", "VLAN 77", "8021q", "VLAN=none")
        refused("tagged", "network tagged", "no 802.1Q", kind="packet")
        checked("tagged", "no 802.1Q", "VLAN 77", "8021q", "VLAN=none")
        with lab.network("alone", VLAN="78", Mode="exclusive"):
            refused("alone", "network alone", "no 802.1Q", "VLAN 78", "8021q", "VLAN=none")
        works()


def test_no_egress_hook():
    """Packet ports cannot be guarded then, and are refused; taps serve."""
    with lab.network("packets", Kinds="packet"), unfit.kernel_without("egress"):
        works()
        for network, options in (("packets", ()), ("lab", ("--queues", "2")), ("lab", ("--vnet-hdr=yes",))):
            refused(network, f"network {network}", "no nf_tables egress hook", "CONFIG_NETFILTER_EGRESS", "kind tap", kind="packet", options=options)
        checked("packets", "egress hook", "Kinds=tap")
        works()
    works(kind="packet")


def test_no_ebpf():
    """Nothing guards a port then, so there is none of any kind."""
    with unfit.no_bpf():
        for kind in ("tap", "packet"):
            refused("lab", "network lab", "eBPF", "CAP_BPF", kind=kind)
        checked("lab", "eBPF", "CAP_BPF")
    works()


def test_no_traffic_control():
    for what, words in (("ingress", ("qdisc ingress", "sch_ingress")), ("cls_bpf", ("filter bpf", "cls_bpf"))):
        with unfit.kernel_without(what):
            for kind in ("tap", "packet"):
                refused("lab", "network lab", *words, kind=kind)
            checked("lab", *words)
    works()


def test_a_guard_that_does_not_hold():
    """The kernel takes all of it, and a frame that is sent past the port leaves: the helper has tried that at its start."""
    with unfit.kernel_without("gate"):
        for kind in ("tap", "packet"):
            refused("lab", "network lab", "did not work", "journal", kind=kind)
        checked("lab", "did not work")
    works()


REQUEST, DATAGRAM = b"\1a DHCP request", b"\1some datagram"


def unfinished(mac, port, data):
    """A datagram whose checksum its sender leaves to the kernel: (frame, virtio_net_hdr)."""
    packet = frames.udp("10.77.0.99", "10.77.0.1", 68, port, data.ljust(300, b"\0"), complete=False)
    return frames.ether(FAR_MAC, mac, frames.IPV4, packet), frames.vnet_header(frames.NEEDS_CSUM, start=34, offset=6)


def segmented(mac):
    """TCP over IPv6, 6,000 bytes of it, for the kernel to cut."""
    size = 6000
    pseudo = socket.inet_pton(socket.AF_INET6, "fd77::99") + socket.inet_pton(socket.AF_INET6, "fd77::1") + struct.pack("!II", 20 + size, 6)
    header = struct.pack("!HHIIBBHHH", 40000, 9, 1, 1, 5 << 4, 0x18, 1024, ~frames.checksum(pseudo) & 0xFFFF, 0)
    packet = frames.ipv6("fd77::99", "fd77::1", 6, header + bytes(size))
    return frames.ether(FAR_MAC, mac, frames.IPV6, packet), frames.vnet_header(frames.NEEDS_CSUM, 4, 74, 1440, 54, 16)


def is_finished(frame):
    udp = frame[34:342]
    return frames.checksum(frame[26:34] + b"\0\x11" + len(udp).to_bytes(2, "big") + udp) == 0


def test_checksums_of_unknown_place():
    """Nothing is refused there. What the guard has to judge is completed first, and anything else leaves as it is: the wire, which does
    not complete it either, shows which way a frame took."""
    with bus.connect("member") as connection, unfit.checksums_of_unknown_place(connection):
        for kind, options in (("tap", {}), ("packet", {"vnet_hdr": True})):
            with connection.open(kind, "lab", **options) as lease, frames.WirePort() as wire:
                port = frames.Port(lease.fd, True)
                for to, data in ((67, REQUEST), (9, DATAGRAM)):
                    port.send(*unfinished(lease.info["mac"], to, data))
                port.send(*segmented(lease.info["mac"]))
                port.send(frames.marker(lease.info["mac"], f"after {lease.id}"))
                seen = {frame[42:].rstrip(b"\0"): frame for frame in wire.before(f"after {lease.id}".encode(), 20)}
                assert REQUEST in seen and DATAGRAM in seen, f"{kind}: an unfinished frame did not arrive: {seen}"
                assert is_finished(seen[REQUEST]), f"{kind}: the request was not completed"
                assert not is_finished(seen[DATAGRAM]), f"{kind}: every frame is completed"
                assert any(len(frame) > 6000 for frame in seen.values()), f"{kind}: segments of TCP over IPv6 are cut for nothing"
    lab.wait_no_leases()


def test_no_user_namespaces():
    with unfit.no_user_namespaces():
        for kind in ("tap", "packet"):
            refused("lab", "network lab", "user", "namespace", "max_user_namespaces", kind=kind)
        checked("lab", "user namespaces")
    works()


@contextlib.contextmanager
def limit(name, value):
    """What /proc/sys/user says in this lab; the machine's limit is not touched."""
    with open("/run/limit", "w", encoding="ascii") as file:
        file.write(f"{value}\n")
    subprocess.run(["mount", "--bind", "/run/limit", f"/proc/sys/user/{name}"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", f"/proc/sys/user/{name}"], check=True)


def test_limits_on_namespaces_are_reported_in_advance():
    """A note of check. tests/system/test_faults.py has limits that are used up, which the rehearsal of a port finds."""
    def check():
        done = lab.run_as("member", ["rawnetctl", "check", "lab"])
        assert done.returncode == 0, done
        return done.stdout

    assert "namespaces" not in check()
    with bus.connect("member") as connection, connection.open_tap("lab"):
        for name in ("max_net_namespaces", "max_user_namespaces"):
            for value, left in ((3, 2), (16, 15)):
                with limit(name, value):
                    text = check()
                assert f"note: network lab: user.{name} is {value}, which leaves {left} more on all networks" in text, text
            for value in (1, 17):
                with limit(name, value):
                    assert name not in check()
    lab.wait_no_leases()


def test_no_vhost_net():
    present = os.path.exists("/dev/vhost-net")
    if present:
        os.rename("/dev/vhost-net", "/dev/.vhost-net")
    try:
        lab.restart("rawnet-helper")
        refused("lab", "network lab", "/dev/vhost-net", "modprobe vhost_net", "leave vhost out", options=["--vhost"])
        works()
    finally:
        if present:
            os.rename("/dev/.vhost-net", "/dev/vhost-net")
        lab.restart("rawnet-helper")


# -- those who must be asked


def test_helper_not_running():
    lab.stop("rawnet-helper")
    os.rename(lab.HELPER_SOCKET, lab.HELPER_SOCKET + ".away")
    try:
        refused("lab", "lab", "rawnet-helper", "systemctl status rawnet-helper.socket")
    finally:
        os.rename(lab.HELPER_SOCKET + ".away", lab.HELPER_SOCKET)
        lab.start("rawnet-helper")
    works()


def test_polkitd_not_running():
    lab.stop("polkitd")
    try:
        for kind in ("tap", "packet"):
            refused("lab", "lab", "polkit is not running", "systemctl status polkit", kind=kind)
    finally:
        lab.start("polkitd")
    with bus.connect("member") as connection:
        lab.wait_for(lambda: may_open(connection), 20, "polkitd's start")
    works()


def may_open(connection):
    try:
        return connection.can_open("lab", "tap") == "yes"
    except bus.BusError:
        return False


if __name__ == "__main__":
    tap.main()
