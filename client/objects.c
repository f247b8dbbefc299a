/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetd's network and lease objects.
 */

#include "client/objects.h"

#include <string.h>

#include "client/parse.h"
#include "client/bus-call.h"
#include "common/clock.h"

#define READY_USEC                                                                                 \
        (2 * UINT64_C(1000000)) /* rawnetd reads changed files after a fraction of a second */

#define FIELD(type, bus_name, json_name, signature, member)                                        \
        { bus_name, json_name, signature, offsetof(type, member) }

const BusField network_fields[] = {
        FIELD(NetworkObject, "Name", "name", "s", name),
        FIELD(NetworkObject, "Description", "description", "s", description),
        FIELD(NetworkObject, "Parent", "parent", "s", parent),
        FIELD(NetworkObject, "VLANs", "vlans", "(uu)", vlans),
        FIELD(NetworkObject, "Protocol", "protocol", "s", protocol),
        FIELD(NetworkObject, "Mode", "mode", "s", mode),
        FIELD(NetworkObject, "Kinds", "kinds", "as", kinds),
        FIELD(NetworkObject, "AntiSpoof", "anti-spoof", "b", anti_spoof),
        FIELD(NetworkObject, "AddressLock", "address-lock", "s", address_lock),
        FIELD(NetworkObject, "GuestServers", "guest-servers", "as", guest_servers),
        FIELD(NetworkObject, "MACPrefix", "mac-prefix", "s", mac_prefix),
        FIELD(NetworkObject, "MACChoice", "mac-choice", "s", mac_choice),
        FIELD(NetworkObject, "Rate", "rate", "t", rate),
        FIELD(NetworkObject, "MTU", "mtu", "u", mtu),
        FIELD(NetworkObject, "MaxLeases", "max-leases", "u", max_leases),
        FIELD(NetworkObject, "HostInterface", "host-interface", "s", host_interface),
        FIELD(NetworkObject, "Error", "error", "s", error),
        FIELD(NetworkObject, "Leases", "leases", "u", leases),
};
const size_t n_network_fields = ARRAY_SIZE(network_fields);

const BusField lease_fields[] = {
        FIELD(LeaseObject, "Id", "id", "u", id),
        FIELD(LeaseObject, "Interface", "interface", "s", interface),
        FIELD(LeaseObject, "Network", "network", "s", network),
        FIELD(LeaseObject, "Kind", "kind", "s", kind),
        FIELD(LeaseObject, "Owner", "owner", "u", owner),
        FIELD(LeaseObject, "MAC", "mac", "s", mac),
        FIELD(LeaseObject, "RefusedMAC", "refused-mac", "s", refused_mac),
        FIELD(LeaseObject, "RefusedReason", "refused-reason", "s", refused_reason),
        FIELD(LeaseObject, "MTU", "mtu", "u", mtu),
        FIELD(LeaseObject, "Queues", "queues", "u", queues),
        FIELD(LeaseObject, "VLAN", "vlan", "u", vlan),
        FIELD(LeaseObject, "Parent", "parent", "s", parent),
        FIELD(LeaseObject, "Name", "name", "s", name),
        FIELD(LeaseObject, "Since", "since", "t", since),
        FIELD(LeaseObject, "State", "state", "s", state),
};
const size_t n_lease_fields = ARRAY_SIZE(lease_fields);

static int read_network(sd_bus_message *m, Objects *objects) {
        if (GROW_ARRAY(objects->networks, objects->n_networks, objects->n_networks_allocated) < 0)
                return -ENOMEM;
        objects->networks[objects->n_networks] = (NetworkObject){};
        return bus_read_fields(m, network_fields, n_network_fields,
                               &objects->networks[objects->n_networks++]);
}

static int read_lease(sd_bus_message *m, Objects *objects) {
        if (GROW_ARRAY(objects->leases, objects->n_leases, objects->n_leases_allocated) < 0)
                return -ENOMEM;
        objects->leases[objects->n_leases] = (LeaseObject){};
        return bus_read_fields(m, lease_fields, n_lease_fields,
                               &objects->leases[objects->n_leases++]);
}

/* The value of a{sa{sv}} at m's position: reads what belongs to interfaces that we know. */
static int read_interfaces(sd_bus_message *m, Objects *objects) {
        const char *interface;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                r = sd_bus_message_read_basic(m, 's', &interface);
                if (r < 0)
                        break;
                if (strcmp(interface, RAWNET_IFACE_NETWORK) == 0)
                        r = read_network(m, objects);
                else if (strcmp(interface, RAWNET_IFACE_LEASE) == 0)
                        r = read_lease(m, objects);
                else
                        r = sd_bus_message_skip(m, "a{sv}");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_objects(sd_bus_message *m, Objects *objects) {
        const char *path;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}")) > 0) {
                r = sd_bus_message_read_basic(m, 'o', &path);
                if (r >= 0)
                        r = read_interfaces(m, objects);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int compare_networks(const void *a, const void *b) {
        return strcmp(((const NetworkObject *)a)->name, ((const NetworkObject *)b)->name);
}

static int compare_leases(const void *a, const void *b) {
        const LeaseObject *x = a, *y = b;

        if (x->since != y->since)
                return x->since < y->since ? -1 : 1;
        return x->id < y->id ? -1 : x->id > y->id;
}

int objects_parse(sd_bus_message *reply, Objects *ret) {
        _cleanup_(objects_done) Objects objects = {};
        int r = read_objects(reply, &objects);

        if (r < 0)
                return r;
        if (objects.n_networks > 0)
                qsort(objects.networks, objects.n_networks, sizeof(NetworkObject),
                      compare_networks);
        if (objects.n_leases > 0)
                qsort(objects.leases, objects.n_leases, sizeof(LeaseObject), compare_leases);
        *ret = objects;
        objects = (Objects){};
        return 0;
}

int objects_parse_added(sd_bus_message *signal, Objects *ret) {
        _cleanup_(objects_done) Objects objects = {};
        const char *path;
        int r;

        r = sd_bus_message_read_basic(signal, 'o', &path);
        if (r >= 0)
                r = read_interfaces(signal, &objects);
        if (r < 0)
                return r;
        *ret = objects;
        objects = (Objects){};
        return 0;
}

int objects_read(sd_bus *bus, Objects *ret, Refusal *ret_refusal) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = bus_query(bus, RAWNET_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                      &reply, ret_refusal, NULL);
        return r == 0 ? objects_parse(reply, ret) : r;
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        *(bool *)userdata = true;
        return 0;
}

int objects_read_when(sd_bus *bus, ObjectsReady ready, const void *userdata, Objects *ret,
                      Refusal *ret_refusal) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        const uint64_t end = clock_usec(CLOCK_MONOTONIC) + READY_USEC;
        bool changed = true;
        Objects objects = {};
        int r;

        /* Subscribes first and reads then. */
        r = sd_bus_add_match(bus, &slot,
                             "type='signal',sender='" RAWNET_BUS_NAME
                             "',path_namespace='" RAWNET_PATH "'",
                             on_signal, &changed);
        if (r < 0)
                return bus_refuse(&SD_BUS_ERROR_NULL, r, ret_refusal);
        while (changed) {
                changed = false;
                objects_done(&objects);
                r = objects_read(bus, &objects, ret_refusal);
                if (r != 0)
                        return r;
                if (ready(&objects, userdata) || clock_usec(CLOCK_MONOTONIC) >= end)
                        break;
                r = bus_wait(bus, &changed, end);
                if (r < 0)
                        break;
        }
        *ret = objects;
        return 0;
}

int objects_read_lease(sd_bus *bus, uint32_t id, LeaseObject *ret, Refusal *ret_refusal) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(lease_object_done) LeaseObject lease = {};
        _cleanup_free_ char *path = bus_lease_path(id);
        int r;

        if (!path)
                return -ENOMEM;
        r = bus_query(bus, path, "org.freedesktop.DBus.Properties", "GetAll", &reply, ret_refusal,
                      "s", RAWNET_IFACE_LEASE);
        if (r != 0)
                return r;
        r = bus_read_fields(reply, lease_fields, n_lease_fields, &lease);
        if (r < 0)
                return r;
        *ret = lease;
        lease = (LeaseObject){};
        return 0;
}

void lease_object_done(LeaseObject *lease) {
        bus_fields_done(lease_fields, n_lease_fields, lease);
}

void objects_done(Objects *objects) {
        for (size_t i = 0; i < objects->n_networks; i++)
                bus_fields_done(network_fields, n_network_fields, &objects->networks[i]);
        for (size_t i = 0; i < objects->n_leases; i++)
                lease_object_done(&objects->leases[i]);
        free(objects->networks);
        free(objects->leases);
        *objects = (Objects){};
}
