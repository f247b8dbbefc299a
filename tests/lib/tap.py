# SPDX-License-Identifier: GPL-2.0-or-later
"""The runner of test files: runs the functions test_* of __main__ in their order and prints TAP (testanything.org)."""

import os
import signal
import sys
import time
import traceback

SECONDS = 60
# How much longer everything may take than on an ordinary machine; tools/vm says so in an emulated guest.
SLOWNESS = int(os.environ.get("RAWNET_SLOWNESS", "1"))
# In CI, tests run beside emulated machines. A deadline that is longer costs nothing where what it waits for comes.
BUSY = 3 if os.environ.get("CI") == "true" else 1


class Skip(Exception):
    pass


class TooSlow(BaseException):  # not to be caught by a test's own except
    pass


def skip(reason):
    """Ends the test as skipped. With CI=true tests/skips.txt must know the reason."""
    raise Skip(reason)


def diag(text):
    """A line (or several) for the reader."""
    for line in str(text).splitlines() or [""]:
        print(f"# {line}", flush=True)


def limit(seconds):
    """Decorator: another bound than 60 s."""

    def decorate(function):
        function.tap_seconds = seconds
        return function

    return decorate


def patience(seconds):
    """A bound on waiting for what must come, as long as this machine needs."""
    return seconds * SLOWNESS * BUSY


def _on_alarm(_number, _frame):
    raise TooSlow("took too long")


def _nothing():
    pass


def _run(function, check, clean):
    """'ok' or 'not ok' and a directive."""
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.alarm(patience(getattr(function, "tap_seconds", SECONDS)))
    try:
        try:
            function()
        except Skip:
            check()
            raise
        signal.alarm(patience(20))
        check()
        return "ok", ""
    except Skip as reason:
        return "ok", f" # SKIP {reason}"
    except (Exception, TooSlow) as error:  # pylint: disable=broad-except
        diag(traceback.format_exc())
        _forget(error)
        _clean_up(clean)
        return "not ok", ""
    finally:
        signal.alarm(0)


def _forget(error):
    """Drops the variables of the functions that have failed. A socket among them may be in a container's namespace, and hold its lease."""
    while error:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _clean_up(clean):
    signal.alarm(patience(40))
    try:
        clean()
    except (Exception, TooSlow):  # pylint: disable=broad-except
        diag(f"and cleaning up failed: {traceback.format_exc(0)}")


def main():
    """Call it at the end of a test file. An argument picks the tests whose names contain it."""
    module = sys.modules["__main__"]
    words = sys.argv[1:]
    tests = [value for name, value in vars(module).items()
             if name.startswith("test_") and callable(value)
             and (not words or any(word in name for word in words))]  # fmt: skip
    unused = [word for word in words if not any(word in test.__name__ for test in tests)]
    if unused:
        print(f"Bail out! no test of {os.path.basename(module.__file__)} has {' or '.join(unused)} in its name", flush=True)
        sys.exit(2)
    check = clean = _nothing
    if os.environ.get("RAWNET_LAB"):
        import lab

        lab.note_start()
        check, clean = lab.check_nothing_left, lab.clean_after_failure
    title = os.path.basename(module.__file__).removesuffix(".py")
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, function in enumerate(tests, 1):
        started = time.monotonic()
        result, directive = _run(function, check, clean)
        failed += result != "ok"
        name = f"{title}: {function.__name__.removeprefix('test_')}"
        print(f"{result} {number} - {name}{directive}", flush=True)
        took = time.monotonic() - started
        if took > 5:
            diag(f"took {took:.1f} s")
    sys.exit(1 if failed else 0)
