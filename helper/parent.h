/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a lease's uplink stands on, in the host's namespace: the parent itself, an administrator's VLAN interface (used as found, never
 * changed), or rawnet's own shared VLAN interface (rnv…, made here, hardened by host.c, swept away when no lease stands on it).
 * Called by workers.
 */

#include "common/network-file.h"
#include "helper/link.h"
#include "helper/plan.h"
#include "helper/registry.h"

/* The network's parent, fit to carry leases. RAWNET_PARENT_MISSING (missing, down), RAWNET_NOT_SUPPORTED (not wired Ethernet, port of a bridge or bond). */
int parent_find(Netlink *netlink, const Network *network, LinkInfo *ret, Refusal *ret_refusal);

/* The interface that a macvlan of this VLAN (0: untagged) goes on. RAWNET_NETWORK_BUSY where an exclusive lease has the VLAN. */
int parent_lower(Netlink *netlink, const Network *network, const LinkInfo *parent, uint16_t vlan,
                 LinkInfo *ret, Refusal *ret_refusal);

/* Who else has (parent, vlan), for an exclusive lease that met EEXIST: always RAWNET_NETWORK_BUSY, naming it. */
int parent_vlan_taken(Netlink *netlink, const Network *network, const LinkInfo *parent, uint16_t vlan,
                      Refusal *ret_refusal);

/* RAWNET_NOT_SUPPORTED: this kernel has no 802.1Q. */
int parent_no_vlan(const Network *network, uint16_t vlan, Refusal *ret_refusal);

/* Is the host's interface with this index what a leg of the network stands on? 1, 0, or -errno. Makes nothing. */
int parent_is_lower(Netlink *netlink, const Network *network, uint32_t index);

/* Deletes shared VLAN interfaces that no lease and no other interface of the host stands on. Never while an open is under way. */
int parent_sweep(Netlink *netlink, const Registry *registry, Refusal *ret_refusal);
