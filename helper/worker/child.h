/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The worker's side of a child (namespace.h is the child's own): forks it and talks with it. The
 * spare worker (pool.h) makes its child ahead. To close socket_fd before the child has sent
 * CHILD_DONE ends the child.
 */

#include "helper/child/namespace.h"

typedef struct Child {
        pid_t pid;     /* names its namespace (IFLA_NET_NS_PID, NETNSA_PID) from CHILD_READY on */
        int socket_fd; /* -1: no child */
} Child;

/* Forks a child, which makes its namespace at once and dies with the caller. 0 or -errno. */
int child_start(const Privilege *privilege, Child *ret);

/* Makes child->socket_fd -1 where the child has ended. One made ahead has had time to, perhaps for
 * a reason that is gone by now. */
void child_drop_if_gone(Child *child);

/* Waits for the child's next message. Returns 0 when it is the expected one; with CHILD_DONE,
 * *ret_lease is set and the descriptors are the caller's. Else the child's own refusal,
 * RAWNET_HELPER_UNAVAILABLE where the child is gone, or -errno. */
int child_hear(const Child *child, ChildStep expected, IpcLease *ret_lease,
               int ret_fds[static RAWNET_FDS_MAX], size_t *ret_n_fds, Refusal *ret_refusal);

/* To a child that keeps a veth lease and has sent CHILD_DONE: stay. 0 or -errno. */
int child_keep(const Child *child);

/* Its nsid is set, the uplink is in it: here is the plan, build. Copies of the guard's descriptors,
 * of report_fd and, where the MAC is to be learned, of host_fd go along: a netlink socket of the
 * host's namespace, by which a process without capabilities there can only look. 0 or -errno. */
int child_go(const Child *child, const LeasePlan *plan, const GuardProgram *program, int report_fd,
             int host_fd);
