/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The queues behind gate.c: messages in the order of their arrival, by user or, while the uid is
 * not known, by unique name. No limits, no bus.
 */

#include <systemd/sd-bus.h>

#include "common/refusal.h"

/* Bytes that every message costs beside its arguments. */
#define GATE_MESSAGE_COST 1024u

typedef struct GateItem {
        struct GateItem *next;
        sd_bus_message *message; /* a call, or the reply that refuses one */
        size_t size; /* bytes that it takes, roughly; 0: a call that has not been looked into */
        bool refusal;
        bool too_long; /* a refusal: that is its reason */
} GateItem;

typedef struct GateQueue {
        struct GateQueue *next;
        GateItem *first, *last;
        unsigned n_calls, n_refusals, n_too_long; /* the last are refusals, too */
        size_t size;                              /* of all items */
        uint64_t not_before; /* µs, CLOCK_MONOTONIC: when it may have its next turn */
        uint32_t uid;
        char *name; /* NULL: uid is known */
} GateQueue;

/* Takes a reference to message, a call. NULL without memory. */
GateItem *gate_item_new(sd_bus_message *message);
void gate_item_free(GateItem *item);
/* The unique name of the one who made the call. */
const char *gate_item_caller(const GateItem *item);

/* Turns a call into the refusal of it. 0, or -errno: the caller wants no reply, or there is no
 * memory for one. */
int gate_item_refuse(GateItem *item, const Refusal *refusal);
/* Does m do something even for a caller who wants no reply? Reads no arguments. */
bool gate_call_is_of_use(sd_bus_message *m);

/* The place, in the list that begins at *first, of the pointer to a queue, or of the NULL at its
 * end. */
GateQueue **gate_queue_of_uid(GateQueue **first, uint32_t uid);
GateQueue **gate_queue_of_name(GateQueue **first, const char *name);
GateQueue **gate_queue_end(GateQueue **first);
/* The queue at *p or, where that is NULL, a new one in its place. NULL without memory. name is NULL
 * for a queue by uid. */
GateQueue *gate_queue_at(GateQueue **p, uint32_t uid, const char *name);
/* Takes the queue at *p out of its list. */
GateQueue *gate_queue_unlink(GateQueue **p);
/* Frees an unlinked queue and the messages in it. */
void gate_queue_free(GateQueue *queue);

void gate_queue_append(GateQueue *queue, GateItem *item);
/* The item that has waited longest; NULL: none. */
GateItem *gate_queue_take(GateQueue *queue);
/* Frees the messages of caller. */
void gate_queue_drop(GateQueue *queue, const char *caller);
