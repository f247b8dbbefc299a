/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The daemon's loop: connections of rawnetd, a closed table of operations, workers that do them,
 * and what the kernel tells of leases that end. The loop itself never waits: not on netlink, not on
 * a child, not on a close.
 */

#include <systemd/sd-event.h>

#include "common/log.h"
#include "helper/worker/lease.h"
#include "helper/kernel/link.h"

/* rawnetd has one; a second while it is being replaced. */
#define SERVER_CONNECTIONS_MAX 4u
/* Opens that wait for an ending lease pause in their worker, so this is also how many of those
 * there may be. */
#define SERVER_WORKERS_MAX 128u

typedef struct Server Server;
typedef struct Worker Worker;

typedef struct Connection {
        Server *server;
        int fd;
        bool subscribed; /* it has asked for the list: it hears of changes */
        sd_event_source *source;
} Connection;

struct Server {
        sd_event *event;
        LeaseContext context; /* registry points to the field below */
        Registry registry;
        uid_t peer_uid;
        unsigned idle_seconds; /* 0: stay */
        Connection *connections[SERVER_CONNECTIONS_MAX];
        Worker *workers;             /* list */
        Worker *spare;               /* of them, the one made ahead (spare.c) */
        unsigned n_workers, n_opens; /* n_opens: without those for a host interface */
        unsigned n_host_jobs;        /* a host interface is being made or removed */
        SweepScope sweep;
        bool probed, scanned, ready;
        bool looked; /* probed again for the request that is read next */
        bool scan_wanted, sweep_wanted, sweeping, spare_due;
        bool sweep_after_open;   /* the last sweep left something alone for an open in progress */
        bool paused;             /* connections are not read */
        uint64_t learning_pause; /* µs until leases that learn unheard are looked at again; 0: there
                                    are none */
        LogLimit probes, failures; /* a user causes what they are about as often as he likes */
        sd_event_source *idle_timer, *scan_timer, *learning_timer, *sweep_timer;
        Netlink nsids, links;
};

/* Starts to serve on the listening SOCK_SEQPACKET socket: probes the kernel, scans for leases, then
 * answers. 0 or -errno. */
int server_start(Server *server, int listen_fd);
void server_stop(Server *server);

/* Something changed (a worker ended, a lease came or went): starts what was waiting, pauses or
 * resumes reading, arms or stops the idle timer. */
void server_settle(Server *server);

/* A scan failed: another in a second, not at once and for ever. */
void server_scan_later(Server *server);

/* The sweep's worker has ended: another one is due where it doubted an interface. */
void server_end_sweep(Server *server);

/* To every subscribed connection; one that does not take it is closed, it will come back and ask
 * for the list. */
void server_publish(Server *server, const WireReply *reply);
void server_publish_lease(Server *server, const WireLease *lease);
void server_publish_end(Server *server, const WireLease *lease, WireEndReason reason);

/* A reply of the given type to serial, everything else zero. */
WireReply server_reply(uint64_t serial, WireReplyType type);
/* Refuses a request without a worker. */
void server_answer_refusal(Connection *connection, uint64_t serial, const Refusal *refusal);
/* A worker died before it answered. */
void server_answer_failure(Connection *connection, uint64_t serial, const char *why);
