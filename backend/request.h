/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The front end's requests: a closed table of {request, size, descriptors, function}. A request
 * that is not in the table, or not negotiated, changes nothing.
 */

#include "backend/device.h"
#include "backend/message.h"

typedef struct RequestAnswer {
        bool has_payload; /* the answer is the first size bytes of the payload */
        size_t size;
        bool failed; /* otherwise: the result, for a front end that asks for one */
} RequestAnswer;

/* Serves the message in front. Descriptors that it keeps become -1 in front->fds. Returns 0, also
 * for an unknown request and for one that failed without harm; a RawnetError when the message
 * breaks the protocol; or -errno. */
int request_serve(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal);
