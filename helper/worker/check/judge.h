/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The judge of a network: what an open on it would be refused with, and what else is worth knowing.
 * It asks the functions that an open asks (validate.c, parent.c), and rehearses the port and, where
 * a port needs it, the host's guard (rehearse.c). `rawnetctl check` and CanOpen() report what it
 * finds and have no rules of their own. Called by the worker of an IPC_CHECK.
 *
 * It must never change anything in the host's namespace: it sends no netlink message there but
 * RTM_GETLINK, takes no lease id and writes no setting. So it does not find what only a change
 * would show: an address that is in use, a parent whose driver takes no VLAN or no macvlan, a VLAN
 * that a container has.
 */

#include "helper/worker/context.h"
#include "helper/worker/check/findings.h"

/* features: IPC_FEATURE_*. The caller may be in a namespace of its own afterwards
 * (rehearse_vlan_guard()). Returns 0 with all findings; RAWNET_NO_SUCH_NETWORK,
 * RAWNET_INVALID_ARGS, or RAWNET_NETWORK_BUSY (its file is being written), with none; or -errno. */
int judge_network(const JobContext *job, uint32_t features, const IpcCheck *request, Findings *ret,
                  Refusal *ret_refusal);
