/* SPDX-License-Identifier: GPL-2.0-or-later */

/* When the loop goes by the clock, and when not. */

#include "backend/pace.h"
#include "tests/unit/test.h"

#define PERIOD 100u

/* One frame a round, `gap` µs apart; returns the rounds until it is on, 0: never in 100. */
static unsigned rounds_until_on(Pace *pace, uint64_t *now, unsigned gap, bool sends) {
        for (unsigned i = 1; i <= 100; i++) {
                *now += gap;
                if (pace_note(pace, pace->sent + sends, pace->received + !sends, *now))
                        return i;
        }
        return 0;
}

static void test_streams(_unused_ void **state) {
        for (unsigned sends = 0; sends < 2; sends++) {
                Pace pace = {.period = PERIOD, .sending = true};
                uint64_t now = 1000000;
                unsigned n = rounds_until_on(&pace, &now, PERIOD / 4, sends);

                assert_in_range(n, PACE_STREAK, 2 * PACE_STREAK);
                /* It stays on, also over one gap, and ends with the stream. */
                for (unsigned i = 0; i < 50; i++) {
                        now += PERIOD;
                        assert_true(pace_note(&pace, pace.sent + 3 * sends, pace.received + 3 * !sends, now));
                        assert_true(pace_note(&pace, pace.sent, pace.received, now));
                }
                assert_true(pace_note(&pace, pace.sent + sends, pace.received + !sends, now));
                assert_true(pace_note(&pace, pace.sent, pace.received, now));
                assert_false(pace_note(&pace, pace.sent, pace.received, now));
                assert_false(pace_note(&pace, pace.sent + sends, pace.received + !sends, now));
        }
}

static void test_the_other_direction_ends_it(_unused_ void **state) {
        Pace pace = {.period = PERIOD};
        uint64_t now = 1000000;

        assert_int_not_equal(rounds_until_on(&pace, &now, 10, true), 0);
        assert_false(pace_note(&pace, pace.sent, pace.received + 1, ++now));
        assert_int_not_equal(rounds_until_on(&pace, &now, 10, true), 0);
        assert_false(pace_note(&pace, pace.sent + 1, pace.received + 1, ++now));
}

static void test_never(_unused_ void **state) {
        Pace slow = {.period = PERIOD}, off = {}, alternating = {.period = PERIOD};
        uint64_t now = 1000000;

        assert_int_equal(rounds_until_on(&slow, &now, PERIOD / 2 + 1, true), 0);
        assert_int_equal(rounds_until_on(&off, &now, 1, true), 0);
        for (unsigned i = 0; i < 100; i++)
                assert_false(pace_note(&alternating, (i + 1) / 2, i / 2, ++now));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_streams),
                cmocka_unit_test(test_the_other_direction_ends_it),
                cmocka_unit_test(test_never),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
