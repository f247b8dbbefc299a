/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A check's look at the VLANs of a network: the interface that each has in the host's namespace, of
 * which there is one at most, or what keeps an open from making it. Changes nothing.
 */

#include "common/network.h"
#include "helper/kernel/link-info.h"
#include "helper/worker/check/findings.h"
#include "helper/worker/context.h"

/* Adds what it finds of the VLANs first to last of the parent. Makes *needs_guard false where no
 * port would be on an interface of rawnet's. 0 or -errno. */
int vlans_judge(const JobContext *job, const Network *network, const LinkInfo *parent,
                uint16_t first, uint16_t last, Findings *findings, bool *needs_guard);
