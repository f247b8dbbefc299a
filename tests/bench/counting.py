# SPDX-License-Identifier: GPL-2.0-or-later
"""What the chunks that the program `counted` measures mean. No figure comes from elsewhere."""

import statistics

import goals
from paths import path_name

CHUNK = 64  # frames, as counted.c has it
LENGTHS = {"short": 60, "long": 1514}  # bytes of a frame
FIRST = "bridge"  # what a ratio is to
IDLE = ""  # the name of sending into an interface that drops what is sent


def a_frame(chunks, idle=()):
    """The instructions of one frame: of the middle chunk, less those of the middle chunk of idle. A chunk into which a clock tick or
    another program falls is larger than the others, which the median leaves out."""
    return (statistics.median(chunks) - (statistics.median(idle) if idle else 0)) / CHUNK


def frames(found):
    """{path: {length: {direction: {batch: instructions of a frame}}}} of what the program printed."""
    return {
        path: {length: {direction: {batch: a_frame(chunks, found[IDLE][length]["sent"]["64"] if direction == "received" else ())
                                    for batch, chunks in batches.items()}
                        for direction, batches in directions.items()}
               for length, directions in lengths.items()}
        for path, lengths in found.items() if path != IDLE
    }  # fmt: skip


def look(figures, path, length, direction, batch):
    """A figure, None where it was not measured. The batch of a path that takes one frame a call is always one."""
    return figures.get(path, {}).get(length, {}).get(direction, {}).get(batch)


def ratio(figures, path, length, direction, batch):
    """Frames for the same instructions, tap+bridge = 1: above 1 is cheaper. None where either was not measured."""
    of, first = look(figures, path, length, direction, batch), look(figures, FIRST, length, direction, "1")
    return first / of if of and first else None


# -- what was asked of the guard

BESIDE = "bridge, beside rules"
# (kernel, path, against, direction, at least); short frames, one a call
GOALS = (
    ("6.12", "lease tap strict", BESIDE, "sent", 1.2),
    ("6.12", "lease packet strict", BESIDE, "sent", 1.1),
    ("6.1", "lease tap strict", BESIDE, "sent", 1.0),
    ("6.1", "lease packet strict", BESIDE, "sent", 0.9),
    *((kernel, path, FIRST, "received", 1.0) for kernel in ("6.12", "6.1") for path in ("lease tap strict", "lease packet strict")),
)


def goals_of(kernels):
    """Of what was measured: {kernel: {"frames": figures}}."""
    found = []
    for kernel, path, against, direction, limit in GOALS:
        figures = kernels.get(kernel, {}).get("frames", {})
        of, to = (look(figures, name, "short", direction, "1") for name in (path, against))
        if of and to:
            what = f"Linux {kernel}, {path_name(path)} against {path_name(against)}, a frame {direction}"
            found.append(goals.goal(f"{kernel} {path} {direction}", what, to / of, goals.AT_LEAST, limit))
    return found


# -- what the ratios must be: tests/counted/ratios

MARGIN = 0.03
WORDS = 5


class Wrong(Exception):
    """A table that cannot be read; the text says where and why."""


def read_table(text, kernels, forms):
    """[((kernel, form, direction, batch), ratio)] of a table's lines "KERNEL FORM sent|received 1|64 RATIO"."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != WORDS:
            raise Wrong(f"line {number}: {WORDS} words are needed: {line}")
        kernel, form, direction, batch, ratio_text = words
        if kernel not in kernels or form not in forms or direction not in ("sent", "received") or batch not in ("1", "64"):
            raise Wrong(f"line {number}: unknown kernel, form, direction or number of frames a call: {line}")
        try:
            rows.append(((kernel, form, direction, batch), float(ratio_text)))
        except ValueError:
            raise Wrong(f"line {number}: {ratio_text} is no ratio") from None
    if not rows:
        raise Wrong("no row")
    return rows


def verdict(measured, expected):
    """Of a ratio: "dearer", "cheaper" or "as expected". A figure that is missing is dearer than any."""
    if measured is None or measured < expected * (1 - MARGIN):
        return "dearer"
    return "cheaper" if measured > expected * (1 + MARGIN) else "as expected"


def updated(text, measured):
    """The table with the ratios of measured, {(kernel, form, direction, batch): ratio}; comments and other rows stay."""
    lines = []
    for line in text.splitlines():
        *key, last = line.partition("#")[0].split() or [""]
        value = measured.get(tuple(key))
        # The last word of the row, and no other that looks like it.
        lines.append(line if value is None else f"{line[:line.rindex(last)]}{value:.3f}{line[line.rindex(last) + len(last):]}")
    return "\n".join(lines) + "\n"
