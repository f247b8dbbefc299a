# SPDX-License-Identifier: GPL-2.0-or-later
"""Users and groups of the lab, written into the lab's own /etc."""

import os

from mounts import LAB, directory, write

# name: (uid and gid, supplementary groups, a person?)
USERS = {
    "member": (6001, ["rawnet"], True),
    "member2": (6002, ["rawnet"], True),
    "outsider": (6003, [], True),
    "_rawnet": (6011, [], False),
    "_rawnet-helper": (6012, [], False),
}
GROUPS = {"rawnet": 6010}
VHOST_NET, VHOST_GROUP = "/dev/vhost-net", ("kvm", 6013)  # root:kvm 0660, as udev has it; udev's package makes the group


def _lines_without(path, names):
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().splitlines() if line.split(":")[0] not in names]


def _home(name):
    return f"{LAB}/home/{name}"


def _give_vhost_net(group):
    """Adds the device's group to the lines of /etc/group where the machine has none, and gives the device to it."""
    name, number = VHOST_GROUP
    for line in group:
        if line.split(":")[0] == name:
            number = int(line.split(":")[2])
            break
    else:
        group.append(f"{name}:x:{number}:")
    if os.path.exists(VHOST_NET):
        os.chown(VHOST_NET, 0, number)


def setup():
    names = set(USERS) | set(GROUPS)
    passwd = _lines_without("/etc/passwd", names)
    shadow = _lines_without("/etc/shadow", names)
    group = _lines_without("/etc/group", names)
    for name, (number, _, person) in USERS.items():
        home, shell = (_home(name), "/bin/bash") if person else ("/nonexistent", "/usr/sbin/nologin")
        passwd.append(f"{name}:x:{number}:{number}:{name} of the lab:{home}:{shell}")
        shadow.append(f"{name}:!:19000:0:99999:7:::")
        group.append(f"{name}:x:{number}:")
    for name, number in GROUPS.items():
        members = [user for user, (_, groups, _) in USERS.items() if name in groups]
        group.append(f"{name}:x:{number}:{','.join(members)}")
    _give_vhost_net(group)
    write("/etc/passwd", "\n".join(passwd) + "\n")
    write("/etc/shadow", "\n".join(shadow) + "\n", 0o640)
    write("/etc/group", "\n".join(group) + "\n")
    # The lab's accounts stand in its files alone: what else the machine asks for names (systemd's user database, LDAP) is not there.
    write("/etc/nsswitch.conf", "".join(f"{kind}: files\n" for kind in ("passwd", "group", "shadow", "gshadow", "hosts", "protocols")))
    for name, (number, _, person) in USERS.items():
        if person:
            directory(_home(name), 0o755, number, number)
            directory(f"/run/user/{number}", 0o700, number, number)
    directory(_home("root"), 0o700)
    # As StateDirectory= of rawnetd.service makes it.
    directory("/var/lib/rawnet", 0o700, USERS["_rawnet"][0], USERS["_rawnet"][0])
    if not os.path.exists("/etc/machine-id") or os.path.getsize("/etc/machine-id") != 33:
        write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0o444)
