# SPDX-License-Identifier: GPL-2.0-or-later
"""Host interfaces and a rawnetd that an attacker controls: the helper makes and removes only those that a network file asks for."""

import sys

import ipc
import lab
import station
import tap
import unfit
from host_interface import INTERFACE, gone, current, network, rawnetctl


def host_request(operation, name=b"hosted", parent=b"wire0", interface=INTERFACE.encode(), mac=b"\x52\x54\0\1\2\3", vlan=0, protocol=ipc.Q,
                 file_digest=None):  # fmt: skip
    body = b"".join((name.ljust(33, b"\0"), b"\0", parent.ljust(16, b"\0"), interface.ljust(16, b"\0"), mac,
                     vlan.to_bytes(2, sys.byteorder), protocol.to_bytes(2, sys.byteorder),
                     ipc.digest_of(name) if file_digest is None else file_digest))  # fmt: skip
    return ipc.request(operation, body=body.ljust(ipc.OPEN_PART.size, b"\0"))


def test_interfaces_of_the_files_and_no_others():
    up, down, sweep = ipc.HOST_UP, ipc.HOST_DOWN, ipc.HOST_SWEEP
    station.command("ip", "link", "add", "name", "office0", "type", "veth", "peer", "name", "office1")
    try:
        with lab.network("hosted", HostInterface=INTERFACE), ipc.Helper() as helper:
            for forged, error in (({"interface": b"hostif9"}, "AccessDenied"), ({"parent": b"office0"}, "AccessDenied"),
                                  ({"vlan": 5}, "AccessDenied"), ({"name": b"lab"}, "NotSupported"),
                                  ({"vlan": 5, "protocol": ipc.AD}, "AccessDenied"), ({"file_digest": bytes(32)}, "AccessDenied"),
                                  ({"name": b"nowhere"}, "NoSuchNetwork"), ({"mac": b"\2\0\0\0\0\1"}, "InvalidArgs")):  # fmt: skip
                reply = helper.call(host_request(up, **forged))
                assert reply.type == ipc.REFUSED and reply.error == error, (forged, reply)
            assert not current() and not current("hostif9")
            assert helper.call(host_request(up)).type == ipc.DONE and current()
            assert helper.call(ipc.request(sweep)).type == ipc.DONE
            for other in (b"lab", b"office0", b"hostif0"):
                reply = helper.call(host_request(down, name=other, parent=b"", interface=b"", mac=bytes(6), protocol=0,
                                                 file_digest=bytes(32)))  # fmt: skip
                assert reply.type == ipc.DONE, reply
            assert current() and current("office0")
        for bad in ({"name": b"../x"}, {"name": b"lab.1"}, {"interface": b""}, {"interface": b"a/b"}, {"mac": b"\1\0\0\0\0\1"},
                    {"mac": bytes(6)}, {"vlan": 4095}, {"protocol": ipc.AD}, {"protocol": 0}):  # fmt: skip
            with ipc.Helper() as helper:
                assert helper.call(host_request(up, **bad)) is None, bad
        with ipc.Helper() as helper:
            assert helper.call(ipc.request(sweep)).type == ipc.DONE
            lab.wait_for(lambda: not current(), 10, "the sweep")
            assert current("office0")
    finally:
        station.command("ip", "link", "del", "office0")


def sweep():
    with ipc.Helper() as helper:
        assert helper.call(ipc.request(ipc.HOST_SWEEP)).type == ipc.DONE


def test_a_refusal_of_the_kernel_is_not_a_no():
    """The helper cannot find out whether a host interface is on its parent, so it keeps it. The end of another one, which no file asks
    for, shows that the helper did sweep."""
    with network() as name:
        rawnetctl("host", "up", name)
        before = current()
        with lab.network("control", HostInterface="hostif1"):
            rawnetctl("host", "up", "control")
            lab.stop("rawnet-helper")
        with unfit.kernel_without("parent"):
            assert "Invalid argument" in rawnetctl("host", "up", name, status=1), "wire0 cannot be looked at"
            sweep()
            gone("hostif1")
            assert current() == before, current()


if __name__ == "__main__":
    tap.main()
