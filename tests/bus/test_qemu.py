# SPDX-License-Identifier: GPL-2.0-or-later
"""Stock QEMU of the distribution at each of rawnet's doors, with software emulation, as an unprivileged user without capabilities.

The guest is iPXE, the default option ROM of virtio-net-pci: without a disk it does DHCP by itself. What counts is what the
neighbour's DHCP server has seen: the guest's MAC, and an acknowledged address. (tests/vm/test_qemu.py has the same with VLANs.)"""

import contextlib
import json
import re
import shlex
import shutil

import bus
import lab
import tap

QEMU = "qemu-system-x86_64"
LINE = [QEMU, "-nodefaults", "-accel", "tcg", "-machine", "q35", "-m", "64", "-display", "none", "-serial", "none", "-monitor", "none"]
HELPER = "/usr/libexec/rawnet/rawnet-bridge-helper"
SECONDS = 200  # under emulation within emulation


def need_qemu():
    if not shutil.which(QEMU):
        tap.skip("no qemu-system-x86_64 on this machine")


def dhcp_of(mac):
    """What dnsmasq has said to that MAC: {'DISCOVER', 'OFFER', 'REQUEST', 'ACK'}."""
    text = lab.log_of("dnsmasq")
    return {word for word in ("DISCOVER", "OFFER", "REQUEST", "ACK") if re.search(rf"DHCP{word}\([^)]*\).* {mac}\b", text)}


@contextlib.contextmanager
def guest(words, **options):
    """A QEMU while the block runs; ended with SIGTERM, which only QEMU turns into status 0."""
    process = lab.popen_as("member", words, stdout=lab.subprocess.PIPE, stderr=lab.subprocess.STDOUT, stdin=lab.subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            out = process.communicate(timeout=tap.patience(60))[0]
        except lab.subprocess.TimeoutExpired:
            process.kill()
            out = process.communicate()[0]
        if out and out.strip():
            tap.diag(f"{words[0]} said: {out.strip()}")
    assert process.returncode == 0 and "terminating on signal 15" in out, (process.returncode, out)
    lab.wait_no_leases(30)


def on_the_wire(process, mac):
    def acknowledged():
        assert process.poll() is None, f"it ended with {process.returncode}"
        return "ACK" in dhcp_of(mac)

    assert not dhcp_of(mac), "the server knows this guest already"
    lab.wait_for(acknowledged, SECONDS, f"a DHCP lease for {mac}")


def first_lease():
    """The only lease that lives, once it is announced. rawnetd may not know yet that an earlier one has ended."""
    with bus.connect("member") as connection:
        found = []

        def announced():
            living = lab.lease_ids()
            found[:] = [properties for properties in connection.leases().values() if properties["Id"] in living]
            return len(found) == 1

        lab.wait_for(announced, 60, "the lease")
        return found[0]


def only_lease():
    with bus.connect("member") as connection:
        (properties,) = connection.leases().values()
        return properties


@tap.limit(260)
def test_tap_fd():
    need_qemu()
    mac = "52:54:00:0e:00:01"
    with guest(["rawnetctl", "run", "--mac", mac, "lab", "--", *LINE, "-netdev", "tap,id=n0,fd={fd}",
                "-device", "virtio-net-pci,netdev=n0,mac={mac}"]) as process:  # fmt: skip
        on_the_wire(process, mac)
        assert only_lease()["MAC"] == mac
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            status = file.read()
        assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status, status


@tap.limit(260)
def test_multiqueue_fds():
    need_qemu()
    mac = "52:54:00:0e:00:02"
    with guest(["rawnetctl", "run", "--queues", "4", "--mac", mac, "lab", "--", *LINE, "-netdev", "tap,id=n0,fds={fds}",
                "-device", "virtio-net-pci,netdev=n0,mac={mac},mq=on,vectors=10"]) as process:  # fmt: skip
        on_the_wire(process, mac)


@tap.limit(260)
def test_tap_by_name():
    """As Firecracker, libkrun and kvmtool open it."""
    need_qemu()
    mac = "52:54:00:0e:00:07"
    with guest(["rawnetctl", "run", "--kind", "veth", "--tap", "tap0", "--mac", mac, "lab", "--", *LINE,
                "-netdev", "tap,id=n0,ifname=tap0,script=no,downscript=no", "-device", "virtio-net-pci,netdev=n0,mac={mac}"]) as process:  # fmt: skip
        on_the_wire(process, mac)
        assert (only_lease()["MAC"], only_lease()["Kind"]) == (mac, "veth")


@tap.limit(260)
def test_qemus_own_helper_door_learns_the_mac():
    need_qemu()
    mac = "52:54:00:0e:00:03"
    with guest([*LINE, "-netdev", f"bridge,id=n0,br=lab,helper={HELPER}", "-device", f"virtio-net-pci,netdev=n0,mac={mac}"]) as process:
        on_the_wire(process, mac)
        assert only_lease()["MAC"] == mac


@tap.limit(260)
def test_qemus_own_helper_door_says_why_it_does_not_learn():
    """A card with a Proxmox address: QEMU cannot know, so the list says it, with what to ask for."""
    need_qemu()
    mac = "bc:24:11:0e:00:03"
    line = [*LINE, "-netdev", f"bridge,id=n0,br=lab,helper={HELPER}", "-device", f"virtio-net-pci,netdev=n0,mac={mac}"]
    with guest(line), bus.connect("member") as connection:
        found = lab.wait_for(lambda: next((lease for lease in connection.leases().values() if lease["RefusedMAC"]), None), SECONDS, "the refusal")
        assert found["RefusedMAC"] == mac and found["MAC"] == "", found
        for word in (mac, "MACPrefix=", "/etc/rawnet/networks/lab.conf", "bc:24:11 to MACPrefix="):
            assert word in found["RefusedReason"], found
        assert not dhcp_of(mac)


@tap.limit(260)
def test_tap_with_a_helper():
    """The other spelling: -netdev tap,helper= with the bridge's name in the helper's own words."""
    need_qemu()
    mac = "52:54:00:0e:00:04"
    with guest([*LINE, "-netdev", f"tap,id=n0,br=lab-private,helper={HELPER}", "-device", f"virtio-net-pci,netdev=n0,mac={mac}"]) as process:
        on_the_wire(process, mac)
        assert only_lease()["Network"] == "lab-private"


@tap.limit(260)
def test_a_helper_with_a_mac():
    """A helper= with a blank in it goes through the shell."""
    need_qemu()
    mac = "52:54:00:0e:00:08"
    with guest([*LINE, "-netdev", f"bridge,id=n0,br=lab,helper={HELPER} --mac={mac}", "-device", f"virtio-net-pci,netdev=n0,mac={mac}"]) as process:
        on_the_wire(process, mac)
        assert only_lease()["MAC"] == mac


@tap.limit(260)
def test_rawnetctl_qemu():
    need_qemu()
    mac = "52:54:00:0e:00:05"
    with guest(["rawnetctl", "qemu", "--", *LINE, "-netdev", f"raw,id=n0,network=lab,kind=tap,mac={mac},name=by-qemu",
                "-device", "virtio-net-pci,netdev=n0"]) as process:  # fmt: skip
        on_the_wire(process, mac)
        assert only_lease()["Name"] == "by-qemu"


@tap.limit(260)
def test_rawnetctl_qemu_with_the_devices_mac():
    need_qemu()
    mac = "52:54:00:0e:00:06"
    with guest(["rawnetctl", "qemu", "--", *LINE, "-netdev", "raw,id=n0,network=lab,kind=tap,queues=2",
                "-device", f"virtio-net-pci,netdev=n0,mac={mac}"]) as process:  # fmt: skip
        on_the_wire(process, mac)


@tap.limit(260)
def test_rawnetctl_qemu_by_json():
    """On the other machine type, whose PCI bus is an old one."""
    need_qemu()
    mac = "52:54:00:0e:00:09"
    netdev = {"type": "raw", "id": "n0", "network": "lab", "kind": "tap", "queues": 2, "mac": mac}
    with guest(["rawnetctl", "qemu", *LINE, "-machine", "pc", "-netdev", json.dumps(netdev),
                "-device", json.dumps({"driver": "virtio-net-pci", "netdev": "n0"})]) as process:  # fmt: skip
        on_the_wire(process, mac)
        assert len(lab.lease_ids()) == 1


@tap.limit(260)
def test_on_a_vlan():
    need_qemu()
    lab.need_vlan()
    mac = "52:54:00:0e:00:10"  # the server has seen the others
    with guest(["rawnetctl", "run", "--mac", mac, "vlan100", "--", *LINE, "-netdev", "tap,id=n0,fd={fd}",
                "-device", "virtio-net-pci,netdev=n0,mac={mac}"]) as process:  # fmt: skip
        on_the_wire(process, mac)
        assert re.search(rf"DHCPACK\(wire.100\) .* {mac}", lab.log_of("dnsmasq"))


@tap.limit(120)
def test_killed_qemu_leaves_nothing():
    need_qemu()
    process = lab.popen_as("member", ["rawnetctl", "run", "lab", "--", *LINE, "-netdev", "tap,id=n0,fd={fd}",
                                      "-device", "virtio-net-pci,netdev=n0,mac={mac}"])  # fmt: skip
    try:
        lab.wait_for(lambda: lab.lease_ids(), 60, "the lease")
    finally:
        process.kill()
        process.wait()
    lab.wait_no_leases(30)


@tap.limit(120)
def test_refusals_are_seen_through_qemu():
    need_qemu()
    done = lab.run_as("outsider", [*LINE, "-netdev", f"bridge,id=n0,br=lab,helper={HELPER}", "-device", "virtio-net-pci,netdev=n0"], timeout=90)
    assert done.returncode == 1 and "rawnet-bridge-helper: " in done.stderr and "password" in done.stderr, done
    done = lab.run_as("member", ["rawnetctl", "qemu", "--", *LINE, "-netdev", "raw,id=n0,network=nope,kind=tap", "-device",
                                 "virtio-net-pci,netdev=n0"], timeout=90)  # fmt: skip
    assert done.returncode == 125 and "nope" in done.stderr, done


def test_dry_run():
    done = lab.run_as("member", ["rawnetctl", "qemu", "--dry-run", "--", *LINE, "-netdev", "raw,id=n0,network=lab,kind=tap,mac=52:54:00:00:00:99",
                                 "-device", "virtio-net-pci,netdev=n0"], check=True)  # fmt: skip
    assert "-netdev tap,id=n0,fd=3" in done.stdout and "mac=52:54:00:00:00:99" in done.stdout and "raw," not in done.stdout, done.stdout
    # A packet port: what only its opening can say stands in braces.
    done = lab.run_as("member", ["rawnetctl", "qemu", "--dry-run", *LINE, "-netdev", "raw,id=n0,network=lab", "-device", "virtio-net-pci,netdev=n0"], check=True)
    expected = [*LINE, "-netdev", "vhost-user,id=n0,chardev=rawnet.n0", "-device", "virtio-net-pci,netdev=n0,mac={n0.mac},ctrl_guest_offloads=off,vectors=0",
                "-chardev", "socket,id=rawnet.n0,path={n0.socket}", "-object", "memory-backend-memfd,id=rawnet.memory,size=64M,share=on",
                "-machine", "memory-backend=rawnet.memory"]  # fmt: skip
    assert shlex.split(done.stdout) == expected, done.stdout
    assert not done.stderr, done.stderr
    # kind=auto says which kind it took where that is not packet.
    done = lab.run_as("member", ["rawnetctl", "qemu", "--dry-run", *LINE, "-netdev", "raw,id=n0,network=lab", "-device", "e1000,netdev=n0"], check=True)
    assert "-netdev tap,id=n0,fd=3 -device 'e1000,netdev=n0,mac={n0.mac}'" in done.stdout, done.stdout
    assert done.stderr == "rawnetctl: -netdev raw,id=n0,network=lab: kind=tap, because -device e1000,netdev=n0 is not a virtio-net card\n", done.stderr
    assert not lab.lease_ids()


def rawnetctl_qemu(*words):
    return ["rawnetctl", "qemu", "--", *LINE, *words]


@tap.limit(260)
def test_auto_with_an_emulated_card():
    need_qemu()
    mac = "52:54:00:0e:00:0a"
    with guest(rawnetctl_qemu("-netdev", "raw,id=n0,network=lab", "-device", f"e1000,netdev=n0,mac={mac}")) as process:
        on_the_wire(process, mac)
        assert only_lease()["Kind"] == "tap"


@tap.limit(260)
def test_auto_where_the_network_has_no_packet_ports():
    need_qemu()
    mac = "52:54:00:0e:00:0f"
    with lab.network("taps", Kinds="tap"):
        with guest(rawnetctl_qemu("-netdev", "raw,id=n0,network=taps", "-device", f"virtio-net-pci,netdev=n0,mac={mac}")) as process:
            on_the_wire(process, mac)
            assert only_lease()["Kind"] == "tap"


@tap.limit(500)
def test_nic():
    """The spelling that most people use, with a card that stays QEMU's and with one that becomes a -device."""
    need_qemu()
    for mac, model, kind in ("52:54:00:0e:00:0b", "rtl8139", "tap"), ("52:54:00:0e:00:0c", "virtio", "packet"):
        with guest(rawnetctl_qemu("-nic", f"raw,network=lab,model={model},mac={mac.replace(':', '-')}")) as process:
            on_the_wire(process, mac)
            assert only_lease()["Kind"] == kind


@tap.limit(500)
def test_card_of_the_old_spelling():
    need_qemu()
    for mac, words in (("52:54:00:0e:00:0d", "nic,model=virtio,netdev=n0,macaddr=52:54:00:0e:00:0d"), (None, "nic,model=virtio,netdev=n0,")):
        with guest(rawnetctl_qemu("-netdev", "raw,id=n0,network=lab,", "-net", words)) as process:
            on_the_wire(process, mac or first_lease()["MAC"])


@tap.limit(500)
def test_readconfig():
    """Memory, card and MAC address from a file; a card without an address there gets the port's."""
    need_qemu()
    path = f"{lab.LAB}/tmp/vm.cfg"
    for line in ('  mac = "52:54:00:0e:00:0e"\n', ""):
        with open(path, "w", encoding="ascii") as file:
            file.write(f'[memory]\n  size = "96M"\n[device "nic0"]\n  driver = "virtio-net-pci"\n  netdev = "n0"\n{line}')
        words = [word for word in LINE if word not in ("-m", "64")]
        with guest(["rawnetctl", "qemu", *words, "-readconfig", path, "-netdev", "raw,id=n0,network=lab"]) as process:
            lease = first_lease()
            assert lease["Kind"] == "packet", lease
            on_the_wire(process, lease["MAC"])


def stopped_qemu(*words, monitor="quit\n"):
    """A QEMU that runs nothing, at its monitor."""
    line = ["rawnetctl", "qemu", "--", QEMU, "-accel", "tcg", "-nodefaults", "-display", "none", "-S", "-monitor", "stdio", *words]
    done = lab.run_as("member", line, input=monitor, timeout=60)
    assert done.returncode == 0, (words, done)
    return done.stdout


@tap.limit(200)
def test_memory_sizes():
    """The memory that rawnetctl adds is as large as QEMU wants it, or QEMU does not start."""
    need_qemu()
    card = ["-netdev", "raw,id=n0,network=lab,kind=packet", "-device", "virtio-net-pci,netdev=n0"]
    for options in ([], ["-m", "0"], ["-m", "96"], ["-m", "98304k"], ["-m", "0.1G"], ["-m", "67108865B"], ["-m", "size=96M,slots=2,maxmem=1G"],
                    ["-m", "96", "-m", "slots=2,maxmem=1G"], ["-m", "0", "-machine", "memory.size=96M"], ["-M", "pc,memory.size=100663296", "-M", "q35"],
                    ["-m", "96", "-machine", "memory.size=80M"], ["-m", "96", "-M", "pc-i440fx-5.0", "-numa", "node,mem=96"]):  # fmt: skip
        stopped_qemu(*options, *card)
    lab.wait_no_leases(30)


@tap.limit(200)
def test_many_ports():
    """As many on one line as a user may have."""
    need_qemu()
    said = stopped_qemu(*[word for n in range(64) for word in ("-netdev", f"raw,id=n{n},network=lab")], monitor="info network\nquit\n")
    assert all(f"n{n}: index=0,type=tap" in said for n in range(64)), said
    lab.wait_no_leases(30)


def refused(*words):
    done = lab.run_as("member", rawnetctl_qemu(*words), timeout=60)
    assert done.returncode == 125 and done.stderr.count("\n") == 1, done
    return done.stderr


def test_what_cannot_work_is_said_before_anything_is_opened():
    need_qemu()
    assert "write -device virtio-net-pci" in refused("-netdev", "raw,id=n0,network=nope,kind=packet", "-device", "rtl8139,netdev=n0")
    assert "share=on" in refused("-netdev", "raw,id=n0,network=nope,kind=packet", "-device", "virtio-net-pci,netdev=n0", "-mem-path", "/dev/shm")
    assert "write -nic raw" in refused("-net", "nic", "-net", "raw,network=nope")
    path = f"{lab.LAB}/tmp/raw.cfg"
    with open(path, "w", encoding="ascii") as file:
        file.write('[netdev "n0"]\n  type = "raw"\n  network = "nope"\n')
    assert "command line only" in refused("-readconfig", path)


def test_mtu_larger_than_the_networks():
    for kind in "tap", "packet":
        said = refused("-netdev", f"raw,id=n0,network=lab,kind={kind}", "-device", "virtio-net-pci,netdev=n0,host_mtu=9000")
        assert "host_mtu=9000 is larger than the MTU of network lab, 1500" in said, said
    lab.wait_no_leases(30)


if __name__ == "__main__":
    tap.main()
