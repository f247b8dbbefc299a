/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Whether a vhost-user back end can share the guest's memory, as the command line says. Pure
 * functions.
 */

#include "client/qemu/machine.h"
#include "client/qemu/reason.h"

/* Whether the command line says itself where the main memory comes from: -machine memory-backend=,
 * -numa node,memdev=, -mem-path. If not, rawnetctl adds shared memory. */
bool qemu_memory_is_set(const QemuItems *items);

/* 0: a back end reaches all of the guest's memory. Else QEMU_CANNOT or QEMU_UNKNOWN, with the
 * reason. */
int qemu_memory_judge(const QemuItems *items, const QemuHost *host, QemuReason *ret);
