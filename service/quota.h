/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How many leases a network and a user may have, and queues a user over all networks. Counted anew
 * each time, over what the kernel holds (as the helper told) and the opens that the helper is
 * working on; uid 0 is a user like any other.
 */

#include "service/request.h"

/* Is there room for one more lease of the network for the request's caller? 0,
 * RAWNET_QUOTA_EXCEEDED or RAWNET_LIMITS_EXCEEDED. */
int quota_check(const Request *request, const Network *network, Refusal *ret_refusal);
