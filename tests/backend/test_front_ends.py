# SPDX-License-Identifier: GPL-2.0-or-later
"""Stock QEMU with its own network boot ROM on rawnet-vhost: a front end and a driver that nobody here wrote."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import tempfile

import frames
import lab
import processes
import tap
import vhost

BOOT_SECONDS = 120  # beside emulated machines


def accepts_offer(mac):
    """A DHCPREQUEST (RFC 2131, option 53 = 3) of that guest."""
    source = frames.mac_bytes(mac)

    def check(frame):
        return (frame[6:12] == source and frame[12:14] == b"\x08\x00" and frame[23] == 17
                and b"\x63\x82\x53\x63\x35\x01\x03" in frame)  # fmt: skip

    return check


@contextlib.contextmanager
def booted(back, command):
    """command's guest, once it has accepted an address; ended with SIGTERM."""
    with frames.WirePort() as wire, lab.popen_as("member", command, stderr=subprocess.PIPE) as process:
        try:
            wire.wait(accepts_offer(back.mac), seconds=BOOT_SECONDS)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            tap.diag(process.communicate(timeout=tap.patience(20))[1])


@tap.limit(BOOT_SECONDS + 40)
def test_boot_rom_accepts_an_address():
    with vhost.back_end() as back:
        with booted(back, vhost.qemu(back)):
            pass
        assert back.end() == (0, "rawnet-vhost: the front end has disconnected; waiting for the next\n"), back.end()


PLAIN_QEMU = ["qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-nodefaults", "-no-user-config", "-display", "none"]


@contextlib.contextmanager
def ready(mac, command, **options):
    with frames.WirePort() as wire, lab.popen_as("member", command, stderr=subprocess.PIPE, **options) as process:
        try:
            wire.wait(accepts_offer(mac), seconds=BOOT_SECONDS)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            tap.diag(process.communicate(timeout=tap.patience(20))[1])
    # QEMU's own way of ending; its status came through, and the back end went with it.
    assert process.returncode == 0, process.returncode
    lab.wait_no_leases()


def test_offers_udp_segmentation_where_the_kernel_describes_it():
    """VIRTIO_NET_F_GUEST_USO4, GUEST_USO6 and HOST_USO: all three or none, by what a packet socket of this kernel can (packet(7))."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as probe:
        try:
            probe.getsockopt(263, 24)  # SOL_PACKET, PACKET_VNET_HDR_SZ
            expected = 0b111
        except OSError:
            expected = 0
    with vhost.back_end() as back, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as front:
        front.settimeout(tap.patience(10))
        front.connect(back.socket)
        front.sendall(struct.pack("=III", 1, 1, 0))  # VHOST_USER_GET_FEATURES, version 1
        features = struct.unpack("=IIIQ", front.recv(20, socket.MSG_WAITALL))[3]
    assert features >> 54 & 0b111 == expected, hex(features)


@tap.limit(BOOT_SECONDS + 40)
def test_rawnetctl_qemu():
    """The spelling of 2009, and nothing else."""
    mac = "52:54:00:d0:01:01"
    command = ["rawnetctl", "qemu", "--", *PLAIN_QEMU, "-netdev", "raw,id=n0,network=lab,name=old", "-device",
               f"virtio-net-pci,netdev=n0,mac={mac}"]  # fmt: skip
    with ready(mac, command):
        listed = lab.run_as("member", ["rawnetctl", "list"], check=True).stdout
        assert mac in listed and "packet" in listed and "old" in listed, listed


@tap.limit(BOOT_SECONDS + 40)
def test_rawnetctl_qemu_killed():
    mac = "52:54:00:d0:01:02"
    command = ["rawnetctl", "qemu", *PLAIN_QEMU, "-netdev", "raw,id=n0,network=lab,queues=2", "-device",
               f"virtio-net-pci,netdev=n0,mac={mac}"]  # fmt: skip
    with frames.WirePort() as wire, lab.popen_as("member", command, stderr=subprocess.PIPE) as process:
        wire.wait(accepts_offer(mac), seconds=BOOT_SECONDS)
        process.kill()
        process.communicate(timeout=tap.patience(20))
    lab.wait_no_leases()


@tap.limit(BOOT_SECONDS + 40)
def test_rawnetctl_qemu_on_an_open_port():
    mac = "52:54:00:d0:01:03"
    line = [*PLAIN_QEMU, "-netdev", "raw,id=n0,fd={fd}", "-device", "virtio-net-pci,netdev=n0,mac={mac}"]
    with ready(mac, ["rawnetctl", "run", "--kind", "packet", "--vnet-hdr=yes", "--mac", mac, "lab", "--", "rawnetctl",
                     "qemu", "--", *line]):  # fmt: skip
        assert len(lab.lease_ids()) == 1


@tap.limit(BOOT_SECONDS + 40)
def test_rawnetctl_qemu_by_json():
    mac = "52:54:00:d0:01:05"
    netdev = {"type": "raw", "id": "n0", "network": "lab", "mac": mac, "name": "by-json"}
    command = ["rawnetctl", "qemu", *PLAIN_QEMU, "-netdev", json.dumps(netdev), "-device",
               json.dumps({"driver": "virtio-net-pci", "netdev": "n0"})]  # fmt: skip
    with ready(mac, command):
        assert "by-json" in lab.run_as("member", ["rawnetctl", "list"], check=True).stdout


@contextlib.contextmanager
def runtime_directory():
    """member's XDG_RUNTIME_DIR for a command; nothing is left in it, and no lease."""
    with tempfile.TemporaryDirectory(dir=f"{lab.LAB}/tmp") as directory:
        os.chmod(directory, 0o777)
        yield {"XDG_RUNTIME_DIR": directory}
        lab.wait_no_leases()
        assert not os.listdir(directory), os.listdir(directory)


def test_rawnetctl_qemu_passes_a_failure_on():
    """QEMU's own status, and what was opened for it goes: also where it ended before it came to its back end, or was not there."""
    for command, status, word in (([*PLAIN_QEMU, "-device", "nosuch"], 1, "nosuch"), (["no-qemu-of-that-name"], 127, "no-qemu-of-that-name")):
        with runtime_directory() as environment:
            line = ["rawnetctl", "qemu", *command, "-netdev", "raw,id=n0,network=lab", "-netdev", "raw,id=n1,network=lab,kind=tap"]
            result = lab.run_as("member", line, env=environment)
            assert result.returncode == status and word in result.stderr, result


@tap.limit(BOOT_SECONDS + 40)
def test_rawnetctl_qemu_daemonized():
    """QEMU's first process ends when the guest runs, and the port goes on; it ends with the second."""
    mac = "52:54:00:d0:01:06"
    with runtime_directory() as environment, frames.WirePort() as wire:
        pid_file = os.path.join(lab.LAB, "tmp", "daemonized.pid")
        line = ["rawnetctl", "qemu", *PLAIN_QEMU, "-daemonize", "-pidfile", pid_file, "-netdev", f"raw,id=n0,network=lab,mac={mac}",
                "-device", "virtio-net-pci,netdev=n0"]  # fmt: skip
        result = lab.run_as("member", line, env=environment)
        assert result.returncode == 0, result
        with open(pid_file, encoding="ascii") as file:
            pid = int(file.read())
        try:
            wire.wait(accepts_offer(mac), seconds=BOOT_SECONDS)
        finally:
            os.kill(pid, signal.SIGTERM)


WRAPPERS = {
    "setsid": ["setsid", "-f"],
    "start-stop-daemon": ["start-stop-daemon", "--start", "--background", "--oknodo", "--name", "rn-none", "--startas", "/usr/bin/env", "--"],
    "a shell that ends first": ["sh", "-c", '{ tail --pid=$$ -f /dev/null; exec "$@"; } >/dev/null 2>&1 &', "sh"],
    "a shell in a shell": ["sh", "-c", 'sh -c \'sh -c "\\"\\$@\\" &" sh "$@" &\' sh "$@" >/dev/null 2>&1', "sh"],
}  # fmt: skip


@tap.limit(len(WRAPPERS) * (BOOT_SECONDS + 20))
def test_wrappers_that_fork_and_end():
    """QEMU runs when the process that rawnetctl became has ended; the back end waits for it."""
    for number, (name, wrapper) in enumerate(WRAPPERS.items()):
        mac = f"52:54:00:d0:02:{number:02x}"
        with runtime_directory() as environment, frames.WirePort() as wire:
            line = ["rawnetctl", "qemu", "--", *wrapper, *PLAIN_QEMU, "-netdev", f"raw,id=n0,network=lab,kind=packet,mac={mac}",
                    "-device", "virtio-net-pci,netdev=n0"]  # fmt: skip
            result = lab.run_as("member", line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            assert result.returncode == 0, (name, result)
            try:
                wire.wait(accepts_offer(mac), seconds=BOOT_SECONDS)
                assert len(lab.lease_ids()) == 1, name
            finally:
                for pid in processes.with_word(mac):
                    with contextlib.suppress(ProcessLookupError):  # the back end ends with QEMU
                        os.kill(pid, signal.SIGKILL)


def watched_by(pid):
    """The processes of which pid has a pidfd."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as file:
            found += [int(line.split()[1]) for line in file if line.startswith("Pid:")]
    return found


def test_a_wrapped_qemu_that_fails():
    """The back end ends with the last process that could have connected, and says so."""
    with runtime_directory() as environment, tempfile.TemporaryFile() as errors:
        fifo = os.path.join(environment["XDG_RUNTIME_DIR"], "fifo")
        os.mkfifo(fifo)
        os.chmod(fifo, 0o666)
        line = ["rawnetctl", "qemu", "--", "setsid", "-f", "sh", "-c", f"read go <{fifo}; exec \"$@\"", "sh", *PLAIN_QEMU,
                "-nosuch", "-netdev", "raw,id=n0,network=lab,kind=packet"]  # fmt: skip
        result = lab.run_as("member", line, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        assert result.returncode == 0, result
        # The shell, and the back end, which has rawnetctl's command line until QEMU connects.
        lab.wait_for(lambda: any(set(watched_by(pid)) & set(processes.with_word(fifo)) for pid in processes.with_word(fifo)), 10, "the back end's look at the shell")
        assert len(lab.lease_ids()) == 1
        with open(fifo, "w", encoding="ascii") as file:
            file.write("go\n")
        lab.wait_no_leases()
        os.unlink(fifo)
        lab.wait_for(lambda: not os.listdir(environment["XDG_RUNTIME_DIR"]), 10, "the socket's end")
        errors.seek(0)
        said = errors.read().decode()
        assert "nosuch" in said and "the command ended before QEMU connected to its port on lab" in said, said


@tap.limit(BOOT_SECONDS + 40)
def test_a_long_runtime_directory():
    """Too long for a socket in it: the socket is in /tmp."""
    mac = "52:54:00:d0:01:07"
    with runtime_directory() as environment:
        path = environment["XDG_RUNTIME_DIR"] + "/" + "x" * 100
        os.mkdir(path)
        os.chmod(path, 0o777)
        with ready(mac, ["rawnetctl", "qemu", *PLAIN_QEMU, "-netdev", "raw,id=n0,network=lab", "-device",
                         f"virtio-net-pci,netdev=n0,mac={mac}"], env={"XDG_RUNTIME_DIR": path}):  # fmt: skip
            assert len(lab.lease_ids()) == 1
        os.rmdir(path)


@tap.limit(BOOT_SECONDS + 40)
def test_rawnetctl_vhost():
    """For libvirt, cloud-hypervisor and the like: a socket."""
    mac = "52:54:00:d0:01:04"
    with tempfile.TemporaryDirectory(dir=f"{lab.LAB}/tmp") as directory:
        os.chmod(directory, 0o777)
        path = f"{directory}/port"
        back = lab.popen_as("member", ["rawnetctl", "vhost", "--socket", path, "--mac", mac, "lab"], stderr=subprocess.PIPE)
        try:
            lab.wait_for(lambda: os.path.exists(path) or back.poll() is not None, 10, "the socket")
            line = [*PLAIN_QEMU, "-object", "memory-backend-memfd,id=m0,size=64M,share=on", "-machine", "memory-backend=m0",
                    "-chardev", f"socket,id=c0,path={path}", "-netdev", "vhost-user,id=n0,chardev=c0",
                    "-device", f"virtio-net-pci,netdev=n0,mac={mac},vectors=0"]  # fmt: skip
            with frames.WirePort() as wire, lab.popen_as("member", line, stderr=subprocess.PIPE) as process:
                wire.wait(accepts_offer(mac), seconds=BOOT_SECONDS)
                process.kill()
                process.communicate(timeout=tap.patience(20))
            assert len(lab.lease_ids()) == 1
        finally:
            back.terminate()
            said = back.communicate(timeout=tap.patience(20))[1]
    assert back.returncode == 0, said


def test_rawnetctl_vhost_connects():
    """To a front end that listens: when that is not there yet, and again when it has gone."""
    with tempfile.TemporaryDirectory(dir=f"{lab.LAB}/tmp") as directory:
        os.chmod(directory, 0o777)
        path = f"{directory}/front"
        back = lab.popen_as("member", ["rawnetctl", "vhost", "--connect", path, "lab"], stderr=subprocess.PIPE)
        try:
            lab.wait_for(lambda: lab.lease_ids() or back.poll() is not None, 10, "the lease")
            with socket.socket(socket.AF_UNIX) as listener:
                listener.settimeout(tap.patience(10))
                with lab.identity("member"):
                    listener.bind(path)
                listener.listen(1)
                for _ in range(2):
                    with listener.accept()[0] as front:
                        front.settimeout(tap.patience(10))
                        front.sendall(struct.pack("=III", 1, 1, 0))
                        request, flags, size, features = struct.unpack("=IIIQ", front.recv(20, socket.MSG_WAITALL))
                        assert (request, flags, size) == (1, 5, 8) and features >> 32 & 1, (request, flags, size, features)
        finally:
            back.terminate()
            said = back.communicate(timeout=tap.patience(20))[1]
        assert back.returncode == 0 and said.count("the front end has disconnected") >= 1, said


def test_rawnetctl_vhost_passes_its_options_on():
    with tempfile.TemporaryDirectory(dir=f"{lab.LAB}/tmp") as directory:
        os.chmod(directory, 0o777)
        words = ["rawnetctl", "vhost", "--socket", f"{directory}/port"]
        back = lab.popen_as("member", [*words, "--busy-poll", "7", "--coalesce", "300", "--allow-user", "member2", "--queues", "2", "lab"],
                            stderr=subprocess.PIPE)  # fmt: skip
        try:
            lab.wait_for(lambda: os.path.exists(f"{directory}/port") or back.poll() is not None, 10, "the socket")
            with open(f"/proc/{back.pid}/cmdline", encoding="ascii") as file:
                line = file.read().split("\0")
            assert line[0] == "rawnet-vhost" and {"--busy-poll=7", "--coalesce=300", "--allow-user=member2"} <= set(line), line
        finally:
            back.terminate()
            said = back.communicate(timeout=tap.patience(20))[1]
        assert back.returncode == 0, said
        for name, value in (("--busy-poll", "1000001"), ("--coalesce", "10001"), ("--coalesce", "often"), ("--queues", "17"),
                            ("--allow-user", "no-such-user")):  # fmt: skip
            result = lab.run_as("member", [*words, name, value, "lab"])
            assert result.returncode == 125 and name in result.stderr, result


def test_rawnetctl_qemu_says_why():
    result = lab.run_as("outsider", ["rawnetctl", "qemu", *PLAIN_QEMU, "-netdev", "raw,id=n0,network=lab"])
    assert result.returncode == 125 and "lab" in result.stderr, result


def test_back_end_says_why():
    """Its exit status, and one line."""
    program = vhost.program()
    for words, status, word in ((["--fd=0", "--socket=/x"], 2, "packet socket"), (["--fd=x"], 2, "descriptor's number"),
                                ([], 2, "--fd"), (["--fd=3", "--mtu=1", "--socket=/x"], 2, "--mtu"), (["what"], 2, "what")):  # fmt: skip
        result = lab.run_as("member", [program, *words])
        assert result.returncode == status and word in result.stderr and result.stderr.count("\n") == 1, (words, result)


def hello(back):
    """A connection to the back end."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(tap.patience(10))
    with lab.identity("member"):
        connection.connect(back.socket)
    return connection


def test_what_breaks_the_rules_ends_the_port():
    with vhost.back_end() as back, hello(back) as connection:
        connection.sendall(struct.pack("=III", 1, 1, 0))
        assert len(connection.recv(20)) == 20
        connection.sendall(struct.pack("=III", 1, 7, 0))
        assert connection.recv(1) == b""
        assert back.process.wait(tap.patience(20)) == 3
        assert back.end()[1] == "rawnet-vhost: a message with flags 0x7 is not a request of vhost-user version 1\n"


def test_the_guests_memory_is_taken_away():
    """A ring in a memory file that is made shorter: SIGBUS is the end of this port, with a reason."""
    with vhost.back_end() as back, hello(back) as connection:
        memory = os.memfd_create("guest")
        os.ftruncate(memory, 0x10000)
        kick = os.eventfd(0)

        def say(request, payload, fds=()):
            socket.send_fds(connection, [struct.pack("=III", request, 1, len(payload)) + payload], fds)

        say(5, struct.pack("=IIQQQQ", 1, 0, 0, 0x10000, 0x10000, 0), [memory])
        say(8, struct.pack("=II", 1, 64))
        say(9, struct.pack("=IIQQQQ", 1, 0, 0x10000, 0x12000, 0x11000, 0))
        say(12, struct.pack("=Q", 1), [kick])
        connection.sendall(struct.pack("=III", 1, 1, 0))
        connection.recv(20)
        os.ftruncate(memory, 0)
        os.eventfd_write(kick, 1)
        assert back.process.wait(tap.patience(20)) == 3
        assert "the front end took the guest's memory away" in back.end()[1]
        os.close(memory)
        os.close(kick)


def test_the_lease_is_closed():
    """Close() ends the lease under the back end, which says so."""
    with vhost.back_end() as back:
        lab.run_as("member", ["rawnetctl", "close", str(lab.lease_ids()[0])], check=True)
        assert back.process.wait(tap.patience(20)) == 4
        assert "the lease has ended" in back.end()[1]


@contextlib.contextmanager
def card():
    """A network on a card that unplug() takes away."""
    subprocess.run(["ip", "link", "add", "card0", "type", "veth", "peer", "name", "socket0"], check=True)
    try:
        subprocess.run(["ip", "link", "set", "card0", "up"], check=True)
        with lab.network("unplugged", Parent="card0"):
            yield lambda: subprocess.run(["ip", "link", "del", "card0"], check=True)
    finally:
        subprocess.run(["ip", "link", "del", "card0"], check=False, capture_output=True)


def test_the_parent_is_removed():
    """A network card that is unplugged: the back end of a strict port ends as that of a closed lease does."""
    with card() as unplug, vhost.back_end("unplugged") as back:
        unplug()
        assert back.process.wait(tap.patience(10)) == 4
        assert "the lease has ended" in back.end()[1]


def test_the_parent_is_removed_under_rawnetctl_vhost():
    """Its status is the back end's, which it has become."""
    with tempfile.TemporaryDirectory(dir=f"{lab.LAB}/tmp") as directory, card() as unplug:
        os.chmod(directory, 0o777)
        back = lab.popen_as("member", ["rawnetctl", "vhost", "--socket", f"{directory}/port", "unplugged"], stderr=subprocess.PIPE)
        try:
            lab.wait_for(lambda: os.path.exists(f"{directory}/port") or back.poll() is not None, 10, "the socket")
            unplug()
            assert back.wait(tap.patience(10)) == 4
        finally:
            back.kill()
            said = back.communicate()[1]
        assert "the lease has ended" in said, said
        lab.wait_no_leases()


def test_the_parent_is_removed_under_rawnetctl_qemu():
    """QEMU, which rawnetctl has become, runs on. The back end of a packet port says why it ends, and the lease with it."""
    for kind in ("packet", "tap"):
        line = [*PLAIN_QEMU, "-S", "-qmp", "stdio", "-netdev", f"raw,id=n0,network=unplugged,kind={kind}", "-device", "virtio-net-pci,netdev=n0"]
        with card() as unplug:
            process = lab.popen_as("member", ["rawnetctl", "qemu", *line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                # It answers once it has made the machine.
                process.stdin.write('{"execute": "qmp_capabilities"}\n')
                process.stdin.flush()
                assert "QMP" in process.stdout.readline() and process.stdout.readline().startswith('{"return"'), process.communicate()
                unplug()
                lab.wait_for(lambda: " open " not in lab.run_as("member", ["rawnetctl", "list"]).stdout, 10, "the lease's end")
                if kind == "packet":
                    lab.wait_no_leases()
                assert process.poll() is None
                process.terminate()
                said = process.communicate(timeout=tap.patience(20))[1]
            finally:
                process.kill()
                process.communicate()
        assert process.returncode == 0 and ("the lease has ended" in said) == (kind == "packet"), (process.returncode, said)
        lab.wait_no_leases()


def test_it_has_given_everything_up():
    def status_of(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)

    with vhost.back_end() as back:
        # It listens before it gives everything up, and accepts nobody in between.
        lab.wait_for(lambda: status_of(back.process.pid)["Seccomp"] == "2", 10, "the filter of system calls")
        status = status_of(back.process.pid)
        assert status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == 0, status
        with open(f"/proc/{back.process.pid}/limits", encoding="ascii") as file:
            limits = file.read()
        assert "Max core file size        0 " in limits and "Max processes             0 " in limits, limits
        assert int(status["RssAnon"].split()[0]) + int(status["RssFile"].split()[0]) < 8192, status


if __name__ == "__main__":
    tap.main()
