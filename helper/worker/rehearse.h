/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A port made for nothing but to see whether it can be: by a child as for an open, with the same
 * guard and descriptors, which are closed at once. The child makes the wire below the port in its
 * own namespace, so nothing in the host's namespace is touched. No lease comes of it: the namespace
 * gets no nsid. Called by the worker of a check.
 */

#include "helper/plan.h"
#include "helper/worker/context.h"

/* Sets plan->rehearsal and what a lease would get: an id, an address. *ret_entered: the child got its
 * namespace. Returns 0; the refusal that an open gets, which may not name the network yet; or
 * -errno. */
int rehearse(const JobContext *job, LeasePlan *plan, bool *ret_entered, Refusal *ret_refusal);
