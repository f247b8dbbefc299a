/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnetd's network and lease objects, read with one GetManagedObjects call however many there are.
 */

#include "client/bus.h"

typedef struct NetworkObject {
        char *name, *description, *parent, *protocol, *mode, *kinds, *guest_servers, *address_lock,
                *mac_prefix, *mac_choice, *error, *host_interface;
        uint32_t vlans[2]; /* 0, 0: untagged; equal: one; else a range */
        uint64_t rate;     /* bits a second; 0: no limit */
        uint32_t mtu, max_leases, leases;
        bool anti_spoof;
} NetworkObject;

typedef struct LeaseObject {
        char *network, *kind, *mac, *parent, *interface, *name, *state, *refused_mac,
                *refused_reason;
        uint32_t id, owner, mtu, queues, vlan;
        uint64_t since; /* µs, CLOCK_REALTIME */
} LeaseObject;

typedef struct Objects {
        NetworkObject *networks; /* sorted by name */
        size_t n_networks, n_networks_allocated;
        LeaseObject *leases; /* oldest first */
        size_t n_leases, n_leases_allocated;
} Objects;

extern const BusField network_fields[];
extern const size_t n_network_fields;
extern const BusField lease_fields[];
extern const size_t n_lease_fields;

int objects_read(sd_bus *bus, Objects *ret, Refusal *ret_refusal);
/* The same, and again for at most 2 s while rawnetd's view of the network files is not ready().
 * Returns the last view. */
typedef bool (*ObjectsReady)(const Objects *objects, const void *userdata);
int objects_read_when(sd_bus *bus, ObjectsReady ready, const void *userdata, Objects *ret,
                      Refusal *ret_refusal);
/* The same of a message: GetManagedObjects' reply, or the signal InterfacesAdded, which gives one
 * object or none that is known here. 0 or -errno. */
int objects_parse(sd_bus_message *reply, Objects *ret);
int objects_parse_added(sd_bus_message *signal, Objects *ret);
/* One lease by its id; RAWNET_NO_SUCH_LEASE where there is none. The caller frees with
 * lease_object_done(). */
int objects_read_lease(sd_bus *bus, uint32_t id, LeaseObject *ret, Refusal *ret_refusal);
void lease_object_done(LeaseObject *lease);
void objects_done(Objects *objects);
