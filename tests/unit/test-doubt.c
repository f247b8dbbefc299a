/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a sweep may delete: only what two sweeps found the same way, a second apart. */

#include "helper/doubt.h"
#include "test.h"

#define NOW UINT64_C(5000000)

static bool sweep(Doubts *doubts, uint32_t index, uint64_t file, uint64_t now) {
        bool confirmed = doubts_confirm(doubts, index, file, now);

        doubts_begin(doubts);
        if (!confirmed)
                doubts_note(doubts, index, file, now);
        (void)doubts_end(doubts);
        return confirmed;
}

static void test_twice(_unused_ void **state) {
        Doubts doubts = {};

        assert_false(sweep(&doubts, 7, 1, NOW));
        assert_false(sweep(&doubts, 7, 1, NOW + DOUBT_USEC - 1));
        assert_true(sweep(&doubts, 7, 1, NOW + DOUBT_USEC));
        /* Then it is gone, and a new interface of that index starts anew. */
        assert_int_equal(doubts.n, 0);
        assert_false(sweep(&doubts, 7, 1, NOW + 2 * DOUBT_USEC));
}

static void test_changed_file(_unused_ void **state) {
        Doubts doubts = {};

        assert_false(sweep(&doubts, 7, 1, NOW));
        assert_false(sweep(&doubts, 7, 2, NOW + DOUBT_USEC));
        assert_false(sweep(&doubts, 7, 2, NOW + DOUBT_USEC + 1));
        assert_true(sweep(&doubts, 7, 2, NOW + 2 * DOUBT_USEC));
        /* A clock that steps back confirms nothing. */
        assert_false(sweep(&doubts, 7, 2, NOW));
        assert_false(doubts_confirm(&doubts, 7, 2, NOW - 1));
}

/* A file asked for it in between: the doubt is forgotten. */
static void test_asked_for_again(_unused_ void **state) {
        Doubts doubts = {};

        assert_false(sweep(&doubts, 7, 1, NOW));
        assert_false(sweep(&doubts, 8, 1, NOW + DOUBT_USEC));
        assert_false(sweep(&doubts, 7, 1, NOW + 2 * DOUBT_USEC));
}

static void test_full(_unused_ void **state) {
        Doubts doubts = {};

        doubts_begin(&doubts);
        for (uint32_t i = 1; i <= 2 * DOUBTS_MAX; i++)
                doubts_note(&doubts, i, 1, NOW);
        assert_true(doubts_end(&doubts));
        assert_int_equal(doubts.n, DOUBTS_MAX);
        assert_true(doubts_confirm(&doubts, DOUBTS_MAX, 1, NOW + DOUBT_USEC));
        assert_false(doubts_confirm(&doubts, DOUBTS_MAX + 1, 1, NOW + DOUBT_USEC));
        doubts_begin(&doubts);
        assert_false(doubts_end(&doubts));
        assert_int_equal(doubts.n, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_twice),
                cmocka_unit_test(test_changed_file),
                cmocka_unit_test(test_asked_for_again),
                cmocka_unit_test(test_full),
        };

        return cmocka_run_group_tests_name("doubt", tests, NULL, NULL);
}
