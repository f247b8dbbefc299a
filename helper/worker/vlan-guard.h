/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * nftables on the shared VLAN interfaces, in the host's namespace.
 */

#include "common/mac.h"
#include "common/refusal.h"

/* The prerouting drop for rawnet's
 * shared VLAN interfaces (rnv*), table "rawnet" of family inet, chain prerouting, priority -450,
 * idempotent, checked and restored at every open. As above. */
int guard_host_install(Refusal *ret_refusal);
/* Removes the host's tables; called when the last shared VLAN interface goes. Absence is no error.
 */
int guard_host_remove(Refusal *ret_refusal);

/* For vlan-filter.c, where tc cannot: drops what arrives on device for mac, in table "rawnet" of
 * family netdev of the host's namespace, which guard_host_remove() takes away as well. check: *ret
 * says whether it is there and whole. As above. */
int guard_host_filter_check(const char *device, const MacAddress *mac, bool *ret,
                            Refusal *ret_refusal);
int guard_host_filter_install(const char *device, const MacAddress *mac, Refusal *ret_refusal);
