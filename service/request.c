/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/request.h"

#include <string.h>

#include "common/clock.h"
#include "common/network-file.h"
#include "service/lease-event.h"

/* The pause before a network file that is being written is read again. */
#define FILE_WAIT_USEC UINT64_C(50000)
/* Networks that the helper judges at a time: for one user, and for all. */
#define CHECKS_OF_USER_MAX 1u
#define CHECKS_MAX 4u

static Request *request_find(const Service *service, const sd_bus_message *m) {
        for (Request *q = service->requests; q; q = q->next)
                if (q->message == m && q->stage != REQUEST_ENDED)
                        return q;
        return NULL;
}

bool requests_has(const Service *service, const sd_bus_message *m) {
        return request_find(service, m) != NULL;
}

/* Makes the request of a call that the gate has just let pass. */
static int request_new(Service *service, sd_bus_message *m, Request **ret) {
        Request *q;
        uint32_t uid;
        int r;

        r = gate_uid(service->gate, m, &uid);
        if (r < 0)
                return r;
        q = calloc(1, sizeof(*q));
        if (!q)
                return -ENOMEM;
        q->service = service;
        q->message = sd_bus_message_ref(m);
        q->uid = uid;
        q->next = service->requests;
        if (q->next)
                q->next->previous = q;
        service->requests = q;
        *ret = q;
        return 0;
}

bool requests_may_check(const Service *service, uint32_t uid) {
        unsigned n = 0, n_user = 0;

        for (const Request *q = service->requests; q; q = q->next) {
                n += q->checks;
                n_user += q->checks && q->uid == uid;
        }
        return n < CHECKS_MAX && n_user < CHECKS_OF_USER_MAX;
}

static void request_unlink(Request *q) {
        if (q->next)
                q->next->previous = q->previous;
        if (q->previous)
                q->previous->next = q->next;
        else
                q->service->requests = q->next;
        sd_bus_message_unref(q->message);
        free(q);
}

/* The only place that frees requests while the loop runs. The loop itself calls it: nothing walks
 * along the list, and no caller up the stack uses a request. */
static int on_reap(sd_event_source *source, void *userdata) {
        Service *service = userdata;

        for (Request *q = service->requests, *next; q; q = next) {
                next = q->next;
                if (q->stage == REQUEST_ENDED)
                        request_unlink(q);
        }
        service->idle(service);
        return 0;
}

int requests_start(Service *service) {
        int r;

        r = sd_event_add_defer(service->event, &service->reap_source, on_reap, service);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(service->reap_source, SD_EVENT_OFF);
}

void requests_done(Service *service) {
        for (Request *q = service->requests; q; q = q->next)
                request_end(q);
        while (service->requests)
                request_unlink(service->requests);
        service->reap_source = sd_event_source_disable_unref(service->reap_source);
}

void request_end(Request *q) {
        bool pass_turn = q->has_turn;

        if (q->stage == REQUEST_ENDED)
                return;
        q->stage = REQUEST_ENDED;
        q->has_turn = false;
        pass_turn |= polkit_forget(&q->polkit);
        probe_forget(&q->probe);
        request_end_check(q);
        q->file_source = sd_event_source_disable_unref(q->file_source);
        /* Cannot fail: the source is there, and a deferred source needs nothing of the kernel. */
        (void)sd_event_source_set_enabled(q->service->reap_source, SD_EVENT_ONESHOT);
        if (pass_turn)
                requests_next_turn(q->service, q->uid);
}

void request_end_check(Request *q) {
        Request *oldest = NULL;

        q->findings = sd_bus_message_unref(q->findings);
        if (!q->checks)
                return;
        q->checks = false;
        /* New requests are put in front. */
        for (Request *other = q->service->requests; other; other = other->next)
                if (other->stage == REQUEST_CHECK && requests_may_check(q->service, other->uid))
                        oldest = other;
        if (oldest)
                request_requeue(oldest);
}

/* What the request is about, as far as it is known: a lease, a port that is asked for, or a
 * network's interface in the host. */
static void event_of(const Request *q, LeaseEvent *ret) {
        const Lease *lease = lease_table_find(&q->service->leases, q->lease);

        if (lease) {
                lease_event(&lease->ipc, 0, NULL, ret);
                return;
        }
        lease_event_asked(&q->open, ret);
        ret->log.lease = q->lease;
        if (q->host.network[0])
                ret->log.network = q->host.network;
}

static void log_refused(const Request *q, const Refusal *refusal) {
        bool kernel = refusal->error == RAWNET_KERNEL_REFUSED;
        LeaseEvent event;

        if (!refusal_log_wants(q->service->refusals, q->uid,
                               kernel ? LOGGED_KERNEL_REFUSAL : LOGGED_REFUSAL))
                return;
        event_of(q, &event);
        event.log.level = kernel ? LOG_WARNING : LOG_INFO;
        event.log.message_id = kernel ? RAWNET_EVENT_KERNEL_REFUSED : RAWNET_EVENT_REFUSED;
        event.log.error = rawnet_error_to_dbus(refusal->error);
        event.log.uid = q->uid;
        log_event(&event.log, "refused %s by user %u: %s", sd_bus_message_get_member(q->message),
                  q->uid, refusal->text);
}

/* By the network's file. What a caller has made up gets no counter of its own. */
static void count_refused(const Request *q, const Refusal *refusal) {
        NetworkName name = {};
        LeaseEvent event;

        event_of(q, &event);
        if (!event.log.network || network_name_parse(event.log.network, &name, NULL) != 0 ||
            !network_table_find(&q->service->networks, name.name))
                name.name[0] = '\0';
        counts_refused(&q->service->counts, name.name, refusal->error);
}

static void reply_refusal(sd_bus_message *m, const Refusal *refusal) {
        int r;

        r = sd_bus_reply_method_errorf(m, rawnet_error_to_dbus(refusal->error), "%s",
                                       refusal->text);
        if (r < 0)
                log_warning("could not send a refusal: %s", strerror(-r));
}

void request_refuse(Request *q, const Refusal *refusal) {
        const char *network = q->open.network[0] ? q->open.network : q->host.network;
        Refusal named;

        /* The text says what happened to the helper, and names no network. */
        if (refusal->error == RAWNET_HELPER_UNAVAILABLE && network[0]) {
                (void)refuse(&named, refusal->error, "network %s: %s", network, refusal->text);
                refusal = &named;
        }
        if (!q->caller_gone) {
                count_refused(q, refusal);
                log_refused(q, refusal);
                reply_refusal(q->message, refusal);
        }
        request_end(q);
}

void request_fail(Request *q, int errnum) {
        if (!q->caller_gone)
                (void)sd_bus_reply_method_errno(q->message, errnum, NULL);
        request_end(q);
}

void request_finish(Request *q, int r) {
        if (r < 0)
                request_fail(q, r);
        else
                request_end(q);
}

int request_run(sd_bus_message *m, Service *service, RequestStep step, void *userdata) {
        Request *q = request_find(service, m);
        Refusal refusal = {};
        int r;

        if (!q) {
                r = request_new(service, m, &q);
                if (r < 0)
                        return r;
        }
        if (q->caller_gone) {
                request_end(q);
                return 1;
        }
        q->stage = REQUEST_RUNNING;
        r = step(q, userdata, &refusal);
        if (r > 0)
                request_refuse(q, &refusal);
        else if (r < 0)
                request_fail(q, r);
        else if (q->stage == REQUEST_RUNNING || q->stage == REQUEST_REPLIED)
                request_end(q);
        return 1;
}

static int on_file_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Request *q = userdata;

        q->file_source = sd_event_source_disable_unref(q->file_source);
        request_requeue(q);
        return 0;
}

int request_wait_file(Request *q, int r) {
        uint64_t now;

        if (r != RAWNET_NETWORK_BUSY) {
                q->file_since = 0;
                return r;
        }
        now = clock_usec(CLOCK_MONOTONIC);
        if (q->file_since == 0)
                q->file_since = now;
        if (now - q->file_since >= NETWORK_FILE_PATIENCE_USEC)
                return r;
        r = sd_event_add_time_relative(q->service->event, &q->file_source, CLOCK_MONOTONIC,
                                       FILE_WAIT_USEC, 1000, on_file_time, q);
        if (r < 0)
                return r;
        q->stage = REQUEST_FILE;
        return 0;
}

int request_wait_sync(Request *q, Refusal *ret_refusal) {
        int r;

        r = helper_connect(q->service->helper, ret_refusal);
        if (r != 0)
                return r;
        q->stage = REQUEST_SYNC;
        return 0;
}

void request_requeue(Request *q) {
        int r;

        q->stage = REQUEST_REQUEUED;
        r = sd_bus_message_rewind(q->message, true);
        if (r >= 0)
                r = sd_bus_enqueue_for_read(q->service->bus, q->message);
        if (r < 0)
                request_fail(q, r);
}

void requests_synced(Service *service) {
        for (Request *q = service->requests; q; q = q->next)
                if (q->stage == REQUEST_SYNC)
                        request_requeue(q);
}

void requests_next_turn(Service *service, uint32_t uid) {
        Request *oldest = NULL;

        /* New requests are put in front. */
        for (Request *q = service->requests; q; q = q->next)
                if (q->stage == REQUEST_TURN && q->uid == uid)
                        oldest = q;
        if (oldest) {
                oldest->has_turn = true;
                request_requeue(oldest);
        }
}

/* Refuses the requests that have waited for one helper in vain, or all of them with everybody. */
static void refuse_waiting(Service *service, bool all, const Refusal *refusal) {
        for (Request *q = service->requests; q; q = q->next)
                if (q->stage == REQUEST_SYNC && (all || q->lost_helper))
                        request_refuse(q, refusal);
}

void requests_not_synced(Service *service, const Refusal *refusal, bool hangs) {
        Refusal unreachable = {};
        bool again = false;
        int r;

        refuse_waiting(service, hangs, refusal);
        for (Request *q = service->requests; q; q = q->next) {
                if (q->stage == REQUEST_SYNC)
                        again = q->lost_helper = true;
        }
        if (!again)
                return;
        r = helper_connect(service->helper, &unreachable);
        if (r != 0)
                refuse_waiting(service, true, r > 0 ? &unreachable : refusal);
}

void requests_caller_gone(Service *service, const char *unique_name) {
        for (Request *q = service->requests; q; q = q->next) {
                const char *sender = sd_bus_message_get_sender(q->message);

                if (!sender || strcmp(sender, unique_name) != 0)
                        continue;
                q->caller_gone = true;
                /* REQUEUED: its message is in the bus's queue and would become a new request;
                 * request_run() ends it. HELPER: the answer may bring descriptors, which must be
                 * closed. */
                if (q->stage == REQUEST_FILE || q->stage == REQUEST_SYNC ||
                    q->stage == REQUEST_TURN || q->stage == REQUEST_POLKIT ||
                    q->stage == REQUEST_PROBE || q->stage == REQUEST_CHECK ||
                    q->stage == REQUEST_READING)
                        request_end(q);
        }
}

unsigned requests_count(const Service *service, uint32_t uid, RequestStage stage) {
        unsigned n = 0;

        for (const Request *q = service->requests; q; q = q->next)
                n += q->uid == uid && q->stage != REQUEST_ENDED &&
                     (stage == REQUEST_RUNNING || q->stage == stage);
        return n;
}

unsigned requests_count_opens(const Service *service, const char *network, uint32_t uid,
                              bool any_uid) {
        unsigned n = 0;

        for (const Request *q = service->requests; q; q = q->next)
                n += q->opens && q->stage == REQUEST_HELPER && (any_uid || q->uid == uid) &&
                     (!network || lease_table_same_network(q->open.network, network));
        return n;
}

unsigned requests_count_learning(const Service *service, uint32_t uid, bool any_uid) {
        unsigned n = 0;

        for (const Request *q = service->requests; q; q = q->next)
                n += q->opens && q->stage == REQUEST_HELPER && (any_uid || q->uid == uid) &&
                     q->open.mac_mode == IPC_MAC_LEARN;
        return n;
}

unsigned requests_count_queues(const Service *service, uint32_t uid) {
        unsigned n = 0;

        for (const Request *q = service->requests; q; q = q->next)
                if (q->opens && q->stage == REQUEST_HELPER && q->uid == uid)
                        n += q->open.queues;
        return n;
}
