/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/parent.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <string.h>

#include "helper/host.h"
#include "helper/record.h"

/* DEVTYPE=wlan in the device's uevent file: what udev goes by, without asking nl80211. 1, 0, or -errno. Where /sys is hidden from the
 * helper or shows another namespace, there is no such file. */
static int is_wireless(const char *name) {
        _cleanup_fclose_ FILE *f = NULL;
        char path[64], line[64];

        snprintf(path, sizeof(path), "/sys/class/net/%s/uevent", name);
        f = fopen(path, "re");
        if (!f)
                return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        while (fgets(line, sizeof(line), f)) {
                if (strcmp(line, "DEVTYPE=wlan\n") == 0)
                        return 1;
        }
        return ferror(f) ? -EIO : 0;
}

/* Can frames of several addresses pass here? what: "parent" or "VLAN interface". */
static int check_usable(const Network *network, const LinkInfo *link, const char *what,
                        Refusal *ret_refusal) {
        int r;

        if (link->master > 0)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "network '%s': its %s %s is a port of another interface (a bridge or bond); "
                              "name the bridge or bond itself in Parent=, or take %s out of it",
                              network->name, what, link->name, link->name);
        if (link->hardware != ARPHRD_ETHER)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "network '%s': its %s %s is not an Ethernet interface; name a wired one "
                              "in Parent=",
                              network->name, what, link->name);
        r = is_wireless(link->name);
        if (r < 0)
                return r;
        if (r > 0)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "network '%s': its %s %s is a wireless station, which carries one MAC "
                              "address only; name a wired interface in Parent=",
                              network->name, what, link->name);
        if (!(link->flags & IFF_UP))
                return refuse(ret_refusal, RAWNET_PARENT_MISSING,
                              "network '%s': its %s %s is down; bring it up (ip link set %s up)",
                              network->name, what, link->name, link->name);
        return 0;
}

static int check_mtu(const Network *network, const LinkInfo *link, Refusal *ret_refusal) {
        if (network->mtu <= link->mtu)
                return 0;
        return refuse(ret_refusal, RAWNET_BAD_NETWORK_FILE,
                      "%s: MTU=%u is more than the %u that %s carries; lower it or raise the "
                      "interface's",
                      network->path, network->mtu, link->mtu, link->name);
}

int parent_find(Netlink *netlink, const Network *network, LinkInfo *ret, Refusal *ret_refusal) {
        Refusal refusal = {};
        LinkInfo parent;
        int r;

        r = link_get(netlink, LINK_HERE, network->parent, &parent, &refusal);
        if (link_is_missing(r, &refusal))
                return refuse(ret_refusal, RAWNET_PARENT_MISSING,
                              "network '%s': there is no interface %s; plug it in or mend Parent= in %s",
                              network->name, network->parent, network->path);
        if (r > 0)
                *ret_refusal = refusal;
        if (r != 0)
                return r;
        r = check_usable(network, &parent, "parent", ret_refusal);
        if (r == 0)
                r = check_mtu(network, &parent, ret_refusal);
        if (r == 0)
                *ret = parent;
        return r;
}

static const char *shared_name(uint32_t parent, uint16_t protocol, uint16_t vlan,
                               char ret[static IFNAMSIZ]) {
        unsigned long long key = (unsigned long long)parent << 13 | (protocol == ETH_P_8021AD ? 1u << 12 : 0) |
                                 vlan;

        /* At most 11 hex digits for a 31-bit ifindex: "rnv" and they are 14. */
        snprintf(ret, IFNAMSIZ, RAWNET_VLAN_NAME_FORMAT, key);
        return ret;
}

typedef struct VlanSearch {
        uint32_t parent;
        uint16_t vlan, protocol;
        LinkInfo found;
} VlanSearch;

static int match_vlan(const LinkInfo *info, void *data) {
        VlanSearch *search = data;

        if (info->lower != search->parent || info->vlan != search->vlan ||
            info->vlan_protocol != search->protocol)
                return 0;
        search->found = *info;
        return 1;
}

/* 1 and *ret: the host's namespace has an interface for this VLAN, whoever made it; 0: it has none; or an error. */
static int find_vlan(Netlink *netlink, const Network *network, const LinkInfo *parent, uint16_t vlan,
                     LinkInfo *ret) {
        VlanSearch search = {parent->index, vlan, network->protocol, {}};
        Refusal refusal = {};
        int r = link_dump(netlink, "vlan", match_vlan, &search, &refusal);

        if (search.found.index != 0) {
                *ret = search.found;
                return 1;
        }
        /* Without a list it is not known. */
        return r > 0 ? -refusal.kernel_errno : r;
}

int parent_is_lower(Netlink *netlink, const Network *network, uint32_t index) {
        Refusal refusal = {};
        LinkInfo parent, link;
        int r;

        r = link_get(netlink, LINK_HERE, network->parent, &parent, &refusal);
        if (link_is_missing(r, &refusal))
                return 0;
        /* The sweep deletes a host leg when the answer is no: what is not known is no answer. */
        if (r != 0)
                return r > 0 ? -refusal.kernel_errno : r;
        link = parent;
        if (network->vlan_first != 0) {
                r = find_vlan(netlink, network, &parent, network->vlan_first, &link);
                if (r <= 0)
                        return r;
        }
        return link.index == index;
}

int parent_vlan_taken(Netlink *netlink, const Network *network, const LinkInfo *parent, uint16_t vlan,
                      Refusal *ret_refusal) {
        LinkInfo other;
        int r = find_vlan(netlink, network, parent, vlan, &other);

        if (r < 0)
                return r;
        if (r == 0)
                return refuse(ret_refusal, RAWNET_NETWORK_BUSY,
                              "network '%s': VLAN %u of %s belongs to another lease (Mode=exclusive); "
                              "wait until it ends, see rawnetctl list",
                              network->name, vlan, parent->name);
        return refuse(ret_refusal, RAWNET_NETWORK_BUSY,
                      "network '%s': VLAN %u of %s is in use by the host's interface %s; delete that, or "
                      "choose another Mode= than exclusive",
                      network->name, vlan, parent->name, other.name);
}

int parent_no_vlan(const Network *network, uint16_t vlan, Refusal *ret_refusal) {
        return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                      "network '%s': this kernel has no 802.1Q, so VLAN %u cannot be served; load "
                      "the 8021q module or use VLAN=none",
                      network->name, vlan);
}

/* rawnet's own shared interface, named for what it is; hardened before it is up. */
static int make_shared(Netlink *netlink, const Network *network, const LinkInfo *parent, uint16_t vlan,
                       const char *name, Refusal *ret_refusal) {
        const LinkPlan plan = {.name = name, .lower = parent->index};
        char alias[LINK_ALIAS_SIZE];
        const LinkChange change = {.alias = alias, .no_ipv6_address = true};
        LinkInfo link;
        int r;

        r = link_add_vlan(netlink, &plan, vlan, network->protocol, ret_refusal);
        if (r != 0)
                return r;
        snprintf(alias, sizeof(alias), "rawnet: VLAN %u of %s", vlan, parent->name);
        r = link_get(netlink, LINK_HERE, name, &link, ret_refusal);
        return r != 0 ? r : link_change(netlink, link.index, &change, ret_refusal);
}

/* It was made with the MTU that its parent had then. The kernel lowers it with the parent's, but does not raise it (net/8021q/vlan.c); some
 * parents leave a VLAN less than they have themselves, and refuse. A link that grows beyond IPV6_MIN_MTU gets IPv6 anew, with a
 * link-local address if it is up at that moment (net/ipv6/addrconf.c, addrconf_notify()): so it is down until it is hardened. */
static int follow_parent(Netlink *netlink, const LinkInfo *parent, LinkInfo *link) {
        const LinkChange change = {.mtu = parent->mtu}, down = {.flags_off = IFF_UP};
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

static int open_shared(Netlink *netlink, const Network *network, const LinkInfo *parent, LinkInfo *link,
                       LinkInfo *ret, Refusal *ret_refusal) {
        const LinkChange up = {.flags_on = IFF_UP};
        int r;

        r = follow_parent(netlink, parent, link);
        if (r == 0)
                r = host_harden(netlink, link->name, link->index, &link->mac, ret_refusal);
        if (r == 0)
                r = check_mtu(network, link, ret_refusal);
        if (r == 0 && !(link->flags & IFF_UP))
                r = link_change(netlink, link->index, &up, ret_refusal);
        if (r == 0)
                *ret = *link;
        return r;
}

static int lower_vlan(Netlink *netlink, const Network *network, const LinkInfo *parent, uint16_t vlan,
                      LinkInfo *ret, Refusal *ret_refusal) {
        char name[IFNAMSIZ];
        Refusal refusal = {};
        LinkInfo link;
        int r;

        shared_name(parent->index, network->protocol, vlan, name);
        r = link_get(netlink, LINK_HERE, name, &link, &refusal);
        if (link_is_missing(r, &refusal)) {
                r = make_shared(netlink, network, parent, vlan, name, &refusal);
                if (link_kind_is_missing(r, &refusal))
                        return parent_no_vlan(network, vlan, ret_refusal);
                if (r > 0 && refusal.kernel_errno == EEXIST) {
                        /* The administrator's own, or another open made it just now, or an exclusive lease has it. */
                        r = find_vlan(netlink, network, parent, vlan, &link);
                        if (r < 0)
                                return r;
                        if (r == 0)
                                return parent_vlan_taken(netlink, network, parent, vlan, ret_refusal);
                        if (strcmp(link.name, name) != 0) {
                                r = check_usable(network, &link, "VLAN interface", ret_refusal);
                                if (r == 0)
                                        r = check_mtu(network, &link, ret_refusal);
                                if (r == 0)
                                        *ret = link;
                                return r;
                        }
                        r = 0;
                }
                if (r == 0)
                        r = link_get(netlink, LINK_HERE, name, &link, &refusal);
        }
        if (r > 0)
                *ret_refusal = refusal;
        if (r != 0)
                return r;
        return open_shared(netlink, network, parent, &link, ret, ret_refusal);
}

int parent_lower(Netlink *netlink, const Network *network, const LinkInfo *parent, uint16_t vlan,
                 LinkInfo *ret, Refusal *ret_refusal) {
        if (vlan == 0) {
                *ret = *parent;
                return 0;
        }
        return lower_vlan(netlink, network, parent, vlan, ret, ret_refusal);
}

typedef struct Shared {
        uint32_t index;
        uint16_t vlan;
        bool stood_on; /* by a host leg, or what an administrator put there */
        char name[IFNAMSIZ];
} Shared;

/* All of them: what is not looked at would lose the host's guard with the last that is. */
typedef struct Sweep {
        Shared *shared;
        size_t n, n_allocated;
} Sweep;

static void sweep_done(Sweep *sweep) {
        free(sweep->shared);
}

static int collect_shared(const LinkInfo *info, void *data) {
        Sweep *sweep = data;
        char name[IFNAMSIZ];
        Shared *shared;

        /* An interface is ours by its name, which says what it is, not by the prefix alone. */
        shared_name(info->lower, info->vlan_protocol, info->vlan, name);
        if (strcmp(info->name, name) != 0)
                return 0;
        if (sweep->n == sweep->n_allocated) {
                size_t n = sweep->n_allocated ? sweep->n_allocated * 2 : 16;

                shared = reallocarray(sweep->shared, n, sizeof(*shared));
                if (!shared)
                        return -ENOMEM;
                sweep->shared = shared;
                sweep->n_allocated = n;
        }
        shared = &sweep->shared[sweep->n++];
        *shared = (Shared){.index = info->index, .vlan = info->vlan};
        memcpy(shared->name, name, sizeof(name));
        return 0;
}

static int note_stood_on(const LinkInfo *info, void *data) {
        Sweep *sweep = data;

        for (size_t i = 0; i < sweep->n; i++) {
                if (info->lower == sweep->shared[i].index)
                        sweep->shared[i].stood_on = true;
        }
        return 0;
}

/* The kernel's word, not the registry's, since deleting an interface ends every lease on it. 1, 0, or -errno. */
static int is_in_use(Netlink *netlink, const Registry *registry, const Shared *shared) {
        for (size_t i = 0; i < registry->n_entries; i++) {
                const WireLease *lease = &registry->entries[i].lease;
                char name[IFNAMSIZ];
                Refusal refusal = {};
                LinkInfo uplink;
                int r;

                /* What a later version's lease needs is not known. */
                if (lease->later)
                        return 1;
                if (lease->vlan != shared->vlan)
                        continue;
                r = link_get(netlink, (int32_t)lease->id, record_uplink_name(lease, name), &uplink,
                             &refusal);
                if (link_is_missing_in_lease(r, &refusal))
                        continue;
                if (r != 0)
                        return r > 0 ? -refusal.kernel_errno : r;
                if (uplink.lower == shared->index)
                        return 1;
        }
        return 0;
}

int parent_sweep(Netlink *netlink, const Registry *registry, Refusal *ret_refusal) {
        _cleanup_(sweep_done) Sweep sweep = {};
        size_t left;
        int r;

        r = link_dump(netlink, "vlan", collect_shared, &sweep, ret_refusal);
        if (r == 0 && sweep.n > 0)
                r = link_dump(netlink, "macvlan", note_stood_on, &sweep, ret_refusal);
        left = sweep.n;
        if (r != 0)
                return r;
        for (size_t i = 0; i < sweep.n; i++) {
                int one = sweep.shared[i].stood_on ? 1 : is_in_use(netlink, registry, &sweep.shared[i]);

                if (one == 0) {
                        one = link_delete(netlink, LINK_HERE, sweep.shared[i].name, ret_refusal);
                        left -= one == 0;
                } else if (one == 1) {
                        one = 0;
                }
                /* That one stays; the others are looked at all the same. */
                r = r != 0 ? r : one;
        }
        if (r == 0 && left == 0 && sweep.n > 0)
                r = guard_host_remove(ret_refusal);
        return r;
}
