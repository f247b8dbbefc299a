# SPDX-License-Identifier: GPL-2.0-or-later
"""A program of a user on a terminal of its own: what it prints there, and keys for it."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import termios
import time

import lab
import tap
import waiting


class Terminal:
    """command as user on a terminal of `columns` by `lines`. As a context manager: hangs up at the end."""

    def __init__(self, user, command, columns=80, lines=24, env=None):
        account = lab.pwd.getpwnam(user)
        self.text, self.status = "", None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            self._resize(0, columns, lines)
            home = f"{lab.LAB}/home/{user}"
            environment = {**os.environ, "TERM": "xterm-256color", "USER": user, "HOME": home if os.path.isdir(home) else "/", **(env or {})}
            os.execvpe("setpriv", ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups", "--", *command], environment)

    @staticmethod
    def _resize(fd, columns, lines):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns, lines):
        """The program gets SIGWINCH."""
        self._resize(self.fd, columns, lines)

    def _read(self, seconds):
        """Waits for output and appends it to text. False: the other side is closed, or the time is over."""
        try:
            data = os.read(self.fd, 65536) if waiting.readable([self.fd], seconds) else b""
        except OSError:  # EIO: nobody has the other side any more
            data = b""
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def wait(self, pattern, seconds=20):
        """Until a regular expression is found in what was printed since the last wait(): the match. Drops text up to its end."""
        end = time.monotonic() + tap.patience(seconds)
        while not (found := re.search(pattern, self.text)):
            assert self._read(end - time.monotonic()), f"{pattern!r} was not printed: {self.text!r}"
        self.text = self.text[found.end() :]
        return found

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def echoes(self):
        """Does the terminal show what is typed? A full-screen program switches that off."""
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def finish(self, seconds=30):
        """Reads to the end: (exit status, what was printed)."""
        end = time.monotonic() + tap.patience(seconds)
        while self._read(end - time.monotonic()):
            pass
        lab.wait_for(self._ended, max(1, end - time.monotonic()), "the program's end")
        return self.status, self.text

    def _ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        with contextlib.suppress(ProcessLookupError):
            if not self._ended():
                os.kill(self.pid, 9)
                self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def run(user, command, **options):
    """The whole life of a program on a terminal: (exit status, what was printed)."""
    with Terminal(user, command, **options) as terminal:
        return terminal.finish()
