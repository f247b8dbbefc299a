/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Workers: one forked process a job, so that whatever blocks (RTNL, a child, a close of 16 ms)
 * blocks nobody else. A worker answers its request itself, on the connection it came by, so that no
 * lease descriptor ever is in the daemon's hands; to the loop it only reports.
 */

#include "helper/worker/job.h"
#include "helper/daemon/server.h"

/* Forks a worker. connection and request: NULL for jobs of the daemon's own. 0 or -errno. */
int worker_start(Server *server, JobKind kind, Connection *connection, const WireRequest *request);

/* The connection ends: what workers have to say on it nobody hears. Another may get its place in
 * memory, and the same serials. */
void worker_forget_connection(Server *server, const Connection *connection);

/* Sets bit VID of word VID / 64 for the VLAN of each open in progress, clears all others; returns
 * whether there is one. */
#define WORKER_VLAN_WORDS ((VLAN_ID_MAX + 64) / 64)
bool worker_opening_vlans(const Server *server, uint64_t ret[static WORKER_VLAN_WORDS]);

/* Opens with mac=learn that are under way, and learning children that still report to this daemon.
 */
unsigned worker_count_learning(const Server *server);
/* Is there one of them for this lease? */
bool worker_learns(const Server *server, uint32_t lease);

/* Queues of uid's opens that are under way and have not reported their lease yet. */
unsigned worker_count_queues(const Server *server, uint32_t uid);

/* Forks one for an open that is still to come: it has its child make a namespace, and waits. 0 or
 * -errno. For spare.c. */
int worker_start_ahead(Server *server, Worker **ret);
