/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Why an interface of the host carries no network though it is up: settings of a bridge, and other
 * interfaces on it. Reads only.
 */

#include "helper/kernel/link-info.h"

/* Does this bridge pass the VLANs first to last (0 and 0: untagged frames) to its own interface? A
 * bridge that is not VLAN-aware passes all. protocol: ETH_P_8021Q or ETH_P_8021AD. Returns 0: it
 * does, or the kernel does not say; RAWNET_NOT_SUPPORTED with what to do; or -errno. */
int obstacle_bridge(Netlink *netlink, const LinkInfo *bridge, uint16_t first, uint16_t last,
                    uint16_t protocol, Refusal *ret_refusal);

/* Is there an interface that keeps macvlans off the interface with this index: an ipvlan, MACsec,
 * or a macvlan in mode passthru? Returns 0: none in this namespace; RAWNET_NOT_SUPPORTED with its
 * name; or -errno. */
int obstacle_upper(Netlink *netlink, uint32_t index, Refusal *ret_refusal);
