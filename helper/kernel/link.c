/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/kernel/link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>

#include "helper/kernel/nsid.h"

#define MESSAGE_BUFFER(name) _Alignas(struct nlmsghdr) char name[NETLINK_BUFFER_SIZE]

static struct nlmsghdr *start_link(Netlink *netlink, void *buffer, uint16_t type, uint16_t flags,
                                   uint32_t index) {
        struct nlmsghdr *m = netlink_start(netlink, buffer, type, flags);
        struct ifinfomsg *i = mnl_nlmsg_put_extra_header(m, sizeof(*i));

        i->ifi_family = AF_UNSPEC;
        i->ifi_index = (int)index;
        return m;
}

/* Every attribute goes through here: all strings are bounded by their types, so the buffer always
 * has room. */
static void put(struct nlmsghdr *m, uint16_t type, const void *data, size_t size) {
        bool fits = mnl_attr_put_check(m, NETLINK_BUFFER_SIZE, type, size, data);

        if (!fits)
                abort();
}

static void put_u32(struct nlmsghdr *m, uint16_t type, uint32_t value) {
        put(m, type, &value, sizeof(value));
}

static void put_text(struct nlmsghdr *m, uint16_t type, const char *text) {
        put(m, type, text, strlen(text) + 1);
}

static int copy_text(const struct nlattr *a, char *ret, size_t size) {
        if (mnl_attr_validate(a, MNL_TYPE_NUL_STRING) < 0 || mnl_attr_get_payload_len(a) > size)
                return -EBADMSG;
        memcpy(ret, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
        return 0;
}

static void parse_vlan(const struct nlattr *data, LinkInfo *info) {
        const struct nlattr *a;

        mnl_attr_for_each_nested(a, data) {
                if (mnl_attr_get_payload_len(a) < sizeof(uint16_t))
                        continue;
                if (mnl_attr_get_type(a) == IFLA_VLAN_ID)
                        info->vlan = mnl_attr_get_u16(a);
                if (mnl_attr_get_type(a) == IFLA_VLAN_PROTOCOL)
                        info->vlan_protocol = ntohs(mnl_attr_get_u16(a));
        }
}

/* drivers/net/tun.c, tun_fill_info(): only a link with several queues says how many. The holder may
 * disable one, which stays his. */
static void parse_tun(const struct nlattr *data, LinkInfo *info) {
        uint32_t queues = 0, disabled = 0;
        const struct nlattr *a;

        mnl_attr_for_each_nested(a, data) {
                if (mnl_attr_get_payload_len(a) < sizeof(uint32_t))
                        continue;
                if (mnl_attr_get_type(a) == IFLA_TUN_NUM_QUEUES)
                        queues = mnl_attr_get_u32(a);
                if (mnl_attr_get_type(a) == IFLA_TUN_NUM_DISABLED_QUEUES)
                        disabled = mnl_attr_get_u32(a);
        }
        info->queues = MAX_OF(queues + disabled, 1u);
}

static int parse_kind(const struct nlattr *linkinfo, LinkInfo *info) {
        const struct nlattr *a, *data = NULL;

        mnl_attr_for_each_nested(a, linkinfo) {
                if (mnl_attr_get_type(a) == IFLA_INFO_KIND &&
                    copy_text(a, info->kind, sizeof(info->kind)) < 0)
                        return -EBADMSG;
                if (mnl_attr_get_type(a) == IFLA_INFO_DATA)
                        data = a;
                if (mnl_attr_get_type(a) == IFLA_INFO_SLAVE_KIND &&
                    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
                        snprintf(info->master_kind, sizeof(info->master_kind), "%s",
                                 mnl_attr_get_str(a));
        }
        if (data && strcmp(info->kind, "vlan") == 0)
                parse_vlan(data, info);
        if (data && strcmp(info->kind, "tun") == 0)
                parse_tun(data, info);
        return 0;
}

/* IF_OPER_UP of linux/if.h, which cannot be included beside net/if.h. */
#define OPERSTATE_UP 6

/* *elsewhere is set where IFLA_LINK is an index of another namespace. */
static int parse_attribute(const struct nlattr *a, LinkInfo *info, bool *elsewhere) {
        size_t size = mnl_attr_get_payload_len(a);

        switch (mnl_attr_get_type(a)) {
        case IFLA_IFNAME:
                return copy_text(a, info->name, sizeof(info->name));
        case IFLA_IFALIAS:
                return copy_text(a, info->alias, sizeof(info->alias));
        case IFLA_ADDRESS:
                if (size == sizeof(info->mac))
                        memcpy(&info->mac, mnl_attr_get_payload(a), size);
                return 0;
        case IFLA_LINK_NETNSID:
                if (mnl_attr_validate(a, MNL_TYPE_U32) < 0)
                        return -EBADMSG;
                info->lower_nsid = (int32_t)mnl_attr_get_u32(a);
                *elsewhere = true;
                return 0;
        case IFLA_LINK:
        case IFLA_MASTER:
        case IFLA_MTU:
        case IFLA_GROUP:
                if (mnl_attr_validate(a, MNL_TYPE_U32) < 0)
                        return -EBADMSG;
                *(mnl_attr_get_type(a) == IFLA_LINK     ? &info->lower
                  : mnl_attr_get_type(a) == IFLA_MASTER ? &info->master
                  : mnl_attr_get_type(a) == IFLA_GROUP  ? &info->group
                                                        : &info->mtu) = mnl_attr_get_u32(a);
                return 0;
        case IFLA_OPERSTATE:
                info->operational = size == 1 && mnl_attr_get_u8(a) == OPERSTATE_UP;
                return 0;
        case IFLA_STATS64:
                memcpy(&info->statistics, mnl_attr_get_payload(a),
                       MIN_OF(size, sizeof(info->statistics)));
                return 0;
        case IFLA_LINKINFO:
                return parse_kind(a, info);
        default:
                return 0;
        }
}

static int parse_link(const struct nlmsghdr *m, LinkInfo *ret) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        LinkInfo info = {};
        const struct nlattr *a;
        bool elsewhere = false;

        if (m->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(m) < sizeof(*i) ||
            i->ifi_index <= 0)
                return -EBADMSG;
        info.index = (uint32_t)i->ifi_index;
        info.flags = i->ifi_flags;
        info.hardware = i->ifi_type;
        mnl_attr_for_each(a, m, sizeof(*i)) {
                if (parse_attribute(a, &info, &elsewhere) < 0)
                        return -EBADMSG;
        }
        if (elsewhere) {
                info.lower_elsewhere = info.lower;
                info.lower = 0;
        }
        *ret = info;
        return 0;
}

static int got_link(const struct nlmsghdr *m, void *data) {
        int r = parse_link(m, data);

        if (r < 0) {
                errno = -r;
                return MNL_CB_ERROR;
        }
        return MNL_CB_OK;
}

int link_get(Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret,
             Refusal *ret_refusal) {
        MESSAGE_BUFFER(buffer);
        struct nlmsghdr *m = start_link(netlink, buffer, RTM_GETLINK, 0, 0);
        LinkInfo info = {};
        int r;

        if (nsid >= 0)
                put_u32(m, IFLA_TARGET_NETNSID, (uint32_t)nsid);
        put_text(m, IFLA_IFNAME, name);
        r = netlink_talk(netlink, m, got_link, &info, ret_refusal, "interface %s", name);
        if (r != 0)
                return r;
        /* An ack without a link. */
        if (info.index == 0)
                return -EBADMSG;
        *ret = info;
        return 0;
}

int link_get_index(Netlink *netlink, uint32_t index, LinkInfo *ret, Refusal *ret_refusal) {
        MESSAGE_BUFFER(buffer);
        struct nlmsghdr *m = start_link(netlink, buffer, RTM_GETLINK, 0, index);
        LinkInfo info = {};
        int r;

        r = netlink_talk(netlink, m, got_link, &info, ret_refusal, "interface %u", index);
        if (r != 0)
                return r;
        if (info.index == 0)
                return -EBADMSG;
        *ret = info;
        return 0;
}

bool link_is_missing(int r, const Refusal *refusal) {
        return r == RAWNET_KERNEL_REFUSED && refusal->kernel_errno == ENODEV;
}

bool link_is_missing_in_lease(int r, const Refusal *refusal) {
        return r == RAWNET_KERNEL_REFUSED &&
               (refusal->kernel_errno == ENODEV || refusal->kernel_errno == EINVAL ||
                refusal->kernel_errno == EACCES);
}

/* An interrupted dump is repeated at most this often. A dump is interrupted if it needs more than
 * one message (some dozens of links) and links come or go meanwhile. If they never stop, the caller
 * gets no list: a link that was left out must not lead to the deletion of what is below it. */
#define DUMP_TRIES 5u

typedef struct LinkList {
        LinkInfo *links;
        size_t n, n_allocated;
} LinkList;

static void link_list_done(LinkList *list) {
        free(list->links);
}

static int list_link(const struct nlmsghdr *m, void *data) {
        LinkList *list = data;
        int r;

        r = GROW_ARRAY(list->links, list->n, list->n_allocated);
        /* A list with a link left out is none: what is not in it would count as unused. */
        if (r == 0)
                r = parse_link(m, &list->links[list->n]);
        if (r < 0) {
                errno = -r;
                return MNL_CB_ERROR;
        }
        list->n++;
        return MNL_CB_OK;
}

static int list_links(Netlink *netlink, const char *kind, LinkList *list, Refusal *ret_refusal) {
        MESSAGE_BUFFER(buffer);
        struct nlmsghdr *m = start_link(netlink, buffer, RTM_GETLINK, NLM_F_DUMP, 0);
        struct nlattr *linkinfo;

        list->n = 0;
        put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        if (kind) {
                linkinfo = mnl_attr_nest_start(m, IFLA_LINKINFO);
                put_text(m, IFLA_INFO_KIND, kind);
                mnl_attr_nest_end(m, linkinfo);
        }
        return netlink_talk(netlink, m, list_link, list, ret_refusal, "listing %s interfaces",
                            kind ? kind : "all");
}

int link_dump(Netlink *netlink, const char *kind, LinkEach each, void *data, Refusal *ret_refusal) {
        _cleanup_(link_list_done) LinkList list = {};
        unsigned tries = 0;
        int r;

        do
                r = list_links(netlink, kind, &list, ret_refusal);
        while (r == 0 && netlink->interrupted && ++tries < DUMP_TRIES);
        if (r == 0 && netlink->interrupted)
                return -EAGAIN;
        for (size_t i = 0; r == 0 && i < list.n; i++)
                r = each(&list.links[i], data);
        return r;
}

static struct nlmsghdr *start_add(Netlink *netlink, void *buffer, const LinkPlan *plan) {
        struct nlmsghdr *m = start_link(netlink, buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);

        put_text(m, IFLA_IFNAME, plan->name);
        if (plan->lower > 0)
                put_u32(m, IFLA_LINK, plan->lower);
        if (!mac_is_zero(&plan->mac))
                put(m, IFLA_ADDRESS, &plan->mac, sizeof(plan->mac));
        if (plan->mtu > 0)
                put_u32(m, IFLA_MTU, plan->mtu);
        if (plan->group > 0)
                put_u32(m, IFLA_GROUP, plan->group);
        if (plan->namespace_of > 0)
                put_u32(m, IFLA_NET_NS_PID, (uint32_t)plan->namespace_of);
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
        MESSAGE_BUFFER(buffer);
        struct nlmsghdr *m = start_add(netlink, buffer, plan);
        struct nlattr *linkinfo = mnl_attr_nest_start(m, IFLA_LINKINFO), *data;
        int r;

        put_text(m, IFLA_INFO_KIND, "macvlan");
        data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
        put_u32(m, IFLA_MACVLAN_MODE, macvlan_mode);
        mnl_attr_nest_end(m, data);
        mnl_attr_nest_end(m, linkinfo);
        r = netlink_talk(netlink, m, NULL, NULL, ret_refusal, "creating macvlan interface %s",
                         plan->name);
        return explain_kind(r, "macvlan", ret_refusal);
}

int link_add_vlan(Netlink *netlink, const LinkPlan *plan, uint16_t vlan, uint16_t protocol,
                  Refusal *ret_refusal) {
        MESSAGE_BUFFER(buffer);
        struct nlmsghdr *m = start_add(netlink, buffer, plan);
        struct nlattr *linkinfo = mnl_attr_nest_start(m, IFLA_LINKINFO), *data;
        uint16_t wire_protocol = htons(protocol);

        put_text(m, IFLA_INFO_KIND, "vlan");
        data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
        put(m, IFLA_VLAN_ID, &vlan, sizeof(vlan));
        put(m, IFLA_VLAN_PROTOCOL, &wire_protocol, sizeof(wire_protocol));
        mnl_attr_nest_end(m, data);
        mnl_attr_nest_end(m, linkinfo);
        return netlink_talk(netlink, m, NULL, NULL, ret_refusal,
                            "creating the interface of VLAN %u", vlan);
}

int link_add_veth(Netlink *netlink, const LinkPlan *plan, const char *peer, Refusal *ret_refusal) {
        MESSAGE_BUFFER(buffer);
        struct nlmsghdr *m = start_add(netlink, buffer, plan);
        struct nlattr *linkinfo = mnl_attr_nest_start(m, IFLA_LINKINFO), *data, *other;
        struct ifinfomsg none = {};
        int r;

        put_text(m, IFLA_INFO_KIND, "veth");
        data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
        /* The peer is described by a whole link message inside: linux/veth.h. */
        other = mnl_attr_nest_start(m, VETH_INFO_PEER);
        memcpy(mnl_nlmsg_get_payload_tail(m), &none, sizeof(none));
        m->nlmsg_len += MNL_ALIGN(sizeof(none));
        put_text(m, IFLA_IFNAME, peer);
        if (plan->mtu > 0)
                put_u32(m, IFLA_MTU, plan->mtu);
        mnl_attr_nest_end(m, other);
        mnl_attr_nest_end(m, data);
        mnl_attr_nest_end(m, linkinfo);
        r = netlink_talk(netlink, m, NULL, NULL, ret_refusal, "creating veth pair %s", plan->name);
        return explain_kind(r, "veth", ret_refusal);
}

/* ", name lab0, MTU 1500, up": all that a change asks for, as people call it. */
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
        snprintf(buffer + n, 160 - (size_t)n, "%s%s%s%s%s", change->alias ? ", alias" : "",
                 change->group > 0 ? ", group" : "",
                 change->no_ipv6_address ? ", no IPv6 address" : "",
                 change->flags_on & IFF_UP ? ", up" : "",
                 change->flags_off & IFF_UP ? ", down" : "");
        return buffer;
}

static int send_change(Netlink *netlink, uint32_t index, const LinkChange *change,
                       Refusal *ret_refusal) {
        MESSAGE_BUFFER(buffer);
        char what[160];
        struct nlmsghdr *m = start_link(netlink, buffer, RTM_NEWLINK, 0, index);
        struct ifinfomsg *i = mnl_nlmsg_get_payload(m);

        i->ifi_flags = change->flags_on;
        i->ifi_change = change->flags_on | change->flags_off;
        if (change->name)
                put_text(m, IFLA_IFNAME, change->name);
        if (change->mac)
                put(m, IFLA_ADDRESS, change->mac, sizeof(*change->mac));
        if (change->mtu > 0)
                put_u32(m, IFLA_MTU, change->mtu);
        if (change->group > 0)
                put_u32(m, IFLA_GROUP, change->group);
        if (change->queue_length > 0)
                put_u32(m, IFLA_TXQLEN, change->queue_length);
        if (change->alias)
                put(m, IFLA_IFALIAS, change->alias, strlen(change->alias));
        if (change->no_ipv6_address) {
                struct nlattr *spec = mnl_attr_nest_start(m, IFLA_AF_SPEC),
                              *inet6 = mnl_attr_nest_start(m, AF_INET6);
                uint8_t mode = IN6_ADDR_GEN_MODE_NONE;

                put(m, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
                mnl_attr_nest_end(m, inet6);
                mnl_attr_nest_end(m, spec);
        }
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
        if (r > 0)
                *ret_refusal = refusal;
        return r;
}

int link_delete(Netlink *netlink, int32_t nsid, const LinkInfo *link, Refusal *ret_refusal) {
        MESSAGE_BUFFER(buffer);
        struct nlmsghdr *m = start_link(netlink, buffer, RTM_DELLINK, 0, link->index);

        /* With index 0 the kernel deletes by other attributes (net/core/rtnetlink.c,
         * rtnl_dellink()). */
        assert(link->index > 0);
        if (nsid >= 0)
                put_u32(m, IFLA_TARGET_NETNSID, (uint32_t)nsid);
        return netlink_talk(netlink, m, NULL, NULL, ret_refusal, "deleting interface %s",
                            link->name);
}

int link_lower_here(Netlink *netlink, const LinkInfo *link, uint32_t *ret, Refusal *ret_refusal) {
        int32_t nsid = netlink->nsid;
        int r;

        if (link->lower_elsewhere == 0) {
                *ret = 0;
                return 0;
        }
        /* The kernel had no memory for an id: where the link is on is not known. */
        if (link->lower_nsid < 0)
                return -EAGAIN;
        if (!netlink->knows_nsid) {
                r = nsid_own(netlink, &nsid, ret_refusal);
                if (r != 0)
                        return r;
        }
        *ret = link->lower_nsid == nsid ? link->lower_elsewhere : 0;
        return 0;
}
