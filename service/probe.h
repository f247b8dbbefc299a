/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Can the caller of a request be given descriptors, and does he read? Found out while polkit is
 * asked, so that nothing is made for one who cannot or does not, and nobody waits for it.
 */

#include "common/refusal.h"
#include "service/delivery.h"

/* All zero: not started. */
typedef struct ProbeState {
        bool started, finished;
        DeliveryResult result;
        Delivery *delivery;
        DeliveryTable *deliveries;
        uint32_t uid;
        void (*known)(void *userdata);
        void *userdata;
} ProbeState;

/* Before polkit is asked, about the sender of call, a connection of uid. known is called once, when
 * it is known, unless that is at once. 0; RAWNET_LIMITS_EXCEEDED: the user leaves something unread
 * already; RAWNET_NOT_SUPPORTED: it is known that the connection takes no descriptors; -errno.
 * Again: the same without a second probe. */
int probe_start(ProbeState *probe, DeliveryTable *deliveries, sd_bus_message *call, uint32_t uid,
                const char *network, void (*known)(void *userdata), void *userdata,
                Refusal *ret_refusal);
/* Before anything is made. 0 with *ret_able true, or with false: it is not known yet;
 * RAWNET_LIMITS_EXCEEDED, RAWNET_NOT_SUPPORTED, -errno. */
int probe_verify(const ProbeState *probe, const char *network, bool *ret_able,
                 Refusal *ret_refusal);
void probe_forget(ProbeState *probe);
