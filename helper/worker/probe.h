/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What this kernel can do, tried out once at start in a namespace of its own that ends with the
 * process: never guessed from a version.
 */

#include "helper/worker/context.h"

/* In a worker: enters a fresh namespace and reports REPORT_PROBED with IPC_FEATURE_*. In doubt the
 * checksum trick is there. 0 or -errno. */
int probe_run(const JobContext *job, const ProbeContext *probe);
