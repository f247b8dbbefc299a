/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * org.rawnet1.Network on the bus.
 */

#include <string.h>

#include "common/log.h"
#include "common/network-file.h"
#include "service/network-object.h"

static const char *entry_text(const NetworkEntry *entry, const char *property,
                              char buffer[static MAC_PREFIXES_TEXT_SIZE]) {
        const Network *n = &entry->network;

        if (strcmp(property, "Name") == 0)
                return n->name;
        if (strcmp(property, "Error") == 0)
                return entry->error ? entry->error : "";
        /* A bad file shows only what is wrong with it. */
        if (entry->error)
                return "";
        if (strcmp(property, "Description") == 0)
                return n->description;
        if (strcmp(property, "Parent") == 0)
                return n->parent;
        if (strcmp(property, "Protocol") == 0)
                return vlan_protocol_to_string(n->protocol);
        if (strcmp(property, "Mode") == 0)
                return network_mode_to_string(n->mode);
        if (strcmp(property, "HostInterface") == 0)
                return n->host_interface;
        if (strcmp(property, "AddressLock") == 0)
                return address_lock_to_string(n->address_lock);
        if (strcmp(property, "MACChoice") == 0)
                return network_mac_choice_to_string(n);
        return mac_prefixes_format(&n->mac_prefixes, buffer); /* MACPrefix */
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        char buffer[MAC_PREFIXES_TEXT_SIZE];

        return sd_bus_message_append_basic(reply, 's', entry_text(userdata, property, buffer));
}

static int get_vlans(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const NetworkEntry *entry = userdata;

        return sd_bus_message_append(reply, "(uu)", (uint32_t)entry->network.vlan_first,
                                     (uint32_t)entry->network.vlan_last);
}

/* The words whose bits are set, as an array; words[0] is that of bit 0. */
static int append_words(sd_bus_message *reply, const char *const *words, size_t n, unsigned bits) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (bits & (1u << i))
                        r = sd_bus_message_append_basic(reply, 's', words[i]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_kinds(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const char *const words[] = {lease_kind_to_string(KIND_TAP),
                                     lease_kind_to_string(KIND_PACKET),
                                     lease_kind_to_string(KIND_VETH)};
        const NetworkEntry *entry = userdata;

        return append_words(reply, words, ARRAY_SIZE(words), entry->network.kinds);
}

static int get_guest_servers(sd_bus *bus, const char *path, const char *interface,
                             const char *property, sd_bus_message *reply, void *userdata,
                             sd_bus_error *ret_error) {
        static const char *const words[] = {"dhcp", "ra"};
        const NetworkEntry *entry = userdata;

        return append_words(reply, words, ARRAY_SIZE(words), entry->network.guest_servers);
}

static int get_anti_spoof(sd_bus *bus, const char *path, const char *interface,
                          const char *property, sd_bus_message *reply, void *userdata,
                          sd_bus_error *ret_error) {
        const NetworkEntry *entry = userdata;

        return sd_bus_message_append(reply, "b", (int)entry->network.anti_spoof);
}

static int get_leases(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const NetworkEntry *entry = userdata;
        const Service *service = sd_bus_slot_get_userdata(sd_bus_get_current_slot(bus));

        return sd_bus_message_append(
                reply, "u", lease_table_count(&service->leases, entry->network.name, 0, true));
}

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable network_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Description", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Parent", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("VLANs", "(uu)", get_vlans, 0, CHANGES),
        SD_BUS_PROPERTY("Protocol", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Mode", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Kinds", "as", get_kinds, 0, CHANGES),
        SD_BUS_PROPERTY("AntiSpoof", "b", get_anti_spoof, 0, CHANGES),
        SD_BUS_PROPERTY("AddressLock", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("GuestServers", "as", get_guest_servers, 0, CHANGES),
        SD_BUS_PROPERTY("MACPrefix", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("MACChoice", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Rate", "t", NULL, offsetof(NetworkEntry, network.rate), CHANGES),
        SD_BUS_PROPERTY("MTU", "u", NULL, offsetof(NetworkEntry, network.mtu), CHANGES),
        SD_BUS_PROPERTY("MaxLeases", "u", NULL, offsetof(NetworkEntry, network.max_leases),
                        CHANGES),
        SD_BUS_PROPERTY("HostInterface", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Error", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Leases", "u", get_leases, 0, 0),
        SD_BUS_VTABLE_END,
};

static int find_network(sd_bus *bus, const char *path, const char *interface, void *userdata,
                        void **ret_found, sd_bus_error *ret_error) {
        _cleanup_free_ char *name = NULL;
        Service *service = userdata;
        int r;

        r = sd_bus_path_decode(path, RAWNET_PATH_NETWORK, &name);
        if (r <= 0)
                return r;
        *ret_found = network_table_find(&service->networks, name);
        return *ret_found != NULL;
}

static char *network_path(const char *name) {
        char *path;

        return sd_bus_path_encode(RAWNET_PATH_NETWORK, name, &path) < 0 ? NULL : path;
}

static int enumerate_networks(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                              sd_bus_error *ret_error) {
        Service *service = userdata;
        char **nodes;

        nodes = calloc(service->networks.n_entries + 1, sizeof(*nodes));
        if (!nodes)
                return -ENOMEM;
        for (size_t i = 0; i < service->networks.n_entries; i++) {
                nodes[i] = network_path(service->networks.entries[i]->network.name);
                if (!nodes[i]) {
                        network_names_free(nodes, i);
                        return -ENOMEM;
                }
        }
        *ret_nodes = nodes;
        return 0;
}

int network_object_register(Service *service) {
        int r;

        r = sd_bus_add_fallback_vtable(service->bus, NULL, RAWNET_PATH_NETWORK,
                                       RAWNET_IFACE_NETWORK, network_vtable, find_network, service);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(service->bus, NULL, RAWNET_PATH_NETWORK,
                                          enumerate_networks, service);
}

static void signal_sent(int r, const char *name) {
        if (r < 0)
                log_warning("network %s: could not send a signal: %s", name, strerror(-r));
}

void network_object_added(Service *service, const NetworkEntry *entry) {
        _cleanup_free_ char *path = network_path(entry->network.name);

        signal_sent(
                path ? sd_bus_emit_interfaces_added(service->bus, path, RAWNET_IFACE_NETWORK, NULL)
                     : -ENOMEM,
                entry->network.name);
}

void network_object_removed(Service *service, const char *name) {
        _cleanup_free_ char *path = network_path(name);

        signal_sent(path ? sd_bus_emit_interfaces_removed(service->bus, path, RAWNET_IFACE_NETWORK,
                                                          NULL)
                         : -ENOMEM,
                    name);
}

static bool property_differs(const char *property, const NetworkEntry *a, const NetworkEntry *b) {
        const Network *x = &a->network, *y = &b->network;
        char buffer_a[MAC_PREFIXES_TEXT_SIZE], buffer_b[MAC_PREFIXES_TEXT_SIZE];

        if (strcmp(property, "VLANs") == 0)
                return x->vlan_first != y->vlan_first || x->vlan_last != y->vlan_last;
        if (strcmp(property, "Kinds") == 0)
                return x->kinds != y->kinds;
        if (strcmp(property, "AntiSpoof") == 0)
                return x->anti_spoof != y->anti_spoof;
        if (strcmp(property, "GuestServers") == 0)
                return x->guest_servers != y->guest_servers;
        if (strcmp(property, "MTU") == 0)
                return x->mtu != y->mtu;
        if (strcmp(property, "MaxLeases") == 0)
                return x->max_leases != y->max_leases;
        return strcmp(entry_text(a, property, buffer_a), entry_text(b, property, buffer_b)) != 0;
}

void network_object_changed(Service *service, const NetworkEntry *before,
                            const NetworkEntry *after) {
        const char *names[ARRAY_SIZE(network_vtable)];
        _cleanup_free_ char *path = NULL;
        size_t n = 0;

        for (const sd_bus_vtable *v = network_vtable; v->type != _SD_BUS_VTABLE_END; v++)
                if (v->type == _SD_BUS_VTABLE_PROPERTY && (v->flags & CHANGES) &&
                    property_differs(v->x.property.member, before, after))
                        names[n++] = v->x.property.member;
        if (n == 0)
                return;
        names[n] = NULL;
        path = network_path(after->network.name);
        signal_sent(path ? sd_bus_emit_properties_changed_strv(service->bus, path,
                                                               RAWNET_IFACE_NETWORK, (char **)names)
                         : -ENOMEM,
                    after->network.name);
}
