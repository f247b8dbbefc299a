/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/queues.h"

#include <inttypes.h>

int queues_check(const Pool *pool, const Registry *registry, const IpcOpen *open,
                 Refusal *ret_refusal) {
        const unsigned n =
                registry_count_queues(registry, open->uid) + pool_count_queues(pool, open->uid);

        /* Every open in progress counts, of whatever kind: they are few. */
        if (open->kind == KIND_VETH &&
            registry_count_attached(registry) + pool_count(pool, JOB_OPEN) >= RAWNET_ATTACHED_MAX)
                return refuse(
                        ret_refusal, RAWNET_LIMITS_EXCEEDED,
                        "network %s: the containers of all users have %u interfaces, which is "
                        "the most that rawnet-helper allows; try later",
                        open->network, RAWNET_ATTACHED_MAX);
        if (n + open->queues <= RAWNET_QUEUES_PER_USER_MAX)
                return 0;
        return refuse(
                ret_refusal, RAWNET_QUOTA_EXCEEDED,
                "network %s: your ports on all networks have %u of at most %u queues, and this one "
                "would have %" PRIu32
                " more; close one of them (rawnetctl list), or ask for fewer queues",
                open->network, n, RAWNET_QUEUES_PER_USER_MAX, open->queues);
}
