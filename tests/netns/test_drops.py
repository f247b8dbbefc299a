# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guard drops is counted by reason, shown, and for the first time written into the journal."""

import contextlib
import re

import bus
import frames
import journal
import lab
import shapes
import tap

SECONDS = 5
KINDS = (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True}))
OTHER = "52:54:00:00:be:ef"
DROPPED = journal.events()["DROPPED"]


def drops(connection, lease, by_themselves=("wire_vlan_tag",)):
    """{reason: frames}, of those that are not 0. Where there are VLANs, the far end's interfaces on them send tagged frames by
    themselves."""
    found = {key.removeprefix("guard_dropped_"): value for key, value in connection.statistics(lease.path).items() if key.startswith("guard_dropped_")}
    assert len(found) == 10, found
    return {key: value for key, value in found.items() if value and key not in by_themselves}


def send(lease, frame, times=1):
    """A socket reports a frame that the guard has dropped (ENOBUFS), a tap does not."""
    for _ in range(times):
        with contextlib.suppress(OSError):
            shapes.port_of(lease).send(frame)


def spoofed(text="spoofed"):
    return frames.ether(frames.BROADCAST, OTHER, frames.TEST, text.encode())


def misbehave(lease, wire):
    """Frames that are not allowed, of every reason of this network; and what they count as."""
    mac = lease.info["mac"]
    honest = frames.ether(frames.BROADCAST, mac, frames.TEST, b"tagged")
    send(lease, spoofed(), 3)
    send(lease, frames.tagged(honest, 5), 2)
    send(lease, frames.ether("01:80:c2:00:00:0e", mac, 0x88CC, b"control"))
    wire.send(frames.ether(mac, shapes.FAR_MAC, frames.TEST, b"long".ljust(1400, b".")))
    return {"spoofed_source": 3, "vlan_tag": 2, "control_frame": 1, "wire_too_long": 1}


def test_counters():
    with lab.network("small", MTU="1280"), bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, options in KINDS:
            with connection.open(kind, "small", **options) as lease, connection.open_tap("small") as beside:
                assert drops(connection, lease) == {}
                expected = misbehave(lease, wire)
                wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, b"fits"))
                shapes.port_of(lease).wait(b"fits", SECONDS)
                assert drops(connection, lease) == expected, (kind, options, drops(connection, lease))
                assert drops(connection, beside) == {}
                statistics = connection.statistics(lease.path)
                assert statistics["rx_dropped"] == 0, "what the guard has dropped is counted twice"


def test_a_lease_begins_with_zeros():
    """Whatever an earlier lease on the same network has done."""
    with bus.connect("member") as connection:
        for _ in range(2):
            with connection.open_tap("lab", name="again") as lease:
                assert drops(connection, lease) == {}
                send(lease, spoofed())
                assert drops(connection, lease) == {"spoofed_source": 1}
            lab.wait_no_leases()


def test_tags_from_the_wire():
    """They are counted, and no entry in the journal: what the wire sends is not the guest's doing."""
    with bus.connect("member") as connection, frames.WirePort() as wire, journal.of_a_new_service() as log:
        for kind, options in KINDS:
            with connection.open(kind, "lab", **options) as lease:
                mac = lease.info["mac"]
                before = drops(connection, lease, ()).get("wire_vlan_tag", 0)
                for _ in range(3):
                    wire.send(frames.tagged(frames.ether(mac, shapes.FAR_MAC, frames.TEST, b"tagged"), 5))
                wire.send(frames.ether(mac, shapes.FAR_MAC, frames.TEST, b"fits"))
                shapes.port_of(lease).wait(b"fits", SECONDS)
                assert drops(connection, lease, ())["wire_vlan_tag"] >= before + 3, (kind, options)
                send(lease, spoofed())
                check_entry(log.entry(DROPPED), lease, "spoofed_source", OTHER, kind)


def stat(*words):
    done = lab.run_as("outsider", ["rawnetctl", "stat", *words])
    assert done.returncode == 0, done
    return done.stdout


def test_stat():
    with lab.network("small", MTU="1280"), bus.connect("member") as connection, frames.WirePort() as wire, connection.open_tap("small", name="evil") as lease:
        assert not re.search("spoofed source|control frame|too long", stat("evil")), stat("evil")
        misbehave(lease, wire)
        lab.wait_for(lambda: "wire_too_long" in drops(connection, lease), SECONDS, "the frame of the wire")
        text = stat("evil")
        found = re.search(r"^dropped   (\d+) frames \((\d+) by the guard\)\n(?:.*\n)*dropped by the guard: 3 spoofed source, 2 VLAN tag, 1 control frame, "
                          r"(?:(\d+) VLAN tag from the wire, )?1 too long from the wire\n\Z", text, re.M)  # fmt: skip
        assert found and found[1] == found[2] == str(7 + int(found[3] or 0)), text
        assert re.search(r"^guard_dropped_vlan_tag +2$", stat("--all", "evil"), re.M), stat("--all", "evil")
        assert '"guard_dropped_spoofed_source": 3' in stat("--json", "evil")


def listeners():
    """Connections to rawnet-helper."""
    with open("/proc/net/unix", encoding="utf-8") as file:
        return [line for line in file if line.rstrip().endswith(lab.HELPER_SOCKET) and line.split()[5] == "03"]  # connected, linux/net.h


def expected_entry(lease, reason, source, kind):
    return {"RAWNET_LEASE": f"rn{lease.id:x}", "RAWNET_NETWORK": "lab", "RAWNET_KIND": kind, "RAWNET_MAC": lease.info["mac"],
            "RAWNET_UID": str(lab.uid_of("member")), "RAWNET_REASON": reason, "RAWNET_SOURCE": source, "PRIORITY": "5"}  # fmt: skip


def check_entry(entry, lease, reason, source, kind="tap"):
    wanted = expected_entry(lease, reason, source, kind)
    assert {key: entry.get(key) for key in wanted} == wanted, entry
    return entry["MESSAGE"]


def test_journal():
    """An entry for the first frame of each reason of each lease."""
    with open(f"{lab.SOURCE}/systemd/rawnet.catalog", encoding="utf-8") as file:
        assert f"\n-- {DROPPED}\n" in file.read(), "no catalog entry"
    with bus.connect("member") as connection, connection.open_tap("lab", name="evil") as lease, connection.open_tap("lab") as other, \
            journal.of_a_new_service() as log:  # fmt: skip
        connection.leases()  # it runs
        send(lease, spoofed(), 100)
        text = check_entry(log.entry(DROPPED), lease, "spoofed_source", OTHER)
        tap.diag(text)
        for word in (f"rn{lease.id:x} (evil)", f"user {lab.uid_of('member')}", lease.info["mac"], OTHER, "spoofed source"):
            assert word in text, (word, text)
        send(lease, frames.tagged(frames.ether(frames.BROADCAST, lease.info["mac"], frames.TEST, b"tagged"), 5), 100)
        check_entry(log.entry(DROPPED), lease, "vlan_tag", lease.info["mac"])
        send(other, spoofed())
        check_entry(log.entry(DROPPED), other, "spoofed_source", OTHER)
        assert drops(connection, lease) == {"spoofed_source": 100, "vlan_tag": 100}


def test_journal_after_a_restart():
    """Drops without a rawnetd are written into the journal by the next one."""
    with bus.connect("member") as connection, connection.open_tap("lab") as lease, connection.open_tap("lab") as other, \
            journal.of_a_new_service() as log:  # fmt: skip
        lab.wait_for(lambda: not listeners(), 10, "the end of rawnetd's connection")
        send(lease, spoofed())
        connection.leases()  # it runs again
        check_entry(log.entry(DROPPED), lease, "spoofed_source", OTHER)
        lab.restart("rawnet-helper")
        connection.leases()
        send(lease, spoofed())  # not the first one
        send(other, spoofed())
        check_entry(log.entry(DROPPED), other, "spoofed_source", OTHER)


def test_a_user_cannot_fill_the_journal():
    """Many leases, each with its first frames: 20 entries, then a number."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(bus.connect("member"))
        leases = [stack.enter_context(connection.open_tap("lab")) for _ in range(30)]
        log = stack.enter_context(journal.of_a_new_service())
        connection.leases()  # it runs
        for lease in leases:
            send(lease, spoofed())
        entries = [log.entry(DROPPED) for _ in range(21)]
        assert all(entry["RAWNET_REASON"] == "spoofed_source" for entry in entries[:20]), entries
        last = entries[20]
        assert "RAWNET_LEASE" not in last and last["RAWNET_UID"] == str(lab.uid_of("member")), last
        tap.diag(last["MESSAGE"])
        assert "left out 10 more entries" in last["MESSAGE"], last


if __name__ == "__main__":
    tap.main()
