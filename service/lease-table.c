/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/lease-table.h"

#include <string.h>

/* The helper counts ids up (helper/lease-id.h), so their low bits spread leases evenly. */
static Lease **bucket_of(const LeaseTable *table, uint32_t id) {
        return &table->buckets[id & (table->n_buckets - 1)];
}

Lease *lease_table_find(const LeaseTable *table, uint32_t id) {
        if (table->n_buckets == 0)
                return NULL;
        for (Lease *l = *bucket_of(table, id); l; l = l->next)
                if (l->ipc.id == id)
                        return l;
        return NULL;
}

static int table_grow(LeaseTable *table) {
        LeaseTable bigger = *table;

        bigger.n_buckets = table->n_buckets ? table->n_buckets * 2 : 16;
        bigger.buckets = calloc(bigger.n_buckets, sizeof(*bigger.buckets));
        if (!bigger.buckets)
                return -ENOMEM;
        for (size_t i = 0; i < table->n_buckets; i++)
                for (Lease *l = table->buckets[i], *next; l; l = next) {
                        Lease **bucket = bucket_of(&bigger, l->ipc.id);

                        next = l->next;
                        l->next = *bucket;
                        *bucket = l;
                }
        free(table->buckets);
        *table = bigger;
        return 0;
}

Lease *lease_table_add(LeaseTable *table, const IpcLease *ipc) {
        Lease *lease, **bucket;

        if (table->n_leases >= table->n_buckets && table_grow(table) < 0)
                return NULL;
        lease = malloc(sizeof(*lease));
        if (!lease)
                return NULL;
        bucket = bucket_of(table, ipc->id);
        *lease = (Lease){.next = *bucket, .ipc = *ipc, .generation = table->generation};
        *bucket = lease;
        table->n_leases++;
        return lease;
}

void lease_table_remove(LeaseTable *table, Lease *lease) {
        Lease **p = bucket_of(table, lease->ipc.id);

        while (*p != lease)
                p = &(*p)->next;
        *p = lease->next;
        table->n_leases--;
        free(lease);
}

void lease_table_done(LeaseTable *table) {
        Lease *l;

        while ((l = lease_table_next(table, NULL)))
                lease_table_remove(table, l);
        free(table->buckets);
        *table = (LeaseTable){};
}

Lease *lease_table_next(const LeaseTable *table, const Lease *previous) {
        size_t i = 0;

        if (previous) {
                if (previous->next)
                        return previous->next;
                i = (previous->ipc.id & (table->n_buckets - 1)) + 1;
        }
        for (; i < table->n_buckets; i++)
                if (table->buckets[i])
                        return table->buckets[i];
        return NULL;
}

bool lease_table_same_network(const char *full_name, const char *name) {
        size_t length = strlen(name);

        return strncmp(full_name, name, length) == 0 &&
               (full_name[length] == '\0' || full_name[length] == '.');
}

unsigned lease_table_count(const LeaseTable *table, const char *network, uint32_t uid,
                           bool any_uid) {
        unsigned n = 0;

        for (Lease *l = lease_table_next(table, NULL); l; l = lease_table_next(table, l))
                n += (any_uid || l->ipc.uid == uid) &&
                     (!network || lease_table_same_network(l->ipc.network, network));
        return n;
}

unsigned lease_table_count_learning(const LeaseTable *table, uint32_t uid, bool any_uid) {
        unsigned n = 0;

        for (Lease *l = lease_table_next(table, NULL); l; l = lease_table_next(table, l))
                n += (any_uid || l->ipc.uid == uid) && ipc_lease_learns(&l->ipc);
        return n;
}

unsigned lease_table_count_queues(const LeaseTable *table, uint32_t uid) {
        unsigned n = 0;

        for (Lease *l = lease_table_next(table, NULL); l; l = lease_table_next(table, l))
                if (l->ipc.uid == uid)
                        n += l->ipc.queues;
        return n;
}
