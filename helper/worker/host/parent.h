/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a lease's uplink is on, in the host's namespace: the parent itself, an administrator's VLAN
 * interface (used as found, never changed), or rawnet's own shared VLAN interface (shared.c).
 * Called by workers.
 */

#include "common/network.h"
#include "helper/kernel/link.h"
#include "helper/plan.h"
#include "helper/worker/context.h"

/* The network's parent, fit to carry leases on this VLAN (0: untagged). RAWNET_PARENT_MISSING
 * (missing, down), RAWNET_NOT_SUPPORTED (not wired Ethernet, port of a bridge or bond, VLAN-aware
 * bridge without this VLAN). */
int parent_find(Netlink *netlink, const Network *network, uint16_t vlan, LinkInfo *ret,
                Refusal *ret_refusal);

/* Is told each reason for which an open on this link would be refused. link->index is 0 where there
 * is no interface of that name. */
typedef struct ParentReasons {
        void (*refused)(void *data, const LinkInfo *link, const Refusal *refusal);
        void *data;
} ParentReasons;

/* Looks for all reasons that parent_find() has for the VLANs first to last (0, 0: untagged), and
 * for what would keep macvlans off an untagged network's parent. Makes and changes nothing. *ret:
 * the parent, index 0 where it is missing. 0 or -errno. */
int parent_judge(Netlink *netlink, const Network *network, uint16_t first, uint16_t last,
                 const ParentReasons *reasons, LinkInfo *ret);

/* The same for an administrator's VLAN interface. 0 or -errno. */
int parent_judge_vlan(Netlink *netlink, const Network *network, const LinkInfo *link,
                      const ParentReasons *reasons);

/* link_add_macvlan(). RAWNET_NOT_SUPPORTED where another interface keeps macvlans off plan->lower,
 * naming that if it is in this namespace. */
int parent_add_macvlan(Netlink *netlink, const LinkPlan *plan, uint32_t mode, Refusal *ret_refusal);

/* The interface that a macvlan of this VLAN (0: untagged) goes on. RAWNET_NETWORK_BUSY where an
 * exclusive lease or another namespace has the VLAN, or where another interface has the name that
 * rawnet's own needs. */
int parent_lower(const JobContext *job, const Network *network, const LinkInfo *parent,
                 uint16_t vlan, LinkInfo *ret, Refusal *ret_refusal);

/* The kernel refused an interface for this VLAN of the parent with EEXIST. Returns
 * RAWNET_NETWORK_BUSY with who has the VLAN, or -errno. */
int parent_vlan_taken(Netlink *netlink, const Network *network, const LinkInfo *parent,
                      uint16_t vlan, Refusal *ret_refusal);

/* Returns RAWNET_NOT_SUPPORTED: this kernel has no 802.1Q. */
int parent_no_vlan(const Network *network, uint16_t vlan, Refusal *ret_refusal);

/* Is the host's interface with this index the one below a host interface of the network? 1, 0, or
 * -errno. Makes nothing. */
int parent_is_lower(Netlink *netlink, const Network *network, uint32_t index);
