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
#include "common/obstacle.h"
#include "common/text.h"

void add_sentence(json_object *list, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                abort();
        va_end(ap);
        json_object_array_add(list, json_object_new_string(text));
}

json_object *add_list(json_object *object, const char *key) {
        json_object *list = json_object_new_array();

        if (!list || json_object_object_add(object, key, list) < 0)
                abort();
        return list;
}

/* The kernel's settings around the parent: what the helper refuses with, in advance. */
static void check_obstacles(const Network *network, const HostLink *parent, uint16_t vlan,
                            json_object *problems) {
        const uint16_t first = vlan ? vlan : network->vlan_first,
                       last = vlan ? vlan : network->vlan_last;
        Refusal refusal = {};
        int r = 0;

        if (strcmp(parent->kind, "bridge") == 0)
                r = obstacle_bridge(parent->name, parent->index, first, last, network->protocol,
                                    &refusal);
        if (r == 0 && network->mode != MODE_EXCLUSIVE)
                r = obstacle_upper(parent->index, first, network->protocol, &refusal);
        if (r != 0)
                add_sentence(problems, "%s", r > 0 ? refusal.text : strerror(-r));
}

/* vlan: the one of a range that is asked about; 0: all. */
static void check_parent(const Network *network, uint16_t vlan, json_object *problems,
                         json_object *notes) {
        const char *parent = network->parent;
        HostLink info;
        int r = host_link_by_name(parent, &info);

        if (r < 0) {
                add_sentence(problems, "cannot look at interface %s: %s", parent, strerror(-r));
                return;
        }
        if (r == 0) {
                add_sentence(problems,
                             "interface %s does not exist: connect it, or correct Parent= in %s",
                             parent, network->path);
                return;
        }
        check_obstacles(network, &info, vlan, problems);
        if (strcmp(info.kind, "ifb") == 0)
                add_sentence(
                        notes,
                        "network %s: %s is an ifb, which drops what is sent on it: guests reach each other only",
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
                add_sentence(
                        problems,
                        "%s is not an Ethernet interface: name a wired one in Parent=", parent);
        if (!(info.flags & IFF_UP))
                add_sentence(problems, "%s is down: bring it up with: ip link set %s up", parent,
                             parent);
        else if (!(info.flags & IFF_RUNNING))
                add_sentence(problems,
                             "%s has no carrier: is its cable plugged in, or its other end up?",
                             parent);
        if (network->mtu > info.mtu)
                add_sentence(problems,
                             "MTU=%u is more than the %u of %s: lower it, or raise the interface's",
                             network->mtu, info.mtu, parent);
}

/* What a port gets is limited by its kind, too (helper/worker/lease.c). */
static void note_mtu(const Network *network, json_object *notes) {
        HostLink info;

        if (host_link_by_name(network->parent, &info) <= 0 ||
            !(network->kinds & KIND_BIT(KIND_TAP)))
                return;
        if ((network->mtu ? network->mtu : info.mtu) > RAWNET_TAP_MTU_MAX)
                add_sentence(
                        notes,
                        "network %s: its tap ports have an MTU of %u, the most that a tap can have, and not %u",
                        network->name, RAWNET_TAP_MTU_MAX, network->mtu ? network->mtu : info.mtu);
}

static void check_features(const Check *check, const Network *network, json_object *problems) {
        const bool tagged = network->vlan_first > 0,
                   packet = network->kinds & KIND_BIT(KIND_PACKET);

        if (!check->bus || !check_helper_answered(check))
                return;
        /* The helper finds them out in a namespace: without one they are not missing, but unknown.
         */
        if (!check_has_feature(check, RAWNET_FEATURE_USER_NAMESPACE)) {
                add_sentence(
                        problems,
                        "whether this kernel has %s%s%s is unknown, because rawnet-helper cannot make a namespace to "
                        "try it in (see the problem above)",
                        tagged ? "802.1Q" : "", tagged && packet ? " and " : "",
                        packet    ? "the nftables egress hook"
                        : !tagged ? "what the network needs"
                                  : "");
                return;
        }
        if (tagged && !check_has_feature(check, RAWNET_FEATURE_VLAN))
                add_sentence(problems,
                             "this kernel has no 802.1Q, so VLAN=%u cannot be served: load the "
                             "module 8021q, or use a "
                             "kernel that has it",
                             network->vlan_first);
        if (packet && !check_has_feature(check, RAWNET_FEATURE_GUARD))
                add_sentence(problems,
                             "this kernel has no nftables egress hook (Linux 5.16 with "
                             "CONFIG_NETFILTER_EGRESS), so "
                             "packet ports cannot be guarded and are refused: use Kinds=tap");
        if (network->isolation == ISOLATION_DIRECT &&
            check_has_feature(check, RAWNET_FEATURE_CHECKSUM_TRICK))
                add_sentence(problems, "Isolation=direct is refused on this "
                                       "kernel, which lets a sender rewrite "
                                       "frames behind the guard (the checksum trick): use "
                                       "Isolation=strict, or a kernel from 6.12");
}

/* A refusal's sentence begins with the network's name, which is shown in front of it anyhow. */
static const char *without_name(const char *text) {
        const char *end = strstr(text, ": ");

        if (strncmp(text, "network ", 8) != 0 || !end ||
            strcspn(text + 8, " ") < (size_t)(end - text) - 8)
                return text;
        return end + 2;
}

void add_refusal(json_object *list, const Refusal *refusal) {
        add_sentence(list, "%s", without_name(refusal->text));
}

/* What polkit answers for us, now. A range is asked about by its first VLAN. */
static void ask_polkit(Check *check, const Network *network, const char *name, json_object *result,
                       json_object *problems) {
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
                if (r == RAWNET_HELPER_UNAVAILABLE) {
                        /* Of one network as of all: said once. */
                        add_refusal(json_object_object_get(check->root, "problems"), &refusal);
                        check->bus = sd_bus_flush_close_unref(check->bus);
                        return;
                }
                if (r > 0) {
                        add_sentence(problems, "%s: %s", kind_text, without_name(refusal.text));
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

static void add_vlans(json_object *result, uint32_t first, uint32_t last) {
        json_object *vlans = add_list(result, "vlans");

        json_object_array_add(vlans, json_object_new_int64(first));
        json_object_array_add(vlans, json_object_new_int64(last));
}

/* name: NAME or NAME.VID. */
static void check_network(Check *check, json_object *networks, const char *name) {
        json_object *result = json_object_new_object(), *problems;
        json_object *notes = json_object_object_get(check->root, "notes");
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
                if (r > 0)
                        add_refusal(problems, &refusal);
                else
                        add_sentence(problems, "%s", strerror(-r));
                return;
        }
        json_object_object_add(result, "path", json_object_new_string(network.path));
        json_object_object_add(result, "parent", json_object_new_string(network.parent));
        add_vlans(result, parts.vlan ? parts.vlan : network.vlan_first,
                  parts.vlan ? parts.vlan : network.vlan_last);
        check_parent(&network, parts.vlan, problems, notes);
        check_vlans(&network, parts.vlan, result, problems, notes);
        check_features(check, &network, problems);
        note_mtu(&network, notes);
        check_host_leg(&network, result, notes);
        if (!network.anti_spoof)
                add_sentence(
                        notes,
                        "network %s: AntiSpoof=no lets a guest send from further addresses, but frames to those do "
                        "not come back to it",
                        network.name);
        object = check_wait_object(check, network.name);
        if (check->bus && !object)
                add_sentence(problems,
                             "rawnetd has not loaded this file; see: journalctl -u rawnetd");
        else if (object && *object->error)
                add_sentence(problems, "rawnetd: %s", without_name(object->error));
        else if (check_helper_answered(check))
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
                /* It is shown, on a terminal or in JSON. No name of a network is changed by that.
                 */
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
        static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {}};
        Listing listing;
        bool good;
        int r;

        r = parse_listing_options(argc, argv, options, 0, 1, &listing);
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
        if (r == 0)
                check_membership(check.root, notes);
        if (r < 0)
                return say_failure(r, NULL);
        if (json_object_array_length(json_object_object_get(check.root, "networks")) == 0)
                add_sentence(problems, "no network is set up: write one, "
                                       "/etc/rawnet/networks/NAME.conf, see rawnet.network(5)");
        good = all_good(check.root);
        r = listing.json ? json_print(json_object_get(check.root)) : check_show(check.root);
        json_object_put(check.root);
        json_object_put(own_features);
        objects_done(&check.objects);
        sd_bus_flush_close_unref(check.bus);
        if (r < 0)
                return say_failure(r, NULL);
        return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
