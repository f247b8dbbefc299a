/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What several jobs share: finding a lease, and naming the network in a refusal. */

#include "common/ipc.h"
#include "helper/kernel/netlink.h"

/* A lease that this version may act on. RAWNET_NO_SUCH_LEASE: there is none, or it is closed;
 * RAWNET_NOT_SUPPORTED: a later version opened it; other refusals, or -errno. */
int lease_find(Netlink *netlink, uint32_t id, IpcLease *ret, Refusal *ret_refusal);

/* Adds network and parent to a refusal that does not name them. network: NAME or NAME.VID. Returns
 * r, the refusal's code. */
int lease_name_network(const char *network, const char *parent, int r, Refusal *refusal);
