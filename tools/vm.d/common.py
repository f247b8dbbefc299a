# SPDX-License-Identifier: GPL-2.0-or-later
"""What the parts of tools/vm share."""

import subprocess


class Trouble(Exception):
    """Something that a person has to know or to mend; the text is the whole message."""


def output_of(argv, what, **options):
    """The standard output of a program, or Trouble with its own words."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, **options)
    except FileNotFoundError:
        raise Trouble(f"{what}: {argv[0]} is not installed") from None
    if done.returncode != 0:
        raise Trouble(f"{what}: {' '.join(argv[:3])} …: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout
