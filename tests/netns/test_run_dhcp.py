# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl run --kind veth --dhcp: the host's DHCP client beside the command, whichever there is."""

import contextlib
import fcntl
import os
import re
import shutil
import signal

import lab
import processes
import tap
import waiting
from run_veth import DHCP_CLIENTS, NEIGHBOUR, Command, fake, good, hide, refused

PROCESSES = {"udhcpc": "udhcpc", "busybox": "busybox", "dhcpcd": "dhcpcd", "dhclient": "dhclient"}
KEEPER = "rawnetctl-dhcp"


def only(client):
    """No other DHCP client is installed."""
    if not shutil.which(client):
        tap.skip(f"no {client} on this machine")
    # Debian's udhcpc is a link to busybox.
    needed = ("udhcpc", "busybox") if client == "udhcpc" else (client,)
    return hide(*(other for other in DHCP_CLIENTS if other not in needed))


@contextlib.contextmanager
def server(*options):
    """The neighbour's DHCP server with these options besides."""
    lab.request(operation="arguments", name="dnsmasq", arguments=list(options))
    lab.restart("dnsmasq")
    try:
        yield
    finally:
        lab.request(operation="arguments", name="dnsmasq", arguments=[])
        lab.restart("dnsmasq")


def configured(client, releases):
    with only(client), server("--dhcp-option=6,10.77.0.53,10.77.0.54", "--domain=lab.example", "--dhcp-option=15,lab.example"):
        with open("/etc/resolv.conf", "rb") as file:
            before = file.read()
        with Command("--dhcp", "lab") as command:
            (address,) = command.addresses(4)
            assert address.startswith("10.77.0."), address
            assert f"default via {NEIGHBOUR} dev eth0" in command.run("ip", "route")
            assert command.run("cat", "/etc/resolv.conf") == "search lab.example\nnameserver 10.77.0.53\nnameserver 10.77.0.54\n"
            command.run("ping", "-c", "1", "-W", "10", NEIGHBOUR)
            with open("/etc/resolv.conf", "rb") as file:
                assert file.read() == before, "the host's resolv.conf has changed"
            assert processes.named(PROCESSES[client]) and processes.named(KEEPER)
        # The command was killed; its namespace, its lease and the client end.
        lab.wait_no_leases()
        no_process(PROCESSES[client])

        def released():
            return re.search(rf"DHCPRELEASE\([^)]*\) {address} {command.mac}", lab.log_of("dnsmasq"))

        if releases:
            lab.wait_for(released, 10, f"the server's word of {client}'s release")
        assert bool(released()) == releases, client


def no_process(client):
    """Neither a client nor its keeper: each leaves its namespace a moment before its process is gone."""
    lab.wait_for(lambda: not processes.named(client) and not processes.named(KEEPER), 10, f"the end of {client} and its keeper")


def test_udhcpc():
    configured("udhcpc", True)


def test_busybox():
    configured("busybox", True)


def test_dhcpcd():
    configured("dhcpcd", True)


def test_dhclient():
    configured("dhclient", False)


def test_a_renewed_address():
    """The client goes on: what the server says later reaches the command's resolv.conf."""
    with only("udhcpc"), server("--dhcp-option=6,10.77.0.53"), Command("--dhcp", "lab") as command:
        lab.request(operation="arguments", name="dnsmasq", arguments=["--dhcp-option=6,10.77.0.99"])
        lab.restart("dnsmasq")
        (client,) = processes.named("udhcpc")
        os.kill(client, signal.SIGUSR1)  # udhcpc(8): renew now
        lab.wait_for(lambda: command.run("cat", "/etc/resolv.conf") == "nameserver 10.77.0.99\n", 20, "the new server")


def test_without_a_client():
    with hide(*DHCP_CLIENTS):
        asked = len(lab.questions())
        refused("--dhcp", "lab", "--", "true", contains=("udhcpc", "dhcpcd", "dhclient", "apt install udhcpc"))
        assert len(lab.questions()) == asked, "somebody was asked for a lease"
        assert good("lab", "--", "echo", "without") == "without\n"


def test_a_client_that_fails():
    with fake("echo broken: no leg to stand on >&2; exit 3"):
        refused("--dhcp", "lab", "--", "true", contains=("network lab", "udhcpc", "no leg to stand on"))
    lab.wait_no_leases()


def test_no_server():
    lab.stop("dnsmasq")
    try:
        refused("--dhcp", "lab", "--", "true", contains=("network lab", "no address"))
    finally:
        lab.start("dnsmasq")
    lab.wait_no_leases()
    no_process("udhcpc")


def test_a_client_that_does_not_end():
    """It and what it has started are killed."""
    with fake('trap "" TERM; mkfifo /tmp/nothing; cat /tmp/nothing & echo bound >/tmp/event; while :; do wait; done'):
        assert good("--dhcp", "lab", "--", "echo", "started") == "started\n"
        lab.wait_no_leases()
        lab.wait_for(lambda: not processes.with_word("/tmp/nothing"), 10, "the end of what the client has started")


def test_the_keeper_is_killed():
    """The client goes with it, the command stays."""
    with Command("--dhcp", "lab") as command:
        (keeper,) = processes.named(KEEPER)
        clients = processes.named("udhcpc")
        os.kill(keeper, signal.SIGKILL)
        for client in clients:
            lab.wait_for_exit(client)
        command.run("ping", "-c", "1", "-W", "10", NEIGHBOUR)


def test_pipes_of_the_caller():
    """A reader sees the end of a pipe with the command: nothing else holds one, not even a keeper that stands still."""
    ours, low = os.pipe()
    theirs = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 20)  # not where the keeper puts descriptors of its own
    os.close(low)
    words = ["rawnetctl", "run", "--kind", "veth", "--dhcp", "lab", "--", "cat"]
    pipe = lab.subprocess.PIPE
    with lab.popen_as("member", words, stdin=pipe, stdout=pipe, stderr=lab.subprocess.STDOUT, pass_fds=[theirs]) as process:
        process.stdin.write("started\n")
        process.stdin.flush()
        assert process.stdout.readline() == "started\n"
        (keeper,) = processes.named(KEEPER)
        with lab.stopped(keeper):
            os.close(theirs)
            assert process.communicate("the end\n", tap.patience(20))[0] == "the end\n"
            assert waiting.readable([ours], tap.patience(20)) and os.read(ours, 1) == b""
    os.close(ours)


if __name__ == "__main__":
    tap.main()
