/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a QEMU command line says of the machine: processor architecture, machine type, memory size,
 * accelerator. Pure functions; what depends on this host is in QemuHost.
 */

#include "client/qemu/items.h"

/* Facts of this host. */
typedef struct QemuHost {
        bool kvm;                 /* QEMU can use KVM here */
        bool vhost_net;           /* the user may open /dev/vhost-net */
        const char *architecture; /* uname -m */
} QemuHost;

/* "x86_64" and so on, as in qemu-system-x86_64; NULL: the program's name does not say it. */
const char *qemu_architecture(const QemuItems *items, const QemuHost *host);

/* Whether the machine's processor is known to be little-endian, in the guest's hands as well. */
bool qemu_little_endian(const char *architecture);

/* Whether this is one of the machine types whose default memory size is known and whose main memory
 * may come from a memory backend; *ret_size: that default, in bytes. */
bool qemu_machine_known(const QemuItems *items, const char *architecture, uint64_t *ret_size);

/* The size of the main memory in bytes, as QEMU computes it. 0: the command line does not say it,
 * and the machine's default holds. -EINVAL: QEMU will refuse it. */
int qemu_memory_size(const QemuItems *items, uint64_t *ret);

typedef enum QemuAccelerator {
        QEMU_ACCEL_OTHER, /* emulation, or something like it */
        QEMU_ACCEL_KVM,
        QEMU_ACCEL_XEN,
} QemuAccelerator;

/* Which one QEMU will use, of those that the command line names. */
QemuAccelerator qemu_accelerator(const QemuItems *items, const QemuHost *host);

/* Whether interrupts of a vhost-user device may be MSI-X. Where KVM does not deliver them, QEMU
 * before 8.0 dereferences a null pointer when the guest switches MSI-X on. It registers vector
 * notifiers for every virtio-net device (hw/virtio/virtio-pci.c, virtio_pci_set_guest_notifiers()).
 * For vhost-user, which has no masks, they use vector_irqfd (kvm_virtio_pci_irqfd_use()), and only
 * KVM sets that. */
bool qemu_msix_works(const QemuItems *items, const QemuHost *host);
