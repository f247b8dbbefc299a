/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/registry.h"

#include <string.h>

/* Index of the first entry whose id is not below id. */
static size_t lower_bound(const Registry *registry, uint32_t id) {
        size_t low = 0, high = registry->n_entries;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (registry->entries[middle].lease.id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

RegistryEntry *registry_find(const Registry *registry, uint32_t id) {
        size_t i = lower_bound(registry, id);

        if (i < registry->n_entries && registry->entries[i].lease.id == id)
                return &registry->entries[i];
        return NULL;
}

static bool is_buried(const Registry *registry, uint32_t id) {
        for (size_t i = 0; i < registry->n_buried; i++) {
                if (registry->buried[i] == id)
                        return true;
        }
        return false;
}

static uint32_t effective_mtu(const RegistryEntry *entry) {
        return entry->carries > 0 ? MIN_OF(entry->own_mtu, entry->carries) : entry->own_mtu;
}

static int update(RegistryEntry *known, const IpcLease *lease, uint32_t lower, uint32_t carries) {
        const IpcLease before = known->lease;

        known->lower = lower ? lower : known->lower;
        known->carries = carries ? carries : known->carries;
        known->own_mtu = lease->mtu;
        known->lease = *lease;
        known->lease.mtu = effective_mtu(known);
        known->lease.gone = before.gone | lease->gone;
        /* Where the record does not say the number, it is the kernel's (record.c), which falls when
         * the holder closes a queue. */
        known->lease.queues = before.queues;
        return known->lease.gone != before.gone || known->lease.mtu != before.mtu ||
                               known->lease.refused_why != before.refused_why ||
                               !mac_equal(&known->lease.refused_mac, &before.refused_mac) ||
                               !mac_equal(&known->lease.mac, &before.mac)
                       ? 2
                       : 0;
}

int registry_put(Registry *registry, const IpcLease *lease, uint32_t lower, uint32_t carries) {
        RegistryEntry *entry = registry_find(registry, lease->id);
        size_t i;

        if (entry) {
                entry->generation = registry->generation;
                return update(entry, lease, lower, carries);
        }
        if (is_buried(registry, lease->id))
                return 0;
        if (GROW_ARRAY(registry->entries, registry->n_entries, registry->n_allocated) < 0)
                return -ENOMEM;
        i = lower_bound(registry, lease->id);
        entry = &registry->entries[i];
        memmove(entry + 1, entry, (registry->n_entries - i) * sizeof(*entry));
        *entry = (RegistryEntry){.lease = *lease,
                                 .lower = lower,
                                 .own_mtu = lease->mtu,
                                 .carries = carries,
                                 .generation = registry->generation};
        entry->lease.mtu = effective_mtu(entry);
        registry->n_entries++;
        return 1;
}

RegistryEntry *registry_follow_mtu(Registry *registry, uint32_t lower, uint32_t mtu,
                                   size_t *position) {
        while (*position < registry->n_entries) {
                RegistryEntry *entry = &registry->entries[(*position)++];
                uint32_t before = entry->lease.mtu;

                if (entry->lower != lower || mtu == 0 || entry->lease.gone || entry->lease.later)
                        continue;
                /* The holder of a direct lease (ipc.h) sends by the uplink, whose MTU does not rise
                 * again. */
                if (!entry->lease.direct || entry->carries == 0 || mtu < entry->carries)
                        entry->carries = mtu;
                entry->lease.mtu = effective_mtu(entry);
                if (entry->lease.mtu != before)
                        return entry;
        }
        return NULL;
}

bool registry_outgrown(const Registry *registry, const char *parent, uint32_t mtu) {
        for (size_t i = 0; i < registry->n_entries; i++) {
                const RegistryEntry *entry = &registry->entries[i];

                if (entry->lease.vlan != 0 && !entry->lease.gone && !entry->lease.later &&
                    entry->carries != 0 && entry->carries < MIN_OF(entry->own_mtu, mtu) &&
                    strcmp(entry->lease.parent, parent) == 0)
                        return true;
        }
        return false;
}

static void bury(Registry *registry, uint32_t id) {
        if (!registry->scanning)
                return;
        /* Without memory the scan may bring a dead lease back, until the next scan. */
        if (GROW_ARRAY(registry->buried, registry->n_buried, registry->n_buried_allocated) < 0)
                return;
        registry->buried[registry->n_buried++] = id;
}

static void remove_at(Registry *registry, size_t i) {
        registry->n_entries--;
        memmove(&registry->entries[i], &registry->entries[i + 1],
                (registry->n_entries - i) * sizeof(*registry->entries));
}

bool registry_remove(Registry *registry, uint32_t id, IpcLease *ret) {
        RegistryEntry *entry = registry_find(registry, id);

        bury(registry, id);
        if (!entry)
                return false;
        *ret = entry->lease;
        remove_at(registry, (size_t)(entry - registry->entries));
        return true;
}

void registry_begin_scan(Registry *registry) {
        registry->scanning = true;
        registry->generation++;
}

bool registry_next_lost(Registry *registry, IpcLease *ret) {
        for (size_t i = 0; i < registry->n_entries; i++) {
                if (registry->entries[i].generation < registry->generation) {
                        *ret = registry->entries[i].lease;
                        remove_at(registry, i);
                        return true;
                }
        }
        registry->scanning = false;
        free(TAKE_PTR(registry->buried));
        registry->n_buried = registry->n_buried_allocated = 0;
        return false;
}

size_t registry_count(const Registry *registry, const char *network_name) {
        size_t length = strlen(network_name), n = 0;

        for (size_t i = 0; i < registry->n_entries; i++) {
                const char *network = registry->entries[i].lease.network;

                if (strncmp(network, network_name, length) == 0 &&
                    (network[length] == '\0' || network[length] == '.'))
                        n++;
        }
        return n;
}

size_t registry_count_attached(const Registry *registry) {
        size_t n = 0;

        for (size_t i = 0; i < registry->n_entries; i++)
                n += registry->entries[i].lease.kind == KIND_VETH;
        return n;
}

unsigned registry_count_queues(const Registry *registry, uint32_t uid) {
        unsigned n = 0;

        for (size_t i = 0; i < registry->n_entries; i++)
                if (registry->entries[i].lease.uid == uid)
                        n += registry->entries[i].lease.queues;
        return n;
}

bool registry_lower_gone(Registry *registry, uint32_t lower) {
        bool found = false;

        for (size_t i = 0; i < registry->n_entries; i++) {
                if (registry->entries[i].lower != lower)
                        continue;
                registry->entries[i].lower = 0;
                found = true;
        }
        return found;
}

void registry_free(Registry *registry) {
        free(registry->entries);
        free(registry->buried);
        *registry = (Registry){};
}
