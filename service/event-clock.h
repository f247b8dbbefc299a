/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The time at which the current turn of the event loop began, sd_event_now(3).
 */

#include <systemd/sd-event.h>

#include "common/util.h"

/* CLOCK_MONOTONIC, µs. sd_event_now() fails only for an event loop of another process. */
static inline uint64_t event_usec(sd_event *event) {
        uint64_t now = 0;

        (void)sd_event_now(event, CLOCK_MONOTONIC, &now);
        return now;
}
