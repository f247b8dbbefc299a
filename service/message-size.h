/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How long a received message is: sd-bus does not say it, and what waits must be bounded in memory.
 */

#include <systemd/sd-bus.h>

#include "common/util.h"

/* Bytes of m's path and arguments, counted roughly as they arrived. Stops reading at max, so that a
 * long message costs no more than a short one. Rewinds m. 0; -E2BIG: more than max; -errno: its
 * arguments cannot be read. */
int message_size(sd_bus_message *m, size_t max, size_t *ret_size);
