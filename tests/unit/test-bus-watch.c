/* SPDX-License-Identifier: GPL-2.0-or-later */

/* When a bus takes nothing, and when it only answers late. What the kernel says of the socket, and
 * the bus's answers, are the test's; timers are over at once. */

#include <linux/sockios.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "service/bus-watch.h"
#include "fake-bus.h"
#include "test.h"

static unsigned n_stalled;
static int unread; /* bytes in the socket */
static bool late;  /* the answer is that there is none */

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...) {
        va_list arguments;

        assert_int_equal(request, SIOCOUTQ);
        va_start(arguments, request);
        *va_arg(arguments, int *) = unread;
        va_end(arguments);
        return 0;
}

int __wrap_sd_bus_message_is_method_error(sd_bus_message *m, const char *name);
int __wrap_sd_bus_message_is_method_error(sd_bus_message *m, const char *name) {
        return late;
}

int __real_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec) {
        return __real_sd_event_source_set_time_relative(source, 0);
}

static void on_stalled(void *userdata) {
        n_stalled++;
}

typedef struct Fixture {
        sd_event *event;
        BusWatch *watch;
} Fixture;

static int setup(void **state) {
        static Fixture fixture;

        fake_bus_reset();
        n_stalled = 0;
        unread = 0;
        late = true;
        assert_return_code(sd_event_new(&fixture.event), 0);
        assert_return_code(bus_watch_new(fixture.event, NULL, 0, on_stalled, NULL, &fixture.watch),
                           0);
        *state = &fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        bus_watch_free(fixture->watch);
        sd_event_unref(fixture->event);
        return 0;
}

/* A call arrives, and its question is asked with so many bytes in the socket. */
static void call_and_ask(Fixture *fixture, int bytes) {
        size_t before = fake_bus.n_made;

        bus_watch_call(fixture->watch);
        unread = bytes;
        while (fake_bus.n_made == before)
                assert_return_code(sd_event_run(fixture->event, UINT64_MAX), 0);
}

static void answer(void) {
        assert_int_equal(fake_bus_answer(), 1);
}

static void test_takes_nothing(void **state) {
        Fixture *fixture = *state;

        call_and_ask(fixture, 100);
        unread = 300;
        bus_watch_call(fixture->watch);
        unread = 500;
        answer();
        assert_int_equal(n_stalled, 1);
        /* Once. */
        bus_watch_call(fixture->watch);
        assert_int_equal(fake_bus.n_made, 1);
}

/* All the time something else is on its way. */
static void test_takes_and_answers_late(void **state) {
        Fixture *fixture = *state;

        call_and_ask(fixture, 100);
        unread = 300;
        bus_watch_call(fixture->watch);
        unread = 200;
        bus_watch_call(fixture->watch);
        unread = 500;
        answer();
        assert_int_equal(n_stalled, 0);
        /* What it takes later counts for the next question only. */
        call_and_ask(fixture, 100);
        unread = 300;
        answer();
        assert_int_equal(n_stalled, 1);
}

/* Without calls, too, the socket is looked at. */
static void test_looks_by_time(void **state) {
        Fixture *fixture = *state;

        call_and_ask(fixture, 100);
        unread = 0;
        assert_return_code(sd_event_run(fixture->event, UINT64_MAX), 0);
        unread = 300;
        answer();
        assert_int_equal(n_stalled, 0);
}

static void test_has_taken_all(void **state) {
        Fixture *fixture = *state;

        call_and_ask(fixture, 100);
        unread = 0;
        answer();
        assert_int_equal(n_stalled, 0);
}

static void test_answers(void **state) {
        Fixture *fixture = *state;

        late = false;
        call_and_ask(fixture, 100);
        answer();
        assert_int_equal(n_stalled, 0);
        /* No question without a call: the timer is off. */
        assert_int_equal(sd_event_run(fixture->event, 0), 0);
        assert_int_equal(fake_bus.n_made, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_takes_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_takes_and_answers_late, setup, teardown),
                cmocka_unit_test_setup_teardown(test_looks_by_time, setup, teardown),
                cmocka_unit_test_setup_teardown(test_has_taken_all, setup, teardown),
                cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
