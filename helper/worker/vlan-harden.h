/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The hardening of a shared VLAN interface in the host's namespace: it carries guests' frames and
 * nothing of the host's, so the host must not answer, listen or speak on it. Called by a worker at
 * every open, because an administrator's tools may have undone any of it: each measure is looked at
 * first and put in only where it is missing.
 *
 *   flags       IFF_NOARP, rp_filter=1: answers no ARP, takes no strange unicast
 *
 *   IPv6        addr_gen_mode none, disable_ipv6: no address; the latter where /proc/sys may be
 *               written
 *
 *   nftables    vlan-guard.h: all that still comes up to the host's IP stack is dropped
 *
 * Never called for an interface that rawnet did not make.
 */

#include "common/refusal.h"
#include "helper/kernel/netlink.h"

/* The interface with this index, in the host's namespace. owner_fd: vlan_guard_install(). Returns 0;
 * RAWNET_NOT_SUPPORTED; RAWNET_KERNEL_REFUSED; or -errno. After a failure the interface must not be
 * brought up. */
int vlan_harden(Netlink *netlink, int owner_fd, uint32_t index, Refusal *ret_refusal);

/* Takes all of that away again: the interface becomes as open as a new one of this host is
 * (/proc/sys/net/.../conf/default). For one that an administrator has taken over; it is no longer
 * in rawnet's group, so the nftables drop does not concern it. Returns 0; RAWNET_KERNEL_REFUSED; or
 * -errno. */
int vlan_harden_undo(Netlink *netlink, uint32_t index, Refusal *ret_refusal);
