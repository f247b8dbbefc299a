# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes of the lab, as /proc shows them."""

import contextlib
import os


def _matching(name, matches):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        # A process may end meanwhile.
        with contextlib.suppress(OSError), open(f"/proc/{pid}/{name}", "rb") as file:
            if matches(file.read()):
                found.append(int(pid))
    return found


def named(name):
    """Process ids of that name, as ps(1) shows it in CMD."""
    return _matching("comm", lambda text: text.rstrip(b"\n") == name.encode())


def with_word(word):
    """Process ids that have word in their command line."""
    return _matching("cmdline", lambda text: word.encode() in text)


def descendants(pid):
    """Process ids of its children and of theirs. FileNotFoundError where one ends meanwhile."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        found = [int(word) for word in file.read().split()]
    return found + [below for child in found for below in descendants(child)]


def learners():
    """Process ids of the helper's learning children."""
    return named("rawnet-learn")
