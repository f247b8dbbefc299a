/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kernel reports about a link, here or in a lease's namespace: RTM_GETLINK and its
 * answers. Changes nothing (link.h does). Every function but link_parse() blocks on RTNL: workers
 * and children only. Sources: rtnetlink(7), linux/if_link.h.
 */

#include <linux/if_link.h>
#include <net/if.h>

#include "common/mac.h"
#include "helper/kernel/netlink.h"

#define LINK_HERE (-1)       /* instead of an nsid: the socket's own namespace */
#define LINK_ALIAS_SIZE 256u /* IFALIASZ of linux/if.h */

typedef struct LinkInfo {
        uint32_t index;
        /* An ifindex means something only together with its namespace: IFLA_LINK alone does not say
         * which (IFLA_LINK_NETNSID does). */
        uint32_t lower;           /* the link below, in the link's own namespace; 0: none there */
        uint32_t lower_elsewhere; /* the link below, in another namespace; 0: none. Never to be
                                     compared with an index of this one */
        int32_t lower_nsid;   /* the id of that namespace in the socket's; negative: not known */
        uint32_t master;      /* 0: none */
        char master_kind[64]; /* "bridge", "bond", "vrf" …, "" where not known; as kind */
        uint32_t mtu;
        uint32_t group;         /* IFLA_GROUP; 0: the default one */
        unsigned flags;         /* IFF_* */
        bool operational;       /* RFC 2863 state "up": has carrier, and its queue is active */
        uint16_t hardware;      /* ARPHRD_* */
        uint16_t vlan;          /* kind "vlan": VID */
        uint16_t vlan_protocol; /* kind "vlan": ETH_P_8021Q or ETH_P_8021AD, host byte order */
        uint32_t queues; /* kind "tun": the queues that have a descriptor; else 0: not known */
        bool passthru;   /* kind "macvlan" and "macvtap": in that mode, which takes all frames */
        bool vlan_aware; /* kind "bridge" */
        uint16_t aware_protocol; /* kind "bridge": of which tags; as vlan_protocol */
        bool rp_filter;          /* strict, of the link's own setting (ip-sysctl, rp_filter=1) */
        bool has_ipv6;           /* without IPv6, the next two are false */
        bool ipv6_disabled;
        bool no_ipv6_address; /* addr_gen_mode none */
        MacAddress mac;
        char name[IFNAMSIZ];
        char kind[64]; /* IFLA_INFO_KIND, "" for a plain NIC; linux/moduleparam.h, MODULE_NAME_LEN
                        */
        char alias[LINK_ALIAS_SIZE];
        struct rtnl_link_stats64 statistics;
} LinkInfo;

/* Starts an RTM_* message about links in buffer (NETLINK_BUFFER_SIZE bytes): netlink_start(), and a
 * struct ifinfomsg with this index (0: the attributes say which). */
struct nlmsghdr *link_start(Netlink *netlink, void *buffer, uint16_t type, uint16_t flags,
                            uint32_t index);

/* An RTM_NEWLINK or RTM_DELLINK message. 0, or -EBADMSG and *ret is untouched. Names and kinds that
 * are not there are "". */
int link_parse(const struct nlmsghdr *message, LinkInfo *ret);

/* All of these return 0; RAWNET_KERNEL_REFUSED with the kernel's words and kernel_errno; or -errno.
 * *ret is untouched on failure. */

/* One link by name. kernel_errno ENODEV: no such link; EINVAL with an nsid: no such (living)
 * namespace. Only these two mean that something is not there: after any other refusal and after
 * -errno it is not known, and no caller may take that for "no". */
int link_get(Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret, Refusal *ret_refusal);

/* The same for one of this namespace, by its index. */
int link_get_index(Netlink *netlink, uint32_t index, LinkInfo *ret, Refusal *ret_refusal);

/* As link_get(), but a link that is missing is no refusal: 0, and ret->index is 0. */
int link_find(Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret,
              Refusal *ret_refusal);

/* r and refusal of a message about a link of this namespace: there is no such link. */
bool link_is_missing(int r, const Refusal *refusal);
/* The same for one of another namespace. Or that namespace has ended, or the kernel lets the helper
 * not look into it (net/core/rtnetlink.c, rtnl_get_net_ns_capable()): then it belongs to another
 * program, since the helper's uid owns every lease's namespace. nsid LINK_HERE: link_is_missing().
 */
bool link_is_missing_in(int32_t nsid, int r, const Refusal *refusal);

/* *ret: the ifindex, in the socket's namespace, of what is below a link that link_get() found in
 * another namespace; 0: nothing of this namespace. -EAGAIN: not known. */
int link_lower_here(Netlink *netlink, const LinkInfo *link, uint32_t *ret, Refusal *ret_refusal);

/* Calls each(info, data) for every link of a kind ("vlan"; NULL: of any) in the socket's namespace,
 * once the list is complete: each may use the socket. A non-zero return of each ends the walk and
 * is returned. Links that come or go meanwhile may be listed or not, all others are. -EAGAIN, and
 * no call, where they never stop; -EBADMSG, and no call, where a link cannot be read. */
typedef int (*LinkEach)(const LinkInfo *info, void *data);
int link_dump(Netlink *netlink, const char *kind, LinkEach each, void *data, Refusal *ret_refusal);
