/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/statistics.h"

#include <string.h>

#include "common/drop.h"
#include "tests/unit/test.h"

static void test_names(_unused_ void **state) {
        for (size_t i = 0; i < DROP_REASONS; i++) {
                assert_string_equal(drop_text_of(drop_name(i)), drop_text(i));
                for (size_t k = 0; k < i; k++) {
                        assert_string_not_equal(drop_name(i), drop_name(k));
                        assert_string_not_equal(drop_text(i), drop_text(k));
                }
        }
        assert_string_equal(drop_name(DROP_SPOOFED_SOURCE), "spoofed_source");
        assert_string_equal(drop_text(DROP_VLAN_TAG), "VLAN tag");
        assert_null(drop_name(DROP_REASONS));
        assert_null(drop_text(SIZE_MAX));
        assert_null(drop_text_of(""));
        assert_null(drop_text_of("spoofed source"));
}

/* Those of the guard and the kernel's, and no other counter. */
static void test_sums(_unused_ void **state) {
        Counter counters[] = {{(char *)"rx_packets", 100},
                              {(char *)"rx_dropped", 1},
                              {(char *)"tx_dropped", 2},
                              {(char *)"rx_errors", 200},
                              {(char *)"guard_dropped_spoofed_source", 4},
                              {(char *)"guard_dropped_", 8},
                              {(char *)"guard_dropped_of_tomorrow", 16},
                              {(char *)"guard_droppe", 400},
                              {(char *)"x_guard_dropped_server", 800}};
        const Statistics statistics = {counters, ARRAY_SIZE(counters)}, none = {};

        assert_int_equal(statistics_get(&statistics, "rx_packets"), 100);
        assert_int_equal(statistics_get(&statistics, "guard_dropped_server"), 0);
        assert_int_equal(statistics_guard_dropped(&statistics), 28);
        assert_int_equal(statistics_dropped(&statistics), 31);
        assert_int_equal(statistics_dropped(&none), 0);
}

static void check_text(const Statistics *statistics, const char *expected) {
        char *text;

        assert_int_equal(statistics_guard_text(statistics, &text), 0);
        assert_string_equal(text, expected);
        free(text);
}

static void test_text(_unused_ void **state) {
        Counter counters[] = {{(char *)"rx_dropped", 1},
                              {(char *)"guard_dropped_spoofed_source", 12},
                              {(char *)"guard_dropped_vlan_tag", 3},
                              {(char *)"guard_dropped_server", 0},
                              {(char *)"guard_dropped_of_tomorrow", UINT64_MAX}};

        check_text(&(Statistics){}, "");
        check_text(&(Statistics){counters, 1}, "");
        check_text(&(Statistics){counters, 2}, "12 spoofed source");
        check_text(&(Statistics){counters, 4}, "12 spoofed source, 3 VLAN tag");
        check_text(&(Statistics){counters, 5},
                   "12 spoofed source, 3 VLAN tag, 18446744073709551615 of tomorrow");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_sums),
                cmocka_unit_test(test_text),
        };

        return cmocka_run_group_tests_name("client-statistics", tests, NULL, NULL);
}
