/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Workers: one forked process a job, so that whatever blocks (RTNL, a child, a close of 16 ms)
 * blocks nobody else. A worker answers its request itself, on the connection that the request came
 * by, so the daemon never holds a descriptor of a lease. To the loop a worker only reports.
 *
 * One worker is made ahead, the spare: two processes and a namespace are more than half of what an
 * open costs, and need nothing of the request. The pool makes the spare while nothing is being
 * opened: at the start and after each open, not while polkit works, where the spare would take the
 * processor from polkit and the bus. The spare's child waits in an empty namespace that has no nsid
 * and no name; the next open uses both up. Nothing depends on the spare: an open that finds none,
 * or a dead one, forks its own worker.
 */

#include <systemd/sd-event.h>

#include "common/log.h"
#include "helper/daemon/connection.h"
#include "helper/worker/job.h"

typedef struct Pool Pool;

typedef struct Worker {
        Pool *pool;
        struct Worker *next;
        JobKind kind;
        pid_t pid;              /* 0: reaped; its learning child may still report */
        int report_fd;          /* -1: all writers are gone */
        Connection *connection; /* NULL: none, or the connection is gone */
        uint64_t serial;        /* of the request; 0: a job of the daemon's own */
        bool busy;              /* has a job: not the spare */
        bool answered;          /* REPORT_ANSWERED has come */
        bool learns;            /* an open with mac=learn: its child keeps report_fd */
        uint32_t lease;       /* the id that its open has reported; 0: none yet. Set by server.c */
        uint32_t closes;      /* the id that its close names; 0: not a close */
        uint16_t vlan;        /* of its open; 0: none */
        uint32_t uid, queues; /* of its open */
        int order_fd;         /* of the spare, to send it its open; -1: not the spare */
        sd_event_source *report_source, *exit_source;
} Worker;

typedef struct PoolEvents {
        void (*report)(void *data, Worker *worker, const Report *report);
        /* A worker with a job has ended. Its reports came before. */
        void (*ended)(void *data, const Worker *worker);
        /* A learning child, which outlives its worker, has closed its end. */
        void (*learned)(void *data);
        /* Follows the other events, once all that was there has been reported. */
        void (*settle)(void *data);
} PoolEvents;

struct Pool {
        sd_event *event;
        const WorkerContext *context; /* what each worker inherits */
        const PoolEvents *events;
        void *data;      /* for events */
        Worker *workers; /* list */
        Worker *spare;   /* one of workers, or NULL */
        bool spare_due;
        unsigned n_workers; /* with a job */
        LogLimit failures;  /* any user can cause one, as often as he likes */
};

/* Gives the job to a worker: an open to the spare, if there is one. connection and order are NULL
 * for jobs of the daemon's own, and order is not used after the call. namespace_fd: as
 * OpenContext.namespace_fd. 0 or -errno, which is logged.
 */
int pool_start(Pool *pool, JobKind kind, Connection *connection, const JobOrder *order,
               int namespace_fd);

/* Jobs of this kind in progress. */
unsigned pool_count(const Pool *pool, JobKind kind);

/* Makes the spare if one is due and nothing is being opened. After a failed try the next spare is
 * due with the next open. */
void pool_refill(Pool *pool);

/* Detaches the workers of a connection that ends, so that a late report does not reach another
 * connection in the same place in memory. */
void pool_forget_connection(Pool *pool, const Connection *connection);

/* Sets the VLANs of the opens in progress (SweepContext.opening). Returns whether there are any. */
bool pool_opening_vlans(const Pool *pool, uint64_t ret[static SWEEP_VLAN_WORDS]);

/* Opens with mac=learn in progress, and learning children that still report to this daemon. */
unsigned pool_count_learning(const Pool *pool);
/* Does a learning child of this lease still report to this daemon? */
bool pool_learns(const Pool *pool, uint32_t lease);
/* Is a close of this lease in progress? */
bool pool_closes(const Pool *pool, uint32_t lease);

/* Queues of uid's opens in progress that have not reported their lease yet. */
unsigned pool_count_queues(const Pool *pool, uint32_t uid);
