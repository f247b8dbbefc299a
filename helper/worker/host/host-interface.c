/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/host/host-interface.h"

#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/terms.h"
#include "helper/kernel/sysctl.h"
#include "helper/worker/lease.h"
#include "helper/worker/host/parent.h"

const char *host_interface_network(const LinkInfo *link) {
        const size_t n = strlen(RAWNET_HOST_ALIAS_PREFIX);

        return strcmp(link->kind, "macvlan") == 0 &&
                               strncmp(link->alias, RAWNET_HOST_ALIAS_PREFIX, n) == 0
                       ? link->alias + n
                       : NULL;
}

static bool belongs_to(const LinkInfo *link, const char *network) {
        const char *owner = host_interface_network(link);

        return owner && strcmp(owner, network) == 0;
}

bool host_interface_is_half_made(const LinkInfo *link) {
        const char *number = link->name + strlen(RAWNET_HOST_NAME_PREFIX);

        return strcmp(link->kind, "macvlan") == 0 &&
               strncmp(link->name, RAWNET_HOST_NAME_PREFIX, strlen(RAWNET_HOST_NAME_PREFIX)) == 0 &&
               number[strspn(number, "0123456789abcdef")] == '\0' && link->alias[0] == '\0' &&
               !(link->flags & IFF_UP);
}

/* An ordinary interface of the host takes addresses and routes from any sender of router
 * advertisements, here any guest. The administrator's network manager decides whether this
 * interface may, and switches it on. The setting stays when the interface is renamed. */
static void ignore_advertisements(const char *name) {
        int r = sysctl_write_ipv6(name, "accept_ra", 0);

        /* Without IPv6 there is no such file. */
        if (r < 0 && r != -ENOENT)
                log_warning("host interface %s: cannot switch router advertisements off: %s", name,
                            strerror(-r));
}

/* Made under a temporary name, and renamed last: whatever has the name from the file is complete,
 * also if this process dies in between. A sweep deletes what such a process leaves. */
static int make(Netlink *netlink, const Network *network, const LinkInfo *lower,
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
        snprintf(alias, sizeof(alias), RAWNET_HOST_ALIAS_PREFIX "%s", network->name);
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
        if (belongs_to(other, network->name))
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

/* An alternative name (ip-link(8), altname) may have led to another interface. */
static bool is_host_interface(const Network *network, const LinkInfo *link) {
        return strcmp(link->name, network->host_interface) == 0 && belongs_to(link, network->name);
}

int host_interface_look(Netlink *netlink, const Network *network, FindingDetail *ret,
                        Refusal *ret_refusal) {
        LinkInfo link;
        int r;

        r = link_find(netlink, LINK_HERE, network->host_interface, &link, ret_refusal);
        if (r != 0)
                return r;
        if (link.index == 0 || !is_host_interface(network, &link)) {
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

/* ret->index: 0 where nothing has the name; RAWNET_NETWORK_BUSY where something else has. */
static int find(Netlink *netlink, const Network *network, const LinkInfo *lower, LinkInfo *ret,
                Refusal *ret_refusal) {
        LinkInfo link;
        int r;

        r = link_find(netlink, LINK_HERE, network->host_interface, &link, ret_refusal);
        if (r != 0)
                return r;
        if (link.index != 0 && (!is_host_interface(network, &link) || link.lower != lower->index))
                return refuse_busy(network, &link, ret_refusal);
        *ret = link;
        return 0;
}

/* The host interface as it is now, made here or by another request at this moment. *ret_made: made
 * here. */
static int find_or_make(Netlink *netlink, const Network *network, const LinkInfo *lower,
                        const MacAddress *mac, LinkInfo *ret, bool *ret_made,
                        Refusal *ret_refusal) {
        Refusal refusal = {};
        int r;

        *ret_made = false;
        r = find(netlink, network, lower, ret, ret_refusal);
        if (r != 0 || ret->index != 0)
                return r;
        r = make(netlink, network, lower, mac, &refusal);
        *ret_made = r == 0;
        if (r != 0 && !(r > 0 && refusal.kernel_errno == EEXIST))
                return refusal_forward(r, &refusal, ret_refusal);
        r = find(netlink, network, lower, ret, ret_refusal);
        if (r == 0 && ret->index == 0)
                return refuse(ret_refusal, RAWNET_NETWORK_BUSY,
                              "network %s: its host interface %s was removed while it was made; "
                              "try again",
                              network->name, network->host_interface);
        return r;
}

static int bring_up(Netlink *netlink, const Network *network, const LinkInfo *link,
                    Refusal *ret_refusal) {
        const LinkChange up = {.link = link->name, .flags_on = IFF_UP};
        char mac[MAC_TEXT_SIZE];
        Refusal refusal = {};
        int r;

        if (link->flags & IFF_UP)
                return 0;
        r = link_change(netlink, link->index, &up, &refusal);
        if (r > 0 && (refusal.kernel_errno == EADDRINUSE || refusal.kernel_errno == EBUSY))
                return refuse(
                        ret_refusal, RAWNET_ADDRESS_IN_USE,
                        "network %s: the address %s of its host interface is in use by another "
                        "interface on %s; end that lease (rawnetctl list), then try again",
                        network->name, mac_format(&link->mac, mac), network->parent);
        return refusal_forward(r, &refusal, ret_refusal);
}

int host_interface_up(const JobContext *job, const IpcHost *request, Refusal *ret_refusal) {
        LinkInfo parent, lower, link;
        Network network;
        bool made;
        int r;

        r = terms_confirm_host(request, &network, ret_refusal);
        if (r == 0)
                r = network_allows_mac(&network, network.name, &request->mac, ret_refusal);
        if (r != 0)
                return r;
        r = parent_find(job->netlink, &network, network.vlan_first, &parent, ret_refusal);
        if (r == 0)
                r = parent_lower(job, &network, &parent, network.vlan_first, &lower, ret_refusal);
        if (r == 0)
                r = find_or_make(job->netlink, &network, &lower, &request->mac, &link, &made,
                                 ret_refusal);
        if (r == 0) {
                r = bring_up(job->netlink, &network, &link, ret_refusal);
                if (r != 0 && made)
                        (void)link_delete(job->netlink, LINK_HERE, &link, &(Refusal){});
        }
        return r > 0 ? lease_name_network(network.name, network.parent, r, ret_refusal) : r;
}

typedef struct Removal {
        Netlink *netlink;
        const char *network;
        Refusal *refusal;
} Removal;

static int remove_one(const LinkInfo *link, void *data) {
        const Removal *removal = data;

        return belongs_to(link, removal->network)
                       ? link_delete(removal->netlink, LINK_HERE, link, removal->refusal)
                       : 0;
}

int host_interface_down(const JobContext *job, const IpcHost *request, Refusal *ret_refusal) {
        Removal removal = {job->netlink, request->network, ret_refusal};

        return link_dump(job->netlink, "macvlan", remove_one, &removal, ret_refusal);
}
