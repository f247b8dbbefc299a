/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rtnetlink, the messages rawnet needs and no more: links here and in a lease's namespace (nsid.h
 * has those about namespaces). Every function blocks on RTNL: workers and children only. Sources:
 * rtnetlink(7), linux/if_link.h.
 *
 * An existing link of another namespace is only ever read or deleted from outside: RTM_NEWLINK with
 * IFLA_TARGET_NETNSID *moves* a host interface of that index (net/core/rtnetlink.c, do_setlink).
 */

#include <linux/if_link.h>
#include <net/if.h>
#include <sys/types.h>

#include "common/mac.h"
#include "common/refusal.h"
#include "helper/kernel/netlink.h"

#define LINK_HERE (-1)       /* instead of an nsid: the socket's own namespace */
#define LINK_ALIAS_SIZE 256u /* IFALIASZ of linux/if.h */

typedef struct LinkInfo {
        uint32_t index;
        /* An ifindex means something only together with its namespace: IFLA_LINK alone does not say
         * which (IFLA_LINK_NETNSID does). */
        uint32_t lower;           /* what it is on, in the link's own namespace; 0: nothing there */
        uint32_t lower_elsewhere; /* what it is on in another namespace; 0: nothing. Never to be
                                     compared with an index of this one */
        int32_t lower_nsid;   /* that namespace, as the socket's calls it; negative: not known */
        uint32_t master;      /* 0: none */
        char master_kind[64]; /* "bridge", "bond", "vrf" …, "" where not known; as kind */
        uint32_t mtu;
        uint32_t group;    /* IFLA_GROUP; 0: the default one */
        unsigned flags;    /* IFF_* */
        bool operational;  /* RFC 2863 state "up": its queue has been activated since it has carrier
                            */
        uint16_t hardware; /* ARPHRD_* */
        uint16_t vlan;     /* kind "vlan": VID */
        uint16_t vlan_protocol; /* kind "vlan": ETH_P_8021Q or ETH_P_8021AD, host byte order */
        uint32_t queues; /* kind "tun": the queues that have a descriptor; else 0: not known */
        MacAddress mac;
        char name[IFNAMSIZ];
        char kind[64]; /* IFLA_INFO_KIND, "" for a plain NIC; linux/moduleparam.h, MODULE_NAME_LEN
                        */
        char alias[LINK_ALIAS_SIZE];
        struct rtnl_link_stats64 statistics;
} LinkInfo;

/* A link to be made. mac zero: the kernel's choice. mtu 0: the kernel's default. */
typedef struct LinkPlan {
        const char *name;
        uint32_t
                index; /* in its namespace; 0: the kernel's choice. One that is taken there, or in the
                           socket's own namespace, is refused (EBUSY, EEXIST) */
        uint32_t lower;
        MacAddress mac;
        uint32_t mtu;
        uint32_t group;     /* 0: the default one */
        pid_t namespace_of; /* made in this process's network namespace; 0: here */
} LinkPlan;

typedef struct LinkChange {
        const char *link; /* its name now, for messages; NULL: its index is all that they say */
        const char *name; /* NULL: as it is; the link must be down */
        const MacAddress *mac; /* NULL: as it is; the link must be down */
        const char *alias;     /* NULL: as it is */
        uint32_t mtu;          /* 0: as it is */
        uint32_t group;        /* 0: as it is */
        uint32_t queue_length; /* IFLA_TXQLEN, of each queue; 0: as it is */
        unsigned flags_on;     /* IFF_* to be set */
        unsigned flags_off;    /* IFF_* to be cleared */
        bool no_ipv6_address;  /* IFLA_INET6_ADDR_GEN_MODE none; skipped where the link has no IPv6
                                  at all */
} LinkChange;

/* All return 0; RAWNET_KERNEL_REFUSED with the kernel's words and kernel_errno; or -errno. */

/* One link by name. kernel_errno ENODEV: no such link; EINVAL with an nsid: no such (living)
 * namespace. Only these two mean that something is not there: after any other refusal and after
 * -errno it is not known, and no caller may take that for "no". */
int link_get(Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret, Refusal *ret_refusal);

/* The same for one of this namespace, by its index. */
int link_get_index(Netlink *netlink, uint32_t index, LinkInfo *ret, Refusal *ret_refusal);

/* r and refusal of link_get() or link_delete(): there is no such link. */
bool link_is_missing(int r, const Refusal *refusal);
/* The same, or the nsid's namespace has ended, or the kernel lets the helper not look into it
 * (net/core/rtnetlink.c, rtnl_get_net_ns_capable()): then it belongs to another program, since the
 * helper's uid owns every lease's namespace. */
bool link_is_missing_in_lease(int r, const Refusal *refusal);

/* *ret: the interface of the socket's namespace that a link is on which link_get() found in another
 * one; 0: it is on none of this namespace. -EAGAIN: not known. */
int link_lower_here(Netlink *netlink, const LinkInfo *link, uint32_t *ret, Refusal *ret_refusal);

/* Calls each(info, data) for every link of a kind ("vlan"; NULL: of any) in the socket's namespace;
 * a non-zero return of each ends the walk and is returned. Links that come or go meanwhile may be
 * there or not, all others are; -EAGAIN, and no call, where they never stop; -EBADMSG, and no call,
 * where one of them cannot be read. */
typedef int (*LinkEach)(const LinkInfo *info, void *data);
int link_dump(Netlink *netlink, const char *kind, LinkEach each, void *data, Refusal *ret_refusal);

/* Was the refusal that this kernel does not know such interfaces and cannot load them
 * (net/core/rtnetlink.c, __rtnl_newlink())? Other things are EOPNOTSUPP as well: a parent that
 * takes no VLANs (net/8021q/vlan.c, vlan_check_real_dev()). For macvlan and veth the refusal says
 * so (RAWNET_NOT_SUPPORTED), for VLANs it is the caller's to say. */
bool link_kind_is_missing(int refused, const Refusal *refusal);

int link_add_macvlan(Netlink *netlink, const LinkPlan *plan, uint32_t macvlan_mode,
                     Refusal *ret_refusal);
int link_add_vlan(Netlink *netlink, const LinkPlan *plan, uint16_t vlan, uint16_t protocol,
                  Refusal *ret_refusal);
/* Both ends here; the peer has the same MTU, and peer_index as plan->index. */
int link_add_veth(Netlink *netlink, const LinkPlan *plan, const char *peer, uint32_t peer_index,
                  Refusal *ret_refusal);

int link_change(Netlink *netlink, uint32_t index, const LinkChange *change, Refusal *ret_refusal);

/* Deletes a link that link_get() or link_dump() found in the same namespace. By its index: its name
 * may be another link's by now. kernel_errno ENODEV: there is none. */
int link_delete(Netlink *netlink, int32_t nsid, const LinkInfo *link, Refusal *ret_refusal);
