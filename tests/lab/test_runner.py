# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/test's counting: nothing may pass by not running."""

import os
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))

import tap  # noqa: E402


def run(script, ci=False, skips=""):
    """Runs the runner over a tree whose only tier is this shell script: (its status, its last line)."""
    with tempfile.TemporaryDirectory() as tree:
        os.makedirs(f"{tree}/tests/fuzz")
        with open(f"{tree}/tests/skips.txt", "w", encoding="utf-8") as file:
            file.write(skips)
        with open(f"{tree}/tests/fuzz/run", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{script}\n")
        os.chmod(f"{tree}/tests/fuzz/run", 0o755)
        environment = {key: value for key, value in os.environ.items() if key != "CI"} | ({"CI": "true"} if ci else {})
        done = subprocess.run(["/usr/bin/python3", "-B", f"{SOURCE}/tools/test.d/run.py", tree, f"{tree}/build", "fuzz"],
                              capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout.splitlines()[-1]


def test_good():
    assert run("echo 1..2; echo ok 1 - a; echo ok 2 - b") == (0, "2 passed, 0 failed, 0 skipped")


def test_one_fails():
    assert run("echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1") == (1, "1 passed, 1 failed, 0 skipped")


def test_crash_after_good_results():
    assert run("echo 1..1; echo ok 1 - a; kill -9 $$") == (1, "1 passed, 1 failed, 0 skipped")


def test_fewer_results_than_planned():
    assert run("echo 1..3; echo ok 1 - a") == (1, "1 passed, 1 failed, 0 skipped")


def test_no_plan_at_all():
    assert run("exit 0") == (1, "0 passed, 1 failed, 0 skipped")


def test_nothing_ran():
    assert run("echo '1..0 # SKIP nothing here'") == (1, "0 passed, 0 failed, 1 skipped")


def test_skip_is_free_at_home_only():
    script = "echo 1..2; echo ok 1 - a; echo 'ok 2 - b # SKIP no such thing'"
    assert run(script) == (0, "1 passed, 0 failed, 1 skipped")
    assert run(script, ci=True) == (1, "1 passed, 1 failed, 0 skipped")
    assert run(script, ci=True, skips="no such * -- for a reason\n") == (0, "1 passed, 0 failed, 1 skipped")


if __name__ == "__main__":
    tap.main()
