/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/learning.h"

#include <string.h>
#include <sys/resource.h>

#include "common/log.h"

#define PAUSE_FIRST_USEC UINT64_C(1000000)
#define PAUSE_LAST_USEC UINT64_C(60000000)

/* A learning lease keeps one descriptor. Together they may have a quarter of the process's. */
static unsigned learning_max(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return RAWNET_LEARNING_MAX;
        return (unsigned)MIN_OF((rlim_t)RAWNET_LEARNING_MAX, limit.rlim_cur / 4);
}

/* Learning leases whose child reports to no daemon, or to an earlier one. */
static unsigned count_unheard(const Learning *learning) {
        unsigned n = 0;

        for (size_t i = 0; i < learning->registry->n_entries; i++) {
                const IpcLease *lease = &learning->registry->entries[i].lease;

                n += ipc_lease_learns(lease) && !pool_learns(learning->pool, lease->id);
        }
        return n;
}

int learning_check(const Learning *learning, const char *network, Refusal *ret_refusal) {
        const unsigned max = learning_max();

        if (pool_count_learning(learning->pool) + count_unheard(learning) < max)
                return 0;
        return refuse(
                ret_refusal, RAWNET_LIMITS_EXCEEDED,
                "network %s: %u ports of all users wait for their guest's first frame (mac=learn), which is "
                "the most that rawnet-helper allows; give the guest's address by mac=, or try later",
                network, max);
}

static int on_look(sd_event_source *source, uint64_t usec, void *data) {
        Learning *learning = data;

        learning->timer = sd_event_source_disable_unref(learning->timer);
        if (count_unheard(learning) > 0 &&
            pool_start(learning->pool, JOB_LEARNING, NULL, NULL, -1) < 0)
                learning_watch(learning);
        return 0;
}

void learning_watch(Learning *learning) {
        if (learning->timer)
                return;
        if (count_unheard(learning) == 0) {
                learning->pause = 0;
                return;
        }
        learning->pause = learning->pause > 0 ? MIN_OF(learning->pause * 2, PAUSE_LAST_USEC)
                                              : PAUSE_FIRST_USEC;
        if (sd_event_add_time_relative(learning->event, &learning->timer, CLOCK_MONOTONIC,
                                       learning->pause, 0, on_look, learning) < 0)
                log_error("cannot look again at the leases that learn");
}
