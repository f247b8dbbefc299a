# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/vm itself, seen from outside: status and streams, this machine unharmed, a hang cut off, nothing left when it is killed."""

import os
import select
import signal
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
VM = f"{ROOT}/tools/vm"
SECONDS = 120
MARK = f"/var/tmp/rawnet-vm-test-{os.getpid()}"


def start(*words):
    return subprocess.Popen([VM, "exec", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, cwd=ROOT)  # fmt: skip


def check_status_and_streams():
    script = f"id -un; pwd; echo to stderr >&2; echo harm > {MARK} && cat {MARK}; exit 7"
    process = start("--timeout", str(SECONDS), "--", "sh", "-c", script)
    out, err = process.communicate()
    assert process.returncode == 7, (process.returncode, err)
    assert (out, err) == (f"root\n{ROOT}\nharm\n", "to stderr\n"), (out, err)
    assert not os.path.exists(MARK), "a file written in the guest is on this machine"


def check_cut_off():
    process = start("--timeout", "1", "--", "true")
    out, err = process.communicate()
    assert process.returncode == 124 and "cut off after 1 s" in err and not out, (process.returncode, out, err)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
        return [int(word) for word in text.read().split()]


def check_nothing_left_when_killed():
    """SIGKILL, while a command of another user's runs in the guest: QEMU ends with it."""
    kept = sorted(os.listdir(f"{ROOT}/build/vm"))
    with start("--timeout", str(SECONDS), "--user", "nobody", "--", "sh", "-c", "id -un; exec tail -f /dev/null") as process:
        assert process.stdout.readline() == "nobody\n", process.communicate()
        guests = [os.pidfd_open(pid) for pid in children(process.pid)]
        assert guests, "where is QEMU?"
        process.send_signal(signal.SIGKILL)
        for guest in guests:
            assert select.select([guest], [], [], 20)[0], "QEMU still runs"
            os.close(guest)
    assert sorted(os.listdir(f"{ROOT}/build/vm")) == kept, "files are left"


CHECKS = (check_status_and_streams, check_cut_off, check_nothing_left_when_killed)
