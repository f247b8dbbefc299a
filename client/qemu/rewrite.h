/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The command line for a stock QEMU.
 */

#include "client/qemu/line.h"
#include "client/qemu/machine.h"

/* The new argument vector, from ports with mac, numbers, n_queues and n_vhosts set, after
 * qemu_judge(); the caller frees it with argv_free(). Returns 0 or -errno. */
int qemu_rewrite(const QemuLine *line, const QemuHost *host, char ***ret_argv);
