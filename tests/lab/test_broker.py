# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab on dbus-broker, seen from outside: ports are opened, listed and closed there, and rawnetd is started when it is called."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))

import tap  # noqa: E402

LAB = os.path.join(SOURCE, "tools/lab")


def lab(*words, **options):
    return subprocess.run([LAB, "exec", *words], capture_output=True, text=True, check=False, timeout=tap.patience(60),
                          stdin=subprocess.DEVNULL, **options)  # fmt: skip


def in_lab(script, *options):
    """Runs a Python script in a fresh lab on dbus-broker; its output. AssertionError when it fails."""
    done = lab("--bus", "broker", *options, "--", "/usr/bin/python3", "-c", script)
    assert done.returncode == 0, done
    return done.stdout


def test_the_bus_is_dbus_broker():
    out = in_lab("""
import os
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        print(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        pass
""")
    assert "/usr/bin/dbus-broker\n" in out and "/usr/bin/dbus-daemon\n" not in out, out


def test_open_list_close():
    in_lab("""
import bus, lab
with bus.connect("member") as member, bus.connect("outsider") as outsider:
    outsider.subscribe()
    lease = member.open_tap("lab", name="web")
    assert outsider.wait_signal("InterfacesAdded")[1][0] == lease.path
    assert outsider.leases()[lease.path]["Name"] == "web"
    listed = lab.run_as("outsider", ["rawnetctl", "list"], check=True).stdout
    assert "web" in listed, listed
    bus.expect_error("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", outsider.open_tap, "lab")
    bus.expect_error("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", outsider.close_lease, lease.path)
    member.close_lease(lease.path)
    assert outsider.wait_signal("Ended") == (lease.path, ("closed",))
    lease.close_fds()
    lease = member.open_packet("lab", queues=4)
    lease.close_fds()
    assert outsider.wait_signal("Ended", path=lease.path)[1] == ("last-fd",)
lab.wait_no_leases()
assert "lease " in lab.log_of("rawnetd")
""")


def test_rawnetd_is_started_when_it_is_called():
    in_lab("""
import bus, lab
assert not lab.service_pid()
with bus.connect("member") as member:
    lease = member.open_tap("lab")
    uids = [line for line in open(f"/proc/{lab.service_pid()}/status") if line.startswith(("Uid", "CapEff"))]
    assert uids[0].split()[1:] == [str(lab.uid_of("_rawnet"))] * 4 and int(uids[1].split()[1], 16) == 0, uids
    lab.kill_service()
    assert list(member.leases()) == [lease.path]
    # One that is leaving ends first; the call waits for its successor.
    lease.close_fds()
    lab.wait_no_leases()
    lab.service_arguments("--idle-seconds=1")
    member.can_open("lab", "tap")
    pid = lab.service_pid()
    lab.wait_for_service_exit(pid)
    assert member.can_open("lab", "tap") == "yes" and lab.service_pid() != pid
""")


def test_a_rawnetd_that_does_not_start_is_reported():
    in_lab("""
import bus, lab
lab.service_arguments("--wrong")
with bus.connect("member") as member:
    bus.expect_error("org.freedesktop.DBus.Error.NameHasNoOwner", member.open_tap, "lab")
    lab.service_arguments()
    assert member.can_open("lab", "tap") == "yes"
""")


def test_one_more_file_of_the_administrator():
    path = os.path.join(os.environ.get("RAWNET_BUILD", f"{SOURCE}/build"), "no-calls.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write('<busconfig><policy user="nobody"><deny send_destination="org.rawnet1"/></policy></busconfig>\n')
    try:
        for name in ("daemon", "broker"):
            done = lab("--bus", name, "--bus-config", path, "--user", "nobody", "--", "rawnetctl", "list")
            assert done.returncode == 1 and "the system bus does not let you" in done.stderr, done
    finally:
        os.unlink(path)


def test_wrong_use_is_said():
    done = lab("--bus", "tram", "--", "true")
    assert done.returncode == 2 and "tram" in done.stderr, done


if __name__ == "__main__":
    tap.main()
