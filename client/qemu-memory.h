/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a QEMU command line says of the guest's memory and of its accelerator, as far as a vhost-user
 * back end depends on it. Pure functions. Yes is 1, no 0; -ENOMEM: it could not be read.
 */

#include "common/util.h"

/* A vhost-user back end must share the guest's memory. Whether the line says itself where the main
 * memory comes from: -machine memory-backend=, -numa node,memdev=, -mem-path. -ENOMEM. */
int qemu_memory_is_set(char **argv);
/* -m's size as -object memory-backend-memfd,size= has it; 128M, QEMU's own default, without. The
 * caller frees; NULL without memory. */
char *qemu_memory_size(char **argv);
/* May QEMU emulate the processor? Then QEMU up to 7.2 does not survive MSI-X in front of a vhost-user
 * back end (hw/virtio/virtio-pci.c, virtio_pci_vector_unmask() takes the path of KVM). */
int qemu_may_emulate(char **argv);
