/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Can the caller of a request be given descriptors, and does he read? Found out while polkit is
 * asked, so that nothing is made for one who cannot or does not, and nobody waits for it.
 */

#include "common/refusal.h"
#include "service/delivery.h"

typedef struct Request Request;

typedef struct ProbeState {
        bool started, finished;
        DeliveryResult result;
        Delivery *delivery;
} ProbeState;

/* Before polkit is asked. 0; RAWNET_LIMITS_EXCEEDED: the caller's user leaves something unread
 * already; RAWNET_NOT_SUPPORTED: it is known that the connection takes no descriptors; -errno. */
int probe_start(Request *request, const char *network, Refusal *ret_refusal);
/* Before anything is made. 0 with *ret_able true, or with false and REQUEST_PROBE set: the request
 * runs again when it is known; RAWNET_LIMITS_EXCEEDED, RAWNET_NOT_SUPPORTED, -errno. */
int probe_verify(Request *request, const char *network, bool *ret_able, Refusal *ret_refusal);
void probe_forget(Request *request);
