/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guard is tried out: a packet port, made by the code that makes every port, on a wire of its
 * own, and frames sent by everything that a holder has. A kernel on which the guard's programs can
 * be attached and yet do not hold is found here, and not by a guest. Called by the probe (probe.h),
 * in the namespace that it has entered.
 */

#include "helper/worker/context.h"

typedef enum TrialResult {
        TRIAL_HOLDS,
        TRIAL_REFUSED, /* the kernel lacks something; the refusal says what */
        TRIAL_FAILS,   /* a frame passed that must not, or one did not that must */
        TRIAL_BLIND    /* it holds, and drops unfinished checksums that it has to judge, since this
                          kernel does not tell where they will be: they need to be completed first */
} TrialResult;

/* checksum_trick: as the port is made on a kernel that has it. Sets *ret; with TRIAL_REFUSED and
 * TRIAL_FAILS *ret_refusal says why. 0 or -errno. */
int trial_run(const JobContext *job, bool checksum_trick, TrialResult *ret, Refusal *ret_refusal);
