/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Workers: one forked process a job, so that whatever blocks (RTNL, a child, a close of 16 ms)
 * blocks nobody else. A worker answers its request itself, on the connection it came by, so that no
 * lease descriptor is ever in the daemon's hands; to the loop it only reports.
 *
 * One worker is made ahead, the spare: two processes and a namespace are more than half of what an
 * open costs, and need nothing of the request. The spare is made while nothing is being opened: at
 * the start and after each open, not while polkit thinks, where it would take the processor from
 * polkit and the bus. Its child waits in an empty namespace that has no nsid and no name; the next
 * open takes the spare for good. It is never a lease, is never used twice, and nothing depends on
 * it: an open that finds none, or a dead one, forks its own.
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
        pid_t pid;              /* 0: reaped; a learning child may still report */
        int report_fd;          /* -1: all writers are gone */
        Connection *connection; /* NULL: none, or it is gone */
        uint64_t serial;        /* of the request; 0: a job of the daemon's own */
        bool busy;              /* it has a job, and counts */
        bool answered;          /* REPORT_ANSWERED has come */
        bool learns;            /* an open with mac=learn: its child keeps report_fd */
        uint32_t lease;         /* what its open has made; 0: nothing yet. Set by the owner */
        uint16_t vlan;          /* of its open; 0: none */
        uint32_t uid, queues;   /* of its open */
        int order_fd;           /* made ahead: its open is sent here; -1: it has its job */
        sd_event_source *report_source, *exit_source;
} Worker;

typedef struct PoolEvents {
        void (*report)(void *data, Worker *worker, const Report *report);
        /* A worker with a job has ended. Everything that it reported came before. */
        void (*ended)(void *data, const Worker *worker);
        /* A learning child, which outlives its worker, has closed its end. */
        void (*learned)(void *data);
        /* All that was there has been reported. */
        void (*settle)(void *data);
} PoolEvents;

struct Pool {
        sd_event *event;
        const WorkerContext *context; /* what each worker inherits */
        const PoolEvents *events;
        void *data;      /* for events */
        Worker *workers; /* list */
        Worker *spare;   /* of them */
        bool spare_due;
        unsigned n_workers; /* with a job */
        LogLimit failures;  /* a user causes what they are about as often as he likes */
};

/* Forks a worker. connection and order: NULL for jobs of the daemon's own. 0 or -errno. */
int pool_start(Pool *pool, JobKind kind, Connection *connection, const JobOrder *order);

/* Jobs of this kind in progress. */
unsigned pool_count(const Pool *pool, JobKind kind);

/* Makes the spare worker if one is due and nothing is being opened. After a try that failed the
 * next open makes the next one due. */
void pool_refill(Pool *pool);

/* Detaches its workers from a connection that ends, so that a late report does not reach another
 * connection in the same place in memory. */
void pool_forget_connection(Pool *pool, const Connection *connection);

/* Sets the VLANs of the opens in progress (SweepContext.opening). Returns whether there are any. */
bool pool_opening_vlans(const Pool *pool, uint64_t ret[static SWEEP_VLAN_WORDS]);

/* Opens with mac=learn that are under way, and learning children that still report to this daemon.
 */
unsigned pool_count_learning(const Pool *pool);
/* Is there one of them for this lease? */
bool pool_learns(const Pool *pool, uint32_t lease);

/* Queues of uid's opens that are under way and have not reported their lease yet. */
unsigned pool_count_queues(const Pool *pool, uint32_t uid);
