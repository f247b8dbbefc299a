/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <systemd/sd-event.h>
#include <time.h>

#include "common/drop.h"
#include "common/log.h"
#include "common/names.h"
#include "service/refusal-log.h"
#include "test.h"

#define SECOND UINT64_C(1000000)

/* The time, µs, and what was logged. The event loop's own clock is far ahead of that time, so a
 * timer is due in its next round. */
static struct {
        uint64_t now;
        unsigned n_lines;
        char text[192];
        LogEvent event;
} fake;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        *ret = (struct timespec){.tv_sec = (time_t)(fake.now / SECOND),
                                 .tv_nsec = (long)(fake.now % SECOND) * 1000};
        return 0;
}

_printf_(2, 3) void __wrap_log_event(const LogEvent *event, const char *format, ...);
void __wrap_log_event(const LogEvent *event, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vsnprintf(fake.text, sizeof(fake.text), format, ap);
        va_end(ap);
        fake.event = *event;
        fake.n_lines++;
}

typedef struct Fixture {
        sd_event *event;
        RefusalLog *log;
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        memset(&fake, 0, sizeof(fake));
        fake.now = 1;
        assert_return_code(sd_event_new(&f->event), 0);
        assert_return_code(refusal_log_new(f->event, &f->log), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        refusal_log_free(f->log);
        sd_event_unref(f->event);
        free(f);
        return 0;
}

/* Lets time pass; the lines that are logged at its end. */
static unsigned pass(Fixture *f, uint64_t usec) {
        unsigned before = fake.n_lines;

        fake.now += usec;
        assert_return_code(sd_event_run(f->event, 0), 0);
        return fake.n_lines - before;
}

static void test_first_then_a_count(void **state) {
        Fixture *f = *state;

        assert_true(refusal_log_wants(f->log, 1000, LOGGED_REFUSAL));
        for (unsigned i = 0; i < 100000; i++)
                assert_false(refusal_log_wants(f->log, 1000, LOGGED_REFUSAL));
        assert_int_equal(pass(f, 9 * SECOND), 0);
        assert_int_equal(pass(f, 2 * SECOND), 1);
        assert_string_equal(fake.text, "refused 100000 more requests by user 1000");
        assert_int_equal(fake.event.uid, 1000);
        assert_int_equal(fake.event.level, LOG_INFO);
        assert_string_equal(fake.event.message_id, RAWNET_EVENT_REFUSED);
        /* The flood goes on: one line an interval. */
        assert_false(refusal_log_wants(f->log, 1000, LOGGED_REFUSAL));
        assert_int_equal(pass(f, 11 * SECOND), 1);
        assert_string_equal(fake.text, "refused 1 more request by user 1000");
        /* It is over: nothing more, and the next one is a first one. */
        assert_int_equal(pass(f, 11 * SECOND), 0);
        assert_true(refusal_log_wants(f->log, 1000, LOGGED_REFUSAL));
}

static void test_users_and_the_kernel_by_themselves(void **state) {
        Fixture *f = *state;

        assert_true(refusal_log_wants(f->log, 1000, LOGGED_REFUSAL));
        assert_true(refusal_log_wants(f->log, 1001, LOGGED_REFUSAL));
        assert_true(refusal_log_wants(f->log, 1000, LOGGED_KERNEL_REFUSAL));
        assert_false(refusal_log_wants(f->log, 1000, LOGGED_KERNEL_REFUSAL));
        assert_int_equal(pass(f, 11 * SECOND), 1);
        assert_int_equal(fake.event.level, LOG_WARNING);
        assert_string_equal(fake.event.message_id, RAWNET_EVENT_KERNEL_REFUSED);
}

static void test_many_users(void **state) {
        Fixture *f = *state;
        unsigned n = 0;

        for (uint32_t uid = 1; uid <= 1000; uid++)
                n += refusal_log_wants(f->log, uid, LOGGED_REFUSAL);
        assert_int_equal(n, 256);
        assert_int_equal(pass(f, 11 * SECOND), 1);
        assert_string_equal(fake.text, "refused 744 more requests by other users");
        assert_int_equal(fake.event.uid, -1);
        assert_true(refusal_log_wants(f->log, 2000, LOGGED_REFUSAL));
}

static void test_the_end_loses_nothing(void **state) {
        Fixture *f = *state;

        for (unsigned i = 0; i < 4; i++)
                (void)refusal_log_wants(f->log, 1000, LOGGED_REFUSAL);
        refusal_log_free(f->log);
        assert_string_equal(fake.text, "refused 3 more requests by user 1000");
        assert_return_code(refusal_log_new(f->event, &f->log), 0);
}

/* Of frames the first few: each is about another lease or reason. */
static void test_drops(void **state) {
        Fixture *f = *state;
        const unsigned few = 2 * DROP_REASONS;

        for (unsigned i = 0; i < few; i++)
                assert_true(refusal_log_wants(f->log, 1000, LOGGED_DROP));
        for (unsigned i = 0; i < 5; i++)
                assert_false(refusal_log_wants(f->log, 1000, LOGGED_DROP));
        /* Others are not concerned, nor are requests. */
        assert_true(refusal_log_wants(f->log, 1001, LOGGED_DROP));
        assert_true(refusal_log_wants(f->log, 1000, LOGGED_REFUSAL));
        assert_int_equal(pass(f, 11 * SECOND), 1);
        assert_string_equal(fake.text,
                            "left out 5 more entries about frames that the guard dropped on leases "
                            "of user 1000; rawnetctl stat shows what it dropped on a lease");
        assert_string_equal(fake.event.message_id, RAWNET_EVENT_DROPPED);
        assert_int_equal(fake.event.level, LOG_NOTICE);
        assert_int_equal(fake.event.uid, 1000);
        assert_int_equal(pass(f, 11 * SECOND), 0);
        assert_true(refusal_log_wants(f->log, 1000, LOGGED_DROP));
        /* Of more users than there is room for, each kind is counted by itself. */
        for (uint32_t uid = 1; uid <= 255; uid++)
                assert_true(refusal_log_wants(f->log, uid, LOGGED_REFUSAL));
        assert_false(refusal_log_wants(f->log, 3000, LOGGED_DROP));
        assert_false(refusal_log_wants(f->log, 3000, LOGGED_KERNEL_REFUSAL));
        assert_int_equal(pass(f, 11 * SECOND), 2);
        assert_string_equal(fake.text,
                            "left out 1 more entry about frames that the guard dropped on leases "
                            "of other users; rawnetctl stat shows what it dropped on a lease");
}

static void test_limit(_unused_ void **state) {
        LogLimit limit = {};
        unsigned n = 7;

        assert_true(log_limit_pass(&limit, &n));
        assert_int_equal(n, 0);
        fake.now += LOG_LIMIT_USEC - 1;
        for (unsigned i = 0; i < 5; i++)
                assert_false(log_limit_pass(&limit, &n));
        fake.now++;
        assert_true(log_limit_pass(&limit, &n));
        assert_int_equal(n, 5);
        assert_false(log_limit_pass(&limit, &n));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_first_then_a_count, setup, teardown),
                cmocka_unit_test_setup_teardown(test_users_and_the_kernel_by_themselves, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_many_users, setup, teardown),
                cmocka_unit_test_setup_teardown(test_the_end_loses_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_drops, setup, teardown),
                cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
