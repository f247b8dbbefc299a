/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/host/parent.h"

#include <linux/if_arp.h>
#include <string.h>

#include "helper/worker/host/obstacle.h"
#include "helper/worker/host/shared.h"

/* By DEVTYPE=wlan in the device's uevent file, as udev finds it out. 1, 0, or -errno. 0 also where
 * /sys is hidden from the helper or shows another namespace. */
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

/* Each checks for one reason why this link cannot carry leases. what: "parent" or "VLAN interface".
 * 0, a refusal, or -errno. */
static int check_free(const Network *network, const LinkInfo *link, const char *what,
                      Refusal *ret_refusal) {
        /* A VRF takes no frames from its ports (drivers/net/vrf.c). */
        if (link->master == 0 || strcmp(link->master_kind, "vrf") == 0)
                return 0;
        return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                      "network %s: its %s %s is a port of another interface (%s); name that one "
                      "in Parent=%s, or take %s out of it",
                      network->name, what, link->name,
                      link->master_kind[0] ? link->master_kind : "enslaved",
                      strcmp(link->name, network->parent) != 0 ? " (with VLAN=none)" : "",
                      link->name);
}

static int refuse_link(const Network *network, const LinkInfo *link, const char *what,
                       const char *why, Refusal *ret_refusal) {
        return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                      "network %s: its %s %s is %s in Parent=", network->name, what, link->name,
                      why);
}

static int check_ethernet(const Network *network, const LinkInfo *link, const char *what,
                          Refusal *ret_refusal) {
        if (link->hardware == ARPHRD_ETHER)
                return 0;
        return refuse_link(network, link, what, "not an Ethernet interface; name a wired one",
                           ret_refusal);
}

static int check_wired(const Network *network, const LinkInfo *link, const char *what,
                       Refusal *ret_refusal) {
        int r = is_wireless(link->name);

        if (r <= 0)
                return r;
        return refuse_link(network, link, what,
                           "a wireless station, which carries one MAC address only; name a wired "
                           "interface",
                           ret_refusal);
}

static int check_up(const Network *network, const LinkInfo *link, const char *what,
                    Refusal *ret_refusal) {
        if (link->flags & IFF_UP)
                return 0;
        return refuse(ret_refusal, RAWNET_PARENT_MISSING,
                      "network %s: its %s %s is down; bring it up (ip link set %s up)",
                      network->name, what, link->name, link->name);
}

static int check_mtu(const Network *network, const LinkInfo *link, _unused_ const char *what,
                     Refusal *ret_refusal) {
        if (network->mtu <= link->mtu)
                return 0;
        return refuse(ret_refusal, RAWNET_BAD_NETWORK_FILE,
                      "%s: MTU=%u is more than the %u that %s carries; lower it or raise the "
                      "interface's",
                      network->path, network->mtu, link->mtu, link->name);
}

/* Passes the result r of a check on. Without reasons, for an open, the first refusal is the result.
 * With reasons each refusal is reported, and the result is 0: go on. */
static int weigh(const ParentReasons *reasons, const LinkInfo *link, int r, const Refusal *refusal,
                 Refusal *ret_refusal) {
        if (r <= 0)
                return r;
        if (!reasons) {
                *ret_refusal = *refusal;
                return r;
        }
        reasons->refused(reasons->data, link, refusal);
        return 0;
}

static int check_link(const Network *network, const LinkInfo *link, const char *what,
                      const ParentReasons *reasons, Refusal *ret_refusal) {
        static int (*const checks[])(const Network *, const LinkInfo *, const char *, Refusal *) = {
                check_free, check_ethernet, check_wired, check_up, check_mtu};
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(checks); i++) {
                Refusal refusal = {};

                r = weigh(reasons, link, checks[i](network, link, what, &refusal), &refusal,
                          ret_refusal);
        }
        return r;
}

/* ret->index stays as it is where the parent is missing. */
static int look_at_parent(Netlink *netlink, const Network *network, uint16_t first, uint16_t last,
                          const ParentReasons *reasons, LinkInfo *ret, Refusal *ret_refusal) {
        Refusal refusal = {};
        LinkInfo parent = {};
        int r;

        r = link_find(netlink, LINK_HERE, network->parent, &parent, &refusal);
        if (r == 0 && parent.index == 0)
                r = refuse(
                        &refusal, RAWNET_PARENT_MISSING,
                        "network %s: there is no interface %s; plug it in or correct Parent= in %s",
                        network->name, network->parent, network->path);
        if (r != 0) {
                memcpy(parent.name, network->parent, sizeof(parent.name));
                return weigh(reasons, &parent, r, &refusal, ret_refusal);
        }
        r = check_link(network, &parent, "parent", reasons, ret_refusal);
        if (r == 0 && strcmp(parent.kind, "bridge") == 0)
                r = weigh(
                        reasons, &parent,
                        obstacle_bridge(netlink, &parent, first, last, network->protocol, &refusal),
                        &refusal, ret_refusal);
        if (r == 0)
                *ret = parent;
        return r;
}

int parent_find(Netlink *netlink, const Network *network, uint16_t vlan, LinkInfo *ret,
                Refusal *ret_refusal) {
        return look_at_parent(netlink, network, vlan, vlan, NULL, ret, ret_refusal);
}

int parent_judge(Netlink *netlink, const Network *network, uint16_t first, uint16_t last,
                 const ParentReasons *reasons, LinkInfo *ret) {
        Refusal refusal = {};
        LinkInfo parent = {};
        int r;

        r = look_at_parent(netlink, network, first, last, reasons, &parent, &refusal);
        if (r == 0 && parent.index != 0 && first == 0)
                r = weigh(reasons, &parent, obstacle_upper(netlink, parent.index, &refusal),
                          &refusal, &refusal);
        if (r == 0)
                *ret = parent;
        return r;
}

int parent_judge_vlan(Netlink *netlink, const Network *network, const LinkInfo *link,
                      const ParentReasons *reasons) {
        Refusal refusal = {};
        int r;

        r = check_link(network, link, "VLAN interface", reasons, &refusal);
        if (r == 0)
                r = weigh(reasons, link, obstacle_upper(netlink, link->index, &refusal), &refusal,
                          &refusal);
        return r;
}

int parent_add_macvlan(Netlink *netlink, const LinkPlan *plan, uint32_t mode,
                       Refusal *ret_refusal) {
        Refusal refusal = {};
        int r = link_add_macvlan(netlink, plan, mode, &refusal), found;

        /* net/core/dev.c, netdev_rx_handler_register(); drivers/net/macvlan.c,
         * macvlan_common_newlink() */
        if (r == RAWNET_KERNEL_REFUSED &&
            (refusal.kernel_errno == EBUSY || refusal.kernel_errno == EINVAL)) {
                found = obstacle_upper(netlink, plan->lower, ret_refusal);
                if (found != 0)
                        return found;
                if (refusal.kernel_errno == EBUSY)
                        return refuse(
                                ret_refusal, RAWNET_NOT_SUPPORTED,
                                "another interface takes all frames of the parent, perhaps an ipvlan of a container: "
                                "delete that, or name another interface in Parent=");
        }
        return refusal_forward(r, &refusal, ret_refusal);
}

typedef struct VlanSearch {
        uint32_t parent;
        uint16_t vlan, protocol;
        LinkInfo found;
} VlanSearch;

static int match_vlan(const LinkInfo *info, void *data) {
        VlanSearch *search = data;

        if (strcmp(info->kind, "vlan") != 0 || info->lower != search->parent ||
            info->vlan != search->vlan || info->vlan_protocol != search->protocol)
                return 0;
        search->found = *info;
        return 1;
}

/* 1 and *ret: the host's namespace has an interface for this VLAN, whoever made it; 0: it has none;
 * or an error. */
static int find_vlan(Netlink *netlink, const Network *network, const LinkInfo *parent,
                     uint16_t vlan, LinkInfo *ret) {
        VlanSearch search = {parent->index, vlan, network->protocol, {}};
        Refusal refusal = {};
        int r = link_dump(netlink, "vlan", match_vlan, &search, &refusal);

        if (search.found.index != 0) {
                *ret = search.found;
                return 1;
        }
        return r > 0 ? -refusal.kernel_errno : r;
}

int parent_is_lower(Netlink *netlink, const Network *network, uint32_t index) {
        Refusal refusal = {};
        LinkInfo parent, link;
        int r;

        r = link_find(netlink, LINK_HERE, network->parent, &parent, &refusal);
        /* The sweep deletes a host interface when the answer is no, so an error is not a no. */
        if (r != 0)
                return r > 0 ? -refusal.kernel_errno : r;
        if (parent.index == 0)
                return 0;
        link = parent;
        if (network->vlan_first != 0) {
                r = find_vlan(netlink, network, &parent, network->vlan_first, &link);
                if (r <= 0)
                        return r;
        }
        return link.index == index;
}

int parent_vlan_taken(Netlink *netlink, const Network *network, const LinkInfo *parent,
                      uint16_t vlan, Refusal *ret_refusal) {
        LinkInfo other;
        int r = find_vlan(netlink, network, parent, vlan, &other);

        if (r < 0)
                return r;
        if (r == 0)
                return refuse(
                        ret_refusal, RAWNET_NETWORK_BUSY,
                        "network %s: VLAN %u of %s belongs to another lease (Mode=exclusive) or to a "
                        "container; wait until the lease ends, see rawnetctl list, or delete the "
                        "container's VLAN interface",
                        network->name, vlan, parent->name);
        if (shared_is_ours(&other))
                return refuse(
                        ret_refusal, RAWNET_NETWORK_BUSY,
                        "network %s: VLAN %u of %s is in use by leases or the host interface of another network, on %s; end "
                        "those, see rawnetctl list, or choose another Mode= than exclusive",
                        network->name, vlan, parent->name, other.name);
        return refuse(
                ret_refusal, RAWNET_NETWORK_BUSY,
                "network %s: VLAN %u of %s is in use by the host's interface %s; delete that, or "
                "choose another Mode= than exclusive",
                network->name, vlan, parent->name, other.name);
}

int parent_no_vlan(const Network *network, uint16_t vlan, Refusal *ret_refusal) {
        return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                      "network %s: this kernel has no 802.1Q, so VLAN %u cannot be served; load "
                      "the 8021q module or use VLAN=none",
                      network->name, vlan);
}

/* Makes rawnet's own interface. *ret: that, or whatever is the VLAN's interface already: the
 * administrator's own, the one that another open made just now, or rawnet's under another name. */
static int make_vlan(Netlink *netlink, const Network *network, const LinkInfo *parent,
                     uint16_t vlan, LinkInfo *ret, Refusal *ret_refusal) {
        Refusal refusal = {};
        int r = shared_make(netlink, network, parent, vlan, ret, &refusal);

        if (link_kind_is_missing(r, &refusal))
                return parent_no_vlan(network, vlan, ret_refusal);
        if (r > 0 && refusal.kernel_errno == EEXIST) {
                r = find_vlan(netlink, network, parent, vlan, ret);
                /* Another namespace has it. */
                if (r == 0)
                        return parent_vlan_taken(netlink, network, parent, vlan, ret_refusal);
                return MIN_OF(r, 0);
        }
        return refusal_forward(r, &refusal, ret_refusal);
}

static int lower_vlan(const JobContext *job, const Network *network, const LinkInfo *parent,
                      uint16_t vlan, LinkInfo *ret, Refusal *ret_refusal) {
        char name[IFNAMSIZ];
        bool has_name;
        LinkInfo link;
        int r;

        shared_name(parent->index, network->protocol, vlan, name);
        r = link_find(job->netlink, LINK_HERE, name, &link, ret_refusal);
        /* By an alternative name, too, which shared_check() refuses. */
        has_name = r == 0 && link.index != 0;
        if (r == 0 && !has_name) {
                r = make_vlan(job->netlink, network, parent, vlan, &link, ret_refusal);
                has_name = r == 0 && strcmp(link.name, name) == 0;
        }
        if (r != 0)
                return r;
        if (has_name) {
                r = shared_check(network, parent, vlan, &link, ret_refusal);
        } else if (!shared_is_ours(&link)) {
                /* The administrator's own is used as found: never changed, brought up or deleted.
                 */
                r = check_link(network, &link, "VLAN interface", NULL, ret_refusal);
                if (r == 0)
                        *ret = link;
                return r;
        }
        if (r == 0)
                r = shared_harden(job, parent, &link, ret_refusal);
        if (r == 0)
                r = check_mtu(network, &link, NULL, ret_refusal);
        if (r == 0)
                *ret = link;
        return r;
}

int parent_lower(const JobContext *job, const Network *network, const LinkInfo *parent,
                 uint16_t vlan, LinkInfo *ret, Refusal *ret_refusal) {
        if (vlan == 0) {
                *ret = *parent;
                return 0;
        }
        return lower_vlan(job, network, parent, vlan, ret, ret_refusal);
}
