/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/kernel/link-info.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "helper/kernel/nsid.h"

struct nlmsghdr *link_start(Netlink *netlink, void *buffer, uint16_t type, uint16_t flags,
                            uint32_t index) {
        struct nlmsghdr *m = netlink_start(netlink, buffer, type, flags);
        struct ifinfomsg *i = mnl_nlmsg_put_extra_header(m, sizeof(*i));

        i->ifi_family = AF_UNSPEC;
        i->ifi_index = (int)index;
        return m;
}

static int copy_text(const struct nlattr *a, char *ret, size_t size) {
        if (mnl_attr_validate(a, MNL_TYPE_NUL_STRING) < 0 || mnl_attr_get_payload_len(a) > size)
                return -EBADMSG;
        memcpy(ret, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
        return 0;
}

static int copy_u32(const struct nlattr *a, uint32_t *ret) {
        if (mnl_attr_validate(a, MNL_TYPE_U32) < 0)
                return -EBADMSG;
        *ret = mnl_attr_get_u32(a);
        return 0;
}

/* The attribute of that type in nest, which may be NULL; NULL where there is none of at least size
 * bytes. */
static const struct nlattr *inside(const struct nlattr *nest, uint16_t type, size_t size) {
        const struct nlattr *a, *found = NULL;

        if (!nest)
                return NULL;
        mnl_attr_for_each_nested(a, nest) {
                if (mnl_attr_get_type(a) == type && mnl_attr_get_payload_len(a) >= size)
                        found = a;
        }
        return found;
}

/* 0 where it is not there. */
static uint32_t u32_inside(const struct nlattr *nest, uint16_t type) {
        const struct nlattr *a = inside(nest, type, sizeof(uint32_t));

        return a ? mnl_attr_get_u32(a) : 0;
}

static uint16_t u16_inside(const struct nlattr *nest, uint16_t type) {
        const struct nlattr *a = inside(nest, type, sizeof(uint16_t));

        return a ? mnl_attr_get_u16(a) : 0;
}

static uint8_t u8_inside(const struct nlattr *nest, uint16_t type) {
        const struct nlattr *a = inside(nest, type, sizeof(uint8_t));

        return a ? mnl_attr_get_u8(a) : 0;
}

static void parse_data(const struct nlattr *data, LinkInfo *info) {
        if (strcmp(info->kind, "vlan") == 0) {
                info->vlan = u16_inside(data, IFLA_VLAN_ID);
                info->vlan_protocol = ntohs(u16_inside(data, IFLA_VLAN_PROTOCOL));
        } else if (strcmp(info->kind, "tun") == 0) {
                /* Only a link with several queues says how many (drivers/net/tun.c,
                 * tun_fill_info()). The holder may disable one, which stays his. */
                info->queues = MAX_OF(u32_inside(data, IFLA_TUN_NUM_QUEUES) +
                                              u32_inside(data, IFLA_TUN_NUM_DISABLED_QUEUES),
                                      1u);
        } else if (strcmp(info->kind, "macvlan") == 0 || strcmp(info->kind, "macvtap") == 0) {
                info->passthru = u32_inside(data, IFLA_MACVLAN_MODE) & MACVLAN_MODE_PASSTHRU;
        } else if (strcmp(info->kind, "bridge") == 0) {
                info->vlan_aware = u8_inside(data, IFLA_BR_VLAN_FILTERING) != 0;
                info->aware_protocol = ntohs(u16_inside(data, IFLA_BR_VLAN_PROTOCOL));
        }
}

static int parse_kind(const struct nlattr *linkinfo, LinkInfo *info) {
        const struct nlattr *kind = inside(linkinfo, IFLA_INFO_KIND, 0),
                            *master = inside(linkinfo, IFLA_INFO_SLAVE_KIND, 0),
                            *data = inside(linkinfo, IFLA_INFO_DATA, 0);

        if (kind && copy_text(kind, info->kind, sizeof(info->kind)) < 0)
                return -EBADMSG;
        if (master && mnl_attr_validate(master, MNL_TYPE_NUL_STRING) >= 0)
                snprintf(info->master_kind, sizeof(info->master_kind), "%s",
                         mnl_attr_get_str(master));
        if (data)
                parse_data(data, info);
        return 0;
}

/* One of an array of 32-bit settings in an attribute, which may be NULL; 0 where the kernel's array
 * is shorter. */
static uint32_t setting(const struct nlattr *array, size_t i) {
        uint32_t value = 0;

        if (array && mnl_attr_get_payload_len(array) >= (i + 1) * sizeof(value))
                memcpy(&value, (const char *)mnl_attr_get_payload(array) + i * sizeof(value),
                       sizeof(value));
        return value;
}

static void parse_families(const struct nlattr *spec, LinkInfo *info) {
        const struct nlattr *inet = inside(spec, AF_INET, 0), *inet6 = inside(spec, AF_INET6, 0);
        const struct nlattr *mode = inside(inet6, IFLA_INET6_ADDR_GEN_MODE, sizeof(uint8_t));

        /* net/ipv4/devinet.c, inet_fill_link_af(): numbered from 1, sent from 0 */
        info->rp_filter = setting(inside(inet, IFLA_INET_CONF, 0), IPV4_DEVCONF_RP_FILTER - 1) == 1;
        info->has_ipv6 = inet6 != NULL;
        info->ipv6_disabled = setting(inside(inet6, IFLA_INET6_CONF, 0), DEVCONF_DISABLE_IPV6);
        info->no_ipv6_address = mode && mnl_attr_get_u8(mode) == IN6_ADDR_GEN_MODE_NONE;
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
                *elsewhere = true;
                return copy_u32(a, (uint32_t *)&info->lower_nsid);
        case IFLA_LINK:
                return copy_u32(a, &info->lower);
        case IFLA_MASTER:
                return copy_u32(a, &info->master);
        case IFLA_MTU:
                return copy_u32(a, &info->mtu);
        case IFLA_GROUP:
                return copy_u32(a, &info->group);
        case IFLA_OPERSTATE:
                info->operational = size == 1 && mnl_attr_get_u8(a) == OPERSTATE_UP;
                return 0;
        case IFLA_STATS64:
                memcpy(&info->statistics, mnl_attr_get_payload(a),
                       MIN_OF(size, sizeof(info->statistics)));
                return 0;
        case IFLA_LINKINFO:
                return parse_kind(a, info);
        case IFLA_AF_SPEC:
                parse_families(a, info);
                return 0;
        default:
                return 0;
        }
}

int link_parse(const struct nlmsghdr *m, LinkInfo *ret) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        LinkInfo info = {};
        const struct nlattr *a;
        bool elsewhere = false;

        if ((m->nlmsg_type != RTM_NEWLINK && m->nlmsg_type != RTM_DELLINK) ||
            mnl_nlmsg_get_payload_len(m) < sizeof(*i) || i->ifi_index <= 0)
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
        int r = m->nlmsg_type == RTM_NEWLINK ? link_parse(m, data) : -EBADMSG;

        if (r < 0) {
                errno = -r;
                return MNL_CB_ERROR;
        }
        return MNL_CB_OK;
}

/* what: the link, for messages. An ack without a link is -EBADMSG. */
static int ask(Netlink *netlink, const struct nlmsghdr *m, const char *what, LinkInfo *ret,
               Refusal *ret_refusal) {
        LinkInfo info = {};
        int r;

        r = netlink_talk(netlink, m, got_link, &info, ret_refusal, "interface %s", what);
        if (r == 0 && info.index == 0)
                r = -EBADMSG;
        if (r == 0)
                *ret = info;
        return r;
}

int link_get(Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret,
             Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        struct nlmsghdr *m = link_start(netlink, buffer, RTM_GETLINK, 0, 0);

        if (nsid >= 0)
                mnl_attr_put_u32(m, IFLA_TARGET_NETNSID, (uint32_t)nsid);
        mnl_attr_put_strz(m, IFLA_IFNAME, name);
        return ask(netlink, m, name, ret, ret_refusal);
}

int link_get_index(Netlink *netlink, uint32_t index, LinkInfo *ret, Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        char number[16];

        snprintf(number, sizeof(number), "%" PRIu32, index);
        return ask(netlink, link_start(netlink, buffer, RTM_GETLINK, 0, index), number, ret,
                   ret_refusal);
}

int link_find(Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret,
              Refusal *ret_refusal) {
        Refusal refusal = {};
        int r = link_get(netlink, nsid, name, ret, &refusal);

        if (link_is_missing_in(nsid, r, &refusal)) {
                *ret = (LinkInfo){};
                return 0;
        }
        return refusal_forward(r, &refusal, ret_refusal);
}

bool link_is_missing(int r, const Refusal *refusal) {
        return r == RAWNET_KERNEL_REFUSED && refusal->kernel_errno == ENODEV;
}

bool link_is_missing_in(int32_t nsid, int r, const Refusal *refusal) {
        return link_is_missing(r, refusal) ||
               (nsid >= 0 && r == RAWNET_KERNEL_REFUSED &&
                (refusal->kernel_errno == EINVAL || refusal->kernel_errno == EACCES));
}

/* An interrupted dump is repeated at most this often. A dump is interrupted if it needs more than
 * one message (some dozens of links) and links come or go meanwhile. If they never stop, the caller
 * gets no list: a sweep would delete what is below a link that was left out. */
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
        /* No list at all is better than one without this link: what is below would count as
         * unused. */
        if (r == 0)
                r = link_parse(m, &list->links[list->n]);
        if (r < 0) {
                errno = -r;
                return MNL_CB_ERROR;
        }
        list->n++;
        return MNL_CB_OK;
}

static int list_links(Netlink *netlink, const char *kind, LinkList *list, Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        struct nlmsghdr *m = link_start(netlink, buffer, RTM_GETLINK, NLM_F_DUMP, 0);
        struct nlattr *linkinfo;

        list->n = 0;
        mnl_attr_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        if (kind) {
                linkinfo = mnl_attr_nest_start(m, IFLA_LINKINFO);
                mnl_attr_put_strz(m, IFLA_INFO_KIND, kind);
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

int link_lower_here(Netlink *netlink, const LinkInfo *link, uint32_t *ret, Refusal *ret_refusal) {
        int32_t nsid = netlink->nsid;
        int r;

        if (link->lower_elsewhere == 0) {
                *ret = 0;
                return 0;
        }
        /* The kernel had no memory for an id. */
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
