/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/rates.h"

#include <string.h>

#include "client/units.h"

static const char *const order_names[] = {
        [RATE_ORDER_TOTAL] = "total",     [RATE_ORDER_RECEIVED] = "received",
        [RATE_ORDER_SENT] = "sent",       [RATE_ORDER_FRAMES] = "frames",
        [RATE_ORDER_DROPPED] = "dropped", [RATE_ORDER_NAME] = "name",
};

void sample_of(const Statistics *statistics, uint64_t usec, Sample *ret) {
        *ret = (Sample){
                .usec = usec,
                .rx_bytes = statistics_get(statistics, "rx_bytes"),
                .rx_frames = statistics_get(statistics, "rx_packets"),
                .tx_bytes = statistics_get(statistics, "tx_bytes"),
                .tx_frames = statistics_get(statistics, "tx_packets"),
                .dropped = statistics_dropped(statistics),
        };
}

static uint64_t bits_per_second(uint64_t bytes, uint64_t usec) {
        uint64_t bits;

        if (__builtin_mul_overflow(bytes, UINT64_C(8), &bits))
                bits = UINT64_MAX;
        return units_rate(bits, usec);
}

void rates_between(const Sample *before, const Sample *after, Rates *ret) {
        uint64_t usec, dropped;

        *ret = (Rates){};
        if (before->usec == 0 || after->usec <= before->usec)
                return;
        if (after->rx_bytes < before->rx_bytes || after->rx_frames < before->rx_frames ||
            after->tx_bytes < before->tx_bytes || after->tx_frames < before->tx_frames ||
            after->dropped < before->dropped)
                return;
        usec = after->usec - before->usec;
        dropped = after->dropped - before->dropped;
        *ret = (Rates){
                .usec = usec,
                .rx_bits = bits_per_second(after->rx_bytes - before->rx_bytes, usec),
                .rx_frames = units_rate(after->rx_frames - before->rx_frames, usec),
                .tx_bits = bits_per_second(after->tx_bytes - before->tx_bytes, usec),
                .tx_frames = units_rate(after->tx_frames - before->tx_frames, usec),
                .dropped = MAX_OF(units_rate(dropped, usec), (uint64_t)(dropped > 0)),
        };
}

static uint64_t sum(uint64_t a, uint64_t b) {
        uint64_t both;

        return __builtin_add_overflow(a, b, &both) ? UINT64_MAX : both;
}

void rates_add(Rates *total, const Rates *rates) {
        total->rx_bits = sum(total->rx_bits, rates->rx_bits);
        total->rx_frames = sum(total->rx_frames, rates->rx_frames);
        total->tx_bits = sum(total->tx_bits, rates->tx_bits);
        total->tx_frames = sum(total->tx_frames, rates->tx_frames);
        total->dropped = sum(total->dropped, rates->dropped);
}

const char *rate_order_to_string(RateOrder order) {
        return order_names[order];
}

int rate_order_from_string(const char *name, RateOrder *ret) {
        for (unsigned i = 0; i < RATE_ORDER_COUNT; i++)
                if (strcmp(name, order_names[i]) == 0) {
                        *ret = (RateOrder)i;
                        return 0;
                }
        return -EINVAL;
}

static uint64_t rate_by(const Rates *rates, RateOrder order) {
        switch (order) {
        case RATE_ORDER_RECEIVED:
                return rates->rx_bits;
        case RATE_ORDER_SENT:
                return rates->tx_bits;
        case RATE_ORDER_FRAMES:
                return sum(rates->rx_frames, rates->tx_frames);
        case RATE_ORDER_DROPPED:
                return rates->dropped;
        default:
                return sum(rates->rx_bits, rates->tx_bits);
        }
}

int rates_compare(const Rates *a, const Rates *b, RateOrder order) {
        uint64_t x = rate_by(a, order), y = rate_by(b, order);

        if ((a->usec > 0) != (b->usec > 0))
                return a->usec > 0 ? -1 : 1;
        return x > y ? -1 : x < y;
}

/* The index of id, or the index where it belongs. */
static size_t place_of(const RateTable *table, uint32_t id) {
        size_t low = 0, high = table->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (table->leases[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

RatedLease *rate_table_find(const RateTable *table, uint32_t id) {
        size_t i = place_of(table, id);

        return i < table->n && table->leases[i].id == id ? &table->leases[i] : NULL;
}

int rate_table_add(RateTable *table, uint32_t id, uint64_t since) {
        size_t i = place_of(table, id);

        if (i == table->n || table->leases[i].id != id) {
                if (GROW_ARRAY(table->leases, table->n, table->n_allocated) < 0)
                        return -ENOMEM;
                memmove(table->leases + i + 1, table->leases + i,
                        (table->n++ - i) * sizeof(*table->leases));
        }
        table->leases[i] = (RatedLease){.id = id, .since = since};
        return 0;
}

void rate_table_remove(RateTable *table, uint32_t id) {
        RatedLease *lease = rate_table_find(table, id);
        size_t i = lease ? (size_t)(lease - table->leases) : 0;

        if (lease)
                memmove(lease, lease + 1, (--table->n - i) * sizeof(*lease));
}

void rate_table_take(RateTable *table, uint32_t id, uint64_t since, const Sample *sample) {
        RatedLease *lease = rate_table_find(table, id);

        if (!lease || lease->since != since)
                return;
        if (!sample)
                lease->rates = (Rates){};
        else if (sample->usec != lease->sample.usec) {
                rates_between(&lease->sample, sample, &lease->rates);
                lease->sample = *sample;
        }
}

static int compare_turns(const void *a, const void *b) {
        const RatedLease *x = *(RatedLease *const *)a, *y = *(RatedLease *const *)b;

        if (x->shown != y->shown)
                return x->shown ? -1 : 1;
        if (x->asked != y->asked)
                return x->asked < y->asked ? -1 : 1;
        return x->id < y->id ? -1 : x->id > y->id;
}

int rate_table_next(const RateTable *table, size_t max, uint32_t **ret, size_t *ret_n) {
        _cleanup_free_ const RatedLease **turns = calloc(table->n + 1, sizeof(*turns));
        uint32_t *ids = calloc(table->n + 1, sizeof(*ids));
        size_t n_shown = 0, n_first, n_others;

        if (!turns || !ids) {
                free(ids);
                return -ENOMEM;
        }
        for (size_t i = 0; i < table->n; i++)
                turns[i] = &table->leases[i];
        qsort(turns, table->n, sizeof(*turns), compare_turns);
        while (n_shown < table->n && turns[n_shown]->shown)
                n_shown++;
        n_first = MIN_OF(n_shown, max);
        n_others = MIN_OF(table->n - n_shown, max - n_first);
        /* Leases that are not shown are asked, too: one of them may be the busiest by now. */
        if (n_others < max / 4 && n_others < table->n - n_shown) {
                n_others = MIN_OF(table->n - n_shown, max / 4);
                n_first = MIN_OF(n_shown, max - n_others);
        }
        for (size_t i = 0; i < n_first + n_others; i++)
                ids[i] = turns[i < n_first ? i : n_shown + i - n_first]->id;
        *ret = ids;
        *ret_n = n_first + n_others;
        return 0;
}

void rate_table_done(RateTable *table) {
        free(table->leases);
        *table = (RateTable){};
}
