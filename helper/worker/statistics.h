/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "helper/worker/context.h"

/* The port's counters, turned to the guest's side: what it received is rx. */
int lease_statistics(const JobContext *job, uint32_t id, IpcStatistics *ret, Refusal *ret_refusal);
