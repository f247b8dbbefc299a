/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Everything that the process gives away before it reads the guest's first byte.
 *
 * A new system call belongs into the list only where the loop needs it, never where it can open,
 * connect, execute or create a process: what has to be opened is opened before sandbox_enter(), or
 * by the connector (connector.h).
 */

#include "common/refusal.h"

/* No capability, no new privileges, no core, no new process. 0, a RawnetError or -errno; then the
 * process must not continue. */
int sandbox_give_up(Refusal *ret_refusal);

/* The same, and no system call but those of the loop. directory: /proc/self/fd, whose links
 * readlinkat() may read. 0, a RawnetError or -errno; then the process must not continue. */
int sandbox_enter(int directory, Refusal *ret_refusal);
