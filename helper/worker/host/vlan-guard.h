/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * nftables in the host's namespace: drops what arrives on rawnet's shared VLAN interfaces (known by
 * their group) before the host's IP stack. One rule, in two tables of family inet:
 *
 *   rawnet-PORT  belongs to a netlink socket of the daemon, PORT is that socket's port. Nobody else
 *                can flush, change or delete the table (NFT_TABLE_F_OWNER, Linux 5.12). The kernel
 *                deletes it with the socket, that is, with the daemon.
 *   rawnet       belongs to nobody: it stays while no helper runs. `nft flush ruleset` deletes it.
 *
 * The kernel takes messages for the first table from that socket only. Workers inherit the socket
 * and use it one at a time, so the daemon itself never waits for nftables.
 */

#include "common/refusal.h"

/* owner_fd: the daemon's NETLINK_NETFILTER socket, bound, inherited by fork(); -1: this kernel has
 * no nfnetlink. Makes the tables that are missing. Called at every open on a shared VLAN, and by a
 * sweep that leaves such an interface. Returns 0, RAWNET_NOT_SUPPORTED, RAWNET_KERNEL_REFUSED, or
 * -errno. */
int vlan_guard_install(int owner_fd, Refusal *ret_refusal);

/* Deletes both tables, if they are there; called when the last shared VLAN interface is gone. As
 * above. */
int vlan_guard_remove(int owner_fd, Refusal *ret_refusal);
