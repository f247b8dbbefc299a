/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Workers: one forked process a job, so that whatever blocks (RTNL, a child, a close of 16 ms) blocks nobody else. A worker answers its
 * request itself, on the connection it came by, so that no lease descriptor ever is in the daemon's hands; to the loop it only reports.
 */

#include "helper/server.h"

typedef enum JobKind { JOB_OPEN, JOB_CLOSE, JOB_STATISTICS, JOB_HOST_UP, JOB_HOST_DOWN, JOB_SCAN, JOB_SWEEP, JOB_PROBE } JobKind;

/* Forks a worker. connection and request: NULL for jobs of the daemon's own. 0 or -errno. */
int worker_start(Server *server, JobKind kind, Connection *connection, const WireRequest *request);
