/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Numbers, ages and times as the clients print them. */

#include "client/units.h"
#include "test.h"

static void test_bytes(_unused_ void **state) {
        static const struct {
                uint64_t n;
                const char *text;
        } sizes[] = {
                {0, "0 B"},
                {1023, "1023 B"},
                {1024, "1.0 KiB"},
                {1535, "1.4 KiB"},
                {1536, "1.5 KiB"},
                {102399, "99.9 KiB"},
                {102400, "100 KiB"},
                {1048575, "1023 KiB"},
                {1048576, "1.0 MiB"},
                {UINT64_C(1) << 40, "1.0 TiB"},
                {UINT64_MAX, "15.9 EiB"},
        };
        char text[UNITS_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
                assert_string_equal(units_bytes(sizes[i].n, text), sizes[i].text);
}

static void test_age(_unused_ void **state) {
        static const struct {
                uint64_t seconds;
                const char *text;
        } ages[] = {
                {0, "0s"},    {59, "59s"},     {60, "1min"},   {3599, "59min"},
                {3600, "1h"}, {172799, "47h"}, {172800, "2d"}, {UINT64_C(86400) * 365, "365d"},
        };
        char text[UNITS_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(ages); i++)
                assert_string_equal(units_age(1000000, (ages[i].seconds + 1) * 1000000, text),
                                    ages[i].text);
        assert_string_equal(units_age(2000000, 1000000, text), "0s");
        assert_string_equal(units_time(0, true, text), "");
        assert_int_equal(strlen(units_time(UINT64_C(1700000000000000), true, text)), 19);
        assert_int_equal(strlen(units_time(UINT64_C(1700000000000000), false, text)), 8);
}

static void test_rate(_unused_ void **state) {
        assert_int_equal(units_rate(100, 0), 0);
        assert_int_equal(units_rate(0, 1000000), 0);
        assert_int_equal(units_rate(100, 500000), 200);
        assert_int_equal(units_rate(1, 3000000), 0);
        assert_int_equal(units_rate(2, 3000000), 1);
        assert_true(units_rate(UINT64_MAX, 1) == UINT64_MAX);
}

static void test_count(_unused_ void **state) {
        static const struct {
                uint64_t n;
                const char *text;
        } counts[] = {
                {0, "0"},
                {999, "999"},
                {1000, "1.0k"},
                {1999, "1.9k"},
                {99999, "99.9k"},
                {100000, "100k"},
                {999999, "999k"},
                {1000000, "1.0M"},
                {1234567890, "1.2G"},
                {UINT64_MAX, "18.4E"},
        };
        char text[UNITS_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
                assert_string_equal(units_count(counts[i].n, text), counts[i].text);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_age),
                cmocka_unit_test(test_rate),
                cmocka_unit_test(test_count),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
