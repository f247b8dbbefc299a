/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Closing a lease under its holder. */

#include "helper/worker/context.h"

/* Deletes the lease's port and uplink under its holder; its namespace lives on until the holder
 * lets go. RAWNET_NO_SUCH_LEASE, also where the links were gone before. */
int lease_close(const JobContext *job, uint32_t id, Refusal *ret_refusal);
