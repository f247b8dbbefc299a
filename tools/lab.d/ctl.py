# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/lab ctl and info, inside a lab: asks PID 1."""

import json
import socket
import sys

LAB = "/run/lab"


def request(**words):
    """One request to the lab's PID 1; its reply as a dict. RuntimeError with its reason where it refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.connect(f"{LAB}/control")
        sock.send(json.dumps(words).encode())
        reply = json.loads(sock.recv(65536))
    if "error" in reply:
        raise RuntimeError(reply["error"])
    return reply


def main(words):
    if words[0] == "info":
        with open(f"{LAB}/info", encoding="utf-8") as file:
            sys.stdout.write(file.read())
        return 0
    if len(words) < 2 or (words[1] != "status" and len(words) < 3):
        print("lab: tools/lab ctl status | stop|start|restart|wait NAME | arguments NAME [ARG…]", file=sys.stderr)
        return 2
    operation, name = words[1], words[2] if len(words) > 2 else None
    try:
        if operation == "status":
            for daemon, state in request(operation="status").items():
                running = f"pid {state['pid']}" if state["pid"] else f"not running (last status {state['status']})"
                print(f"{daemon:14} {running}{' ready' if state['ready'] else ''}")
        elif operation == "arguments":
            request(operation=operation, name=name, arguments=words[3:])
        elif operation == "restart":
            request(operation="stop", name=name)
            request(operation="start", name=name)
        else:
            request(operation=operation, name=name)
    except OSError as error:
        print(f"lab: {error}. Is this inside a lab, as root?", file=sys.stderr)
        return 1
    except RuntimeError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
