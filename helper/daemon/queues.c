/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/queues.h"

#include <inttypes.h>

int queues_check(const Pool *pool, const Registry *registry, const WireOpen *open,
                 Refusal *ret_refusal) {
        const unsigned n =
                registry_count_queues(registry, open->uid) + pool_count_queues(pool, open->uid);

        if (n + open->queues <= RAWNET_QUEUES_PER_USER_MAX)
                return 0;
        return refuse(ret_refusal, RAWNET_QUOTA_EXCEEDED,
                      "network %s: the ports of uid %" PRIu32
                      " have %u queues and this one would have "
                      "%" PRIu32
                      "; rawnet-helper allows %u to one user; end one of them (rawnetctl list)",
                      open->network, open->uid, n, open->queues, RAWNET_QUEUES_PER_USER_MAX);
}
