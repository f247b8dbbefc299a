/* SPDX-License-Identifier: GPL-2.0-or-later */

/* When the loop pauses and polls, and for how long. */

#include "backend/coalesce.h"
#include "tests/unit/test.h"

#define PERIOD 100u

/* One frame a round, `gap` µs apart. Returns the rounds until coalescing is on; 0: not in 100. */
static unsigned rounds_until_on(Coalesce *c, uint64_t *now, unsigned gap, bool sends) {
        for (unsigned i = 1; i <= 100; i++) {
                *now += gap;
                if (coalesce_note(c, c->sent + sends, c->received + !sends, *now))
                        return i;
        }
        return 0;
}

static void test_streams(_unused_ void **state) {
        for (unsigned sends = 0; sends < 2; sends++) {
                Coalesce c = {.max_usec = PERIOD, .sending = true};
                uint64_t now = 1000000;
                unsigned n = rounds_until_on(&c, &now, PERIOD / 4, sends);

                assert_between(n, COALESCE_STREAK, 2 * COALESCE_STREAK);
                /* It stays on over one gap, and ends with the stream. */
                for (unsigned i = 0; i < 50; i++) {
                        now += PERIOD;
                        assert_true(coalesce_note(&c, c.sent + 3 * sends, c.received + 3 * !sends,
                                                  now));
                        assert_true(coalesce_note(&c, c.sent, c.received, now));
                }
                assert_true(coalesce_note(&c, c.sent + sends, c.received + !sends, now));
                assert_true(coalesce_note(&c, c.sent, c.received, now));
                assert_false(coalesce_note(&c, c.sent, c.received, now));
                assert_false(coalesce_note(&c, c.sent + sends, c.received + !sends, now));
        }
}

static void test_the_other_direction_ends_it(_unused_ void **state) {
        Coalesce c = {.max_usec = PERIOD};
        uint64_t now = 1000000;

        assert_int_not_equal(rounds_until_on(&c, &now, 10, true), 0);
        assert_false(coalesce_note(&c, c.sent, c.received + 1, ++now));
        assert_int_not_equal(rounds_until_on(&c, &now, 10, true), 0);
        assert_false(coalesce_note(&c, c.sent + 1, c.received + 1, ++now));
}

static void test_never(_unused_ void **state) {
        Coalesce slow = {.max_usec = PERIOD}, off = {}, alternating = {.max_usec = PERIOD};
        uint64_t now = 1000000;

        assert_int_equal(rounds_until_on(&slow, &now, PERIOD / 2 + 1, true), 0);
        assert_int_equal(rounds_until_on(&off, &now, 1, true), 0);
        for (unsigned i = 0; i < 100; i++)
                assert_false(coalesce_note(&alternating, (i + 1) / 2, i / 2, ++now));
}

/* A stream of rate frames a millisecond. Returns the pause that results. */
static uint32_t settled(Coalesce *c, unsigned rate) {
        uint64_t now = 1000000, carry = 0;

        assert_int_not_equal(rounds_until_on(c, &now, 10, true), 0);
        for (unsigned i = 0; i < 200; i++) {
                /* A poll without a pause takes some time, too. */
                uint64_t passed = c->pause ? c->pause : 20;

                now += passed;
                carry += passed * rate;
                assert_true(coalesce_note(c, c->sent + carry / 1000, 0, now));
                carry %= 1000;
                assert_true(c->pause <= c->max_usec);
        }
        return c->pause;
}

static void test_pauses(_unused_ void **state) {
        static const struct {
                uint32_t max_usec;
                unsigned rate; /* frames a millisecond */
                uint32_t min, max;
        } streams[] = {
                {1000, 10, 1000, 1000}, /* the longest pause collects 10 frames */
                {1000, 30, 800, 1000},  {1000, 100, 240, 640},
                {1000, 600, 50, 110},   {1000, 5000, 0, 0}, /* faster than the shortest pause */
                {200, 10, 200, 200},    {30, 100, 30, 30},
        };

        for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
                Coalesce c = {.max_usec = streams[i].max_usec};

                assert_between(settled(&c, streams[i].rate), streams[i].min, streams[i].max);
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
