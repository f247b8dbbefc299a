# SPDX-License-Identifier: GPL-2.0-or-later
"""podman's network driver, run as podman runs it; tests/lib/rootless.py says how."""

import fcntl
import json
import os
import signal
import threading

import bus
import lab
import processes
import rootless
import tap
import waiting
from rootless import Rootless
from run_veth import fake

NEIGHBOUR, NEIGHBOUR6 = "10.77.0.1", "fd77::1"
SUBNETS = [{"subnet": "10.77.0.0/24", "gateway": NEIGHBOUR}, {"subnet": "fd77::/64", "gateway": NEIGHBOUR6}]


def only(mapping):
    ((_, value),) = mapping.items()
    return value


def leases():
    with bus.connect("member") as connection:
        return connection.leases()


def clients():
    """DHCP clients and their supervisors."""
    return [pid for word in ("udhcpc", "rawnet\0dhcp") for pid in processes.with_word(word)]


# -- podman network create


def test_create():
    network, error = rootless.create("member", rootless.network_of(driver=None))
    assert error is None, error
    assert network["ipam_options"] == {"driver": "dhcp"} and network["dns_enabled"] is False, network
    network, error = rootless.create("member", rootless.network_of(driver=None, subnets=SUBNETS))
    assert error is None and network["ipam_options"] == {"driver": "host-local"}, (network, error)


def test_create_refused():
    for network, words in (
        (rootless.network_of("nowhere"), ("nowhere", "rawnetctl networks")),
        (rootless.network_of(vlan="7"), ("no --opt 'vlan'",)),
        ({**rootless.network_of(), "options": None}, ("--opt network=NAME",)),
    ):
        created, error = rootless.create("member", network)
        tap.diag(str(error))
        assert created is None and all(word in error for word in words), (created, error)
    created, error = rootless.create("outsider", rootless.network_of())
    tap.diag(error)
    assert created is None and "group rawnet" in error, error


# -- podman run


def test_no_addresses():
    with Rootless() as box:
        status = box.setup()
        interface = status["interfaces"]["eth0"]
        link = box.links()["eth0"]
        assert interface["mac_address"] == link["address"] and interface["subnets"] == [], (status, link)
        assert "UP" in link["flags"], link
        lease = only(leases())
        assert lease["Name"] == "box@lan" and lease["Kind"] == "veth" and lease["Owner"] == lab.uid_of("member"), lease
        box.teardown()
        assert "eth0" not in box.links()
        lab.wait_no_leases()


def test_given_addresses():
    with Rootless() as box:
        status = box.setup(driver="host-local", subnets=SUBNETS, addresses=["10.77.0.77", "fd77::77"], mac="52:54:00:00:00:77")
        interface = status["interfaces"]["eth0"]
        assert interface["mac_address"] == "52:54:00:00:00:77", status
        assert interface["subnets"] == [{"ipnet": "10.77.0.77/24", "gateway": NEIGHBOUR},
                                        {"ipnet": "fd77::77/64", "gateway": NEIGHBOUR6}], status  # fmt: skip
        assert box.ping(NEIGHBOUR)
        assert f"default via {NEIGHBOUR} dev eth0" in box.run("ip", "-4", "route")
        assert f"default via {NEIGHBOUR6} dev eth0" in box.run("ip", "-6", "route")


def test_no_default_route():
    with Rootless() as box:
        box.setup(driver="host-local", subnets=SUBNETS[:1], addresses=["10.77.0.77"], no_default_route="true")
        assert "default" not in box.run("ip", "-4", "route")


def test_rate():
    """--opt rate= is what polkit is asked about, and a wrong one is refused before."""
    given = {"driver": "none"}
    with Rootless() as box:
        box.setup(rate="5M", **given)
        assert lab.questions()[-1]["rate"] == "5000000", lab.questions()[-1]
        box.teardown(**given)
        asked = len(lab.questions())
        assert "--opt rate=5m is no rate" in box.refused(rate="5m", **given)
        assert len(lab.questions()) == asked, "somebody was asked for a lease"


def test_metrics_of_32_bits():
    """podman's are; what does not fit is refused before there is an interface."""
    route = {"destination": "10.78.0.0/16", "gateway": NEIGHBOUR}
    given = {"driver": "host-local", "subnets": SUBNETS[:1], "addresses": ["10.77.0.77"]}
    with Rootless() as box:
        box.setup(routes=[{**route, "metric": 2**32 - 1}], metric=str(2**32 - 1), **given)
        shown = box.run("ip", "-4", "route")
        assert shown.count(f"metric {2**32 - 1}") == 2, shown
        box.teardown(**given)
        asked = len(lab.questions())
        for metric in (2**32, 2**64, -1, 1.5, "7"):
            sentence = box.refused(routes=[{**route, "metric": metric}], **given)
            assert "10.78.0.0/16" in sentence and "0 to 4294967295" in sentence, sentence
        assert len(lab.questions()) == asked, "somebody was asked for a lease"


def test_two_networks():
    """Of two default routes with the same metric the first one stays."""
    with Rootless() as box:
        box.setup(driver="host-local", subnets=SUBNETS[:1], addresses=["10.77.0.77"])
        box.setup(driver="host-local", subnets=SUBNETS[:1], addresses=["10.77.0.78"], interface="eth1", name="box2")
        assert box.run("ip", "-4", "route").count("default") == 1
        box.teardown(driver="host-local", subnets=SUBNETS[:1], addresses=["10.77.0.77"])
        assert "eth0" not in box.links() and "eth1" in box.links()


def test_the_same_name_has_the_same_address():
    seen = set()
    for _ in range(2):
        with Rootless() as box:
            seen.add(box.setup()["interfaces"]["eth0"]["mac_address"])
            box.teardown()
        lab.wait_no_leases()
    assert len(seen) == 1, seen


def test_network_that_chooses_every_address():
    """MACChoice=derived: podman's --mac-address is refused with a sentence. Without it a container is served as ever."""
    with lab.network("fixed", MACChoice="derived"), Rootless() as box:
        sentence = box.refused(network="fixed", mac="52:54:00:12:34:56")
        tap.diag(sentence)
        assert "network fixed: MACChoice=derived in" in sentence and "leave mac out" in sentence, sentence
        assert list(box.links()) == ["lo"] and not leases()
        answer = box.setup(network="fixed")["interfaces"]["eth0"]
        assert answer["mac_address"] == only(leases())["MAC"] == box.links()["eth0"]["address"], answer
        box.teardown(network="fixed")


def test_dhcp():
    with Rootless() as box:
        status = box.setup(driver="dhcp")
        tap.diag(str(status))
        address = only(status["interfaces"])["subnets"][0]
        assert address["ipnet"].startswith("10.77.0.") and address["ipnet"].endswith("/24"), status
        assert f"inet {address['ipnet']} " in box.run("ip", "addr", "show", "eth0"), address
        assert box.ping(NEIGHBOUR)
        assert clients(), "nobody renews the address"
        box.teardown(driver="dhcp")
        assert not clients(), "teardown leaves a process"
        assert "eth0" not in box.links()
        lab.wait_no_leases()


def test_teardown_ends_the_client_of_its_interface_alone():
    """podman network disconnect of one of two networks, whose interface's name ends like the other one's."""
    with Rootless() as box:
        box.setup(driver="dhcp", interface="xeth0")
        kept = set(clients())
        box.setup(driver="dhcp", interface="eth0", name="box2")
        box.teardown(driver="dhcp", interface="eth0", name="box2")
        assert set(clients()) == kept, "the other interface's client has ended, or this one's has not"
        assert "eth0" not in box.links() and "xeth0" in box.links()
        box.teardown(driver="dhcp", interface="xeth0")
        assert not clients()


def test_dhcp_client_renews_and_releases():
    with Rootless() as box:
        status = box.setup(driver="dhcp")
        address = only(status["interfaces"])["subnets"][0]["ipnet"]
        (client,) = processes.with_word("udhcpc")

        def acknowledged():
            return lab.log_of("dnsmasq").count("DHCPACK")

        def shown():
            return f"inet {address} " in box.run("ip", "addr", "show", "eth0")

        before = acknowledged()
        os.kill(client, signal.SIGUSR1)  # udhcpc: renew now
        lab.wait_for(lambda: acknowledged() > before, 10, "the renewal")
        assert shown(), "the renewal takes the address away"
        os.kill(client, signal.SIGUSR2)  # udhcpc: release
        lab.wait_for(lambda: not shown(), 10, "the end of the address")
        assert "default" not in box.run("ip", "-4", "route")
        box.teardown(driver="dhcp")


def test_pipes_of_the_caller():
    """Neither the DHCP client nor its supervisor holds what podman's caller has left open."""
    ours, low = os.pipe()
    theirs = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 20)  # not where the supervisor puts descriptors of its own
    os.close(low)
    with Rootless() as box:
        answer = box.driver("setup", rootless.request_of(driver="dhcp"), pass_fds=[theirs])
        os.close(theirs)
        assert box.last.returncode == 0 and len(clients()) == 2, (answer, clients())
        assert waiting.readable([ours], tap.patience(20)) and os.read(ours, 1) == b""
        for pid in clients():
            held = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in ("0", "1", "2")}
            assert held == {"/dev/null"}, (pid, held)
        box.teardown(driver="dhcp")
    os.close(ours)


def test_dhcp_client_ends_with_the_namespace():
    """podman gives the namespace up, and nobody runs teardown."""
    with Rootless() as box:
        box.setup(driver="dhcp")
        box.delete_path()
        lab.wait_for(lambda: not clients(), 10, "the end of the DHCP client")
        box.make_path()


def test_dhcp_client_ends_with_its_supervisor():
    with Rootless() as box:
        box.setup(driver="dhcp")
        (supervisor,) = processes.with_word("rawnet\0dhcp")
        os.kill(supervisor, signal.SIGKILL)
        lab.wait_for(lambda: not clients(), 10, "the end of the DHCP client")
        box.teardown(driver="dhcp")


STUBBORN = """trap '' TERM
while [ $# -gt 0 ]; do
        case $1 in
        -s) hook=$2 ;;
        -i) export interface=$2 ;;
        esac
        shift
done
tail -f /dev/null stubborn &
ip=10.77.0.99 mask=24 "$hook" bound
while :; do wait; done
"""


def test_dhcp_client_that_does_not_end():
    """It is asked first, then killed with what it has started, by teardown and when podman deletes the namespace."""
    with fake(STUBBORN), Rootless() as box:
        box.setup(driver="dhcp")
        lab.wait_for(lambda: processes.with_word("stubborn"), 5, "what the client has started")
        box.teardown(driver="dhcp")
        assert not clients() and not processes.with_word("stubborn"), "teardown leaves a process"
        box.setup(driver="dhcp")
        box.delete_path()
        lab.wait_for(lambda: not clients(), 20, "the end of the DHCP client")
        box.make_path()
        box.setup(driver="dhcp", interface="eth1", name="box2")
        (supervisor,) = processes.with_word("rawnet\0dhcp")
        os.kill(supervisor, signal.SIGKILL)
        lab.wait_for(lambda: not clients() and not processes.with_word("stubborn"), 10, "the end of the DHCP client")


def test_dhcp_client_that_fails():
    for script in ("exit 3", STUBBORN.replace("bound", "deconfig").replace("while :; do wait; done", "exit")):
        with fake(script), Rootless() as box:
            sentence = box.refused(driver="dhcp")
            tap.diag(sentence)
            assert "udhcpc" in sentence and "ended without an address" in sentence, sentence
            assert "eth0" not in box.links() and not clients() and not processes.with_word("stubborn")
            lab.wait_no_leases()


# Unmaps the stack's end from its arguments on (/proc/PID/stat's field 48). Many variables' pointers keep that apart from the part in use.
NAMELESS = """import ctypes, os
page, start = os.sysconf("SC_PAGESIZE"), int(open("/proc/self/stat").read().split()[47])
(stack,) = [line.split()[0] for line in open("/proc/self/maps") if line.endswith("[stack]\\n")]
start, end = start // page * page, int(stack.split("-")[1], 16)
ctypes.CDLL(None).munmap(ctypes.c_void_p(start), ctypes.c_size_t(end - start))
os.write(1, b"ready\\n")
os.read(0, 1)
os._exit(0)
"""


def test_teardown_beside_a_process_without_a_command_line():
    """teardown looks for the supervisor by its command line; a process of the container's may take its own away."""
    variables = {f"V{number}": "" for number in range(3000)}
    with Rootless() as box:
        box.setup()
        with box.popen("/usr/bin/python3", "-c", NAMELESS, env=variables, stdin=lab.subprocess.PIPE,
                       stdout=lab.subprocess.PIPE) as nameless:  # fmt: skip
            assert nameless.stdout.readline() == "ready\n"
            with open(f"/proc/{nameless.pid}/cmdline", "rb") as file:
                assert not file.read()
            box.teardown()
            nameless.communicate()
        lab.wait_no_leases()


@tap.limit(120)
def test_no_dhcp_server():
    with lab.network("silent", Parent="wire0", VLAN="none"), Rootless() as box:
        lab.stop("dnsmasq")
        try:
            sentence = box.refused(driver="dhcp", network="silent")
        finally:
            lab.start("dnsmasq")
        tap.diag(sentence)
        assert "no DHCP server answered" in sentence and "silent" in sentence, sentence
        assert "eth0" not in box.links() and not clients()
        lab.wait_no_leases()


def test_refused():
    with Rootless() as box:
        for options, words in (
            ({"network": "nowhere"}, ("nowhere",)),
            ({"mac": "02:00:00:00:00:01"}, ("02:00:00:00:00:01", "MACPrefix=")),
            ({"mac": "52:54:00"}, ("is not a MAC address",)),
            ({"interface": "lo"}, ("lo",)),
        ):
            sentence = box.refused(**options)
            tap.diag(sentence)
            assert all(word in sentence for word in words), sentence
            assert list(box.links()) == ["lo"], box.links()


def test_outsider():
    with Rootless("outsider") as box:
        sentence = box.refused()
        tap.diag(sentence)
        assert "lab" in sentence and "rawnet" in sentence, sentence


def test_teardown_without_the_bus():
    """The lease ends with the interface: neither bus nor rawnetd is asked."""
    with Rootless() as box:
        box.setup()
        lab.kill_service()
        os.rename("/run/dbus/system_bus_socket", "/run/dbus/away")
        try:
            box.teardown()
            assert "eth0" not in box.links()
            sentence = box.refused()
        finally:
            os.rename("/run/dbus/away", "/run/dbus/system_bus_socket")
        tap.diag(sentence)
        assert "D-Bus system bus" in sentence, sentence
        lab.wait_no_leases()


def test_the_bus_behind_any_name():
    """A process between the driver and podman may have any bytes in its name, a newline too."""
    with Rootless() as box:
        box.netavark = "n) S 1 \\n(x) S"
        box.setup()
        box.teardown()
        lab.wait_no_leases()


def driver(verb, path, text, **options):
    """The driver, as member: (exit status, what it printed as JSON or None)."""
    done = lab.run_as("member", [rootless.DRIVER, verb, path], input=text, timeout=tap.patience(20), **options)
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def test_teardown_of_what_is_gone():
    """The file is there and empty, is no file, or is not there; and what setup says of it."""
    text = json.dumps(rootless.request_of())
    with Rootless() as box:
        box.teardown()
        assert driver("teardown", box.path, text) == (0, None)
        status, answer = driver("setup", box.path, text)
        assert status == 1 and "has no network namespace at" in answer["error"], answer
        box.delete_path()
        os.mkfifo(box.path)
        for path in (box.path, f"{box.path}-gone"):
            assert driver("teardown", path, text) == (0, None)
            status, answer = driver("setup", path, text)
            assert status == 1 and "has no network namespace at" in answer["error"], answer
        os.unlink(box.path)
        box.make_path()


def test_input_that_is_not_podmans():
    for text in ("", "{", "[" * 100_000, '{"network": {"name": "lan"}} {}', "[]", "7", '{"network": 7}', "{}", "\0", "x" * (5 << 20)):
        for verb in ("setup", "teardown"):
            status, answer = driver(verb, "/nowhere", text)
            assert status == 1 and "podman passe" in answer["error"], (verb, text[:80], answer)


def test_teardown_of_another_versions_container():
    """What only setup needs is not looked at."""
    with Rootless() as box:
        box.setup()
        request = rootless.request_of()
        request["network_options"]["options"] = {"new": "1"}
        request["network"]["options"] = None
        box.teardown(request)
        assert "eth0" not in box.links()
        lab.wait_no_leases()


def test_setup_that_nobody_waits_for():
    """podman has been killed: setup undoes what it has made, since nobody knows of it."""
    ours, theirs = os.pipe()
    os.close(ours)
    with Rootless() as box:
        assert box.driver("setup", rootless.request_of(driver="dhcp"), stdout=theirs) is None
        assert box.last.returncode == 1, box.last
        assert "eth0" not in box.links() and not clients()
        lab.wait_no_leases()
    os.close(theirs)


def test_setup_that_fails_late():
    """The address is set, and a route cannot be: neither interface nor DHCP client stays."""
    with Rootless() as box:
        sentence = box.refused(driver="dhcp", routes=[{"destination": "10.78.0.0/16", "gateway": "224.0.0.1"}])
        assert "cannot add the route to 10.78.0.0/16 by 224.0.0.1" in sentence, sentence
        assert "eth0" not in box.links() and not clients()
        lab.wait_no_leases()


@tap.limit(120)
def test_setup_is_killed():
    """While it waits for an address. What it leaves goes with teardown, or with the namespace."""
    with lab.network("silent", Parent="wire0", VLAN="none"):
        lab.stop("dnsmasq")
        try:
            for end in ("teardown", "delete_path"):
                with Rootless() as box:
                    request = rootless.request_of(driver="dhcp", network="silent")
                    thread = threading.Thread(target=box.driver, args=("setup", request), daemon=True)
                    thread.start()
                    lab.wait_for(lambda: processes.named("udhcpc"), 20, "the DHCP client")
                    for pid in processes.with_word("rawnet\0setup"):
                        os.kill(pid, signal.SIGKILL)
                    thread.join()
                    if end == "teardown":
                        box.teardown(request)
                        assert "eth0" not in box.links()
                    else:
                        box.delete_path()
                        box.kill()
                        box.let_go()
                    lab.wait_for(lambda: not clients(), 10, "the end of the DHCP client")
                    lab.wait_no_leases()
                    if end == "delete_path":
                        box.make_path()
        finally:
            lab.start("dnsmasq")


if __name__ == "__main__":
    tap.main()
