/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What this kernel can do, tried out once at start in a namespace of its own that ends with the
 * process: never guessed from a version.
 */

#include "helper/worker/context.h"

/* Beside IPC_FEATURE_*, for the helper itself: the guard was tried, and something passed that must
 * not, or the reverse. There are no ports then. */
#define PROBE_GUARD_FAILS (UINT32_C(1) << 31)

/* In a worker: enters a fresh namespace and reports REPORT_PROBED with these. In doubt the checksum
 * trick is there. 0 or -errno. */
int probe_run(const JobContext *job, const ProbeContext *probe);
