# SPDX-License-Identifier: GPL-2.0-or-later
"""An address that the network does not allow, said at each door: the refusal names the address, MACPrefix= and the file, so that the user can
ask for it. (Where the guest says its address later: tests/netns/test_refused_mac.py.)"""

import bus
import lab
import tap
from test_plug import SOCKET, qemu
from test_rawnetctl import helper_call

FOREIGN = "bc:24:11:00:00:01"
FILE = "/etc/rawnet/networks/lab.conf"
QEMU = ["qemu-system-x86_64", "-nodefaults", "-display", "none"]


def explains(text):
    assert text.count("\n") == 1, text
    for word in (FOREIGN, "network lab", "begins with 52:54:00", f"MACPrefix= in {FILE}", "add bc:24:11 to MACPrefix="):
        assert word in text, (word, text)


def refused(*words, status=125):
    done = lab.run_as("member", ["rawnetctl", *words])
    assert done.returncode == status and done.stdout == "", done
    explains(done.stderr)
    assert not lab.lease_ids()


def test_run():
    refused("run", "--mac", FOREIGN, "lab", "--", "true")
    refused("run", "--kind", "packet", "--mac", FOREIGN.upper(), "lab", "--", "true")


def test_qemu():
    card = "virtio-net-pci,netdev=n0"
    refused("qemu", "--", *QEMU, "-netdev", f"raw,id=n0,network=lab,mac={FOREIGN}", "-device", card)
    refused("qemu", "--", *QEMU, "-netdev", "raw,id=n0,network=lab", "-device", f"{card},mac={FOREIGN}")
    refused("qemu", "--", *QEMU, "-netdev", "raw,id=n0,network=lab,kind=tap", "-device", f"e1000,netdev=n0,mac={FOREIGN.replace(':', '-')}")
    refused("qemu", "--", *QEMU, "-nic", f"raw,network=lab,model=virtio-net-pci,mac={FOREIGN}")


def test_vhost():
    refused("vhost", "--socket", f"{lab.LAB}/home/member/vhost", "--mac", FOREIGN, "lab")


def test_plug():
    with qemu():
        refused("plug", "--qmp", SOCKET, "--mac", FOREIGN, "lab", status=1)


def test_bridge_helper():
    with helper_call("--br=lab", f"--mac={FOREIGN}") as (status, error, _, fds):
        assert status == 1 and not fds, (status, error)
        explains(error)


def test_bus():
    with bus.connect("member") as connection:
        for kind in ("tap", "packet"):
            explains(bus.expect_error(bus.DBUS_ERROR + "InvalidArgs", connection.open, kind, "lab", mac=FOREIGN) + "\n")


if __name__ == "__main__":
    tap.main()
