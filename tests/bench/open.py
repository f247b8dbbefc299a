# SPDX-License-Identifier: GPL-2.0-or-later
"""How long an open takes, what some thousand leases cost, how long a new helper needs to find them, what ten thousand
leave behind. Runs in the lab, as root; the leases are member's, whom polkit's rule for group rawnet lets through."""

import argparse
import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/../lib")

import bus  # noqa: E402
import goals  # noqa: E402
import lab  # noqa: E402

PROGRAM = f"{lab.build_dir}/tests/bench/open"
NETWORK, PARENT = "bench-opens", "wire0"
RESTARTS = 5
TITLES = {
    "sequential": "OpenTap by D-Bus, the machine idle",
    "first": "the same, each by a new connection",
    "helper alone": "of that, rawnet-helper",
    "helper packet": "rawnet-helper, a packet port",
    "helper hasty": "rawnet-helper, each upon the last",
    "asking": "of that, bus and polkit (CanOpen)",
    "polkit alone": "reference: a question to polkit alone",
    "fork alone": "reference: fork, unshare(user, net), exit",
    "ended": "from the last close to the signal Ended",
    "first tenth": "the first tenth of concurrent leases",
    "last tenth": "the last tenth of them",
    "restart": "a new rawnet-helper finds all of them",
    "cycles": "each upon the last one's close",
}


def summary(numbers):
    ordered = sorted(numbers)
    low, _, high = statistics.quantiles(ordered, n=4, method="inclusive")
    return {"n": len(ordered), "least_ms": ordered[0] / 1000, "low_ms": low / 1000, "median_ms": statistics.median(ordered) / 1000, "high_ms": high / 1000,
            "p99_ms": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] / 1000, "most_ms": ordered[-1] / 1000}  # fmt: skip


def run(user, *words):
    """The program's numbers, run to its end as user."""
    done = lab.run_as(user, [PROGRAM, *words], timeout=3600)
    numbers = [int(line) for line in done.stdout.split()]
    if done.returncode != 0:
        sys.exit(f"open {' '.join(words)}, after {len(numbers)} opens: {done.stderr.strip()}")
    return numbers


def state():
    """What must be the same after many leases as before: of both daemons and of the host."""
    with bus.connect() as connection:
        found = {"namespaces": namespaces(), "leases": len(connection.leases()), "links": len(lab.links())}
    for name, pid in (("rawnetd", lab.service_pid()), ("rawnet-helper", lab.helper_pid())):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        found[name] = {"resident_kib": lab.resident_kib(pid), "private_kib": int(fields["RssAnon"].split()[0]),
                       "fds": lab.fd_count(pid)}  # fmt: skip
    return found


def namespaces():
    """Network namespaces of the whole machine: lsns sees those that a process is in, the slab those that an fd alone keeps."""
    with open("/proc/slabinfo", encoding="ascii") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("net_namespace ")), None)


def settle():
    """Until every lease is gone, in the kernel and in rawnetd."""
    lab.wait_no_leases(60)
    with bus.connect() as connection:
        lab.wait_for(lambda: not connection.leases(), 30, "rawnetd's last lease")


def restart(count):
    """rawnet-helper killed and started again, from the first request to the end of its list of count leases. µs."""
    lab.kill_helper()
    return run("_rawnet", "list", "-", str(count), "-")[0]


def hold(count):
    """count leases at once: the numbers of each open, both daemons while all are there, and restarts then."""
    command = [PROGRAM, "bus", NETWORK, str(count), "hold"]
    with lab.popen_as("member", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        numbers = [int(process.stdout.readline()) for _ in range(count)]
        held = state()
        restarts = [restart(count) for _ in range(RESTARTS)]
        process.stdin.close()
        process.wait()
    return numbers, held, restarts


def measure(arguments):
    result = {}
    run("member", "bus", NETWORK, "20", "cycle")  # both daemons start, caches warm up
    settle()
    result["sequential"] = summary(run("member", "idle", NETWORK, str(arguments.opens), "-"))
    settle()
    result["first"] = summary(run("member", "first", NETWORK, str(arguments.opens), "-"))
    settle()
    result["helper alone"] = summary(run("_rawnet", "helper", NETWORK, str(arguments.opens), "tap"))
    settle()
    result["helper packet"] = summary(run("_rawnet", "helper", NETWORK, str(arguments.opens), "packet"))
    settle()
    result["helper hasty"] = summary(run("_rawnet", "hasty", NETWORK, str(arguments.opens), "tap"))
    # With a no of polkit's the helper has nothing to judge.
    with lab.polkit_rule('polkit.addRule(function (action) { if (action.id == "org.rawnet1.open-tap") return polkit.Result.NO; });'):
        result["asking"] = summary(run("member", "ask", NETWORK, str(arguments.opens), "-"))
    result["polkit alone"] = summary(run("member", "polkit", "org.rawnet1.open-tap", str(arguments.opens), "-"))
    result["fork alone"] = summary(run("member", "fork", "-", str(arguments.opens), "-"))
    settle()
    result["ended"] = summary(run("member", "end", NETWORK, str(min(arguments.opens, 200)), "-"))
    settle()
    numbers, held, restarts = hold(arguments.leases)
    tenth = max(1, arguments.leases // 10)
    result["first tenth"], result["last tenth"] = summary(numbers[:tenth]), summary(numbers[-tenth:])
    result["held"] = held
    result["restart"] = summary(restarts)
    settle()
    result["before"] = state()
    result["cycles"] = summary(run("member", "bus", NETWORK, str(arguments.cycles), "cycle"))
    settle()
    result["after"] = state()
    return result


def show(result):
    print(f"{'opening a strict tap lease':40}{'n':>8}{'median':>10}{'p99':>10}{'most':>10}   ms")
    for name, title in TITLES.items():
        row = result[name]
        print(f"{title:40}{row['n']:8}{row['median_ms']:10.2f}{row['p99_ms']:10.2f}{row['most_ms']:10.2f}")
    for moment, title in (("held", "with all leases held"), ("before", "before the many"), ("after", "after them")):
        now = result[moment]
        text = "; ".join(f"{name} {now[name]['resident_kib']} KiB resident ({now[name]['private_kib']} its own), {now[name]['fds']} fds"
                         for name in ("rawnetd", "rawnet-helper"))  # fmt: skip
        print(f"{title}: {text}; {now['leases']} leases, {now['links']} links, {now['namespaces']} namespaces on the whole machine")
    goals.show(goals_of(result))


def goals_of(result):
    resident = max(result[moment][name]["resident_kib"] for moment in ("held", "before", "after") for name in ("rawnetd", "rawnet-helper"))
    left = sum(max(0, result["after"][name]["fds"] - result["before"][name]["fds"]) for name in ("rawnetd", "rawnet-helper"))
    left += max(0, result["after"]["links"] - result["before"]["links"])
    return [
        goals.goal("open", "an open, median", result["sequential"]["median_ms"], goals.AT_MOST, 3, "ms"),
        goals.goal("open-p99", "an open, 99th percentile", result["sequential"]["p99_ms"], goals.AT_MOST, 10, "ms"),
        goals.goal("helper", "the helper's share of an open, median", result["helper alone"]["median_ms"], goals.AT_MOST, 1.5, "ms"),
        goals.goal("ended", "from the last close to Ended, 99th percentile", result["ended"]["p99_ms"], goals.AT_MOST, 100, "ms"),
        goals.goal("tenths", "the last tenth of concurrent opens against the first", result["last tenth"]["median_ms"] / result["first tenth"]["median_ms"], goals.AT_MOST, 1.5),
        goals.goal("resident", "the most memory that either daemon has resident", resident / 1024, goals.AT_MOST, 8, "MiB"),
        goals.goal("left", "descriptors and interfaces left after all leases", left, goals.AT_MOST, 0),
    ]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run open")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--opens", type=int, default=1000)
    parser.add_argument("--leases", type=int, default=4000)
    parser.add_argument("--cycles", type=int, default=10000)
    arguments = parser.parse_args()
    lab.service_arguments("--opens-per-second=0", "--queues-per-user=4096")  # what a user may ask for is not what is measured
    with lab.network(NETWORK, Parent=PARENT, MaxLeases="4096", MaxLeasesPerUser="4096"):
        result = measure(arguments)
    if arguments.json:
        print(json.dumps({"leases": arguments.leases, "titles": TITLES, "rows": {name: result[name] for name in TITLES},
                          "daemons": {moment: result[moment] for moment in ("held", "before", "after")}, "goals": goals_of(result)}))  # fmt: skip
    else:
        show(result)


if __name__ == "__main__":
    main()
