/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/host/shared.h"

#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <string.h>

#include "helper/worker/host/vlan-harden.h"

const char *shared_name(uint32_t parent, uint16_t protocol, uint16_t vlan,
                        char ret[static IFNAMSIZ]) {
        unsigned long long key =
                (unsigned long long)parent << 13 | (protocol == ETH_P_8021AD ? 1u << 12 : 0) | vlan;

        /* At most 14 characters: an ifindex has 31 bits, so the key has 11 hex digits. */
        snprintf(ret, IFNAMSIZ, RAWNET_VLAN_NAME_FORMAT, key);
        return ret;
}

static bool has_alias(const LinkInfo *link) {
        return strncmp(link->alias, RAWNET_VLAN_ALIAS_PREFIX, strlen(RAWNET_VLAN_ALIAS_PREFIX)) ==
               0;
}

/* Is the name true? A parent that was moved to another namespace has the index there, which another
 * interface may have here. So the name needs the alias beside it. */
static bool has_name(const LinkInfo *link) {
        uint32_t lower = link->lower ? link->lower : link->lower_elsewhere;
        char name[IFNAMSIZ];

        return strcmp(link->name, shared_name(lower, link->vlan_protocol, link->vlan, name)) == 0;
}

bool shared_is_ours(const LinkInfo *link) {
        return strcmp(link->kind, "vlan") == 0 &&
               (link->group == RAWNET_VLAN_GROUP || (has_alias(link) && has_name(link)));
}

bool shared_was_taken_over(const LinkInfo *link) {
        return strcmp(link->kind, "vlan") == 0 && has_alias(link) && !shared_is_ours(link);
}

int shared_check(const Network *network, const LinkInfo *parent, uint16_t vlan,
                 const LinkInfo *link, Refusal *ret_refusal) {
        char name[IFNAMSIZ];

        shared_name(parent->index, network->protocol, vlan, name);
        if (strcmp(link->name, name) != 0)
                return refuse(
                        ret_refusal, RAWNET_NETWORK_BUSY,
                        "network %s: the host's interface %s has the alternative name %s, which rawnet "
                        "needs for VLAN %u of %s; remove that name (ip link property del dev %s altname %s)",
                        network->name, link->name, name, vlan, parent->name, link->name, name);
        if (strcmp(link->kind, "vlan") != 0 || link->vlan != vlan ||
            link->vlan_protocol != network->protocol)
                return refuse(
                        ret_refusal, RAWNET_NETWORK_BUSY,
                        "network %s: the host has an interface %s, a name that rawnet needs for VLAN %u of "
                        "%s, and it is not that VLAN's; rename or delete it (ip link delete %s)",
                        network->name, name, vlan, parent->name, name);
        if (link->lower != parent->index)
                return refuse(
                        ret_refusal, RAWNET_NETWORK_BUSY,
                        "network %s: %s, the interface for VLAN %u of %s, is on another interface, perhaps "
                        "because %s was moved to a container; end the leases on it (rawnetctl list), then "
                        "delete it (ip link delete %s)",
                        network->name, name, vlan, parent->name, parent->name, name);
        if (!shared_is_ours(link))
                return refuse(
                        ret_refusal, RAWNET_NETWORK_BUSY,
                        "network %s: the host has an interface %s for VLAN %u of %s, with a name that rawnet needs and "
                        "without rawnet's mark; rename it to keep it, or delete it (ip link delete %s)",
                        network->name, name, vlan, parent->name, name);
        return 0;
}

int shared_make(Netlink *netlink, const Network *network, const LinkInfo *parent, uint16_t vlan,
                LinkInfo *ret, Refusal *ret_refusal) {
        char alias[LINK_ALIAS_SIZE], name[IFNAMSIZ];
        const LinkPlan plan = {.name = shared_name(parent->index, network->protocol, vlan, name),
                               .lower = parent->index,
                               .group = RAWNET_VLAN_GROUP};
        const LinkChange change = {.link = name, .alias = alias, .no_ipv6_address = true};
        LinkInfo link;
        int r;

        r = link_add_vlan(netlink, &plan, vlan, network->protocol, ret_refusal);
        if (r == 0)
                r = link_get(netlink, LINK_HERE, name, &link, ret_refusal);
        if (r == 0)
                r = shared_check(network, parent, vlan, &link, ret_refusal);
        if (r != 0)
                return r;
        snprintf(alias, sizeof(alias), RAWNET_VLAN_ALIAS_PREFIX "%u of %s", vlan, parent->name);
        r = link_change(netlink, link.index, &change, ret_refusal);
        if (r == 0)
                *ret = link;
        return r;
}

/* A VLAN interface gets the MTU that its parent has when it is made. The kernel lowers it with the
 * parent's, but does not raise it (net/8021q/vlan.c). Some parents allow a VLAN less than they have
 * themselves, so a refusal is no error. A link that grows beyond IPV6_MIN_MTU gets IPv6 again, with
 * a link-local address if it is up at that moment (net/ipv6/addrconf.c, addrconf_notify()): so it
 * is down until it is hardened. */
static int follow_parent(Netlink *netlink, const LinkInfo *parent, LinkInfo *link) {
        const LinkChange change = {.link = link->name, .mtu = parent->mtu},
                         down = {.link = link->name, .flags_off = IFF_UP};
        Refusal refusal;
        int r = 0;

        if (link->mtu >= parent->mtu)
                return 0;
        if (link->mtu < IPV6_MIN_MTU && parent->mtu >= IPV6_MIN_MTU && (link->flags & IFF_UP)) {
                r = link_change(netlink, link->index, &down, &refusal);
                if (r == 0)
                        link->flags &= ~(unsigned)IFF_UP;
        }
        if (r == 0)
                r = link_change(netlink, link->index, &change, &refusal);
        if (r == 0)
                link->mtu = parent->mtu;
        return r < 0 ? r : 0;
}

/* An interface of an earlier version has no mark, and one with its name may have lost it. */
static int mark(Netlink *netlink, const LinkInfo *link, Refusal *ret_refusal) {
        const LinkChange change = {.link = link->name, .group = RAWNET_VLAN_GROUP};

        return link->group == RAWNET_VLAN_GROUP
                       ? 0
                       : link_change(netlink, link->index, &change, ret_refusal);
}

int shared_harden(const JobContext *job, const LinkInfo *parent, LinkInfo *link,
                  Refusal *ret_refusal) {
        const LinkChange up = {.link = link->name, .flags_on = IFF_UP};
        int r = mark(job->netlink, link, ret_refusal);

        if (r == 0)
                r = follow_parent(job->netlink, parent, link);
        if (r == 0)
                r = vlan_harden(job->netlink, job->owner_fd, link->index, ret_refusal);
        if (r == 0 && !(link->flags & IFF_UP))
                r = link_change(job->netlink, link->index, &up, ret_refusal);
        return r;
}

int shared_keep(const JobContext *job, const LinkInfo *shared, Refusal *ret_refusal) {
        LinkInfo parent, link = *shared;
        Refusal refusal = {};
        int r;

        r = mark(job->netlink, shared, ret_refusal);
        if (r != 0 || shared->lower == 0 || !(shared->flags & IFF_UP))
                return r;
        r = link_get_index(job->netlink, shared->lower, &parent, &refusal);
        if (r == 0 && link.mtu < parent.mtu)
                return shared_harden(job, &parent, &link, ret_refusal);
        return link_is_missing(r, &refusal) ? 0 : refusal_forward(r, &refusal, ret_refusal);
}
