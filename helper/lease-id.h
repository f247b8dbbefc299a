/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ids of new leases: RAWNET_ID_FIRST to RAWNET_ID_MAX, one after the other and round again. So
 * there are few enough of them that a scan can ask the kernel for each (scan.h), and an id is given
 * out again only after all others. They lie at the upper end, so that the kernel's list, which
 * begins with the lowest ids, shows those of other programs and of earlier versions of rawnet
 * first. An id is no secret: whoever is asked to act on a lease looks at its owner.
 */

#include "common/names.h"
#include "helper/kernel/netlink.h"

typedef struct LeaseIds LeaseIds;

/* In memory that the daemon shares with the workers which it forks from then on. Begins somewhere,
 * and so most likely not where the last helper was. 0 or -errno. */
int lease_ids_new(LeaseIds **ret);

/* Makes *id, 0 or that of a try which failed, one that no namespace has: leaves it as it is if it
 * is free, else takes the next. 0; RAWNET_LIMITS_EXCEEDED: all are in use; RAWNET_KERNEL_REFUSED;
 * or -errno. */
int lease_ids_take(LeaseIds *ids, Netlink *netlink, uint32_t *id, Refusal *ret_refusal);
