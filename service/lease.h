/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Leases as they come and go: what the helper tells becomes objects and signals.
 */

#include "service/context.h"

#define LEASE_PATH_SIZE (sizeof(RAWNET_PATH_LEASE) + 11) /* and "/4294967295" */

/* The object's path. Returns buffer. */
const char *lease_path(uint32_t id, char buffer[static LEASE_PATH_SIZE]);
/* RefusedReason: why the port does not take its guest's address (refused.h), or "". Returns buffer.
 */
const char *lease_refused(const Service *service, const IpcLease *lease,
                          char buffer[static REFUSAL_TEXT_MAX]);
/* The id of a path below RAWNET_PATH_LEASE. 0, -EINVAL or -ERANGE. */
int lease_path_to_id(const char *path, uint32_t *ret);

/* The helper reports a lease, new or known: InterfacesAdded, or PropertiesChanged for what differs.
 * 0 or -ENOMEM. */
int lease_put(Service *service, const IpcLease *ipc);

/* The helper's event: Ended, and InterfacesRemoved once the namespace is gone. */
void lease_end(Service *service, uint32_t id, IpcEndReason reason);
/* The guard has dropped a frame of the lease for this reason for the first time: writes a line into
 * the journal. */
void lease_dropped(Service *service, uint32_t id, const IpcDropped *dropped);

/* Begin and end of the helper's list after a (re)connect: a lease that it does not have ended
 * unnoticed. */
void lease_list_begins(Service *service);
void lease_list_complete(Service *service);
