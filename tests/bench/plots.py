# SPDX-License-Identifier: GPL-2.0-or-later
"""The plots of docs/benchmarks.md: each a function of the results that returns the SVG's text and what it shows in a sentence."""

import statistics

import figures
from paths import path_name
from plot import Bar, Panel, chart

GUESTS = ("tap + bridge", "tap lease", "rawnet-vhost, strict")
SHORT = {"tap + bridge": "tap + bridge", "tap lease": "rawnet, tap", "rawnet-vhost, strict": "rawnet, packet"}
WHISKERS = "Bars: medians of the rounds; whiskers: the middle half of them."


def color(path):
    if path.startswith(("tap lease", "lease tap")):
        return "tap"
    return "packet" if path.startswith(("rawnet-vhost", "lease packet", "testpmd", "sendmmsg")) else "other"


def bar(label, values, path, factor=1.0):
    values = [value * factor for value in values]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return Bar(label, middle, low, high, color(path))


def then_and_now(results):
    then, now = results["2009"]["raw_against_bridge"], results["vhost"]["result"]["figures"]
    panels = []
    for figure, title, past in (("rate", "Frames a second, tap + bridge = 1", then["frames"]),
                                ("switches", "Context switches a frame, tap + bridge = 1", then["switches"])):  # fmt: skip
        bars = [Bar("2009, a guest sends"), Bar("tap + bridge", 1), Bar("raw", past, color="packet")]
        for part, verb in (("send", "sends"), ("receive", "receives")):
            bars.append(Bar(f"now, a guest {verb}"))
            for path in GUESTS:
                bars.append(bar(SHORT[path], figures.ratios(now[part][path][figure], now[part][GUESTS[0]][figure]), path))
        panels.append(Panel(title, bars))
    said = [f"{figures.number(figures.ratio(now['send'][GUESTS[2]][key], now['send'][GUESTS[0]][key]))} times the {what}"
            for key, what in (("rate", "frames of tap + bridge"), ("switches", "context switches"))]  # fmt: skip
    text = (f"Two bar charts. In 2009 the raw back end had {then['frames']} times the frames of tap + bridge and {then['switches']} times "
            f"the context switches. Now a guest that sends through a packet port has {said[0]} and {said[1]}.")  # fmt: skip
    return chart("The comparison of 2009, then and now", text, panels, 2, f"Now: {WHISKERS[0].lower()}{WHISKERS[1:]}"), text


def guest(results):
    now = results["vhost"]["result"]["figures"]
    panels = []
    for part, figure, factor, title in (("send", "rate", 1e-3, "Guest sends, thousand frames a second"), ("receive", "rate", 1e-3, "Guest receives, thousand frames a second"),
                                        ("send", "cpu", 1, "CPU time of the host for a frame sent, µs"), ("receive", "cpu", 1, "CPU time of the host for a frame received, µs")):  # fmt: skip
        panels.append(Panel(title, [bar(SHORT[path], now[part][path][figure], path, factor) for path in GUESTS]))
    text = ("Four bar charts: frames a second that a guest sends and receives, and the host's processor time "
            "for each, on tap + bridge, on a rawnet tap and on a rawnet packet port.")  # fmt: skip
    return chart("A guest's short frames on three paths", text, panels, 2, WHISKERS), text


def fast(results):
    now = results["vhost"]["result"]["figures"]["fast"]
    panels = [Panel("Thousand frames a second", [bar(path_name(path), row["rate"], path, 1e-3) for path, row in now.items()]),
              Panel("CPU time a frame, µs", [bar(path_name(path), row["cpu"], path) for path, row in now.items()])]  # fmt: skip
    text = "Two bar charts of the table below: thousand frames a second and processor time a frame of each sender."
    return chart("A sender at full speed", text, panels, 1, WHISKERS), text


def datapath(results):
    now = results["datapath"]["result"]["figures"]
    panels = [Panel(f"Frames {head}, tap + bridge = 1",
                    [bar(path_name(path), figures.ratios(row[head], now["bridge"][head]), path) for path, row in now.items()])
              for head in ("sent", "received")]  # fmt: skip
    text = "Two bar charts of the ratios in the table below: frames sent and frames received on each path against tap + bridge."
    return chart("One frame a system call", text, panels, 1, WHISKERS), text


def opens(results):
    result = results["open"]["result"]
    rows = ("sequential", "first", "asking", "polkit alone", "helper alone", "fork alone", "first tenth", "last tenth")
    bars = [Bar(result["titles"][name], result["rows"][name]["median_ms"], result["rows"][name]["low_ms"], result["rows"][name]["high_ms"],
                "other" if name in ("asking", "polkit alone", "fork alone") else "packet") for name in rows]  # fmt: skip
    target = next(one["limit"] for one in result["goals"] if one["name"] == "open")
    text = "A bar chart of the table below: how long an open takes, and how long its parts take by themselves."
    panel = Panel("ms", bars, target, f"target of an open: {target:g} ms")
    return chart("Opening a port", text, [panel], 1, "Bars: medians; whiskers: the middle half of the opens."), text


CALLS = {"bus": ("the bus alone", "other"), "rawnetd": ("rawnetd alone", "tap"), "polkit": ("polkit alone", "polkit"), "open": ("an open", "packet")}


def flood(benchmark):
    def draw(results):
        result = results[benchmark]["result"]
        bars = []
        for shape, row in result["rows"].items():
            bars.append(Bar(result["titles"][shape]))
            for call, (label, kind) in CALLS.items():
                took = row["ms"][call]
                if took:
                    bars.append(Bar(label, statistics.median(took), min(took), max(took), kind))
        text = (f"A bar chart of the table below, on {result['bus']}: how long a call to the bus, to rawnetd and to polkit and an open take while "
                "another user floods.")  # fmt: skip
        panel = Panel("ms", bars, result["limit_ms"], f"target of an open: {result['limit_ms']:.0f} ms")
        return chart(f"An open while another user floods, {result['bus']}", text, [panel], 1, "Bars: medians; whiskers: the fastest and the slowest."), text

    return draw


PLOTS = {
    "2009": then_and_now,
    "guest": guest,
    "fast": fast,
    "datapath": datapath,
    "open": opens,
    "flood": flood("flood"),
    "flood-broker": flood("flood-broker"),
}
