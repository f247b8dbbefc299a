/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The worker that is made ahead. Two processes and a namespace are more than half of what an open
 * costs, and need nothing of the request; so they are made when nothing is being opened: at the
 * start and after each open, not while polkit thinks, where they would take the processor from it
 * and the bus. Owns one worker at most, whose child waits in an empty namespace that has no nsid
 * and no name; the next open takes it for good. It is never a lease, is never used twice, and
 * nothing depends on it: an open that finds none, or a dead one, makes its own.
 */

#include "helper/daemon/pool.h"

/* Makes a spare worker if one is due and nothing is being opened. After a try that failed the next
 * open makes the next one due. */
void spare_refill(Server *server);

/* The spare worker, no longer ours; NULL where there is none. The next is due. */
Worker *spare_take(Server *server);

/* The spare worker has ended by itself. */
void spare_lost(Server *server);
