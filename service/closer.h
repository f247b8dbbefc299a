/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Closes descriptors away from the event loop: closing the last copy of a tap or packet fd waits
 * about 16 ms for the kernel (synchronize_net), and with it would wait every other caller.
 *
 * Several threads, since one alone that once comes late stays late: while it waits for a last copy,
 * the caller who got the next descriptor closes that, so that the next copy here is a last one
 * again, and so on; leases that everybody has let go of would pile up here and count against
 * quotas. With a thread free, ours is closed before the caller has read the reply.
 */

#include "common/util.h"

typedef struct Closer Closer;

/* Starts the threads. 0 or -errno. */
int closer_new(Closer **ret);
/* Stops taking descriptors; those given are still closed. */
void closer_free(Closer *closer);
/* Takes over all n descriptors. */
void closer_close(Closer *closer, const int *fds, size_t n);
