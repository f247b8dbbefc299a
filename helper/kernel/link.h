/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rtnetlink, the changes that rawnet makes and no more: links here, and their deletion in a lease's
 * namespace (nsid.h has messages about namespaces). Every function blocks on RTNL: workers and
 * children only. Sources: rtnetlink(7), linux/if_link.h.
 *
 * An existing link of another namespace is only ever read or deleted from outside: RTM_NEWLINK with
 * IFLA_TARGET_NETNSID *moves* a host interface of that index (net/core/rtnetlink.c, do_setlink).
 */

#include <sys/types.h>

#include "helper/kernel/link-info.h"

/* A link to be made. lower: ifindex, 0: none. mac zero: the kernel's choice. mtu: bytes, 0: the
 * kernel's default. */
typedef struct LinkPlan {
        const char *name;
        uint32_t index; /* in its namespace; 0: the kernel's choice. One that is taken there, or in
                           the socket's own namespace, is refused (EBUSY, EEXIST) */
        uint32_t lower;
        MacAddress mac;
        uint32_t mtu;
        uint32_t group;     /* 0: the default one */
        pid_t namespace_of; /* a process in whose network namespace the link is made; 0: here */
        int namespace_fd;   /* the same by the namespace's descriptor; 0: not so */
        unsigned flags_on;  /* IFF_* that it has from the start */
} LinkPlan;

typedef struct LinkChange {
        const char *link; /* the link's name now, for messages; NULL: they have its index only */
        const char *name; /* NULL: as it is; the link must be down */
        const MacAddress *mac;     /* NULL: as it is; the link must be down */
        const char *alias;         /* NULL: as it is */
        uint32_t mtu;              /* 0: as it is */
        uint32_t group;            /* 0: as it is */
        uint32_t queue_length;     /* IFLA_TXQLEN, of each queue; 0: as it is */
        unsigned flags_on;         /* IFF_* to be set */
        unsigned flags_off;        /* IFF_* to be cleared */
        const uint32_t *rp_filter; /* NULL: as it is; ip-sysctl of the kernel's documentation */
        bool no_ipv6_address; /* IFLA_INET6_ADDR_GEN_MODE none; skipped where the link has no IPv6
                                 at all */
        bool ipv6_address;    /* the same, eui64: the kernel's default */
} LinkChange;

/* All return 0; RAWNET_KERNEL_REFUSED with the kernel's words and kernel_errno; or -errno. */

/* Does the refusal say that this kernel does not know such interfaces and cannot load them
 * (net/core/rtnetlink.c, __rtnl_newlink())? Other things are EOPNOTSUPP as well: a parent that
 * takes no VLANs (net/8021q/vlan.c, vlan_check_real_dev()). For macvlan and veth, link_add_*() turn
 * such a refusal into RAWNET_NOT_SUPPORTED; for VLANs the caller does. */
bool link_kind_is_missing(int refused, const Refusal *refusal);

int link_add_macvlan(Netlink *netlink, const LinkPlan *plan, uint32_t macvlan_mode,
                     Refusal *ret_refusal);
int link_add_vlan(Netlink *netlink, const LinkPlan *plan, uint16_t vlan, uint16_t protocol,
                  Refusal *ret_refusal);
/* Each end may be in another namespace. Of peer: name, index, mac, mtu, namespace_of, namespace_fd.
 * A name that is taken is refused (EEXIST). Not of peer: flags_on. The kernel makes the peer first,
 * and refuses to raise an end without the other (drivers/net/veth.c, veth_newlink(), veth_open()).
 * There it also takes the peer's index only where plan has one, too. */
int link_add_veth(Netlink *netlink, const LinkPlan *plan, const LinkPlan *peer,
                  Refusal *ret_refusal);
/* A pair of veths here, down, with one MTU and without IPv6 addresses. peer_index: as plan->index. */
int link_make_pair(Netlink *netlink, const LinkPlan *plan, const char *peer, uint32_t peer_index,
                   LinkInfo *ret, LinkInfo *ret_peer, Refusal *ret_refusal);

int link_change(Netlink *netlink, uint32_t index, const LinkChange *change, Refusal *ret_refusal);

/* Deletes a link that link_get() or link_dump() found in the same namespace, by its index: its name
 * may be another link's by now. 0 also where it is gone, as link_find() has it. */
int link_delete(Netlink *netlink, int32_t nsid, const LinkInfo *link, Refusal *ret_refusal);
/* The same for the link that has this name now. 0 also where there is none. */
int link_delete_named(Netlink *netlink, int32_t nsid, const char *name, Refusal *ret_refusal);
