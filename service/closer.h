/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Closes descriptors away from the event loop: closing the last copy of a tap or packet fd waits
 * about 16 ms for the kernel (synchronize_net), and every other caller would wait, too.
 *
 * Several threads: a single one that is late once stays late. While it waits for the last close of
 * one lease, the next caller closes his own copy, so rawnetd's copy is the last one again. Ended
 * leases would collect here and count against quotas. With a free thread, rawnetd's copy is closed
 * before the caller has read the reply.
 */

#include "common/util.h"

typedef struct Closer Closer;

/* Starts the threads. 0 or -errno. */
int closer_new(Closer **ret);
/* Stops taking descriptors. Those that were given are still closed. */
void closer_free(Closer *closer);
/* Takes over all n descriptors. */
void closer_close(Closer *closer, const int *fds, size_t n);
