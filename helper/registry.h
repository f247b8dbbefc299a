/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the daemon knows of the leases: a copy of what the kernel holds, so that lists and counts
 * need no netlink. Reports of workers fill it, RTM_DELNSID and scans empty it. It decides nothing
 * about a lease's life.
 */

#include "helper/report.h"

typedef struct RegistryEntry {
        IpcLease lease;
        uint32_t lower;   /* ifindex of the interface below the uplink, in the host's namespace; 0:
                             gone, or not known */
        uint32_t own_mtu; /* of the lease's record; lease.mtu is what the lease carries now, and
                             never more */
        uint32_t carries; /* LeaseLower.mtu (record.h); 0: not known */
        uint64_t generation; /* of the scan that saw it last */
} RegistryEntry;

typedef struct Registry {
        RegistryEntry *entries; /* sorted by lease.id */
        size_t n_entries, n_allocated;
        uint64_t generation;
        bool scanning;
        /* A scan has found every lease alive. Before, nothing may be deleted for the reason that no
         * known lease needs it. Stays true: workers report the leases that they open, and later
         * scans report all others. */
        bool whole;
        /* The ids of leases that ended during a scan, which may still be reported by it. */
        uint32_t *buried;
        size_t n_buried, n_buried_allocated;
} Registry;

RegistryEntry *registry_find(const Registry *registry, uint32_t id);
/* Adds a lease or replaces what was known of it. lower, carries: 0: not known. Returns 1: new; 2:
 * known, and something changed; 0: nothing changed, or the lease ended during this scan; or
 * -ENOMEM. A lease that was seen gone stays gone. */
int registry_put(Registry *registry, const IpcLease *lease, uint32_t lower, uint32_t carries);
/* The host's interface with this index carries mtu bytes now. Returns the next lease whose
 * lease.mtu changes for that reason, from *position (first: 0) on; NULL: no more. */
RegistryEntry *registry_follow_mtu(Registry *registry, uint32_t lower, uint32_t mtu,
                                   size_t *position);
/* Does a VLAN interface of this parent, which carries mtu bytes now, keep any lease below what both
 * could? The kernel lowers VLAN interfaces with their parent and does not raise them. */
bool registry_outgrown(const Registry *registry, const char *parent, uint32_t mtu);
/* Removes the lease and sets *ret. Returns whether it was there. */
bool registry_remove(Registry *registry, uint32_t id, IpcLease *ret);
void registry_begin_scan(Registry *registry);
/* After a complete scan: removes one lease that the scan did not report, and sets *ret. False:
 * there is none, and the scan is over. */
bool registry_next_lost(Registry *registry, IpcLease *ret);
/* Leases of the network NAME (a range's VLANs together), gone ones included. */
size_t registry_count(const Registry *registry, const char *network_name);
/* Leases that a process keeps (helper/child/keep.h), gone ones included. */
size_t registry_count_attached(const Registry *registry);
/* Queues of all leases of uid, gone ones included. */
unsigned registry_count_queues(const Registry *registry, uint32_t uid);
/* The host's interface with this index is gone, or in another namespace. The kernel may give the
 * index to another interface at once, so no lease is known to be on it any more. Returns whether
 * one was: it may have lost its uplink. */
bool registry_lower_gone(Registry *registry, uint32_t lower);
void registry_free(Registry *registry);
