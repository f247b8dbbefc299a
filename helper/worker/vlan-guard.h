/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * nftables on the shared VLAN interfaces, in the host's namespace.
 */

#include "common/refusal.h"
#include "helper/child/guard-shape.h"

/* The prerouting drop for rawnet's shared VLAN interfaces (by their group), table "rawnet" of family
 * inet, chain prerouting, priority -450, idempotent, checked and restored at every open. Returns 0,
 * RAWNET_NOT_SUPPORTED, RAWNET_KERNEL_REFUSED, or -errno. */
int guard_host_install(Refusal *ret_refusal);
/* Removes the host's tables; called when the last shared VLAN interface goes. Absence is no error.
 */
int guard_host_remove(Refusal *ret_refusal);

/* For vlan-filter.c, where tc cannot: drops what arrives on device for mac, in table "rawnet" of
 * family netdev of the host's namespace, which guard_host_remove() takes away as well. check: *ret
 * says whether it is there and whole. remove: absence is no error. As above. */
int guard_host_filter_check(const GuardLink *device, const MacAddress *mac, bool *ret,
                            Refusal *ret_refusal);
int guard_host_filter_install(const GuardLink *device, const MacAddress *mac, Refusal *ret_refusal);
int guard_host_filter_remove(const GuardLink *device, Refusal *ret_refusal);
