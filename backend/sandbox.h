/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The privileges that the process gives up before it reads the guest's first byte.
 *
 * Allow a new system call only if the loop needs it. Never allow one that can open, connect,
 * execute or create a process: everything is opened before sandbox_enter(), or by the connector
 * (connector.h).
 */

#include "common/refusal.h"

/* Drops all capabilities, and forbids new privileges, core dumps and new processes. 0, a
 * RawnetError or -errno. After a failure the process must not continue. */
int sandbox_give_up(Refusal *ret_refusal);

/* The same, and allows only the system calls of the loop. directory: /proc/self/fd, whose links
 * readlinkat() may read. 0, a RawnetError or -errno. After a failure the process must not continue.
 */
int sandbox_enter(int directory, Refusal *ret_refusal);
