# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl as users run it, and rawnet-bridge-helper as QEMU and libvirt do, without QEMU (that is test_qemu.py)."""

import contextlib
import json
import os
import pty
import re
import socket
import tempfile
import termios

import bus
import frames
import lab
import tap
import terminal
import unfit
import waiting

BRIDGE_HELPER = "/usr/libexec/rawnet/rawnet-bridge-helper"
SHOW = """
import fcntl, json, os, struct
found = {}
for name in sorted(os.listdir("/proc/self/fd"), key=int):
    try:
        found[name] = os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        pass
environment = {key: value for key, value in os.environ.items() if key.startswith(("LISTEN_", "RAWNET_"))}
import sys
print(json.dumps({"fds": found, "environment": environment, "pid": os.getpid(), "arguments": sys.argv[1:], "caps": open("/proc/self/status").read()}))
"""


def ctl(*words, user="member", **options):
    return lab.run_as(user, ["rawnetctl", *words], **options)


def good(*words, user="member", **options):
    done = ctl(*words, user=user, **options)
    assert done.returncode == 0, done
    return done.stdout


def bad(status, *words, user="member", contains=(), **options):
    """stderr of a failure: short, without the help text, with these words."""
    done = ctl(*words, user=user, **options)
    assert done.returncode == status, done
    assert done.stderr.startswith("rawnetctl: ") and done.stderr.count("\n") <= 3 and not done.stdout, done
    for word in contains:
        assert word in done.stderr, (word, done.stderr)
    return done.stderr


def show(*words, user="member", env=None):
    """What a program sees that rawnetctl run has become."""
    return json.loads(good("run", *words[:-1], "--", "/usr/bin/python3", "-c", SHOW, *words[-1], user=user, env=env or {}))


# -- run


def test_run_one_port():
    seen = show("lab", ["{fd}", "mac={mac},mtu={mtu}", "{ifname}", "{fds}", "{fds,}", "no {brace} {", "{}"])
    environment = seen["environment"]
    assert environment["LISTEN_FDS"] == "1" and environment["LISTEN_PID"] == str(seen["pid"]) and environment["LISTEN_FDNAMES"] == "lab"
    mac, name = environment["RAWNET_MAC"], environment["RAWNET_IFNAME"]
    assert name == f"rn{int(environment['RAWNET_LEASE']):x}" and environment["RAWNET_MTU"] == "1500", environment
    assert seen["arguments"] == ["3", f"mac={mac},mtu=1500", name, "3", "3", "no {brace} {", "{}"], seen["arguments"]
    assert seen["fds"]["3"] == "/dev/net/tun" and set(seen["fds"]) - {"0", "1", "2", "3"} <= {"4"}, seen["fds"]  # 4: the listing itself


def test_run_packet_and_queues():
    seen = show("--kind", "packet", "--queues", "3", "--vnet-hdr=yes", "--name", "three", "lab", ["{fds}", "{fds,}", "{fd}"])
    assert seen["arguments"] == ["3:4:5", "3,4,5", "3"], seen
    assert all(seen["fds"][number].startswith("socket:") for number in "345"), seen
    assert seen["environment"]["LISTEN_FDS"] == "3", seen
    first = show("--kind", "packet", "--name", "three", "lab", ["{mac}"])["arguments"]
    lab.wait_no_leases()
    assert first == show("--name", "three", "lab", ["{mac}"])["arguments"], "a named lease keeps its address"


def test_run_several_ports():
    seen = show("--port", "wan=lab", "--kind", "packet", "--queues", "2", "--port", "lan-2=lab-private",
                ["{wan.fd}", "{lan-2.fds}", "{wan.mac}", "{lan-2.mac}"])  # fmt: skip
    environment = seen["environment"]
    assert seen["arguments"][:2] == ["3", "4:5"], seen
    assert seen["arguments"][2:] == [environment["RAWNET_MAC_WAN"], environment["RAWNET_MAC_LAN_2"]], seen
    assert environment["LISTEN_FDS"] == "3" and environment["LISTEN_FDNAMES"] == "wan:lan-2:lan-2", environment
    assert environment["RAWNET_LEASE_WAN"] != environment["RAWNET_LEASE_LAN_2"] and "RAWNET_MAC" not in environment, environment
    assert seen["fds"]["3"] == "/dev/net/tun" and seen["fds"]["4"].startswith("socket:"), seen
    bad(125, "run", "--port", "a=lab", "--port", "b=lab", "--", "echo", "{fd}", contains=("{a.fd}",))
    lab.wait_no_leases()


def test_run_exit_statuses():
    done = ctl("run", "lab", "--", "sh", "-c", "exit 7 # {mac}")
    assert done.returncode == 7, done
    assert ctl("run", "lab", "--", "sh", "-c", "kill -9 $$ # {mac}").returncode == -9
    assert ctl("run", "lab", "--", "/etc/passwd", "{mac}").returncode == 126
    assert ctl("run", "lab", "--", "no-such-program", "{mac}").returncode == 127
    bad(125, "run", "nope", "--", "true", contains=("nope", "rawnetctl networks"))
    bad(125, "run", contains=("which network",))
    bad(125, "run", "lab", contains=("which command",))
    bad(125, "run", "--queues", "99", "lab", "--", "true", contains=("queues",))
    bad(125, "run", "--colour", "lab", "--", "true", contains=("--colour",))
    bad(125, "run", "lab", "--", "true", user="outsider", contains=("lab", "password"))


def test_run_leaves_nothing_of_itself():
    """CMD is the process that was started, has no capability, and holds the only copy."""
    with lab.popen_as("member", ["rawnetctl", "run", "lab", "--", "sh", "-c", "echo $$ {mac}; read -r _"],
                      stdin=lab.subprocess.PIPE, stdout=lab.subprocess.PIPE) as process:  # fmt: skip
        assert int(process.stdout.readline().split()[0]) == process.pid
        assert len(lab.lease_ids()) == 1
        process.stdin.close()
    lab.wait_no_leases()


def test_run_warns_when_nobody_uses_the_mac():
    assert "MAC" in ctl("run", "lab", "--", "true").stderr
    assert not ctl("run", "lab", "--", "true", "{mac}").stderr
    assert not ctl("run", "--mac", "learn", "lab", "--", "true").stderr
    assert not ctl("run", "--kind", "packet", "lab", "--", "true").stderr


def test_run_passes_frames():
    script = "import os; os.write(3, bytes(10) + bytes.fromhex('ffffffffffff' + '{mac}'.replace(':', '') + '88b5') + b'by rawnetctl'.ljust(50))"
    with frames.WirePort() as wire:
        good("run", "lab", "--", "/usr/bin/python3", "-c", script)
        wire.wait(b"by rawnetctl", 20)


def test_run_hides_callers_listen_variables_and_keeps_its_environment():
    seen = show("lab", ["{mac}"], env={"LISTEN_FDS": "9", "LISTEN_FDNAMES": "old", "RAWNET_MAC": "old", "RAWNET_KEPT": "yes"})
    assert seen["environment"]["LISTEN_FDS"] == "1" and seen["environment"]["LISTEN_FDNAMES"] == "lab", seen
    assert seen["environment"]["RAWNET_MAC"] != "old" and seen["environment"]["RAWNET_KEPT"] == "yes", seen


# -- list, networks, stat, close, check


def test_networks():
    text = good("networks", user="outsider")
    assert "lab-vepa  " in text and "The lab's network lab-vepa" in text, text
    rows = json.loads(good("networks", "--json", user="outsider"))
    assert {"lab", "lab-private", "lab-vepa"} <= {row["name"] for row in rows}, rows
    assert [row["guest-servers"] for row in rows if row["name"] == "lab"] == [[]], rows
    with lab.network("routers", GuestServers="dhcp ra"):
        row = next(row for row in json.loads(good("networks", "--json")) if row["name"] == "routers")
        assert row["guest-servers"] == ["dhcp", "ra"] and row["mac-choice"] == "any", row
    with lab.network("bad", "[Network]\nParent=wire0\nVLAN=x\n"), bus.connect("member") as connection:
        lab.wait_for(lambda: "bad" in connection.networks(), 10, "the bad network")
        assert "bad.conf:3" in good("networks")
        row = next(row for row in json.loads(good("networks", "--json")) if row["name"] == "bad")
        assert "bad.conf:3" in row["error"], row


def test_list_stat_close():
    assert json.loads(good("list", "--json")) == []
    with bus.connect("member") as connection, connection.open_tap("lab", name="shown") as lease, connection.open_tap("lab", mac="learn"):
        text = good("list", user="outsider")
        assert f"rn{lease.id:x}" in text and "shown" in text and lease.info["mac"] in text and "member" in text and "(learning)" in text, text
        rows = json.loads(good("list", "--json"))
        row = next(row for row in rows if row["id"] == lease.id)
        assert row["network"] == "lab" and row["mac"] == lease.info["mac"] and row["name"] == "shown" and len(rows) == 2, rows
        for identity in (str(lease.id), f"rn{lease.id:x}"):
            assert "rx_packets" in good("stat", "--all", identity, user="outsider")
            assert json.loads(good("stat", "--json", identity))["statistics"]["tx_packets"] == 0
        bad(1, "close", str(lease.id), user="member2", contains=(str(lease.id), "password"))
        bad(1, "close", "70000", contains=("70000", "rawnetctl list"))
        bad(1, "stat", "70000", contains=("70000",))
        bad(1, "close", "x", contains=("'x'",))
        bad(2, "close", contains=("which lease",))
        good("close", f"rn{lease.id:x}")
        bad(1, "close", str(lease.id), contains=("lab",))


def test_json_of_everything():
    """One document each, whatever is in it and however long it is: many leases, names with quotes and backslashes, a file with a mistake."""
    odd = "\"quoted\" \\n {x} </script> "
    described = "Tab\u00fcnger \"Netz\" \\ \U0001f600"
    with contextlib.ExitStack() as stack:
        stack.enter_context(lab.network("many", Description=described, MaxLeases="500", MaxLeasesPerUser="500"))
        stack.enter_context(lab.network("wrong", "[Network]\nParent=\"\\\"\nVLAN=x\n"))
        connection = stack.enter_context(bus.connect("member"))
        names = [f"{odd}{i}" for i in range(100)]
        leases = [stack.enter_context(connection.open_tap("many", name=name)) for name in names]
        lab.wait_for(lambda: {"many", "wrong"} <= set(connection.networks()), 10, "the networks")
        rows = json.loads(good("list", "--json"))
        assert sorted(row["name"] for row in rows) == sorted(names), rows
        assert [row["since"] for row in rows] == sorted(row["since"] for row in rows), "the oldest first"
        networks = {row["name"]: row for row in json.loads(good("networks", "--json"))}
        assert networks["many"]["description"] == described and networks["many"]["leases"] == 100, networks["many"]
        assert "wrong.conf:2" in networks["wrong"]["error"], networks["wrong"]
        row = json.loads(good("stat", "--json", str(leases[7].id)))
        assert row["name"] == names[7] and len(row["statistics"]) >= 23 and row["id"] == leases[7].id, row
        report = json.loads(ctl("check", "--json").stdout)
        assert {"many", "wrong"} <= {network["name"] for network in report["networks"]}, report
        assert len(good("list").splitlines()) == 100
    lab.wait_no_leases(30)
    # What is no name of a network comes from the command line, with any byte in it.
    for name in ("a\x1b[31mb", b"a\xffb", "\u00e4", "a\nb", "a\u202eb\u2066c\u200fd\u200be\u2028f"):
        done = ctl("check", "--json", name)
        assert done.returncode == 1 and "name" in json.loads(done.stdout)["networks"][0], done
        done = ctl("check", name)
        assert done.returncode == 1 and not set("\x1b\u202e\u2066\u200f\u200b\u2028") & set(done.stdout + done.stderr), done


# (exit status, arguments, what the line says)
WRONG = (
    (2, "", "which command"),
    (2, "unknown", "there is no command 'unknown'; 'rawnetctl help' lists them"),
    (2, "--unknown", "there is no command '--unknown'"),
    (2, "help unknown", "there is no command 'unknown'"),
    (2, "help list stat", "too many"),
    (2, "networks x", "too many"),
    (2, "networks --colour", "networks: there is no option '--colour' (see 'rawnetctl help networks')"),
    (2, "network", "did you mean networks"),
    (2, "list x", "too many"),
    (2, "list --json=yes", "--json takes no value"),
    (2, "list -j", "-j"),
    (2, "stat", "missing"),
    (2, "stat 70000 70001", "too many"),
    (1, "stat x", "there is no lease 'x'"),
    (1, "stat 1", "there is no lease '1'"),
    (1, "close rn12", "there is no lease 'rn12'"),
    (1, "stat 99999999999", "there is no lease '99999999999'"),
    (2, "close", "which lease"),
    (2, "close 70000 70001", "which lease"),
    (2, "close --json 70000", "--json"),
    (2, "check lab lab", "too many"),
    (2, "check --kind tap", "--kind"),
    (2, "host", "up or down"),
    (2, "host sideways lab", "'sideways' is not up or down"),
    (2, "host up", "which network"),
    (2, "host up lab lab", "too many"),
    (2, "plug lab", "--qmp"),
    (2, "plug --qmp", "--qmp needs a value"),
    (2, "plug --qmp /nowhere", "network"),
    (2, "plug --qmp /nowhere lab lab", "plug: too many arguments (see 'rawnetctl help plug')"),
    (2, "plug --qmp /nowhere --kind tap lab", "--kind"),
    (2, "unplug rn12345", "--qmp"),
    (2, "unplug --qmp /nowhere", "unplug: which device? (see 'rawnetctl help unplug')"),
    (2, "unplug --qmp /nowhere --mac learn x", "--mac"),
    (125, "run", "which network"),
    (125, "run lab", "which command"),
    (125, "run -- true", "which network"),
    (125, "run --name= lab -- true", "--name has 1 to 64 characters"),
    (125, "run --kind packet --vhost lab -- true", "--vhost works with --kind tap only"),
    (125, "run --kind packet --mac learn lab -- true", "--mac learn works with --kind tap only"),
    (125, "run --vnet-hdr no lab -- true", "--vnet-hdr=no works with --kind packet only"),
    (125, "run --port a=lab --port a=lab -- true", "--port a is given twice"),
    (127, "run --port a=lab lab -- true", "give NETWORK or --port, not both"),
    (125, "run --kind tun lab -- true", "tap, packet or veth"),
    (125, "run --queues 0 lab -- true", "1 to 16"),
    (125, "run --json lab -- true", "--json"),
    (125, "qemu", "which QEMU"),
    (125, "qemu --json -- true", "--json"),
    (125, "qemu -- true -netdev raw,id=n0", "network= is missing"),
    (125, "vhost lab", "--socket PATH or --connect PATH is missing"),
    (125, "vhost --socket /nowhere", "which network"),
    (125, "vhost --socket /nowhere --connect /nowhere lab", "exclude each other"),
    (125, "vhost --socket /nowhere --kind tap lab", "--kind"),
    (1, "stat 70000", "70000"),
    (1, "stat --json 70000", "70000"),
    (1, "close 70000", "70000"),
    (1, "host up nowhere", "nowhere"),
    (1, "plug --qmp /nowhere lab", "/nowhere"),
    (1, "unplug --qmp /nowhere rn12345", "/nowhere"),
)


def test_wrong_use():
    for status, line, words in WRONG:
        bad(status, *line.split(), contains=(words,))
    assert "rawnetctl" in good("--help") and "run" in good("run", "--help")
    assert good("--version").startswith("rawnetctl ") and good("help") == good("--help")
    assert good("stat", "--help") == good("help", "stat") == good("stat", "--json", "-h")
    assert good("stat", "--help").startswith("rawnetctl stat ") and "rawnetctl close" not in good("stat", "--help")
    assert "Example:\n\n  rawnetctl run lab" in good("help", "run") and "--queues N" in good("run", "--help")


def test_help_fits_a_terminal():
    verbs = re.findall(r"^  ([a-z]+) ", good("help"), re.M)
    texts = {f"help {verb}": good("help", verb) for verb in verbs}
    for program in ("/usr/bin/rawnet-vhost", *(f"/usr/libexec/rawnet/{name}" for name in ("rawnetd", "rawnet-helper", "rawnet-bridge-helper"))):
        texts[program] = lab.run_as("member", [program, "--help"], check=True).stdout
    assert len(texts) > 15 and all(texts.values()), texts
    wide = [(name, line) for name, text in texts.items() for line in text.splitlines() if len(line) > 80]
    assert not wide, wide



def test_the_command_is_looked_for_first():
    """Nothing is opened, and nobody is asked for a password, for a command that is not there."""
    asked = len(lab.questions())
    for user in ("member", "outsider"):
        bad(127, "run", "lab", "--", "no-such-program", user=user, contains=("cannot run no-such-program: No such file",))
        bad(127, "run", "lab", "--", "/no/such/program", user=user, contains=("No such file",))
        bad(127, "run", "lab", "--", "", user=user, contains=("No such file",))
        bad(126, "run", "lab", "--", "/etc/passwd", user=user, contains=("Permission denied",))
        bad(126, "run", "lab", "--", "/etc", user=user, contains=("Permission denied",))
    assert len(lab.questions()) == asked, lab.questions()[asked:]
    assert ctl("run", "lab", "--", "{mac}").returncode == 127, "what becomes the command later"


def test_check():
    done = ctl("check", user="member")
    text = done.stdout + done.stderr
    assert "lab-private" in text and "member" in text, text
    report = json.loads(ctl("check", "--json").stdout)
    assert report["service"]["version"], report
    assert ctl("check", "lab").returncode == 0, ctl("check", "lab")
    cases = {"missing": {"Parent": "nowhere0"}, "loop": {"Parent": "lo"}}
    if not lab.has_vlan():
        cases["tagged"] = {"VLAN": "55"}
    for name, keys in cases.items():
        with lab.network(name, **keys), bus.connect("member") as connection:
            lab.wait_for(lambda name=name: name in connection.networks(), 10, "the network")
            done = ctl("check", name)
            text = done.stdout + done.stderr
            assert done.returncode == 1, (name, done)
            assert {"missing": "nowhere0", "loop": "Ethernet", "tagged": "802.1Q"}[name] in text, (name, text)
    bad_name = ctl("check", "nope")
    assert bad_name.returncode == 1 and "nope" in bad_name.stdout + bad_name.stderr, bad_name


def test_without_a_service():
    """The bus is there, rawnetd cannot start."""
    path = "/usr/libexec/rawnet/rawnetd"
    if lab.service_pid():
        lab.kill_service()
    os.rename(path, path + ".away")
    try:
        bad(1, "list", contains=("rawnetd",))
        bad(125, "run", "lab", "--", "true", contains=("rawnetd",))
        done = ctl("check")
        assert done.returncode == 1 and "rawnetd" in done.stdout + done.stderr, done
    finally:
        os.rename(path + ".away", path)
    good("list")


def test_check_without_the_helper():
    """It says so, and blames nothing on the kernel; rawnetd tells when the helper has come."""
    if lab.service_pid():
        lab.kill_service()
    os.rename(lab.HELPER_SOCKET, lab.HELPER_SOCKET + ".away")
    try:
        report = json.loads(ctl("check", "--json").stdout)
        assert report["service"]["features"] == [], report
        (problem,) = report["problems"]
        assert "rawnet-helper.socket" in problem and not any("kernel" in note or "vhost" in note for note in report["notes"]), report
        assert all(not network["problems"] for network in report["networks"]), report
        assert ctl("check").returncode == 1
        connection = bus.connect("member")
        connection.subscribe()
    finally:
        os.rename(lab.HELPER_SOCKET + ".away", lab.HELPER_SOCKET)
    with connection:
        while connection.wait_signal("PropertiesChanged", 20)[1][0] != bus.MANAGER:
            pass
        assert connection.get_all(bus.ROOT, bus.MANAGER)["Features"]
    assert ctl("check", "lab").returncode == 0


def test_check_right_after_the_file_is_written():
    """As a script does it: cat > FILE; rawnetctl check NAME. The file is good, whatever rawnetd has read by then."""
    path = f"{lab.NETWORKS_DIR}/script.conf"
    try:
        for number, end in enumerate(("\n", "\n", "")):  # the last one without its newline
            with open(path, "w", encoding="ascii") as file:
                file.write(f"[Network]\nParent=wire0\nVLAN=none\nDescription=number {number}{end}")
            done = ctl("check", "script")
            assert done.returncode == 0 and "script" in done.stdout and "cannot" not in done.stdout, done
            os.unlink(path)
        with open(path, "w", encoding="ascii") as file:
            file.write("[Network]\nParent=wire0\nVLAN=none\nMode=private\n")
        assert "script" in good("networks")
        # A mistake, corrected.
        with open(path, "w", encoding="ascii") as file:
            file.write("[Network]\nParent=wire0\nVLAN=nine\n")
        done = ctl("check", "script")
        assert done.returncode == 1 and done.stdout.count("network script") == 0 and "script.conf:3" in done.stdout, done
        with open(path, "w", encoding="ascii") as file:
            file.write("[Network]\nParent=wire0\nVLAN=none\n")
        done = ctl("check", "script")
        assert done.returncode == 0, done
    finally:
        os.unlink(path)


def test_a_helper_that_does_not_answer():
    """Its socket is there. check does not say ok, and run says why. On a terminal it first says what it waits for."""
    good("list")
    lab.stop("rawnet-helper")
    try:
        done = ctl("check", "lab", timeout=55)
        assert done.returncode == 1 and "rawnet-helper does not answer" in done.stdout and "unknown" in done.stdout, done
        assert not done.stderr and " ok" not in done.stdout, done
        # That is rawnetd's answer; a caller that gives up by itself says that rawnetd has not answered.
        text = bad(125, "run", "lab", "--", "true", "{mac}", timeout=55, contains=("rawnet-helper does not answer", "systemctl status"))
        assert text.count("\n") == 1, text
        with terminal.Terminal("member", ["rawnetctl", "check", "lab"]) as shown:
            shown.wait("waiting for rawnetd")
            status, text = shown.finish(55)
            assert status == 1 and "rawnet-helper does not answer" in text, (status, text)
    finally:
        lab.start("rawnet-helper")
    good("check", "lab")


test_a_helper_that_does_not_answer.tap_seconds = 180


@tap.limit(120)
def test_a_helper_that_stands_still():
    """It was asked before and is asked again: what was right then is not said to be right now."""
    good("check", "lab")
    with lab.stopped(lab.helper_pid()):
        done = ctl("check", "lab", timeout=55)
    assert done.returncode == 1 and "rawnet-helper does not answer" in done.stdout and "unknown" in done.stdout, done
    assert not done.stderr and " ok" not in done.stdout, done
    good("check", "lab")


def test_the_bus():
    """What is wrong with it is said with its address: it is not there, it drops a uid without a name, it drops everybody."""
    nowhere = "unix:path=/run/no-such-bus"
    for words, status in ((("list",), 1), (("check", "lab"), 1), (("run", "lab", "--", "true", "{mac}"), 125)):
        done = ctl(*words, env={"DBUS_SYSTEM_BUS_ADDRESS": nowhere})
        text = done.stdout + done.stderr
        assert done.returncode == status and nowhere in text and "does dbus run" in text and " ok" not in text, done
    program = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--", "rawnetctl", "list"]
    done = lab.subprocess.run(program, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1 and "getent passwd 54321" in done.stderr and "xdg-dbus-proxy" in done.stderr, done
    assert "unix:path=" in done.stderr, done
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        os.chmod(folder, 0o755)
        server.bind(f"{folder}/bus")
        os.chmod(f"{folder}/bus", 0o666)
        server.listen()
        address = f"unix:path={folder}/bus"
        for words in (("list",), ("check", "lab")):
            with lab.popen_as("member", ["rawnetctl", *words], stdout=lab.subprocess.PIPE, stderr=lab.subprocess.STDOUT,
                              env={"DBUS_SYSTEM_BUS_ADDRESS": address}) as process:  # fmt: skip
                connection, _ = server.accept()
                connection.recv(1)
                connection.close()
                text, _ = process.communicate(timeout=30)
            assert process.returncode == 1 and address in text and "closed the connection" in text and " ok" not in text, text


def test_check_says_what_is_unknown():
    """Where namespaces are forbidden, 802.1Q and the hook are not missing."""
    with lab.network("tagged", VLAN="55"), unfit.no_user_namespaces():
        if lab.service_pid():
            lab.kill_service()
        done = ctl("check", "tagged")
        assert done.returncode == 1 and "user namespaces" in done.stdout, done
        assert "whether this kernel has 802.1Q and the nftables egress hook is unknown" in done.stdout, done
        assert "has no" not in done.stdout and "modprobe 8021q" not in done.stdout, done
    lab.kill_service()


def test_whom_a_rule_refuses():
    """A member is not told to join the group, and an outsider who is asked for a password is."""
    with lab.polkit_rule('polkit.addRule(function (action) { if (action.id == "org.rawnet1.open-tap") return polkit.Result.NO; });'):
        for user in ("member", "outsider"):
            text = bad(125, "run", "lab", "--", "true", "{mac}", user=user, contains=("lab", "a polkit rule refuses"))
            assert "group" not in text, text
    text = bad(125, "run", "lab", "--", "true", "{mac}", user="outsider", contains=("a password is needed", "add you to group rawnet"))
    assert "allow interactive" not in text, text
    assert "user outsider is not in group rawnet" in ctl("check", "lab", user="outsider").stdout
    assert "is not in group" not in ctl("check", "lab").stdout


def test_a_lease_has_one_name():
    """list, messages and the journal call it rnHEX, and by its own name beside it; the number is D-Bus's."""
    with bus.connect("member") as connection:
        lease = connection.open_tap("lab", name="web")
        word = f"rn{lease.id:x}"
        lab.wait_for(lambda: f"lease {word} (web) opened" in lab.log_of("rawnetd"), 10, "the journal's line")
        assert word in good("list") and f" {word} (web)\n" in good("stat", str(lease.id))
        bad(1, "close", word, user="outsider", contains=(f"lease {word} (web) of user member",))
        good("close", word)
        bad(1, "close", word, contains=(f"lease {word} (web) on network lab is already closed",))
        lease.close_fds()
        lab.wait_for(lambda: f"lease {word} (web) of user" in lab.log_of("rawnetd"), 10, "the entry of its end")
        lab.wait_for(lambda: not connection.leases(), 10, "the lease's end")
        bad(1, "stat", word, contains=(f"there is no lease {word}; it may have ended",))
        bad(1, "close", str(lease.id), contains=(f"{lease.id}: there is no lease {word}",))
        assert str(lease.id) not in lab.log_of("rawnetd")


def test_features_at_once():
    """The first caller gets them, although his call has started both daemons."""
    for _ in range(5):
        if lab.service_pid():
            lab.kill_service()
        if lab.helper_pid():
            lab.kill_helper()
        with bus.connect("outsider") as connection:
            assert "user-namespace" in connection.get_all(bus.ROOT, bus.MANAGER)["Features"]


def test_output_that_does_not_arrive():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = ctl("networks", stdout=full)
    assert done.returncode == 1 and "standard output" in done.stderr, done


# -- the password prompt, on a terminal


def on_a_terminal(command, answer):
    """command as outsider on a terminal of its own, setuid programs allowed: (exit status, what was seen)."""
    account = lab.pwd.getpwnam("outsider")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("setpriv", ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups", "--", *command])
    seen = b""
    with contextlib.suppress(OSError):  # EIO: nobody has the other side any more
        while waiting.readable([terminal], 40) and (data := os.read(terminal, 4096)):
            seen += data
            if b"assword:" in data:
                # The agent drops what is typed before it has switched the echo off, which comes after its prompt.
                lab.wait_for(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, 20, "the end of the echo")
                os.write(terminal, answer)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode("utf-8", "replace")


def test_password_prompt():
    with open("/etc/shadow", encoding="utf-8") as file:
        before = file.read()
    lab.subprocess.run(["chpasswd"], input="root:the password of root\n", text=True, check=True)  # in the lab's own /etc
    try:
        command = ["rawnetctl", "run", "lab", "--", "echo", "opened", "{mac}"]
        status, seen = on_a_terminal(command, b"the password of root\n")
        assert status == 0 and "opened 52:54:00" in seen, (status, seen)
        assert "network lab" in seen and "wire0" in seen, seen
        # In namespaces of its own the prompt could not check a password, so it comes before them.
        status, seen = on_a_terminal([*command[:2], "--kind", "veth", *command[2:]], b"the password of root\n")
        assert status == 0 and "opened 52:54:00" in seen and "interface" in seen, (status, seen)
        status, seen = on_a_terminal(command, b"wrong\n")
        assert status == 125 and "opened" not in seen and "rawnetctl: " in seen, (status, seen)
    finally:
        with open("/etc/shadow", "w", encoding="utf-8") as file:
            file.write(before)


# -- rawnet-bridge-helper


@contextlib.contextmanager
def helper_call(*words, user="member", env=None):
    """As QEMU's net_bridge_run_helper() does: (status, stderr, [fd])."""
    ours, theirs = socket.socketpair()
    with ours:
        process = lab.popen_as(user, [BRIDGE_HELPER, *words, f"--fd={theirs.fileno()}"], pass_fds=[theirs.fileno()],
                               stderr=lab.subprocess.PIPE, env=env or {})  # fmt: skip
        theirs.close()
        with process:
            ours.settimeout(30)
            data, fds, _, _ = socket.recv_fds(ours, 16, 4)
            error = process.stderr.read()
            process.wait(30)
        try:
            yield process.returncode, error, data, fds
        finally:
            for fd in fds:
                os.close(fd)


def test_bridge_helper():
    mac = "52:54:00:55:00:01"
    with helper_call("--use-vnet", "--br=lab") as (status, error, data, fds), frames.WirePort() as wire, bus.connect("member") as connection:
        assert (status, error, len(data), len(fds)) == (0, "", 1, 1), (status, error, data, fds)
        (path, properties), = connection.leases().items()
        assert properties["MAC"] == "" and properties["Kind"] == "tap" and properties["Owner"] == lab.uid_of("member"), properties
        port = frames.Port(fds[0], True)
        port.send(frames.marker(mac, "first"))
        lab.wait_for(lambda: connection.leases()[path]["MAC"] == mac, 20, "the learned address")
        port.send(frames.marker(mac, "second"))
        wire.wait(b"second", 20)


def test_bridge_helper_given_mac():
    with helper_call("--br=lab", "--mac=52:54:00:55:00:02") as (status, error, _, fds), bus.connect("member") as connection:
        assert status == 0 and len(fds) == 1, error
        assert [lease["MAC"] for lease in connection.leases().values()] == ["52:54:00:55:00:02"]


def test_bridge_helper_refusals():
    for words, user, contains in ((["--br=nope"], "member", ("nope", "rawnetctl networks")), (["--br=lab"], "outsider", ("lab", "password")),
                                  (["--br=../lab"], "member", ("lab",)), (["--br=" + "x" * 300], "member", ("xxx",)),
                                  ([], "member", ("--br",)), (["--br=lab", "--mac=junk"], "member", ("mac",))):  # fmt: skip
        with helper_call(*words, user=user) as (status, error, data, fds):
            assert status != 0 and not fds and not data, (words, status)
            assert error.startswith("rawnet-bridge-helper: ") and all(word in error for word in contains), (words, error)
    assert not lab.lease_ids()


def test_bridge_helper_with_libvirts_environment():
    """No DBUS_SYSTEM_BUS_ADDRESS, nearly nothing: the system bus at its usual place."""
    account = lab.pwd.getpwnam("member")
    ours, theirs = socket.socketpair()
    words = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups", "--no-new-privs", "--",
             BRIDGE_HELPER, "--use-vnet", "--br=lab", f"--fd={theirs.fileno()}"]  # fmt: skip
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "HOME": account.pw_dir, "USER": "member", "LOGNAME": "member",
                   "XDG_RUNTIME_DIR": f"/run/user/{account.pw_uid}"}  # fmt: skip
    done = lab.subprocess.run(words, env=environment, pass_fds=[theirs.fileno()], capture_output=True, text=True, timeout=30, check=False)
    theirs.close()
    _, fds, _, _ = socket.recv_fds(ours, 16, 4)
    assert done.returncode == 0 and len(fds) == 1, done
    os.close(fds[0])
    ours.close()


def test_bridge_helper_dies_with_its_parent():
    """libvirt holds a lock while the helper runs: it must not outlive who asked."""
    good("list")
    with lab.stopped(lab.daemons()["polkitd"]["pid"]), bus.Monitor("type='method_call',member='CheckAuthorization'") as monitor:
        script = f"""import os, socket, subprocess, sys
left, right = socket.socketpair()
child = subprocess.Popen(["{BRIDGE_HELPER}", "--br=lab", f"--fd={{right.fileno()}}"], pass_fds=[right.fileno()])
print(child.pid, flush=True)
sys.stdin.read()"""
        with lab.popen_as("member", ["/usr/bin/python3", "-c", script], stdin=lab.subprocess.PIPE, stdout=lab.subprocess.PIPE) as parent:
            child = int(parent.stdout.readline())
            monitor.wait("CheckAuthorization")
            parent.kill()
            lab.wait_for_exit(child, 10)


if __name__ == "__main__":
    tap.main()
