/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Why an interface of the host carries no network though it is up: settings of a bridge, and other
 * interfaces on it. Reads only. Each call opens a netlink socket of its own and blocks on RTNL.
 */

#include <stdint.h>

#include "common/refusal.h"

/* Does the bridge with this index pass the VLANs first to last (0 and 0: untagged frames) to its
 * own interface? A bridge that is not VLAN-aware passes all. protocol: ETH_P_8021Q or ETH_P_8021AD.
 * Returns 0: yes, or the kernel does not say; RAWNET_NOT_SUPPORTED with what to do; or -errno. */
int obstacle_bridge(const char *name, uint32_t index, uint16_t first, uint16_t last,
                    uint16_t protocol, Refusal *ret_refusal);

/* Is there an interface that keeps macvlans off the interface with this index: an ipvlan, MACsec,
 * or a macvlan in mode passthru? With vlan, the interface is the VLAN interface above it, if there
 * is one. Returns 0: none in this namespace; RAWNET_NOT_SUPPORTED with its name; or -errno. */
int obstacle_upper(uint32_t index, uint16_t vlan, uint16_t protocol, Refusal *ret_refusal);
