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

    def set_echo(self):
        modes = termios.tcgetattr(self.fd)
        modes[3] |= termios.ECHO
        termios.tcsetattr(self.fd, termios.TCSANOW, modes)

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


class Picture(Terminal):
    """A terminal that shows a picture: `rows` is what a user sees, `modes` what a program has changed and not set back."""

    MODES = {"?1049": "alternate", "?7": "wrap", "?25": "cursor"}
    USUAL = {"wrap", "cursor"}
    PART = re.compile("\x1b\\[([?>0-9;]*)([@-~])|([\r\n])|([^\x1b\r\n]+)")

    def __init__(self, user, command, columns=80, lines=24, env=None):
        self.columns, self.rows = columns, [""] * lines
        self.row = self.column = 0
        self.cut = False  # did the picture go past an edge? One that was drawn for the size before may.
        self.modes = set(self.USUAL)
        self.tones = False  # were there any?
        self.usual = ""  # what was printed outside of the picture
        super().__init__(user, command, columns, lines, env)

    def resize(self, columns, lines):
        self.columns, self.rows = columns, [row[:columns] for row in (self.rows + [""] * lines)[:lines]]
        super().resize(columns, lines)

    def read_for(self, seconds):
        return self._read(seconds)

    def _read(self, seconds):
        found = super()._read(seconds)
        while part := self.PART.match(self.text):
            self._take(*part.groups())
            self.text = self.text[part.end() :]
        return found

    def _take(self, parameters, final, control, text):
        if parameters in self.MODES and final in "hl":
            (self.modes.add if final == "h" else self.modes.discard)(self.MODES[parameters])
            self.row = self.column = 0
        elif "alternate" not in self.modes:
            self.usual += control or text or ""
        elif text:
            self._put(text)
        elif control == "\r":
            self.column = 0
        elif final == "H":
            self.row, self.column, self.cut = 0, 0, False
        elif control:
            self.row += 1
            self.cut = self.cut or self.row >= len(self.rows)  # it scrolls
        elif final == "K":
            if self.row < len(self.rows):
                self.rows[self.row] = self.rows[self.row][: self.column]
        else:
            assert final == "m", f"an unknown sequence: {parameters}{final}"
            self.tones = True

    def _put(self, text):
        end = self.column + len(text)
        if self.row >= len(self.rows) or end > self.columns:
            self.cut = True
        else:
            line = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = line[: self.column] + text + line[end:]
        self.column = end

    def see(self, what, seconds=20):
        """Until what(rows) is true of a picture that stays within the edges: its value."""
        end = time.monotonic() + tap.patience(seconds)
        while self.cut or not (found := what(self.rows)):
            assert self._read(end - time.monotonic()), ("past an edge" if self.cut else "not shown", self.rows)
        return found


def run(user, command, **options):
    """The whole life of a program on a terminal: (exit status, what was printed)."""
    with Terminal(user, command, **options) as terminal:
        return terminal.finish()
