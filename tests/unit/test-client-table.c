/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Tables on terminals and in pipes, and widths of characters.
 */

#include "client/table.h"

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

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pipe),
                cmocka_unit_test(test_terminal),
                cmocka_unit_test(test_narrow_terminal),
                cmocka_unit_test(test_wide_characters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
