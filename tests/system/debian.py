# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the system tier share: commands as root and as people who logged in, units, the package."""

import contextlib
import json
import os
import subprocess

import lab

PACKAGE = "/run/job/rawnet.deb"
QEMU_PACKAGE = "/run/job/rawnet-qemu.deb"
NETWORK_FILE = "/etc/rawnet/networks/vlan100.conf"
FULL = bool(os.environ.get("RAWNET_FULL"))  # tests/system/run --full
UNITS = ("rawnet-helper.socket", "rawnet-helper.service", "rawnetd.service")


def run(*words, timeout=120, **options):
    """A command of root's that has to succeed; its output."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=timeout,
                          stdin=subprocess.DEVNULL, **options)  # fmt: skip
    assert done.returncode == 0, f"{' '.join(words)}: {done.returncode}: {done.stdout[-1000:]} {done.stderr[-1000:]}"
    return done.stdout


def login(user, line, timeout=60):
    """Types a line into a fresh login session of user (PAM, logind, its own /run/user): CompletedProcess."""
    return subprocess.run(["runuser", "-l", user, "-c", line], capture_output=True, text=True, check=False, timeout=timeout,
                          stdin=subprocess.DEVNULL)  # fmt: skip


APT_CONFIG = "/run/lab/apt.conf"


def without_questions():
    """The environment of an apt that asks nothing, has no mirrors, and says little."""
    with open(APT_CONFIG, "w", encoding="ascii") as out:
        out.write('APT::Get::Assume-Yes "true"; APT::Install-Recommends "false"; APT::Get::allow-downgrades "true"; quiet "1"; Dpkg::Use-Pty "0";\n')
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "APT_CONFIG": APT_CONFIG}


def apt(*words):
    """apt-get; its output."""
    return run("apt-get", *words, timeout=300, env=without_questions())


def executable(path, flags):
    """For open(): a file that may be run."""
    return os.open(path, flags, 0o755)


def is_installed():
    return os.path.exists("/usr/libexec/rawnet/rawnetd")


def show(unit, *properties):
    """{property: value} of a unit."""
    text = run("systemctl", "show", unit, "--property=" + ",".join(properties))
    return dict(line.split("=", 1) for line in text.splitlines())


def state(unit):
    return show(unit, "ActiveState")["ActiveState"]


def pid(unit):
    return int(show(unit, "MainPID")["MainPID"])


def journal(*words):
    """Entries of the journal, oldest first, as dicts."""
    text = run("journalctl", "--no-pager", "--output=json", "--all", "--boot", *words)
    return [json.loads(line) for line in text.splitlines()]


def loaded(module):
    """Is the module there, loaded (not built in)?"""
    return os.path.exists(f"/sys/module/{module}/refcnt")


def write_network(name="vlan100", vlan=100, **keys):
    """A network file of the administrator's."""
    os.makedirs("/etc/rawnet/networks", exist_ok=True)
    lines = {"Parent": "eth1", "VLAN": vlan, **keys}
    with open(f"/etc/rawnet/networks/{name}.conf", "w", encoding="utf-8") as out:
        out.write("[Network]\n" + "".join(f"{key}={value}\n" for key, value in lines.items()))


def ready():
    """What the installation test leaves: the package, network vlan100, member and member2 in group rawnet. Made here for a file
    that is run by itself."""
    if not is_installed():
        apt("install", PACKAGE)
    if not os.path.exists(NETWORK_FILE):
        write_network()
    for user in ("member", "member2"):
        if user not in run("getent", "group", "rawnet").strip().rpartition(":")[2].split(","):
            run("adduser", "--quiet", user, "rawnet")


@contextlib.contextmanager
def network(name, **keys):
    """A network file while the block runs, as lab.network(), on the trunk."""
    with lab.network(name, **{"Parent": "eth1", **keys}) as path:
        yield path
