# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for descriptors, however high their numbers are: select() ends at 1,023."""

import select


def readable(files, seconds=None):
    """Those of files (descriptors, or objects with fileno()) that can be read or have ended.

    [] when seconds have passed; None: no time limit."""
    poll = select.poll()
    for file in files:
        poll.register(file, select.POLLIN)
    ready = {fd for fd, _ in poll.poll(None if seconds is None else max(0, seconds) * 1000)}
    return [file for file in files if (file if isinstance(file, int) else file.fileno()) in ready]
