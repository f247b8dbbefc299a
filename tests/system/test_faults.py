# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong on a machine: no polkit, no bus, daemons killed, full disks, limits used up, modules missing. Whoever asks then is told
what is wrong and what to do, nothing of it is left, leases beside it do not notice, and once it is mended the next open works."""

import contextlib
import os
import random
import signal
import time

import bus
import debian
import lab
import tap
import vlan
from held import Held, held

UNITS = ("rawnetd.service", "rawnet-helper.service")
KILLS = 100 if debian.FULL else 30
BLOCKED = "/run/modprobe.d/system-tests.conf"


# -- what a person sees


def refused(*said, kind="tap", network="vlan100"):
    """What rawnetctl tells a member of group rawnet who asks for a port now: one line with all of these words."""
    done = lab.run_as("member", ["rawnetctl", "run", "--kind", kind, network, "--", "true"], timeout=120)
    tap.diag(done.stderr.strip())
    assert done.returncode == 125 and not done.stdout, done
    missing = [words for words in said if words not in done.stderr]
    assert not missing, f"{missing} is not in: {done.stderr}"
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def works(kind="tap", network="vlan100", **options):
    with bus.connect("member") as member, member.open(kind, network, **options):
        pass


def stop_daemons():
    debian.run("systemctl", "stop", *UNITS)


def write(path, text):
    with open(path, "w", encoding="ascii") as out:
        out.write(text)


def processes(unit):
    """Of a unit, the main one first."""
    with open(f"/sys/fs/cgroup/system.slice/{unit}/cgroup.procs", encoding="ascii") as text:
        found = [int(line) for line in text]
    return sorted(found, key=lambda pid: (parent_of(pid) != 1, pid))


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as text:
            return int(text.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def quiet():
    """The daemons have no process but themselves and, the helper, the two that wait for the next open."""
    for unit in UNITS:
        if debian.state(unit) == "active":
            most = 3 if unit.startswith("rawnet-helper") else 1
            lab.wait_for(lambda unit=unit, most=most: len(processes(unit)) <= most, 20, f"the end of the children of {unit}")


EXPECTED_FEATURES = []


def test_ready():
    debian.ready()
    with bus.connect("member") as member, member.open_tap("vlan100"):
        EXPECTED_FEATURES.extend(features(member))
    assert {"vlan", "nft-egress", "user-namespace"} <= set(EXPECTED_FEATURES), EXPECTED_FEATURES


# -- those it needs


@tap.limit(90)
def test_polkitd_stopped():
    with held():
        debian.run("systemctl", "mask", "--runtime", "--now", "polkit.service")
        try:
            refused("vlan100", "polkit", "masked", "systemctl status polkit")
        finally:
            debian.run("systemctl", "unmask", "--runtime", "polkit.service")
        works()


@tap.limit(120)
def test_bus_restarted():
    """Whoever waits for an answer loses it with its connection, and what would have been answered is taken back."""
    with contextlib.ExitStack() as stack:
        leases = Held(stack)
        with bus.connect("member") as caller:
            caller.send_open("tap", "vlan100")
            debian.run("systemctl", "stop", "dbus.socket", "dbus.service")
        try:
            refused("D-Bus", "does dbus run")
            lab.wait_for(lambda: lab.lease_ids() == leases.ids(), 20, "the leases that were there")
        finally:
            debian.run("systemctl", "start", "dbus.socket", "dbus.service")
            # Which does not always find back by itself (systemd 257), and the machine is to be rebooted.
            debian.run("systemctl", "restart", "systemd-logind.service")
        leases.connect(stack)
        leases.check()
        works()
    lab.wait_no_leases(30)


# -- killed


def seconds_of_an_open(connection):
    took = []
    for number in range(6):
        started = time.perf_counter()
        lease = connection.open(("tap", "packet")[number % 2], "vlan100")
        took.append(time.perf_counter() - started)
        lease.close_fds()
    return sorted(took)[3]


def spin(seconds):
    """Busy, because the moment is what matters, and it may be too short for anything else."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def outcome_of(connection, kind, serial):
    try:
        connection.opened(kind, serial).close_fds()
    except bus.BusError as error:
        return error.name.rsplit(".", 1)[1]
    return "opened"


@tap.limit(400)
def test_killed_in_the_middle_of_an_open():
    """One or the other, at random moments. Whoever waits gets the port or is told that it has none; the next open works at once."""
    seed = os.environ.get("RAWNET_SEED") or os.urandom(4).hex()
    moment = random.Random(seed)
    seen = {unit: {} for unit in UNITS}
    with held() as leases:
        mine = sorted(lease.id for lease in leases.leases)
        connection = leases.connections["member"]
        each = seconds_of_an_open(connection)
        tap.diag(f"RAWNET_SEED={seed}, an open takes {each * 1000:.0f} ms")
        for number in range(KILLS):
            unit = moment.choice(UNITS)
            kind = moment.choice(("tap", "packet"))
            with connection.open(kind, "vlan100"):
                pid = processes(unit)[0]
            serial = connection.send_open(kind, "vlan100")
            spin(moment.uniform(0, 1.2 * each))
            os.kill(pid, signal.SIGKILL)
            outcome = outcome_of(connection, kind, serial)
            # One that had answered may still be on the bus for a moment, and the next call would go there.
            lab.wait_for(lambda unit=unit, pid=pid: unit != "rawnetd.service" or lab.service_pid() != pid, 20, "the bus to notice its end")
            seen[unit][outcome] = seen[unit].get(outcome, 0) + 1
            if number % 10 == 9:
                lab.wait_for(lambda: lab.lease_ids() == mine, 20, "the end of all others")
                leases.check()
    quiet()
    tap.diag(seen)
    assert set(seen["rawnetd.service"]) <= {"opened", "NoReply"}, seen
    assert set(seen["rawnet-helper.service"]) <= {"opened", "HelperUnavailable"}, seen
    # Nothing that somebody has to reset: systemd starts them again whenever they are asked for.
    assert debian.state("rawnet-helper.socket") == "active"


# -- nothing left to write to


@contextlib.contextmanager
def full_run():
    """Not a byte and not a name more in /run."""
    usage = os.statvfs("/run")
    size, names = usage.f_blocks * usage.f_frsize, usage.f_files

    def bound(size, names):
        debian.run("mount", "-o", f"remount,size={size},nr_inodes={names}", "/run")

    used = size - usage.f_bfree * usage.f_frsize, names - usage.f_ffree
    bound(*used)
    try:
        yield
    finally:
        bound(size, names)


@contextlib.contextmanager
def full_disk(path="/var/full"):
    """Not a byte more where the journal is."""
    free = os.statvfs("/var").f_bfree * os.statvfs("/var").f_frsize
    try:
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            for step in (1 << 24, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        os.posix_fallocate(fd, os.fstat(fd).st_size, step)
        finally:
            os.close(fd)
        tap.diag(f"{free >> 20} MiB of {path} written")
        yield
    finally:
        os.unlink(path)


def starts_or_says_why():
    """Newer systemds (257) need room in /run themselves, for the mount points of any unit with a file system of its own."""
    stop_daemons()
    try:
        works()
    except bus.BusError as error:
        tap.diag(error)
        assert systemd_version() > 252, error
        assert error.name.endswith(".HelperUnavailable") and "systemctl status" in str(error), error
        assert "No space left on device" in debian.run("journalctl", "--boot", "--unit=rawnet-helper", "--lines=50"), "not in the journal"
        return
    works("packet")


def systemd_version():
    return int(debian.run("systemctl", "--version").split()[1])


@tap.limit(300)
def test_run_and_journal_full():
    """rawnet keeps nothing on a disk: it works as ever, and starts as ever."""
    with held(counts=False):
        with full_disk(), full_run():
            for path in ("/run/more", "/var/more"):
                try:
                    with open(path, "wb", buffering=0) as out:
                        out.write(bytes(1 << 16))
                except OSError:
                    continue
                finally:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(path)
                raise AssertionError(f"{path} could be written")
            works()
            works("packet")
            starts_or_says_why()
        works()
        works("packet")
    quiet()


# -- limits


@tap.limit(120)
def test_quotas_used_up():
    with held(), debian.network("small", VLAN=300, MaxLeases=3, MaxLeasesPerUser=2), bus.connect("member") as member, \
            bus.connect("member2") as member2, contextlib.ExitStack() as stack:  # fmt: skip
        own = [stack.enter_context(member.open(kind, "small")) for kind in ("tap", "packet")]
        refused("small", "2", "MaxLeasesPerUser", network="small")
        stack.enter_context(member2.open("tap", "small"))
        text = bus.expect_error("QuotaExceeded", member2.open_tap, "small")
        assert "small" in text and "MaxLeases" in text, text
        own[0].close_fds()
        lab.wait_for(lambda: own[0].path not in member.leases(), 20, "its end")
        works(network="small")


@contextlib.contextmanager
def sysctl(key, value):
    path = "/proc/sys/" + key.replace(".", "/")
    with open(path, encoding="ascii") as text:
        before = text.read().strip()
    write(path, str(value))
    try:
        yield
    finally:
        write(path, before)


def knows_its_kernel():
    """What a helper finds that starts on a machine in good order, whatever was wrong when this one started."""
    with bus.connect("member") as member:
        lab.wait_for(lambda: features(member) == EXPECTED_FEATURES, 20, "the features of a machine in good order")


def features(connection):
    return sorted(set(connection.features()) - {"vhost-net"})  # a matter of a module, looked at at each open


def refused_running_and_starting(*said):
    """By daemons that were there before it happened, and by those that start now."""
    with contextlib.suppress(bus.BusError):
        works()  # the running helper's namespace that was made ahead, if it has one, is good for one port more
    refused(*said)
    stop_daemons()
    refused(*said)


@tap.limit(120)
def test_net_namespaces_used_up():
    with held(counts=False) as leases:
        for limit in (len(leases.leases), 0):
            quiet()  # a child that is made ahead has a namespace, too
            with sysctl("user.max_net_namespaces", limit):
                checked = lab.run_as("member", ["rawnetctl", "check"], timeout=60)
                assert checked.returncode == 1 and "user.max_net_namespaces (sysctl) is 0 or used up" in checked.stdout, checked
                refused_running_and_starting("vlan100", "user.max_net_namespaces")
            works()
            knows_its_kernel()
    quiet()


@tap.limit(200)
def test_user_namespaces_disabled():
    for key in ("user.max_user_namespaces", "kernel.unprivileged_userns_clone"):
        with held(counts=False):
            with sysctl(key, 0):
                refused_running_and_starting("vlan100", key)
                checked = lab.run_as("member", ["rawnetctl", "check"], timeout=60)
                assert checked.returncode == 1 and key in checked.stdout + checked.stderr, checked
            # A helper that started meanwhile has noticed. Its judge notices that it is over, and it probes the kernel again.
            checked = lab.run_as("member", ["rawnetctl", "check"], timeout=60)
            assert checked.returncode == 0 and key not in checked.stdout, checked
            knows_its_kernel()
            works()
        quiet()


# -- modules


def holders(module):
    directory = f"/sys/module/{module}/holders"
    return os.listdir(directory) if os.path.isdir(directory) else []


def unload(module):
    for holder in holders(module):
        unload(holder)
    if debian.loaded(module):
        debian.run("rmmod", module)


@contextlib.contextmanager
def missing(module):
    """As if the kernel had been built without it. The daemons start meanwhile, and run on when it is back."""
    stop_daemons()
    os.makedirs(os.path.dirname(BLOCKED), exist_ok=True)
    write(BLOCKED, f"install {module} /bin/false\n")
    try:
        debian.run("nft", "flush", "ruleset")
        lab.wait_for(lambda: unloaded(module), 20, f"the end of module {module}")
        yield
        assert not debian.loaded(module)
        assert not lab.lease_ids()
        lab.wait_for(lambda: not vlan.shared(100), 20, "the end of the shared VLAN interface")
    finally:
        os.unlink(BLOCKED)


def unloaded(module):
    """The kernel may still be tidying up what used it."""
    with contextlib.suppress(AssertionError):
        unload(module)
    return not debian.loaded(module)


@tap.limit(120)
def test_nf_tables_missing():
    with missing("nf_tables"):
        for kind in ("tap", "packet"):
            refused("vlan100", "load the module nf_tables", kind=kind)
    works()
    works("packet")


@tap.limit(240)
def test_other_modules_missing():
    for module, kind in (("tun", "tap"), ("macvlan", "tap"), ("veth", "packet"), ("cls_bpf", "tap"), ("sch_ingress", "packet")):
        with missing(module):
            refused("vlan100", "load the module", f"modprobe {module}", kind=kind)
        works(kind)


if __name__ == "__main__":
    tap.main()
