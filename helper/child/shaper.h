/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Rate=: the limit of one lease, by two queues of the kernel's, one for each way. The guard sends
 * every frame that it passes to a link by a redirect, and there it waits in the link's queue:
 *
 *   from the guest   egress of the uplink
 *   to the guest     egress of the port (tap, veth), of inner (packet)
 *
 * A queue is a token bucket (tbf): it may be late, and catches up by at most its burst. Below it,
 * where the kernel has it, are queues for each flow (fq_codel), so that a flow that fills its own
 * does not delay another; else a FIFO, which is so short that nothing waits in it for long.
 */

#include "helper/child/guard-shape.h"
#include "helper/kernel/netlink.h"
#include "helper/kernel/tc.h"

/* The numbers for a rate in bits a second and the longest frame in bytes. Pure. */
TcBucket shaper_bucket(uint64_t rate, uint32_t longest);

/* Both queues, while the links are down. Returns 0, RAWNET_NOT_SUPPORTED (no qdisc tbf),
 * RAWNET_KERNEL_REFUSED or -errno. */
int shaper_install(const Guard *guard, uint64_t rate, Netlink *netlink, Refusal *ret_refusal);
