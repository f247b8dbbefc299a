/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* rawnetd as a whole: starts and stops the modules, and passes news from one to another. */

#include "service/context.h"

/* The options of the command line. */
typedef struct ServiceOptions {
        uint64_t idle_usec;        /* 0: never leave */
        uint32_t opens_per_second; /* 0: no limit */
        uint32_t queues_per_user;  /* 1..RAWNET_QUEUES_PER_USER_MAX */
} ServiceOptions;

/* Connects to the helper (waiting at most 5 s for its list of leases, and starting without it where
 * it cannot be reached), then to the system bus, and takes the name. 0 or -errno, logged. */
int service_start(Service *service, const ServiceOptions *options);
/* Until idle or told to stop. Returns the exit status or -errno. */
int service_run(Service *service);
void service_done(Service *service);
