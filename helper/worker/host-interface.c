/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/host-interface.h"

#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/terms.h"
#include "helper/kernel/sysctl.h"
#include "helper/worker/lease.h"
#include "helper/worker/parent.h"
#include "helper/report.h"

#define LEGS_MAX 256u /* looked at in one go; another sweep follows */

static void leg_alias(const char *network, char ret[static LINK_ALIAS_SIZE]) {
        snprintf(ret, LINK_ALIAS_SIZE, RAWNET_HOST_ALIAS_PREFIX "%s", network);
}

/* What a worker had made when it was killed: never up, and nobody's yet. */
static bool is_half_made(const LinkInfo *link) {
        const char *number = link->name + strlen(RAWNET_HOST_NAME_PREFIX);

        return strncmp(link->name, RAWNET_HOST_NAME_PREFIX, strlen(RAWNET_HOST_NAME_PREFIX)) == 0 &&
               number[strspn(number, "0123456789abcdef")] == '\0' && link->alias[0] == '\0' &&
               !(link->flags & IFF_UP);
}

typedef struct Legs {
        LinkInfo *link;
        size_t n;
        const char *alias; /* of one network; NULL: of all, and half-made ones */
} Legs;

static int collect_leg(const LinkInfo *link, void *data) {
        Legs *legs = data;
        bool ours = legs->alias ? strcmp(link->alias, legs->alias) == 0
                                : strncmp(link->alias, RAWNET_HOST_ALIAS_PREFIX,
                                          strlen(RAWNET_HOST_ALIAS_PREFIX)) == 0 ||
                                          is_half_made(link);

        if (ours && strcmp(link->kind, "macvlan") == 0 && legs->n < LEGS_MAX)
                legs->link[legs->n++] = *link;
        return 0;
}

/* legs->link is the caller's to free. */
static int find_legs(Netlink *netlink, const char *alias, Legs *legs, Refusal *ret_refusal) {
        *legs = (Legs){.link = calloc(LEGS_MAX, sizeof(LinkInfo)), .alias = alias};
        if (!legs->link)
                return -ENOMEM;
        return link_dump(netlink, "macvlan", collect_leg, legs, ret_refusal);
}

static void legs_done(Legs *legs) {
        free(legs->link);
}

/* An ordinary interface of the host takes addresses and routes from whoever sends it router
 * advertisements, here any guest: what is on this one is up to the administrator's network manager,
 * which switches it on for itself. The setting stays when the interface is renamed. */
static void ignore_advertisements(const char *name) {
        int r = sysctl_write_ipv6(name, "accept_ra", 0);

        /* Without IPv6 there is no such file. */
        if (r < 0 && r != -ENOENT)
                log_warning("host interface %s: cannot switch router advertisements off: %s", name,
                            strerror(-r));
}

/* Under a name of its own first, the file's name last: whatever has that name is a leg to the end,
 * also if this process dies in between. What it leaves is swept away. */
static int make_leg(Netlink *netlink, const Network *network, const LinkInfo *lower,
                    const MacAddress *mac, Refusal *ret_refusal) {
        char name[IFNAMSIZ], alias[LINK_ALIAS_SIZE];
        const LinkPlan plan = {.name = name,
                               .lower = lower->index,
                               .mac = *mac,
                               .mtu = network->mtu ? network->mtu : lower->mtu};
        const LinkChange mark = {.link = name, .alias = alias, .no_ipv6_address = true};
        const LinkChange rename = {.link = name, .name = network->host_interface};
        LinkInfo link;
        uint32_t number;
        int r;

        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
                return -EIO;
        snprintf(name, sizeof(name), RAWNET_HOST_NAME_PREFIX "%x", number);
        leg_alias(network->name, alias);
        r = parent_add_macvlan(netlink, &plan, MACVLAN_MODE_BRIDGE, ret_refusal);
        if (r == 0)
                r = link_get(netlink, LINK_HERE, name, &link, ret_refusal);
        if (r != 0)
                return r;
        ignore_advertisements(name);
        r = link_change(netlink, link.index, &mark, ret_refusal);
        if (r == 0)
                r = link_change(netlink, link.index, &rename, ret_refusal);
        if (r != 0)
                (void)link_delete(netlink, LINK_HERE, &link, &(Refusal){});
        return r;
}

static int refuse_busy(const Network *network, const LinkInfo *other, Refusal *ret_refusal) {
        char alias[LINK_ALIAS_SIZE];

        leg_alias(network->name, alias);
        if (strcmp(other->kind, "macvlan") == 0 && strcmp(other->alias, alias) == 0)
                return refuse(
                        ret_refusal, RAWNET_NETWORK_BUSY,
                        "network %s: its host interface %s is on another interface than %s says; "
                        "remove it first (rawnetctl host down %s)",
                        network->name, other->name, network->path, network->name);
        return refuse(ret_refusal, RAWNET_NETWORK_BUSY,
                      "network %s: the host has another interface %s already, which is not this "
                      "network's host interface; rename or remove that, or choose another "
                      "HostInterface= in %s",
                      network->name, other->name, network->path);
}

/* By an alternative name (ip-link(8), altname) another interface may be found. */
static bool is_leg(const Network *network, const LinkInfo *link) {
        char alias[LINK_ALIAS_SIZE];

        leg_alias(network->name, alias);
        return strcmp(link->name, network->host_interface) == 0 &&
               strcmp(link->kind, "macvlan") == 0 && strcmp(link->alias, alias) == 0;
}

int host_leg_look(Netlink *netlink, const Network *network, FindingDetail *ret,
                  Refusal *ret_refusal) {
        LinkInfo link;
        int r;

        r = link_find(netlink, LINK_HERE, network->host_interface, &link, ret_refusal);
        if (r != 0)
                return r;
        if (link.index == 0 || !is_leg(network, &link)) {
                *ret = link.index == 0 ? FINDING_HOST_MISSING : FINDING_HOST_OTHER;
                return 0;
        }
        r = parent_is_lower(netlink, network, link.lower);
        if (r < 0)
                return r;
        *ret = r == 0                ? FINDING_HOST_MISPLACED
               : link.flags & IFF_UP ? FINDING_HOST_UP
                                     : FINDING_HOST_DOWN;
        return 0;
}

/* ret->index: 0 where nothing has its name; NetworkBusy where something else has. */
static int find_leg(Netlink *netlink, const Network *network, const LinkInfo *lower, LinkInfo *ret,
                    Refusal *ret_refusal) {
        LinkInfo link;
        int r;

        r = link_find(netlink, LINK_HERE, network->host_interface, &link, ret_refusal);
        if (r != 0)
                return r;
        if (link.index != 0 && (!is_leg(network, &link) || link.lower != lower->index))
                return refuse_busy(network, &link, ret_refusal);
        *ret = link;
        return 0;
}

static int bring_up(Netlink *netlink, const Network *network, const LinkInfo *leg,
                    Refusal *ret_refusal) {
        const LinkChange up = {.link = leg->name, .flags_on = IFF_UP};
        char mac[MAC_TEXT_SIZE];
        Refusal refusal = {};
        int r;

        if (leg->flags & IFF_UP)
                return 0;
        r = link_change(netlink, leg->index, &up, &refusal);
        if (r > 0 && (refusal.kernel_errno == EADDRINUSE || refusal.kernel_errno == EBUSY))
                return refuse(
                        ret_refusal, RAWNET_ADDRESS_IN_USE,
                        "network %s: the address %s of its host interface is in use by another "
                        "interface on %s; end that lease (rawnetctl list), then try again",
                        network->name, mac_format(&leg->mac, mac), network->parent);
        if (r > 0)
                *ret_refusal = refusal;
        return r;
}

static int up_on(Netlink *netlink, const Network *network, const LinkInfo *lower,
                 const MacAddress *mac, Refusal *ret_refusal) {
        Refusal refusal = {};
        bool made = false;
        LinkInfo leg;
        int r;

        r = find_leg(netlink, network, lower, &leg, ret_refusal);
        if (r == 0 && leg.index == 0) {
                r = make_leg(netlink, network, lower, mac, &refusal);
                made = r == 0;
                /* Another request made it just now, or somebody took the name. */
                if (r > 0 && refusal.kernel_errno == EEXIST)
                        r = 0;
                if (r > 0)
                        *ret_refusal = refusal;
                if (r == 0)
                        r = find_leg(netlink, network, lower, &leg, ret_refusal);
                if (r == 0 && leg.index == 0)
                        r = refuse(
                                ret_refusal, RAWNET_NETWORK_BUSY,
                                "network %s: its host interface %s was removed while it was made; try "
                                "again",
                                network->name, network->host_interface);
        }
        if (r != 0)
                return r;
        r = bring_up(netlink, network, &leg, ret_refusal);
        if (r != 0 && made)
                (void)link_delete(netlink, LINK_HERE, &leg, &(Refusal){});
        return r;
}

int host_leg_up(int owner_fd, const IpcHost *request, Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink netlink = {};
        LinkInfo parent, lower;
        Network network;
        int r;

        r = terms_confirm_host(request, &network, ret_refusal);
        if (r == 0)
                r = network_allows_mac(&network, network.name, &request->mac, ret_refusal);
        if (r != 0)
                return r;
        r = netlink_open(&netlink, NETLINK_ROUTE);
        if (r == 0)
                r = parent_find(&netlink, &network, network.vlan_first, &parent, ret_refusal);
        if (r == 0)
                r = parent_lower(&netlink, owner_fd, &network, &parent, network.vlan_first, &lower,
                                 ret_refusal);
        if (r == 0)
                r = up_on(&netlink, &network, &lower, &request->mac, ret_refusal);
        return r > 0 ? lease_name_network(network.name, network.parent, r, ret_refusal) : r;
}

int host_leg_down(const IpcHost *request, Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink netlink = {};
        _cleanup_(legs_done) Legs legs = {};
        char alias[LINK_ALIAS_SIZE];
        int r;

        leg_alias(request->network, alias);
        r = netlink_open(&netlink, NETLINK_ROUTE);
        if (r == 0)
                r = find_legs(&netlink, alias, &legs, ret_refusal);
        for (size_t i = 0; r == 0 && i < legs.n; i++)
                r = link_delete(&netlink, LINK_HERE, &legs.link[i], ret_refusal);
        return r;
}

/* 1: a network file asks for this leg, right here; 0: none does; or -errno. */
static int is_asked_for(Netlink *netlink, const LinkInfo *leg) {
        Refusal refusal;
        Network network;
        int r;

        /* A file that is being written keeps the leg. Nothing is waited for: no open begins while a
         * sweep runs. */
        r = network_file_load(leg->alias + strlen(RAWNET_HOST_ALIAS_PREFIX), &network, &refusal);
        if (r == RAWNET_NO_SUCH_NETWORK)
                return 0;
        if (r != 0)
                return r > 0 ? 1 : r;
        return strcmp(network.host_interface, leg->name) != 0
                       ? 0
                       : parent_is_lower(netlink, &network, leg->lower);
}

static int sweep_leg(Netlink *netlink, const LinkInfo *leg, const Doubts *doubts, int report_fd,
                     Refusal *ret_refusal) {
        const char *network = leg->alias + strlen(RAWNET_HOST_ALIAS_PREFIX);
        uint64_t before, after;
        int r;

        if (is_half_made(leg))
                return link_delete(netlink, LINK_HERE, leg, ret_refusal);
        r = network_file_state(network, &before);
        if (r == 0)
                r = is_asked_for(netlink, leg);
        if (r != 0)
                return r < 0 ? r : 0;
        r = network_file_state(network, &after);
        if (r < 0)
                return r;
        /* The administrator's address may be on it, and his file may be away for a moment only. */
        if (before != after ||
            !doubts_confirm(doubts, leg->index, after, clock_usec(CLOCK_MONOTONIC)))
                return report_doubt(report_fd, leg->index, after);
        log_notice("removing host interface %s: no network file asks for it", leg->name);
        return link_delete(netlink, LINK_HERE, leg, ret_refusal);
}

int host_leg_sweep(Netlink *netlink, const Doubts *doubts, int report_fd, Refusal *ret_refusal) {
        _cleanup_(legs_done) Legs legs = {};
        int r;

        r = find_legs(netlink, NULL, &legs, ret_refusal);
        if (r != 0)
                return r;
        for (size_t i = 0; i < legs.n; i++) {
                int one = sweep_leg(netlink, &legs.link[i], doubts, report_fd, ret_refusal);

                /* That leg stays; the others are looked at all the same. */
                r = r != 0 ? r : one;
        }
        return r;
}
