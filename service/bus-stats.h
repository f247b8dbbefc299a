/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What dbus-daemon holds for a connection: org.freedesktop.DBus.Debug.Stats, which our bus policy
 * allows to rawnetd. Its answer to a question comes after it has passed on, or dropped, what was
 * sent before the question. Nothing here waits.
 */

#include <systemd/sd-bus.h>

#include "common/util.h"

/* Numbers of GetConnectionStats(). Incoming: sent by that connection and not yet taken by those
 * whom it is for. Outgoing: for that connection, and not yet taken by it. */
#define BUS_STATS_INCOMING_BYTES "IncomingBytes"
#define BUS_STATS_OUTGOING_BYTES "OutgoingBytes"
#define BUS_STATS_OUTGOING_FDS "OutgoingFDs"

/* Asks about the connection of that unique name. 0 or -errno. */
int bus_stats_ask(sd_bus *bus, const char *name, sd_bus_message_handler_t answer, void *userdata,
                  sd_bus_slot **ret);

/* 1 with *ret; 0: there is no such connection any more; -errno: the bus does not say it. To be
 * called once for an answer. */
int bus_stats_read(sd_bus_message *answer, const char *key, uint32_t *ret);
