/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Refusals in the log, of requests and of frames. A user causes as many as he likes, and
 * systemd-journald drops a service's messages beyond a rate: those of ports opened and ended among
 * them. So the first one of a user is logged (of frames the first few), and those that follow
 * within ten seconds are counted and logged as one line.
 */

#include <systemd/sd-event.h>

#include "common/util.h"

typedef struct RefusalLog RefusalLog;

/* Each kind is limited by itself. */
typedef enum LoggedKind {
        LOGGED_REFUSAL,        /* a request */
        LOGGED_KERNEL_REFUSAL, /* a request, which the kernel refused */
        LOGGED_DROP,           /* a frame that the guard dropped */
        LOGGED_KINDS
} LoggedKind;

int refusal_log_new(sd_event *event, RefusalLog **ret);
/* Logs what has been counted. */
void refusal_log_free(RefusalLog *log);

/* Is this refusal of uid to be logged? Otherwise it is counted. */
bool refusal_log_wants(RefusalLog *log, uint32_t uid, LoggedKind kind);
