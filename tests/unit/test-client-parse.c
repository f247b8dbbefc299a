/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Lease IDs, booleans, seconds and shell quoting of the clients.
 */

#include "client/parse.h"

#include "test.h"

#define SECOND UINT64_C(1000000)

static void test_lease_id(_unused_ void **state) {
        static const struct {
                const char *text;
                uint32_t id;
        } good[] = {
                {"65536", 0x10000},         {"rn10000", 0x10000},       {"2147483647", 0x7fffffff},
                {"rn7fffffff", 0x7fffffff}, {"rn7FFFFFFF", 0x7fffffff}, {"rn0001a2b3", 0x1a2b3},
        };
        static const char *const bad[] = {
                "",         "rn",       "-65536",          "+65536",  " 65536",
                "65536 ",   "0x10000",  "1a2b3c",          "rn1a2g",  "RN10000",
                "rn-10000", "rn 10000", "rn1000000010000", "rnv10000"};
        /* Written like an id, and no lease has it. */
        static const char *const none[] = {
                "0",      "1",          "65535",      "rn1",
                "rnffff", "2147483648", "rn80000000", "99999999999999999999"};
        char text[LEASE_ID_TEXT_SIZE];
        uint32_t id;

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                id = 0;
                assert_int_equal(lease_id_parse(good[i].text, &id), 0);
                assert_int_equal(id, good[i].id);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                id = 7;
                assert_int_equal(lease_id_parse(bad[i], &id), -EINVAL);
                assert_int_equal(id, 7);
        }
        for (size_t i = 0; i < ARRAY_SIZE(none); i++)
                assert_int_equal(lease_id_parse(none[i], &id), -ERANGE);
        assert_string_equal(lease_id_format(0x1a2b3c, text), "rn1a2b3c");
        assert_string_equal(lease_id_format(RAWNET_ID_MAX, text), "rn7fffffff");
}

static void test_bool(_unused_ void **state) {
        static const char *const yes[] = {"on", "yes", "true", "y", "1", "ON", "True"};
        static const char *const no[] = {"off", "no", "false", "n", "0", "OFF"};
        static const char *const bad[] = {"", "2", "onn", " on", "j", "truefalse"};
        bool value;

        for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
                value = false;
                assert_int_equal(parse_bool(yes[i], &value), 0);
                assert_true(value);
        }
        for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
                value = true;
                assert_int_equal(parse_bool(no[i], &value), 0);
                assert_false(value);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(parse_bool(bad[i], &value), -EINVAL);
}

static void check_quoted(const char *text, const char *expected) {
        _cleanup_free_ char *quoted = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&quoted, &size);

        assert_non_null(out);
        shell_quote(out, text);
        fclose(out);
        assert_string_equal(quoted, expected);
}

static void test_shell_quote(_unused_ void **state) {
        check_quoted("virtio-net-pci,netdev=n0", "virtio-net-pci,netdev=n0");
        check_quoted("", "''");
        check_quoted("a b", "'a b'");
        check_quoted("it's", "'it'\\''s'");
        check_quoted("{\"a\":1}", "'{\"a\":1}'");
        check_quoted("$HOME", "'$HOME'");
        check_quoted("~x", "'~x'");
        check_quoted("a\nb", "'a\nb'");
        check_quoted("w\xc3\xb6rk", "'w\xc3\xb6rk'");
}

static void test_seconds(_unused_ void **state) {
        static const struct {
                const char *text;
                int r;
                uint64_t usec;
        } times[] = {
                {"1", 0, SECOND},
                {"0.5", 0, SECOND / 2},
                {"3600", 0, 3600 * SECOND},
                {"0.100000", 0, SECOND / 10},
                {"10.25", 0, 10 * SECOND + SECOND / 4},
                {"0.099999", -ERANGE, 0},
                {"3600.000001", -ERANGE, 0},
                {"99999999999999999999", -ERANGE, 0},
                {"", -EINVAL, 0},
                {".5", -EINVAL, 0},
                {"1.", -EINVAL, 0},
                {"1s", -EINVAL, 0},
                {"-1", -EINVAL, 0},
                {"1.0000000", -EINVAL, 0},
                {"1.5.5", -EINVAL, 0},
                {"1e3", -EINVAL, 0},
        };

        for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
                uint64_t usec = 7;

                assert_int_equal(parse_seconds(times[i].text, SECOND / 10, 3600 * SECOND, &usec),
                                 times[i].r);
                assert_int_equal(usec, times[i].r == 0 ? times[i].usec : 7);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lease_id),
                cmocka_unit_test(test_bool),
                cmocka_unit_test(test_seconds),
                cmocka_unit_test(test_shell_quote),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
