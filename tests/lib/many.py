# SPDX-License-Identifier: GPL-2.0-or-later
"""The TAP of many test files as that of one program."""

import subprocess
import time


class Numbered:
    """Results numbered through, whoever prints them."""

    def __init__(self, number=0, failed=0):
        self.number = number
        self.failed = failed

    def result(self, outcome, text):
        self.number += 1
        self.failed += outcome != "ok"
        print(f"{outcome} {self.number} - {text}", flush=True)

    def line(self, directory, line):
        """Passes one line on; True if it was a result."""
        for outcome in ("not ok", "ok"):
            if line.startswith(f"{outcome} "):
                self.result(outcome, f"{directory}: {line.partition(' - ')[2]}")
                return True
        print(line if line.startswith("#") else f"# {line}", flush=True)
        return False

    def run_file(self, directory, title, command, **options):
        """Runs a test file and passes its TAP on. One that ends without all of its results is one failure more."""
        print(f"# == {title}", flush=True)
        started = time.monotonic()
        planned, seen, failed_before = None, 0, self.failed
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", **options) as process:  # fmt: skip
            for line in process.stdout:
                line = line.rstrip("\n")
                if line.startswith("1.."):
                    planned = int(line[3:].split()[0])
                else:
                    seen += self.line(directory, line)
        status = process.returncode
        if planned is None or seen != planned or (status != 0 and self.failed == failed_before):
            self.result("not ok", f"{title}: {seen} results of {planned}, exit status {status}")
        print(f"# {title}: {time.monotonic() - started:.1f} s", flush=True)
