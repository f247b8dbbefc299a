/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The worker that is made ahead. Two processes and a namespace are more than half of what an open costs, and need nothing of the request; so
 * they are made while polkit thinks: rawnetd says that an open may follow (WIRE_PREPARE). Owns one worker at most, whose child waits in
 * an empty namespace that has no nsid and no name; the next open takes it for good; unused, both go after SPARE_USEC. It is never a
 * lease, is never used twice, and nothing depends on it: an open that finds none starts a worker of its own.
 */

#include "helper/worker.h"

#define SPARE_USEC UINT64_C(1000000)

/* There is a spare worker for the next SPARE_USEC, unless one cannot be had. */
void spare_prepare(Server *server);

/* The spare worker, no longer ours; NULL where there is none. */
Worker *spare_take(Server *server);
