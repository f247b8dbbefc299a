/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The counters of a lease, seen from the guest: what it received is rx. org.rawnet1(5) has the
 * names.
 */

#include <systemd/sd-bus.h>

#include "common/util.h"

typedef struct Counter {
        char *name; /* printable ASCII */
        uint64_t value;
} Counter;

typedef struct Statistics {
        Counter *counters; /* in the service's order */
        size_t n, n_allocated;
} Statistics;

/* GetStatistics's reply, a{st} at m's position. 0 or -errno; the caller frees with
 * statistics_done(). */
int statistics_read(sd_bus_message *m, Statistics *ret);
void statistics_done(Statistics *statistics);

/* 0 for a counter that the service does not have. */
uint64_t statistics_get(const Statistics *statistics, const char *name);
/* All frames that the guard dropped, for whatever reason. */
uint64_t statistics_guard_dropped(const Statistics *statistics);
/* All frames that were dropped, in both directions: by the guard or by the kernel. */
uint64_t statistics_dropped(const Statistics *statistics);
/* "12 spoofed source, 3 VLAN tag": what the guard dropped, by reason. "" for nothing. Of a reason
 * that is unknown here, the name with blanks. The caller frees. 0 or -errno. */
int statistics_guard_text(const Statistics *statistics, char **ret);
