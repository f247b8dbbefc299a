/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The helper's own judgement of a request, against the network file as it is at this moment.
 * Nothing has been made yet.
 */

#include "helper/worker/context.h"

/* Fills in the plan but for what only the kernel knows (id, lower, mtu). Returns 0, a refusal, or
 * -errno. */
int validate_open(const JobContext *job, const OpenContext *open, const IpcOpen *request,
                  LeasePlan *ret, Refusal *ret_refusal);
