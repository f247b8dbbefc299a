/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mac=learn: nobody said the guest's MAC, so the child stays in the namespace until the guest's
 * first frame says it. Until then the uplink is down and the guard passes nothing; the child
 * rewrites the lease's entry then, and keeps no other handle of the guard. The child holds the
 * namespace, so it must end with the port at the latest; it must not end with the daemon, whose
 * restart no lease may notice.
 */

#include "helper/child/guard.h"
#include "helper/child/message.h"
#include "helper/kernel/netlink.h"

/* Hands message and fds up (and closes fds), waits for the port's first acceptable source address,
 * makes it the lease's, tells the daemon by report_fd and exits (host_fd: a netlink socket of the
 * host's namespace, which it takes); or exits when the port is gone. */
_Noreturn void learn_run(LeasePlan *plan, Netlink *netlink, const Guard *guard,
                         GuardProgram *program, int socket_fd, int report_fd, int host_fd,
                         const ChildMessage *message, int *fds, size_t n_fds);
