# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the tiers, passes their TAP on as it comes, counts, and ends with one line of totals."""

import collections
import dataclasses
import fnmatch
import glob
import json
import os
import signal
import subprocess
import sys
import threading
import time

FILE_SECONDS = 1200
MACHINE_SECONDS = 2000
FULL_SECONDS = 3 * 3600
NO_RATE = "--rawnetd-arg=--opens-per-second=0"  # on a fast machine the tests of one file open more; test_opens_by_time() sets its own
ON_BROKER = ("test_bus_stall.py", "test_flood.py", "test_log.py")  # files that run in a lab on dbus-broker as well
REMARKS = 12  # lines that the summary repeats of a failure


@dataclasses.dataclass
class Result:
    tier: str
    name: str
    outcome: str  # passed, failed, skipped
    reason: str = ""
    remarks: list = dataclasses.field(default_factory=list)  # the comments that stood before a failure


class Runner:
    def __init__(self, source_dir, build_dir, full):
        self.source_dir = source_dir
        self.build_dir = build_dir
        self.full = full
        self.results = []

    def add(self, tier, name, outcome, reason=""):
        self.results.append(Result(tier, name, outcome, reason))

    def path(self, *words):
        return os.path.join(self.source_dir, *words)

    # -- one program that prints TAP

    def run_tap(self, tier, title, command, seconds=FILE_SECONDS):
        """Passes its output on and counts. A crash, a missing plan or a cut-off is one more failure."""
        print(f"\n== {tier}: {title}", flush=True)
        started = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                   errors="replace", cwd=self.source_dir, start_new_session=True)
        late = threading.Event()

        def cut_off():
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(seconds, cut_off)
        timer.start()
        planned, seen, failed, remarks = None, 0, 0, collections.deque(maxlen=REMARKS)
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith("1.."):
                planned, _, directive = line[3:].partition("#")
                planned = int(planned)
                if planned == 0:
                    self.add(tier, title, "skipped", directive.strip().removeprefix("SKIP").strip())
            elif line.startswith(("ok", "not ok")):
                seen += 1
                if self._line(tier, line):
                    failed += 1
                    self.results[-1].remarks = list(remarks)
                remarks.clear()
            elif line.startswith("#"):
                remarks.append(line.rstrip("\n"))
        status = process.wait()
        timer.cancel()
        wrong = None
        if late.is_set():
            wrong = f"cut off after {seconds} s"
        elif planned is None or seen != planned:
            wrong = f"{seen} results of {'no plan' if planned is None else planned}, exit status {status}"
        elif status != 0 and not failed:
            wrong = f"exit status {status}"
        if wrong:
            print(f"not ok - {title}: {wrong}", flush=True)
            self.add(tier, title, "failed", wrong)
            self.results[-1].remarks = list(remarks)
        print(f"# {title}: {time.monotonic() - started:.1f} s", flush=True)

    def _line(self, tier, line):
        """1 for a failure."""
        words, _, directive = line.rstrip("\n").partition(" # ")
        name = words.split(" - ", 1)[-1].strip()
        if words.startswith("not ok"):
            self.add(tier, name, "failed")
            return 1
        if directive.upper().startswith("SKIP"):
            self.add(tier, name, "skipped", directive[4:].strip())
        else:
            self.add(tier, name, "passed")
        return 0

    # -- the tiers

    def lint(self):
        self.run_tap("lint", "lint", [self.path("tests/lint"), self.build_dir])

    def unit(self):
        self._meson("unit", self.build_dir, [])
        sanitized = os.path.join(self.build_dir, "sanitized")
        options = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dwerror=true"]
        setup = ["meson", "setup", sanitized, self.source_dir, *options]
        # LeakSanitizer needs ptrace of its own; a finding must fail the test that has it.
        environment = {"CC": "clang", "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
                       "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}  # fmt: skip
        os.environ.update(environment)
        if not os.path.exists(f"{sanitized}/build.ninja") and not self._prepare("sanitized build", setup):
            return
        if self._prepare("sanitized build", ["meson", "compile", "-C", sanitized]):
            self._meson("sanitized", sanitized, ["--timeout-multiplier", "4"])
        for key in environment:
            del os.environ[key]

    def _prepare(self, title, command, tier="unit"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout[-6000:] + done.stderr[-2000:], flush=True)
            self.add(tier, title, "failed", " ".join(command[:2]))
        return done.returncode == 0

    def _meson(self, tier, build_dir, options):
        """meson test; each line of TAP that a test printed counts, or the test as a whole."""
        print(f"\n== {tier}: meson test", flush=True)
        log = os.path.join(build_dir, "meson-logs", "testlog.json")
        if os.path.exists(log):
            os.unlink(log)
        command = ["meson", "test", "-C", build_dir, "--no-rebuild", "--print-errorlogs", *options]
        status = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
        records = []
        if os.path.exists(log):
            with open(log, encoding="utf-8") as file:
                records = [json.loads(line) for line in file]
        if not records:
            self.add(tier, "meson test", "failed", "no unit test ran")
        failures = 0
        for record in records:
            lines = [line.strip() for line in (record.get("stdout") or "").splitlines()]
            lines = [line for line in lines if line.startswith(("ok ", "not ok "))]
            for line in lines:
                failures += self._line(tier, line)
            good = record["result"] in ("OK", "SKIP")
            if not lines:
                outcome = {"OK": "passed", "SKIP": "skipped"}.get(record["result"], "failed")
                self.add(tier, record["name"], outcome, record["result"])
            elif not good and not any(line.startswith("not ok") for line in lines):
                self.add(tier, record["name"], "failed", record["result"])
            failures += not good
        if status and not failures:
            self.add(tier, "meson test", "failed", f"exit status {status}")

    def files(self, tier):
        return sorted(glob.glob(self.path("tests", tier, "test_*.py")))

    def lab(self):
        for path in self.files("lab"):
            self.run_tap("lab", os.path.basename(path), ["/usr/bin/python3", "-B", path])

    def in_lab(self, tier):
        for path in self.files(tier):
            name = os.path.basename(path)
            command = [self.path("tools/lab"), "exec", NO_RATE, "--", "/usr/bin/python3", path]
            self.run_tap(tier, name, command)
            if name in ON_BROKER:
                limits = self.path("policy/examples/dbus-broker-limits.conf")
                command[2:2] = ["--bus", "broker", "--bus-config", limits]
                self.run_tap(tier, f"{name} on dbus-broker", command)

    def backend(self):
        """The guest of its tests is made outside: the lab has no way to a package archive."""
        guest = [self.path("tools/demo.d/prepare.py"), self.source_dir, os.path.join(self.build_dir, "guest"),
                 self.path("tests/backend/guest-init.sh"), os.path.join(self.build_dir, "tests/bench/traffic"),
                 os.path.join(self.build_dir, "tests/backend/xdp")]  # fmt: skip
        if self._prepare("guest", ["/usr/bin/python3", "-B", *guest], "backend"):
            self.in_lab("backend")

    def program(self, tier, name, seconds=FILE_SECONDS):
        if os.path.exists(self.path(name)):
            self.run_tap(tier, name, [self.path(name)], seconds)

    def machine(self, tier):
        """A tier in virtual machines: its quick set, or everything."""
        path = f"tests/{tier}/run"
        command = [self.path(path), *(["--full"] if self.full else [])]
        self.run_tap(tier, path, command, FULL_SECONDS if self.full else MACHINE_SECONDS)

    # -- the end

    def summary(self):
        allowed = allowed_skips(self.path("tests/skips.txt"))
        strict = os.environ.get("CI") == "true"
        skips = [result for result in self.results if result.outcome == "skipped"]
        for result in skips:
            known = any(fnmatch.fnmatchcase(result.reason, pattern) for pattern in allowed)
            if strict and not known:
                result.outcome = "failed"
                result.reason = f"skipped, and tests/skips.txt does not allow it: {result.reason}"
        print("\n== summary")
        for result in self.results:
            if result.outcome != "passed":
                reason = f": {result.reason}" if result.reason else ""
                print(f"{result.outcome}: {result.tier}: {result.name}{reason}")
                for remark in result.remarks:
                    print(f"    {remark}")
        count = {outcome: 0 for outcome in ("passed", "failed", "skipped")}
        for result in self.results:
            count[result.outcome] += 1
        for tier in dict.fromkeys(result.tier for result in self.results):
            mine = [result.outcome for result in self.results if result.tier == tier]
            print(f"{tier:10} {mine.count('passed')} passed, {mine.count('failed')} failed, {mine.count('skipped')} skipped")
        print("{passed} passed, {failed} failed, {skipped} skipped".format(**count), flush=True)
        return 1 if count["failed"] or not count["passed"] else 0


def allowed_skips(path):
    """Globs of the reasons that may skip a test in CI: the first column of tests/skips.txt, before " -- "."""
    with open(path, encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    return [line.partition(" -- ")[0].strip() for line in lines if line and not line.startswith("#")]


# The table of tiers: a name and what runs it, in this order. Each prints TAP, or is counted by what it is.
TIERS = {
    "lint": Runner.lint,
    "unit": Runner.unit,
    "lab": Runner.lab,
    "bus": lambda runner: runner.in_lab("bus"),
    "netns": lambda runner: runner.in_lab("netns"),
    "attack": lambda runner: runner.in_lab("attack"),
    "backend": Runner.backend,
    "fuzz": lambda runner: runner.program("fuzz", "tests/fuzz/run"),
    "counted": lambda runner: runner.machine("counted"),
    "vm": lambda runner: runner.machine("vm"),
    "system": lambda runner: runner.machine("system"),
    "release": lambda runner: runner.program("release", "tests/release/run", seconds=FULL_SECONDS),
    "mutations": lambda runner: runner.program("mutations", "tests/mutations/run"),
}
# Long: with --full, or only when named.
WITH_FULL = ("release",)
ON_REQUEST = ("mutations",)


def parse(words):
    """(--full or not, the tiers that are named). Exits with 2 on a word that is neither."""
    wanted = [word for word in words if word != "--full"]
    for word in wanted:
        if word.startswith("-"):
            usage(f"test: no option {word}; there are --no-build (first) and --full")
        if word not in TIERS:
            usage(f"test: no tier {word}; there are {', '.join(TIERS)}")
    return "--full" in words, wanted


def usage(text):
    print(text, file=sys.stderr)
    sys.exit(2)


def main():
    if sys.argv[1:2] == ["--check"]:
        parse(sys.argv[2:])
        return
    source_dir, build_dir, *words = sys.argv[1:]
    full, wanted = parse(words)
    runner = Runner(source_dir, build_dir, full)
    for tier, run in TIERS.items():
        if tier in wanted or not (wanted or tier in ON_REQUEST or (tier in WITH_FULL and not full)):
            run(runner)
    sys.exit(runner.summary())


main()
