/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The live leases as the helper told them, by id. No bus, no side effects.
 */

#include "common/ipc.h"
#include "service/counts.h"

typedef struct Lease {
        struct Lease *next; /* the next one in the bucket */
        IpcLease ipc;
        uint32_t generation; /* of the list that last had the lease */
        bool ended;          /* Ended was sent; the lease counts until its namespace is gone */
        bool closing;        /* the helper has been asked to close it */
        uint32_t closer;     /* by this user */
        SeenCounters seen;   /* metrics.c */
} Lease;

typedef struct LeaseTable {
        Lease **buckets;
        size_t n_buckets; /* a power of two, or 0 */
        size_t n_leases;
        uint32_t generation;
} LeaseTable;

Lease *lease_table_find(const LeaseTable *table, uint32_t id);
/* id must not be in the table. Returns NULL without memory. */
Lease *lease_table_add(LeaseTable *table, const IpcLease *ipc);
/* Frees lease. */
void lease_table_remove(LeaseTable *table, Lease *lease);
void lease_table_done(LeaseTable *table);

/* Every lease once, in no order: start with NULL. The table must not change in between. */
Lease *lease_table_next(const LeaseTable *table, const Lease *previous);

/* Does the full network name ("lab", "lab.100") belong to the network file NAME ("lab")? */
bool lease_table_same_network(const char *full_name, const char *name);

/* Leases of a network (its file's name; NULL: of all) and, with any_uid false, of one owner. Those
 * that were closed under their holder count as well: their namespaces still exist. */
unsigned lease_table_count(const LeaseTable *table, const char *network, uint32_t uid,
                           bool any_uid);

/* Queues of one owner's leases, closed ones included. */
unsigned lease_table_count_queues(const LeaseTable *table, uint32_t uid);

/* Leases that still wait for their guest's first frame (mac=learn), of one owner or, with any_uid,
 * of all. */
unsigned lease_table_count_learning(const LeaseTable *table, uint32_t uid, bool any_uid);
