# SPDX-License-Identifier: GPL-2.0-or-later
"""A container as a user makes one: a process in a user and a network namespace of its own."""

import os
import signal
import subprocess

import bus
import lab
import station
import tap

INTERFACE = "eth0"


class Container:
    """While the block runs: .pid, .namespace (a descriptor, ours), .run(*words) as its root, .ip(*words) as the host's root."""

    def __init__(self, user="member"):
        words = ["unshare", "--user", "--map-root-user", "--net", "--", "cat"]
        self.user = user
        self.process = self._popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdin.write("ready\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ready\n", "there is no container"
        self.pid = self.process.pid
        self.namespace = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def _popen(self, words, **options):
        if self.user == "root":  # with its capabilities, without which it may not map itself
            return subprocess.Popen(words, text=True, **options)
        return lab.popen_as(self.user, words, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.let_go()

    def let_go(self):
        """Closes our descriptor of its namespace."""
        if self.namespace >= 0:
            os.close(self.namespace)
            self.namespace = -1

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def popen(self, *words, **options):
        """A command as the container's root."""
        entered = ["nsenter", "--target", str(self.pid), "--user", "--net", "--preserve-credentials", "--", *words]
        return self._popen(entered, **options)

    def run(self, *words, check=True, timeout=60):
        """The same, to its end: its output; AssertionError if it fails."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with self.popen(*words, **options) as process:
            try:
                out, err = process.communicate(timeout=tap.patience(timeout))
            except BaseException:  # left alone, it would hold the namespace, and the block would wait for it
                process.kill()
                raise
        assert not check or process.returncode == 0, f"{' '.join(words)}: {err.strip()}"
        return out

    def links(self):
        return lab.links(self.namespace)

    def up(self, *addresses, interface=INTERFACE):
        """Raises the interface and gives it addresses, as whoever configures a container does."""
        for address in addresses:
            self.run("ip", "addr", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))
        self.run("ip", "link", "set", interface, "up")

    def ping(self, address, **options):
        with lab.in_namespace(self.namespace):
            return station.ping(address, **options)


class Attached:
    """What Attach gave: .path, .info, .id. Nothing of ours holds it."""

    def __init__(self, path, info):
        self.path, self.info = path, bus.plain(info)
        self.id = self.info["id"]


def send_attach(connection, network, namespace, interface=INTERFACE, **options):
    return connection.send(bus.ROOT, bus.MANAGER, "Attach", "shsa{sv}", (network, namespace, interface, bus.options_of(options)))


def attach(connection, network, namespace, interface=INTERFACE, **options):
    """namespace: a descriptor, which stays the caller's, or a Container."""
    fd = namespace.namespace if isinstance(namespace, Container) else namespace
    return Attached(*connection.reply(send_attach(connection, network, fd, interface, **options)))
