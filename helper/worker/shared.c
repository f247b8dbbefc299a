/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/shared.h"

#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <string.h>

#include "common/log.h"
#include "helper/worker/vlan-guard.h"
#include "helper/worker/vlan-harden.h"
#include "helper/kernel/record.h"

const char *shared_name(uint32_t parent, uint16_t protocol, uint16_t vlan,
                        char ret[static IFNAMSIZ]) {
        unsigned long long key =
                (unsigned long long)parent << 13 | (protocol == ETH_P_8021AD ? 1u << 12 : 0) | vlan;

        /* At most 11 hex digits for a 31-bit ifindex: "rnv" and they are 14. */
        snprintf(ret, IFNAMSIZ, RAWNET_VLAN_NAME_FORMAT, key);
        return ret;
}

static bool has_alias(const LinkInfo *link) {
        return strncmp(link->alias, RAWNET_VLAN_ALIAS_PREFIX, strlen(RAWNET_VLAN_ALIAS_PREFIX)) ==
               0;
}

/* Does its name say what it is? Of the parent's index where that is in another namespace by now,
 * which then speaks of an interface that is not here: the alias has to confirm it. */
static bool has_name(const LinkInfo *link) {
        uint32_t lower = link->lower ? link->lower : link->lower_elsewhere;
        char name[IFNAMSIZ];

        return strcmp(link->name, shared_name(lower, link->vlan_protocol, link->vlan, name)) == 0;
}

bool shared_is_ours(const LinkInfo *link) {
        return strcmp(link->kind, "vlan") == 0 &&
               (link->group == RAWNET_VLAN_GROUP || (has_alias(link) && has_name(link)));
}

static bool was_taken_over(const LinkInfo *link) {
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
                Refusal *ret_refusal) {
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
        return link_change(netlink, link.index, &change, ret_refusal);
}

/* It was made with the MTU that its parent had then. The kernel lowers it with the parent's, but
 * does not raise it (net/8021q/vlan.c); some parents leave a VLAN less than they have themselves,
 * and refuse. A link that grows beyond IPV6_MIN_MTU gets IPv6 anew, with a link-local address if it
 * is up at that moment (net/ipv6/addrconf.c, addrconf_notify()): so it is down until it is
 * hardened. */
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

/* One of an earlier version, or it has lost its mark and not its name. */
static int mark(Netlink *netlink, const LinkInfo *link, Refusal *ret_refusal) {
        const LinkChange change = {.link = link->name, .group = RAWNET_VLAN_GROUP};

        return link->group == RAWNET_VLAN_GROUP
                       ? 0
                       : link_change(netlink, link->index, &change, ret_refusal);
}

/* Needed, it keeps its mark, and grows with its parent: its leases need not wait for the next open.
 * One that is down is perhaps being taken over. */
static int keep(Netlink *netlink, int owner_fd, const LinkInfo *shared, Refusal *ret_refusal) {
        LinkInfo parent, link = *shared;
        Refusal refusal = {};
        int r;

        r = mark(netlink, shared, ret_refusal);
        if (r != 0 || shared->lower == 0 || !(shared->flags & IFF_UP))
                return r;
        r = link_get_index(netlink, shared->lower, &parent, &refusal);
        if (r == 0 && link.mtu < parent.mtu)
                return shared_harden(netlink, owner_fd, &parent, &link, ret_refusal);
        if (r <= 0 || link_is_missing(r, &refusal))
                return MIN_OF(r, 0);
        *ret_refusal = refusal;
        return r;
}

int shared_harden(Netlink *netlink, int owner_fd, const LinkInfo *parent, LinkInfo *link,
                  Refusal *ret_refusal) {
        const LinkChange up = {.link = link->name, .flags_on = IFF_UP};
        int r = mark(netlink, link, ret_refusal);

        if (r == 0)
                r = follow_parent(netlink, parent, link);
        if (r == 0)
                r = vlan_harden(netlink, owner_fd, link->index, ret_refusal);
        if (r == 0 && !(link->flags & IFF_UP))
                r = link_change(netlink, link->index, &up, ret_refusal);
        return r;
}

typedef struct Shared {
        LinkInfo link;
        bool stays;      /* a host leg is on it, or what an administrator put there */
        bool taken_over; /* it is not ours any more */
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
        const bool taken_over = was_taken_over(info);
        Sweep *sweep = data;

        if (!taken_over && !shared_is_ours(info))
                return 0;
        if (GROW_ARRAY(sweep->shared, sweep->n, sweep->n_allocated) < 0)
                return -ENOMEM;
        sweep->shared[sweep->n++] = (Shared){*info, .taken_over = taken_over};
        return 0;
}

static int note_stood_on(const LinkInfo *info, void *data) {
        Sweep *sweep = data;

        for (size_t i = 0; i < sweep->n; i++) {
                if (info->lower == sweep->shared[i].link.index)
                        sweep->shared[i].stays = true;
        }
        return 0;
}

/* Is the lease's uplink on it? The kernel's word, not the registry's, since deleting an interface
 * ends every lease on it. 1, 0, or -errno. */
static int is_used_by(Netlink *netlink, const IpcLease *lease, const LinkInfo *shared) {
        char name[IFNAMSIZ];
        Refusal refusal = {};
        LinkInfo uplink;
        uint32_t lower;
        int r;

        r = link_find(netlink, (int32_t)lease->id, record_uplink_name(lease, name), &uplink,
                      &refusal);
        if (r == 0 && uplink.index == 0)
                return 0;
        if (r == 0)
                r = link_lower_here(netlink, &uplink, &lower, &refusal);
        if (r != 0)
                return r > 0 ? -refusal.kernel_errno : r;
        return lower == shared->index;
}

/* 1, 0, or -errno. */
static int is_in_use(Netlink *netlink, const Registry *registry, const LinkInfo *shared) {
        for (size_t i = 0; i < registry->n_entries; i++) {
                const IpcLease *lease = &registry->entries[i].lease;
                int r = 0;

                /* What a later version's lease needs is not known. */
                if (lease->later)
                        return 1;
                if (lease->vlan == shared->vlan)
                        r = is_used_by(netlink, lease, shared);

                if (r != 0)
                        return r;
        }
        return 0;
}

/* 1, 0, or -errno. */
static int is_needed(Netlink *netlink, const Registry *registry, const Shared *shared) {
        /* A lease that no scan found may need it. */
        if (shared->stays || !registry->whole)
                return 1;
        return is_in_use(netlink, registry, &shared->link);
}

/* The alias last: if this process dies before, the next sweep begins again. The leases on it live
 * on. As sweep_one(). */
static int hand_over(Netlink *netlink, const LinkInfo *link, Refusal *ret_refusal) {
        const LinkChange unmark = {.link = link->name, .alias = ""};
        Refusal refusal = {};
        int r;

        r = vlan_harden_undo(netlink, link->index, &refusal);
        if (r == 0)
                r = link_change(netlink, link->index, &unmark, &refusal);
        if (link_is_missing(r, &refusal))
                return 1;
        if (r > 0)
                *ret_refusal = refusal;
        if (r != 0)
                return r;
        log_notice(
                "interface %s, which was made for VLAN %u of rawnet's leases, is the host's own now",
                link->name, link->vlan);
        return 1;
}

/* 1: it is gone, or no longer ours; 0: it stays; an error: it stays, too. */
static int sweep_one(Netlink *netlink, int owner_fd, const Registry *registry,
                     const uint64_t *opening, const Shared *shared, Refusal *ret_refusal) {
        const uint16_t vlan = shared->link.vlan;
        int r;

        /* The open may harden it, and put its uplink on it, at any moment. */
        if (opening[vlan / 64] >> vlan % 64 & 1)
                return 0;
        if (shared->taken_over)
                return hand_over(netlink, &shared->link, ret_refusal);
        r = is_needed(netlink, registry, shared);
        if (r < 0)
                return r;
        if (r > 0)
                return keep(netlink, owner_fd, &shared->link, ret_refusal);
        r = link_delete(netlink, LINK_HERE, &shared->link, ret_refusal);
        return r == 0 ? 1 : r;
}

static bool is_opening(const uint64_t *opening) {
        for (size_t i = 0; i < (VLAN_ID_MAX + 64) / 64; i++)
                if (opening[i] != 0)
                        return true;
        return false;
}

int shared_sweep(Netlink *netlink, int owner_fd, const Registry *registry, const uint64_t *opening,
                 bool *ret_left, Refusal *ret_refusal) {
        _cleanup_(sweep_done) Sweep sweep = {};
        size_t left;
        int r;

        r = link_dump(netlink, "vlan", collect_shared, &sweep, ret_refusal);
        if (r == 0 && sweep.n > 0)
                r = link_dump(netlink, "macvlan", note_stood_on, &sweep, ret_refusal);
        if (r != 0)
                return r;
        left = sweep.n;
        for (size_t i = 0; i < sweep.n; i++) {
                int one = sweep_one(netlink, owner_fd, registry, opening, &sweep.shared[i],
                                    ret_refusal);

                if (one == 1)
                        left--;
                else if (r == 0)
                        r = one;
        }
        /* The last helper's own table ended with that helper. */
        if (left > 0) {
                Refusal refusal = {};
                int guarded = vlan_guard_install(owner_fd, &refusal);

                if (r == 0 && guarded > 0)
                        *ret_refusal = refusal;
                r = r != 0 ? r : guarded;
        }
        /* An open that came after the list may need the host's guard for an interface of its own.
         */
        if (r == 0 && left == 0 && sweep.n > 0 && !is_opening(opening))
                r = vlan_guard_remove(owner_fd, ret_refusal);
        if (r == 0)
                *ret_left = left > 0 || is_opening(opening);
        return r;
}
