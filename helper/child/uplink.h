/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The uplink and the record of the lease, as the child sets them from inside the namespace. */

#include "helper/kernel/link.h"
#include "helper/plan.h"

/* Sets the uplink's MAC (if any) and brings it up; an address in use is tried again until the
 * plan's deadline (a random one is not: the worker takes another). RAWNET_ADDRESS_IN_USE then. */
int uplink_raise(const LeasePlan *plan, Netlink *netlink, uint32_t uplink, Refusal *ret_refusal);

/* Writes plan->lease as the namespace's record. */
int uplink_write_record(const LeasePlan *plan, Netlink *netlink, Refusal *ret_refusal);
