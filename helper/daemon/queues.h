/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Bounds the queues of one user's ports: the frames in a queue are kernel memory that is charged to
 * nobody. rawnetd has the limit that the administrator set; this bound holds whatever rawnetd does.
 * rawnetd says which user a port belongs to.
 */

#include "helper/daemon/pool.h"
#include "helper/registry.h"

/* May the open begin? 0 or RAWNET_QUOTA_EXCEEDED. */
int queues_check(const Pool *pool, const Registry *registry, const IpcOpen *open,
                 Refusal *ret_refusal);
