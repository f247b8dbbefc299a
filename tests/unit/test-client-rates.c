/* SPDX-License-Identifier: GPL-2.0-or-later */

/* rawnetctl top: rates from counters, their order, and which lease is asked next. */

#include "client/rates.h"

#include "test.h"

#define SECOND UINT64_C(1000000)

static const Sample first = {.usec = SECOND,
                             .rx_bytes = 1000,
                             .rx_frames = 10,
                             .tx_bytes = 2000,
                             .tx_frames = 20,
                             .dropped = 1};

static void test_rates(_unused_ void **state) {
        const Sample after = {.usec = SECOND * 3 / 2,
                              .rx_bytes = 1500,
                              .rx_frames = 15,
                              .tx_bytes = 2000,
                              .tx_frames = 20,
                              .dropped = 3};
        Rates rates;

        rates_between(&first, &after, &rates);
        assert_int_equal(rates.usec, SECOND / 2);
        assert_int_equal(rates.rx_bits, 8000);
        assert_int_equal(rates.rx_frames, 10);
        assert_int_equal(rates.tx_bits, 0);
        assert_int_equal(rates.tx_frames, 0);
        assert_int_equal(rates.dropped, 4);
}

static void assert_unknown(const Sample *before, const Sample *after) {
        Rates rates = {.usec = 1, .rx_bits = 1};

        rates_between(before, after, &rates);
        assert_int_equal(rates.usec, 0);
        assert_int_equal(rates.rx_bits, 0);
}

/* No rate is better than a wrong one. */
static void test_no_rates(_unused_ void **state) {
        Sample after = first;

        assert_unknown(&(Sample){}, &first); /* the first sample */
        assert_unknown(&first, &first);      /* no time between */
        after.usec = first.usec - 1;
        assert_unknown(&first, &after);
        uint64_t *const counters[] = {&after.rx_bytes, &after.rx_frames, &after.tx_bytes,
                                      &after.tx_frames, &after.dropped};
        for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
                after = first;
                after.usec += SECOND;
                (*counters[i])--; /* it went backwards */
                assert_unknown(&first, &after);
        }
}

static void test_extremes(_unused_ void **state) {
        const Sample zero = {.usec = 1};
        Sample after = {.usec = 2, .rx_bytes = UINT64_MAX, .rx_frames = UINT64_MAX};
        Rates rates, total = {};

        rates_between(&zero, &after, &rates);
        assert_true(rates.rx_bits == UINT64_MAX && rates.rx_frames == UINT64_MAX);
        rates_add(&total, &rates);
        rates_add(&total, &rates);
        assert_true(total.rx_bits == UINT64_MAX && total.tx_bits == 0);
        /* One dropped frame in a minute is not none. */
        after = (Sample){.usec = 1 + 60 * SECOND, .dropped = 1};
        rates_between(&zero, &after, &rates);
        assert_int_equal(rates.dropped, 1);
}

static void test_order(_unused_ void **state) {
        const Rates busy = {.usec = 1, .rx_bits = 9, .tx_frames = 1},
                    sends = {.usec = 1, .tx_bits = 5, .tx_frames = 9, .dropped = 1}, unknown = {};
        RateOrder order;

        assert_true(rates_compare(&busy, &sends, RATE_ORDER_TOTAL) < 0);
        assert_true(rates_compare(&busy, &sends, RATE_ORDER_RECEIVED) < 0);
        assert_true(rates_compare(&busy, &sends, RATE_ORDER_SENT) > 0);
        assert_true(rates_compare(&busy, &sends, RATE_ORDER_FRAMES) > 0);
        assert_true(rates_compare(&busy, &sends, RATE_ORDER_DROPPED) > 0);
        assert_int_equal(rates_compare(&busy, &busy, RATE_ORDER_TOTAL), 0);
        assert_true(rates_compare(&unknown, &busy, RATE_ORDER_DROPPED) > 0);
        assert_true(rates_compare(&busy, &unknown, RATE_ORDER_DROPPED) < 0);
        for (unsigned i = 0; i < RATE_ORDER_COUNT; i++) {
                assert_int_equal(rate_order_from_string(rate_order_to_string((RateOrder)i), &order),
                                 0);
                assert_int_equal(order, i);
        }
        assert_int_equal(rate_order_from_string("", &order), -EINVAL);
        assert_int_equal(rate_order_from_string("Total", &order), -EINVAL);
}

static void fill(RateTable *table, uint32_t n) {
        for (uint32_t i = n; i > 0; i--)
                assert_int_equal(rate_table_add(table, i, i * 100), 0);
        assert_int_equal(table->n, n);
}

static void test_table(_unused_ void **state) {
        _cleanup_(rate_table_done) RateTable table = {};
        Sample sample = first;

        fill(&table, 40);
        for (uint32_t i = 1; i <= 40; i++)
                assert_int_equal(rate_table_find(&table, i)->since, i * 100);
        assert_null(rate_table_find(&table, 41));
        assert_null(rate_table_find(&table, 0));
        rate_table_take(&table, 7, 700, &sample);
        assert_int_equal(rate_table_find(&table, 7)->rates.usec, 0);
        sample.usec += SECOND;
        sample.rx_frames += 3;
        rate_table_take(&table, 7, 700, &sample);
        assert_int_equal(rate_table_find(&table, 7)->rates.rx_frames, 3);
        /* The same moment once more takes nothing away. */
        rate_table_take(&table, 7, 700, &sample);
        assert_int_equal(rate_table_find(&table, 7)->rates.rx_frames, 3);
        /* No answer. The next one counts from the last sample. */
        rate_table_take(&table, 7, 700, NULL);
        assert_int_equal(rate_table_find(&table, 7)->rates.usec, 0);
        sample.usec += 3 * SECOND;
        sample.rx_frames += 9;
        rate_table_take(&table, 7, 700, &sample);
        assert_int_equal(rate_table_find(&table, 7)->rates.rx_frames, 3);
        /* The answer of a lease that has ended since, and of one whose number another one has. */
        rate_table_remove(&table, 7);
        rate_table_remove(&table, 7);
        assert_int_equal(table.n, 39);
        rate_table_take(&table, 7, 700, &sample);
        assert_null(rate_table_find(&table, 7));
        assert_int_equal(rate_table_add(&table, 7, 9999), 0);
        rate_table_take(&table, 7, 700, &sample);
        assert_int_equal(rate_table_find(&table, 7)->sample.usec, 0);
        assert_int_equal(rate_table_add(&table, 8, 8888), 0);
        assert_int_equal(table.n, 40);
        assert_int_equal(rate_table_find(&table, 8)->since, 8888);
}

static void assert_next(const RateTable *table, size_t max, size_t n, const uint32_t *expected) {
        _cleanup_free_ uint32_t *ids = NULL;
        size_t n_ids;

        assert_int_equal(rate_table_next(table, max, &ids, &n_ids), 0);
        assert_int_equal(n_ids, n);
        assert_memory_equal(ids, expected, n * sizeof(*ids));
}

static void test_next(_unused_ void **state) {
        _cleanup_(rate_table_done) RateTable table = {};

        assert_next(&table, 10, 0, (const uint32_t[]){0});
        fill(&table, 6);
        assert_next(&table, 10, 6, (const uint32_t[]){1, 2, 3, 4, 5, 6});
        rate_table_find(&table, 1)->asked = 50;
        rate_table_find(&table, 2)->asked = 40;
        assert_next(&table, SIZE_MAX, 6, (const uint32_t[]){3, 4, 5, 6, 2, 1});
        assert_next(&table, 2, 2, (const uint32_t[]){3, 4});
        /* What is shown comes first, and yet one in four is another. */
        for (uint32_t i = 1; i <= 5; i++)
                rate_table_find(&table, i)->shown = true;
        assert_next(&table, 4, 4, (const uint32_t[]){3, 4, 5, 6});
        rate_table_find(&table, 1)->shown = false;
        assert_next(&table, 4, 4, (const uint32_t[]){3, 4, 5, 6});
        rate_table_find(&table, 6)->asked = 60;
        assert_next(&table, 4, 4, (const uint32_t[]){3, 4, 5, 1});
        assert_next(&table, 5, 5, (const uint32_t[]){3, 4, 5, 2, 1});
        assert_next(&table, 0, 0, (const uint32_t[]){0});
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rates),    cmocka_unit_test(test_no_rates),
                cmocka_unit_test(test_extremes), cmocka_unit_test(test_order),
                cmocka_unit_test(test_table),    cmocka_unit_test(test_next),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
