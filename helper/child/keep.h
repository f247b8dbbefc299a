/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A veth lease has no descriptor that would hold its namespace: the child stays there and holds it,
 * until the port is gone. The port goes with the interface that is its other end, and so with the
 * namespace which has that one; by Close(); or, since a port without an uplink is none, with the
 * uplink. The kernel reports each as RTM_DELLINK.
 *
 * The child outlives worker and daemon. So it gives everything up that it does not need: all
 * descriptors but one netlink socket of its own namespace, all capabilities, the guard's entries,
 * and all system calls but read(), write() and exit.
 */

#include "helper/child/guard.h"
#include "helper/child/message.h"
#include "helper/kernel/netlink.h"

/* Takes netlink. Sends message by socket_fd, waits there for CHILD_KEEP, and then until the port is gone. */
_Noreturn void keep_run(const Guard *guard, Netlink *netlink, GuardProgram *program, int socket_fd,
                        const ChildMessage *message);
