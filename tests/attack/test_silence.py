# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing but the guest speaks on its port (promise 8), and the host is not reachable through a lease (promise 7)."""

import contextlib
import os
import socket
import struct
import subprocess
import time

import attacker
import bus
import frames
import lab
import tap
from attacker import lease_of

FAR = "02:00:00:00:fa:00"
SECONDS = 5  # duplicate address detection, router solicitations and MLD come within 4 s (RFC 4861 6.3.7, RFC 3810 9.12)


def link_local(mac):
    """The address that a host would make of its MAC (RFC 4291, appendix A)."""
    octets = frames.mac_bytes(mac)
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + bytes(6) + bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:])


def probes(mac):
    """What a living IP stack would answer: by every address that could lead to it."""
    own = link_local(mac)
    found = []
    for destination in (mac, frames.BROADCAST):
        for target in ("10.77.0.99", "127.0.0.1", "169.254.1.1", "0.0.0.0", "10.77.0.2"):
            found.append(frames.arp(1, FAR, "10.77.0.77", target, destination=destination))
            echo = frames.icmp_echo("10.77.0.77", target)
            found.append(frames.ether(destination, FAR, frames.IPV4, echo))
        for target in ("255.255.255.255", "224.0.0.1", "10.77.0.255"):
            found.append(frames.ether(destination, FAR, frames.IPV4, frames.icmp_echo("10.77.0.77", target)))
        for target in (own, "ff02::1", "ff02::2", "::1", "fd77::99", "fe80::1"):
            found.append(frames.ether(destination, FAR, frames.IPV6, frames.icmp_echo("fe80::77", target)))
        found.append(frames.ether(destination, FAR, frames.IPV4, frames.udp("10.77.0.77", "10.77.0.99", 1, 9, b"anybody?")))
    found.append(frames.ether("33:33:00:00:00:01", FAR, frames.IPV6, frames.icmp_echo("fe80::77", "ff02::1")))
    found.append(frames.ether("01:00:5e:00:00:01", FAR, frames.IPV4, frames.icmp_echo("10.77.0.77", "224.0.0.1")))
    for target in (own, "fd77::99"):
        found.append(frames.neighbour_solicitation(FAR, "fe80::77", target))
        found.append(frames.ether("33:33:00:00:00:01", FAR, frames.IPV6, mld_query()))
    return found


def mld_query():
    """A general multicast listener query (RFC 2710 3): who joined a group would report it."""
    message = struct.pack("!BBHHH16s", 130, 0, 0, 0, 0, bytes(16))
    return frames.ipv6("fe80::77", "ff02::1", 58, frames.icmp6("fe80::77", "ff02::1", message), hops=1)


def frames_until(port, deadline):
    """Everything that comes until the deadline; the capture itself is the clock."""
    seen = []
    while (frame := port.receive(max(0, deadline - time.monotonic()))) is not None:
        seen.append(frame)
    return seen


def told(frame):
    return frame[:60].hex(":", 2)


def test_namespaces_are_silent():
    """Leases of every kind at once, from their making on for some seconds, asked for everything: the wire stays empty but for the guests'
    own frames, and the guests hear nothing that neighbour or guests have not sent."""
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(frames.WirePort())
        # With AntiSpoof=no as well: there the guard would let out what an inner interface says.
        wanted = [(shape, spoof) for shape in attacker.SHAPES for spoof in ("yes", "no")]
        leases = [stack.enter_context(lease_of(shape, f"attack-{shape}-{spoof}", AntiSpoof=spoof)) for shape, spoof in wanted]
        learning = stack.enter_context(lease_of("tap", "attack9", options={"mac": "learn"}))
        learning.mac = "52:54:00:1e:a2:04"
        deadline = time.monotonic() + SECONDS
        for lease in [*leases, learning]:
            for probe in probes(lease.mac):
                wire.send(probe)
        seen = frames_until(wire, deadline)
        assert not seen, f"{len(seen)} frames on the wire that no guest sent: {[told(frame) for frame in seen[:5]]}"
        # Controls: the probes have reached the guests, and what a guest sends is seen there.
        far = {frames.mac_bytes(FAR), frames.mac_bytes(lab.links(where=lab.FAR)["wire"]["address"])}
        for lease in leases:
            mark = attacker.on_wire(lease)
            lease.port.send(mark)
            wire.wait(mark[14:40])
            heard = []
            while (frame := lease.port.receive(0)) is not None:
                heard.append(frame)
            assert any(frame[12:14] == b"\x08\x06" and frame[:6] == frames.mac_bytes(lease.mac) for frame in heard), f"{lease.shape}: no probe came"
            senders = {frame[6:12] for frame in heard} - far - {frames.mac_bytes(other.mac) for other in leases}
            assert not senders, f"{lease.shape}: frames from {[sender.hex(':') for sender in senders]}"
        assert learning.port.receive(0) is None, "a lease that still learns has heard something"


def test_silent_where_checked():
    """The same for the shapes with the completing veth, which have two more interfaces."""
    lab.helper_arguments("--assume-checksum-trick")
    try:
        with contextlib.ExitStack() as stack:
            wire = stack.enter_context(frames.WirePort())
            leases = [stack.enter_context(lease_of(shape, f"attack{number}")) for number, shape in enumerate(("tap", "packet", "packet-vnet"))]
            deadline = time.monotonic() + SECONDS
            for lease in leases:
                for probe in probes(lease.mac):
                    wire.send(probe)
            seen = frames_until(wire, deadline)
            assert not seen, f"{len(seen)} frames on the wire: {[told(frame) for frame in seen[:5]]}"
            for lease in leases:
                mark = attacker.on_wire(lease)
                lease.port.send(mark)
                wire.wait(mark[14:40])
    finally:
        lab.helper_arguments()


def test_a_guest_cannot_wake_its_namespace():
    """Frames from the guest for the namespace's own interfaces are answered by nobody: neither back to it nor out."""
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(frames.WirePort())
        for shape in attacker.SHAPES:
            lease = stack.enter_context(lease_of(shape, f"attack-{shape}"))
            addresses = {link["address"] for link in lab.ip("link", where=lease.fd)} - {"00:00:00:00:00:00"}
            asked = []
            for address in addresses:
                own = link_local(address)
                asked += [frames.arp(1, lease.mac, "10.77.0.50", "127.0.0.1", destination=address),
                          frames.ether(address, lease.mac, frames.IPV4, frames.icmp_echo("10.77.0.50", "127.0.0.1")),
                          frames.ether(address, lease.mac, frames.IPV6, frames.icmp_echo("fe80::50", own)),
                          frames.neighbour_solicitation(lease.mac, "fe80::50", own)]  # fmt: skip
            lease.port.drain()
            for frame in asked:
                attacker.attempt(lease.port.send, frame)
            mark = attacker.on_wire(lease)
            lease.port.send(mark)
            foreign = [frame for frame in wire.before(mark[14:40]) if frame[6:12] != frames.mac_bytes(lease.mac)]
            assert not foreign, f"{shape}: {told(foreign[0])}"
            end = frames.marker(FAR, f"MARK {shape}")
            wire.send(end)
            # A macvlan in bridge mode gives a guest back what it sends to its own address: that is no answer.
            heard = [frame for frame in lease.port.before(end[14:40])
                     if frame[:6] == frames.mac_bytes(lease.mac) and frame[6:12] != frames.mac_bytes(lease.mac)]  # fmt: skip
            assert not heard, f"{shape}: answered {told(heard[0])}"


def test_deaf_even_with_addresses():
    """The guard alone keeps the namespace deaf: root gives its interfaces addresses, and still nobody answers there."""
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(frames.WirePort())
        for number, shape in enumerate(attacker.SHAPES):
            lease = stack.enter_context(lease_of(shape, f"attack-{shape}", AntiSpoof="no"))
            names = [name for name in lab.links(where=lease.fd) if name != "lo"]
            targets = [f"10.77.0.{100 + 10 * number + place}" for place in range(len(names))]
            with lab.in_namespace(lease.fd):
                for name, target in zip(names, targets):
                    subprocess.run(["ip", "address", "add", f"{target}/24", "dev", name], check=True)
            lease.port.drain()
            for target in targets:
                for destination in (lease.mac, frames.BROADCAST):
                    wire.send(frames.arp(1, FAR, "10.77.0.77", target, destination=destination))
                    wire.send(frames.ether(destination, FAR, frames.IPV4, frames.icmp_echo("10.77.0.77", target)))
            # What comes to the guest has been past the namespace's stack, and the guest's next frame past its answers.
            end = frames.marker(FAR, f"MARK {shape}")
            wire.send(end)
            lease.port.wait(end[14:40])
            mark = attacker.on_wire(lease)
            lease.port.send(mark)
            answers = wire.before(mark[14:40])
            assert not answers, f"{shape}: the namespace answered {told(answers[0])}"


def host_view():
    """What an administrator would see of the host's addresses and routes."""
    routes = lab.ip("route", "show", "table", "all"), lab.ip("-6", "route", "show", "table", "all")
    addresses = {link["ifname"]: [info["local"] for info in link.get("addr_info", [])] for link in lab.ip("address")}
    return routes, addresses


def test_the_host_is_as_it_was():
    """No address, route or answer appears on the host because of a lease, also for frames to the parent's own MAC."""
    parent = lab.links()["wire0"]["address"]
    before = host_view()
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(frames.WirePort())
        for number, shape in enumerate(attacker.SHAPES):
            lease = stack.enter_context(lease_of(shape, f"attack{number}"))
            assert host_view() == before, f"{shape}: {host_view()}"
        for probe in probes(parent):
            wire.send(probe)
        mark = attacker.on_wire(lease)
        lease.port.send(mark)
        answers = [frame for frame in wire.before(mark[14:40]) if frame[6:12] == frames.mac_bytes(parent)]
        assert not answers, told(answers[0])
    lab.wait_no_leases()
    assert host_view() == before, host_view()


def test_the_shared_vlan_is_silent():
    """The host's VLAN interface under the leases answers nothing and takes nothing in."""
    lab.need_vlan()
    with bus.connect("member") as member, frames.WirePort() as wire, member.open_tap("vlan100") as lease:
        mac = lease.info["mac"]
        shared = next(link for name, link in lab.links().items() if name.startswith("rnv"))
        for target in (shared["address"], lab.links()["wire0"]["address"], mac):
            for probe in probes(target):
                wire.send(frames.tagged(probe, 100))
        seen = frames_until(wire, time.monotonic() + SECONDS)
        assert not seen, f"{len(seen)} frames: {[told(frame) for frame in seen[:5]]}"
        mark = frames.marker(mac, f"MARK {os.urandom(4).hex()}")
        frames.Port(lease.fd, vnet_hdr=True).send(mark)
        wire.wait(mark[14:40])


if __name__ == "__main__":
    tap.main()
