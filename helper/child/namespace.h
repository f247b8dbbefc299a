/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The child: a short-lived process that lives in the lease's network namespace and builds
 * everything there (port, guard, names, addresses), opens the descriptors, hands them up and exits.
 * It never executes anything, never reads a file, and can change nothing outside that namespace.
 * Rollback needs no code: the child exits and the kernel deletes everything.
 *
 * It knows nothing of the lease until the worker that opens it says so (message.h).
 */

#include "helper/child/guard.h"
#include "helper/child/message.h"
#include "helper/privilege.h"

/* The far end of a rehearsal's wire. */
#define NAMESPACE_FAR "far"
/* The other end of a rehearsal's veth port. */
#define NAMESPACE_ATTACHED "attached"

/* Builds the port and its guard in the caller's namespace, which has the uplink, or with
 * plan->rehearsal gets a wire and an uplink of its own. fds: plan->queues of the port, then as many
 * of vhost-net, the caller's. 0, a refusal, or -errno; then what was made stays until the namespace
 * ends. */
int namespace_build(const LeasePlan *plan, const GuardProgram *program, Netlink *netlink,
                    Guard *ret_guard, int *fds, Refusal *ret_refusal);

/* The child's whole life after fork(). The guard's descriptors come with the plan. */
_Noreturn void namespace_run(const Privilege *privilege, int socket_fd, pid_t parent);
