/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/gate-queue.h"

#include <string.h>

GateItem *gate_item_new(sd_bus_message *message) {
        GateItem *item = calloc(1, sizeof(*item));

        if (item)
                item->message = sd_bus_message_ref(message);
        return item;
}

void gate_item_free(GateItem *item) {
        sd_bus_message_unref(item->message);
        free(item);
}

const char *gate_item_caller(const GateItem *item) {
        return item->refusal ? sd_bus_message_get_destination(item->message)
                             : sd_bus_message_get_sender(item->message);
}

int gate_item_refuse(GateItem *item, const Refusal *refusal) {
        sd_bus_message *reply = NULL;
        int r;

        if (sd_bus_message_get_expect_reply(item->message) <= 0)
                return -ENOTCONN;
        r = sd_bus_message_new_method_errorf(
                item->message, &reply, rawnet_error_to_dbus(refusal->error), "%s", refusal->text);
        if (r < 0)
                return r;
        sd_bus_message_unref(item->message);
        item->message = reply;
        item->size = GATE_MESSAGE_COST;
        item->refusal = true;
        return 0;
}

bool gate_call_is_of_use(sd_bus_message *m) {
        if (sd_bus_message_get_expect_reply(m) > 0)
                return true;
        /* Only Close(). Any other call without a wish for a reply would open a port, or read
         * something, for nobody. */
        return strcmp(sd_bus_message_get_member(m), "Close") == 0 &&
               strcmp(sd_bus_message_get_signature(m, true), "") == 0;
}

GateQueue **gate_queue_of_uid(GateQueue **first, uint32_t uid) {
        while (*first && (*first)->uid != uid)
                first = &(*first)->next;
        return first;
}

GateQueue **gate_queue_of_name(GateQueue **first, const char *name) {
        while (*first && strcmp((*first)->name, name) != 0)
                first = &(*first)->next;
        return first;
}

GateQueue **gate_queue_end(GateQueue **first) {
        while (*first)
                first = &(*first)->next;
        return first;
}

GateQueue *gate_queue_at(GateQueue **p, uint32_t uid, const char *name) {
        GateQueue *queue = *p;

        if (queue)
                return queue;
        queue = calloc(1, sizeof(*queue));
        if (!queue)
                return NULL;
        queue->uid = uid;
        if (name) {
                queue->name = strdup(name);
                if (!queue->name) {
                        free(queue);
                        return NULL;
                }
        }
        *p = queue;
        return queue;
}

GateQueue *gate_queue_unlink(GateQueue **p) {
        GateQueue *queue = *p;

        *p = queue->next;
        queue->next = NULL;
        return queue;
}

void gate_queue_free(GateQueue *queue) {
        GateItem *item;

        while ((item = gate_queue_take(queue)))
                gate_item_free(item);
        free(queue->name);
        free(queue);
}

static void count(GateQueue *queue, const GateItem *item, bool more) {
        unsigned by = more ? 1u : -1u;

        *(item->refusal ? &queue->n_refusals : &queue->n_calls) += by;
        queue->n_too_long += item->too_long ? by : 0;
        queue->size = more ? queue->size + item->size : queue->size - item->size;
}

void gate_queue_append(GateQueue *queue, GateItem *item) {
        item->next = NULL;
        if (queue->last)
                queue->last->next = item;
        else
                queue->first = item;
        queue->last = item;
        count(queue, item, true);
}

GateItem *gate_queue_take(GateQueue *queue) {
        GateItem *item = queue->first;

        if (!item)
                return NULL;
        queue->first = item->next;
        if (!queue->first)
                queue->last = NULL;
        count(queue, item, false);
        return item;
}

void gate_queue_drop(GateQueue *queue, const char *caller) {
        GateQueue all = *queue;
        GateItem *item;

        queue->first = queue->last = NULL;
        queue->n_calls = queue->n_refusals = queue->n_too_long = 0;
        queue->size = 0;
        while ((item = gate_queue_take(&all))) {
                const char *name = gate_item_caller(item);

                if (name && strcmp(name, caller) == 0)
                        gate_item_free(item);
                else
                        gate_queue_append(queue, item);
        }
}
