# SPDX-License-Identifier: GPL-2.0-or-later
"""The checksum trick (tests/attack/checksum-trick.c) on a kernel that has it, where it can be seen: on a wire that completes checksums
itself. Without the completing veth the attack works; against a lease nothing gets out but what the guard saw."""

import contextlib
import os
import subprocess
import tempfile

import bus
import frames
import lab
import tap
import vlan

COOKIE = "played the trick"
PROGRAM = f"{lab.build_dir}/tests/attack/checksum-trick"
GUARD = """
table netdev guard {{
        chain out {{
                type filter hook egress device {device} priority 0; policy accept;
                ether saddr != {mac} drop
                ether type {{ 0x8100, 0x88a8 }} drop
        }}
}}
"""


@contextlib.contextmanager
def completing_wire():
    """The near end of the wire completes checksums in software, as a NIC does in hardware: what left is what one sees."""
    vlan.run("ethtool", "-K", "wire0", "tx", "off")
    try:
        yield
    finally:
        vlan.run("ethtool", "-K", "wire0", "tx", "on")


def play(user, *words, fds=()):
    """Runs the attack; its lines."""
    done = lab.run_as(user, [PROGRAM, "--cookie", COOKIE, *words], pass_fds=fds) if user else \
        subprocess.run([PROGRAM, "--cookie", COOKIE, *words], capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, f"{words}: {done}"
    return done.stdout.splitlines()


def escapes(seen, mac, own_tags):
    """Frames of the attack that are not what the guard saw: another source, or a tag too many."""
    return [parts for parts in seen
            if COOKIE.encode() in parts[4] and (parts[1] != mac or parts[2] != own_tags or parts[3] != frames.TEST)]


def test_attack_is_real():
    """A macvlan with an nftables egress guard: source and EtherType change behind the guard."""
    mac = "52:54:00:99:00:01"
    with completing_wire(), vlan.host_link("victim", "address", mac, "type", "macvlan", "mode", "bridge"), \
            frames.WirePort() as trunk, tempfile.NamedTemporaryFile("w", suffix=".nft") as rules:  # fmt: skip
        rules.write(GUARD.format(device="victim", mac=mac))
        rules.flush()
        vlan.run("nft", "-f", rules.name)
        try:
            lines = play(None, "--interface", "victim", "--mac", mac)
        finally:
            vlan.run("nft", "delete", "table", "netdev", "guard")
        assert any(line.startswith("sent source") for line in lines), lines
        trunk.wait(lambda frame: COOKIE.encode() in frame and frame[6:8] == b"\x0a\x0a")
        trunk.wait(lambda frame: COOKIE.encode() in frame and vlan.taken_apart(frame)[2] == [(0x8100, 100)])


def attack(kind, network, own_tags, **options):
    with completing_wire(), bus.connect("member") as member, frames.WirePort() as trunk:
        lease = member.open(kind, network, **options)
        with lease:
            mac = lease.info["mac"]
            words = ["--fd", str(lease.fd), "--mac", mac] + (["--tap"] if kind == "tap" else [])
            os.set_inheritable(lease.fd, True)
            lines = play("nobody", *words, fds=(lease.fd,))
            if kind == "packet":
                # Every interface of the namespace, by sendto() and with the queueing bypassed.
                for index in range(1, 8):
                    lines += play("nobody", *words, "--ifindex", str(index), fds=(lease.fd,))
                lines += play("nobody", *words, "--bypass", fds=(lease.fd,))
            # The attack switched the header on; the marker needs one too.
            port = frames.Port(lease.fd, vnet_hdr=True)
            end = frames.marker(mac, "all tricks played")
            port.send(end)
            seen = [vlan.taken_apart(frame) for frame in trunk.before(end[14:], seconds=10)]
        assert any(line.startswith("sent") for line in lines), f"nothing was tried: {lines}"
        out = escapes(seen, mac, own_tags)
        assert not out, f"{kind} on {network}: {[parts[:4] for parts in out]}"


def test_tap_untagged():
    attack("tap", "lab", [])


def test_tap_on_vlan():
    attack("tap", "vlan100", [(0x8100, 100)])


def test_tap_exclusive():
    attack("tap", "vlan200", [(0x8100, 200)])


def test_tap_multiqueue():
    attack("tap", "vlan100", [(0x8100, 100)], queues=2)


def test_packet_untagged():
    attack("packet", "lab", [])
    attack("packet", "lab", [], vnet_hdr=True)


def test_packet_on_vlan():
    attack("packet", "vlan100", [(0x8100, 100)])
    attack("packet", "vlan100", [(0x8100, 100)], vnet_hdr=True)


def test_packet_exclusive():
    attack("packet", "vlan200", [(0x8100, 200)], vnet_hdr=True)


def test_learned_mac():
    """learn admits the first frame's source: that of the frame as the guard will see it."""
    with completing_wire(), bus.connect("member") as member, frames.WirePort() as trunk:
        lease = member.open_tap("vlan100", mac="learn")
        with lease:
            mac = "52:54:00:77:00:01"
            os.set_inheritable(lease.fd, True)
            for _ in range(2):  # the first round is also what is learnt from
                play("nobody", "--fd", str(lease.fd), "--tap", "--mac", mac, fds=(lease.fd,))
            lab.wait_for(lambda: member.leases()[lease.path]["MAC"] == mac, 10, "learning")
            play("nobody", "--fd", str(lease.fd), "--tap", "--mac", mac, fds=(lease.fd,))
            end = frames.marker(mac, "all tricks played")
            frames.Port(lease.fd, vnet_hdr=True).send(end)
            seen = [vlan.taken_apart(frame) for frame in trunk.before(end[14:], seconds=10)]
        assert not escapes(seen, mac, [(0x8100, 100)]), seen


if __name__ == "__main__":
    tap.main()
