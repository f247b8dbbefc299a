# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself, seen from outside: it passes things on, keeps its promises to the command, and leaves nothing behind."""

import contextlib
import ctypes
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))

import tap  # noqa: E402

LAB = os.path.join(SOURCE, "tools/lab")
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def lab(*words, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([LAB, *words], capture_output=True, text=True, check=False, timeout=60, **options)


def in_lab(script, *options):
    """Runs a Python script in a fresh lab; its output. AssertionError when it fails."""
    done = lab("exec", *options, "--", "/usr/bin/python3", "-c", script)
    assert done.returncode == 0, done
    return done.stdout


@contextlib.contextmanager
def started(*command):
    """A lab whose command has printed "ready"; it is killed, if it still runs, when the block ends."""
    with subprocess.Popen([LAB, "exec", "--", *command], stdout=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def all_descendants_end(seconds=10):
    """We are their subreaper, so every orphan of the lab would be our child: wait until there is none."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                assert time.monotonic() < deadline, "processes of the lab are still there"
                select.select([], [], [], 0.01)
        except ChildProcessError:
            return


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def traces():
    """Everything of the machine that a careless lab would change."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    found = {"mounts": sorted(line.split()[4] for line in read("/proc/self/mountinfo").splitlines()),
             "links": [line.split(": ")[1] for line in links.splitlines()],
             "passwd": read("/etc/passwd"), "group": read("/etc/group")}  # fmt: skip
    for path in (f"{SOURCE}/tools/lab.d", f"{SOURCE}/tests/lib", "/run/lab", "/run/rawnet", "/run/netns", "/etc/rawnet", "/run/dbus", "/dev/log", "/usr/libexec/rawnet"):
        found[path] = sorted(os.listdir(path)) if os.path.isdir(path) else os.path.lexists(path)
    return found


def same(before):
    """AssertionError with the difference when something is there that was not there before."""
    now = traces()
    assert now == before, {key: (before[key], now[key]) for key in now if now[key] != before[key]}


def test_exit_status_is_the_commands():
    assert lab("exec", "--", "sh", "-c", "exit 7").returncode == 7
    assert lab("exec", "--", "sh", "-c", "kill -9 $$").returncode == 137
    assert lab("exec", "--", "no-such-program").returncode == 127
    assert lab("exec", "--", "/etc/passwd").returncode == 126


def test_wrong_use_is_said():
    done = lab("exec", "--user", "nobody-knows", "--", "true")
    assert done.returncode == 125 and "no user nobody-knows" in done.stderr, done
    done = lab("exec", "--wrong", "--", "true")
    assert done.returncode == 2 and "--wrong" in done.stderr, done
    assert lab("exec").returncode == 2
    assert lab("unknown").returncode == 2


def test_streams_and_directory():
    done = subprocess.run([LAB, "exec", "--", "sh", "-c", "pwd; cat; echo oops >&2"], input="hello\n",
                          capture_output=True, text=True, check=False, cwd=HERE)
    assert done.stdout == f"{HERE}\nhello\n" and done.stderr.endswith("oops\n"), done


def test_user_has_no_powers():
    script = "import os; print(open('/proc/self/status').read()); print(sorted(os.getgroups()), os.getuid(), os.environ['HOME'])"
    for user, groups in (("member", 2), ("outsider", 1), ("nobody", 1)):
        out = in_lab(script, "--user", user)
        status = dict(line.split(":\t", 1) for line in out.splitlines() if ":\t" in line)
        for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[key], 16) == 0, (user, key, status[key])
        assert status["NoNewPrivs"] == "1", user
        assert len(status["Groups"].split()) == groups, (user, status["Groups"])


def test_bus_and_polkit_are_the_real_ones():
    out = in_lab("""
import os, subprocess
subprocess.run(["busctl", "--system", "introspect", "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority"],
               check=True, stdout=subprocess.DEVNULL)
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        print(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        pass
""")
    assert "/usr/bin/dbus-daemon\n" in out and "/usr/lib/polkit-1/polkitd\n" in out, out


def test_helper_has_exactly_net_admin():
    if not os.path.exists(stage("usr/libexec/rawnet/rawnet-helper")):
        tap.skip("rawnet-helper is not built")
    out = in_lab("""
import json, socket, lab
connection = lab.helper_connection()
connection.settimeout(30)
connection.send(b"x")
assert connection.recv(1) == b""  # closed: messages are read, so the guard is loaded and CAP_BPF given up
status = dict(line.split(":\\t", 1) for line in open(f"/proc/{lab.helper_pid()}/status"))
print(json.dumps({key: value.split() for key, value in status.items()}))
""")
    status = json.loads(out)
    for key in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        assert int(status[key][0], 16) == 1 << 12, (key, status[key])  # CAP_NET_ADMIN
    assert int(status["CapBnd"][0], 16) == 1 << 12 | 1 << 39, status["CapBnd"]  # CAP_BPF: helper/privilege.c
    assert status["Uid"] == ["6012"] * 4 and status["NoNewPrivs"] == ["1"], status


def stage(path):
    return os.path.join(os.environ.get("RAWNET_BUILD", f"{SOURCE}/build"), "stage", path)


def test_the_wire_is_silent_and_the_neighbour_answers():
    out = in_lab("""
import frames, lab, socket, subprocess
near = next(entry for entry in lab.ip("addr") if entry["ifname"] == "wire0")
assert not near["addr_info"], near
subprocess.run(["ip", "addr", "add", "10.77.0.2/24", "dev", "wire0"], check=True)
for port in (7, 9000, 9001):
    with socket.create_connection(("10.77.0.1", port), 10) as sock:
        sock.sendall(b"3\\nabc")
        sock.shutdown(socket.SHUT_WR)
        print(port, sock.makefile("rb").read())
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(10)
    sock.sendto(b"datagram", ("10.77.0.1", 7))
    print(sock.recv(100))
with socket.create_connection(("10.77.0.1", 80), 10) as sock:
    sock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    print(sock.makefile("rb").read())
""")
    assert "7 b'3\\nabc'" in out and "9001 b'ba7816bf" in out and "datagram" in out and "greets" in out, out


def test_signals_reach_the_command():
    # Blocked before it says so, hence no moment at which the signal would be missed.
    script = ("import signal, sys; number = int(sys.argv[1]); signal.pthread_sigmask(signal.SIG_BLOCK, {number});"
              "print('ready', flush=True); signal.sigwait({number}); sys.exit(42)")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        with started("/usr/bin/python3", "-c", script, str(int(number))) as process:
            process.send_signal(number)
            assert process.wait(20) == 42, number


def test_terminal():
    """Ctrl-C on a terminal comes once, and a terminal is a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        script = "trap 'echo got-it' INT; test -t 0 && echo on-a-tty; while read -r line; do echo line $line; done; exit 3"
        os.execv(LAB, [LAB, "exec", "--", "bash", "-c", script])
    seen = b""

    def until(text):
        nonlocal seen
        deadline = time.monotonic() + 20
        while text not in seen:
            assert select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0], seen
            seen += os.read(terminal, 4096)

    until(b"on-a-tty")
    os.write(terminal, b"\x03")
    until(b"got-it")
    os.write(terminal, b"x\n")
    until(b"line x")
    assert seen.count(b"got-it") == 1, seen
    os.write(terminal, b"\x04")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 3, status


def test_nothing_is_left_after_an_end():
    before = traces()
    lab("exec", "--", "sh", "-c", "tail -f /dev/null & touch /etc/left /usr/left /run/left; ip netns add left; ip link add l0 type dummy")
    all_descendants_end()
    same(before)


def test_nothing_is_left_after_sigkill():
    before = traces()
    with started("sh", "-c", "tail -f /dev/null & ip netns add left; echo ready; tail -f /dev/null"):
        pass  # it ends with SIGKILL for the front, while everything runs
    all_descendants_end()
    same(before)


@tap.limit(240)
def test_nothing_is_left_when_killed_while_starting():
    before = traces()
    for step in range(20):
        with subprocess.Popen([LAB, "exec", "--", "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            # Moments spread over the start: the point is to hit it anywhere, not to wait for something.
            select.select([], [], [], step * 0.02)
            process.kill()
        all_descendants_end()
        same(before)


def test_two_at_once():
    command = ("sh", "-c", "ip -o link show wire0 >/dev/null && echo ready; tail -f /dev/null")
    with started(*command) as one, started(*command) as two:
        assert one.poll() is None and two.poll() is None


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    tap.main()
