# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/test's counting: nothing may pass by not running."""

import json
import os
import shutil
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


def refused(*words):
    """What tools/test says of a wrong command line. Asserts that it builds nothing."""
    with tempfile.TemporaryDirectory() as build:
        done = subprocess.run([f"{SOURCE}/tools/test", *words], capture_output=True, text=True, check=False,
                              env={**os.environ, "RAWNET_BUILD": f"{build}/build"})
        assert not os.path.exists(f"{build}/build"), f"{words} was built for"
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    return done.stderr.strip()


HOLDS = """
import socket, tap
ours, *theirs = socket.socketpair()
ours.settimeout(10)
def fails():
    held = theirs.pop()
    assert not held, "it is held"
print(tap._run(fails, print, lambda: print("let go" if ours.recv(1) == b"" else "?")))
"""


def test_a_failed_test_lets_go_before_the_cleaning():
    """Of what is in its variables: a socket in a container's namespace holds a lease."""
    done = subprocess.run(["/usr/bin/python3", "-Bc", HOLDS], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": f"{SOURCE}/tests/lib"})
    assert done.stdout.splitlines()[-2:] == ["let go", "('not ok', '')"], done


def test_unknown_tier_is_refused_before_the_build():
    message = refused("unit", "nosuchtier")
    assert message.startswith("test: no tier nosuchtier; there are lint, unit, lab"), message


def test_unknown_option_is_refused_before_the_build():
    assert refused("--nosuch", "unit") == "test: no option --nosuch; there are --no-build (first) and --full"


def chosen(script, *words):
    done = subprocess.run(["/usr/bin/python3", "-B", f"{SOURCE}/{script}", *words], capture_output=True, text=True, check=False,
                          env={key: value for key, value in os.environ.items() if key != "RAWNET_LAB"})
    return done.returncode, done.stdout.strip()


def test_pattern_that_matches_no_test_fails():
    status, text = chosen("tests/lab/test_runner.py", "test_good", "nosuchtest")
    assert (status, text) == (2, "Bail out! no test of test_runner.py has nosuchtest in its name")
    for script, what in (("tests/vm/run", "file"), ("tests/system/run", "file of tests/system"), ("tests/mutations/run", "mutation"),
                         ("tests/release/run", "release")):
        assert chosen(script, "nosuchtest") == (2, f"Bail out! no {what} has nosuchtest in its name"), script


def test_copied_checkout_does_not_build_the_old_tree():
    """The copy has the build directory of the tree that it was copied from."""
    with tempfile.TemporaryDirectory() as place:
        copy = f"{place}/copy"
        os.makedirs(f"{copy}/build/meson-info")
        for name in ("build", "setup", "packages.txt"):
            os.makedirs(f"{copy}/tools", exist_ok=True)
            shutil.copy2(f"{SOURCE}/tools/{name}", f"{copy}/tools/{name}")
        with open(f"{copy}/build/build.ninja", "w", encoding="ascii"):
            pass
        with open(f"{copy}/build/meson-info/meson-info.json", "w", encoding="ascii") as file:
            json.dump({"directories": {"source": "/srv/original"}}, file)
        done = subprocess.run([f"{copy}/tools/build"], capture_output=True, text=True, check=False,
                              env={key: value for key, value in os.environ.items() if key != "RAWNET_BUILD"})
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert done.stderr.startswith(f"build: {copy}/build was configured for /srv/original, not for {copy}; delete it: rm -r "), done.stderr


if __name__ == "__main__":
    tap.main()
