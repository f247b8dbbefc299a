/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Finds out what this kernel can do by trying it in a namespace of its own, which ends with the
 * process. Nothing is guessed from the kernel's version.
 */

#include "helper/worker/context.h"

/* Beside IPC_FEATURE_*, for the helper itself: the guard was tried, and something passed that must
 * not, or the reverse. There are no ports then. */
#define PROBE_GUARD_FAILS (UINT32_C(1) << 31)
/* It holds, and unfinished checksums that it has to judge are to be completed first (TRIAL_BLIND). */
#define PROBE_GUARD_BLIND (UINT32_C(1) << 30)

/* In a worker: enters a fresh namespace and reports REPORT_PROBED with these. In doubt the checksum
 * trick is there. 0 or -errno. */
int probe_run(const JobContext *job, const ProbeContext *probe);
