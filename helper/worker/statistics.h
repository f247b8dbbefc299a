/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "helper/worker/context.h"

/* The port's counters as the guest sees them: rx is what the guest received. 0, a refusal of
 * lease_find() or of the kernel, or -errno. */
int lease_statistics(const JobContext *job, uint32_t id, uint64_t ret[static IPC_STATISTICS_COUNT],
                     Refusal *ret_refusal);
