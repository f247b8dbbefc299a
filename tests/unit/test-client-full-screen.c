/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The keys that a terminal sends. */

#include "client/full-screen.h"
#include "test.h"

static void test_keys(_unused_ void **state) {
        static const struct {
                const char *bytes;
                int key;
                size_t used;
        } keys[] = {
                {"q", 'q', 1},
                {"\033[A", KEY_UP, 3},
                {"\033[Bx", KEY_DOWN, 3},
                {"\033[5~", KEY_PAGE_UP, 4},
                {"\033[6~q", KEY_PAGE_DOWN, 4},
                {"\033", 0, 1},
                {"\033[", 0, 2},
                {"\033[1;5Cq", 0, 6},
                {"\033q", 0, 1},
                {"\xc3", 0xc3, 1},
                {"\033[200~", 0, 6},
        };
        size_t used;

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                assert_int_equal(full_screen_key(keys[i].bytes, strlen(keys[i].bytes), &used),
                                 keys[i].key);
                assert_int_equal(used, keys[i].used);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
