# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenTap and OpenPacket: what comes back, the options, and what is refused with which words."""

import fcntl
import os
import socket
import struct

import bus
import frames
import lab
import tap
import unfit

INFO = {"id", "mac", "mtu", "interface", "vlan", "vnet-hdr"}
TUNGETIFF, IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE, IFF_VNET_HDR = 0x800454D2, 0x2, 0x1000, 0x100, 0x4000
REMEDIES = ("; ", "rawnetctl", "leave", "take", "ask for", "write", "make one", "there are", "it takes", "takes", "neither")


def reasoned(text, *words):
    """Does the sentence name what it is about, and does it say what to do?"""
    for word in words:
        assert word in text, (word, text)
    assert any(remedy in text for remedy in REMEDIES), text
    return text


def refused(error, *words, user="member", kind="tap", network="lab", **options):
    with bus.connect(user) as connection:
        return reasoned(bus.expect_error(error, connection.open, kind, network, **options), *words)


def tap_of(fd):
    """(interface, flags) by TUNGETIFF, linux/if_tun.h."""
    data = fcntl.ioctl(fd, TUNGETIFF, bytes(40))
    return data[:16].rstrip(b"\0").decode(), struct.unpack("H", data[16:18])[0]


def test_tap_is_a_tap():
    with bus.connect("member") as connection, connection.open_tap("lab", name="first") as lease:
        assert set(lease.info) == INFO, lease.info
        assert 0x10000 <= lease.id <= 0x7FFFFFFF, lease.id
        assert lease.path == f"/org/rawnet1/lease/{lease.id}", lease.path
        assert lease.info["interface"] == f"rn{lease.id:x}", lease.info
        assert lease.info["mtu"] == 1500 and lease.info["vlan"] == 0, lease.info
        assert lease.info["vnet-hdr"] is True, lease.info
        assert lease.info["mac"].startswith("52:54:00:"), lease.info
        assert len(lease.fds) == 1 and not lease.vhosts, lease.fds
        name, flags = tap_of(lease.fd)
        assert name == lease.info["interface"], name
        wanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
        assert flags & (wanted | IFF_MULTI_QUEUE) == wanted, hex(flags)
        assert lab.lease_ids() == [lease.id]


def test_packet_is_a_packet_socket():
    for vnet_hdr in (False, True):
        with bus.connect("member") as connection, connection.open_packet("lab", vnet_hdr=vnet_hdr) as lease:
            assert set(lease.info) == INFO and lease.info["vnet-hdr"] is vnet_hdr, lease.info
            with socket.socket(fileno=os.dup(lease.fd)) as sock:
                assert sock.family == socket.AF_PACKET and sock.type == socket.SOCK_RAW, sock
                assert sock.getsockopt(263, 15) == vnet_hdr, "PACKET_VNET_HDR"
                name = sock.getsockname()[0]
            with lab.in_namespace(lease.fd):
                assert socket.if_nametoindex(lease.info["interface"]), name


def test_vnet_hdr_is_the_kinds_default():
    with bus.connect("member") as connection:
        with connection.open_packet("lab") as lease:
            assert lease.info["vnet-hdr"] is False, lease.info
        with connection.open_tap("lab", vnet_hdr=True) as lease:
            assert lease.info["vnet-hdr"] is True, lease.info


def test_queues():
    with bus.connect("member") as connection:
        for kind, queues in (("tap", 1), ("tap", 4), ("tap", 16), ("packet", 3), ("packet", 16)):
            with connection.open(kind, "lab", queues=queues) as lease:
                assert len(lease.fds) == queues, (kind, queues, lease.fds)
                if kind == "tap":
                    names = {tap_of(fd)[0] for fd in lease.fds}
                    assert names == {lease.info["interface"]}, names
                    assert bool(tap_of(lease.fd)[1] & IFF_MULTI_QUEUE) == (queues > 1)


def test_given_mac_and_name():
    with bus.connect("member") as connection:
        with connection.open_tap("lab", mac="52:54:00:AB:cd:01", name="~ any printable, 64 " + "x" * 44) as lease:
            properties = connection.get_all(lease.path, bus.LEASE)
            assert lease.info["mac"] == "52:54:00:ab:cd:01" == properties["MAC"], lease.info
            assert properties["Name"] == "~ any printable, 64 " + "x" * 44, properties


def test_seventeen_descriptors_are_refused_before_polkit_is_asked():
    with bus.connect("member") as connection:
        connection.open_tap("lab", queues=16).close_fds()
        lab.wait_for(lambda: any(question["network"] == "lab" for question in lab.questions()), 10, "polkit's question")
        before = len(lab.questions())
        service = lab.service_pid()
        refused(bus.DBUS_ERROR + "InvalidArgs", "lab", "queues", queues=17)
        refused(bus.DBUS_ERROR + "InvalidArgs", "lab", "18", "16", queues=9, vhost=True)
        refused(bus.DBUS_ERROR + "InvalidArgs", "lab", "32", "16", queues=16, vhost=True)
        refused(bus.DBUS_ERROR + "InvalidArgs", "lab", "queues", queues=17, kind="packet")
        assert lab.service_pid() == service != 0, "the service was thrown off the bus"
        with connection.open_tap("lab-private", queues=2) as lease:
            assert len(lease.fds) == 2
        asked = lab.wait_for(lambda: lab.questions()[before:], 10, "polkit's question")
        assert [question["network"] for question in asked] == ["lab-private"], asked


def test_vhost():
    with bus.connect("member") as connection:
        if not os.path.exists("/dev/vhost-net"):
            text = bus.expect_error("NotSupported", connection.open_tap, "lab", vhost=True)
            reasoned(text, "lab", "/dev/vhost-net", "vhost_net")
            return
        with connection.open_tap("lab", queues=2, vhost=True) as lease:
            assert len(lease.fds) == 2 and len(lease.vhosts) == 2, lease.vhosts
            fcntl.ioctl(lease.vhosts[0], 0xAF01)  # VHOST_SET_OWNER, linux/vhost.h: it is one, and it is ours


def test_vhost_needs_the_device():
    with bus.connect("member") as connection:
        connection.can_open("lab", "tap")
        present = os.path.exists("/dev/vhost-net")
        if present:
            os.rename("/dev/vhost-net", "/dev/.vhost-net")
        try:
            lab.restart("rawnet-helper")
            reasoned(bus.expect_error("NotSupported", connection.open_tap, "lab", vhost=True), "lab", "/dev/vhost-net")
        finally:
            if present:
                os.rename("/dev/.vhost-net", "/dev/vhost-net")
            lab.restart("rawnet-helper")


def test_unknown_options_and_wrong_types():
    invalid = bus.DBUS_ERROR + "InvalidArgs"
    refused(invalid, "lab", "colour", colour="red")
    refused(invalid, "lab", "Mac", Mac="52:54:00:00:00:01")
    refused(invalid, "lab", "vhost", kind="packet", vhost=True)
    refused(invalid, "lab", "queues", queues=("s", "2"))
    refused(invalid, "lab", "queues", queues=("i", 2))
    refused(invalid, "lab", "mac", mac=("ay", b"RT\0\0\0\1"))
    refused(invalid, "lab", "name", name=("u", 7))
    refused(invalid, "lab", "vnet-hdr", vnet_hdr=("s", "yes"))
    refused(invalid, "lab", "queues", queues=0)
    with bus.connect("member") as connection:  # the positive control: the same calls, well-formed
        connection.open_tap("lab", queues=2, mac="52:54:00:00:00:01", name="seven", vnet_hdr=True).close_fds()


def test_options_out_of_bounds():
    invalid = bus.DBUS_ERROR + "InvalidArgs"
    for mac in ("", "52:54:00:00:00", "52:54:00:00:00:01:02", "5254.0000.0001", "52-54-00-00-00-01", "Learn", "52:54:00:00:00:0g"):
        refused(invalid, "lab", "mac", mac=mac)
    refused(invalid, "lab", "01:54:00:00:00:01", mac="01:54:00:00:00:01")
    refused(invalid, "lab", "02:00:00:00:00:01", "52:54:00", mac="02:00:00:00:00:01")
    refused(invalid, "lab", "00:00:00:00:00:00", mac="00:00:00:00:00:00")
    refused(invalid, "lab", "ff:ff:ff:ff:ff:ff", mac="ff:ff:ff:ff:ff:ff")
    refused(invalid, "lab", "name", name="")
    refused(invalid, "lab", "name", name="x" * 65)
    refused(invalid, "lab", "name", name="tab\there")
    refused(invalid, "lab", "name", name="grüße")
    refused("NotSupported", "lab", "vnet-hdr", vnet_hdr=False)
    refused("NotSupported", "lab", "learn", kind="packet", mac="learn")
    long = refused(invalid, "lab", kind="tap", **{"o" * 256: "x"})
    assert len(long) < 400, "the option's name is echoed in full"


def test_network_names():
    invalid = bus.DBUS_ERROR + "InvalidArgs"
    refused("NoSuchNetwork", "nope", "rawnetctl networks", network="nope")
    refused("NoSuchNetwork", "lab.5", "range", network="lab.5")
    refused(invalid, "longer", network="n" * 33)
    refused(invalid, "longer", network="n" * 256)
    for name in ("", ".", "..", "../lab", "lab/", "lab.conf", "lab.", "lab.0", "lab.4095", "lab.01", "lab 1", ".new", "läb", "lab.1.2"):
        refused(invalid, "network", network=name)
    refused("NoSuchNetwork", "n" * 32, network="n" * 32)


def test_a_name_of_32_characters_serves():
    with lab.network("n" * 32), bus.connect("member") as connection, connection.open_tap("n" * 32) as lease:
        assert connection.get_all(lease.path, bus.LEASE)["Network"] == "n" * 32


def test_bad_files_say_file_line_and_reason():
    cases = {
        "[Network]\nParent=wire0\nVLAN=5000\n": ("bad.conf:3", "VLAN"),
        "[Network]\nParent=wire0\n": ("bad.conf", "VLAN"),
        "[Network]\nVLAN=none\n": ("bad.conf", "Parent"),
        "[Network]\nParent=wire0\nVLAN=none\nColour=red\n": ("bad.conf:4", "Colour"),
        "[Network]\nParent=wire0\nVLAN=none\nMode=exclusive\n": ("bad.conf", "exclusive"),
        "[Network]\nParent=wire0\nVLAN=none\nMACPrefix=01:00\n": ("bad.conf:4", "MACPrefix"),
        "[Network]\nParent=wire0\nVLAN=none\nKinds=tap tun\n": ("bad.conf:4", "tun"),
        "Parent=wire0\n": ("bad.conf:1", "[Network]"),
        "[Network]\nParent=a-name-that-is-too-long\nVLAN=none\n": ("bad.conf:2", "Parent"),
    }
    with bus.connect("member") as connection:
        for text, words in cases.items():
            with lab.network("bad", text):
                said = bus.expect_error("BadNetworkFile", connection.open_tap, "bad")
                for word in ("network bad", *words):
                    assert word in said, (text, word, said)
        with lab.network("bad"):
            connection.open_tap("bad").close_fds()


def test_files_of_others_are_not_believed():
    with bus.connect("member") as connection:
        for remedy, how in (("chmod 644", {"mode": 0o664}), ("chmod 644", {"mode": 0o646}), ("chown root", {"uid": lab.uid_of("member")})):
            with lab.network("theirs", **how):
                said = bus.expect_error("BadNetworkFile", connection.open_tap, "theirs")
                assert f"{remedy} /etc/rawnet/networks/theirs.conf" in said, said
        with lab.network("theirs", mode=0o600):  # not readable for rawnetd
            said = bus.expect_error("BadNetworkFile", connection.open_tap, "theirs")
            assert "theirs.conf" in said, said
        with lab.network("theirs"):
            connection.open_tap("theirs").close_fds()


def test_kind_not_offered():
    with lab.network("taps", Kinds="tap"), lab.network("packets", Kinds="packet"):
        refused("KindNotOffered", "taps", "Kinds=", kind="packet", network="taps")
        refused("KindNotOffered", "packets", "Kinds=", kind="tap", network="packets")
        with bus.connect("member") as connection:
            connection.open_tap("taps").close_fds()
            connection.open_packet("packets").close_fds()
            said = bus.expect_error("KindNotOffered", connection.can_open, "taps", "packet")
            reasoned(said, "taps")


def test_can_open():
    with bus.connect("member") as member, bus.connect("outsider") as outsider:
        for kind in ("tap", "packet"):
            assert member.can_open("lab", kind) == "yes"
            assert outsider.can_open("lab", kind) == "challenge"
        rule = 'polkit.addRule(function (action, subject) { if (action.lookup("network") == "lab") return polkit.Result.NO; });'
        with lab.polkit_rule(rule):
            assert member.can_open("lab", "tap") == "no"
            assert member.can_open("lab-private", "tap") == "yes"
        with lab.network("nowhere", Parent="nowhere0"):
            for user in (member, outsider):
                assert user.can_open("nowhere", "tap") == user.can_open("nowhere", "packet") == "no"
        with unfit.kernel_without("egress"):
            assert (member.can_open("lab", "tap"), member.can_open("lab", "packet")) == ("yes", "no")
        bus.expect_error("NoSuchNetwork", member.can_open, "nope", "tap")
        text = bus.expect_error(bus.DBUS_ERROR + "InvalidArgs", member.can_open, "lab", "tun")
        assert "tap" in text and "packet" in text and "lab" in text, text


def test_vlan_without_802_1q_is_said():
    with lab.network("trunk", VLAN="77"), bus.connect("member") as connection:
        if lab.has_vlan():
            with connection.open_tap("trunk") as lease:
                assert lease.info["vlan"] == 77, lease.info
            return
        reasoned(bus.expect_error("NotSupported", connection.open_tap, "trunk"), "trunk", "802.1Q", "VLAN 77")
        with lab.network("trunk", VLAN="77", Mode="exclusive"):
            reasoned(bus.expect_error("NotSupported", connection.open_tap, "trunk"), "trunk", "802.1Q", "VLAN 77")


def test_range_of_vlans():
    with lab.network("range", VLAN="300-310"), bus.connect("member") as connection:
        assert "300" in bus.expect_error("NoSuchNetwork", connection.open_tap, "range")
        assert "300" in bus.expect_error("NoSuchNetwork", connection.open_tap, "range.311")
        if lab.has_vlan():
            with connection.open_tap("range.305") as lease:
                assert lease.info["vlan"] == 305
                properties = connection.get_all(lease.path, bus.LEASE)
                assert properties["Network"] == "range.305" and properties["VLAN"] == 305, properties
        else:
            reasoned(bus.expect_error("NotSupported", connection.open_tap, "range.305"), "range", "802.1Q")


def test_no_user_namespaces():
    with bus.connect("member") as connection:
        connection.open_tap("lab").close_fds()
        lab.wait_no_leases()
        with unfit.no_user_namespaces():
            for kind in ("tap", "packet"):
                text = bus.expect_error("NotSupported", connection.open, kind, "lab")
                assert "max_user_namespaces" in text and "lab" in text, text
            assert "user-namespace" not in connection.get_all(bus.ROOT, bus.MANAGER)["Features"]
        connection.open_tap("lab").close_fds()


def test_frames_pass_right_after_the_reply():
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for kind in ("tap", "packet"):
            with connection.open(kind, "lab") as lease:
                port = frames.Port(lease.fd, lease.info["vnet-hdr"])
                port.send(frames.marker(lease.info["mac"], f"out {kind}"))
                wire.wait(f"out {kind}".encode())


def test_arguments_that_are_too_long():
    """No valid call has 4 KiB. The user's next call is served."""
    with bus.connect("member") as connection:
        for option in ("name", "nonsense"):
            text = bus.expect_error(bus.DBUS_ERROR + "InvalidArgs", connection.call, bus.ROOT, bus.MANAGER, "OpenTap", "sa{sv}",
                                    ("lab", {option: ("s", "x" * 5000)}))  # fmt: skip
            assert "more than 4096 bytes" in text and "org.rawnet1(5)" in text, text
        connection.open_tap("lab").close_fds()


if __name__ == "__main__":
    tap.main()
