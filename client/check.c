/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl check: what stands between this machine and its networks, as far as an unprivileged
 * program can see, and what to do about each. Findings are gathered into the JSON that --json
 * prints; check-show.c reads the same for people.
 */

#include "client/check.h"

#include <linux/if_arp.h>
#include <stdarg.h>
#include <string.h>

#include "client/client.h"
#include "client/host-link.h"
#include "common/clock.h"
#include "common/obstacle.h"
#include "common/text.h"

#define LOOK_USEC (2 * UINT64_C(1000000)) /* for the helper's look at the kernel, which takes some ms */

typedef struct Check {
        sd_bus *bus; /* NULL: no service */
        json_object *features;
        Objects objects;
        json_object *root;
} Check;

void add_sentence(json_object *list, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                abort();
        va_end(ap);
        json_object_array_add(list, json_object_new_string(text));
}

static json_object *add_list(json_object *object, const char *key) {
        json_object *list = json_object_new_array();

        if (!list || json_object_object_add(object, key, list) < 0)
                abort();
        return list;
}

/* Until then the list of features is empty. A kernel with none of them could not serve a port. */
static bool helper_has_answered(const Check *check) {
        return json_object_array_length(check->features) > 0;
}

static bool has_feature(const Check *check, const char *feature) {
        for (size_t i = 0; i < json_object_array_length(check->features); i++)
                if (strcmp(json_object_get_string(json_object_array_get_idx(check->features, i)),
                           feature) == 0)
                        return true;
        return false;
}

typedef struct ManagerObject {
        char *version, *features;
} ManagerObject;

static const BusField manager_fields[] = {
                {"Version", "version", "s", offsetof(ManagerObject, version)},
                {"Features", "features", "as", offsetof(ManagerObject, features)},
};

static int ask_manager(Check *check, Refusal *ret_refusal) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        ManagerObject manager = {};
        json_object *service;
        int r;

        r = bus_query(check->bus, RAWNET_PATH, "org.freedesktop.DBus.Properties", "GetAll", &reply,
                      ret_refusal, "s", RAWNET_IFACE_MANAGER);
        if (r == 0)
                r = bus_read_fields(reply, manager_fields, ARRAY_SIZE(manager_fields), &manager);
        if (r == 0) {
                service = json_of_fields(manager_fields, ARRAY_SIZE(manager_fields), &manager);
                if (!service)
                        abort();
                check->features = json_object_object_get(service, "features");
                json_object_object_add(check->root, "service", service);
        }
        bus_fields_done(manager_fields, ARRAY_SIZE(manager_fields), &manager);
        return r;
}

static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        *(bool *)userdata = true;
        return 0;
}

/* What the service said may be what its helper found when it started: where namespaces cannot be made, it looks again because it was asked, and
 * says so (org.rawnet1(5), Features). */
static void wait_for_change(Check *check, const bool *changed) {
        const uint64_t end = clock_usec(CLOCK_MONOTONIC) + LOOK_USEC;
        uint64_t now;

        while (!*changed && (now = clock_usec(CLOCK_MONOTONIC)) < end) {
                int r = sd_bus_process(check->bus, NULL);

                if (r == 0)
                        r = sd_bus_wait(check->bus, end - now);
                if (r < 0)
                        return;
        }
}

static int ask_service(Check *check, Refusal *ret_refusal) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        bool changed = false;
        int r;

        r = bus_connect(&check->bus, ret_refusal);
        if (r == 0)
                r = sd_bus_match_signal(check->bus, &slot, RAWNET_BUS_NAME, RAWNET_PATH,
                                        "org.freedesktop.DBus.Properties", "PropertiesChanged", on_changed,
                                        &changed);
        r = r < 0 ? r : 0;
        if (r == 0)
                r = ask_manager(check, ret_refusal);
        if (r == 0 && helper_has_answered(check) && !has_feature(check, RAWNET_FEATURE_USER_NAMESPACE)) {
                wait_for_change(check, &changed);
                r = ask_manager(check, ret_refusal);
        }
        if (r == 0)
                r = objects_read(check->bus, &check->objects, ret_refusal);
        return r;
}

/* What concerns every network. */
static void check_service(Check *check, json_object *problems, json_object *notes) {
        Refusal refusal = {};
        int r = ask_service(check, &refusal);

        if (r != 0) {
                add_sentence(problems, "%s", r > 0 ? refusal.text : strerror(-r));
                check->bus = sd_bus_flush_close_unref(check->bus);
                return;
        }
        if (!helper_has_answered(check)) {
                add_sentence(problems,
                             "rawnet-helper has not answered rawnetd yet, so no port can be "
                             "opened, and what this kernel lacks is not known: see systemctl "
                             "status rawnet-helper.socket rawnet-helper.service");
                return;
        }
        if (!has_feature(check, RAWNET_FEATURE_USER_NAMESPACE))
                add_sentence(problems,
                             "this kernel does not let rawnet-helper make user namespaces, so no "
                             "port can be opened: see "
                             "sysctl user.max_user_namespaces, user.max_net_namespaces, "
                             "kernel.unprivileged_userns_clone and AppArmor's "
                             "restriction, or SECURITY.md for the drop-in that does without");
        if (!has_feature(check, RAWNET_FEATURE_VHOST_NET))
                add_sentence(notes, "rawnet-helper cannot open /dev/vhost-net, so --vhost is "
                                    "refused (modprobe vhost_net)");
}

/* The kernel's settings around the parent: what the helper refuses with, in advance. */
static void check_obstacles(const Network *network, const HostLink *parent, uint16_t vlan, json_object *problems) {
        const uint16_t first = vlan ? vlan : network->vlan_first, last = vlan ? vlan : network->vlan_last;
        Refusal refusal = {};
        int r = 0;

        if (strcmp(parent->kind, "bridge") == 0)
                r = obstacle_bridge(parent->name, parent->index, first, last, network->protocol, &refusal);
        if (r == 0 && network->mode != MODE_EXCLUSIVE)
                r = obstacle_upper(parent->index, first, network->protocol, &refusal);
        if (r != 0)
                add_sentence(problems, "%s", r > 0 ? refusal.text : strerror(-r));
}

/* vlan: the one of a range that is asked about; 0: all. */
static void check_parent(const Network *network, uint16_t vlan, json_object *problems, json_object *notes) {
        const char *parent = network->parent;
        HostLink info;
        int r = host_link_by_name(parent, &info);

        if (r < 0) {
                add_sentence(problems, "cannot look at interface %s: %s", parent, strerror(-r));
                return;
        }
        if (r == 0) {
                add_sentence(problems,
                             "there is no interface %s: plug it in, or mend Parent= in %s", parent,
                             network->path);
                return;
        }
        check_obstacles(network, &info, vlan, problems);
        if (strcmp(info.kind, "ifb") == 0)
                add_sentence(notes, "network %s: %s is an ifb, which drops what is sent on it: guests reach each other only",
                             network->name, parent);
        if (info.master > 0 && strcmp(info.slave_kind, "vrf") != 0)
                add_sentence(problems,
                             "%s is a port of another interface (%s): name that one in Parent=, or "
                             "take %s out of it",
                             parent, *info.slave_kind ? info.slave_kind : "enslaved", parent);
        if (info.wireless)
                add_sentence(problems,
                             "%s is a wireless station, which carries one MAC address only: name a "
                             "wired interface in "
                             "Parent=",
                             parent);
        else if (info.hardware != ARPHRD_ETHER)
                add_sentence(problems,
                             "%s is not an Ethernet interface: name a wired one in Parent=",
                             parent);
        if (!(info.flags & IFF_UP))
                add_sentence(problems, "%s is down: bring it up with: ip link set %s up", parent,
                             parent);
        else if (!(info.flags & IFF_RUNNING))
                add_sentence(problems, "%s has no carrier: is its cable plugged in, or its other end up?", parent);
        if (network->mtu > info.mtu)
                add_sentence(problems,
                             "MTU=%u is more than the %u of %s: lower it, or raise the interface's",
                             network->mtu, info.mtu, parent);
}

static void check_features(const Check *check, const Network *network, json_object *problems) {
        if (!check->bus || !helper_has_answered(check))
                return;
        if (network->vlan_first > 0 && !has_feature(check, RAWNET_FEATURE_VLAN))
                add_sentence(problems,
                             "this kernel has no 802.1Q, so VLAN=%u cannot be served: load the "
                             "module 8021q, or use a "
                             "kernel that has it",
                             network->vlan_first);
        if (network->kinds & KIND_BIT(KIND_PACKET) && !has_feature(check, RAWNET_FEATURE_GUARD))
                add_sentence(problems,
                             "this kernel has no nftables egress hook (Linux 5.16 with "
                             "CONFIG_NETFILTER_EGRESS), so "
                             "packet ports cannot be guarded and are refused: use Kinds=tap");
        if (network->isolation == ISOLATION_DIRECT &&
            has_feature(check, RAWNET_FEATURE_CHECKSUM_TRICK))
                add_sentence(problems, "Isolation=direct is refused on this "
                                       "kernel, which lets a sender rewrite "
                                       "frames behind the guard (the checksum trick): use "
                                       "Isolation=strict, or a kernel from 6.12");
}

/* What polkit answers for us, now. A range is asked about by its first VLAN. */
static void ask_polkit(const Check *check, const Network *network, const char *name,
                       json_object *result, json_object *problems) {
        json_object *answers = json_object_new_object();
        _cleanup_free_ char *full = NULL;

        if (!answers || json_object_object_add(result, "can-open", answers) < 0)
                abort();
        if (network->vlan_first != network->vlan_last && !strchr(name, '.') &&
            asprintf(&full, "%s.%u", name, network->vlan_first) < 0)
                abort();
        for (LeaseKind kind = KIND_TAP; check->bus && kind <= KIND_PACKET; kind++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
                const char *answer, *kind_text = lease_kind_to_string(kind);
                Refusal refusal = {};
                int r;

                if (!(network->kinds & KIND_BIT(kind)))
                        continue;
                r = bus_query(check->bus, RAWNET_PATH, RAWNET_IFACE_MANAGER, "CanOpen", &reply,
                              &refusal, "ss", full ? full : name, kind_text);
                if (r > 0) {
                        add_sentence(problems, "%s: %s", kind_text, refusal.text);
                        continue;
                }
                if (r == 0)
                        r = sd_bus_message_read_basic(reply, 's', &answer);
                if (r < 0)
                        add_sentence(problems, "%s: %s", kind_text, strerror(-r));
                else
                        json_object_object_add(answers, kind_text, json_object_new_string(answer));
        }
}

static const NetworkObject *find_object(const Check *check, const char *name) {
        for (size_t i = 0; i < check->objects.n_networks; i++)
                if (strcmp(check->objects.networks[i].name, name) == 0)
                        return &check->objects.networks[i];
        return NULL;
}

static void add_vlans(json_object *result, uint32_t first, uint32_t last) {
        json_object *vlans = add_list(result, "vlans");

        json_object_array_add(vlans, json_object_new_int64(first));
        json_object_array_add(vlans, json_object_new_int64(last));
}

/* name: NAME or NAME.VID. */
static void check_network(Check *check, json_object *networks, const char *name) {
        json_object *result = json_object_new_object(), *problems;
        const NetworkObject *object;
        NetworkName parts;
        Network network;
        Refusal refusal = {};
        uint16_t vlan;
        int r;

        if (!result || json_object_array_add(networks, result) < 0)
                abort();
        json_object_object_add(result, "name", json_object_new_string(name));
        problems = add_list(result, "problems");
        r = network_name_parse(name, &parts, &refusal);
        if (r == 0)
                r = network_file_load_wait(parts.name, &network, &refusal);
        if (r == 0 && parts.vlan > 0)
                r = network_pick_vlan(&network, &parts, &vlan, &refusal);
        if (r != 0) {
                add_sentence(problems, "%s", r > 0 ? refusal.text : strerror(-r));
                return;
        }
        json_object_object_add(result, "path", json_object_new_string(network.path));
        json_object_object_add(result, "parent", json_object_new_string(network.parent));
        add_vlans(result, parts.vlan ? parts.vlan : network.vlan_first,
                  parts.vlan ? parts.vlan : network.vlan_last);
        check_parent(&network, parts.vlan, problems, json_object_object_get(check->root, "notes"));
        check_features(check, &network, problems);
        check_host_leg(&network, result, json_object_object_get(check->root, "notes"));
        if (!network.anti_spoof)
                add_sentence(json_object_object_get(check->root, "notes"),
                             "network %s: AntiSpoof=no lets a guest send from further addresses, but frames to those do "
                             "not come back to it",
                             network.name);
        object = find_object(check, network.name);
        if (check->bus && !object)
                add_sentence(problems, "rawnetd does not show this network though its file is "
                                       "good: journalctl -u rawnetd says why");
        else if (object && *object->error)
                add_sentence(problems, "rawnetd: %s", object->error);
        else
                ask_polkit(check, &network, name, result, problems);
}

static int check_networks(Check *check, const char *only) {
        json_object *networks = add_list(check->root, "networks");
        char **names;
        size_t n;
        int r;

        if (only) {
                _cleanup_free_ char *shown = strdup(only);

                if (!shown)
                        return -ENOMEM;
                /* It is shown, on a terminal or in JSON. No name of a network is changed by that. */
                text_make_printable(shown);
                check_network(check, networks, shown);
                return 0;
        }
        r = network_file_list(&names, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                check_network(check, networks, names[i]);
        network_names_free(names, n);
        return 0;
}

/* Nothing in any list of problems, and at least one network. */
static bool all_good(json_object *root) {
        json_object *networks = json_object_object_get(root, "networks");
        size_t n = json_object_array_length(networks);

        if (n == 0 || json_object_array_length(json_object_object_get(root, "problems")) > 0)
                return false;
        for (size_t i = 0; i < n; i++)
                if (json_object_array_length(json_object_object_get(
                                    json_object_array_get_idx(networks, i), "problems")) > 0)
                        return false;
        return true;
}

int verb_check(int argc, char **argv) {
        Check check = {.features = json_object_new_array(), .root = json_object_new_object()};
        json_object *own_features = check.features, *problems, *notes;
        bool json, good;
        int r;

        r = parse_listing_options(argc, argv, 0, 1, &json);
        if (r != 0)
                return r;
        if (!check.features || !check.root)
                return say_failure(-ENOMEM, NULL);
        problems = add_list(check.root, "problems");
        notes = add_list(check.root, "notes");
        check_service(&check, problems, notes);
        check_limits(check.objects.n_leases, problems, notes);
        check_group(check.root, notes);
        r = check_networks(&check, argv[optind]);
        if (r < 0)
                return say_failure(r, NULL);
        if (json_object_array_length(json_object_object_get(check.root, "networks")) == 0)
                add_sentence(problems, "no network is set up: write one, "
                                       "/etc/rawnet/networks/NAME.conf, see rawnet.network(5)");
        good = all_good(check.root);
        r = json ? json_print(json_object_get(check.root)) : check_show(check.root);
        json_object_put(check.root);
        json_object_put(own_features);
        objects_done(&check.objects);
        sd_bus_flush_close_unref(check.bus);
        if (r < 0)
                return say_failure(r, NULL);
        return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
