/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The daemon: what rawnetd asks for, what workers report and what the kernel says meet here, and
 * only here is decided what is due: a scan, a sweep, a spare worker, leaving. The loop itself never
 * waits: not on netlink, not on a child, not on a close.
 */

#include "helper/daemon/connection.h"
#include "helper/daemon/learning.h"
#include "helper/daemon/news.h"
#include "helper/daemon/pool.h"
#include "helper/daemon/watch.h"

/* Jobs at a time. Opens that wait for an ending lease pause in their worker, so this bounds them,
 * too. */
#define SERVER_WORKERS_MAX 128u
/* Of those, checks of networks. rawnetd has fewer in progress at a time. */
#define SERVER_CHECKS_MAX 16u

typedef struct Server Server;

/* A job of the daemon's own that is wanted now, or at the timer. */
typedef struct Due {
        Server *server;
        bool wanted;
        sd_event_source *timer;
} Due;

/* Set by the caller of server_start(): event, peer_uid, idle_seconds, context.job.privilege,
 * context.probe.assume_checksum_trick. */
struct Server {
        sd_event *event;
        uid_t peer_uid;        /* rawnetd's */
        unsigned idle_seconds; /* 0: stay */
        uint32_t features;     /* IPC_FEATURE_* of this kernel */
        WorkerContext context; /* what workers inherit */
        Registry registry;
        Connections connections;
        Pool pool;
        Watch watch;
        Netlink guard_owner; /* the socket of context.job.owner_fd */
        Learning learning;
        News news;
        bool probed, scanned, ready;
        bool probing; /* a second probe is in progress, see on_namespace() */
        Due scan, sweep;
        bool sweeping;
        bool guarding; /* there may be shared VLAN interfaces, whose guard ends with the helper */
        bool sweep_after_open; /* the last sweep left something alone for an open in progress */
        sd_event_source *idle_timer;
};

/* Starts to serve on the listening SOCK_SEQPACKET socket: probes the kernel, scans for leases, then
 * answers. 0 or -errno. */
int server_start(Server *server, int listen_fd);
void server_stop(Server *server);
