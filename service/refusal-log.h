/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Refusals in the log. A user causes as many as he likes, and systemd-journald drops a service's
 * messages beyond a rate: those of ports opened and ended among them. So the first refusal of a
 * user is logged, and those that follow within ten seconds are counted and logged as one line.
 */

#include <systemd/sd-event.h>

#include "common/util.h"

typedef struct RefusalLog RefusalLog;

int refusal_log_new(sd_event *event, RefusalLog **ret);
/* Logs what has been counted. */
void refusal_log_free(RefusalLog *log);

/* Is the refusal of a request of uid to be logged? Otherwise it is counted. kernel: the kernel
 * refused, which is logged at another level, and counted by itself. */
bool refusal_log_wants(RefusalLog *log, uint32_t uid, bool kernel);
