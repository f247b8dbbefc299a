# SPDX-License-Identifier: GPL-2.0-or-later
"""The committed results of benchmarks, and the words and numbers that docs/benchmarks.md and the README take from them."""

import json
import re
import statistics
import sys

import counting
import goals

FORMAT = 1
BENCHMARKS = ("datapath", "open", "flood", "flood-broker", "vhost", "forms", "containers", "counted")
KEPT = ("2009", "counted-nftables")  # measured once, of what is no more
TRIAL = ("**These figures are of a trial run on a machine that was busy with other work (load {load} on {cores} cores before it). "
         "Rates say little then; a run on a quiet machine will replace them.**")  # fmt: skip


def load(folder):
    """{benchmark: its file}, all of them."""
    found = {}
    for name in (*BENCHMARKS, *KEPT):
        path = folder / f"{name}.json"
        if not path.exists():
            sys.exit(f"there is no {path.name}: run tests/bench/run --report {folder} {name}")
        found[name] = json.loads(path.read_text(encoding="utf-8"))
        if name in BENCHMARKS and found[name]["format"] != FORMAT:
            sys.exit(f"{path.name}: format {found[name]['format']} is not known: measure again")
    return found


def number(value, unit=""):
    return goals.text(value, unit)


def digits_of(values):
    """How many digits behind the point a row of such values needs."""
    middle = abs(statistics.median(values))
    return 0 if middle >= 100 else 1 if middle >= 10 else 2


def spread(values, factor=1.0):
    """median (least … most), the brackets without a place to break the line"""
    values = [value * factor for value in values]
    if not values:
        return "–"
    digits = digits_of(values)
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}\N{NO-BREAK SPACE}…\N{NO-BREAK SPACE}{max(values):,.{digits}f})"


def ratios(of, against):
    """Of a round's figures to the same round's: what disturbs a round disturbs both."""
    return [a / b for a, b in zip(of, against) if b]


def ratio(of, against):
    found = ratios(of, against)
    return statistics.median(found) if found else float("nan")


# -- words


def machine(results):
    of = results["vhost"]["machine"]
    virtual = "" if of["virtualization"] == "none" else f", a virtual machine ({of['virtualization']})"
    return f"{of['processor']}, {of['cores']} cores, {round(of['memory_mib'] / 1024)} GiB of memory{virtual}"


def kernels(results):
    return ", ".join(sorted({f"Linux {results[name]['kernel']}" for name in BENCHMARKS}))


VERSIONS = {"debian": "", "dbus-daemon": "dbus-daemon", "dbus-broker": "dbus-broker", "polkitd": "polkitd", "libsystemd0": "systemd",
            "qemu-system-x86": "QEMU", "dpdk-dev": "DPDK", "passt": "passt"}  # fmt: skip


def versions(results):
    of = results["vhost"]["versions"]
    # 1:7.2+dfsg-7+deb12u13 is 7.2 for a reader; the file has the whole.
    short = {name: re.match(r"(?:\d+:)?([^+~-]*)", version)[1] if name != "debian" else version for name, version in of.items()}
    return ", ".join(f"{VERSIONS.get(name, name)} {version}".strip() for name, version in short.items())


def trial(results, where="page"):
    """Of the results that are not from a quiet machine."""
    if not any(results[name]["trial"] for name in BENCHMARKS):
        return ""
    if where == "readme":
        return ", a trial run on a busy machine" if results["vhost"]["trial"] else ""
    loads = [results[name]["load"] for name in BENCHMARKS if results[name]["trial"]]
    return TRIAL.format(load=f"{min(loads):.0f} to {max(loads):.0f}", cores=results["vhost"]["machine"]["cores"])


def rounds(results, name):
    result = results[name]["result"]
    if "rounds" in result:
        return str(result["rounds"])
    part = next(iter(result["figures"].values()))
    while isinstance(part, dict):
        part = next(iter(part.values()))
    return str(len(part))


def of_goals(results, selection):
    """The goals of a selection "BENCHMARK" or "BENCHMARK/PART PART": of vhost's, those of these parts."""
    name, _, parts = selection.partition("/")
    found = results[name]["result"]["goals"]
    return [one for one in found if not parts or one["name"].split(": ")[-1].split()[0] in parts.split()]


def missed(results, selection):
    found = of_goals(results, selection)
    count = sum(not one["met"] for one in found)
    if not count:
        return f"All {len(found)} targets are met."
    return f"**Targets missed: {count} of {len(found)}.**"


def verdict(results, selection):
    """One goal, as a sentence: BENCHMARK/NAME."""
    name, _, key = selection.partition("/")
    one = next(one for one in results[name]["result"]["goals"] if one["name"] == key)
    value, limit = number(one["value"], one["unit"]), number(one["limit"], one["unit"])
    return f"Target {'met' if one['met'] else 'missed'}: {value} (target: {one['sense']} {limit})"


def median_of_open(results, name):
    return number(results["open"]["result"]["rows"][name]["median_ms"], "ms")


def flood(results, selection):
    """BENCHMARK/SHAPE/CALL: the median, ms; or BENCHMARK/limit, times, plus, connections."""
    name, key, *call = selection.split("/")
    result = results[name]["result"]
    if call:
        return number(statistics.median(result["rows"][key]["ms"][call[0]]), "ms")
    return {"limit": number(result["limit_ms"], "ms"), "times": str(result["times"]), "plus": f"{result['plus_ms']} ms",
            "connections": str(result["connections"])}[key]  # fmt: skip


def vhost_ratio(results, selection):
    """PATH/AGAINST/PART/FIGURE: the median of the rounds' ratios."""
    of, against, part, figure = selection.split("/")
    rows = results["vhost"]["result"]["figures"][part]
    return number(ratio(rows[of][figure], rows[against][figure]))


DEBIAN = {"bookworm": "Debian 12", "trixie": "Debian 13"}


def counted(results, key):
    """kernels: their names; bytes/LENGTH: how long such a frame is; instructions/KERNEL/PATH/LENGTH/DIRECTION/BATCH: of a frame."""
    kernels_found = results["counted"]["result"]["kernels"]
    what, *path = key.split("/")
    if what == "kernels":
        return " and ".join(f"Linux {found['kernel']} ({DEBIAN[found['debian']]})" for found in kernels_found.values())
    if what == "bytes":
        return f"{counting.LENGTHS[path[0]]:,} bytes"
    kernel, *figure = path
    return number(counting.look(kernels_found[kernel]["frames"], *figure))


def of_2009(results, key):
    return number(results["2009"]["raw_against_bridge"][key])


WORDS = {
    "machine": machine,
    "kernels": kernels,
    "versions": versions,
    "cores": lambda results: str(results["vhost"]["machine"]["cores"]),
    "trial": trial,
    "rounds": rounds,
    "missed": missed,
    "verdict": verdict,
    "open": median_of_open,
    "passt": lambda results: results["containers"]["versions"]["passt"],
    "leases": lambda results: f"{results['open']['result']['leases']:,}",
    "flood": flood,
    "ratio": vhost_ratio,
    "counted": counted,
    "2009": of_2009,
    "2009-source": lambda results: results["2009"]["source"],
}
