# SPDX-License-Identifier: GPL-2.0-or-later
"""The clients of docs/dbus.md, built and run by a member with the commands that the page prints."""

import json
import os
import re
import shutil

import documents
import lab
import tap

ADDRESS = "10.77.0.1"  # the neighbour's, on the lab's untagged network
PRINTED = "10.77.100.1"  # the one in the documents


def typed(name, seconds=60, **options):
    """The block of that name in a member's shell, in a copy of docs/examples, with the lab's network behind the documents' name."""
    place = f"{lab.LAB}/tmp/examples"
    shutil.copytree(f"{lab.SOURCE}/docs/examples", place, dirs_exist_ok=True)
    os.chmod(place, 0o777)
    with lab.network("vlan100", VLAN="none"):
        text = documents.block(name).replace(PRINTED, ADDRESS)
        done = lab.run_as("member", ["bash", "-e", "-c", text], cwd=place, timeout=tap.patience(seconds), **options)
    assert done.returncode == 0, done
    lab.wait_no_leases()
    return done.stdout


def has_neighbour(text):
    return ADDRESS in text and re.search("([0-9a-f]{2}:){5}[0-9a-f]{2}", text)


@tap.limit(120)
def test_c():
    assert has_neighbour(typed("client-c"))


@tap.limit(120)
def test_python():
    assert has_neighbour(typed("client-python"))


@tap.limit(300)
def test_go():
    """Go compiles its own library first, into a cache of the test."""
    if not shutil.which("go"):
        tap.skip("no Go compiler on this machine")
    assert has_neighbour(typed("client-go", env={"HOME": f"{lab.LAB}/tmp/examples"}, seconds=240))


@tap.limit(120)
def test_shell():
    assert "my address is 52:54:00:" in typed("client-shell")


def test_busctl():
    assert typed("busctl").strip() == 's "yes"'
    assert not [finding for finding in json.loads(typed("busctl-check"))["data"][0] if finding["severity"]["data"] in ("error", "busy")]


def test_containers():
    """The commands of docs/containers.md."""
    with lab.network("vlan10", VLAN="none"), lab.network("vlan20", VLAN="none", Mode="private"):
        assert re.search(r"^eth0\S* +UP +10\.77\.0\.\d+/24", typed("veth-dhcp"), re.MULTILINE)
        assert "default via 192.168.100.1 dev lan0" in typed("veth-static")
        assert re.findall(r"^\w+", typed("veth-two"), re.MULTILINE) == ["lo", "eth0", "eth1"]


def test_gvisor():
    if not shutil.which("runsc"):
        tap.skip("runsc is not installed")
    assert re.search(r"eth0: .*UP.*\n.*\n *inet 10\.77\.0\.", text := typed("gvisor")), text


def test_what_is_marked_as_tested_is_tested():
    texts = ""
    for folder, _, names in os.walk(f"{lab.SOURCE}/tests"):
        for name in names:
            if name.endswith(".py"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    texts += file.read()
    names = {block.name for block in documents.blocks() if block.name}
    assert not (untested := [name for name in sorted(names) if f'"{name}"' not in texts]), untested


if __name__ == "__main__":
    tap.main()
