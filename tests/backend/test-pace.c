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
                Pace pace = {.longest = PERIOD, .sending = true};
                uint64_t now = 1000000;
                unsigned n = rounds_until_on(&pace, &now, PERIOD / 4, sends);

                assert_between(n, PACE_STREAK, 2 * PACE_STREAK);
                /* It stays on, also over one gap, and ends with the stream. */
                for (unsigned i = 0; i < 50; i++) {
                        now += PERIOD;
                        assert_true(pace_note(&pace, pace.sent + 3 * sends,
                                              pace.received + 3 * !sends, now));
                        assert_true(pace_note(&pace, pace.sent, pace.received, now));
                }
                assert_true(pace_note(&pace, pace.sent + sends, pace.received + !sends, now));
                assert_true(pace_note(&pace, pace.sent, pace.received, now));
                assert_false(pace_note(&pace, pace.sent, pace.received, now));
                assert_false(pace_note(&pace, pace.sent + sends, pace.received + !sends, now));
        }
}

static void test_the_other_direction_ends_it(_unused_ void **state) {
        Pace pace = {.longest = PERIOD};
        uint64_t now = 1000000;

        assert_int_not_equal(rounds_until_on(&pace, &now, 10, true), 0);
        assert_false(pace_note(&pace, pace.sent, pace.received + 1, ++now));
        assert_int_not_equal(rounds_until_on(&pace, &now, 10, true), 0);
        assert_false(pace_note(&pace, pace.sent + 1, pace.received + 1, ++now));
}

static void test_never(_unused_ void **state) {
        Pace slow = {.longest = PERIOD}, off = {}, alternating = {.longest = PERIOD};
        uint64_t now = 1000000;

        assert_int_equal(rounds_until_on(&slow, &now, PERIOD / 2 + 1, true), 0);
        assert_int_equal(rounds_until_on(&off, &now, 1, true), 0);
        for (unsigned i = 0; i < 100; i++)
                assert_false(pace_note(&alternating, (i + 1) / 2, i / 2, ++now));
}

/* A stream of that many frames a millisecond; returns the pause that it comes to. */
static uint32_t settled(Pace *pace, unsigned rate) {
        uint64_t now = 1000000, carry = 0;

        assert_int_not_equal(rounds_until_on(pace, &now, 10, true), 0);
        for (unsigned i = 0; i < 200; i++) {
                /* A look without a pause before it costs some time, too. */
                uint64_t passed = pace->pause ? pace->pause : 20;

                now += passed;
                carry += passed * rate;
                assert_true(pace_note(pace, pace->sent + carry / 1000, 0, now));
                carry %= 1000;
                assert_true(pace->pause <= pace->longest);
        }
        return pace->pause;
}

static void test_pauses(_unused_ void **state) {
        static const struct {
                uint32_t longest;
                unsigned rate; /* frames a millisecond */
                uint32_t min, max;
        } streams[] = {
                {1000, 10, 1000, 1000}, /* as long as it may be: 10 frames */
                {1000, 30, 800, 1000},  {1000, 100, 240, 640},
                {1000, 600, 50, 110},   {1000, 5000, 0, 0}, /* faster than the shortest pause */
                {200, 10, 200, 200},    {30, 100, 30, 30},
        };

        for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
                Pace pace = {.longest = streams[i].longest};

                assert_between(settled(&pace, streams[i].rate), streams[i].min, streams[i].max);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_streams),
                cmocka_unit_test(test_the_other_direction_ends_it),
                cmocka_unit_test(test_never),
                cmocka_unit_test(test_pauses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
