/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What this host offers to a QEMU of the user.
 */

#include <sys/utsname.h>

#include "client/qemu/machine.h"

typedef struct QemuHostProbe {
        QemuHost host; /* its texts are in system */
        struct utsname system;
} QemuHostProbe;

/* Opens /dev/kvm and makes a virtual machine there, as QEMU does when it tries KVM before another
 * accelerator; opens /dev/vhost-net. Closes all of it again. */
void qemu_host_probe(QemuHostProbe *ret);
