/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a job works with besides its request. A worker inherits a copy from the daemon at its fork,
 * so nothing that the daemon does later reaches a job in progress.
 */

#include "helper/worker/child.h"
#include "helper/doubt.h"
#include "helper/lease-id.h"
#include "helper/registry.h"

/* Every job. */
typedef struct JobContext {
        int report_fd;            /* to the daemon's loop, report.h */
        Netlink *netlink;         /* NETLINK_ROUTE, in the host's namespace */
        Privilege privilege;      /* for those that make a namespace: open, check, probe */
        GuardProgram guard;       /* for the same, and statistics */
        const Registry *registry; /* for those that look at all leases: check, scan, sweep */
        int owner_fd; /* for those that leave a shared VLAN interface: open, host up, sweep.
                         vlan_guard_install() */
} JobContext;

/* An open; and a check, which rehearses one and needs the features alone. */
typedef struct OpenContext {
        uint32_t features; /* IPC_FEATURE_*, as known when the request came */
        size_t n_leases;   /* of the network that the request names */
        LeaseIds *ids;     /* shared by the daemon and its workers */
        Child spare;       /* a child made ahead (pool.h), or socket_fd -1 */
        int namespace_fd;  /* of the request, kind veth; else -1. Stays the caller's */
} OpenContext;

/* A sweep: what it leaves alone. */
#define SWEEP_VLAN_WORDS ((VLAN_ID_MAX + 64) / 64)
typedef struct SweepContext {
        Doubts doubts;
        /* Bit VID % 64 of word VID / 64: an open for that VLAN is in progress. */
        uint64_t opening[SWEEP_VLAN_WORDS];
} SweepContext;

typedef struct ProbeContext {
        bool again; /* not the one at the start: a user causes it, so it logs nothing */
        bool assume_checksum_trick; /* whatever the kernel does */
} ProbeContext;

/* All that a worker inherits. */
typedef struct WorkerContext {
        JobContext job;
        LeaseIds *ids;
        SweepContext sweep;
        ProbeContext probe;
} WorkerContext;
