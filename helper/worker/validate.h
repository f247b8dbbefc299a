/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The helper's own judgement of an open, against the network file as it is at this moment. Makes
 * nothing.
 */

#include "helper/worker/context.h"

/* Fills in the plan but for what only the kernel knows (id, lower, mtu). Returns 0, a refusal, or
 * -errno. */
int validate_open(const OpenContext *open, const IpcOpen *request, LeasePlan *ret,
                  Refusal *ret_refusal);
