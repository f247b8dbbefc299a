/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A sweep: deletes interfaces of rawnet's in the host's namespace that nothing needs. A worker's
 * job, that never runs while a host interface is being made, and during which no open begins.
 *
 *   host interfaces          that no network file asks for, and what a killed worker left half
 *                            made. One that no earlier sweep doubted (doubt.h) is reported
 *                            (REPORT_DOUBTED) and stays.
 *   shared VLAN interfaces   that no lease and no other interface of the host is on; and with the
 *                            last of them the host's guard (vlan-guard.h). Where one is left, the
 *                            guard is put back. One that is needed may grow with its parent. The
 *                            hardening of those that an administrator has taken over is undone.
 *
 * An interface of which it cannot be found out stays. So do shared VLAN interfaces while the
 * registry may lack a lease, and those of VLANs for which an open is in progress.
 */

#include "helper/worker/context.h"

/* Returns 0; or the first refusal or -errno, after which all else has been swept. REPORT_SWEPT is
 * sent unless the error is about shared VLAN interfaces. */
int sweep_run(const JobContext *job, const SweepContext *context, Refusal *ret_refusal);
