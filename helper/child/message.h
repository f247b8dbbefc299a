/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a worker and its child say to each other, one message each over a SOCK_SEQPACKET pair:
 *
 *   child → worker   CHILD_READY             the namespace is there
 *   worker → child   LeasePlan               go: its nsid is set, the uplink is in it; with the
 *                                            report socket of the worker's daemon
 *   child → worker   CHILD_DONE and fds      or CHILD_FAILED with the refusal (also instead of
 *                                            CHILD_READY)
 *   worker → child   CHILD_KEEP              kind veth only, to the child that stays (keep.h): the
 *                                            lease is rawnetd's. Without it the child ends
 */

#include "helper/plan.h"

typedef enum ChildStep {
        CHILD_READY = 1,
        CHILD_DONE,
        CHILD_FAILED,
        CHILD_KEEP
} ChildStep;

typedef struct ChildMessage {
        ChildStep step;
        int fatal;      /* CHILD_FAILED: negative errno, or 0 and refusal says */
        IpcLease lease; /* CHILD_DONE: as recorded */
        Refusal refusal;
} ChildMessage;
