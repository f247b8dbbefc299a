# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's interface as an administrator uses it: rawnet-host@ makes it, networkd gives it an address, host and guests reach each
other, and it is removed with its network file, whether the daemons run or not."""

import contextlib
import os

import bus
import debian
import lab
import station
import tap
import vlan

NETWORK, INTERFACE, VID = "hosted", "build0", 301
UNIT = f"rawnet-host@{NETWORK}.service"
NETWORKD = "/etc/systemd/network/10-build0.network"


def address():
    found = [entry["local"] for entry in lab.ip("addr", "show", "dev", INTERFACE)[0]["addr_info"] if entry["family"] == "inet"]
    return found[0] if found else None


def there():
    return INTERFACE in lab.links()


@contextlib.contextmanager
def at_boot():
    """The unit enabled and started, and networkd told of the interface."""
    with open(NETWORKD, "w", encoding="ascii") as out:
        out.write(f"[Match]\nName={INTERFACE}\n\n[Network]\nDHCP=ipv4\n")
    debian.run("networkctl", "reload")
    debian.write_network(NETWORK, VID, HostInterface=INTERFACE)
    try:
        debian.run("systemctl", "enable", "--now", UNIT)
        yield
    except AssertionError:
        tap.diag(debian.run("journalctl", "--no-pager", "--boot", "--lines=30", f"--unit={UNIT}", "--unit=rawnetd", "--unit=rawnet-helper"))
        raise
    finally:
        debian.run("systemctl", "disable", "--now", UNIT)
        os.unlink(NETWORKD)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"/etc/rawnet/networks/{NETWORK}.conf")
        debian.run("networkctl", "reload")
        debian.run("systemctl", "stop", "rawnet-host.path")


@tap.limit(300)
def test_ready():
    debian.ready()
    debian.run("systemd-analyze", "verify", "--man=no", UNIT, "rawnet-host.path")


@tap.limit(240)
def test_made_by_its_unit_and_gone_with_its_file():
    with at_boot():
        assert there() and debian.state(UNIT) == "active", debian.state(UNIT)
        lab.wait_for(address, 30, "networkd's address")
        assert address().startswith("10.78.1.") and station.ping("10.78.1.1"), address()
        with bus.connect("member") as member, member.open_tap(f"{NETWORK}") as lease, \
                station.Station(lease, "10.78.1.200/24") as guest:  # fmt: skip
            assert guest.ping(address()) and station.ping("10.78.1.200")
        denied = debian.login("member", f"rawnetctl host down {NETWORK}")
        assert denied.returncode == 1 and "org.rawnet1.host" in denied.stderr, denied
        # It needs no daemon; nor does the interface below it, when the last lease has gone.
        debian.run("systemctl", "stop", "rawnetd.service", "rawnet-helper.service")
        assert there() and vlan.shared(VID) and station.ping("10.78.1.1")
        # While nobody runs who watches the files.
        os.unlink(f"/etc/rawnet/networks/{NETWORK}.conf")
        lab.wait_for(lambda: not there(), 20, "its end, by rawnet-host.path")
        lab.wait_for(lambda: not vlan.shared(VID), 20, "the end of the shared VLAN interface")
    # Whoever stops the unit then has nothing to do, and is told so by no error.
    assert debian.state(UNIT) == "inactive", debian.state(UNIT)


if __name__ == "__main__":
    tap.main()
