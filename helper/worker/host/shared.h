/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnet's own VLAN interfaces in the host's namespace, each shared by all leases on one VLAN of
 * one parent: made here, hardened by vlan-harden.c, deleted by sweep.c when nothing is on them.
 * Called by workers.
 *
 * The mark of such an interface is its group, RAWNET_VLAN_GROUP: an interface with the mark is
 * rawnet's, whatever its name. The name says for people and for the next open what the interface
 * is: "rnv" and, in hex, the parent's ifindex, the protocol and the VID. The name proves nothing:
 * any interface can have it as an alternative name (ip-link(8), altname), and a parent can move to
 * another namespace while another interface takes its ifindex. An interface that is not rawnet's is
 * never changed, brought up or deleted.
 *
 * Interfaces that an earlier version made have no mark. Such an interface is rawnet's if all that
 * the name says is true of it and it has the alias that rawnet gives.
 *
 * An administrator takes an interface over by another name and another group (rawnet.network(5)).
 * By the alias, which it keeps, the sweep knows that the hardening is to be undone.
 */

#include "common/network.h"
#include "helper/kernel/link.h"
#include "helper/worker/context.h"

/* The name, of the shared interface of a VLAN. parent: ifindex; protocol: ETH_P_8021Q or
 * ETH_P_8021AD. Returns ret. */
const char *shared_name(uint32_t parent, uint16_t protocol, uint16_t vlan,
                        char ret[static IFNAMSIZ]);

/* Is this link of the host's namespace one that rawnet made and that nobody has taken over? */
bool shared_is_ours(const LinkInfo *link);

/* Is it one that an administrator has taken over, and whose hardening a sweep still has to undo? */
bool shared_was_taken_over(const LinkInfo *link);

/* Is link, which was found by the name, the shared interface of this VLAN of this parent? 0, or
 * RAWNET_NETWORK_BUSY with what it is instead. */
int shared_check(const Network *network, const LinkInfo *parent, uint16_t vlan,
                 const LinkInfo *link, Refusal *ret_refusal);

/* Makes the shared interface, down. 0, a refusal of the kernel (kernel_errno EEXIST: the name or
 * the VLAN is taken), what shared_check() returns, or -errno. */
int shared_make(Netlink *netlink, const Network *network, const LinkInfo *parent, uint16_t vlan,
                LinkInfo *ret, Refusal *ret_refusal);

/* Marks the interface, hardens it, gives it its parent's MTU (link->mtu is what it has then) and
 * brings it up. Only if shared_is_ours(). 0, what vlan_harden() returns, or another refusal of the
 * kernel. */
int shared_harden(const JobContext *job, const LinkInfo *parent, LinkInfo *link,
                  Refusal *ret_refusal);

/* For a sweep: marks an interface that is needed, and lets its MTU grow with its parent's, so that
 * its leases need not wait for the next open. An interface that is down stays down, since an
 * administrator may be taking it over. Returns what shared_harden() does. */
int shared_keep(const JobContext *job, const LinkInfo *shared, Refusal *ret_refusal);
