/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The connection to rawnet-helper: one socket, requests that are answered in any order, events in
 * between. Nothing here blocks. It connects when there is something to ask, asks for the list of
 * leases first, and connects again by itself while there are leases to watch, or while no helper has
 * said what the kernel has. What the helper sends is checked before anybody sees it; descriptors
 * that nobody asked for are closed.
 */

#include <systemd/sd-event.h>

#include "common/ipc.h"
#include "service/closer.h"

typedef struct Helper Helper;

/* The answer to a request: reply with its descriptors (now the callee's), or reply NULL and a
 * refusal (the helper's own, or RAWNET_HELPER_UNAVAILABLE). Called exactly once, never from within
 * helper_call(). Before it, for IPC_CHECK only, the same function is called once for each
 * IPC_FINDING; it must not end the connection then. */
typedef void (*HelperAnswer)(void *userdata, const IpcReply *reply, const int *fds, size_t n_fds,
                             const Refusal *refusal);

/* Messages that are no answers. */
typedef struct HelperEvents {
        void (*list_begins)(void *userdata);
        void (*lease)(void *userdata, const IpcLease *lease);
        void (*ended)(void *userdata, uint32_t id, IpcEndReason reason);
        void (*dropped)(void *userdata, uint32_t id, const IpcDropped *dropped);
        void (*list_complete)(void *userdata); /* the list of leases is complete; features are known
                                                */
        void (*features)(void *userdata);      /* are others now */
        /* The connection to the helper is lost or cannot be made. Leases live on. hangs: the helper
         * runs and does not answer, and another connection would not help. */
        void (*lost)(void *userdata, const Refusal *refusal, bool hangs);
        bool (*wanted)(void *userdata); /* Is there something to ask or to watch? */
} HelperEvents;

int helper_new(sd_event *event, Closer *closer, const HelperEvents *events, void *userdata,
               Helper **ret);
void helper_free(Helper *helper);

/* Connects and asks for the list, unless that is done. 0 or RAWNET_HELPER_UNAVAILABLE. */
int helper_connect(Helper *helper, Refusal *ret_refusal);

/* Retries in the background while events.wanted() returns true. */
void helper_retry(Helper *helper);

bool helper_connected(const Helper *helper);
/* Connected, and the list of leases is complete? */
bool helper_ready(const Helper *helper);

/* IPC_FEATURE_*, as last heard. */
uint32_t helper_features(const Helper *helper);

/* Sends request (version and serial are filled in here). 0, RAWNET_HELPER_UNAVAILABLE, or -errno;
 * answer is called only after 0. */
int helper_call(Helper *helper, IpcRequest *request, HelperAnswer answer, void *userdata,
                Refusal *ret_refusal);
/* The same with a descriptor, which stays the caller's; -1: none. */
int helper_call_with(Helper *helper, IpcRequest *request, int fd, HelperAnswer answer,
                     void *userdata, Refusal *ret_refusal);
