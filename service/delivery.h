/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Messages that carry descriptors, until the bus daemon holds none of them.
 *
 * dbus-daemon keeps a message, and its own duplicates of the descriptors in it, until the
 * receiver's socket has taken it, and drops it when the receiver leaves or takes no descriptors.
 * Two things must never happen then:
 *
 *  - dbus-daemon has the last copy of a lease's descriptors. Their last close waits for the kernel
 *    (16 ms for a packet socket) in the only thread of the bus that polkit and logind use, too. So
 *    our own copies stay open until dbus-daemon has none, and the threads of closer.c close them.
 *  - dbus-daemon holds 64 descriptors of ours (max_incoming_unix_fds of dbus-daemon(1)). It then
 *    reads nothing more from us. So one reply of a user is under way at a time, and fewer than 64
 *    descriptors in all; further replies wait here.
 *
 * What dbus-daemon still holds is asked of it (bus-stats.h), right behind the message: the answer
 * comes after the message was passed on or dropped. dbus-broker answers with an error, and that is
 * taken for "passed on": it bounds by itself what a user leaves unread. It does not report either
 * that a probe reached a connection that takes no descriptors, and ends that connection at the
 * reply. Our copies are the last ones then, too.
 *
 * Nothing here waits.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "common/refusal.h"
#include "service/closer.h"

typedef struct DeliveryTable DeliveryTable;
typedef struct Delivery Delivery;

typedef enum DeliveryResult {
        DELIVERY_SENT,   /* a reply: the bus has it, and delivery.c follows it from here on */
        DELIVERY_ABLE,   /* a probe: the connection takes descriptors, or nobody knows */
        DELIVERY_UNABLE, /* a probe: it does not */
        DELIVERY_UNREAD, /* given up: the receiver has not read what was sent before */
        DELIVERY_GONE,   /* the receiver has left the bus */
        DELIVERY_FAILED, /* out of memory, or the bus is not there */
} DeliveryResult;

/* Called once for each delivery, perhaps before the function that starts it has returned, unless it
 * is forgotten before. */
typedef void (*DeliveryDone)(void *userdata, DeliveryResult result);

int delivery_table_new(sd_event *event, sd_bus *bus, Closer *closer, DeliveryTable **ret);
/* Closes all copies and calls nobody any more. */
void delivery_table_free(DeliveryTable *table);

/* Finds out whether the connection that sent call takes descriptors, by a signal with a harmless
 * one. Returns 0 with done called, or to be called, and *ret_delivery NULL, or something that
 * delivery_forget() takes; or -errno. */
int delivery_probe(DeliveryTable *table, sd_bus_message *call, uint32_t uid, DeliveryDone done,
                   void *userdata, Delivery **ret_delivery);
/* Drops the probe's result. NULL is allowed. */
void delivery_forget(Delivery *delivery);

/* Sends reply, now or when it is its turn. Always takes fds, which are those in reply. done is
 * always called. */
void delivery_reply(DeliveryTable *table, sd_bus_message *call, uint32_t uid, sd_bus_message *reply,
                    const int *fds, size_t n_fds, DeliveryDone done, void *userdata);

/* Has uid left something unread for too long? 0, or RAWNET_LIMITS_EXCEEDED, which says what to do.
 */
int delivery_check(const DeliveryTable *table, uint32_t uid, const char *network,
                   Refusal *ret_refusal);
/* The refusal for DELIVERY_UNREAD. Returns RAWNET_LIMITS_EXCEEDED. */
int delivery_refuse_unread(const DeliveryTable *table, uint32_t uid, const char *network,
                           Refusal *ret_refusal);
/* The refusal for DELIVERY_UNABLE. Returns RAWNET_NOT_SUPPORTED. */
int delivery_refuse_unable(const char *network, Refusal *ret_refusal);

/* A unique name has left the bus. */
void delivery_gone(DeliveryTable *table, const char *name);
