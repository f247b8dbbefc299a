/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The user and network namespace that `rawnetctl run --kind veth` gives to its command.
 *
 * A child makes both and only holds them, so that rawnetctl itself still is what polkit's agent and
 * the bus know when rawnetd asks for a password. Afterwards rawnetctl enters the namespaces and
 * becomes the command: no process of it stays between the caller and the command.
 */

#include <sys/types.h>

#include "common/refusal.h"

typedef struct RunNamespace {
        pid_t holder; /* 0: none */
        int lifeline; /* the holder ends with it */
        int user, network;
} RunNamespace;

#define RUN_NAMESPACE_INIT ((RunNamespace){.lifeline = -1, .user = -1, .network = -1})

/* In the user namespace root is the caller, and nobody else exists. With silent, no interface of
 * the network namespace gets an IPv6 address or answers ARP. 0, a RawnetError, or -errno. */
int run_namespace_open(bool silent, RunNamespace *ret, Refusal *ret_refusal);

/* This process enters both and has every capability there, none outside. lo is up afterwards. */
int run_namespace_enter(RunNamespace *namespace, Refusal *ret_refusal);

void run_namespace_done(RunNamespace *namespace);
