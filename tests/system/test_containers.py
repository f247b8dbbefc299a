# SPDX-License-Identifier: GPL-2.0-or-later
"""Containers of other programs than podman by rawnetctl attach, and podman's quadlets: docs/containers.md, typed. On Debian 13."""

import contextlib
import json
import os
import pwd
import shutil
import subprocess

import debian
import documents
import lab
import station
import tap
import test_podman as rootless

ROOT = "/var/tmp/box"  # made by test_podman
ADDRESS = "10.77.100.77"
STAY = rootless.STAY.split()


def typed(line, user="member", seconds=60):
    """A line in a login session that has to succeed; its output."""
    done = debian.login(user, line, timeout=tap.patience(seconds))
    tap.diag(f"{line}: {done.returncode} {done.stdout.strip()[-500:]} {done.stderr.strip()[-500:]}")
    assert done.returncode == 0, done
    return done.stdout


def refused(pid, *words, user="member"):
    done = debian.login(user, f"rawnetctl attach --pid {pid} vlan100", timeout=tap.patience(60))
    assert done.returncode == 1 and all(word in done.stderr for word in words), done


def serves(pid, user="member"):
    """rawnetctl attach puts an interface into it, and it is a station of the VLAN then."""
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        assert "interface eth0 of" in typed(f"rawnetctl attach --pid {pid} vlan100", user)
        with lab.in_namespace(fd):
            debian.run("ip", "address", "add", f"{ADDRESS}/24", "dev", "eth0")
            assert station.ping(rootless.NEIGHBOUR)
    finally:
        os.close(fd)
    with lab.in_namespace(lab.FAR):
        assert station.ping(ADDRESS)


def need_debian_13():
    if not rootless.HAS_DRIVERS:
        tap.skip("Debian 13 is where other container programs are tested")


@tap.limit(120)
def test_ready():
    need_debian_13()
    rootless.test_ready()


def write_bundle(path):
    """An OCI bundle with a network namespace of its own."""
    typed(f"mkdir -p {path} && cd {path} && crun spec --rootless")
    with open(f"{path}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    config["root"] = {"path": ROOT, "readonly": True}
    config["process"].update(terminal=False, args=STAY)
    # crun maps the user by itself, runc does not.
    account = pwd.getpwnam("member")
    for key, number in (("uidMappings", account.pw_uid), ("gidMappings", account.pw_gid)):
        config["linux"][key] = [{"containerID": 0, "hostID": number, "size": 1}]
    namespaces = config["linux"]["namespaces"]
    if not any(namespace["type"] == "network" for namespace in namespaces):
        namespaces.append({"type": "network"})
    with open(f"{path}/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)


@tap.limit(120)
def test_oci_runtimes():
    """crun and runc, without podman."""
    need_debian_13()
    bundle = "/home/member/bundle"
    write_bundle(bundle)
    for program in ("crun", "runc"):
        typed(f"cd {bundle} && {program} run --detach --pid-file pid box </dev/null >/dev/null 2>said || (cat said; false)")
        try:
            with open(f"{bundle}/pid", encoding="ascii") as file:
                serves(int(file.read()))
        finally:
            typed(f"{program} delete --force box")
        lab.wait_no_leases(30)


@contextlib.contextmanager
def nspawn(*words):
    """The process id of its first process."""
    root = f"{ROOT}-nspawn"
    shutil.copytree(ROOT, root, symlinks=True)
    os.makedirs(f"{root}/usr")
    command = ["systemd-nspawn", "--quiet", "--machine=box", f"--directory={root}", "--as-pid2", *words, "/bin/sh", "-c", " ".join(STAY)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            show = ["machinectl", "show", "box", "--property=Leader", "--value"]
            yield int(lab.wait_for(lambda: subprocess.run(show, capture_output=True, text=True, check=False).stdout.strip(), 30, "the container"))
        finally:
            process.terminate()
            process.wait()
            shutil.rmtree(root)


@tap.limit(120)
def test_nspawn():
    """Root's containers with a user namespace are root's; without one they are the host's, and nobody's."""
    need_debian_13()
    with nspawn("--private-users=pick", "--private-network") as pid:
        refused(pid, "you may not look into process")
        serves(pid, "root")
    lab.wait_no_leases(30)
    with nspawn("--private-network") as pid:
        refused(pid, "belongs to the host's own user namespace", user="root")


@tap.limit(240)
def test_quadlet():
    """A container and its network as units of a user's systemd."""
    need_debian_13()
    units = "/home/member/.config/containers/systemd"
    typed(f"mkdir -p {units}")
    # podman's unit waits for it.
    debian.run("systemctl", "start", "network-online.target")
    for block in ("quadlet-lan.network", "quadlet-web.container"):
        text = documents.block(block)
        with open(f"{units}/{block.removeprefix('quadlet-')}", "w", encoding="utf-8") as file:
            file.write(text.replace("Image=IMAGE", f"Image={rootless.IMAGE}\nExec={rootless.STAY}"))
    try:
        typed("systemctl --user daemon-reload && systemctl --user start web.service", seconds=120)
        assert rootless.names() == ["web@systemd-lan"], rootless.names()
        address = rootless.network_of("web", "systemd-lan")["IPAddress"]
        assert address.startswith("10.77.100."), address
        with lab.in_namespace(lab.FAR):
            assert station.ping(address)
        typed("systemctl --user restart web.service", seconds=120)
        assert rootless.names() == ["web@systemd-lan"], rootless.names()
    finally:
        typed(f"systemctl --user stop web.service lan-network.service; rm -r {units}; systemctl --user daemon-reload; "
              "podman network rm -f systemd-lan", seconds=120)
    rootless.nothing_left()


@contextlib.contextmanager
def docker():
    """Docker of the user's own, without root: the environment of its commands."""
    line = ("systemd-run --user --quiet --unit=docker --setenv=PATH=/usr/sbin:/usr/bin:/sbin:/bin "
            "/usr/share/docker.io/contrib/dockerd-rootless.sh --iptables=false --bridge=none --storage-driver=vfs")  # fmt: skip
    host = f"export DOCKER_HOST=unix:///run/user/{lab.uid_of('member')}/docker.sock"
    typed(line)
    try:
        lab.wait_for(lambda: debian.login("member", f"{host}; docker info", timeout=tap.patience(60)).returncode == 0, 40, "Docker")
        yield host
    except BaseException:
        tap.diag(debian.run("journalctl", "--no-pager", "--lines=30", "_SYSTEMD_USER_UNIT=docker.service"))
        raise
    finally:
        typed("systemctl --user stop docker")


@tap.limit(240)
def test_docker():
    need_debian_13()
    with docker() as host:
        typed(f"{host}; docker import - {rootless.IMAGE} <{ROOT}.tar")
        commands = documents.block("docker-attach").replace("IMAGE", f"{rootless.IMAGE} {rootless.STAY}")
        typed(f"{host}; {commands}")
        pid = typed(f"{host}; docker inspect -f '{{{{.State.Pid}}}}' web").strip()
        with open(f"/proc/{pid}/ns/net", "rb") as file, lab.in_namespace(file.fileno()):
            debian.run("ip", "address", "add", f"{ADDRESS}/24", "dev", "eth0")
            assert station.ping(rootless.NEIGHBOUR)
        typed(f"{host}; docker rm -f web")
        lab.wait_no_leases(30)


@tap.limit(120)
def test_nothing_is_left():
    need_debian_13()
    rootless.test_nothing_is_left()


if __name__ == "__main__":
    tap.main()
