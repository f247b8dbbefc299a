/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The inside of a worker: one forked process, one job. It answers its request itself, on the
 * connection it came by, so that no lease descriptor ever is in the daemon's hands; to the loop it
 * only reports. It may block.
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
        const JobOrder *order; /* NULL: a job of the daemon's own, or the order comes later */
        int connection_fd;     /* where the answer goes; -1: nowhere, or it comes with the order */
        int report_fd;
        int order_fd; /* made ahead for an open (pool.h): a JobOrder comes here, with the
                         connection's descriptor; else -1 */
} Job;

/* A worker's whole life after fork(). */
_Noreturn void job_run(const WorkerContext *of_daemon, const Job *job, pid_t parent);
