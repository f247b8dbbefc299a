# SPDX-License-Identifier: GPL-2.0-or-later
"""podman's rootless surroundings without podman: its network driver runs as root of the user's user namespace, below a process
that sees the host's /run, in a mount namespace where /run is the user's own and empty. Real podman: tests/system/test_podman.py.
"""

import json
import os
import shutil
import subprocess
import tempfile

import container
import lab
import tap

DRIVER = "/usr/libexec/netavark/rawnet"
# What podman is to the driver, netavark is its parent; each `:` keeps a shell from making way for its last command.
PODMAN = 'mount --bind "/proc/$1/ns/net" "$2" && unshare --mount -- sh -c "$3" netavark "$2" "$4"; status=$?; :; exit $status'
# /run has nothing but the directory with the namespace's file.
NETAVARK = ('at=${1%/*} && mount --rbind "$at" /mnt && mount -t tmpfs tmpfs /run && mkdir -p "$at" && mount --rbind /mnt "$at" && '
            'printf "$NAME" >"/proc/$$/comm" && '
            '"$DRIVER" "$2" "$1"; status=$?; :; exit $status')  # fmt: skip


class Rootless(container.Container):
    """A container whose network is podman's: .setup(), .teardown(), .path, the file of its network namespace, and .netavark, that
    process's name."""

    netavark = "netavark"

    def __init__(self, user="member"):
        super().__init__(user)
        self.directory = tempfile.mkdtemp(prefix="netns.")
        os.chown(self.directory, lab.uid_of(user), -1)
        self.path = f"{self.directory}/netns-1"
        self.make_path()

    def make_path(self):
        with open(self.path, "w", encoding="ascii"):
            pass
        os.chown(self.path, lab.uid_of(self.user), -1)

    def delete_path(self):
        """As podman does when it gives up a container's network namespace."""
        os.unlink(self.path)

    def __exit__(self, *_):
        super().__exit__()
        shutil.rmtree(self.directory)

    def driver(self, verb, request, timeout=60, **options):
        """Its answer: what it printed as JSON, or None. CompletedProcess in .last."""
        words = ["nsenter", "--target", str(self.pid), "--user", "--preserve-credentials", "--", "env", f"DRIVER={DRIVER}", f"NAME={self.netavark}",
                 "unshare", "--mount", "--", "sh", "-c", PODMAN, "podman", str(self.pid), self.path, NETAVARK, verb]  # fmt: skip
        self.last = lab.run_as(self.user, words, timeout=tap.patience(timeout), input=json.dumps(request), **options)
        return json.loads(self.last.stdout) if self.last.stdout else None

    def setup(self, request=None, **options):
        answer = self.driver("setup", request or request_of(**options))
        assert self.last.returncode == 0, (answer, self.last.stderr)
        return answer

    def refused(self, request=None, **options):
        """The sentence with which setup is refused."""
        answer = self.driver("setup", request or request_of(**options))
        assert self.last.returncode == 1 and list(answer) == ["error"], (answer, self.last)
        return answer["error"]

    def teardown(self, request=None, **options):
        answer = self.driver("teardown", request or request_of(**options))
        assert (self.last.returncode, answer) == (0, None), (answer, self.last)


def network_of(network="lab", driver="none", subnets=None, routes=None, **options):
    """What podman stores of `podman network create -d rawnet`."""
    return {"name": "lan", "id": "0" * 64, "driver": "rawnet", "network_interface": None, "internal": False, "ipv6_enabled": False,
            "dns_enabled": False, "ipam_options": driver and {"driver": driver}, "subnets": subnets, "routes": routes,
            "options": {"network": network, **options}}  # fmt: skip


def request_of(name="box", interface="eth0", mac=None, addresses=None, **network):
    """What netavark passes for a container on it."""
    return {"container_id": "1" * 64, "container_name": name, "port_mappings": None, "network": network_of(**network),
            "network_options": {"aliases": None, "interface_name": interface, "static_ips": addresses, "static_mac": mac}}  # fmt: skip


def create(user, network):
    """podman network create: (the network that podman stores, or None; the sentence of an error, or None)."""
    done = subprocess.run(["unshare", "--map-root-user", DRIVER, "create"], input=json.dumps(network), capture_output=True, text=True,
                          check=False, timeout=60, user=user, group=user, extra_groups=os.getgrouplist(user, lab.uid_of(user)))  # fmt: skip
    answer = json.loads(done.stdout)
    return (None, answer["error"]) if done.returncode else (answer, None)
