# SPDX-License-Identifier: GPL-2.0-or-later
"""What the chunks that the program `counted` measures mean. No figure comes from elsewhere."""

import statistics

CHUNK = 64  # frames, as counted.c has it
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
