/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/host/obstacle.h"

#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define VLANS 4096u

/* The result where a list of links could not be read. Links that keep coming and going (-EAGAIN)
 * are no error: the next look finds what this one missed. */
static int no_list(int r, const Refusal *refusal) {
        if (r == -EAGAIN)
                return 0;
        return r > 0 ? -refusal->kernel_errno : r;
}

typedef struct Upper {
        uint32_t lower;
        LinkInfo found; /* index 0: none */
} Upper;

/* These take a handler of the lower interface that only one can have (net/core/dev.c,
 * netdev_rx_handler_register()), or refuse to share it. */
static bool takes_all(const LinkInfo *link) {
        static const char *const kinds[] = {"ipvlan", "ipvtap", "macsec"};

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (strcmp(link->kind, kinds[i]) == 0)
                        return true;
        return link->passthru;
}

static int match_upper(const LinkInfo *link, void *data) {
        Upper *upper = data;

        if (link->lower == upper->lower && takes_all(link))
                upper->found = *link;
        return 0;
}

int obstacle_upper(Netlink *netlink, uint32_t index, Refusal *ret_refusal) {
        Upper upper = {.lower = index};
        Refusal refusal = {};
        LinkInfo lower;
        int r;

        r = link_dump(netlink, NULL, match_upper, &upper, &refusal);
        if (r == 0 && upper.found.index != 0)
                r = link_get_index(netlink, index, &lower, &refusal);
        if (r != 0 || upper.found.index == 0)
                return no_list(r, &refusal);
        return refuse(
                ret_refusal, RAWNET_NOT_SUPPORTED,
                "%s carries %s (%s%s), and the kernel lets nothing else be on an interface with that: delete it (ip link "
                "delete %s), or name another interface in Parent=",
                lower.name, upper.found.name, upper.found.kind,
                upper.found.passthru ? " in mode passthru" : "", upper.found.name);
}

/* The VLANs that a bridge passes to its own interface. */
typedef struct BridgeVlans {
        uint32_t index;
        bool found;
        uint8_t tagged[VLANS / 8]; /* a bit each */
        uint16_t begin;            /* of a range whose end comes next */
        bool passes_untagged;
} BridgeVlans;

static void add_entry(BridgeVlans *vlans, const struct bridge_vlan_info *entry) {
        uint16_t first = entry->vid;

        if (entry->flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) {
                vlans->begin = entry->vid;
                return;
        }
        if (entry->flags & BRIDGE_VLAN_INFO_RANGE_END)
                first = vlans->begin;
        /* A VLAN interface on the bridge does not get frames without their tag. */
        for (uint32_t v = first;
             v <= entry->vid && v < VLANS && !(entry->flags & BRIDGE_VLAN_INFO_UNTAGGED); v++)
                vlans->tagged[v / 8] |= (uint8_t)(1u << v % 8);
        if ((entry->flags & BRIDGE_VLAN_INFO_PVID) && (entry->flags & BRIDGE_VLAN_INFO_UNTAGGED))
                vlans->passes_untagged = true;
}

/* A bridge's own entries come with the bridge's index, a port's with the port's
 * (net/bridge/br_netlink.c, br_fill_info()). */
static int match_bridge(const struct nlmsghdr *m, void *data) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        BridgeVlans *vlans = data;
        const struct nlattr *a, *o;

        if (m->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(m) < sizeof(*i) ||
            (uint32_t)i->ifi_index != vlans->index)
                return MNL_CB_OK;
        vlans->found = true;
        mnl_attr_for_each(a, m, sizeof(*i)) {
                if (mnl_attr_get_type(a) != IFLA_AF_SPEC)
                        continue;
                mnl_attr_for_each_nested(o, a) {
                        if (mnl_attr_get_type(o) == IFLA_BRIDGE_VLAN_INFO &&
                            mnl_attr_get_payload_len(o) == sizeof(struct bridge_vlan_info))
                                add_entry(vlans, mnl_attr_get_payload(o));
                }
        }
        return MNL_CB_OK;
}

static int read_vlans(Netlink *netlink, BridgeVlans *vlans, Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        struct nlmsghdr *m = link_start(netlink, buffer, RTM_GETLINK, NLM_F_DUMP, 0);
        struct ifinfomsg *i = mnl_nlmsg_get_payload(m);

        i->ifi_family = AF_BRIDGE;
        mnl_attr_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
        return netlink_talk(netlink, m, match_bridge, vlans, ret_refusal,
                            "listing the VLANs of bridges");
}

int obstacle_bridge(Netlink *netlink, const LinkInfo *bridge, uint16_t first, uint16_t last,
                    uint16_t protocol, Refusal *ret_refusal) {
        BridgeVlans vlans = {.index = bridge->index};
        const char *name = bridge->name;
        Refusal refusal = {};
        int r;

        if (!bridge->vlan_aware)
                return 0;
        r = read_vlans(netlink, &vlans, &refusal);
        if (r != 0 || netlink->interrupted || !vlans.found)
                return no_list(r, &refusal);
        /* For the bridge, frames with a tag of another protocol are untagged (net/bridge/br_vlan.c,
         * __allowed_ingress()). */
        if (first == 0 || protocol != bridge->aware_protocol) {
                if (vlans.passes_untagged)
                        return 0;
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "the VLAN-aware bridge %s passes no untagged frames to its own interface: name their VLAN "
                        "(bridge vlan add vid VID dev %s self pvid untagged), or set VLAN= to one that it passes",
                        name, name);
        }
        for (uint32_t v = first; v <= last && v < VLANS; v++)
                if (!(vlans.tagged[v / 8] & 1u << v % 8))
                        return refuse(
                                ret_refusal, RAWNET_NOT_SUPPORTED,
                                "the VLAN-aware bridge %s does not pass VLAN %u to its own interface with the tag: "
                                "bridge vlan add vid %u dev %s self",
                                name, v, v, name);
        return 0;
}
