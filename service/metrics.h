/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * GetMetrics(): what rawnetd has counted (counts.h), and the leases that there are. The leases'
 * counters are read from the kernel for it, one lease after the other. Everybody may call it, so all
 * calls that arrive during a reading wait for its end and share it: the helper has one of its
 * questions at a time, however many callers there are.
 */

#include "service/request.h"

/* org.rawnet1.Manager.GetMetrics */
int metrics_method(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
