/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a worker inherits from the daemon at its fork: a copy, so that nothing that the daemon does
 * later reaches a job that is under way.
 */

#include "helper/worker/child.h"
#include "helper/doubt.h"
#include "helper/lease-id.h"
#include "helper/registry.h"

/* What a sweep leaves alone. */
typedef struct SweepScope {
        Doubts doubts;
        uint64_t opening[(VLAN_ID_MAX + 64) /
                         64]; /* bit VID: an open for that VLAN is in progress */
} SweepScope;

typedef struct LeaseContext {
        Privilege privilege;
        GuardProgram guard;
        uint32_t features;          /* IPC_FEATURE_* as probed */
        bool quiet_probe;           /* it is not the one at the start: a user causes it */
        bool assume_checksum_trick; /* whatever the probe says: frames are completed before the
                                       guard */
        const Registry *registry;   /* as it was at the fork */
        LeaseIds *ids;              /* shared by the daemon and its workers */
        int report_fd;
        int owner_fd;            /* vlan_guard_install() */
        size_t n_leases;         /* JOB_OPEN: that the network asked for has */
        const SweepScope *sweep; /* JOB_SWEEP */
        Child spare;             /* JOB_OPEN: a child made ahead (pool.h), or socket_fd -1 */
} LeaseContext;
