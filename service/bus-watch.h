/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Notices a bus that delivers calls to us and does not take what we send. dbus-daemon stops to read
 * from a connection of which it holds too much (max_incoming_bytes and max_incoming_unix_fds of
 * dbus-daemon(1)), until others read; a new connection begins at nothing. While calls arrive the
 * bus is asked a question now and then. No answer for 10 s, and the bus has read nothing of ours
 * meanwhile: stalled.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "common/util.h"

typedef struct BusWatch BusWatch;

/* bus_fd: the descriptor by which rawnetd writes to the bus. stalled is called at most once. */
int bus_watch_new(sd_event *event, sd_bus *bus, int bus_fd, void (*stalled)(void *userdata),
                  void *userdata, BusWatch **ret);
void bus_watch_free(BusWatch *watch);
/* A call has arrived. Cheap. */
void bus_watch_call(BusWatch *watch);
