/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What an open makes, made for nothing but to see whether it can be, and where it touches nothing
 * of the host: in namespaces of their own. Called by the worker of a check.
 */

#include "helper/plan.h"
#include "helper/worker/context.h"

/* A port: by a child as for an open, with the same guard and descriptors, which are closed at once.
 * The child makes the wire below the port, too. No lease comes of it: its namespace gets no nsid.
 * Sets plan->rehearsal and what a lease would get: an id, an address. *ret_entered: the child got
 * its namespace. Returns 0; the refusal that an open gets, which may not name the network yet; or
 * -errno. */
int rehearse_port(const JobContext *job, LeasePlan *plan, bool *ret_entered, Refusal *ret_refusal);

/* The host's guard of shared VLAN interfaces (vlan-guard.h). This process enters a namespace of its
 * own for that, and stays there: nothing of the host can be looked at or changed afterwards, but by
 * sockets that were opened before. Returns 0; the refusal that an open gets, which does not name
 * the network; or -errno. 0 also where the namespace cannot be made or used: then rehearse_port()
 * says so. */
int rehearse_vlan_guard(const JobContext *job, Refusal *ret_refusal);
