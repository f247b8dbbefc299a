/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/request.h"
#include "test.h"

/*
 * The list of requests while sd-bus's queue is full: what waits and is to run again cannot, and
 * ends, in the middle of a walk along the list. Run with ASan as well, which notices any use of a
 * freed request. Messages are numbers here, nothing looks into them.
 */

#define N 8u

static struct {
        bool queue_is_full, unreachable;
        unsigned n_queued, n_failed[N], n_refused[N];
        const char *sender[N];
} bus;

static sd_bus_message *message(size_t i) {
        return (sd_bus_message *)(uintptr_t)(i + 1);
}

static size_t number(const sd_bus_message *m) {
        return (size_t)(uintptr_t)m - 1;
}

sd_bus_message *__wrap_sd_bus_message_ref(sd_bus_message *m);
sd_bus_message *__wrap_sd_bus_message_ref(sd_bus_message *m) {
        return m;
}

sd_bus_message *__wrap_sd_bus_message_unref(sd_bus_message *m);
sd_bus_message *__wrap_sd_bus_message_unref(sd_bus_message *m) {
        return NULL;
}

int __wrap_sd_bus_message_rewind(sd_bus_message *m, int complete);
int __wrap_sd_bus_message_rewind(sd_bus_message *m, int complete) {
        return 0;
}

const char *__wrap_sd_bus_message_get_sender(sd_bus_message *m);
const char *__wrap_sd_bus_message_get_sender(sd_bus_message *m) {
        return bus.sender[number(m)];
}

const char *__wrap_sd_bus_message_get_member(sd_bus_message *m);
const char *__wrap_sd_bus_message_get_member(sd_bus_message *m) {
        return "OpenTap";
}

int __wrap_sd_bus_enqueue_for_read(sd_bus *b, sd_bus_message *m);
int __wrap_sd_bus_enqueue_for_read(sd_bus *b, sd_bus_message *m) {
        if (bus.queue_is_full)
                return -ENOBUFS;
        bus.n_queued++;
        return 0;
}

int __wrap_sd_bus_reply_method_errno(sd_bus_message *m, int error, const sd_bus_error *e);
int __wrap_sd_bus_reply_method_errno(sd_bus_message *m, int error, const sd_bus_error *e) {
        assert_int_equal(error, -ENOBUFS);
        bus.n_failed[number(m)]++;
        return 0;
}

int __wrap_sd_bus_reply_method_errorf(sd_bus_message *m, const char *name, const char *format, ...);
int __wrap_sd_bus_reply_method_errorf(sd_bus_message *m, const char *name, const char *format,
                                      ...) {
        bus.n_refused[number(m)]++;
        return 0;
}

int __wrap_gate_uid(const Gate *gate, const sd_bus_message *m, uint32_t *ret_uid);
int __wrap_gate_uid(const Gate *gate, const sd_bus_message *m, uint32_t *ret_uid) {
        *ret_uid = 1000;
        return 0;
}

int __wrap_helper_connect(Helper *h, Refusal *ret);
int __wrap_helper_connect(Helper *h, Refusal *ret) {
        return bus.unreachable ? refuse(ret, RAWNET_HELPER_UNAVAILABLE, "unreachable") : 0;
}

static void on_idle(Service *service) {
}

static int setup(void **state) {
        Service *service = calloc(1, sizeof(*service));

        assert_non_null(service);
        memset(&bus, 0, sizeof(bus));
        service->idle = on_idle;
        assert_return_code(sd_event_new(&service->event), 0);
        assert_return_code(requests_start(service), 0);
        assert_return_code(refusal_log_new(service->event, &service->refusals), 0);
        *state = service;
        return 0;
}

static int teardown(void **state) {
        Service *service = *state;

        requests_done(service);
        refusal_log_free(service->refusals);
        counts_done(&service->counts);
        sd_event_unref(service->event);
        free(service);
        return 0;
}

static int wait_step(Request *request, void *userdata, Refusal *ret) {
        request->stage = *(RequestStage *)userdata;
        return 0;
}

/* The newest comes first in the list. */
static Request *add(Service *service, size_t i, RequestStage stage) {
        bus.sender[i] = ":1.1";
        assert_int_equal(request_run(message(i), service, wait_step, &stage), 1);
        return service->requests;
}

/* After a round of the event loop nothing that ended is left. */
static void assert_left(Service *service, unsigned n) {
        unsigned left = 0;

        while (sd_event_run(service->event, 0) > 0)
                ;
        for (const Request *q = service->requests; q; q = q->next)
                left++;
        assert_int_equal(left, n);
}

/* All of them end with an error each, whose end passes a turn that the next in the list was to get.
 */
static void assert_each_failed_once(size_t n) {
        for (size_t i = 0; i < n; i++)
                assert_int_equal(bus.n_failed[i], 1);
}

static void fill(Service *service) {
        for (size_t i = 0; i < N; i += 2) {
                add(service, i, REQUEST_TURN);
                add(service, i + 1, REQUEST_SYNC)->has_turn = true;
        }
        bus.queue_is_full = true;
}

static void test_synced(void **state) {
        Service *service = *state;

        fill(service);
        requests_synced(service);
        assert_int_equal(requests_count(service, 1000, REQUEST_RUNNING), 0);
        assert_each_failed_once(N);
        assert_left(service, 0);
}

static void test_not_synced(void **state) {
        Service *service = *state;
        Refusal refusal = {.error = RAWNET_HELPER_UNAVAILABLE, .text = "gone"};

        fill(service);
        bus.unreachable = true;
        requests_not_synced(service, &refusal, false);
        for (size_t i = 0; i < N; i += 2) {
                assert_int_equal(bus.n_failed[i], 1);
                assert_int_equal(bus.n_refused[i + 1], 1);
        }
        assert_left(service, 0);
}

static void test_lost_twice(void **state) {
        Service *service = *state;
        Refusal refusal = {.error = RAWNET_HELPER_UNAVAILABLE, .text = "gone"};

        fill(service);
        requests_not_synced(service, &refusal, false);
        assert_left(service, N);
        requests_not_synced(service, &refusal, false);
        assert_left(service, 0);
        for (size_t i = 1; i < N; i += 2)
                assert_int_equal(bus.n_refused[i], 1);
}

/* One that is there and does not answer: the next would not either. */
static void test_hangs(void **state) {
        Service *service = *state;
        Refusal refusal = {.error = RAWNET_HELPER_UNAVAILABLE, .text = "does not answer"};

        fill(service);
        requests_not_synced(service, &refusal, true);
        assert_left(service, 0);
        for (size_t i = 1; i < N; i += 2)
                assert_int_equal(bus.n_refused[i], 1);
}

static void test_caller_gone(void **state) {
        Service *service = *state;

        fill(service);
        bus.sender[4] = bus.sender[5] = ":1.2";
        requests_caller_gone(service, ":1.1");
        /* Those of another connection of the user: one waits on, one had its turn, which failed. */
        assert_int_equal(bus.n_failed[5], 0);
        assert_int_equal(bus.n_failed[4], 1);
        assert_left(service, 1);
}

/* What has ended is not found by its message: a call that comes by with the same address is a new
 * one. */
static void test_ended_is_not_found(void **state) {
        Service *service = *state;
        Request *q = add(service, 0, REQUEST_SYNC);

        assert_true(requests_has(service, message(0)));
        request_end(q);
        request_end(q);
        assert_false(requests_has(service, message(0)));
        add(service, 0, REQUEST_SYNC);
        assert_true(requests_has(service, message(0)));
        assert_left(service, 1);
        requests_synced(service);
        assert_int_equal(bus.n_queued, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_synced, setup, teardown),
                cmocka_unit_test_setup_teardown(test_not_synced, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hangs, setup, teardown),
                cmocka_unit_test_setup_teardown(test_lost_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(test_caller_gone, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ended_is_not_found, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
