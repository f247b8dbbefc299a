/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Who gets in, and when. Every method call that arrives on the bus waits here, in its user's queue,
 * until it is that user's turn: calls that request.c works on and calls that sd-bus answers by
 * itself (properties, GetManagedObjects, Introspect) alike. So one user's flood delays another
 * user's call by one message.
 *
 *  1. A call is taken from the bus at once, whatever else waits: nothing piles up in front of
 *     polkit's answers, which arrive on the same connection. A call that is too long, or that is of
 *     no use because nobody wants its reply, ends here.
 *  2. The call waits until the bus has said whose it is (caller.c), then in its user's queue. A
 *     user has a limited number of calls that wait or are being worked on; what is beyond becomes a
 *     refusal, which waits for its turn in the same queue, since replies use up the connection as
 *     calls do. What is beyond the limit of refusals is dropped without a reply: the caller's own
 *     connection then runs into the bus's limit of unanswered calls.
 *  3. Users have their turn one after the other, one message each, and only while the bus takes
 *     what we send: the socket is (almost) empty and sd-bus holds nothing back. Then the call
 *     passes the dispatcher a second time, and through.
 *
 * Must never make a call on the bus and wait for its answer.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "common/refusal.h"

typedef struct Gate Gate;

typedef struct GateEvents {
        /* Is m a call that has passed before, and comes again because it no longer has to wait? It
         * passes. */
        bool (*passed)(void *userdata, const sd_bus_message *m);
        /* The number of uid's calls that are being worked on. */
        unsigned (*running)(void *userdata, uint32_t uid);
        /* May a message to that unique name be sent? 1; 0: its user's turn waits for gate_resume();
         * negative: the call is dropped. */
        int (*may_pass)(void *userdata, const char *name, uint64_t now);
        /* A call of uid was refused: for the journal. */
        void (*refused)(void *userdata, uint32_t uid, const Refusal *refusal);
        /* A waiting call has passed and was dispatched; more may have arrived meanwhile. */
        void (*idle)(void *userdata);
} GateEvents;

/* For a connected bus that is attached to event, before its name is requested. Makes the socket's
 * send buffer small: its end is what "the bus takes what we send" is seen by. */
int gate_new(sd_event *event, sd_bus *bus, const GateEvents *events, void *userdata, Gate **ret);
void gate_free(Gate *gate);

/* To be called first for each method call that sd-bus dispatches (sd_bus_add_filter()), and its
 * result returned: 0 lets the call pass, 1 ends its way for now, -errno. */
int gate_arrive(Gate *gate, sd_bus_message *m);
/* The uid of the call that has just passed, while it is being dispatched: 0, or -ENXIO when m is
 * not that call. */
int gate_uid(const Gate *gate, const sd_bus_message *m, uint32_t *ret_uid);
/* A unique name has left the bus: drops what waits for it. */
void gate_caller_gone(Gate *gate, const char *name);
/* Users whose turn was put off have a turn again. */
void gate_resume(Gate *gate);
bool gate_is_empty(const Gate *gate);
