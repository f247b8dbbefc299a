#!/usr/bin/python3 -ISB
# SPDX-License-Identifier: GPL-2.0-or-later
"""In the guest, started by system-job.service after every boot: runs the one command, says its status, powers off.

A command that reboots the machine is started again by the next boot, with SYSTEM_BOOT one higher.
"""

import json
import os
import subprocess
import sys

JOB = "/run/job"
BOOTS = "/var/lib/system-job.boots"


def boot_number():
    try:
        with open(BOOTS, encoding="ascii") as text:
            number = int(text.read()) + 1
    except FileNotFoundError:
        number = 1
    with open(BOOTS, "w", encoding="ascii") as text:
        text.write(str(number))
        text.flush()
        os.fsync(text.fileno())
    return number


def stop_requested():
    """Has systemd begun to stop this system (a reboot)?"""
    done = subprocess.run(["systemctl", "is-system-running"], capture_output=True, text=True, check=False)
    return done.stdout.strip() == "stopping"


def main():
    with open(f"{JOB}/job.json", encoding="utf-8") as text:
        job = json.load(text)
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "USER": "root",
                   "LOGNAME": "root", "SHELL": "/bin/bash", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
                   **job["environment"], "SYSTEM_BOOT": str(boot_number())}  # fmt: skip
    subprocess.run(["udevadm", "settle", "--timeout=60"], check=False)  # every port has its name
    with open("/dev/virtio-ports/stdout", "wb", buffering=0) as out, open("/dev/virtio-ports/stderr", "wb", buffering=0) as err:
        try:
            status = subprocess.run(job["command"], cwd=JOB, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                    check=False).returncode  # fmt: skip
        except OSError as error:
            err.write(f"tools/system: {error}\n".encode())
            status = 127
    if stop_requested():
        return
    with open("/dev/virtio-ports/status", "wb", buffering=0) as report:
        report.write(b"%d\n" % (128 - status if status < 0 else status))
    sys.stdout.flush()
    subprocess.run(["systemctl", "poweroff", "--force", "--force"], check=False)


main()
