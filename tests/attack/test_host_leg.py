# SPDX-License-Identifier: GPL-2.0-or-later
"""Host legs and a rawnetd that is in somebody else's hands: it makes and removes those that a network file asks for, no more."""

import sys

import ipc
import lab
import station
import tap
import unfit
from legs import LEG, gone, leg, network, rawnetctl


def host_request(operation, name=b"legged", parent=b"wire0", interface=LEG.encode(), mac=b"\x52\x54\0\1\2\3", vlan=0, protocol=ipc.Q,
                 file_digest=None):  # fmt: skip
    body = b"".join((name.ljust(33, b"\0"), b"\0", parent.ljust(16, b"\0"), interface.ljust(16, b"\0"), mac,
                     vlan.to_bytes(2, sys.byteorder), protocol.to_bytes(2, sys.byteorder),
                     ipc.digest_of(name) if file_digest is None else file_digest))  # fmt: skip
    return ipc.request(operation, body=body.ljust(ipc.OPEN_PART.size, b"\0"))


def test_legs_of_the_files_and_no_others():
    up, down, sweep = ipc.HOST_UP, ipc.HOST_DOWN, ipc.HOST_SWEEP
    station.command("ip", "link", "add", "name", "office0", "type", "veth", "peer", "name", "office1")
    try:
        with lab.network("legged", HostInterface=LEG), ipc.Helper() as helper:
            for forged, error in (({"interface": b"leg9"}, "AccessDenied"), ({"parent": b"office0"}, "AccessDenied"),
                                  ({"vlan": 5}, "AccessDenied"), ({"name": b"lab"}, "NotSupported"),
                                  ({"vlan": 5, "protocol": ipc.AD}, "AccessDenied"), ({"file_digest": bytes(32)}, "AccessDenied"),
                                  ({"name": b"nowhere"}, "NoSuchNetwork"), ({"mac": b"\2\0\0\0\0\1"}, "InvalidArgs")):  # fmt: skip
                reply = helper.call(host_request(up, **forged))
                assert reply.type == ipc.REFUSED and reply.error == error, (forged, reply)
            assert not leg() and not leg("leg9")
            assert helper.call(host_request(up)).type == ipc.DONE and leg()
            assert helper.call(ipc.request(sweep)).type == ipc.DONE
            for other in (b"lab", b"office0", b"leg0"):
                reply = helper.call(host_request(down, name=other, parent=b"", interface=b"", mac=bytes(6), protocol=0,
                                                 file_digest=bytes(32)))  # fmt: skip
                assert reply.type == ipc.DONE, reply
            assert leg() and leg("office0")
        for bad in ({"name": b"../x"}, {"name": b"lab.1"}, {"interface": b""}, {"interface": b"a/b"}, {"mac": b"\1\0\0\0\0\1"},
                    {"mac": bytes(6)}, {"vlan": 4095}, {"protocol": ipc.AD}, {"protocol": 0}):  # fmt: skip
            with ipc.Helper() as helper:
                assert helper.call(host_request(up, **bad)) is None, bad
        with ipc.Helper() as helper:
            assert helper.call(ipc.request(sweep)).type == ipc.DONE
            lab.wait_for(lambda: not leg(), 10, "the sweep")
            assert leg("office0")
    finally:
        station.command("ip", "link", "del", "office0")


def sweep():
    with ipc.Helper() as helper:
        assert helper.call(ipc.request(ipc.HOST_SWEEP)).type == ipc.DONE


def test_a_refusal_of_the_kernel_is_not_a_no():
    """The helper cannot find out whether a leg is in its place. Another leg's end, which no file asks for, shows that it did sweep."""
    with network() as name:
        rawnetctl("host", "up", name)
        before = leg()
        with lab.network("control", HostInterface="leg1"):
            rawnetctl("host", "up", "control")
            lab.stop("rawnet-helper")
        with unfit.kernel_without("parent"):
            assert "Invalid argument" in rawnetctl("host", "up", name, status=1), "wire0 cannot be looked at"
            sweep()
            gone("leg1")
            assert leg() == before, leg()


if __name__ == "__main__":
    tap.main()
