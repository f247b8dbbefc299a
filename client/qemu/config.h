/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A configuration file of QEMU's -readconfig: [group "id"], then key = "value" lines.
 */

#include "client/qemu/options.h"

/* One section; its id is among the options. The callee takes the options over. 0 or a negative
 * errno, which ends the reading. */
typedef int (*QemuSectionFunction)(const char *group, const char *file, QemuOptions *options,
                                   void *userdata);

/* Calls function for each section. Lines that QEMU would refuse are left out. Reads regular files
 * of at most 1 MiB only: what is not one could be read once and not again by QEMU. 0, -ENOMEM, what
 * function returned, or another negative errno for a file that cannot be read. */
int qemu_config_read(const char *path, QemuSectionFunction function, void *userdata);
