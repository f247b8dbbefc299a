/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Reports the ends of leases (RTM_DELNSID) and what happens to the links of the host's namespace
 * (RTM_NEWLINK, RTM_DELLINK). Decides nothing.
 */

#include <systemd/sd-event.h>

#include "helper/kernel/netlink.h"

typedef struct WatchEvents {
        /* No namespace has this id any more. */
        void (*lease_gone)(void *data, uint32_t id);
        /* A VLAN interface has come into the host's namespace, or one that rawnet made has lost
         * rawnet's mark. */
        void (*vlan_news)(void *data);
        /* An interface of the host came or changed. name: "" where the kernel does not say it;
         * mtu: bytes, 0 likewise. */
        void (*link_changed)(void *data, uint32_t index, const char *name, uint32_t mtu);
        /* An interface of the host was deleted, or moved to another namespace. */
        void (*link_gone)(void *data, uint32_t index, bool is_macvlan);
        /* Messages were lost (ENOBUFS after a burst): anything may have happened. */
        void (*lost)(void *data);
        /* Follows the other events, once one message has been reported. */
        void (*settle)(void *data);
} WatchEvents;

typedef struct Watch {
        const WatchEvents *events;
        void *data; /* for events */
        Netlink nsids, links;
} Watch;

/* Set by the caller: events, data. 0 or -errno. */
int watch_start(Watch *watch, sd_event *event);
void watch_stop(Watch *watch);
