/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The leases as they come and go: rawnetd's list first, then its signals. rawnetd may end and start
 * again meanwhile; then the list is read anew, and the difference is what happened.
 */

#include <systemd/sd-bus.h>

#include "client/objects.h"

typedef enum WatchEvent {
        WATCH_LISTED, /* it was there at the start */
        WATCH_OPENED,
        WATCH_CHANGED, /* a property */
        WATCH_ENDED,   /* its guest is off the network; with the reason that Ended gives */
        WATCH_REMOVED, /* its holder closed the last descriptor, some time after it ended */
} WatchEvent;

/* "listed" and so on. */
const char *watch_event_to_string(WatchEvent event);

typedef struct WatchHandler {
        /* reason: "" but for WATCH_ENDED; "unknown" where rawnetd was away at the time. */
        void (*lease)(void *userdata, WatchEvent event, const LeaseObject *lease,
                      const char *reason);
        /* The first list is complete. May be NULL. */
        void (*listed)(void *userdata);
        /* The bus is closed, or rawnetd cannot be asked: r and refusal as of bus_query(). No other
         * call follows. */
        void (*failed)(void *userdata, int r, const Refusal *refusal);
} WatchHandler;

typedef struct Watch Watch;

/* Listens on bus and asks for the list; the handler is called while the caller processes the bus.
 * 0, a RawnetError with the sentence, or -errno. */
int watch_start(sd_bus *bus, const WatchHandler *handler, void *userdata, Watch **ret,
                Refusal *ret_refusal);
void watch_free(Watch *watch);
static inline void watch_freep(Watch **watch) {
        watch_free(*watch);
}

/* The leases that there are, ended ones that are still held among them, in the order in which they
 * came. */
size_t watch_count(const Watch *watch);
const LeaseObject *watch_lease(const Watch *watch, size_t i);
