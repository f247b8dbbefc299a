# SPDX-License-Identifier: GPL-2.0-or-later
"""The EXAMPLES of the man pages, typed by a member as they are printed, with the lab's untagged networks behind their names."""

import contextlib
import os
import re
import shutil
import signal

import bus
import documents
import frames
import lab
import tap

NETWORKS = ("vlan100", "vlan10", "vlan20")
QEMU = "qemu-system-x86_64"


@contextlib.contextmanager
def place():
    """A directory of member's with a disk, and the networks."""
    path = f"{lab.LAB}/tmp/man-pages"
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    with open(f"{path}/disk.img", "wb") as disk:
        disk.truncate(1 << 20)
    for name in ("", "disk.img"):
        shutil.chown(f"{path}/{name}", "member")
    with contextlib.ExitStack() as stack:
        for name in NETWORKS:
            stack.enter_context(lab.network(name, VLAN="none"))
        yield path


def env_of(path):
    return {"XDG_RUNTIME_DIR": path}


def typed(name, path, **options):
    """A block to its end: what it printed."""
    done = lab.run_as("member", ["bash", "-e", "-c", documents.block(name)], cwd=path, env=env_of(path), timeout=tap.patience(60), **options)
    assert done.returncode == 0, done
    return done.stdout


@contextlib.contextmanager
def running(name, path, leases_end=True):
    """A block whose last command goes on, during the block of the test."""
    process = lab.popen_as("member", ["bash", "-e", "-c", documents.block(name)], cwd=path, env=env_of(path), start_new_session=True,
                           stdin=lab.subprocess.DEVNULL, stdout=lab.subprocess.PIPE, stderr=lab.subprocess.STDOUT)  # fmt: skip
    try:
        yield process
        assert process.poll() is None, "it ended by itself"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        tap.diag(f"{name}: {process.communicate(timeout=tap.patience(30))[0].strip()}")
    if leases_end:
        lab.wait_no_leases(30)


def guests(connection, process, number):
    """The properties of so many leases, once each guest's firmware has asked for an address with its port's MAC."""
    def asked():
        assert process.poll() is None, f"it ended with {process.returncode}"
        leases = list(connection.leases().values())
        text = lab.log_of("dnsmasq")
        return len(leases) == number and all(re.search(rf"DHCPDISCOVER\([^)]*\).* {lease['MAC']}\b", text) for lease in leases) and leases

    return lab.wait_for(asked, 150, "the guest's first frames")


@contextlib.contextmanager
def example(name):
    """A block that needs QEMU, on its networks: (directory, member's connection, process)."""
    if not shutil.which(QEMU):
        tap.skip("no qemu-system-x86_64 on this machine")
    with place() as path, bus.connect("member") as connection, running(name, path) as process:
        yield path, connection, process


@tap.limit(260)
def test_a_guest():
    """rawnetctl qemu, and what is shown of its port."""
    with example("man-qemu") as (path, connection, process):
        (lease,) = guests(connection, process, 1)
        shown = typed("man-look", path)
        assert shown.count(f"rn{lease['Id']:x}") == 2 and shown.count("vlan100") == 2, shown


@tap.limit(260)
def test_queues():
    with example("man-queues") as (_, connection, process):
        (lease,) = guests(connection, process, 1)
        assert (lease["Name"], lease["Queues"], lease["Kind"]) == ("web1", 4, "tap"), lease


def test_a_command_with_an_interface():
    with place() as path:
        assert re.search(r"^eth0\S* +UP +10\.77\.0\.\d+/24", typed("man-veth", path), re.MULTILINE)


@tap.limit(260)
def test_a_tap_by_name():
    with example("man-tap") as (_, connection, process):
        (lease,) = guests(connection, process, 1)
        assert (lease["Kind"], lease["Network"]) == ("veth", "vlan100"), lease


@tap.limit(260)
def test_a_router():
    with example("man-router") as (_, connection, process):
        lab.wait_for(lambda: len(connection.leases()) == 2, 60, "both leases")
        assert {lease["Network"] for lease in connection.leases().values()} == {"vlan10", "vlan20"}
        lab.wait_for(lambda: any(lease["MAC"] in lab.log_of("dnsmasq") for lease in connection.leases().values()), 150, "a frame of the guest")
        assert process.poll() is None


@tap.limit(260)
def test_a_back_end():
    """rawnet-vhost by hand, and QEMU on it."""
    with example("man-vhost") as (path, connection, _):
        lab.wait_for(lambda: os.path.exists(f"{path}/vm1.sock"), 60, "the back end's socket")
        with running("man-vhost-qemu", path, leases_end=False) as process:
            guests(connection, process, 1)


@tap.limit(260)
def test_qemus_own_helper():
    with example("man-helper") as (_, connection, process):
        lab.wait_for(lambda: any(lease["MAC"] for lease in connection.leases().values()), 150, "the guest's address")
        assert process.poll() is None


@tap.limit(260)
def test_plug():
    with example("man-pluggable") as (path, connection, _):
        lab.wait_for(lambda: os.path.exists(f"{path}/vm1.qmp"), 60, "QEMU's control socket")
        assert "card1" in typed("man-plug", path)
        assert [lease["Network"] for lease in connection.leases().values()] == ["vlan100"]
        # The firmware does not release a card: unplug says so, and asks again later.
        done = lab.run_as("member", ["bash", "-c", documents.block("man-unplug")], cwd=path, env=env_of(path), timeout=tap.patience(60))
        assert done.returncode == 0 or "guest" in done.stderr, done


def test_a_program():
    with place() as path, bus.connect("member") as connection, running_program("man-packet", path) as process:
        (lease,) = lab.wait_for(lambda: list(connection.leases().values()), 20, "the lease")
        with connection.open_packet("vlan10") as other:
            frame = frames.marker(other.info["mac"])

            def heard():
                os.write(other.fd, frame)
                return process.poll() is not None

            lab.wait_for(heard, 20, "the program's end")
        output = process.communicate()[0]
        assert re.search(rf"{lease['MAC']} got \d+$", output.strip()) and process.returncode == 0, output


def test_network_files():
    """Each is one that rawnetd takes, with the lab's wire as its parent."""
    for name in ("man-vlan", "untagged", "range", "mac-choice", "address-lock", "rate", "guest-servers", "man-host-interface"):
        text = documents.block(name).replace("eth0", "wire0").replace("eth1", "wire0")
        with lab.network("printed", text), bus.connect("member") as connection:
            found = lab.wait_for(lambda: connection.networks().get("printed"), 10, "the network")
            assert found["Error"] == "" and found["Parent"] == "wire0", (name, found)


def test_a_rule():
    """One user, one network."""
    rule = documents.block("man-rule").replace('"bob"', '"outsider"')
    with place(), bus.connect("outsider") as outsider:
        assert outsider.can_open("vlan100", "tap") == "challenge"
        with lab.polkit_rule(rule, "60-rawnet-bob.rules"):
            assert (outsider.can_open("vlan100", "tap"), outsider.can_open("vlan10", "tap")) == ("yes", "challenge")


def test_busctl():
    with place() as path:
        assert typed("man-busctl", path).strip() == 's "yes"'
        assert "vlan100" in typed("man-busctl-tree", path)


@contextlib.contextmanager
def running_program(name, path):
    with lab.popen_as("member", ["bash", "-e", "-c", documents.block(name)], cwd=path, env=env_of(path),
                      stdout=lab.subprocess.PIPE, stderr=lab.subprocess.STDOUT) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    tap.main()
