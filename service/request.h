/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A method call that is being worked on. It may have to wait, for a network file, for the helper's
 * list of leases, for polkit, for the helper's work. While it waits for one of the first three,
 * nothing but the message itself is kept: afterwards the message goes through the bus's dispatcher
 * again and its handler starts from the top, reading and checking everything anew, so that nothing
 * it once looked at can have changed or vanished under it. (The caller's uid is kept: a unique name
 * never gets another.)
 */

#include "common/ipc.h"
#include "service/polkit.h"
#include "service/probe.h"
#include "service/context.h"

typedef struct CheckUse CheckUse; /* check.h */

typedef enum RequestStage {
        REQUEST_RUNNING,  /* its handler runs */
        REQUEST_FILE,     /* waits until a network file is finished */
        REQUEST_SYNC,     /* waits for the helper's list of leases */
        REQUEST_TURN,     /* waits until fewer questions of its user are open */
        REQUEST_POLKIT,   /* waits for polkit */
        REQUEST_PROBE,    /* waits until it is known whether its caller takes descriptors */
        REQUEST_CHECK,    /* waits until fewer networks are being checked */
        REQUEST_READING,  /* waits until the leases' counters are read */
        REQUEST_REQUEUED, /* no longer waits; its message is in the bus's queue again */
        REQUEST_HELPER,   /* waits for the helper's answer */
        REQUEST_REPLIED,  /* has its reply, may end */
        REQUEST_ENDED,    /* has ended, and is freed when control is back in the event loop */
} RequestStage;

struct Request {
        Request *next, *previous;
        Service *service;
        sd_bus_message *message;
        uint32_t uid; /* of the caller, as the bus has it (gate.c) */
        RequestStage stage;
        bool caller_gone; /* the caller left while the helper worked */
        bool lost_helper; /* a helper was lost while the request waited: it waits for a second one,
                           * and for no third */
        uint64_t file_since; /* CLOCK_MONOTONIC, µs, when it first waited for a network file; 0:
                                never */
        sd_event_source *file_source;
        bool has_turn; /* woken by requests_next_turn(), has not asked polkit yet */
        bool rated;    /* was counted as one of its user's opens */
        PolkitState polkit;
        ProbeState probe;
        IpcOpen open;              /* what is asked for, as far as it is known: for the journal, and
                                    * in REQUEST_HELPER for the quota */
        IpcHost host;              /* HostUp, HostDown: what is asked for */
        bool opens;                /* the helper works on open */
        bool checks;               /* the helper judges a network for this request */
        const CheckUse *check_use; /* with checks: what the caller wants the judgement for */
        sd_bus_message *findings;  /* Check(): the reply so far */
        PolkitAnswer answer;       /* CanOpen(): the no of polkit or of the judge */
        uint32_t lease;            /* Close, GetStatistics */
};

/* A handler. Returns 0 with the stage set to what it waits for or REQUEST_REPLIED; a RawnetError
 * with the refusal; -errno. */
typedef int (*RequestStep)(Request *request, void *userdata, Refusal *ret_refusal);

/* Before the first request, and after the last. */
int requests_start(Service *service);
void requests_done(Service *service);

/* Is m a call that is being worked on? */
bool requests_has(const Service *service, const sd_bus_message *m);

/* Runs step for m, which is new or comes again, and sends the refusal where step refuses. For an
 * sd_bus_message_handler_t to return. */
int request_run(sd_bus_message *m, Service *service, RequestStep step, void *userdata);

/* The handler's way to wait until a network file is finished. r: what reading it came to.
 * RAWNET_NETWORK_BUSY becomes 0 with REQUEST_FILE set, and the handler returns; it stays
 * RAWNET_NETWORK_BUSY where the request has waited for long enough. */
int request_wait_file(Request *request, int r);

/* The handler's way to wait for the helper's list of leases: 0 with REQUEST_SYNC set, or
 * RAWNET_HELPER_UNAVAILABLE. */
int request_wait_sync(Request *request, Refusal *ret_refusal);
/* The list is complete: all requests that waited for it run again. */
void requests_synced(Service *service);
/* The list does not come: requests that have waited for a list before are refused, the others wait
 * for that of the next helper (the lost one may just have been restarted). hangs: all are refused.
 */
void requests_not_synced(Service *service, const Refusal *refusal, bool hangs);

/* Sends a waiting request's message through the dispatcher again. */
void request_requeue(Request *request);

/* One of uid's questions has ended: the request that has waited longest for its turn runs again.
 * Where it ends without a question of its own, request_end() passes the turn on. */
void requests_next_turn(Service *service, uint32_t uid);

/* May the helper judge one more network for uid now? Each check takes a worker of the helper and
 * some processes and namespaces for a moment, and any user may ask for one. */
bool requests_may_check(const Service *service, uint32_t uid);
/* Ends the request's check, if it has one: the request that has waited longest for a check of its
 * own runs again. request_end() does this, too. */
void request_end_check(Request *request);

/* Answers and ends. A request that has ended stays in memory and in the list until control is back
 * in the event loop, so that a walk along the list may end any. */
void request_refuse(Request *request, const Refusal *refusal);
void request_fail(Request *request, int errnum);
void request_end(Request *request);
/* r: the result of sending the reply. */
void request_finish(Request *request, int r);

/* A connection has left the bus: withdraws its questions; the result of the helper's work for it is
 * dropped. */
void requests_caller_gone(Service *service, const char *unique_name);

/* How many requests of uid are at a stage, or, with REQUEST_RUNNING, at any but REQUEST_ENDED. */
unsigned requests_count(const Service *service, uint32_t uid, RequestStage stage);

/* Counts opens that the helper is still working on, for a network (the name of its file) and, with
 * any_uid false, for one uid. quota_check() adds them to the live leases. */
unsigned requests_count_opens(const Service *service, const char *network, uint32_t uid,
                              bool any_uid);
/* The same for opens with mac=learn, on all networks. */
unsigned requests_count_learning(const Service *service, uint32_t uid, bool any_uid);
/* The queues of uid's opens, on all networks. */
unsigned requests_count_queues(const Service *service, uint32_t uid);
