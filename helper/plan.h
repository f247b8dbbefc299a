/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A lease before it is made: what validate.c and open.c decided, and what the child in the
 * namespace needs to know. After a try that met a taken id or random address, the plan gets another
 * one.
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
        AddressList addresses; /* that its guest may use; network.address_lock, or one of them: no
                                  others */
        uint64_t rate;         /* bits a second each way; 0: no limit */
        unsigned queues;
        bool vhost;
        bool up;                  /* veth: the port's other end is raised */
        char interface[IFNAMSIZ]; /* veth: the name of the port's other end, where that is */
        int namespace_fd;         /* and the namespace where it is. The worker's alone */
        /* rehearse.h: the child makes the wire, too. */
        bool rehearsal;
        GuardShape shape;
        bool checksum_trick; /* the kernel has it: frames are completed before the guard */
        bool blind; /* it does not tell the guard the place of a checksum: frames that depend on it
                       are completed, and judged again */
        bool limits_filters; /* port_limit_filters() is needed, and possible */
        uint32_t lower;     /* ifindex of the interface below the uplink, in the host's namespace */
        uint32_t lower_mtu; /* bytes */
        uint64_t deadline;  /* µs, CLOCK_MONOTONIC: until then, what is in use is tried again */
} LeasePlan;

/* How long an open waits for an address or VLAN that an ending lease still holds. */
#define PLAN_PATIENCE_USEC UINT64_C(2000000)
/* The pause between two tries: a dying namespace takes 8 to 30 ms. */
#define PLAN_PAUSE_USEC UINT64_C(8000)
