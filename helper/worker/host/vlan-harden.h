/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Hardens a shared VLAN interface in the host's namespace: it carries guests' frames and nothing of
 * the host's, so the host must not answer, listen or speak on it. Called at every open, because an
 * administrator's tools may have undone any measure; those that are in force are left alone.
 *
 *   flags       IFF_NOARP, rp_filter=1: answers no ARP, takes no strange unicast
 *   IPv6        addr_gen_mode none, disable_ipv6: no address; the latter where /proc/sys may be
 *               written
 *   nftables    vlan-guard.h: drops all that still reaches the host's IP stack
 *
 * Never called for an interface that rawnet did not make.
 */

#include "common/refusal.h"
#include "helper/kernel/netlink.h"

/* The interface with this index, in the host's namespace. owner_fd: vlan_guard_install(). Returns
 * 0; RAWNET_NOT_SUPPORTED; RAWNET_KERNEL_REFUSED; or -errno. After a failure the interface must not
 * be brought up. */
int vlan_harden(Netlink *netlink, int owner_fd, uint32_t index, Refusal *ret_refusal);

/* Undoes all of that: the interface becomes as open as a new one of this host
 * (/proc/sys/net/.../conf/default). For an interface that an administrator has taken over. It is no
 * longer in rawnet's group, so nftables does not drop its frames any more. Returns 0;
 * RAWNET_KERNEL_REFUSED; or -errno. */
int vlan_harden_undo(Netlink *netlink, uint32_t index, Refusal *ret_refusal);
