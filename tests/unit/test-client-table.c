/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Tables on terminals and in pipes, widths of characters, and units.
 */

#include "client/table.h"
#include "client/units.h"

#include "test.h"

static const TableColumn columns[] = {
        {"ID"}, {"N", .right = true}, {"NETWORK", .wide = true}, {"NAME", .wide = true}};

static void fill(Table *table) {
        *table = TABLE_OF(columns);
        table_add(table, "rn1");
        table_addf(table, "%d", 7);
        table_add(table, "lab");
        table_add(table, "");
        table_add(table, "rn22");
        table_add(table, "1234");
        table_add(table, "a-long-network");
        table_add_toned(table, TONE_WARN, "the name of a lease");
}

static void assert_printed(const Screen *screen, const char *expected) {
        _cleanup_(table_done) Table table = {};
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);

        assert_true(out);
        fill(&table);
        assert_int_equal(table_print(&table, out, screen), 0);
        fclose(out);
        assert_string_equal(text, expected);
}

/* A pipe gets data and nothing else. */
static void test_pipe(_unused_ void **state) {
        assert_printed(&(Screen){}, "rn1      7  lab             -\n"
                                    "rn22  1234  a-long-network  the name of a lease\n");
}

static void test_terminal(_unused_ void **state) {
        assert_printed(&(Screen){.terminal = true, .legend = true, .width = 80},
                       "ID       N  NETWORK         NAME\n"
                       "rn1      7  lab             -\n"
                       "rn22  1234  a-long-network  the name of a lease\n");
        assert_printed(&(Screen){.terminal = true, .legend = true, .colour = true, .width = 80},
                       "\033[1mID\033[0m       \033[1mN\033[0m  \033[1mNETWORK\033[0m         "
                       "\033[1mNAME\033[0m\n"
                       "rn1      7  lab             -\n"
                       "rn22  1234  a-long-network  \033[33mthe name of a lease\033[0m\n");
}

/* The last column gives way first, the one before it next, and neither vanishes. */
static void test_narrow_terminal(_unused_ void **state) {
        assert_printed(&(Screen){.terminal = true, .width = 40},
                       "rn1      7  lab             -\n"
                       "rn22  1234  a-long-network  the name of\u2026\n");
        assert_printed(&(Screen){.terminal = true, .width = 34},
                       "rn1      7  lab           -\n"
                       "rn22  1234  a-long-netw\u2026  the nam\u2026\n");
        assert_printed(&(Screen){.terminal = true, .width = 10},
                       "rn1      7  lab       -\n"
                       "rn22  1234  a-long-\u2026  the nam\u2026\n");
}

static void test_wide_characters(_unused_ void **state) {
        static const TableColumn two[] = {{"A", .wide = true}, {"B"}};
        static const struct {
                const char *text;
                size_t width;
        } texts[] = {
                {"", 0},        {"abc", 3},        {"\u00fcber", 4}, {"\u6771\u4eac", 4},
                {"e\u0301", 1}, {"\U0001f600", 2}, {"\xff", 1},      {"a\xe6\x9d", 3},
        };
        _cleanup_(table_done) Table table = TABLE_OF(two);
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_int_equal(screen_text_width(texts[i].text), texts[i].width);
        assert_int_equal(screen_text_fit("\u6771\u4eac", 3), 3);
        assert_int_equal(screen_text_fit("e\u0301x", 1), 3);
        assert_true(out);
        table_add(&table, "\u6771\u4eac\u6771\u4eac\u6771\u4eac");
        table_add(&table, "x");
        table_add(&table, "B\u00fcro");
        table_add(&table, "y");
        assert_int_equal(table_print(&table, out, &(Screen){.width = 12}), 0);
        fclose(out);
        /* Nine columns are left for the first: four wide characters would take eight and the dots
         * one. */
        assert_string_equal(text, "\u6771\u4eac\u6771\u4eac\u2026  x\n"
                                  "B\u00fcro       y\n");
}

static void test_bytes(_unused_ void **state) {
        static const struct {
                uint64_t n;
                const char *text, *brief;
        } sizes[] = {
                {0, "0 B", "0"},
                {1023, "1023 B", "1023"},
                {1024, "1.0 KiB", "1.0Ki"},
                {1535, "1.4 KiB", "1.4Ki"},
                {1536, "1.5 KiB", "1.5Ki"},
                {102399, "99.9 KiB", "99.9Ki"},
                {102400, "100 KiB", "100Ki"},
                {1048575, "1023 KiB", "1023Ki"},
                {1048576, "1.0 MiB", "1.0Mi"},
                {UINT64_C(1) << 40, "1.0 TiB", "1.0Ti"},
                {UINT64_MAX, "15.9 EiB", "15.9Ei"},
        };
        char text[UNITS_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                assert_string_equal(units_bytes(sizes[i].n, text), sizes[i].text);
                assert_string_equal(units_short(sizes[i].n, text), sizes[i].brief);
        }
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

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pipe),
                cmocka_unit_test(test_terminal),
                cmocka_unit_test(test_narrow_terminal),
                cmocka_unit_test(test_wide_characters),
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_age),
                cmocka_unit_test(test_rate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
