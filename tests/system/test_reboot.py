# SPDX-License-Identifier: GPL-2.0-or-later
"""After a reboot: the machine comes up with the package installed, and the first caller gets a port."""

import os

import bus
import debian
import lab
import tap
import vlan

MODULES = ("8021q", "macvlan", "tun", "nf_tables", "veth")  # not a line of the daemons' sandbox keeps the kernel from that


def test_second_boot():
    assert os.environ["SYSTEM_BOOT"] == "2"
    debian.ready()


def test_nothing_runs_but_the_socket():
    assert {unit: debian.state(unit) for unit in debian.UNITS} == {
        "rawnet-helper.socket": "active", "rawnet-helper.service": "inactive", "rawnetd.service": "inactive"}  # fmt: skip
    assert not lab.lease_ids() and not vlan.shared(100)
    failed = debian.run("systemctl", "list-units", "--failed", "--no-legend", "--plain")
    assert "rawnet" not in failed, failed


def test_first_open_has_the_kernel_load_what_it_needs():
    there = [module for module in MODULES if debian.loaded(module)]
    assert not there, f"loaded by somebody else: {there}"
    with bus.connect("member") as member, member.open_tap("vlan100", vhost=True):
        missing = [module for module in (*MODULES, "vhost_net") if not debian.loaded(module)]
        assert not missing, missing
        with member.open_packet("vlan100"):
            assert set(member.networks()) >= {"vlan100"}


if __name__ == "__main__":
    tap.main()
