# SPDX-License-Identifier: GPL-2.0-or-later
"""rawnetctl's completions in the real bash, zsh and fish, with the lab's networks and a lease."""

import contextlib
import os
import tempfile

import bus
import lab
import tap
import terminal

SHARE = "/usr/share"
KEY = "\x18\x10"  # shows the line as it is by now


class Shell(terminal.Terminal):
    """An interactive shell of member's, without its configuration."""

    def line(self, typed):
        """What a tab makes of it."""
        self.type(typed + "\t" + KEY)
        found = self.wait(r"<<(.*)>>")[1]
        # The shell gave the terminal its usual modes for a moment, in which keys mean other things.
        self.wait("READY ")
        lab.wait_for(lambda: not self.echoes(), 10, "the shell's own modes")
        self.type("\x15")  # kills the line
        return found


class Bash(Shell):
    def __init__(self):
        super().__init__("member", ["bash", "--norc", "--noprofile", "-i"], columns=200, env={"PS1": "READY ", "INPUTRC": "/dev/null"})
        self.wait("READY ")
        self.type(f". {SHARE}/bash-completion/completions/rawnetctl\n")
        self.type('bind -x \'"\\C-x\\C-p": printf "<<%s>>\\n" "$READLINE_LINE"\'; echo BOU""ND\n')
        self.wait("BOUND")


class Zsh(Shell):
    def __init__(self):
        super().__init__("member", ["zsh", "-f", "-i"], columns=200, env={"PS1": "READY ", "LC_ALL": "C.UTF-8"})
        self.wait("READY ")
        self.type(f"fpath=({SHARE}/zsh/vendor-completions $fpath); autoload -Uz compinit; compinit -u -D\n")
        self.type('show() { zle -I; print -r -- "<<$BUFFER>>" }; zle -N show; bindkey "^X^P" show; echo BOU""ND\n')
        self.wait("BOUND")


class Fish:
    """fish completes a line that is given to it."""

    def line(self, typed):
        script = f"source {SHARE}/fish/vendor_completions.d/rawnetctl.fish; complete -C \"$argv\""
        done = lab.run_as("member", ["fish", "--no-config", "-c", script, typed], check=True)
        assert not done.stderr, done
        words = {line.split("\t")[0] for line in done.stdout.splitlines()}
        assert len(words) == 1, (typed, words)
        return typed[: typed.rindex(" ") + 1] + words.pop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def completes(shell):
    with contextlib.ExitStack() as stack:
        member = stack.enter_context(bus.connect("member"))
        lease = stack.enter_context(member.open_tap("lab", name="web"))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.chmod(folder, 0o755)
        with open(f"{folder}/only-file", "w", encoding="ascii"):
            pass
        cases = {
            "sta": "stat",
            "help unp": "help unplug",
            "list --no": "list --no-legend",
            "top --sort dr": "top --sort dropped",
            "top --inter": "top --interval",
            "check lab-p": "check lab-private",
            "host u": "host up",
            "run --kind pa": "run --kind packet",
            "run --kind=pa": "run --kind=packet",
            "run --port a=lab-p": "run --port a=lab-private",
            "run lab-v": "run lab-vepa",
            "run lab -- rawnetc": "run lab -- rawnetctl",
            "qemu -- rawnetc": "qemu -- rawnetctl",
            "stat rn": f"stat rn{lease.id:x}",
            "close we": "close web",
            "vhost --allow-user outsid": "vhost --allow-user outsider",
            f"plug --qmp {folder}/only": f"plug --qmp {folder}/only-file",
            "plug --qmp /x --mac l": "plug --qmp /x --mac learn",
        }
        running = stack.enter_context(shell())
        for typed, line in cases.items():
            found = running.line("rawnetctl " + typed)
            assert found.rstrip() == "rawnetctl " + line, (typed, found)
        for typed in ("stat nothing", "list x", "run --name ", "nothing "):
            if shell is not Fish:
                found = running.line("rawnetctl " + typed)
                assert found.rstrip() == ("rawnetctl " + typed).rstrip(), (typed, found)


def test_bash():
    completes(Bash)


def test_zsh():
    completes(Zsh)


def test_fish():
    completes(Fish)


def test_without_rawnetd():
    """Commands and options are offered, names are not, and nobody waits."""
    words = ["rawnetctl", "--complete"]
    env = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/no-such-bus"}
    assert lab.run_as("member", [*words, "stat", "--"], env=env, check=True).stdout.startswith("--all\t")
    done = lab.run_as("member", [*words, "check", ""], env=env)
    assert done.returncode == 0 and done.stdout == done.stderr == "", done
    lab.kill_service()
    lab.stop("rawnet-helper")
    try:
        start = lab.time.monotonic()
        lab.run_as("member", [*words, "check", ""])
        assert lab.time.monotonic() - start < tap.patience(15)
    finally:
        lab.start("rawnet-helper")


if __name__ == "__main__":
    tap.main()
