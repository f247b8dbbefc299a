/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl check: the host's own leg on a network. Ports are served without it, so what is said
 * here are notes. The conditions are those of the helper's find_leg()
 * (helper/worker/host-interface.c).
 */

#include <string.h>

#include "client/check.h"
#include "client/host-link.h"

typedef enum LegState {
        LEG_MISSING,
        LEG_OTHER,     /* the name is another interface's */
        LEG_MISPLACED, /* this network's, but not where its file has it */
        LEG_DOWN,
        LEG_UP,
} LegState;

static const char *const leg_states[] = {
        [LEG_MISSING] = "missing",     [LEG_OTHER] = "other", [LEG_DOWN] = "down",
        [LEG_MISPLACED] = "misplaced", [LEG_UP] = "up",
};

static bool is_leg(const Network *network, const HostLink *link) {
        const size_t n = strlen(RAWNET_LEG_ALIAS_PREFIX);

        return strcmp(link->name, network->host_interface) == 0 &&
               strcmp(link->kind, "macvlan") == 0 &&
               strncmp(link->alias, RAWNET_LEG_ALIAS_PREFIX, n) == 0 &&
               strcmp(link->alias + n, network->name) == 0;
}

/* 1: on the parent or, where there is one, the VLAN's interface; 0: elsewhere; or -errno. */
static int is_in_place(const Network *network, const HostLink *leg) {
        HostLink parent, lower;
        int r;

        r = host_link_by_name(network->parent, &parent);
        if (r <= 0 || network->vlan_first == 0)
                return r <= 0 ? r : leg->lower == parent.index;
        r = host_link_by_index(leg->lower, &lower);
        if (r <= 0)
                return r;
        return strcmp(lower.kind, "vlan") == 0 && lower.vlan == network->vlan_first &&
               lower.vlan_protocol == network->protocol && lower.lower == parent.index;
}

static int find_state(const Network *network, LegState *ret) {
        HostLink link;
        int r;

        r = host_link_by_name(network->host_interface, &link);
        if (r < 0)
                return r;
        if (r == 0) {
                *ret = LEG_MISSING;
                return 0;
        }
        if (!is_leg(network, &link)) {
                *ret = LEG_OTHER;
                return 0;
        }
        r = is_in_place(network, &link);
        if (r < 0)
                return r;
        *ret = r == 0 ? LEG_MISPLACED : link.flags & IFF_UP ? LEG_UP : LEG_DOWN;
        return 0;
}

void check_host_leg(const Network *network, json_object *result, json_object *notes) {
        const char *name = network->name, *leg = network->host_interface;
        LegState state;
        int r;

        if (leg[0] == '\0')
                return;
        json_object_object_add(result, "host-interface", json_object_new_string(leg));
        r = find_state(network, &state);
        if (r < 0) {
                add_sentence(notes, "network %s: cannot look at its host leg %s: %s", name, leg,
                             strerror(-r));
                return;
        }
        json_object_object_add(result, "host-leg", json_object_new_string(leg_states[state]));
        switch (state) {
        case LEG_MISSING:
                add_sentence(notes,
                             "network %s: its host leg %s is not there, so host and guests do not "
                             "reach each other: rawnetctl host up %s, or at every boot: "
                             "systemctl enable --now rawnet-host@%s",
                             name, leg, name, name);
                break;
        case LEG_OTHER:
                add_sentence(notes,
                             "network %s: the host has another interface %s already, which is not "
                             "this network's host leg: rename or remove that, or choose another "
                             "HostInterface= in %s",
                             name, leg, network->path);
                break;
        case LEG_MISPLACED:
                add_sentence(notes,
                             "network %s: its host leg %s is on another interface than %s "
                             "says: rawnetctl host down %s, then rawnetctl host up %s",
                             name, leg, network->path, name, name);
                break;
        case LEG_DOWN:
                add_sentence(notes, "network %s: its host leg %s is down: rawnetctl host up %s",
                             name, leg, name);
                break;
        case LEG_UP:
                break;
        }
}
