# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes what a benchmark printed with --json to a file, with the machine, the versions, the commit and the date: tests/bench/run --report.

    report.py SOURCE FILE BENCHMARK LOAD SECONDS TRIAL [OPTION…]    reads the benchmark's JSON from stdin

LOAD is what /proc/loadavg said before it, SECONDS how long it took, TRIAL yes or no, OPTION… what the benchmark was told."""

import datetime
import json
import os
import platform
import re
import subprocess
import sys

FORMAT = 1
# Debian packages whose versions matter: what is measured, and what it is compared with.
PACKAGES = ("dbus-daemon", "dbus-broker", "polkitd", "libsystemd0", "qemu-system-x86", "dpdk-dev", "passt")


def output(*command):
    """A command's output, "" where it fails or is not installed. What it prints may come with a failure (systemd-detect-virt: "none")."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def field(path, name):
    """The first such field of a file in /proc."""
    with open(path, encoding="utf-8") as file:
        return next((line.split(":", 1)[1].strip() for line in file if re.match(rf"{name}\s*:", line)), "unknown")


def machine():
    return {
        "processor": field("/proc/cpuinfo", "model name"),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_mib": int(field("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "virtualization": output("systemd-detect-virt", "--vm") or "unknown",
    }


def versions():
    found = {"debian": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")}
    for package in PACKAGES:
        version = output("dpkg-query", "--show", "--showformat=${Version}", package)
        if version:
            found[package] = version
    return found


def commit(source):
    """The commit that was measured, and whether files differed from it."""
    git = ("git", "-C", source, "-c", f"safe.directory={source}")
    found = output(*git, "rev-parse", "--short=12", "HEAD") or "unknown"
    # Earlier results are no part of the program.
    changed = output(*git, "status", "--porcelain", "--", ".", ":!docs/benchmarks", ":!docs/benchmarks.md", ":!README.md")
    return {"commit": found, "changed": bool(changed)}


def rounded(value):
    """Five digits are more than any of this is worth."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def text_of(found):
    """Indented, but a list of numbers on one line."""
    return re.sub(r"\[[^][{}\"]*\]", lambda match: re.sub(r"\s+", " ", match[0]), json.dumps(found, indent=1, ensure_ascii=False)) + "\n"


def main(source, path, benchmark, load, seconds, trial, *options):
    found = {
        "format": FORMAT,
        "benchmark": benchmark,
        "options": list(options),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": int(seconds),
        "load": float(load),
        "trial": trial == "yes",
        **commit(source),
        "machine": machine(),
        "kernel": platform.release(),
        "versions": versions(),
        "result": rounded(json.load(sys.stdin)),
    }
    with open(path, "w", encoding="utf-8") as file:
        file.write(text_of(found))


main(*sys.argv[1:])
