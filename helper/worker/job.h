/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The life of a worker: one forked process, one job. The worker answers its request itself, on the
 * connection that the request came by, so the daemon never holds a descriptor of a lease. To the
 * loop it only reports. It may block.
 */

#include "helper/worker/context.h"

typedef enum JobKind {
        JOB_NONE,
        JOB_OPEN,
        JOB_CLOSE,
        JOB_STATISTICS,
        JOB_HOST_UP,
        JOB_HOST_DOWN,
        JOB_CHECK,
        JOB_SCAN,
        JOB_LEARNING,
        JOB_SWEEP,
        JOB_PROBE
} JobKind;

/* What rawnetd asked for. */
typedef struct JobOrder {
        IpcRequest request;
        uint64_t n_leases; /* JOB_OPEN: that the network asked for has */
        uint32_t features; /* IPC_FEATURE_*, as known now */
} JobOrder;

typedef struct Job {
        JobKind kind;
        const JobOrder *order; /* NULL: a job of the daemon's own, or the spare's */
        int connection_fd;     /* where the answer goes; -1: nowhere, or it comes with the order */
        int namespace_fd;      /* as OpenContext.namespace_fd; or it comes with the order */
        int report_fd;
        int order_fd; /* of the spare (pool.h): its JobOrder comes here, with the connection's
                         descriptor and perhaps a namespace's; else -1 */
} Job;

/* A worker's whole life after fork(). parent: the daemon's pid. */
_Noreturn void job_run(const WorkerContext *of_daemon, const Job *job, pid_t parent);
