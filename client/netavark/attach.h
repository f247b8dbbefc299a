/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the plugin asks rawnetd: may podman's user have containers on this network, and an interface
 * for one of them. 0, a RawnetError, or -errno.
 */

#include "client/netavark/request.h"

typedef struct Attached {
        char *mac;
} Attached;

void attached_done(Attached *attached);

/* Is there such a network, and may the caller attach containers to it? */
int attach_check(const NetavarkNetwork *network, Refusal *ret_refusal);

/* Puts container's interface into the network namespace; it is down. The lease's
 * name is CONTAINER@NETWORK, with podman's names, so that its MAC address stays the same. */
int attach_interface(const NetavarkContainer *container, int namespace, Attached *ret,
                     Refusal *ret_refusal);
