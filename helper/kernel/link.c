/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/kernel/link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>

static void put_plan(struct nlmsghdr *m, const LinkPlan *plan) {
        mnl_attr_put_strz(m, IFLA_IFNAME, plan->name);
        if (plan->lower > 0)
                mnl_attr_put_u32(m, IFLA_LINK, plan->lower);
        if (!mac_is_zero(&plan->mac))
                mnl_attr_put(m, IFLA_ADDRESS, sizeof(plan->mac), &plan->mac);
        if (plan->mtu > 0)
                mnl_attr_put_u32(m, IFLA_MTU, plan->mtu);
        if (plan->group > 0)
                mnl_attr_put_u32(m, IFLA_GROUP, plan->group);
        if (plan->namespace_of > 0)
                mnl_attr_put_u32(m, IFLA_NET_NS_PID, (uint32_t)plan->namespace_of);
        if (plan->namespace_fd > 0)
                mnl_attr_put_u32(m, IFLA_NET_NS_FD, (uint32_t)plan->namespace_fd);
}

static struct nlmsghdr *start_add(Netlink *netlink, void *buffer, const LinkPlan *plan) {
        /* NLM_F_EXCL: never a change of the link here that has this index. */
        struct nlmsghdr *m =
                link_start(netlink, buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, plan->index);
        struct ifinfomsg *i;

        i = mnl_nlmsg_get_payload(m);
        i->ifi_flags = i->ifi_change = plan->flags_on;
        put_plan(m, plan);
        return m;
}

bool link_kind_is_missing(int refused, const Refusal *refusal) {
        return refused == RAWNET_KERNEL_REFUSED && refusal->kernel_errno == EOPNOTSUPP &&
               strstr(refusal->text, "Unknown device type");
}

static int explain_kind(int refused, const char *kind, Refusal *refusal) {
        if (!link_kind_is_missing(refused, refusal))
                return refused;
        return refuse(
                refusal, RAWNET_NOT_SUPPORTED,
                "this kernel has no %s interfaces, which this port needs; load the module %s (modprobe "
                "%s) or use a kernel that has it (%s)",
                kind, kind, kind, refusal->text);
}

int link_add_macvlan(Netlink *netlink, const LinkPlan *plan, uint32_t macvlan_mode,
                     Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        struct nlmsghdr *m = start_add(netlink, buffer, plan);
        struct nlattr *linkinfo = mnl_attr_nest_start(m, IFLA_LINKINFO), *data;
        int r;

        mnl_attr_put_strz(m, IFLA_INFO_KIND, "macvlan");
        data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
        mnl_attr_put_u32(m, IFLA_MACVLAN_MODE, macvlan_mode);
        mnl_attr_nest_end(m, data);
        mnl_attr_nest_end(m, linkinfo);
        r = netlink_talk(netlink, m, NULL, NULL, ret_refusal, "creating macvlan interface %s",
                         plan->name);
        return explain_kind(r, "macvlan", ret_refusal);
}

int link_add_vlan(Netlink *netlink, const LinkPlan *plan, uint16_t vlan, uint16_t protocol,
                  Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        struct nlmsghdr *m = start_add(netlink, buffer, plan);
        struct nlattr *linkinfo = mnl_attr_nest_start(m, IFLA_LINKINFO), *data;
        uint16_t wire_protocol = htons(protocol);

        mnl_attr_put_strz(m, IFLA_INFO_KIND, "vlan");
        data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
        mnl_attr_put(m, IFLA_VLAN_ID, sizeof(vlan), &vlan);
        mnl_attr_put(m, IFLA_VLAN_PROTOCOL, sizeof(wire_protocol), &wire_protocol);
        mnl_attr_nest_end(m, data);
        mnl_attr_nest_end(m, linkinfo);
        return netlink_talk(netlink, m, NULL, NULL, ret_refusal,
                            "creating the interface of VLAN %u", vlan);
}

int link_add_veth(Netlink *netlink, const LinkPlan *plan, const LinkPlan *peer,
                  Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        struct nlmsghdr *m = start_add(netlink, buffer, plan);
        struct nlattr *linkinfo = mnl_attr_nest_start(m, IFLA_LINKINFO), *data, *other;
        const struct ifinfomsg described = {.ifi_index = (int)peer->index};
        int r;

        mnl_attr_put_strz(m, IFLA_INFO_KIND, "veth");
        data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
        /* The peer is described by a whole link message inside: linux/veth.h. */
        other = mnl_attr_nest_start(m, VETH_INFO_PEER);
        memcpy(mnl_nlmsg_get_payload_tail(m), &described, sizeof(described));
        m->nlmsg_len += MNL_ALIGN(sizeof(described));
        put_plan(m, peer);
        mnl_attr_nest_end(m, other);
        mnl_attr_nest_end(m, data);
        mnl_attr_nest_end(m, linkinfo);
        r = netlink_talk(netlink, m, NULL, NULL, ret_refusal, "creating veth pair %s", plan->name);
        return explain_kind(r, "veth", ret_refusal);
}

/* ", name lab0, MTU 1500, up": all that a change asks for, in words. */
static const char *describe(const LinkChange *change, char buffer[static 160]) {
        char mac[MAC_TEXT_SIZE];
        int n = 0;

        buffer[0] = '\0';
        if (change->name)
                n += snprintf(buffer + n, 40, ", name %s", change->name);
        if (change->mac)
                n += snprintf(buffer + n, 40, ", address %s", mac_format(change->mac, mac));
        if (change->mtu > 0)
                n += snprintf(buffer + n, 40, ", MTU %u", change->mtu);
        if (change->queue_length > 0)
                n += snprintf(buffer + n, 40, ", queue length %u", change->queue_length);
        /* Shorter than 40 each, and of fixed length. */
        snprintf(buffer + n, 160 - (size_t)n, "%s%s%s%s%s%s", change->alias ? ", alias" : "",
                 change->group > 0 ? ", group" : "", change->rp_filter ? ", ARP and rp_filter" : "",
                 change->no_ipv6_address ? ", no IPv6 address" : "",
                 change->flags_on & IFF_UP ? ", up" : "",
                 change->flags_off & IFF_UP ? ", down" : "");
        return buffer;
}

static void put_families(struct nlmsghdr *m, const LinkChange *change) {
        struct nlattr *spec = mnl_attr_nest_start(m, IFLA_AF_SPEC), *family, *conf;

        if (change->rp_filter) {
                family = mnl_attr_nest_start(m, AF_INET);
                conf = mnl_attr_nest_start(m, IFLA_INET_CONF);
                mnl_attr_put_u32(m, IPV4_DEVCONF_RP_FILTER, *change->rp_filter);
                mnl_attr_nest_end(m, conf);
                mnl_attr_nest_end(m, family);
        }
        if (change->no_ipv6_address || change->ipv6_address) {
                family = mnl_attr_nest_start(m, AF_INET6);
                mnl_attr_put_u8(m, IFLA_INET6_ADDR_GEN_MODE,
                                change->no_ipv6_address ? IN6_ADDR_GEN_MODE_NONE
                                                        : IN6_ADDR_GEN_MODE_EUI64);
                mnl_attr_nest_end(m, family);
        }
        mnl_attr_nest_end(m, spec);
}

static int send_change(Netlink *netlink, uint32_t index, const LinkChange *change,
                       Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        char what[160];
        struct nlmsghdr *m = link_start(netlink, buffer, RTM_NEWLINK, 0, index);
        struct ifinfomsg *i = mnl_nlmsg_get_payload(m);

        i->ifi_flags = change->flags_on;
        i->ifi_change = change->flags_on | change->flags_off;
        if (change->name)
                mnl_attr_put_strz(m, IFLA_IFNAME, change->name);
        if (change->mac)
                mnl_attr_put(m, IFLA_ADDRESS, sizeof(*change->mac), change->mac);
        if (change->mtu > 0)
                mnl_attr_put_u32(m, IFLA_MTU, change->mtu);
        if (change->group > 0)
                mnl_attr_put_u32(m, IFLA_GROUP, change->group);
        if (change->queue_length > 0)
                mnl_attr_put_u32(m, IFLA_TXQLEN, change->queue_length);
        if (change->alias)
                mnl_attr_put(m, IFLA_IFALIAS, strlen(change->alias), change->alias);
        if (change->rp_filter || change->no_ipv6_address || change->ipv6_address)
                put_families(m, change);
        return netlink_talk(netlink, m, NULL, NULL, ret_refusal,
                            "setting interface %s (index %u)%s", change->link ? change->link : "",
                            index, describe(change, what));
}

int link_change(Netlink *netlink, uint32_t index, const LinkChange *change, Refusal *ret_refusal) {
        LinkChange without = *change;
        Refusal refusal = {};
        int r;

        r = send_change(netlink, index, change, &refusal);
        /* A kernel with ipv6.disable=1, or a link whose MTU is below IPV6_MIN_MTU, has no IPv6 that
         * could get an address (net/ipv6/addrconf.c, inet6_validate_link_af()). */
        if (r == RAWNET_KERNEL_REFUSED && refusal.kernel_errno == EAFNOSUPPORT &&
            change->no_ipv6_address) {
                without.no_ipv6_address = false;
                refusal = (Refusal){};
                r = send_change(netlink, index, &without, &refusal);
        }
        return refusal_forward(r, &refusal, ret_refusal);
}

int link_make_pair(Netlink *netlink, const LinkPlan *plan, const char *peer, uint32_t peer_index,
                   LinkInfo *ret, LinkInfo *ret_peer, Refusal *ret_refusal) {
        const LinkPlan other = {.name = peer, .index = peer_index, .mtu = plan->mtu};
        const char *const names[] = {plan->name, peer};
        LinkInfo *const ends[] = {ret, ret_peer};
        int r = link_add_veth(netlink, plan, &other, ret_refusal);

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(ends); i++) {
                const LinkChange quiet = {.link = names[i], .no_ipv6_address = true};

                r = link_get(netlink, LINK_HERE, names[i], ends[i], ret_refusal);
                if (r == 0)
                        r = link_change(netlink, ends[i]->index, &quiet, ret_refusal);
        }
        return r;
}

int link_delete(Netlink *netlink, int32_t nsid, const LinkInfo *link, Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        struct nlmsghdr *m = link_start(netlink, buffer, RTM_DELLINK, 0, link->index);
        Refusal refusal = {};
        int r;

        /* With index 0 the kernel deletes by other attributes (net/core/rtnetlink.c,
         * rtnl_dellink()). */
        assert(link->index > 0);
        if (nsid >= 0)
                mnl_attr_put_u32(m, IFLA_TARGET_NETNSID, (uint32_t)nsid);
        r = netlink_talk(netlink, m, NULL, NULL, &refusal, "deleting interface %s", link->name);
        if (link_is_missing_in(nsid, r, &refusal))
                return 0;
        return refusal_forward(r, &refusal, ret_refusal);
}

int link_delete_named(Netlink *netlink, int32_t nsid, const char *name, Refusal *ret_refusal) {
        LinkInfo link;
        int r;

        r = link_find(netlink, nsid, name, &link, ret_refusal);
        return r != 0 || link.index == 0 ? r : link_delete(netlink, nsid, &link, ret_refusal);
}
