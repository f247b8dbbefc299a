/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnet's own VLAN interfaces in the host's namespace, each shared by all leases on one VLAN of
 * one parent: made here, hardened by vlan-harden.c, deleted when nothing is on them. Called by workers.
 *
 * One is made in the group RAWNET_VLAN_GROUP, its mark: it is ours as long as it is in that group,
 * whatever it is called. Its name says for people and for the next open what it is: "rnv" and, in
 * hex, the parent's ifindex, the protocol and the VID. The name proves nothing: any interface can
 * be given it as an alternative name (ip-link(8), altname), and a parent can move to another
 * namespace while another takes its ifindex. Nothing but ours is ever changed, brought up or
 * deleted.
 *
 * Interfaces that an earlier version made have no mark. Such a one is ours if all that the name
 * says is true of it and the alias is the one that rawnet gives.
 *
 * An administrator takes one over by another name and another group (rawnet.network(5)). It still
 * has the alias: by that the sweep knows that the hardening is to be undone.
 */

#include "common/network-file.h"
#include "helper/kernel/link.h"
#include "helper/worker/context.h"

const char *shared_name(uint32_t parent, uint16_t protocol, uint16_t vlan,
                        char ret[static IFNAMSIZ]);

/* Is that link, of this namespace, one that rawnet made and that nobody has taken over? */
bool shared_is_ours(const LinkInfo *link);

/* Is it one that an administrator has taken over, and whose hardening is still to be undone? */
bool shared_was_taken_over(const LinkInfo *link);

/* Is link, which answers to the name, the shared interface of this VLAN of this parent? 0, or
 * RAWNET_NETWORK_BUSY with what it is instead. */
int shared_check(const Network *network, const LinkInfo *parent, uint16_t vlan,
                 const LinkInfo *link, Refusal *ret_refusal);

/* Makes it, down. 0, a refusal of the kernel (kernel_errno EEXIST: the name or the VLAN is taken),
 * what shared_check() returns, or -errno. */
int shared_make(Netlink *netlink, const Network *network, const LinkInfo *parent, uint16_t vlan,
                LinkInfo *ret, Refusal *ret_refusal);

/* Marks it, closes it to the host, gives it its parent's MTU (link->mtu is what it has then) and
 * brings it up. Only if shared_is_ours(). 0, what vlan_harden() returns, or another refusal of the
 * kernel. */
int shared_harden(const JobContext *job, const LinkInfo *parent, LinkInfo *link,
                  Refusal *ret_refusal);

/* The same for a sweep: marks one that is needed, and lets it grow with its parent, so that its
 * leases need not wait for the next open. One that is down is left down, since an administrator may
 * be taking it over. */
int shared_keep(const JobContext *job, const LinkInfo *shared, Refusal *ret_refusal);
