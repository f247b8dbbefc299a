/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/rate-poll.h"

#include "client/bus.h"
#include "common/clock.h"
#include "common/names.h"

#define SECOND UINT64_C(1000000) /* µs */
/* Of the 64 calls that rawnetd takes of a user (service/gate.c): his next open does not wait for
 * them. */
#define OPEN_CALLS_MAX 4u

typedef struct Call {
        RatePoll *poll;
        sd_bus_slot *slot; /* NULL: free */
        uint32_t id;
        uint64_t since;
} Call;

struct RatePoll {
        sd_bus *bus;
        RateTable *table;
        RatePollDone done;
        void *userdata;
        sd_event_source *pause;
        Call calls[OPEN_CALLS_MAX];
        uint32_t *ids; /* of the round; NULL: none is running */
        size_t n_ids, n_asked, n_answered;
        /* Calls since then, which is at most a second ago. */
        uint64_t second;
        unsigned n_in_second;
        Refusal refusal;
};

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error);

bool rate_poll_is_running(const RatePoll *poll) {
        return poll->ids;
}

static int ask(RatePoll *poll, Call *call, RatedLease *lease) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *path = bus_lease_path(lease->id);
        int r;

        if (!path)
                return -ENOMEM;
        r = sd_bus_message_new_method_call(poll->bus, &m, RAWNET_BUS_NAME, path, RAWNET_IFACE_LEASE,
                                           "GetStatistics");
        if (r < 0)
                return r;
        *call = (Call){.poll = poll, .id = lease->id, .since = lease->since};
        lease->asked = clock_usec(CLOCK_MONOTONIC);
        return sd_bus_call_async(poll->bus, &call->slot, m, on_reply, call, BUS_QUERY_USEC);
}

static void finish(RatePoll *poll) {
        Refusal refusal = poll->refusal;

        free(poll->ids);
        poll->ids = NULL;
        poll->refusal = (Refusal){};
        poll->done(poll->userdata, refusal.error ? &refusal : NULL);
}

static Call *free_call(RatePoll *poll) {
        for (size_t i = 0; i < OPEN_CALLS_MAX; i++)
                if (!poll->calls[i].slot)
                        return &poll->calls[i];
        return NULL;
}

/* The limit of this second is reached: the timer goes on. */
static bool must_pause(RatePoll *poll) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC);

        if (now - poll->second >= SECOND) {
                poll->second = now;
                poll->n_in_second = 0;
        }
        if (poll->n_in_second < RATE_POLL_CALLS_PER_SECOND)
                return false;
        return sd_event_source_set_time(poll->pause, poll->second + SECOND) >= 0 &&
               sd_event_source_set_enabled(poll->pause, SD_EVENT_ONESHOT) >= 0;
}

/* Ends the round early: after this failure the next call would fail, too. */
static void fail(RatePoll *poll, const sd_bus_error *error, int r) {
        poll->n_ids = poll->n_asked;
        if (!poll->refusal.error && bus_refuse(error, r, &poll->refusal) < 0)
                (void)refuse(&poll->refusal, RAWNET_LIMITS_EXCEEDED, "%s", errno_text(ENOMEM));
}

/* Asks for as many leases as the limits allow. */
static void go_on(RatePoll *poll) {
        Call *call;

        if (!poll->ids)
                return;
        while (poll->n_asked < poll->n_ids && (call = free_call(poll)) && !must_pause(poll)) {
                RatedLease *lease = rate_table_find(poll->table, poll->ids[poll->n_asked++]);
                int r = 0;

                if (lease) {
                        poll->n_in_second++;
                        r = ask(poll, call, lease);
                }
                if (!lease || r < 0) /* the lease has ended since the round began */
                        poll->n_answered++;
                if (r < 0)
                        fail(poll, &SD_BUS_ERROR_NULL, r);
        }
        if (poll->n_answered == poll->n_ids)
                finish(poll);
}

/* Takes the reply of a call. Returns 0, or what fail() wants. */
static int take(const Call *call, sd_bus_message *reply) {
        _cleanup_(statistics_done) Statistics statistics = {};
        Sample sample;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL) > 0)
                r = -sd_bus_message_get_errno(reply);
        else
                r = statistics_read(reply, &statistics);
        if (r >= 0)
                sample_of(&statistics, clock_usec(CLOCK_MONOTONIC), &sample);
        rate_table_take(call->poll->table, call->id, call->since, r >= 0 ? &sample : NULL);
        /* The lease has ended: the signal that says so came before, or comes now. */
        if (sd_bus_message_is_method_error(reply, RAWNET_ERROR_PREFIX "NoSuchLease") > 0)
                return 0;
        return MIN_OF(r, 0);
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        Call *call = userdata;
        RatePoll *poll = call->poll;
        int r = take(call, reply);

        call->slot = sd_bus_slot_unref(call->slot);
        poll->n_answered++;
        if (r < 0)
                fail(poll, error ? error : &SD_BUS_ERROR_NULL, r);
        go_on(poll);
        return 0;
}

static int on_pause(sd_event_source *source, uint64_t usec, void *userdata) {
        go_on(userdata);
        return 0;
}

int rate_poll_start(RatePoll *poll, size_t max) {
        int r = rate_table_next(poll->table, max, &poll->ids, &poll->n_ids);

        if (r < 0)
                return r;
        poll->n_asked = poll->n_answered = 0;
        go_on(poll);
        return 0;
}

int rate_poll_new(sd_bus *bus, sd_event *event, RateTable *table, RatePollDone done, void *userdata,
                  RatePoll **ret) {
        _cleanup_(rate_poll_freep) RatePoll *poll = calloc(1, sizeof(*poll));
        int r;

        if (!poll)
                return -ENOMEM;
        *poll = (RatePoll){
                .bus = sd_bus_ref(bus), .table = table, .done = done, .userdata = userdata};
        r = sd_event_add_time(event, &poll->pause, CLOCK_MONOTONIC, 0, 1, on_pause, poll);
        if (r >= 0)
                r = sd_event_source_set_enabled(poll->pause, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(poll);
        return 0;
}

void rate_poll_free(RatePoll *poll) {
        if (!poll)
                return;
        for (size_t i = 0; i < OPEN_CALLS_MAX; i++)
                sd_bus_slot_unref(poll->calls[i].slot);
        sd_event_source_disable_unref(poll->pause);
        sd_bus_unref(poll->bus);
        free(poll->ids);
        free(poll);
}
