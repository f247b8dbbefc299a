/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The child: a short-lived process that lives in the lease's network namespace and builds
 * everything there (port, guard, names, addresses), opens the descriptors, hands them up and exits.
 * It never executes anything, never reads a file, and can change nothing outside that namespace.
 * Roll-back is its death: the namespace has no other holder.
 *
 * It knows nothing of the lease until the worker that opens it says so: one message each over a
 * SOCK_SEQPACKET pair (child.h): child → worker  CHILD_READY           the namespace is there
 *   worker → child  LeasePlan             go: its nsid is set, the uplink is in it; with the report
 * socket of the worker's daemon child → worker  CHILD_DONE + fds, or CHILD_FAILED with the refusal
 * (also instead of CHILD_READY)
 */

#include "helper/kernel/link.h"
#include "helper/plan.h"

typedef enum ChildStep {
        CHILD_READY = 1,
        CHILD_DONE,
        CHILD_FAILED
} ChildStep;

typedef struct ChildMessage {
        ChildStep step;
        int fatal;       /* CHILD_FAILED: negative errno, or 0 and refusal says */
        WireLease lease; /* CHILD_DONE: as recorded */
        Refusal refusal;
} ChildMessage;

/* The child's whole life after fork(). */
_Noreturn void namespace_run(const Privilege *privilege, int socket_fd, pid_t parent);

/* Sets the uplink's MAC (if any) and brings it up; an address in use is tried again until the
 * plan's deadline (a random one is not: the worker takes another). RAWNET_ADDRESS_IN_USE then. */
int namespace_raise_uplink(const LeasePlan *plan, Netlink *netlink, uint32_t uplink,
                           Refusal *ret_refusal);

/* Writes plan->lease as the namespace's record. */
int namespace_write_record(const LeasePlan *plan, Netlink *netlink, Refusal *ret_refusal);
