/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/bit-rate.h"

#include <string.h>

#include "test.h"

static void test_parse(_unused_ void **state) {
        static const struct {
                const char *text;
                uint64_t rate;
                const char *shortest;
        } good[] = {
                {"1000000", 1000000, "1M"},
                {"1000K", 1000000, "1M"},
                {"1M", 1000000, "1M"},
                {"1000001", 1000001, "1000001"},
                {"2500K", 2500000, "2500K"},
                {"100M", 100000000, "100M"},
                {"1500M", 1500000000, "1500M"},
                {"1G", 1000000000, "1G"},
                {"100G", 100000000000, "100G"},
                {"100000000K", 100000000000, "100G"},
                {"99999999999", 99999999999, "99999999999"},
        };
        char text[BIT_RATE_TEXT_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                uint64_t rate = 0;

                assert_int_equal(bit_rate_parse(good[i].text, &rate), 0);
                assert_int_equal(rate, good[i].rate);
                assert_true(bit_rate_is_valid(rate));
                assert_string_equal(bit_rate_format(rate, text), good[i].shortest);
        }
        assert_string_equal(bit_rate_format(0, text), "");
        assert_string_equal(bit_rate_format(UINT64_MAX, text), "18446744073709551615");
}

static void test_refused(_unused_ void **state) {
        static const char *const none[] = {"",       "K",    "M",     "10m",  "10k",  "10g",
                                           "10T",    "10MM", "10KM",  "10 M", " 10M", "10M ",
                                           "+10M",   "-10M", "1.5G",  "1e9",  "010M", "0x10M",
                                           "10Mbit", "10Mi", "10M\n", "none", "off",  "10,5M"};
        /* The last ones are small numbers modulo 2 to the 64. */
        static const char *const out[] = {"0",
                                          "1",
                                          "999999",
                                          "999K",
                                          "0M",
                                          "100000000001",
                                          "101G",
                                          "100001M",
                                          "18446744073709551615",
                                          "18446744073709552K",
                                          "18446744073711M",
                                          "18446744074G"};
        uint64_t rate = 7;

        for (size_t i = 0; i < ARRAY_SIZE(none); i++)
                assert_int_equal(bit_rate_parse(none[i], &rate), -EINVAL);
        for (size_t i = 0; i < ARRAY_SIZE(out); i++)
                assert_int_equal(bit_rate_parse(out[i], &rate), -ERANGE);
        /* No number of 64 bits, or of any length. */
        assert_true(bit_rate_parse("99999999999999999999M", &rate) < 0);
        assert_true(bit_rate_parse("9999999999999999999999999999999999999999M", &rate) < 0);
        assert_int_equal(rate, 7);
        assert_false(bit_rate_is_valid(0));
        assert_false(bit_rate_is_valid(999999));
        assert_false(bit_rate_is_valid(UINT64_C(100000000001)));
        assert_false(bit_rate_is_valid(UINT64_MAX));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests_name("bit-rate", tests, NULL, NULL);
}
