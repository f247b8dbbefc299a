/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Leases with mac=learn, as the daemon sees them: each keeps a process (learn.c) and a descriptor
 * of the daemon until its guest has sent a frame. They are counted and bounded here, so that
 * workers, a close among them, always find room.
 */

#include "helper/daemon/pool.h"
#include "helper/registry.h"

typedef struct Learning {
        sd_event *event;
        Pool *pool;
        const Registry *registry;
        uint64_t pause; /* µs until leases that learn unheard are looked at again; 0: there are none
                         */
        sd_event_source *timer;
} Learning;

/* May one more open with mac=learn begin? 0 or RAWNET_LIMITS_EXCEEDED. */
int learning_check(const Learning *learning, const char *network, Refusal *ret_refusal);

/* A learning child that an earlier daemon started reports to nobody. While there is such a lease
 * its record is read again, after a second at first and then less and less often. Called whenever
 * one may have appeared. */
void learning_watch(Learning *learning);
