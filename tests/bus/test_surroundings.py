# SPDX-License-Identifier: GPL-2.0-or-later
"""What the programs find when they start: closed streams, few descriptors, an odd umask, environment, directory or command line."""

import contextlib
import itertools
import os
import pty
import subprocess
import tempfile

import bus
import lab
import tap

PROGRAMS = {
    "rawnetctl": f"{lab.build_dir}/stage/usr/bin/rawnetctl",
    "rawnet-vhost": f"{lab.build_dir}/stage/usr/bin/rawnet-vhost",
    "rawnet-bridge-helper": f"{lab.build_dir}/stage/usr/libexec/rawnet/rawnet-bridge-helper",
    "rawnetd": f"{lab.build_dir}/stage/usr/libexec/rawnet/rawnetd",
    "rawnet-helper": f"{lab.build_dir}/stage/usr/libexec/rawnet/rawnet-helper",
}
RAWNETCTL = "rawnetctl"
CLOSE = {0: "<&-", 1: ">&-", 2: "2>&-"}
DESCRIPTORS = 'for fd in 0 1 2 3; do readlink /proc/$$/fd/$fd; done >"$0"'
TAP = "/dev/net/tun"


def closing(streams, *command):
    """command with these streams closed."""
    return ["sh", "-c", 'exec "$@" ' + " ".join(CLOSE[fd] for fd in streams), "sh", *command]


def all_streams():
    return itertools.chain.from_iterable(itertools.combinations((0, 1, 2), n) for n in range(4))


def test_every_program_with_closed_streams():
    """Each says its version where it can; none takes descriptor 0, 1 or 2 for something of its own."""
    for (name, path), streams in itertools.product(PROGRAMS.items(), all_streams()):
        assert os.path.exists(path), path
        result = lab.run_as("member", closing(streams, path, "--version"))
        if 1 not in streams:
            assert result.returncode == 0 and result.stdout.startswith(name), (name, streams, result)
        elif name == RAWNETCTL:
            # What it printed did not arrive.
            assert result.returncode == 1, (streams, result)
            assert ("standard output" in result.stderr) == (2 not in streams), (streams, result)


def test_run_with_closed_streams():
    """The command gets the port at 3, and /dev/null where the caller had nothing."""
    for streams in all_streams():
        with tempfile.TemporaryDirectory(dir=f"{lab.LAB}/tmp") as directory:
            os.chmod(directory, 0o777)
            found = f"{directory}/found"
            result = lab.run_as("member", closing(streams, RAWNETCTL, "run", "lab", "--", "sh", "-c", DESCRIPTORS, found))
            assert result.returncode == 0, (streams, result)
            with open(found, encoding="ascii") as file:
                lines = file.read().splitlines()
        assert lines[3] == TAP, (streams, lines)
        for fd in streams:
            assert lines[fd] == ("/dev/null" if fd != 1 else found) or fd == 1, (streams, lines)
    lab.wait_no_leases()


def test_qemu_with_closed_streams():
    """QEMU runs, with a packet port and with a tap."""
    for kind, streams in itertools.product(("packet", "tap"), all_streams()):
        with tempfile.TemporaryDirectory(dir=f"{lab.LAB}/tmp") as directory:
            os.chmod(directory, 0o777)
            line = [RAWNETCTL, "qemu", "--", "qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-m", "64", "-nodefaults", "-display",
                    "none", "-S", "-monitor", f"unix:{directory}/monitor,server=on,wait=off",
                    "-netdev", f"raw,id=n0,network=lab,kind={kind}", "-device", "virtio-net-pci,netdev=n0"]  # fmt: skip
            with lab.popen_as("member", closing(streams, *line), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:  # fmt: skip
                try:
                    lab.wait_for(lambda path=f"{directory}/monitor": os.path.exists(path) or process.poll() is not None, 20, "QEMU's monitor")
                    assert process.poll() is None, (kind, streams, process.communicate())
                    lab.wait_for(lambda: len(lab.lease_ids()) == 1, 10, "the lease")
                finally:
                    process.kill()
                    process.communicate(timeout=tap.patience(20))
    lab.wait_no_leases()


def test_few_descriptors():
    """What ran out is named, with the remedy; with enough of them all is well."""
    short = []
    for limit in (*range(4, 17), 64):
        for words in ([], ["--queues", "4"]):
            command = [RAWNETCTL, "run", "--mac", "learn", *words, "lab", "--", "sh", "-c", "true"]
            result = lab.run_as("member", ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *command])
            # Ports that wait for an address have a budget of their own, which one that has just ended still uses.
            lab.wait_no_leases()
            bus.wait_none_listed()
            if result.returncode:
                assert result.stderr.count("\n") == 1 and "ulimit -n" in result.stderr, (limit, result)
                short.append((limit, bool(words)))
    assert (4, False) in short and (8, True) in short and (64, False) not in short and (64, True) not in short, short
    lab.wait_no_leases()


def test_few_descriptors_of_the_back_end():
    for limit in range(5, 9):
        with tempfile.TemporaryDirectory(dir=f"{lab.LAB}/tmp") as directory:
            os.chmod(directory, 0o777)
            command = [RAWNETCTL, "vhost", "--socket", f"{directory}/port", "lab"]
            with lab.popen_as("member", ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *command], stderr=subprocess.PIPE) as process:
                lab.wait_for(lambda path=f"{directory}/port": os.path.exists(path) or process.poll() is not None, 20, "the back end")
                served = process.poll() is None
                process.terminate()
                said = process.communicate(timeout=tap.patience(20))[1]
            assert served or "ulimit -n" in said, (limit, said)
            assert limit > 5 or not served, (limit, said)
    lab.wait_no_leases()


def test_one_address_twice():
    """Two cards of one command line: the message names both, and nothing is opened."""
    qemu = [RAWNETCTL, "qemu", "--", "true"]
    mac = "52:54:00:ee:00:01"
    for words in (["-netdev", f"raw,id=a,network=lab,mac={mac}", "-netdev", f"raw,id=b,network=lab,mac={mac.upper()}"],
                  ["-netdev", f"raw,id=a,network=lab,mac={mac}", "-netdev", f"raw,id=b,network=lab-private,mac={mac}"],
                  ["-netdev", "raw,id=a,network=lab", "-device", f"virtio-net-pci,netdev=a,mac={mac}",
                   "-netdev", "raw,id=b,network=lab", "-device", f"virtio-net-pci,netdev=b,mac={mac}"],
                  ["-netdev", "raw,id=a,network=lab,name=web", "-netdev", "raw,id=b,network=lab,name=web"]):  # fmt: skip
        result = lab.run_as("member", [*qemu, *words])
        assert result.returncode == 125 and "a and b" in result.stderr and "give each its own" in result.stderr, (words, result)
        lab.wait_no_leases()


# Plays QEMU: connects to its back end, asks one question of vhost-user, and ends.
QEMU = """#!/usr/bin/python3
import socket, struct, sys
line = ",".join(sys.argv).replace(",,", "\\0")
path = line.split("path=")[1].split(",")[0].replace("\\0", ",")
with socket.socket(socket.AF_UNIX) as front:
    front.connect(path)
    front.sendall(struct.pack("=III", 1, 1, 0))
    assert len(front.recv(20, socket.MSG_WAITALL)) == 20
"""
PORT = ["-m", "64", "-netdev", "raw,id=n0,network=lab,kind=packet", "-device", "virtio-net-pci,netdev=n0"]


@contextlib.contextmanager
def played_qemu():
    """The path of a program."""
    with tempfile.TemporaryDirectory(dir=f"{lab.LAB}/tmp") as directory:
        os.chmod(directory, 0o777)
        path = f"{directory}/qemu-system-x86_64"
        with open(path, "w", encoding="ascii") as file:
            file.write(QEMU)
        os.chmod(path, 0o755)
        yield path


def opens(environment=None, directory="/", umask=0o022, prefix=()):
    """`rawnetctl run` opens a port in these surroundings, and so does `rawnetctl qemu`, with a back end that is served."""
    with played_qemu() as path:
        for command in ([RAWNETCTL, "run", "--mac", "learn", "lab", "--", "true"], [RAWNETCTL, "qemu", "--", path, *PORT]):
            result = lab.run_as("member", [*prefix, *command], env=environment or {}, cwd=directory, preexec_fn=lambda: os.umask(umask))
            assert result.returncode == 0, (command, environment, directory, result)
    lab.wait_no_leases()


def test_umask():
    for umask in (0, 0o027, 0o077):
        opens(umask=umask)


def test_runtime_directory():
    """Missing, another user's, no directory, relative, long, with a blank, a comma or bytes that are no UTF-8 in its name."""
    with tempfile.TemporaryDirectory(dir=f"{lab.LAB}/tmp") as top:
        os.chmod(top, 0o777)
        good = [f"{top}/with blank", f"{top}/a,b", f"{top}/" + "x" * 100, os.fsdecode(os.fsencode(top) + b"/\xff\xfe")]
        for path in good:
            os.mkdir(path)
            os.chmod(path, 0o777)
        with open(f"{top}/file", "w", encoding="ascii"):
            pass
        for path in ("", "/nonexistent", "relative", "/proc", "/root", f"{top}/file", *good):
            opens({"XDG_RUNTIME_DIR": path})
        opens(prefix=["env", "-u", "XDG_RUNTIME_DIR"])
        for path in good:
            assert not os.listdir(path), (path, os.listdir(path))
            os.rmdir(path)
        os.unlink(f"{top}/file")


def test_temporary_directory_and_the_rest():
    for variables in ({"TMPDIR": "/nonexistent"}, {"TMPDIR": "relative"}, {"HOME": "/nonexistent"}, {"HOME": ""}, {"LANG": "tr_TR.UTF-8"},
                      {"LC_ALL": "nonsense"}, {"PATH": os.environ["PATH"] + "::/nonexistent"}, {"RAWNET_DEBUG": ""}):  # fmt: skip
        opens(variables)
    opens(directory="/proc")


def test_empty_environment():
    """Only PATH, by which the programs are found; then not even that."""
    opens(prefix=["env", "-i", f"PATH={os.environ['PATH']}", *bus_address()])
    result = lab.run_as("member", ["env", "-i", *bus_address(), PROGRAMS[RAWNETCTL], "run", "--mac", "learn", "lab", "--", "/bin/true"])
    assert result.returncode == 0, result


def bus_address():
    """The lab's bus is not at the system's own place."""
    return [f"{name}={value}" for name, value in os.environ.items() if name.startswith("DBUS_")]


def test_arguments_that_are_no_utf8():
    """Refused with one printable line, nothing is opened; what is only passed on arrives as it is."""
    bad = os.fsdecode(b"\xff\xfe\x1b[31m")
    for words in (["run", bad, "--", "true"], ["run", "--name", bad, "lab", "--", "true"], ["run", "--mac", bad, "lab", "--", "true"],
                  ["vhost", "--socket", "/nonexistent/x", bad], ["plug", "--qmp", bad, "lab"], ["close", bad], ["stat", bad], [bad],
                  ["qemu", "--", "true", "-netdev", f"raw,id=n0,network={bad}"], ["qemu", "--", "true", "-netdev", f"raw,id={bad},network=lab"],
                  ["check", bad], ["list", bad], ["host", "up", bad], ["vhost", "--allow-user", bad, "--socket", "/x", "lab"]):  # fmt: skip
        result = lab.run_as("member", [RAWNETCTL, *words], errors="surrogateescape")
        assert result.returncode not in (0, -6, -11), (words, result)
        for char in ("\x1b", *bad[:2]):
            assert char not in result.stderr + result.stdout, (words, result)
    result = lab.run_as("member", [RAWNETCTL, "run", "--mac", "learn", "lab", "--", "printf", "%s", bad], errors="surrogateescape")
    assert result.returncode == 0 and result.stdout == bad, result
    lab.wait_no_leases()


def test_without_and_with_a_terminal():
    """In a session without a terminal, and on one."""
    opens(prefix=["setsid", "-w"])
    leader, follower = pty.openpty()
    try:
        process = lab.popen_as("member", ["setsid", "-c", "-w", RAWNETCTL, "run", "--mac", "learn", "lab", "--", "test", "-t", "0"],
                               stdin=follower, stdout=follower, stderr=follower)  # fmt: skip
        assert process.wait(tap.patience(30)) == 0, os.read(leader, 4096)
    finally:
        os.close(leader)
        os.close(follower)
    lab.wait_no_leases()


def test_wrapper_scripts():
    """QEMU behind a script, as distributions and users have it."""
    with played_qemu() as path:
        script = os.path.dirname(path) + "/qemu"
        with open(script, "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\nexec {path} "$@"\n')
        os.chmod(script, 0o755)
        for wrapper in (["env", path], ["nice", path], ["sh", "-c", '"$@"', "sh", path], [script], ["env", script]):
            result = lab.run_as("member", [RAWNETCTL, "qemu", "--", *wrapper, *PORT])
            assert result.returncode == 0, (wrapper, result)
            lab.wait_no_leases()


if __name__ == "__main__":
    tap.main()
