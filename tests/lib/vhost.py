# SPDX-License-Identifier: GPL-2.0-or-later
"""A back end of an ordinary user on a packet lease, and stock front ends for it."""

import contextlib
import os
import signal
import subprocess
import tempfile

import bus
import lab
import tap

QEMU = ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none",
        "-object", "memory-backend-memfd,id=m0,size=256M,share=on", "-machine", "memory-backend=m0"]  # fmt: skip


def program():
    path = f"{lab.build_dir}/stage/usr/bin/rawnet-vhost"
    return path if os.path.exists(path) else "rawnet-vhost"


class BackEnd:
    """rawnet-vhost as member, and its socket."""

    def __init__(self, lease, directory, *options, connects=False, preexec=None):
        self.preexec = preexec
        self.socket = f"{directory}/vhost.sock"
        self.connects = connects  # the front end listens
        self.fds = [os.dup(fd) for fd in lease.fds]
        self.command = [program(), "--fd=" + ",".join(map(str, self.fds)), f"--{'connect' if connects else 'socket'}={self.socket}",
                        f"--mac={lease.info['mac']}", *options]  # fmt: skip
        self.process = None

    def start(self):
        self.process = lab.popen_as("member", self.command, pass_fds=self.fds, stderr=subprocess.PIPE,
                                    preexec_fn=self.preexec)  # fmt: skip
        if not self.connects:
            lab.wait_for(self._listens, 10, "the back end's socket")
        return self.process

    def _listens(self):
        assert self.process.poll() is None, self.process.communicate()
        with open("/proc/net/unix", encoding="ascii") as file:
            return any(line.rstrip().endswith(self.socket) and line.split()[3] == "00010000" for line in file)

    def end(self, number=signal.SIGTERM):
        """(exit status, what it said)"""
        if self.process.poll() is None:
            self.process.send_signal(number)
        said = self.process.communicate(timeout=tap.patience(20))[1]
        return self.process.returncode, said

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process and self.process.stderr and not self.process.stderr.closed:
            tap.diag(self.process.communicate()[1])
        for fd in self.fds:
            os.close(fd)


@contextlib.contextmanager
def back_end(network="lab", *options, connects=False, preexec=None, acl=None, **lease_options):
    """A started back end with a lease of its own. preexec: called in its process first; acl: the default ACL where its socket is."""
    with tempfile.TemporaryDirectory(dir=f"{lab.LAB}/tmp") as directory:
        os.chmod(directory, 0o777)
        if acl:
            os.setxattr(directory, "system.posix_acl_default", acl)
        with bus.connect("member") as connection:
            lease = connection.open_packet(network, vnet_hdr=True, **lease_options)
            back = BackEnd(lease, directory, *options, connects=connects, preexec=preexec)
            back.mac, back.mtu = lease.info["mac"], lease.info["mtu"]
            lease.close_fds()
            try:
                back.start()
                yield back
            finally:
                back.close()
    lab.wait_for(lambda: lease.info["id"] not in lab.lease_ids(), 10, "the end of the back end's lease")


def qemu(back, *options, device="", reconnect=False, queues=1):
    """The command of a QEMU on that back end."""
    wait = ",reconnect=1" if reconnect else ""
    several = f",queues={queues}" if queues > 1 else ""
    # QEMU 7.2 without KVM ends with SIGSEGV when a driver switches MSI-X on in front of any vhost-user back end (it takes the
    # KVM path in virtio_pci_vector_unmask()): hence no vectors.
    mq = ",vectors=0" + (",mq=on" if queues > 1 else "")
    return [*QEMU, "-chardev", f"socket,id=c0,path={back.socket}{wait}", "-netdev", f"vhost-user,id=n0,chardev=c0{several}",
            *options, "-device", f"virtio-net-pci,netdev=n0,mac={back.mac}{mq}{device}"]  # fmt: skip
