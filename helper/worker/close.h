/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Closes a lease that a program still holds. */

#include "helper/worker/context.h"

/* Deletes the lease's port and uplink, and reports REPORT_CLOSED. The namespace lives until the
 * holder closes its descriptors. 0, RAWNET_NO_SUCH_LEASE (also where the links were gone before),
 * another refusal of lease_find() or of the kernel, or -errno. */
int lease_close(const JobContext *job, uint32_t id, Refusal *ret_refusal);
