/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The front end's requests: a closed table of {request, size, descriptors, function}. What is not
 * in it, or not negotiated, changes nothing.
 */

#include "backend/device.h"
#include "backend/message.h"

typedef struct RequestAnswer {
        bool has_payload; /* the payload, size bytes of it, is the answer */
        size_t size;
        bool failed; /* otherwise: how it went, where the front end wants to know */
} RequestAnswer;

/* Acts on the message in front, takes from front->fds what it keeps (-1 there afterwards). Returns
 * 0, also for a request that is not known or that failed without harm; a RawnetError when the
 * message breaks the protocol; -errno. */
int request_serve(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal);
