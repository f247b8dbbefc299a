/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Finding the leases that are alive, at the helper's start and when it may have missed an end. A
 * worker's job.
 *
 * The kernel's list of namespace ids (nsid.h) may be cut off, so every id that this version gives
 * to leases (lease-id.h) is asked for by itself, unless the list is surely whole. Leases of earlier
 * versions have ids anywhere below those and are found by the list alone. It must never call a list
 * whole that may lack one of them: what no known lease needs is deleted.
 */

#include "helper/worker/context.h"

/* Reports every lease found, then REPORT_SCANNED. 0, a refusal, or -errno; without REPORT_SCANNED
 * then. */
int scan_leases(const JobContext *job, Refusal *ret_refusal);

/* Reports each lease that the registry has as learning, as it is by now. */
int scan_learning(const JobContext *job, Refusal *ret_refusal);
