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

#include "helper/child/message.h"
#include "helper/privilege.h"

/* The child's whole life after fork(). */
_Noreturn void namespace_run(const Privilege *privilege, int socket_fd, pid_t parent);
