# SPDX-License-Identifier: GPL-2.0-or-later
"""The TAP of many test files as that of one program."""

import subprocess
import sys
import threading
import time


def refuse_unused(words, names, what):
    """Ends the program with 2 where a word picks nothing: a choice that runs nothing must not pass."""
    for word in words:
        if not any(word in name for name in names):
            print(f"Bail out! no {what} has {word} in its name", flush=True)
            sys.exit(2)


class Numbered:
    """Results numbered through, whoever prints them. Files may run at the same time, in threads."""

    def __init__(self, number=0, failed=0):
        self.number = number
        self.failed = failed
        self.lock = threading.Lock()

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

    def run_file(self, directory, title, command, at_once=False, **options):
        """Runs a test file and passes its TAP on: line by line or, so that others may run beside it, at its end. One that ends without
        all of its results, or that has none, is one failure more: a choice that picks nothing any more is noticed as well."""
        started = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", **options) as process:  # fmt: skip
            lines = process.stdout.readlines() if at_once else process.stdout
            with self.lock:
                self._pass_on(directory, title, lines, process)
                print(f"# {title}: {time.monotonic() - started:.1f} s", flush=True)

    def _pass_on(self, directory, title, lines, process):
        planned, seen, failed_before = None, 0, self.failed
        print(f"# == {title}", flush=True)
        for line in lines:
            line = line.rstrip("\n")
            if line.startswith("1.."):
                planned = int(line[3:].split()[0])
            else:
                seen += self.line(directory, line)
        status = process.wait()
        if not planned or seen != planned or (status != 0 and self.failed == failed_before):
            self.result("not ok", f"{title}: {seen} results of {planned}, exit status {status}")
