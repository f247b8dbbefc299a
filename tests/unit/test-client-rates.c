/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl top: rates from counters, which lease is asked next, and how many calls are open. The
 * time, and what rawnetd answers, are the test's.
 */

#include <time.h>

#include "client/full-screen.h"
#include "client/parse.h"
#include "client/rate-poll.h"
#include "client/units.h"

#include "test.h"

#define SECOND UINT64_C(1000000)

static const Sample first = {.usec = SECOND,
                             .rx_bytes = 1000,
                             .rx_frames = 10,
                             .tx_bytes = 2000,
                             .tx_frames = 20,
                             .dropped = 1};

static void test_rates(_unused_ void **state) {
        const Sample after = {.usec = SECOND * 3 / 2,
                              .rx_bytes = 1500,
                              .rx_frames = 15,
                              .tx_bytes = 2000,
                              .tx_frames = 20,
                              .dropped = 3};
        Rates rates;

        rates_between(&first, &after, &rates);
        assert_int_equal(rates.usec, SECOND / 2);
        assert_int_equal(rates.rx_bits, 8000);
        assert_int_equal(rates.rx_frames, 10);
        assert_int_equal(rates.tx_bits, 0);
        assert_int_equal(rates.tx_frames, 0);
        assert_int_equal(rates.dropped, 4);
}

static void assert_unknown(const Sample *before, const Sample *after) {
        Rates rates = {.usec = 1, .rx_bits = 1};

        rates_between(before, after, &rates);
        assert_int_equal(rates.usec, 0);
        assert_int_equal(rates.rx_bits, 0);
}

/* No rate is better than a wrong one. */
static void test_no_rates(_unused_ void **state) {
        Sample after = first;

        assert_unknown(&(Sample){}, &first); /* the first sample */
        assert_unknown(&first, &first);      /* no time between */
        after.usec = first.usec - 1;
        assert_unknown(&first, &after);
        uint64_t *const counters[] = {&after.rx_bytes, &after.rx_frames, &after.tx_bytes,
                                      &after.tx_frames, &after.dropped};
        for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
                after = first;
                after.usec += SECOND;
                (*counters[i])--; /* it went backwards */
                assert_unknown(&first, &after);
        }
}

static void test_extremes(_unused_ void **state) {
        const Sample zero = {.usec = 1};
        Sample after = {.usec = 2, .rx_bytes = UINT64_MAX, .rx_frames = UINT64_MAX};
        Rates rates, total = {};

        rates_between(&zero, &after, &rates);
        assert_true(rates.rx_bits == UINT64_MAX && rates.rx_frames == UINT64_MAX);
        rates_add(&total, &rates);
        rates_add(&total, &rates);
        assert_true(total.rx_bits == UINT64_MAX && total.tx_bits == 0);
        /* One dropped frame in a minute is not none. */
        after = (Sample){.usec = 1 + 60 * SECOND, .dropped = 1};
        rates_between(&zero, &after, &rates);
        assert_int_equal(rates.dropped, 1);
}

static void test_order(_unused_ void **state) {
        const Rates busy = {.usec = 1, .rx_bits = 9, .tx_frames = 1},
                    sends = {.usec = 1, .tx_bits = 5, .tx_frames = 9, .dropped = 1}, unknown = {};
        RateOrder order;

        assert_true(rates_compare(&busy, &sends, RATE_ORDER_TOTAL) < 0);
        assert_true(rates_compare(&busy, &sends, RATE_ORDER_RECEIVED) < 0);
        assert_true(rates_compare(&busy, &sends, RATE_ORDER_SENT) > 0);
        assert_true(rates_compare(&busy, &sends, RATE_ORDER_FRAMES) > 0);
        assert_true(rates_compare(&busy, &sends, RATE_ORDER_DROPPED) > 0);
        assert_int_equal(rates_compare(&busy, &busy, RATE_ORDER_TOTAL), 0);
        assert_true(rates_compare(&unknown, &busy, RATE_ORDER_DROPPED) > 0);
        assert_true(rates_compare(&busy, &unknown, RATE_ORDER_DROPPED) < 0);
        for (unsigned i = 0; i < RATE_ORDER_COUNT; i++) {
                assert_int_equal(rate_order_from_string(rate_order_to_string((RateOrder)i), &order),
                                 0);
                assert_int_equal(order, i);
        }
        assert_int_equal(rate_order_from_string("", &order), -EINVAL);
        assert_int_equal(rate_order_from_string("Total", &order), -EINVAL);
}

static void fill(RateTable *table, uint32_t n) {
        for (uint32_t i = n; i > 0; i--)
                assert_int_equal(rate_table_add(table, i, i * 100), 0);
        assert_int_equal(table->n, n);
}

static void test_table(_unused_ void **state) {
        _cleanup_(rate_table_done) RateTable table = {};
        Sample sample = first;

        fill(&table, 40);
        for (uint32_t i = 1; i <= 40; i++)
                assert_int_equal(rate_table_find(&table, i)->since, i * 100);
        assert_null(rate_table_find(&table, 41));
        assert_null(rate_table_find(&table, 0));
        rate_table_take(&table, 7, 700, &sample);
        assert_int_equal(rate_table_find(&table, 7)->rates.usec, 0);
        sample.usec += SECOND;
        sample.rx_frames += 3;
        rate_table_take(&table, 7, 700, &sample);
        assert_int_equal(rate_table_find(&table, 7)->rates.rx_frames, 3);
        /* The same moment once more takes nothing away. */
        rate_table_take(&table, 7, 700, &sample);
        assert_int_equal(rate_table_find(&table, 7)->rates.rx_frames, 3);
        /* No answer. The next one counts from the last sample. */
        rate_table_take(&table, 7, 700, NULL);
        assert_int_equal(rate_table_find(&table, 7)->rates.usec, 0);
        sample.usec += 3 * SECOND;
        sample.rx_frames += 9;
        rate_table_take(&table, 7, 700, &sample);
        assert_int_equal(rate_table_find(&table, 7)->rates.rx_frames, 3);
        /* The answer of a lease that has ended since, and of one whose number another one has. */
        rate_table_remove(&table, 7);
        rate_table_remove(&table, 7);
        assert_int_equal(table.n, 39);
        rate_table_take(&table, 7, 700, &sample);
        assert_null(rate_table_find(&table, 7));
        assert_int_equal(rate_table_add(&table, 7, 9999), 0);
        rate_table_take(&table, 7, 700, &sample);
        assert_int_equal(rate_table_find(&table, 7)->sample.usec, 0);
        assert_int_equal(rate_table_add(&table, 8, 8888), 0);
        assert_int_equal(table.n, 40);
        assert_int_equal(rate_table_find(&table, 8)->since, 8888);
}

static void assert_next(const RateTable *table, size_t max, size_t n, const uint32_t *expected) {
        _cleanup_free_ uint32_t *ids = NULL;
        size_t n_ids;

        assert_int_equal(rate_table_next(table, max, &ids, &n_ids), 0);
        assert_int_equal(n_ids, n);
        assert_memory_equal(ids, expected, n * sizeof(*ids));
}

static void test_next(_unused_ void **state) {
        _cleanup_(rate_table_done) RateTable table = {};

        assert_next(&table, 10, 0, (const uint32_t[]){0});
        fill(&table, 6);
        assert_next(&table, 10, 6, (const uint32_t[]){1, 2, 3, 4, 5, 6});
        rate_table_find(&table, 1)->asked = 50;
        rate_table_find(&table, 2)->asked = 40;
        assert_next(&table, SIZE_MAX, 6, (const uint32_t[]){3, 4, 5, 6, 2, 1});
        assert_next(&table, 2, 2, (const uint32_t[]){3, 4});
        /* What is shown comes first, and yet one in four is another. */
        for (uint32_t i = 1; i <= 5; i++)
                rate_table_find(&table, i)->shown = true;
        assert_next(&table, 4, 4, (const uint32_t[]){3, 4, 5, 6});
        rate_table_find(&table, 1)->shown = false;
        assert_next(&table, 4, 4, (const uint32_t[]){3, 4, 5, 6});
        rate_table_find(&table, 6)->asked = 60;
        assert_next(&table, 4, 4, (const uint32_t[]){3, 4, 5, 1});
        assert_next(&table, 5, 5, (const uint32_t[]){3, 4, 5, 2, 1});
        assert_next(&table, 0, 0, (const uint32_t[]){0});
}

/* rawnetd's part. */
static struct {
        sd_bus_message_handler_t answer;
        void *userdata;
} calls[16];
static size_t n_open, n_open_max, n_made;
static enum {
        ANSWERS,
        NO_SUCH_LEASE,
        FAILS
} how;
static int send_error;
static uint64_t now = 10 * SECOND;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        *ret = (struct timespec){.tv_sec = (time_t)(now / SECOND),
                                 .tv_nsec = (long)(now % SECOND) * 1000};
        return 0;
}

int __wrap_sd_bus_message_new_method_call(sd_bus *bus, sd_bus_message **ret, const char *name,
                                          const char *path, const char *interface,
                                          const char *member);
int __wrap_sd_bus_message_new_method_call(sd_bus *bus, sd_bus_message **ret, const char *name,
                                          const char *path, const char *interface,
                                          const char *member) {
        assert_string_equal(member, "GetStatistics");
        *ret = NULL;
        return send_error;
}

int __wrap_sd_bus_call_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message *m,
                             sd_bus_message_handler_t answer, void *userdata, uint64_t usec);
int __wrap_sd_bus_call_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message *m,
                             sd_bus_message_handler_t answer, void *userdata, uint64_t usec) {
        assert_true(n_open < ARRAY_SIZE(calls));
        calls[n_open].answer = answer;
        calls[n_open++].userdata = userdata;
        n_open_max = MAX_OF(n_open_max, n_open);
        n_made++;
        *ret = (sd_bus_slot *)&calls; /* only that it is there counts */
        return 0;
}

sd_bus_slot *__wrap_sd_bus_slot_unref(sd_bus_slot *slot);
sd_bus_slot *__wrap_sd_bus_slot_unref(sd_bus_slot *slot) {
        return NULL;
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
        sd_bus_message_handler_t handler = calls[0].answer;
        void *userdata = calls[0].userdata;

        assert_true(n_open > 0);
        memmove(calls, calls + 1, --n_open * sizeof(calls[0]));
        now += 100;
        assert_int_equal(handler(NULL, userdata, NULL), 0);
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
        n_open = n_open_max = n_made = 0;
        n_rounds = 0;
        how = ANSWERS;
        send_error = 0;
        now += 10 * SECOND;
}

static void test_round(_unused_ void **state) {
        _cleanup_(polled_done) Polled p;

        polled_make(&p, 30);
        assert_int_equal(rate_poll_start(p.poll, 20), 0);
        assert_true(rate_poll_is_running(p.poll));
        while (n_open > 0)
                answer();
        assert_int_equal(n_rounds, 1);
        assert_false(rate_poll_is_running(p.poll));
        assert_int_equal(n_made, 20);
        assert_int_equal(n_open_max, 4);
        assert_int_equal(reported.error, RAWNET_OK);
        assert_true(rate_table_find(&p.table, 20)->sample.usec > 0);
        assert_int_equal(rate_table_find(&p.table, 21)->sample.usec, 0);
        /* The others are next. */
        assert_int_equal(rate_poll_start(p.poll, 20), 0);
        while (n_open > 0)
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
        assert_int_equal(n_open, 4);
        rate_table_remove(&p.table, 1);
        rate_table_remove(&p.table, 9);
        rate_table_remove(&p.table, 10);
        answer();
        how = NO_SUCH_LEASE;
        answer();
        how = ANSWERS;
        while (n_open > 0)
                answer();
        assert_int_equal(n_made, 8);
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
        while (n_open > 0)
                answer();
        assert_int_equal(n_made, 5);
        assert_int_equal(n_rounds, 1);
        assert_int_equal(reported.error, RAWNET_HELPER_UNAVAILABLE);
        assert_string_equal(reported.text, "out of order");
        send_error = -ENOTCONN;
        assert_int_equal(rate_poll_start(p.poll, 30), 0);
        assert_int_equal(n_rounds, 2);
        assert_int_equal(reported.error, RAWNET_HELPER_UNAVAILABLE);
        how = ANSWERS;
        send_error = 0;
        assert_int_equal(rate_poll_start(p.poll, 30), 0);
        while (n_open > 0)
                answer();
        assert_int_equal(n_rounds, 3);
        assert_int_equal(reported.error, RAWNET_OK);
}

/* Not more than 200 calls in a second, however fast the answers are. */
static void test_pace(_unused_ void **state) {
        _cleanup_(polled_done) Polled p;

        polled_make(&p, 450);
        pause_end = now;
        assert_int_equal(rate_poll_start(p.poll, SIZE_MAX), 0);
        for (unsigned seconds = 1; seconds <= 3; seconds++) {
                while (n_open > 0)
                        answer();
                assert_int_equal(n_made, MIN_OF(seconds * 200, 450u));
                assert_int_equal(n_rounds, seconds == 3);
                if (seconds == 3)
                        break;
                assert_true(pause_end >= now && pause_end <= now + SECOND);
                now = pause_end;
                assert_true(sd_event_run(p.event, 0) > 0);
        }
        assert_int_equal(n_rounds, 1);
}

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

static void test_count(_unused_ void **state) {
        static const struct {
                uint64_t n;
                const char *text;
        } counts[] = {
                {0, "0"},
                {999, "999"},
                {1000, "1.0k"},
                {1999, "1.9k"},
                {99999, "99.9k"},
                {100000, "100k"},
                {999999, "999k"},
                {1000000, "1.0M"},
                {1234567890, "1.2G"},
                {UINT64_MAX, "18.4E"},
        };
        char text[UNITS_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
                assert_string_equal(units_count(counts[i].n, text), counts[i].text);
}

static void test_seconds(_unused_ void **state) {
        static const struct {
                const char *text;
                int r;
                uint64_t usec;
        } times[] = {
                {"1", 0, SECOND},
                {"0.5", 0, SECOND / 2},
                {"3600", 0, 3600 * SECOND},
                {"0.100000", 0, SECOND / 10},
                {"10.25", 0, 10 * SECOND + SECOND / 4},
                {"0.099999", -ERANGE, 0},
                {"3600.000001", -ERANGE, 0},
                {"99999999999999999999", -ERANGE, 0},
                {"", -EINVAL, 0},
                {".5", -EINVAL, 0},
                {"1.", -EINVAL, 0},
                {"1s", -EINVAL, 0},
                {"-1", -EINVAL, 0},
                {"1.0000000", -EINVAL, 0},
                {"1.5.5", -EINVAL, 0},
                {"1e3", -EINVAL, 0},
        };

        for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
                uint64_t usec = 7;

                assert_int_equal(parse_seconds(times[i].text, SECOND / 10, 3600 * SECOND, &usec),
                                 times[i].r);
                assert_int_equal(usec, times[i].r == 0 ? times[i].usec : 7);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rates),
                cmocka_unit_test(test_no_rates),
                cmocka_unit_test(test_extremes),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_next),
                cmocka_unit_test(test_round),
                cmocka_unit_test(test_round_of_none),
                cmocka_unit_test(test_lease_ends_in_a_round),
                cmocka_unit_test(test_round_fails),
                cmocka_unit_test(test_pace),
                cmocka_unit_test(test_keys),
                cmocka_unit_test(test_count),
                cmocka_unit_test(test_seconds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
