/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Everything that the process gives away before it reads the guest's first byte.
 */

#include "common/refusal.h"

/* No capability, no new privileges, no core, no new process, no system call but those of the loop. connects: it will make new
 * connections to the front end's socket. 0, RAWNET_NOT_SUPPORTED or -errno; then the process must not go on. */
int sandbox_enter(bool connects, Refusal *ret_refusal);
