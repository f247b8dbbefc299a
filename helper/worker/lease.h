/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the jobs on one lease or network share. */

#include "common/ipc.h"
#include "helper/kernel/netlink.h"

/* A lease that this version may act on. RAWNET_NO_SUCH_LEASE: there is none, or it is closed;
 * RAWNET_NOT_SUPPORTED: a later version opened it; other refusals, or -errno. */
int lease_find(Netlink *netlink, uint32_t id, IpcLease *ret, Refusal *ret_refusal);

/* Names network and parent in a refusal that does not yet. Returns r (> 0). */
int lease_name_network(const char *network, const char *parent, int r, Refusal *refusal);
