/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Finds out what this kernel can do by trying it in a namespace of its own, which ends with the
 * process. Nothing is guessed from the kernel's version.
 */

#include "helper/worker/context.h"

/* Enters a fresh namespace and reports REPORT_PROBED with IPC_FEATURE_*. In doubt the kernel has
 * the checksum trick. 0 or -errno. */
int probe_run(const JobContext *job, const ProbeContext *probe);
