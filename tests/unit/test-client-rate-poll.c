/* SPDX-License-Identifier: GPL-2.0-or-later */

/* rawnetctl top: how many calls are open, and what becomes of their answers. The test sets the time
 * and answers for rawnetd. */

#include <time.h>

#include "client/rate-poll.h"
#include "fake-bus.h"
#include "test.h"

#define SECOND UINT64_C(1000000)

static void fill(RateTable *table, uint32_t n) {
        for (uint32_t i = n; i > 0; i--)
                assert_int_equal(rate_table_add(table, i, i * 100), 0);
        assert_int_equal(table->n, n);
}

/* What rawnetd answers. */
static enum {
        ANSWERS,
        NO_SUCH_LEASE,
        FAILS
} how;
static uint64_t now = 10 * SECOND;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        *ret = (struct timespec){.tv_sec = (time_t)(now / SECOND),
                                 .tv_nsec = (long)(now % SECOND) * 1000};
        return 0;
}

int __wrap_sd_bus_message_is_method_error(sd_bus_message *m, const char *name);
int __wrap_sd_bus_message_is_method_error(sd_bus_message *m, const char *name) {
        return name ? how == NO_SUCH_LEASE : how != ANSWERS;
}

int __wrap_sd_bus_message_get_errno(sd_bus_message *m);
int __wrap_sd_bus_message_get_errno(sd_bus_message *m) {
        return EIO;
}

const sd_bus_error *__wrap_sd_bus_message_get_error(sd_bus_message *m);
const sd_bus_error *__wrap_sd_bus_message_get_error(sd_bus_message *m) {
        static const sd_bus_error error =
                SD_BUS_ERROR_MAKE_CONST("org.rawnet1.Error.HelperUnavailable", "out of order");

        return how == FAILS ? &error : NULL;
}

int __wrap_statistics_read(sd_bus_message *m, Statistics *ret);
int __wrap_statistics_read(sd_bus_message *m, Statistics *ret) {
        *ret = (Statistics){};
        return 0;
}

static uint64_t pause_end;

/* A pause is over as soon as the events are looked at. */
int __real_sd_event_source_set_time(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t usec) {
        pause_end = usec;
        return __real_sd_event_source_set_time(source, 1);
}

/* The oldest call gets its answer. */
static void answer(void) {
        now += 100;
        assert_string_equal(fake_bus.member, "GetStatistics");
        assert_int_equal(fake_bus_answer(), 0);
}

static unsigned n_rounds;
static Refusal reported;

static void on_done(void *userdata, const Refusal *refusal) {
        n_rounds++;
        reported = refusal ? *refusal : (Refusal){};
}

typedef struct Polled {
        RateTable table;
        RatePoll *poll;
        sd_event *event;
} Polled;

static void polled_done(Polled *p) {
        rate_poll_free(p->poll);
        rate_table_done(&p->table);
        sd_event_unref(p->event);
}

static void polled_make(Polled *p, uint32_t n) {
        *p = (Polled){};
        fill(&p->table, n);
        assert_true(sd_event_new(&p->event) >= 0);
        assert_int_equal(rate_poll_new(NULL, p->event, &p->table, on_done, NULL, &p->poll), 0);
        fake_bus_reset();
        n_rounds = 0;
        how = ANSWERS;
        now += 10 * SECOND;
}

static void test_round(_unused_ void **state) {
        _cleanup_(polled_done) Polled p;

        polled_make(&p, 30);
        assert_int_equal(rate_poll_start(p.poll, 20), 0);
        assert_true(rate_poll_is_running(p.poll));
        while (fake_bus.n_open > 0)
                answer();
        assert_int_equal(n_rounds, 1);
        assert_false(rate_poll_is_running(p.poll));
        assert_int_equal(fake_bus.n_made, 20);
        assert_int_equal(fake_bus.n_open_max, 4);
        assert_int_equal(reported.error, RAWNET_OK);
        assert_true(rate_table_find(&p.table, 20)->sample.usec > 0);
        assert_int_equal(rate_table_find(&p.table, 21)->sample.usec, 0);
        /* The others are next. */
        assert_int_equal(rate_poll_start(p.poll, 20), 0);
        while (fake_bus.n_open > 0)
                answer();
        assert_true(rate_table_find(&p.table, 30)->sample.usec > 0);
        assert_int_equal(n_rounds, 2);
}

static void test_round_of_none(_unused_ void **state) {
        _cleanup_(polled_done) Polled p;

        polled_make(&p, 0);
        assert_int_equal(rate_poll_start(p.poll, 20), 0);
        assert_int_equal(n_rounds, 1);
        assert_false(rate_poll_is_running(p.poll));
}

/* Leases that end while they are asked, before and after their turn. */
static void test_lease_ends_in_a_round(_unused_ void **state) {
        _cleanup_(polled_done) Polled p;

        polled_make(&p, 10);
        assert_int_equal(rate_poll_start(p.poll, 20), 0);
        assert_int_equal(fake_bus.n_open, 4);
        rate_table_remove(&p.table, 1);
        rate_table_remove(&p.table, 9);
        rate_table_remove(&p.table, 10);
        answer();
        how = NO_SUCH_LEASE;
        answer();
        how = ANSWERS;
        while (fake_bus.n_open > 0)
                answer();
        assert_int_equal(fake_bus.n_made, 8);
        assert_int_equal(n_rounds, 1);
        assert_int_equal(reported.error, RAWNET_OK);
        assert_int_equal(rate_table_find(&p.table, 2)->sample.usec, 0);
        assert_true(rate_table_find(&p.table, 8)->sample.usec > 0);
}

/* A service that fails is not asked on and on. */
static void test_round_fails(_unused_ void **state) {
        _cleanup_(polled_done) Polled p;

        polled_make(&p, 30);
        assert_int_equal(rate_poll_start(p.poll, 30), 0);
        answer();
        how = FAILS;
        while (fake_bus.n_open > 0)
                answer();
        assert_int_equal(fake_bus.n_made, 5);
        assert_int_equal(n_rounds, 1);
        assert_int_equal(reported.error, RAWNET_HELPER_UNAVAILABLE);
        assert_string_equal(reported.text, "out of order");
        fake_bus.send_error = -ENOTCONN;
        assert_int_equal(rate_poll_start(p.poll, 30), 0);
        assert_int_equal(n_rounds, 2);
        assert_int_equal(reported.error, RAWNET_HELPER_UNAVAILABLE);
        how = ANSWERS;
        fake_bus.send_error = 0;
        assert_int_equal(rate_poll_start(p.poll, 30), 0);
        while (fake_bus.n_open > 0)
                answer();
        assert_int_equal(n_rounds, 3);
        assert_int_equal(reported.error, RAWNET_OK);
}

/* At most 200 calls in a second, however fast the answers are. */
static void test_call_rate(_unused_ void **state) {
        _cleanup_(polled_done) Polled p;

        polled_make(&p, 450);
        pause_end = now;
        assert_int_equal(rate_poll_start(p.poll, SIZE_MAX), 0);
        for (unsigned seconds = 1; seconds <= 3; seconds++) {
                while (fake_bus.n_open > 0)
                        answer();
                assert_int_equal(fake_bus.n_made, MIN_OF(seconds * 200, 450u));
                assert_int_equal(n_rounds, seconds == 3);
                if (seconds == 3)
                        break;
                assert_true(pause_end >= now && pause_end <= now + SECOND);
                now = pause_end;
                assert_true(sd_event_run(p.event, 0) > 0);
        }
        assert_int_equal(n_rounds, 1);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round),
                cmocka_unit_test(test_round_of_none),
                cmocka_unit_test(test_lease_ends_in_a_round),
                cmocka_unit_test(test_round_fails),
                cmocka_unit_test(test_call_rate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
