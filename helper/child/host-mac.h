/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Is an address one of the host's own? The kernel refuses a macvlan the address of its lower
 * interface and of its siblings only; a lease with the address of another interface would take that
 * one's frames on a bridge or a switch.
 */

#include "helper/kernel/link.h"

/* host: a socket of the host's namespace. 0: no interface there has the address;
 * RAWNET_ADDRESS_IN_USE, which names the interface; another refusal; or -errno. */
int host_mac_check(Netlink *host, const char *network, const MacAddress *mac, Refusal *ret_refusal);
