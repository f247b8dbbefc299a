/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The token bucket of opens, and the few bus names that are remembered. */

#include "service/known-names.h"
#include "service/rate.h"
#include "test.h"

#define SECOND UINT64_C(1000000)

static unsigned take_all(RateTable *table, uint32_t uid, uint64_t now) {
        unsigned n = 0;

        while (rate_take(table, uid, now))
                assert_true(++n < 10 * RATE_BURST);
        return n;
}

static void test_burst_and_refill(_unused_ void **state) {
        RateTable *table;

        assert_int_equal(rate_table_new(20, &table), 0);
        assert_int_equal(rate_per_second(table), 20);
        assert_int_equal(take_all(table, 1000, 5 * SECOND), RATE_BURST);
        assert_false(rate_take(table, 1000, 5 * SECOND + SECOND / 20 - 1));
        assert_true(rate_take(table, 1000, 5 * SECOND + SECOND / 20));
        assert_int_equal(take_all(table, 1000, 7 * SECOND), 39);
        /* Never more than the bucket holds. */
        assert_int_equal(take_all(table, 1000, 1000 * SECOND), RATE_BURST);
        rate_table_free(table);
}

static void test_each_user_has_a_bucket(_unused_ void **state) {
        RateTable *table;

        assert_int_equal(rate_table_new(1, &table), 0);
        for (uint32_t uid = 1; uid <= 100; uid++)
                assert_int_equal(take_all(table, uid, SECOND), RATE_BURST);
        /* More users than there is room for: those who have used little are forgotten. */
        for (uint32_t uid = 1000; uid < 5000; uid++)
                assert_true(rate_take(table, uid, SECOND));
        for (uint32_t uid = 1; uid <= 100; uid++)
                assert_false(rate_take(table, uid, SECOND));
        rate_table_free(table);
}

static void test_no_limit(_unused_ void **state) {
        RateTable *table;

        assert_int_equal(rate_table_new(1, &table), 0);
        for (unsigned i = 0; i < 10 * RATE_BURST; i++)
                assert_true(rate_take(table, 0, SECOND));
        rate_table_free(table);
        assert_int_equal(rate_table_new(0, &table), 0);
        for (unsigned i = 0; i < 10 * RATE_BURST; i++)
                assert_true(rate_take(table, 1000, SECOND));
        rate_table_free(table);
}

static void test_known_names(_unused_ void **state) {
        static KnownNames names;
        char name[KNOWN_NAME_SIZE];
        const char *too_long = ":1.184467440737095516150000000000";

        assert_false(known_names_has(&names, ""));
        assert_false(known_names_has(&names, ":1.1"));
        known_names_add(&names, too_long);
        assert_false(known_names_has(&names, too_long));
        for (unsigned i = 0; i <= KNOWN_NAMES_MAX; i++) {
                snprintf(name, sizeof(name), ":1.%u", i);
                known_names_add(&names, name);
                known_names_add(&names, name);
                assert_true(known_names_has(&names, name));
        }
        assert_false(known_names_has(&names, ":1.0"));
        assert_true(known_names_has(&names, ":1.1"));
        known_names_remove(&names, ":1.1");
        known_names_remove(&names, ":1.1");
        known_names_remove(&names, "");
        assert_false(known_names_has(&names, ":1.1"));
        assert_true(known_names_has(&names, ":1.2"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_burst_and_refill),
                cmocka_unit_test(test_each_user_has_a_bucket),
                cmocka_unit_test(test_no_limit),
                cmocka_unit_test(test_known_names),
        };

        return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
