# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of one host: bridge, private, vepa, exclusive; several queues; MTU=; and what the wire carries of it."""

import itertools

import bus
import frames
import lab
import shapes
import tap
import waiting

SECONDS = 20
KINDS = (("tap", {}), ("packet", {}), ("packet", {"vnet_hdr": True}))


def vlans():
    return ["none"] + (["101"] if lab.has_vlan() else [])


def pairs(connection, network):
    """Two leases of each combination of kinds: (lease, port, lease, port)."""
    for (kind1, options1), (kind2, options2) in itertools.combinations_with_replacement(KINDS, 2):
        with connection.open(kind1, network, **options1) as one, connection.open(kind2, network, **options2) as two:
            yield one, shapes.port_of(one), two, shapes.port_of(two)


def on_wire(frame, vlan):
    """As it is seen on the raw wire, where tagged frames have their tags."""
    return frame if vlan == "none" else frames.tagged(frame, int(vlan))


def test_bridge_guests_reach_each_other():
    for vlan in vlans():
        with lab.network("m", Mode="bridge", VLAN=vlan), bus.connect("member") as connection, frames.WirePort() as wire:
            for one, port1, two, port2 in pairs(connection, "m"):
                for here, port_here, there, port_there in ((one, port1, two, port2), (two, port2, one, port1)):
                    mac = there.info["mac"]
                    for destination in (mac, frames.BROADCAST, "33:33:ff:00:00:01", "01:00:5e:00:00:fb"):
                        frame = frames.ether(destination, here.info["mac"], frames.TEST, f"{destination} from {here.id}".encode())
                        port_here.send(frame)
                        assert port_there.wait(frame[14:], SECONDS) == frame
                # Unicast between them is not for the wire; a broadcast is.
                port1.send(frames.ether(two.info["mac"], one.info["mac"], frames.TEST, b"between us"))
                port1.send(frames.marker(one.info["mac"], f"to all from {one.id}"))
                port2.wait(f"to all from {one.id}".encode(), SECONDS)
                seen = wire.before(f"to all from {one.id}".encode(), SECONDS)
                assert not any(b"between us" in frame for frame in seen)


def test_private_guests_never_meet():
    """Not in the kernel, and no group address by a switch that sends frames back out of the port they came from. A unicast frame
    that such a switch turns round does arrive: macvlan_handle_frame() (drivers/net/macvlan.c) looks at the source of
    group addresses only. Switches do that only where it has been set up (802.1Qbg), which is what Mode=vepa is for."""
    for vlan in vlans():
        with lab.network("m", Mode="private", VLAN=vlan), bus.connect("member") as connection, frames.WirePort() as wire:
            for one, port1, two, port2 in pairs(connection, "m"):
                for here, port_here, there, port_there in ((one, port1, two, port2), (two, port2, one, port1)):
                    for destination in (there.info["mac"], frames.BROADCAST, "33:33:ff:00:00:01"):
                        frame = frames.ether(destination, here.info["mac"], frames.TEST, f"secret {destination} {here.id}".encode())
                        port_here.send(frame)
                        assert wire.wait(frame[14:30], SECONDS) == on_wire(frame, vlan)
                        if destination != there.info["mac"]:
                            wire.send(on_wire(frame, vlan))
                    wire.send(on_wire(frames.ether(there.info["mac"], shapes.FAR_MAC, frames.TEST, b"from outside"), vlan))
                    # Its own group frames a private guest does hear when the switch sends them back.
                    seen = [f for f in port_there.before(b"from outside", SECONDS) if f[6:12] == frames.mac_bytes(here.info["mac"])]
                    assert not any(b"secret" in frame for frame in seen), seen


def test_vepa_guests_meet_by_the_wire_only():
    for vlan in vlans():
        with lab.network("m", Mode="vepa", VLAN=vlan), bus.connect("member") as connection, frames.WirePort() as wire:
            for one, port1, two, port2 in pairs(connection, "m"):
                for here, port_here, there, port_there in ((one, port1, two, port2), (two, port2, one, port1)):
                    for destination in (there.info["mac"], frames.BROADCAST):
                        text = f"{destination} from {here.id}".encode()
                        frame = frames.ether(destination, here.info["mac"], frames.TEST, text)
                        port_here.send(frame)
                        assert wire.wait(text, SECONDS) == on_wire(frame, vlan)
                        wire.send(on_wire(frames.ether(there.info["mac"], shapes.FAR_MAC, frames.TEST, b"marker " + text), vlan))
                        seen = port_there.before(b"marker " + text, SECONDS)
                        assert not any(frame == f for f in seen), "it came without the switch"
                        wire.send(on_wire(frame, vlan))  # the switch's u-turn
                        assert port_there.wait(text, SECONDS) == frame
                        if destination == frames.BROADCAST:  # and does not come back to its sender
                            wire.send(on_wire(frames.ether(here.info["mac"], shapes.FAR_MAC, frames.TEST, b"after " + text), vlan))
                            back = port_here.before(b"after " + text, SECONDS)
                            assert not any(frame == f for f in back), "the sender heard itself"


def test_guest_does_not_hear_itself():
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, options in KINDS:
            for network in ("lab", "lab-private", "lab-vepa"):
                with connection.open(kind, network, **options) as lease:
                    port = shapes.port_of(lease)
                    port.send(frames.marker(lease.info["mac"], f"myself {lease.id}"))
                    wire.wait(f"myself {lease.id}".encode(), SECONDS)
                    wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, b"end".ljust(50)))
                    seen = port.before(b"end", SECONDS)
                    assert not any(b"myself" in frame for frame in seen), (kind, network)


def test_what_the_wire_reflects_is_not_delivered():
    """A loop or a reflecting switch sends a guest's group frames back: to the guest its own neighbour solicitation would say that
    another station has its address (RFC 4862, 5.4.3)."""
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for (kind, options), network in itertools.product(KINDS, ("lab", "lab-private", "lab-vepa")):
            with connection.open(kind, network, **options) as lease:
                port, mac = shapes.port_of(lease), lease.info["mac"]
                for destination in (frames.BROADCAST, "33:33:ff:00:00:01", "01:00:5e:00:00:fb", mac):
                    wire.send(frames.ether(destination, mac, frames.TEST, b"reflected"))
                wire.send(frames.ether(mac, shapes.FAR_MAC, frames.TEST, b"the end of them".ljust(50)))
                seen = port.before(b"the end of them", SECONDS)
                group = [frame for frame in seen if b"reflected" in frame and frame[0] & 1]
                assert not group, (kind, options, network, [frame[:6].hex() for frame in group])


def test_exclusive_has_the_vlan_to_itself():
    lab.need_vlan()
    with bus.connect("member") as connection, bus.connect("member2") as other, frames.WirePort("wire.200") as wire:
        for kind, options in KINDS:
            with bus.open_after_end(connection, kind, "vlan200", **options) as lease:
                port = shapes.port_of(lease)
                for frame in (frames.marker(lease.info["mac"], f"exclusive {kind}"),):
                    port.send(frame)
                    assert wire.wait(b"exclusive", SECONDS) == frame
                text = bus.expect_error("NetworkBusy", other.open_tap, "vlan200")
                assert "vlan200" in text and "rawnetctl list" in text, text
                bus.expect_error("NetworkBusy", connection.open_packet, "vlan200")
            # Right after its end it can be had again: the helper waits for the kernel.
        bus.open_after_end(other, "tap", "vlan200").close_fds()


def test_exclusive_and_the_administrators_vlan_interface():
    lab.need_vlan()
    lab.subprocess.run("ip link add link wire0 name own200 type vlan id 200", shell=True, check=True)
    try:
        with bus.connect("member") as connection:
            text = bus.expect_error("NetworkBusy", connection.open_tap, "vlan200")
            assert "own200" in text and "vlan200" in text, text
    finally:
        lab.subprocess.run("ip link del own200", shell=True, check=True)
    with bus.connect("member") as connection:
        connection.open_tap("vlan200").close_fds()


def test_vlans_are_apart():
    lab.need_vlan()
    with bus.connect("member") as connection, frames.WirePort("wire") as wire:
        mac = "52:54:00:00:00:77"
        with connection.open_tap("vlan100", mac=mac) as one, connection.open_tap("vlab.300", mac=mac) as two:
            for lease, vlan in ((one, 100), (two, 300)):
                frame = frames.ether(frames.BROADCAST, mac, frames.TEST, f"on {vlan}".encode())
                shapes.port_of(lease).send(frame)
                assert wire.wait(f"on {vlan}".encode(), SECONDS) == frames.tagged(frame, vlan)
            wire.send(frames.tagged(frames.ether(mac, shapes.FAR_MAC, frames.TEST, b"for 100"), 100))
            wire.send(frames.tagged(frames.ether(mac, shapes.FAR_MAC, frames.TEST, b"for 300"), 300))
            shapes.port_of(one).wait(b"for 100", SECONDS)
            seen = shapes.port_of(two).before(b"for 300", SECONDS)
            assert not any(b"for 100" in frame for frame in seen)


# -- several queues


def flow(lease, number, outward=False):
    """A UDP frame of a flow of its own."""
    mac = lease.info["mac"]
    datagram = frames.udp("10.77.0.9", "10.77.0.8", 1000 + number, 2000 + number, f"flow {number} ".encode().ljust(60))
    return frames.ether(shapes.FAR_MAC if outward else mac, mac if outward else shapes.FAR_MAC, frames.IPV4, datagram)


def test_queues_each_frame_exactly_once():
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for (kind, options), queues in itertools.product(KINDS, (2, 4, 16)):
            with connection.open(kind, "lab", queues=queues, **options) as lease:
                ports = [shapes.port_of(lease, number) for number in range(queues)]
                # Out by each queue.
                for number, port in enumerate(ports):
                    frame = frames.marker(lease.info["mac"], f"queue {number} of {lease.id}")
                    port.send(frame)
                    assert wire.wait(f"queue {number} of {lease.id}".encode(), SECONDS) == frame
                # In: over all queues together, each once.
                sent = [flow(lease, number) for number in range(200)]
                for frame in sent:
                    wire.send(frame)
                got, where = collect(ports, sent)
                assert sorted(got) == sorted(sent), (kind, queues, len(got), len(sent))
                assert len(where) > 1, (kind, queues, "all frames came by one queue")


def collect(ports, wanted):
    """Frames of all ports until as many as wanted have come and one more round is silent: (frames, queues that had some)."""
    got, where = [], set()
    by_fd = {port.fd: (number, port) for number, port in enumerate(ports)}
    while True:
        ready = waiting.readable(list(by_fd), SECONDS if len(got) < len(wanted) else 0.2)
        if not ready:
            return got, where
        for fd in ready:
            number, port = by_fd[fd]
            frame = port.receive(0)
            if frame and b"flow " in frame:
                got.append(frame)
                where.add(number)


def test_one_queue_closed_leaves_the_others():
    with bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, options in KINDS:
            with connection.open(kind, "lab", queues=3, **options) as lease:
                lab.os.close(lease.fds.pop())
                port = shapes.port_of(lease, 0)
                port.send(frames.marker(lease.info["mac"], f"two are left {kind}"))
                wire.wait(f"two are left {kind}".encode(), SECONDS)
                assert lab.lease_ids() == [lease.id]
            lab.wait_no_leases()


# -- MTU


def test_mtu():
    with lab.network("small", MTU="1280"), bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, options in KINDS:
            with connection.open(kind, "small", **options) as lease:
                assert lease.info["mtu"] == 1280 and connection.get_all(lease.path, bus.LEASE)["MTU"] == 1280
                port = shapes.port_of(lease)
                frame = frames.ether(shapes.FAR_MAC, lease.info["mac"], frames.TEST, bytes(range(256)) * 5)
                port.send(frame)
                assert wire.wait(frame[12:40], SECONDS) == frame
                with lab.in_namespace(lease.fd):
                    found = {link["ifname"]: link["mtu"] for link in lab.ip("link") if link["ifname"] != "lo"}
                assert set(found.values()) == {1280}, found


def test_longer_frames_than_the_mtu_where_checksums_are_completed():
    """The same in the shape that ports have on a kernel with the checksum trick."""
    lab.helper_arguments("--assume-checksum-trick")
    try:
        test_longer_frames_than_the_mtu()
    finally:
        lab.helper_arguments()


def test_longer_frames_than_the_mtu():
    """They reach no kind of port, and its counters say so."""
    with lab.network("small", MTU="1280"), bus.connect("member") as connection, frames.WirePort() as wire:
        for kind, options in KINDS:
            with connection.open(kind, "small", **options) as lease:
                port = shapes.port_of(lease)
                for length in (1281, 1400, 1500):
                    wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, b"long".ljust(length, b".")))
                wire.send(frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, b"fits".ljust(1280, b".")))
                came = port.before(b"fits", SECONDS)
                assert not [frame for frame in came if b"long" in frame], (kind, options, [len(frame) for frame in came])
                statistics = connection.statistics(lease.path)
                assert statistics["guard_dropped_wire_too_long"] == 3, (kind, options, statistics)


def test_mtu_above_the_parents_is_refused():
    with lab.network("large", MTU="1501"), bus.connect("member") as connection:
        text = bus.expect_error("BadNetworkFile", connection.open_tap, "large")
        assert "1501" in text and "1500" in text and "wire0" in text and "large" in text, text
        with lab.network("large", MTU="1500"):
            connection.open_tap("large").close_fds()


def test_jumbo():
    lab.subprocess.run("ip link set wire0 mtu 9000", shell=True, check=True)
    lab.run_far(["ip", "link", "set", "wire", "mtu", "9000"])
    try:
        with bus.connect("member") as connection, frames.WirePort() as wire:
            for kind, options in KINDS:
                with connection.open(kind, "lab", **options) as lease:
                    assert lease.info["mtu"] == 9000, lease.info
                    port = shapes.port_of(lease)
                    frame = frames.ether(shapes.FAR_MAC, lease.info["mac"], frames.TEST, bytes(range(250)) * 36)
                    port.send(frame)
                    assert wire.wait(frame[12:40], SECONDS) == frame
                    back = frames.ether(lease.info["mac"], shapes.FAR_MAC, frames.TEST, bytes(range(250)) * 36)
                    wire.send(back)
                    assert port.wait(back[:40], SECONDS) == back
    finally:
        lab.subprocess.run("ip link set wire0 mtu 1500", shell=True, check=True)
        lab.run_far(["ip", "link", "set", "wire", "mtu", "1500"])


if __name__ == "__main__":
    tap.main()
