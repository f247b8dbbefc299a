/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A lease as it is going to be: everything decided and checked by lease.c before anything is made,
 * and all that the child in the namespace needs to know. A try that meets a taken id or random
 * address is followed by another plan.
 */

#include "common/ipc.h"
#include "helper/child/guard-shape.h"

typedef struct LeasePlan {
        IpcLease lease; /* id, record; mac zero while it is to be learnt */
        Network network;
        IpcMacMode mac_mode;
        /* While an address is to be learned: the one reserved address that this lease may have, or
         * zero; and the prefixes under which addresses are reserved on its wire. */
        MacAddress own_mac;
        MacPrefixes reserving;
        unsigned queues;
        bool vhost;
        /* The port is made for nothing but to see whether it can be: on a wire that the child makes
         * in its own namespace. */
        bool rehearsal;
        GuardShape shape;
        bool checksum_trick; /* the kernel has it: frames are completed before the guard */
        bool limits_filters; /* port_limit_filters() is needed, and possible */
        uint32_t lower;      /* what the uplink stands on, in the host's namespace */
        uint32_t lower_mtu;
        uint64_t deadline; /* µs, CLOCK_MONOTONIC: until then an address that is in use is tried
                              again */
} LeasePlan;

/* How long an address or VLAN that an ending lease still holds is waited for. */
#define PLAN_PATIENCE_USEC UINT64_C(2000000)
/* The pause between two tries: a dying namespace takes 8 to 30 ms. */
#define PLAN_PAUSE_USEC UINT64_C(8000)
