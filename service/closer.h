/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Closes descriptors away from the event loop: closing the last copy of a tap or packet fd waits
 * about 16 ms for the kernel (synchronize_net), and with it would wait every other caller.
 */

#include "common/util.h"

typedef struct Closer Closer;

/* Starts the thread. 0 or -errno. */
int closer_new(Closer **ret);
/* Stops taking descriptors; those given are still closed. */
void closer_free(Closer *closer);
/* Takes over all n descriptors. */
void closer_close(Closer *closer, const int *fds, size_t n);
