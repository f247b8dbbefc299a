# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's outer half: starts PID 1 of the lab's pid namespace, passes signals in and the exit status out.

Everything of the lab lives in namespaces that end with that PID 1, and PID 1 dies with this process, however
this process dies. So there is nothing to clean up here, and nothing may be made outside those namespaces.
"""

import os
import signal
import sys

import kernel

FORWARDED = {
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
}  # fmt: skip
OWN_FAILURE = 125  # as env(1)


def fail(text, status=OWN_FAILURE):
    print(f"lab: {text}", file=sys.stderr)
    sys.exit(status)


def parse(words):
    """{'user', 'helper_arguments', 'rawnetd_arguments', 'question_log', 'every_vlan', 'bus', 'bus_configuration', 'verb', 'command'} from the words after the verb."""
    verb, words = words[0], words[1:]
    options = {"user": None, "helper_arguments": [], "rawnetd_arguments": [], "question_log": True, "every_vlan": False,
               "bus": "daemon", "bus_configuration": []}  # fmt: skip
    while words and words[0].startswith("--"):
        word = words.pop(0)
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name == "--no-question-log" and not equals:
            options["question_log"] = False
            continue
        if name == "--every-vlan" and not equals:
            options["every_vlan"] = True
            continue
        if name not in ("--user", "--helper-arg", "--rawnetd-arg", "--bus", "--bus-config"):
            fail(f"unknown option {name}, see tools/lab --help", 2)
        if not equals:
            if not words:
                fail(f"{name} needs a value", 2)
            value = words.pop(0)
        if name == "--user":
            options["user"] = value
        elif name == "--bus":
            if value not in ("daemon", "broker"):
                fail(f"--bus is daemon or broker, not {value}", 2)
            options["bus"] = value
        elif name == "--bus-config":
            options["bus_configuration"].append(os.path.abspath(value))
        elif name == "--rawnetd-arg":
            options["rawnetd_arguments"].append(value)
        else:
            options["helper_arguments"].append(value)
    if verb == "info":
        words = ["cat", "/run/lab/info"]
    elif verb == "shell":
        words = ["bash", "--norc", "-i"]
    if not words:
        fail("which command? tools/lab exec [--user USER] -- CMD…", 2)
    options["command"] = words
    options["verb"] = verb
    return options


def start_pid_one(source_dir, stage, options):
    """Forks PID 1 of a new pid namespace; returns its pid as seen from here."""
    alive_read, alive_write = os.pipe2(os.O_CLOEXEC)
    kernel.unshare(kernel.CLONE_NEWPID)
    pid = os.fork()
    if pid:
        os.close(alive_read)
        return pid
    os.close(alive_write)
    kernel.die_with_parent()
    # The parent may have died before that call: then nobody holds the pipe's other end.
    os.set_blocking(alive_read, False)
    try:
        if os.read(alive_read, 1) == b"":
            os._exit(OWN_FAILURE)
    except BlockingIOError:
        pass
    import init

    init.main(source_dir, stage, options)
    os._exit(OWN_FAILURE)


def main():
    source_dir, stage, *words = sys.argv[1:]
    options = parse(words)
    sys.stdout.flush()
    # Blocked before the fork, so that no signal is lost while the lab starts.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | {signal.SIGCHLD})
    try:
        child = start_pid_one(source_dir, stage, options)
    except OSError as error:
        fail(f"no pid namespace: {error.strerror}")
    while True:
        info = signal.sigwaitinfo(FORWARDED | {signal.SIGCHLD})
        if info.si_signo == signal.SIGCHLD:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
        elif info.si_code <= 0:
            # A terminal's Ctrl-C (si_code > 0) has reached the command already.
            os.kill(child, info.si_signo)


main()
