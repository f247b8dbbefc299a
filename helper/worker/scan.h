/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Finds the leases that are alive, at the helper's start and when it may have missed an end. A
 * worker's job.
 *
 * The kernel's list of namespace ids (nsid.h) may be cut off. So a scan asks for each id that this
 * version gives to leases (lease-id.h), unless the list is surely whole. Leases of earlier versions
 * have ids anywhere below those, and the list alone shows them. A scan must never report a list as
 * whole that may lack a lease: a sweep deletes what no known lease needs.
 */

#include "helper/worker/context.h"

/* Reports every lease found, then REPORT_SCANNED. 0, a refusal, or -errno; without REPORT_SCANNED
 * then. */
int scan_leases(const JobContext *job, Refusal *ret_refusal);

/* Reports each lease that the registry has as learning, as it is by now. 0, a refusal, or -errno.
 */
int scan_learning(const JobContext *job, Refusal *ret_refusal);
