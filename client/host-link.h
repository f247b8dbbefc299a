/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * An interface of the host as an unprivileged program sees it, for `rawnetctl check`. rawnet-helper
 * looks for itself at every open.
 */

#include <net/if.h>

#include "common/network-file.h"

typedef struct HostLink {
        char name[IFNAMSIZ];
        uint32_t index, flags, master, mtu, group;
        uint32_t lower;               /* of this namespace, 0: it is on none of here */
        uint16_t hardware;            /* ARPHRD_* */
        char kind[32];                /* "vlan", "macvlan" …, "" */
        uint16_t vlan, vlan_protocol; /* of kind "vlan"; ETH_P_*, host byte order */
        char alias[256];
        char slave_kind[32]; /* "bridge", "bond" …, "" */
        bool wireless;
} HostLink;

/* 1 with *ret, 0 where there is no such interface, or -errno. It may be found by an alternative
 * name (ip-link(8), altname): ret->name is its own. */
int host_link_by_name(const char *name, HostLink *ret);
int host_link_by_index(uint32_t index, HostLink *ret);

/* Calls each(link, data) for every VLAN interface on the interface with this index, without
 * link->wireless. 0 or -errno. */
typedef void (*HostLinkEach)(const HostLink *link, void *data);
int host_link_each_vlan(uint32_t lower, HostLinkEach each, void *data);
