/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl check: the VLAN interfaces that the host has on a network's parent. Of each VLAN there
 * is one at most: rawnet's own, or the administrator's, which ports use as it is
 * (helper/worker/parent.c).
 */

#include <string.h>

#include "client/check.h"
#include "client/host-link.h"

/* So many are named in the note. */
#define NAMED_MAX 4u

typedef struct VlanCheck {
        const Network *network;
        uint16_t first, last;
        json_object *list, *problems, *notes;
        char named[NAMED_MAX * (IFNAMSIZ + 2)]; /* the host's own, for people */
        unsigned n;                             /* and their number */
} VlanCheck;

/* By the mark, or by the alias of one that an earlier version made. */
static bool is_rawnet_s(const HostLink *link) {
        return link->group == RAWNET_VLAN_GROUP || strncmp(link->alias, RAWNET_VLAN_ALIAS_PREFIX,
                                                           strlen(RAWNET_VLAN_ALIAS_PREFIX)) == 0;
}

static void list_link(const VlanCheck *check, const HostLink *link, bool ours) {
        json_object *entry = json_object_new_object();

        if (!entry || json_object_array_add(check->list, entry) < 0)
                abort();
        json_object_object_add(entry, "vlan", json_object_new_int(link->vlan));
        json_object_object_add(entry, "name", json_object_new_string(link->name));
        json_object_object_add(entry, "owner", json_object_new_string(ours ? "rawnet" : "host"));
}

static void name_link(VlanCheck *check, const HostLink *link) {
        const size_t length = strlen(check->named);

        if (check->n++ < NAMED_MAX)
                snprintf(check->named + length, sizeof(check->named) - length, "%s%s",
                         length > 0 ? ", " : "", link->name);
}

/* What the helper refuses an open for. */
static void check_link(const VlanCheck *check, const HostLink *link) {
        const Network *network = check->network;

        if (link->master > 0 && strcmp(link->slave_kind, "vrf") != 0)
                add_sentence(check->problems,
                             "%s, the host's interface of VLAN %u, is a port of another interface "
                             "(%s): name that one in Parent= with VLAN=none, or take %s out of it",
                             link->name, link->vlan,
                             *link->slave_kind ? link->slave_kind : "enslaved", link->name);
        if (!(link->flags & IFF_UP))
                add_sentence(check->problems,
                             "%s, the host's interface of VLAN %u, is down: bring it up with: ip "
                             "link set %s up",
                             link->name, link->vlan, link->name);
        if (network->mtu > link->mtu)
                add_sentence(check->problems,
                             "MTU=%u is more than the %u of %s, the host's interface of VLAN %u: "
                             "lower it, or raise the interface's",
                             network->mtu, link->mtu, link->name, link->vlan);
}

static void see_vlan(const HostLink *link, void *data) {
        VlanCheck *check = data;
        const Network *network = check->network;
        const bool ours = is_rawnet_s(link);

        if (link->vlan < check->first || link->vlan > check->last ||
            link->vlan_protocol != network->protocol)
                return;
        list_link(check, link, ours);
        if (network->mode == MODE_EXCLUSIVE && !ours)
                add_sentence(check->problems,
                             "VLAN %u of %s is in use by the host's interface %s: delete that, or "
                             "choose another Mode= than exclusive",
                             link->vlan, network->parent, link->name);
        if (network->mode == MODE_EXCLUSIVE && ours)
                add_sentence(check->notes,
                             "network %s: VLAN %u of %s is in use by leases or the host leg of "
                             "another network, on %s: see rawnetctl list",
                             network->name, link->vlan, network->parent, link->name);
        if (network->mode == MODE_EXCLUSIVE || ours)
                return;
        name_link(check, link);
        check_link(check, link);
}

void check_vlans(const Network *network, uint16_t vlan, json_object *result, json_object *problems,
                 json_object *notes) {
        VlanCheck check = {.network = network,
                           .first = vlan ? vlan : network->vlan_first,
                           .last = vlan ? vlan : network->vlan_last,
                           .problems = problems,
                           .notes = notes};
        HostLink parent;
        int r;

        if (network->vlan_first == 0)
                return;
        check.list = add_list(result, "vlan-interfaces");
        r = host_link_by_name(network->parent, &parent);
        if (r > 0)
                r = host_link_each_vlan(parent.index, see_vlan, &check);
        if (r < 0)
                add_sentence(notes, "network %s: cannot list the VLAN interfaces on %s: %s",
                             network->name, network->parent, strerror(-r));
        if (check.n > 0)
                add_sentence(
                        notes,
                        "network %s: its ports are on VLAN interfaces of the host's own: %s%s; rawnet "
                        "does not change or delete them",
                        network->name, check.named, check.n > NAMED_MAX ? " ..." : "");
}
