/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What leases receive and send a second: the difference between two samples of their counters.
 * Nothing here speaks to the bus or knows the time.
 */

#include "client/statistics.h"

/* Counters at one moment, seen from the guest. */
typedef struct Sample {
        uint64_t usec; /* CLOCK_MONOTONIC; 0: there is no sample */
        uint64_t rx_bytes, rx_frames, tx_bytes, tx_frames;
        uint64_t dropped; /* frames, both directions */
} Sample;

typedef struct Rates {
        uint64_t usec; /* between the two samples; 0: the rates are not known */
        /* Per second. */
        uint64_t rx_bits, rx_frames, tx_bits, tx_frames;
        uint64_t dropped; /* frames; rounded up, so that a single one does not look like none */
} Rates;

typedef enum RateOrder {
        RATE_ORDER_TOTAL, /* bits in both directions */
        RATE_ORDER_RECEIVED,
        RATE_ORDER_SENT,
        RATE_ORDER_FRAMES,
        RATE_ORDER_DROPPED,
        RATE_ORDER_NAME,
        RATE_ORDER_COUNT,
} RateOrder;

typedef struct RatedLease {
        uint32_t id;
        uint64_t since; /* LeaseObject's: the same id may come again */
        uint64_t asked; /* when its counters were asked for, CLOCK_MONOTONIC in µs; 0: never */
        bool shown;     /* is asked before those that are not */
        Sample sample;  /* the last one */
        Rates rates;
} RatedLease;

typedef struct RateTable {
        RatedLease *leases; /* by id */
        size_t n, n_allocated;
} RateTable;

void sample_of(const Statistics *statistics, uint64_t usec, Sample *ret);

/* The rates are not known where there is no time between the samples, or where a counter has gone
 * backwards: the kernel's, which are those of a device, began anew. */
void rates_between(const Sample *before, const Sample *after, Rates *ret);

/* Adds rates that are known to total. */
void rates_add(Rates *total, const Rates *rates);

/* "total" and so on. */
const char *rate_order_to_string(RateOrder order);
/* 0 or -EINVAL. */
int rate_order_from_string(const char *name, RateOrder *ret);
/* For qsort(3), by any order but RATE_ORDER_NAME: the highest rate first, unknown rates last. */
int rates_compare(const Rates *a, const Rates *b, RateOrder order);

/* Adds a lease without a sample, in place of another one with this id. 0 or -ENOMEM. */
int rate_table_add(RateTable *table, uint32_t id, uint64_t since);
void rate_table_remove(RateTable *table, uint32_t id);
/* NULL: not in the table. Valid until the next lease is added or removed. */
RatedLease *rate_table_find(const RateTable *table, uint32_t id);
/* Stores the reply of a lease; sample NULL: it did not answer, and its rates are not known. The
 * reply of a removed lease is dropped. */
void rate_table_take(RateTable *table, uint32_t id, uint64_t since, const Sample *sample);
/* The ids of at most max leases to ask next: those that are shown first, then others, which get a
 * quarter of max at least. Of both, those come first that were asked longest ago. The caller frees.
 * 0 or -ENOMEM. */
int rate_table_next(const RateTable *table, size_t max, uint32_t **ret, size_t *ret_n);
void rate_table_done(RateTable *table);
