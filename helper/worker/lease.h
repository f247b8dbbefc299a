/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What one request does, from the network file to the descriptors. Runs in a worker process in the
 * host's namespace, one request a worker, and may block. It trusts nothing that rawnetd says but
 * the owner's uid.
 */

#include "helper/worker/child.h"
#include "helper/doubt.h"
#include "helper/lease-id.h"
#include "helper/registry.h"

/* What a sweep leaves alone. */
typedef struct SweepScope {
        Doubts doubts;
        uint64_t opening[(VLAN_ID_MAX + 64) /
                         64]; /* bit VID: an open for that VLAN is in progress */
} SweepScope;

typedef struct LeaseContext {
        Privilege privilege;
        uint32_t features;          /* WIRE_FEATURE_* as probed */
        bool quiet_probe;           /* what a probe finds has been logged a moment ago */
        bool assume_checksum_trick; /* whatever the probe says: frames are completed before the
                                       guard */
        const Registry *registry;   /* as it was at the fork */
        LeaseIds *ids;              /* shared by the daemon and its workers */
        int report_fd;
        size_t n_leases;         /* JOB_OPEN: that the network asked for has */
        const SweepScope *sweep; /* JOB_SWEEP */
        Child spare;             /* JOB_OPEN: a child made ahead (spare.h), or socket_fd -1 */
} LeaseContext;

/* Opens a lease. ret_fds: request->queues of the port, then as many of vhost-net where asked for,
 * the caller's. Returns 0, a refusal, or -errno. */
int lease_open(const LeaseContext *context, const WireOpen *request, WireLease *ret_lease,
               int ret_fds[static RAWNET_FDS_MAX], size_t *ret_n_fds, Refusal *ret_refusal);

/* Deletes the lease's port and uplink under its holder; its namespace lives on until the holder
 * lets go. RAWNET_NO_SUCH_LEASE, also where the links were gone before. */
int lease_close(const LeaseContext *context, uint32_t id, Refusal *ret_refusal);

/* The port's counters, turned to the guest's side: what it received is rx. */
int lease_statistics(const LeaseContext *context, uint32_t id,
                     uint64_t ret[static WIRE_STATISTICS_COUNT], Refusal *ret_refusal);

/* Names network and parent in a refusal that does not yet. Returns r (> 0). */
int lease_name_network(const char *network, const char *parent, int r, Refusal *refusal);
