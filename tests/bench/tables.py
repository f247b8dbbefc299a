# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of docs/benchmarks.md and of the README, as Markdown."""

import statistics

import counting
import figures
from figures import number, spread
from paths import path_name


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def runs(results):
    rows = []
    for name in figures.BENCHMARKS:
        of = results[name]
        commit = f"`{of['commit']}`" + (" and changes" if of["changed"] else "")
        rows.append((f"[{name}](benchmarks/results/{name}.json)", of["date"], commit, f"{of['seconds']} s", f"{of['load']:.1f}",
                     "a trial run" if of["trial"] else "the report"))  # fmt: skip
    return table(("benchmark", "date", "commit", "took", "load before", "kind"), rows)


def targets(selection):
    def make(results):
        rows = [(one["what"], number(one["value"], one["unit"]), f"{one['sense']} {number(one['limit'], one['unit'])}",
                 "met" if one["met"] else "**missed**") for one in figures.of_goals(results, selection)]  # fmt: skip
        return table(("what", "measured", "target", ""), rows)

    return make


def y2009(results):
    then, now = results["2009"]["thousand_frames"], results["vhost"]["result"]["figures"]
    rows = [("UDP socket, no VM", str(then["UDP socket, no VM"]), spread(now["fast"]["UDP socket, no VM"]["rate"], 1e-3), "–", "–")]
    for path in now.get("send", {}):
        past = {"tap + bridge": "tap + bridge", "rawnet-vhost, strict": "raw"}.get(path)
        rows.append((path_name(path) + (" (2009: raw)" if past == "raw" else ""), str(then[past]) if past else "–",
                     spread(now["send"][path]["rate"], 1e-3), spread(now["send"][path]["cpu"]), spread(now["send"][path]["switches"])))  # fmt: skip
    return table(("a guest sends short frames", "2009, K/s", "now, K/s", "CPU, µs a frame", "context switches a frame"), rows)


def receive(results):
    now = results["vhost"]["result"]["figures"]
    rows = [(path_name(path), spread(row["rate"], 1e-3), spread(row["cpu"]), spread(row["switches"]), spread(now["get"][path]["rate"]),
             spread(now["put"][path]["rate"])) for path, row in now["receive"].items()]  # fmt: skip
    return table(("", "receives, K/s", "CPU, µs a frame", "context switches a frame", "TCP in, Mbit/s", "TCP out, Mbit/s"), rows)


def fast(results):
    now = results["vhost"]["result"]["figures"]["fast"]
    first = now["UDP socket, no VM"]
    rows = [(path_name(path), spread(row["rate"], 1e-3), number(figures.ratio(row["rate"], first["rate"])), spread(row["cpu"]),
             number(figures.ratio(first["cpu"], row["cpu"]))) for path, row in now.items()]  # fmt: skip
    return table(("a sender at full speed", "K frames/s", "against UDP", "CPU, µs a frame", "against UDP, by CPU time"), rows)


def datapath(results):
    now = results["datapath"]["result"]["figures"]
    rows = []
    for path, row in now.items():
        cells = [path_name(path)]
        for head in ("sent", "received"):
            cells += [spread(row[head], 1e-3), number(figures.ratio(row[head], now["bridge"][head]))]
        rows.append(cells)
    return table(("path", "sent, K/s", "ratio", "received, K/s", "ratio"), rows)


def opens(results):
    result = results["open"]["result"]
    rows = [(result["titles"][name], f"{row['n']:,}", *(number(row[f"{key}_ms"]) for key in ("least", "median", "p99", "most")))
            for name, row in result["rows"].items()]  # fmt: skip
    return table(("ms", "number", "least", "median", "99th percentile", "most"), rows)


def daemons(results):
    rows = []
    titles = {"held": "while all leases live", "before": "before the leases one after another", "after": "after them"}
    for moment, now in results["open"]["result"]["daemons"].items():
        cells = [titles[moment], f"{now['leases']:,}"]
        for name in ("rawnetd", "rawnet-helper"):
            cells += [number(now[name]["resident_kib"] / 1024, "MiB"), str(now[name]["fds"])]
        rows.append(cells)
    return table(("", "leases", "rawnetd", "descriptors", "rawnet-helper", "descriptors"), rows)


def flood(benchmark):
    def make(results):
        rows = []
        for shape, row in results[benchmark]["result"]["rows"].items():
            took = row["ms"]
            rest = statistics.median(took["open"]) - statistics.median(took["polkit"]) - statistics.median(took["rawnetd"])
            rows.append((results[benchmark]["result"]["titles"][shape], f"{len(took['open'])}, {sum(row['failed'].values())}",
                         *(spread(took[call]) for call in ("bus", "rawnetd", "polkit", "open")), number(max(0, rest)) if rest >= 0.005 else "0",
                         f"{row['peak_kib'] / 1024:.1f} MiB, {row['descriptors']}"))  # fmt: skip
        return table(("the flood; times in ms", "opens, failed", "the bus alone", "rawnetd alone", "polkit alone", "an open", "the rest of it",
                      "rawnetd: memory, descriptors"), rows)  # fmt: skip

    return make


def forms(*prefixes):
    """Groups of rows, each against its own first row."""

    def make(results):
        rows = []
        for part, found in results["forms"]["result"]["figures"].items():
            if part.startswith(prefixes):
                first = next(iter(found.values()))
                for name, row in found.items():
                    rows.append((part, name, *(number(figures.ratio(row[key], first[key])) for key in ("rate", "cpu")), spread(row["cpu"])))
        return table(("", "form", "frames", "CPU a frame", "µs"), rows)

    return make


def containers(results):
    """Each path's rates, and what rawnet's are of them."""
    found = results["containers"]["result"]
    rows = []
    for path, row in found["figures"].items():
        cells = [found["titles"][path]]
        for direction in ("put", "get"):
            cells += [spread(row[direction], 1e-9), number(figures.ratio(found["figures"]["rawnet"][direction], row[direction]))]
        rows.append(cells)
    return table(("TCP", "sent, Gbit/s", "rawnet to it", "received, Gbit/s", "rawnet to it"), rows)


def counted(length):
    """A row for each path and number of frames a call; for each kernel a column sent and one received."""

    def make(results):
        kernels = results["counted"]["result"]["kernels"]
        head = [figures.counted(results, f"bytes/{length}"), "frames a call"]
        head += [f"Linux {kernel}, {direction}" for kernel in kernels for direction in ("sent", "received")]
        # A form that one kernel refuses has its place by the other.
        by_length = sorted(kernels.values(), key=lambda found: len(found["frames"]), reverse=True)
        paths = dict.fromkeys(path for found in by_length for path in found["frames"])
        rows = []
        for path in paths:
            for batch in ("1", "64"):
                cells = []
                for found in kernels.values():
                    for direction in ("sent", "received"):
                        value = counting.look(found["frames"], path, length, direction, batch)
                        share = counting.ratio(found["frames"], path, length, direction, batch)
                        cells.append(f"{value:,.0f} ({share:.2f})" if value else "–")
                if any(cell != "–" for cell in cells):
                    rows.append((path_name(path), batch, *cells))
        return table(head, rows)

    return make


def counted_before(results):
    """Of each lease, short frames: instructions with the nftables guard, and now."""
    before, now = (results[name]["result"]["kernels"] for name in ("counted-nftables", "counted"))
    head = [figures.counted(results, "bytes/short"), "frames a call"]
    head += [f"Linux {kernel}, {direction}" for kernel in now for direction in ("sent", "received")]
    paths = dict.fromkeys(path for found in before.values() for path in found["frames"] if path.startswith(("lease", "testpmd")))
    rows = []
    for path in paths:
        for batch in ("1", "64"):
            cells = []
            for kernel in now:
                for direction in ("sent", "received"):
                    pair = [counting.look(found[kernel]["frames"], path, "short", direction, batch) for found in (before, now)]
                    cells.append(" → ".join(f"{value:,.0f}" if value else "–" for value in pair) if any(pair) else "–")
            if any(cell != "–" for cell in cells):
                rows.append((path_name(path), batch, *cells))
    return table(head, rows)


def readme(results):
    """At most six rows."""
    now = results["vhost"]["result"]["figures"]
    paths = ("tap + bridge", "tap lease", "rawnet-vhost, strict")
    rows = (
        ("guest sends, thousand frames/s", "send", "rate", 1e-3),
        ("guest receives, thousand frames/s", "receive", "rate", 1e-3),
        ("host's CPU time for a frame sent, µs", "send", "cpu", 1),
        ("host's CPU time for a frame received, µs", "receive", "cpu", 1),
        ("TCP into the guest, Mbit/s", "get", "rate", 1),
        ("TCP out of the guest, Mbit/s", "put", "rate", 1),
    )
    cells = []
    for title, part, figure, factor in rows:
        values = [statistics.median(now[part][path][figure]) * factor for path in paths]
        digits = 1 if max(values) < 20 else 0
        cells.append((title, *(f"{value:.{digits}f}" for value in values)))
    return table(("", "tap + bridge", "rawnet, tap", "rawnet, packet"), cells)


TABLES = {
    "runs": runs,
    "2009": y2009,
    "receive": receive,
    "fast": fast,
    "datapath": datapath,
    "open": opens,
    "daemons": daemons,
    "flood": flood("flood"),
    "flood-broker": flood("flood-broker"),
    "guard": forms("guard"),
    "ways": forms("send", "receive"),
    "knobs": forms("knobs"),
    "containers": containers,
    "counted-short": counted("short"),
    "counted-long": counted("long"),
    "counted-before": counted_before,
    "targets-counted": targets("counted"),
    "targets-guest": targets("vhost/send receive get put resident"),
    "targets-fast": targets("vhost/fast"),
    "targets-call": targets("vhost/call"),
    "targets-datapath": targets("datapath"),
    "targets-open": targets("open"),
    "targets-flood": targets("flood"),
    "targets-flood-broker": targets("flood-broker"),
    "readme": readme,
}
