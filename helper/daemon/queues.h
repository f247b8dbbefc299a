/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The queues of one user's ports, as the daemon sees them: behind each are frames of kernel memory
 * that is charged to nobody. rawnetd has the limit that the administrator set; this is the bound
 * that holds whatever rawnetd does. Whose a port is, is rawnetd's word.
 */

#include "helper/daemon/pool.h"
#include "helper/registry.h"

/* May the open begin? 0 or RAWNET_QUOTA_EXCEEDED. */
int queues_check(const Pool *pool, const Registry *registry, const IpcOpen *open,
                 Refusal *ret_refusal);
