/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "common/util.h"

/* As sd_bus_call(3). Matches of the same connection are dispatched meanwhile. With notice, and
 * if stderr is a terminal, a line there says what is waited for when it takes more than 3 s. 0 or
 * -errno; where the connection was closed that is -ENOTCONN or the like, with ret_error unset. */
int bus_call(sd_bus *bus, sd_bus_message *m, uint64_t usec, bool notice, sd_bus_error *ret_error,
             sd_bus_message **ret_reply);

/* Dispatches until *changed, which a match of the caller sets, or until `end` (CLOCK_MONOTONIC,
 * µs). 0 or -errno. */
int bus_wait(sd_bus *bus, const bool *changed, uint64_t end);
