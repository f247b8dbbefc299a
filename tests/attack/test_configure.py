# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lease's holder must not be able to enter, configure or mark; and that what a tap lets its holder set does no harm."""

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
import subprocess

import attacker
import bus
import frames
import kernel
import lab
import processes
import tap
from attacker import as_user, attempt, lease_of

EPERM = errno.EPERM
CAPLESS = ("nobody", "member", "outsider", "root")

# linux/sockios.h
SET_REQUESTS = {
    "SIOCSIFFLAGS": 0x8914, "SIOCSIFADDR": 0x8916, "SIOCSIFDSTADDR": 0x8918, "SIOCSIFBRDADDR": 0x891A, "SIOCSIFNETMASK": 0x891C,
    "SIOCSIFMTU": 0x8922, "SIOCSIFNAME": 0x8923, "SIOCSIFHWADDR": 0x8924, "SIOCADDMULTI": 0x8931, "SIOCDELMULTI": 0x8932,
    "SIOCSIFTXQLEN": 0x8943, "SIOCSIFMAP": 0x8971, "SIOCADDRT": 0x890B, "SIOCSARP": 0x8955,
}  # fmt: skip
SIOCETHTOOL = 0x8946
ETHTOOL_SETS = {"STXCSUM": 0x17, "STSO": 0x1F, "SGSO": 0x24, "SGRO": 0x2C, "SFEATURES": 0x3B, "SPFLAGS": 0x28, "PHYS_ID": 0x1C}
# linux/if_tun.h
TUNSETIFF, TUNSETQUEUE, TUNGETIFF = 0x400454CA, 0x400454D9, 0x800454D2
TUN_SETS = {
    "TUNSETNOCSUM": 0x400454C8, "TUNSETDEBUG": 0x400454C9, "TUNSETPERSIST": 0x400454CB, "TUNSETOWNER": 0x400454CC,
    "TUNSETLINK": 0x400454CD, "TUNSETGROUP": 0x400454CE, "TUNSETOFFLOAD": 0x400454D0, "TUNSETTXFILTER": 0x400454D1,
    "TUNSETSNDBUF": 0x400454D4, "TUNATTACHFILTER": 0x401054D5, "TUNDETACHFILTER": 0x401054D6, "TUNSETVNETHDRSZ": 0x400454D8,
    "TUNSETVNETLE": 0x400454DC, "TUNSETVNETBE": 0x400454DE, "TUNSETSTEERINGEBPF": 0x800454E0, "TUNSETFILTEREBPF": 0x800454E1,
    "TUNSETCARRIER": 0x400454E2,
}  # fmt: skip


def namespace_doors(lease):
    """Every way from the descriptor to its namespace: {what: errno}."""
    doors = {}
    for name, request in (("SIOCGSKNS", attacker.SIOCGSKNS), ("TUNGETDEVNETNS", attacker.TUNGETDEVNETNS)):
        try:
            namespace = fcntl.ioctl(lease.fd, request, 0)
        except OSError as error:
            doors[name] = error.errno
        else:
            doors[name] = 0
            doors[f"setns by {name}"] = attempt(kernel.setns, namespace, kernel.CLONE_NEWNET)
    doors["setns on the fd"] = attempt(kernel.setns, lease.fd, kernel.CLONE_NEWNET)
    return doors


def in_own_user_namespace(lease):
    """As uid 0 with all capabilities of a user namespace of the attacker's own; the reason where the system forbids those."""
    kernel.unshare(0x10000000 | kernel.CLONE_NEWNET)  # CLONE_NEWUSER
    return namespace_doors(lease)


# -- the namespace


def test_namespace_is_closed():
    """No user without capabilities gets in, whatever its uid: another user's process, uid 0 among them."""
    for shape in attacker.SHAPES:
        with lease_of(shape) as lease:
            for user in CAPLESS:
                doors = as_user(user, namespace_doors, lease)
                assert 0 not in doors.values(), f"{shape}, {user}: {attacker.names(doors)}"
                assert EPERM in doors.values(), f"{shape}, {user}: {attacker.names(doors)}"
            # The door is a door: root, with capabilities, is let in.
            with lab.in_namespace(lease.fd):
                assert lease.info["interface"] in [name for _, name in socket.if_nameindex()]


class HostLinks:
    """The names of all interfaces that the host's namespace has or has had since, be it for a moment only (rtnetlink(7))."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.socket.bind((0, 1))  # RTMGRP_LINK
        self.seen = set(lab.links())

    def names(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take(self.socket.recv(65536, socket.MSG_DONTWAIT))
        return self.seen

    def _take(self, data):
        _, kind = struct.unpack_from("=IH", data)
        attributes = data[32:] if kind == 16 else b""  # RTM_NEWLINK, behind nlmsghdr and ifinfomsg; one message a datagram
        while attributes:
            length, attribute = struct.unpack_from("=HH", attributes)
            if attribute == 3:  # IFLA_IFNAME
                self.seen.add(attributes[4:length].rstrip(b"\0").decode())
            attributes = attributes[(length + 3) & ~3 :]


@contextlib.contextmanager
def nothing_in_the_host(what):
    """Whatever comes of the block, an error too: no interface appears in the host's namespace while it runs."""
    links = HostLinks()
    before = set(links.names())
    try:
        yield
    finally:
        new = links.names() - before
        links.socket.close()
        assert not new, f"{what}: {', '.join(sorted(new))} appeared in the host's namespace"


def test_nothing_in_the_host():
    """An untagged lease shows nothing of itself in the host's namespace, and its descriptor names nothing of the host's."""
    links = HostLinks()
    for words in (["add", "name", "control0", "type", "veth", "peer", "name", "control1"], ["del", "control0"]):
        subprocess.run(["ip", "link", *words], check=True)
    assert {"control0", "control1"} < links.names(), links.names()
    links.socket.close()
    with bus.connect() as root:
        root.features()  # rawnet-helper has tried its kernel by now: what comes is the leases'
    before = set(lab.links())
    with nothing_in_the_host("the only lease"), lease_of("tap"):
        assert len(lab.lease_ids()) == 1, lab.lease_ids()
    for shape in attacker.SHAPES:
        with nothing_in_the_host(shape), lease_of(shape) as lease:
            inside = set(lab.links(where=lease.fd)) - {"lo"}
            assert lease.info["interface"] in inside and not inside & before, f"{shape}: {inside}"


def test_namespace_is_closed_to_own_root():
    """Root of a user namespace of one's own is nobody there."""
    for shape in attacker.SHAPES:
        with lease_of(shape) as lease:
            for user in ("nobody", "member"):
                doors = as_user(user, in_own_user_namespace, lease)
                assert 0 not in doors.values() and EPERM in doors.values(), f"{shape}, {user}: {attacker.names(doors)}"


def test_learning_child_is_closed():
    """A process stays in the namespace while it learns: nobody may look into it, trace it or end it."""
    with lease_of("tap", options={"mac": "learn"}) as lease:
        (pid,) = lab.wait_for(processes.learners, 5, "the learning child")

        def doors():
            found = {"ns": attempt(os.open, f"/proc/{pid}/ns/net", os.O_RDONLY),
                     "userns": attempt(os.open, f"/proc/{pid}/ns/user", os.O_RDONLY),
                     "mem": attempt(os.open, f"/proc/{pid}/mem", os.O_RDWR),
                     "fd": attempt(os.open, f"/proc/{pid}/fd/3", os.O_RDONLY),
                     "its links": attempt(os.readlink, f"/proc/{pid}/fd/3"),
                     "kill": attempt(os.kill, pid, 9)}  # fmt: skip
            pidfd = os.pidfd_open(pid)
            found["setns by pidfd"] = attempt(kernel.setns, pidfd, kernel.CLONE_NEWNET)
            libc = attacker.ctypes.CDLL(None, use_errno=True)
            found["ptrace"] = 0 if libc.ptrace(16, pid, 0, 0) == 0 else attacker.ctypes.get_errno()  # PTRACE_ATTACH
            found["getfd"] = attempt(lambda: attacker._checked(libc.syscall(438, pidfd, 3, 0), "pidfd_getfd"))
            return found

        for user in CAPLESS:
            found = as_user(user, doors)
            assert 0 not in found.values(), f"{user}: {attacker.names(found)}"
        assert processes.learners() == [pid]
        lease.port.send(frames.marker("52:54:00:1e:a2:03", "first"))


# -- configuration


def configure(lease):
    """Every request that sets something, on every interface the descriptor can name: {what: errno}."""
    results = {}
    if lease.packet:
        interfaces = list(attacker.interfaces(lease.fd).values())
    else:
        interfaces = [lease.info["interface"], "uplink", "check", "checked", "lo", "wire0"]
    for name in interfaces:
        for what, request in SET_REQUESTS.items():
            data = struct.pack("16sH22x", name.encode(), 1 if what == "SIOCSIFHWADDR" else 0x1143)
            results[f"{what} {name}"] = attempt(fcntl.ioctl, lease.fd, request, data)
        for what, command in ETHTOOL_SETS.items():
            value = attacker.ctypes.create_string_buffer(struct.pack("II56x", command, 0))
            data = struct.pack("16sP16x", name.encode(), attacker.ctypes.addressof(value))
            results[f"ETHTOOL_{what} {name}"] = attempt(fcntl.ioctl, lease.fd, SIOCETHTOOL, data)
    return results


def snapshot(lease):
    """The namespace's links as root sees them, without counters and without what the kernel sets a moment later (carrier, operstate)."""
    keys = ("ifname", "address", "mtu", "link", "promiscuity", "allmulti", "txqlen")
    return [{key: link.get(key) for key in keys} | {"flags": set(link["flags"]) - {"LOWER_UP", "NO-CARRIER"}}
            for link in lab.ip("link", where=lease.fd)]  # fmt: skip


def still_guarded(lease, what):
    """An honest frame passes, one with another source does not."""
    with frames.WirePort() as wire:
        mark = attacker.on_wire(lease)
        attempt(lease.port.send, frames.marker(attacker.VICTIM, "EVIL"))
        lease.port.send(mark)
        seen = [frame for frame in wire.before(mark[14:40]) if b"EVIL" in frame]
        assert not seen, f"{what}: {seen[0].hex()}"


def test_no_configuration():
    """On a packet descriptor every set-type request is EPERM, and nothing has changed."""
    for shape in attacker.PACKETS:
        with lease_of(shape) as lease:
            before = snapshot(lease)
            for user in CAPLESS:
                results = as_user(user, configure, lease)
                # SIOCADDRT and SIOCSARP check the caller first as well; what is no request of this kind of socket is ENOTTY or EINVAL.
                open_doors = {what: number for what, number in results.items() if number == 0}
                assert not open_doors, f"{shape}, {user}: {open_doors}"
                wanted = [f"{what} {lease.info['interface']}" for what in
                          ("SIOCSIFFLAGS", "SIOCSIFMTU", "SIOCSIFNAME", "SIOCSIFHWADDR", "ETHTOOL_STXCSUM", "ETHTOOL_SGSO")]
                assert {results[what] for what in wanted} == {EPERM}, f"{shape}, {user}: {attacker.names(results)}"
            assert snapshot(lease) == before
            still_guarded(lease, shape)


def set_mark(lease):
    number = attempt(attacker.setsockopt, lease.fd, socket.SOL_SOCKET, attacker.SO_MARK, 0x7261776E)
    return {"SO_MARK": number, **marked_message(lease)}


def marked_message(lease):
    """A mark on each interface, by a control message; the gate of earlier versions passed frames with this one."""
    results = {}
    with socket.socket(fileno=os.dup(lease.fd)) as sock:
        for index, name in attacker.interfaces(lease.fd).items():
            attacker.bind(lease.fd, index)
            for mark in (0x7261776E, 0x6E776172):
                frame = attacker.raw(lease, frames.marker(attacker.VICTIM, f"EVIL {name}"))
                control = [(socket.SOL_SOCKET, attacker.SO_MARK, struct.pack("I", mark))]
                results[name, mark] = attempt(sock.sendmsg, [frame], control)
    return results


def test_no_mark():
    """SO_MARK, as option and as control message, is refused; nothing marked or foreign gets out by the uplink."""
    for shape in attacker.PACKETS:
        with lease_of(shape) as lease, frames.WirePort() as wire:
            port = next(index for index, name in attacker.interfaces(lease.fd).items() if name == lease.info["interface"])
            for user in CAPLESS:
                results = as_user(user, set_mark, lease)
                attacker.bind(lease.fd, port)
                assert set(results.values()) <= {EPERM, errno.ENETDOWN, errno.ENXIO}, f"{shape}, {user}: {attacker.names(results)}"
                assert results["SO_MARK"] == EPERM
            mark = attacker.on_wire(lease)
            lease.port.send(mark)
            seen = [frame for frame in wire.before(mark[14:40]) if b"EVIL" in frame]
            assert not seen, f"{shape}: {seen[0].hex()}"


# -- the tap's own switches


def tap_switches(lease):
    """Sets everything that an attached tap's descriptor takes."""
    name = lease.info["interface"].encode()
    results = {}
    for what, request in TUN_SETS.items():
        value = {"TUNSETPERSIST": 1, "TUNSETOWNER": 65534, "TUNSETGROUP": 65534, "TUNSETLINK": 772}.get(what)
        if value is not None:
            results[what] = attempt(fcntl.ioctl, lease.fd, request, value)
        elif what != "TUNSETVNETHDRSZ":  # it would change the frames' form
            results[what] = attempt(fcntl.ioctl, lease.fd, request, struct.pack("iI8x", 0, 0))
    results["TUNSETCARRIER"] = attempt(fcntl.ioctl, lease.fd, TUN_SETS["TUNSETCARRIER"], struct.pack("i", 1))
    mac = struct.pack("16sH6s16x", name, 1, frames.mac_bytes(attacker.VICTIM))
    results["SIOCSIFHWADDR"] = attempt(fcntl.ioctl, lease.fd, 0x8924, mac)
    for what, other in (("other", b"wire0"), ("uplink", b"uplink"), ("new", b"evil%d"), ("own", name)):
        for flags in (0x0002, 0x1002, 0x4002 | 0x1000, 0x0001):  # IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_TUN
            results[f"TUNSETIFF {what} {flags:x}"] = attempt(fcntl.ioctl, lease.fd, TUNSETIFF, struct.pack("16sH22x", other, flags))
    return results


def test_tap_switches_do_no_harm():
    """The holder may set much on a tap: it is still attached to its own port, guarded, and ends with its descriptor."""
    for user in CAPLESS:
        with lease_of("tap") as lease:
            before = [link for link in snapshot(lease) if link["ifname"] != lease.info["interface"]]
            results = as_user(user, tap_switches, lease)
            foreign = {what: number for what, number in results.items() if what.startswith("TUNSETIFF") and number == 0}
            assert not foreign, f"{user}: {foreign}"
            request = bytearray(40)
            fcntl.ioctl(lease.fd, TUNGETIFF, request)
            assert request[:16].rstrip(b"\0").decode() == lease.info["interface"]
            after = [link for link in snapshot(lease) if link["ifname"] != lease.info["interface"]]
            assert after == before, f"{user}: {after}"
            still_guarded(lease, f"tap, {user}")
            # Frames for the new address of the tap do not come: the uplink has kept the lease's.
            with frames.WirePort() as wire:
                end = frames.marker("02:00:00:00:fa:00", "MARK")
                wire.send(frames.ether(attacker.VICTIM, "02:00:00:00:fa:00", frames.TEST, b"SECRET"))
                wire.send(end)
                assert not [frame for frame in lease.port.before(end[14:40]) if b"SECRET" in frame]
        # TUNSETPERSIST does not outlive the namespace.
        lab.wait_no_leases()


def load_program(value):
    """A socket filter that returns a number. Where kernel.unprivileged_bpf_disabled is 0, any user may load one."""
    code = struct.pack("=BBhi", 0xB7, 0, 0, value) + struct.pack("=BBhi", 0x95, 0, 0, 0)  # r0 = value; exit (linux/bpf.h)
    fd = ctypes.CDLL("libbpf.so.1", use_errno=True).bpf_prog_load(1, b"returns", b"GPL", code, 2, None)  # BPF_PROG_TYPE_SOCKET_FILTER
    assert fd >= 0, os.strerror(ctypes.get_errno())
    return fd


def test_tap_programs_do_no_harm():
    """A holder's own eBPF programs choose a queue and cut what the holder receives. They see nothing of others, and no frame that leaves."""
    secret = frames.ether(attacker.VICTIM, "02:00:00:00:fa:00", frames.TEST, b"SECRET")
    for value in (-1, 0, 1, 20, 0xFFFF):
        with lease_of("tap", options={"queues": 2}) as lease, frames.WirePort() as wire, bus.connect("member2") as second, \
                second.open_tap("lab") as beside:  # fmt: skip
            program = load_program(value)

            def attach(fd, where, program):
                return {name: attempt(fcntl.ioctl, fd, TUN_SETS[name], struct.pack("i", program)) for name in where}

            for fd in lease.fds:
                results = as_user("nobody", attach, fd, ("TUNSETSTEERINGEBPF", "TUNSETFILTEREBPF"), program)
                assert set(results.values()) == {0}, attacker.names(results)
            still_guarded(lease, f"programs that return {value}")
            as_user("nobody", attach, lease.fd, ("TUNSETFILTEREBPF",), -1)
            end = frames.marker("02:00:00:00:fa:00", f"MARK {value}")
            wire.send(secret)
            wire.send(end)
            frames.Port(beside.fd, vnet_hdr=True).wait(end[14:40])
            seen = []

            def heard():  # a macvlan gives a broadcast to one after the other
                seen.extend(frame for fd in lease.fds for frame in iter(lambda: frames.Port(fd, vnet_hdr=True).receive(0), None))  # pylint: disable=cell-var-from-loop
                return any(end[14:40] in frame for frame in seen)  # pylint: disable=cell-var-from-loop

            lab.wait_for(heard, 10, f"a frame to a lease with programs that return {value}")
            assert not [frame for frame in seen if b"SECRET" in frame], value
            os.close(program)


def test_tap_cannot_be_attached_twice():
    """Another /dev/net/tun descriptor of the attacker's does not get at the port, which has a name of another namespace."""
    with lease_of("tap") as lease:

        def attach():
            fd = os.open("/dev/net/tun", os.O_RDWR)
            return {flags: attempt(fcntl.ioctl, fd, TUNSETIFF, struct.pack("16sH22x", lease.info["interface"].encode(), flags))
                    for flags in (0x5002, 0x5102)}  # fmt: skip

        for user in CAPLESS:
            results = as_user(user, attach)
            assert set(results.values()) == {EPERM}, f"{user}: {attacker.names(results)}"
        still_guarded(lease, "tap")


def test_queue_can_be_left_and_taken_again():
    """TUNSETQUEUE takes one's own queue off and on: only the lease's, still guarded."""
    with lease_of("tap", options={"queues": 2}) as lease:

        def leave_and_return():
            request = struct.pack("16sH22x", b"", 0x0400)
            back = struct.pack("16sH22x", b"", 0x0200)
            return [attempt(fcntl.ioctl, lease.fds[1], TUNSETQUEUE, request), attempt(fcntl.ioctl, lease.fds[1], TUNSETQUEUE, back)]

        results = as_user("nobody", leave_and_return)
        assert results[0] == 0, results
        still_guarded(lease, "queue")


# -- limits of the wire


@contextlib.contextmanager
def wide_far_end():
    """The neighbour takes jumbo frames: what does not arrive was stopped before the wire, and not by its far end's MTU."""
    with lab.in_namespace(lab.FAR):
        subprocess.run(["ip", "link", "set", "wire", "mtu", "65535"], check=True)
    try:
        yield
    finally:
        with lab.in_namespace(lab.FAR):
            subprocess.run(["ip", "link", "set", "wire", "mtu", "1500"], check=True)


def test_sizes():
    """Below a header EINVAL. Longer than the MTU: never from a strict packet port, whose veth asks (is_skb_forwardable()). A tap's frame
    is forwarded and a macvlan does not ask, as with macvtap: no promise, but such a frame has met the guard all the same."""
    for shape in attacker.SHAPES:
        with lease_of(shape) as lease, frames.WirePort() as wire, wide_far_end():

            def send(source):
                sizes = [*range(0, 14), 1520, 1600, 4000, 9014, 65000]
                frame = frames.ether(frames.BROADCAST, source, frames.TEST, b"\0\0EVIL", pad=False)
                cut = {size: frame[:size].ljust(size, b"x") for size in sizes}
                results = {size: attempt(lease.port.send, data) for size, data in cut.items()}
                if lease.packet:
                    attacker.send_by_ring(lease.fd, [attacker.raw(lease, data) for size, data in cut.items() if size < 4000])
                return results

            results = as_user("nobody", send, lease.mac)
            as_user("nobody", send, attacker.VICTIM)
            assert all(results[size] for size in range(0, 14)), f"{shape}: {attacker.names(results)}"
            if lease.packet:
                assert results[1520] == results[65000] == errno.EMSGSIZE, attacker.names(results)
            largest = attacker.on_wire(lease).ljust(lease.info["mtu"] + 14, b"x")
            lease.port.send(largest)
            seen = [frame for frame in wire.before(largest[14:40]) if b"EVIL" in frame]
            if shape in ("packet", "packet-vnet"):
                assert not seen, f"{shape}: frames of {[len(frame) for frame in seen]} bytes got out"
            assert {frame[6:12] for frame in seen} <= {frames.mac_bytes(lease.mac)}, f"{shape}: {seen[0][:40].hex()}"
            assert len(wire.last) == len(largest), len(wire.last)


def test_gso_is_guarded():
    """A large frame with a GSO header has the same guard; one without sense gets out as nothing but what the guard has seen."""
    for shape in ("tap", "packet-vnet"):
        with lease_of(shape) as lease, frames.WirePort() as wire:

            def crafted(source):
                packet = frames.udp("10.77.0.99", "10.77.0.1", 9, 9, b"EVIL" * 2000, complete=False)
                frame = frames.ether(frames.BROADCAST, source, frames.IPV4, packet)
                for flags in (0, frames.NEEDS_CSUM):
                    for kind in (0, 1, 3, 4, 5, 0x81, 0x85, 0xFF):
                        for header_length in (0, 14, 42, 65535):
                            for size in (0, 1, 1400, 65535):
                                header = frames.vnet_header(flags, kind, header_length, size, 34, 6)
                                attempt(lease.port.send, frame, header)
                                attempt(lease.port.send, frames.tagged(frame, 100), header)

            as_user("nobody", crafted, attacker.VICTIM)
            mark = attacker.on_wire(lease)
            lease.port.send(mark)
            seen = [frame for frame in wire.before(mark[14:40], 20) if b"EVIL" in frame]
            assert not seen, f"{shape}: {seen[0][:60].hex()}"


if __name__ == "__main__":
    tap.main()
