/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Asks rawnetd for the counters of leases, one GetStatistics() call each. Each call costs the
 * helper a process of its own, so only a few are open at a time, and their number in a second is
 * limited.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "client/rates.h"
#include "common/refusal.h"

/* About a fifth of a processor's time. */
#define RATE_POLL_CALLS_PER_SECOND 200u

typedef struct RatePoll RatePoll;

/* All leases of the round have answered or failed. refusal: NULL, or the first failure other than
 * that a lease has ended meanwhile. */
typedef void (*RatePollDone)(void *userdata, const Refusal *refusal);

/* bus is attached to event. What leases answer goes to table. 0 or -errno. */
int rate_poll_new(sd_bus *bus, sd_event *event, RateTable *table, RatePollDone done, void *userdata,
                  RatePoll **ret);
void rate_poll_free(RatePoll *poll);
static inline void rate_poll_freep(RatePoll **poll) {
        rate_poll_free(*poll);
}

/* Begins a round with at most max leases. done() is called from the event loop, or from here where
 * there is nobody to ask. Returns 0 or -errno. */
int rate_poll_start(RatePoll *poll, size_t max);
bool rate_poll_is_running(const RatePoll *poll);
