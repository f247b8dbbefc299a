/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The outside of a child (namespace.h is its inside): forks it and talks with it. Called by the
 * worker of an open, which may have made it ahead (pool.h). Whoever closes socket_fd before the
 * child has said CHILD_DONE ends it.
 */

#include "helper/child/namespace.h"

typedef struct Child {
        pid_t pid;     /* IFLA_NET_NS_PID and NETNSA_PID name its namespace, once it has said
                          CHILD_READY */
        int socket_fd; /* -1: no child */
} Child;

/* Forks a child, which makes its namespace at once and dies with the caller. entries: the guard's.
 * 0 or -errno. */
int child_start(const Privilege *privilege, GuardEntry *entries, Child *ret);

/* A child that was made ahead has had time to die, or to fail for a reason that is gone: then there
 * is none. */
void child_drop_if_gone(Child *child);

/* Waits for the child's next word. Returns 0 when it is the expected one (CHILD_DONE: *ret_lease
 * and its descriptors, the caller's), the child's own refusal, RAWNET_HELPER_UNAVAILABLE where it
 * is gone, or -errno. */
int child_hear(const Child *child, ChildStep expected, IpcLease *ret_lease,
               int ret_fds[static RAWNET_FDS_MAX], size_t *ret_n_fds, Refusal *ret_refusal);

/* Its nsid is set, the uplink is in it: here is the plan, build. Copies of the guard's descriptors,
 * of report_fd and, where the MAC is to be learned, of host_fd go along: a netlink socket of the
 * host's namespace, by which a process without capabilities there can only look. 0 or -errno. */
int child_go(const Child *child, const LeasePlan *plan, const GuardProgram *program, int report_fd,
             int host_fd);
