/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What rawnetd has counted since it started, for each network file: ports opened and ended, requests
 * refused, and what the guests have received and sent. No bus, no side effects.
 *
 * No number here falls. A lease takes its counters along when its namespace goes. So what counts is
 * how much they have grown from one look at them to the next (counts_read()), and what a lease
 * counts between the last look and its end is missing. The number of networks is bounded by the
 * files that root has written: no request makes a new one.
 */

#include "common/ipc.h"
#include "common/refusal.h"

/* Why leases end: Ended's reasons, org.rawnet1(5). */
typedef enum CountedEnd {
        COUNTED_LAST_FD,
        COUNTED_CLOSED,
        COUNTED_REVOKED,
        COUNTED_LINK_GONE,
        COUNTED_INTERFACE_GONE,
        COUNTED_ENDS
} CountedEnd;

/* The first ones of IpcStatistics.link: rx_packets, tx_packets, rx_bytes, tx_bytes. */
#define COUNTED_TRAFFIC 4u

typedef struct NetworkCounts {
        char name[RAWNET_NETWORK_NAME_MAX + 1]; /* of the file; "": what is about no network */
        uint64_t open[KIND_UNKNOWN + 1];        /* leases now, by kind: counts_leases() */
        uint64_t closed[KIND_UNKNOWN + 1];      /* of leases that a program still holds */
        uint64_t opened[KIND_UNKNOWN + 1];
        uint64_t ended[COUNTED_ENDS];
        uint64_t refused[RAWNET_ERROR_COUNT];
        uint64_t traffic[COUNTED_TRAFFIC];
        uint64_t dropped[DROP_REASONS];
} NetworkCounts;

typedef struct Counts {
        NetworkCounts *networks;
        size_t n, n_allocated;
        uint64_t since; /* µs, CLOCK_REALTIME: all of them were 0 then */
} Counts;

/* A lease's counters at the last look. */
typedef struct SeenCounters {
        bool known; /* false: the lease was opened before rawnetd started, and has not been read */
        uint64_t traffic[COUNTED_TRAFFIC];
        uint64_t dropped[DROP_REASONS];
} SeenCounters;

/* The counts of a network (its file's name, at most 32 characters), made if need be. The pointer is
 * good until the next call. NULL without memory: then something is not counted. */
NetworkCounts *counts_of(Counts *counts, const char *name);
/* The same of a full name ("lab.100"), as leases have it. */
NetworkCounts *counts_of_full(Counts *counts, const char *full_name);

/* name: of a network file that there is, or "". */
void counts_refused(Counts *counts, const char *name, RawnetError error);
/* reason: one of Ended's. */
void counts_ended(NetworkCounts *network, const char *reason);
const char *counted_end_name(CountedEnd end);

/* Adds what has been counted since the last look. A counter that has fallen began anew: the guard's
 * do after an upgrade. */
void counts_read(NetworkCounts *network, SeenCounters *seen, const IpcStatistics *now);

void counts_done(Counts *counts);
