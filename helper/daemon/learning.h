/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Leases with mac=learn, as the daemon sees them: each keeps a process (learn.c) and a descriptor
 * of the daemon until its guest has sent a frame. This module bounds their number, so that workers,
 * a close among them, always find a process and a descriptor.
 */

#include "helper/daemon/pool.h"
#include "helper/registry.h"

typedef struct Learning {
        sd_event *event;
        Pool *pool;
        const Registry *registry;
        uint64_t pause; /* µs, the last one before a look at learning leases that no child
                           reports; 0: there are none */
        sd_event_source *timer;
} Learning;

/* May one more open with mac=learn begin? 0 or RAWNET_LIMITS_EXCEEDED. */
int learning_check(const Learning *learning, const char *network, Refusal *ret_refusal);

/* A learning child that an earlier daemon started reports to nobody. While there is a lease with
 * such a child, a worker reads its record again, after a second at first and then less and less
 * often. Called whenever there may be one. */
void learning_watch(Learning *learning);
