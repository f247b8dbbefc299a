/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Opens a lease, from the network file to the descriptors. It may block. It trusts nothing that
 * rawnetd says but the owner's uid.
 */

#include "helper/worker/context.h"

/* Opens a lease. ret_fds: request->queues of the port, then as many of vhost-net where asked for,
 * the caller's. ret_keeper: of kind veth the child that keeps the lease once child_keep() says so,
 * and ends it when its socket is closed before; the caller's. Else its socket_fd is -1. Returns 0,
 * a refusal, or -errno. */
int lease_open(const JobContext *job, const OpenContext *open, const IpcOpen *request,
               IpcLease *ret_lease, int ret_fds[static RAWNET_FDS_MAX], size_t *ret_n_fds,
               Child *ret_keeper, Refusal *ret_refusal);
