/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ids of new leases: RAWNET_ID_FIRST to RAWNET_ID_MAX, one after the other and round again. So
 * a scan can ask the kernel for each (scan.h), and no id is used again before all others were. They
 * are the highest ids, so the kernel's list, which begins with the lowest, shows those of other
 * programs and of earlier versions of rawnet first. An id is no secret: whoever acts on a lease
 * checks its owner.
 */

#include "common/names.h"
#include "helper/kernel/netlink.h"

typedef struct LeaseIds LeaseIds;

/* In memory that the daemon shares with the workers that it forks from then on. The first id is
 * random, so most likely not one that the last helper used. 0 or -errno. *ret is never freed. */
int lease_ids_new(LeaseIds **ret);

/* The next id that no namespace has, a new one for each try of an open. An id that a failed try has
 * used must not be used again at once: the daemon may read the kernel's report of the failed try's
 * end (RTM_DELNSID) after the report of the lease that got the id, and would forget that lease.
 * 0; RAWNET_LIMITS_EXCEEDED: all are in use; or -errno. */
int lease_ids_take(LeaseIds *ids, Netlink *netlink, uint32_t *ret, Refusal *ret_refusal);
