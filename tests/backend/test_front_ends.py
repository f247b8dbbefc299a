# SPDX-License-Identifier: GPL-2.0-or-later
"""Stock QEMU with its own network boot ROM on rawnet-vhost: a front end and a driver that nobody here wrote."""

import contextlib
import signal
import subprocess

import frames
import lab
import tap
import vhost

BOOT_SECONDS = 90


def accepts_offer(mac):
    """A DHCPREQUEST (RFC 2131, option 53 = 3) of that guest."""
    source = frames.mac_bytes(mac)

    def check(frame):
        return (frame[6:12] == source and frame[12:14] == b"\x08\x00" and frame[23] == 17
                and b"\x63\x82\x53\x63\x35\x01\x03" in frame)  # fmt: skip

    return check


@contextlib.contextmanager
def booted(back, command):
    """command's guest, once it has accepted an address; ended with SIGTERM."""
    with frames.WirePort() as wire, lab.popen_as("member", command, stderr=subprocess.PIPE) as process:
        try:
            wire.wait(accepts_offer(back.mac), seconds=BOOT_SECONDS)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            tap.diag(process.communicate(timeout=20)[1])


@tap.limit(BOOT_SECONDS + 40)
def test_boot_rom_accepts_an_address():
    with vhost.back_end() as back:
        with booted(back, vhost.qemu(back)):
            pass
        assert back.end() == (0, "rawnet-vhost: the front end has gone\n"), back.end()


if __name__ == "__main__":
    tap.main()
