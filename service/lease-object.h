/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* org.rawnet1.Lease on the bus: one object for each lease. */

#include "service/context.h"

/* 0 or -errno. */
int lease_object_register(Service *service);
