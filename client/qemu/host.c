/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What this host offers to a QEMU of the user.
 */

#include "client/qemu/host.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

/* Not every architecture has KVM: 32-bit ARM lost it in Linux 5.7. */
#if HAVE_KVM
#include <linux/kvm.h>
#endif

static bool kvm_works(void) {
#ifdef KVM_GET_API_VERSION
        _cleanup_close_ int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), machine = -1;

        if (fd < 0 || ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
                return false;
        machine = ioctl(fd, KVM_CREATE_VM, 0);
        return machine >= 0;
#else
        return false;
#endif
}

void qemu_host_probe(QemuHostProbe *ret) {
        _cleanup_close_ int vhost = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

        *ret = (QemuHostProbe){.host = {.kvm = kvm_works(), .vhost_net = vhost >= 0}};
        if (uname(&ret->system) < 0)
                return;
        ret->host.architecture = ret->system.machine;
}
