/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Addresses, routes and interfaces of the network namespace that this process is in (rtnetlink(7)).
 * 0, RAWNET_KERNEL_REFUSED with the kernel's words, or -errno.
 */

#include "client/netavark/ip.h"
#include "common/refusal.h"

/* With the prefix, and for IPv4 the subnet's broadcast address. An address that is there already is
 * no error. */
int route_add_address(unsigned interface, const IpAddress *ip, Refusal *ret_refusal);

/* destination: NULL for the default route. A gateway outside of the interface's subnets is reached
 * directly. Where another route to the same destination has the same metric, that one stays. */
int route_add(unsigned interface, const IpAddress *destination, const IpAddress *gateway,
              uint32_t metric, Refusal *ret_refusal);

int route_raise_interface(unsigned interface, Refusal *ret_refusal);
/* No error where there is no such interface. */
int route_delete_interface(unsigned interface, Refusal *ret_refusal);
