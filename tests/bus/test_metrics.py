# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl metrics: what a strict OpenMetrics parser reads, the numbers, and that none of them falls."""

import contextlib
import os
import re
import tempfile

import bus
import documents
import frames
import lab
import tap
from prometheus_client.openmetrics.parser import text_string_to_metric_families

OTHER = "52:54:00:00:be:ef"
COUNTERS = {"rawnet_leases_opened", "rawnet_leases_ended", "rawnet_requests_refused", "rawnet_received_bytes", "rawnet_sent_bytes",
            "rawnet_received_frames", "rawnet_sent_frames", "rawnet_guard_dropped_frames"}  # fmt: skip
GAUGES = {"rawnet_leases", "rawnet_leases_closed", "rawnet_leases_max"}


class Metrics:
    """One look, as Prometheus reads it."""

    def __init__(self, user="outsider"):
        done = lab.run_as(user, ["rawnetctl", "metrics"], check=True)
        assert done.stdout.endswith("\n# EOF\n") and not done.stderr, done
        self.text = done.stdout
        self.families = {family.name: family for family in text_string_to_metric_families(done.stdout)}
        assert {name for name, family in self.families.items() if family.type == "counter"} == COUNTERS
        assert {name for name, family in self.families.items() if family.type == "gauge"} == GAUGES
        self.samples = {}
        for family in self.families.values():
            assert family.documentation.endswith(".") or family.name == "rawnet_requests_refused", family
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self.samples, sample
                self.samples[key] = sample.value

    def of(self, name, network="lab", **labels):
        labels.update({"network": network} if network else {})
        return self.samples.get((name, frozenset(labels.items())), 0)

    def created(self):
        """When counting began: the same of all counters."""
        (created,) = {value for (name, _), value in self.samples.items() if name.endswith("_created")}
        return created

    def networks(self):
        return {dict(labels).get("network", "") for _, labels in self.samples}

    def totals(self):
        return {key: value for key, value in self.samples.items() if key[0].endswith("_total")}


def send(lease, *texts, source=None):
    for text in texts:
        frames.Port(lease.fds[0], vnet_hdr=True).send(frames.ether(frames.BROADCAST, source or lease.info["mac"], frames.TEST, text.encode()))


def test_leases():
    before = Metrics()
    assert before.of("rawnet_leases", kind="tap") == 0 and before.of("rawnet_leases_max") == 4096
    with bus.connect("member") as member:
        with member.open_tap("lab") as lease, member.open_packet("lab"), member.open_tap("lab-private"):
            now = Metrics()
            assert now.of("rawnet_leases", kind="tap") == 1 and now.of("rawnet_leases", kind="packet") == 1
            assert now.of("rawnet_leases", "lab-private", kind="tap") == 1 and now.of("rawnet_leases", kind="veth") == 0
            member.close_lease(lease.path)
            now = Metrics()
            assert now.of("rawnet_leases", kind="tap") == 0 and now.of("rawnet_leases_closed", kind="tap") == 1
        bus.wait_none_listed()
    after = Metrics()
    for name, labels, growth in (("leases_opened", {"kind": "tap"}, 1), ("leases_opened", {"kind": "packet"}, 1), ("leases_opened", {"kind": "veth"}, 0),
                                 ("leases_ended", {"reason": "closed"}, 1), ("leases_ended", {"reason": "last-fd"}, 1),
                                 ("leases_ended", {"reason": "revoked"}, 0)):  # fmt: skip
        assert after.of(f"rawnet_{name}_total", **labels) - before.of(f"rawnet_{name}_total", **labels) == growth, (name, labels)
    assert after.of("rawnet_leases_closed", kind="tap") == 0


def test_traffic():
    """Bytes and frames of all leases together; what has been counted stays when a lease ends."""
    before = Metrics()
    with bus.connect("member") as member, frames.WirePort() as wire:
        with member.open_tap("lab") as one, member.open_tap("lab") as two:
            send(one, "one", "two")
            send(two, "three")
            wire.wait(b"three")
            frames.Port(one.fds[0], vnet_hdr=True).wait(b"three")  # a tap counts what its holder has read
            send(two, "spoofed", source=OTHER)
            first = Metrics()
            sent = [member.statistics(lease.path) for lease in (one, two)]
        bus.wait_none_listed()
        after = Metrics()
    for name, counter in (("rawnet_sent_bytes_total", "tx_bytes"), ("rawnet_sent_frames_total", "tx_packets")):
        assert first.of(name) - before.of(name) == sum(statistics[counter] for statistics in sent) > 0, name
        assert after.of(name) == first.of(name), name
    assert first.of("rawnet_received_frames_total") > before.of("rawnet_received_frames_total"), "a frame of the other one"
    dropped = "rawnet_guard_dropped_frames_total"
    assert first.of(dropped, reason="spoofed_source") - before.of(dropped, reason="spoofed_source") == 1
    assert first.of(dropped, reason="control_frame") == before.of(dropped, reason="control_frame")
    assert first.of("rawnet_sent_frames_total", "lab-private") == before.of("rawnet_sent_frames_total", "lab-private")


def test_refusals():
    """By error, and by network where there is one: what a caller makes up is no label."""
    before = Metrics()
    with bus.connect("member") as member, lab.network("full", MaxLeases="1"):
        lab.wait_for(lambda: "full" in member.networks(), 10, "the network's object")
        with member.open_tap("full"):
            for _ in range(2):
                bus.expect_error("QuotaExceeded", member.open_tap, "full")
        for name in ("evil1", "evil2", 'e"} 1', "evil.7", "x" * 40):
            with contextlib.suppress(bus.BusError):
                member.open_tap(name)
        bus.expect_error("org.freedesktop.DBus.Error.InvalidArgs", member.open_tap, "full", queues=17)
        bus.expect_error("NoSuchLease", member.statistics, "/org/rawnet1/lease/2147418199")
        after = Metrics()
    refused = "rawnet_requests_refused_total"
    assert after.of(refused, "full", error="QuotaExceeded") == 2 and after.of(refused, "full", error="InvalidArgs") == 1
    assert after.of(refused, "", error="NoSuchNetwork") - before.of(refused, "", error="NoSuchNetwork") == 3
    assert after.of(refused, "", error="InvalidArgs") - before.of(refused, "", error="InvalidArgs") == 2
    assert after.of(refused, "", error="NoSuchLease") - before.of(refused, "", error="NoSuchLease") == 1
    assert after.networks() - {""} == before.networks() - {""} | {"full"} and "evil" not in after.text


def test_nothing_falls():
    """Leases come and go, and the helper ends: no counter falls, and all have been counted since the same time."""
    with bus.connect("member") as member:
        last = Metrics()
        for turn in range(4):
            with member.open_tap("lab", name=f"turn{turn}") as lease:
                send(lease, "a", "b", "c")
                Metrics()
                if turn == 2:
                    lab.kill_helper()
                send(lease, "d")
                now = Metrics()
            assert now.created() == last.created()
            fallen = {key: (value, now.totals()[key]) for key, value in last.totals().items() if now.totals()[key] < value}
            assert not fallen, fallen
            assert now.of("rawnet_sent_frames_total") - last.of("rawnet_sent_frames_total") == 4 or turn == 0, (turn, now.of("rawnet_sent_frames_total"))
            last = now


def test_a_new_rawnetd_counts_anew():
    """Its counters say since when, and do not begin with what a lease has counted before."""
    with bus.connect("member") as member, member.open_tap("lab") as lease:
        send(lease, *"before")
        old = Metrics()
        lab.kill_service()
        new = Metrics()
        assert new.created() > old.created()
        assert new.of("rawnet_leases", kind="tap") == 1 and new.of("rawnet_leases_opened_total", kind="tap") == 0
        assert new.of("rawnet_sent_frames_total") == 0 < old.of("rawnet_sent_frames_total")
        send(lease, "after")
        assert Metrics().of("rawnet_sent_frames_total") == 1


def test_many_callers_share_a_reading():
    """Calls that wait are answered together; one whose caller has left harms nobody."""
    with contextlib.ExitStack() as stack:
        member = stack.enter_context(bus.connect("member"))
        stack.enter_context(member.open_tap("lab"))
        callers = [stack.enter_context(bus.connect(user)) for user in ("member", "member2", "outsider", "outsider")]
        leaver = bus.connect("member2")
        with lab.stopped(lab.helper_pid()):
            serials = [caller.send(bus.ROOT, bus.MANAGER, "GetMetrics") for caller in callers]
            leaver.send(bus.ROOT, bus.MANAGER, "GetMetrics")
            assert member.networks(), "rawnetd serves meanwhile, and has read the calls"
            leaver.close()
        for caller, serial in zip(callers, serials):
            _, samples = caller.reply(serial)
            assert ("leases", {"network": "lab", "kind": "tap"}, 1) in [tuple(sample) for sample in samples], samples


def test_documented():
    """The command of docs/administrators.md, and the file of its unit."""
    done = lab.run_as("outsider", ["bash", "-ec", documents.block("metrics")], check=True)
    assert list(text_string_to_metric_families(done.stdout))
    (command,) = re.findall(r"^ExecStart=sh -c '(.*)'$", documents.block("metrics-service"), re.MULTILINE)
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        lab.run_as("outsider", ["sh", "-c", command], cwd=place, check=True)
        assert os.listdir(place) == ["rawnet.prom"]
        with open(f"{place}/rawnet.prom", encoding="utf-8") as file:
            assert list(text_string_to_metric_families(file.read()))


def test_usage():
    for words in (("lab",), ("--json",)):
        done = lab.run_as("outsider", ["rawnetctl", "metrics", *words])
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and not done.stdout, done


if __name__ == "__main__":
    tap.main()
