/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Replies that nobody reads. dbus-daemon keeps them, and at 127 MiB of one sender's messages
 * (max_incoming_bytes of dbus-daemon(1)) it reads nothing more from that sender. So callers who do
 * not read must not get ever more of ours.
 *
 * From time to time dbus-daemon is asked how much it holds of ours. While it is much, each caller
 * is asked about before his next call passes, and calls of one who has much unread are dropped.
 * Others are served as ever, one question later. When it is too much all the same (signals that
 * listeners do not read are in it as well), the connection is given up: a new one begins at
 * nothing.
 */

#include <systemd/sd-bus.h>

#include "common/util.h"

typedef struct UnreadTable UnreadTable;

typedef struct UnreadEvents {
        /* Calls that had to wait may pass now, or are dropped. */
        void (*known)(void *userdata);
        /* The connection to the bus should be given up. */
        void (*overfull)(void *userdata);
} UnreadEvents;

int unread_table_new(sd_bus *bus, const UnreadEvents *events, void *userdata, UnreadTable **ret);
void unread_table_free(UnreadTable *table);

/* Before a call of that unique name passes, at the time now (µs, CLOCK_MONOTONIC). 1: it passes; 0:
 * it waits until known() is called; -EBUSY: it is dropped. */
int unread_may_pass(UnreadTable *table, const char *name, uint64_t now);
/* A unique name has left the bus. */
void unread_gone(UnreadTable *table, const char *name);
