# SPDX-License-Identifier: GPL-2.0-or-later
"""`rawnetctl run --kind veth` as tests see it: a command in namespaces of its own."""

import contextlib
import json
import os
import subprocess

import lab
import tap

NEIGHBOUR, NEIGHBOUR6 = "10.77.0.1", "fd77::1"
DHCP_CLIENTS = ("udhcpc", "busybox", "dhcpcd", "dhclient")


def run(*words, user="member", timeout=60, **options):
    """rawnetctl run --kind veth WORDS, to its end: CompletedProcess."""
    return lab.run_as(user, ["rawnetctl", "run", "--kind", "veth", *words], timeout=tap.patience(timeout), **options)


def good(*words, **options):
    """What the command printed."""
    done = run(*words, **options)
    assert done.returncode == 0, done
    return done.stdout


def refused(*words, contains=(), **options):
    """stderr of rawnetctl's own failure."""
    done = run(*words, **options)
    assert done.returncode == 125 and done.stderr.startswith("rawnetctl: ") and not done.stdout, done
    for word in contains:
        assert word in done.stderr, (word, done.stderr)
    return done.stderr


class Command:
    """While the block runs: a shell that rawnetctl run --kind veth WORDS has become. .pid, .variables (RAWNET_*), .mac; .run() a
    command beside it."""

    def __init__(self, *words, user="member", options=()):
        self.user, self.dhcp = user, "--dhcp" in words
        script = "env | grep ^RAWNET_; exec cat"
        self.process = lab.popen_as(user, ["rawnetctl", "run", "--kind", "veth", *options, *words, "--", "sh", "-c", script, "{mac}"],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        self.pid = self.process.pid
        self.process.stdin.write("ready\n")
        self.process.stdin.flush()

    def __enter__(self):
        lines = []
        while (line := self.process.stdout.readline().strip()) != "ready":
            assert line, f"rawnetctl ended: {self.process.communicate()[1]}"
            lines.append(line)
        self.variables = dict(line.split("=", 1) for line in lines)
        self.mac = self.variables["RAWNET_MAC"]
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def popen(self, *words, **options):
        """Another process in its namespaces, as its root."""
        mount = ["--mount"] if self.dhcp else []
        entered = ["nsenter", "--target", str(self.pid), "--user", "--net", *mount, "--preserve-credentials", "--", *words]
        return lab.popen_as(self.user, entered, **options)

    def run(self, *words, check=True, timeout=60):
        with self.popen(*words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                out, err = process.communicate(timeout=tap.patience(timeout))
            except BaseException:  # left alone, it would hold the namespace, and the block would wait for it
                process.kill()
                raise
        assert not check or process.returncode == 0, f"{' '.join(words)}: {err.strip()}"
        return out if check else process.returncode

    def links(self):
        return {link["ifname"]: link for link in json.loads(self.run("ip", "-j", "-d", "link"))}

    def addresses(self, family, interface="eth0"):
        (link,) = json.loads(self.run("ip", "-j", f"-{family}", "addr", "show", "dev", interface))
        return [entry["local"] for entry in link["addr_info"] if entry["scope"] == "global" and not entry.get("tentative")]


@contextlib.contextmanager
def hide(*programs):
    """These programs are not installed while the block runs (the lab's /usr is its own)."""
    places = ("/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin")
    paths = [path for place in places for program in programs if os.path.lexists(path := f"{place}/{program}")]
    for path in paths:
        os.rename(path, f"{path}.hidden")
    try:
        yield
    finally:
        for path in paths:
            os.rename(f"{path}.hidden", path)


@contextlib.contextmanager
def fake(script):
    """udhcpc is this script (the lab's /usr is its own)."""
    with hide("udhcpc"), open("/usr/sbin/udhcpc", "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + script)
        file.close()
        os.chmod("/usr/sbin/udhcpc", 0o755)
        try:
            yield
        finally:
            os.unlink("/usr/sbin/udhcpc")
