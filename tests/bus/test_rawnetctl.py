# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl's verbs against the real service: what they print, what a command finds, how they fail."""

import contextlib
import json
import os
import pty
import select
import signal
import socket
import subprocess
import termios
import time

import bus
import lab
import tap

# A command that shows what it was given: descriptors (number and what they are), environment, arguments.
SHOW = r"""
import json, os, sys
fds = {}
for name in os.listdir("/proc/self/fd"):
    try:
        fds[name] = os.readlink(f"/proc/self/fd/{name}")
    except FileNotFoundError:
        pass
print(json.dumps({"fds": fds, "environment": dict(os.environ), "arguments": sys.argv[1:], "pid": os.getpid(),
                  "ppid": os.getppid()}))
"""
SHOW_COMMAND = ["/usr/bin/python3", "-c", SHOW]


def rawnetctl(*words, user="member", **options):
    return lab.run_as(user, ["rawnetctl", *words], **options)


def shown(*words, **options):
    """What SHOW printed, run by `rawnetctl run OPTIONS`; words: options, then {placeholders} after '--'."""
    split = words.index("--")
    result = rawnetctl("run", *words[:split], "--", *SHOW_COMMAND, *words[split + 1 :], check=True, **options)
    return json.loads(result.stdout)


def expect_failure(status, text, *words, user="member", **options):
    """rawnetctl fails with this status and one line on stderr that contains text, and prints nothing."""
    result = rawnetctl(*words, user=user, **options)
    assert result.returncode == status, result
    assert result.stdout == "", result
    assert result.stderr.startswith("rawnetctl: ") and result.stderr.count("\n") == 1, result
    assert text in result.stderr, result


# -- run


def test_run_tap():
    seen = shown("--name", "a b", "lab", "--", "x{fd}y", "{fds}", "{mac}", "{mtu}", "{ifname}", '{"a":{"b":"{mac}"}}', "{other}")
    environment = seen["environment"]
    mac = environment["RAWNET_MAC"]
    name = environment["RAWNET_IFNAME"]
    assert name == f"rn{int(environment['RAWNET_LEASE']):x}", environment
    assert seen["arguments"] == ["x3y", "3", mac, "1500", name, '{"a":{"b":"%s"}}' % mac, "{other}"], seen
    assert seen["fds"]["3"] == "/dev/net/tun", seen
    assert environment["LISTEN_FDS"] == "1" and environment["LISTEN_PID"] == str(seen["pid"]), environment
    assert environment["LISTEN_FDNAMES"] == "lab" and environment["RAWNET_MTU"] == "1500", environment


def test_run_leaves_nothing_of_itself():
    """Same process, no descriptor but the port's and the caller's."""
    with lab.popen_as("member", ["rawnetctl", "run", "lab", "--", *SHOW_COMMAND, "{mac}"], stdout=subprocess.PIPE) as process:
        seen = json.loads(process.communicate(timeout=30)[0])
    assert seen["pid"] == process.pid and seen["ppid"] == os.getpid(), seen
    others = {number: what for number, what in seen["fds"].items() if int(number) > 3 and not what.startswith("/proc/")}
    assert not others, others


def test_run_several_ports():
    seen = shown("--queues", "2", "--port", "wan=lab", "--kind", "packet", "--port", "lan-2=lab-private", "--",
                 "{wan.fds}", "{lan-2.fds}", "{wan.fds,}", "{lan-2.mac}", "{dmz.fd}")  # fmt: skip
    environment = seen["environment"]
    assert seen["arguments"] == ["3:4", "5:6", "3,4", environment["RAWNET_MAC_LAN_2"], "{dmz.fd}"], seen
    assert [seen["fds"][str(fd)].split(":")[0] for fd in range(3, 7)] == ["/dev/net/tun"] * 2 + ["socket"] * 2, seen
    assert environment["LISTEN_FDS"] == "4" and environment["LISTEN_FDNAMES"] == "wan:wan:lan-2:lan-2", environment
    assert environment["RAWNET_IFNAME_WAN"].startswith("rn") and "RAWNET_MAC" not in environment, environment


def test_run_unused_mac():
    assert "MAC" in rawnetctl("run", "lab", "--", "true").stderr
    assert rawnetctl("run", "lab", "--", "true", "{mac}").stderr == ""
    assert rawnetctl("run", "--mac", "52:54:00:00:0A:77", "lab", "--", "true", "mac=52:54:00:00:0a:77").stderr == ""
    assert rawnetctl("run", "--mac", "learn", "lab", "--", "true").stderr == ""
    assert rawnetctl("run", "--kind", "packet", "lab", "--", "true").stderr == ""
    assert rawnetctl("run", "lab", "--", "sh", "-c", "test -n $RAWNET_MAC").stderr == ""


def test_run_status():
    assert rawnetctl("run", "lab", "--", "sh", "-c", "exit 7", "{mac}").returncode == 7
    assert rawnetctl("run", "lab", "--", "sh", "-c", "kill -9 $$", "{mac}").returncode == -signal.SIGKILL
    expect_failure(127, "/nonexistent", "run", "lab", "--", "/nonexistent", "{mac}")
    expect_failure(126, "/etc/passwd", "run", "lab", "--", "/etc/passwd", "{mac}")
    expect_failure(125, "nosuch", "run", "nosuch", "--", "true")
    expect_failure(125, "--mac", "run", "--port", "a=lab", "--mac", "learn", "--", "true")
    expect_failure(125, "{a.fd}", "run", "--port", "a=lab", "--port", "b=lab", "--", "true", "{fd}")
    expect_failure(125, "password", "run", "lab", "--", "true", user="outsider")


def test_run_same_name_same_mac():
    first, again, other = (shown("--name", name, "lab", "--", "{mac}")["arguments"][0] for name in ("x", "x", "y"))
    assert first == again != other, (first, again, other)


# -- list, networks, stat, close


@contextlib.contextmanager
def leases(count):
    """Lease i is called vmI."""
    with bus.connect("member") as connection, contextlib.ExitStack() as stack:
        yield [stack.enter_context(connection.open_tap("lab", name=f"vm{i}")) for i in range(count)]


def test_list_and_json():
    with leases(3) as opened:
        lines = rawnetctl("list", user="outsider", check=True).stdout.splitlines()
        assert lines[0].split() == ["ID", "NETWORK", "KIND", "OWNER", "MAC", "NAME", "SINCE"], lines
        rows = [line.split() for line in lines[1:]]
        assert [row[0] for row in rows] == [f"rn{lease.id:x}" for lease in opened], (rows, opened)
        assert all(row[1:4] == ["lab", "tap", "member"] for row in rows) and [row[5] for row in rows] == ["vm0", "vm1", "vm2"], rows
        found = json.loads(rawnetctl("list", "--json", check=True).stdout)
        assert [lease["id"] for lease in found] == [lease.id for lease in opened], found
        assert found[0]["owner"] == lab.uid_of("member") and found[0]["mac"] == opened[0].info["mac"], found


def test_list_is_empty_without_leases():
    assert rawnetctl("list", check=True).stdout.count("\n") == 1
    assert json.loads(rawnetctl("list", "--json", check=True).stdout) == []


def test_networks():
    with lab.network("broken", text="[Network]\nParent=wire0\nVlan=none\n"):
        lab.wait_for(lambda: "broken" in rawnetctl("networks").stdout, 5, "the new network")
        line = next(line for line in rawnetctl("networks").stdout.splitlines() if line.startswith("broken"))
        assert "broken.conf:3" in line and "Vlan" in line, line
        found = {network["name"]: network for network in json.loads(rawnetctl("networks", "--json").stdout)}
    assert found["lab"]["parent"] == "wire0" and found["lab"]["kinds"] == ["tap", "packet"], found["lab"]
    assert "broken.conf:3" in found["broken"]["error"], found["broken"]


def test_stat_and_close():
    with leases(1) as (lease,):
        for word in (str(lease.id), f"rn{lease.id:x}"):
            assert "rx_packets" in rawnetctl("stat", word, user="outsider", check=True).stdout
            found = json.loads(rawnetctl("stat", "--json", word, check=True).stdout)
            assert found["id"] == lease.id and found["statistics"]["tx_packets"] >= 0, found
        expect_failure(1, "password", "close", str(lease.id), user="outsider")
        assert rawnetctl("close", f"rn{lease.id:x}", check=True).stdout == ""
    lab.wait_no_leases()
    expect_failure(1, "lease", "close", str(lease.id))
    expect_failure(1, "lease", "stat", str(lease.id))


def test_usage():
    for words in ([], ["nosuch"], ["--nosuch"], ["list", "x"], ["list", "--nosuch"], ["stat"], ["stat", "1"], ["close"],
                  ["close", "rnxyz"], ["networks", "-x"]):  # fmt: skip
        expect_failure(2, "", *words)
    assert "rawnetctl" in rawnetctl("--help", check=True).stdout
    assert rawnetctl("--version", check=True).stdout.startswith("rawnetctl ")


# -- check


def check(*words, **options):
    result = rawnetctl("check", "--json", *words, **options)
    found = json.loads(result.stdout)
    return result.returncode, {network["name"]: network for network in found["networks"]}, found


def test_check_good():
    status, networks, found = check("lab")
    assert status == 0 and networks["lab"]["problems"] == [], found
    assert networks["lab"]["can-open"] == {"tap": "yes", "packet": "yes"}, networks
    assert set(found["group"]) == {"member", "member2"}, found
    assert check("lab", user="outsider")[1]["lab"]["can-open"]["tap"] == "challenge"
    assert "ok" in rawnetctl("check", "lab", check=True).stdout


def test_check_bad():
    with lab.network("nowhere", Parent="nosuch0"), lab.network("broken", text="[Network]\nVLAN=1\n"), \
         lab.network("loop", Parent="lo"), lab.network("huge", MTU="9500"):  # fmt: skip
        status, networks, found = check()
    assert status == 1, found
    assert any("nosuch0" in text for text in networks["nowhere"]["problems"]), networks["nowhere"]
    assert any("broken.conf" in text for text in networks["broken"]["problems"]), networks["broken"]
    assert any("Ethernet" in text for text in networks["loop"]["problems"]), networks["loop"]
    assert any("MTU" in text for text in networks["huge"]["problems"]), networks["huge"]
    assert networks["lab"]["problems"] == [], networks["lab"]


def test_check_enslaved_and_down():
    try:
        for words in ("add tcb0 type bridge", "add tcp0 type veth peer tcp1", "set tcp0 master tcb0"):
            subprocess.run(["ip", "link", *words.split()], check=True)
        with lab.network("port", Parent="tcp0"):
            problems = " ".join(check("port")[1]["port"]["problems"])
    finally:
        for name in ("tcp0", "tcb0"):
            subprocess.run(["ip", "link", "del", name], check=False)
    assert "bridge" in problems and "down" in problems, problems


def test_check_unknown_network():
    status, networks, _ = check("nosuch")
    assert status == 1 and "nosuch" in networks["nosuch"]["problems"][0], networks


# -- a terminal


def on_terminal(command, answer, seconds=30):
    """Runs command as outsider, with a terminal of its own; types answer once the prompt has switched echo off. Its output."""
    account = lab.pwd.getpwnam("outsider")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("setpriv", ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups", "--", *command])
    output = b""
    deadline = time.monotonic() + seconds
    while select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # EIO: nobody has it open any more
            break
        output += data
        if b"assword:" in data:
            lab.wait_for(lambda: not echoes(terminal), 5, "the prompt")
            os.write(terminal, answer.encode() + b"\n")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), output.decode(errors="replace")


def echoes(terminal):
    return termios.tcgetattr(terminal)[3] & termios.ECHO


@contextlib.contextmanager
def root_password(password):
    """root has this password, in this lab's mount namespace only."""
    hashed = subprocess.run(["openssl", "passwd", "-6", password], capture_output=True, text=True, check=True).stdout.strip()
    with open("/etc/shadow", encoding="ascii") as file:
        lines = [f"root:{hashed}:{line.split(':', 2)[2]}" if line.startswith("root:") else line for line in file]
    path = f"{lab.LAB}/tmp/shadow"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.writelines(lines)
    subprocess.run(["mount", "--bind", path, "/etc/shadow"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "/etc/shadow"], check=True)
        os.unlink(path)


def test_password_on_terminal():
    with root_password("sesame"):
        status, output = on_terminal(["rawnetctl", "run", "lab", "--", *SHOW_COMMAND, "{mac}"], "sesame")
        assert status == 0 and "/dev/net/tun" in output, output
        assert "network lab" in output, f"polkit's question does not name the network: {output}"
        status, output = on_terminal(["rawnetctl", "run", "lab", "--", "true", "{mac}"], "wrong")
        assert status == 125 and "rawnetctl: " in output, output


def test_no_prompt_where_none_is_needed():
    """With the rule's yes no agent is started: polkit's log would show it."""
    before = lab.log_of("syslog").count("Registered Authentication Agent")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("setpriv", ["setpriv", f"--reuid={lab.uid_of('member')}", "--init-groups", "--", "rawnetctl", "run", "lab", "--",
                              "true", "{mac}"])  # fmt: skip
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert status == 0, status
    assert lab.log_of("syslog").count("Registered Authentication Agent") == before


# -- rawnet-bridge-helper

HELPER = "rawnet-bridge-helper"


def helper_path():
    for directory in (*os.environ["PATH"].split(":"), f"{lab.build_dir}/stage/usr/libexec/rawnet", "/usr/libexec/rawnet"):
        if os.access(f"{directory}/{HELPER}", os.X_OK):
            return f"{directory}/{HELPER}"
    raise AssertionError(f"no {HELPER}")


def test_bridge_helper():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        # libvirt's environment, and its argv without --use-vnet
        result = lab.run_as("member", [helper_path(), "--br=lab", f"--fd={theirs.fileno()}"], pass_fds=[theirs.fileno()])
        assert (result.returncode, result.stdout, result.stderr) == (0, "", ""), result
        data, fds, _, _ = socket.recv_fds(ours, 16, 4)
        assert len(data) == 1 and len(fds) == 1, (data, fds)
        lease = json.loads(rawnetctl("list", "--json").stdout)[0]
        assert lease["mac"] == "" and lease["network"] == "lab", lease
        os.close(fds[0])


def test_bridge_helper_refuses():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for user, words, text in (("member", ["--br=nosuch"], "nosuch"), ("outsider", ["--br=lab"], "password"),
                                  ("member", ["--br=" + "x" * 256], "longer"),
                                  ("member", ["--br=lab", "--mac=00:11:22:33:44:55"], "MAC")):  # fmt: skip
            result = lab.run_as(user, [helper_path(), *words, f"--fd={theirs.fileno()}"], pass_fds=[theirs.fileno()])
            assert result.returncode == 1 and text in result.stderr and result.stderr.count("\n") == 1, result
        for words in ([], ["--br=lab"], ["--br=lab", "--fd=0"], ["--br=lab", "--fd=99"], ["--nosuch"]):
            assert lab.run_as("member", [helper_path(), *words]).returncode == 2, words
        ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            raise AssertionError(f"sent all the same: {socket.recv_fds(ours, 16, 4)}")


if __name__ == "__main__":
    tap.main()
