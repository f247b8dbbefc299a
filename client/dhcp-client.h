/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The DHCP clients that rawnet runs, for `rawnetctl run --dhcp` and for podman's network driver,
 * and how each is started so that it stays in the foreground, runs rawnet's script, and writes
 * nowhere but to DHCP_PLACE, /run and /var/lib.
 */

#include "common/refusal.h"

/* Where a client writes: it must be a directory of its own, as in `rawnetctl run`, for each but
 * udhcpc, which writes nothing. */
#define DHCP_PLACE "/tmp"

#define DHCP_PATIENCE_SECONDS 20u /* for the first address, as messages say */

typedef struct DhcpClient {
        const char *name;
        int end_signal;   /* gives the address back, where the client can */
        bool runs_udhcpc; /* its script gets udhcpc's events and variables */
        const char *const *arguments;
} DhcpClient;

/* One client at work. */
typedef struct DhcpRun {
        const DhcpClient *client;
        const char *interface;
        const char *script; /* the program that it runs for what it learns */
        const char *host;   /* udhcpc tells the server this name; NULL: none */
} DhcpRun;

/* The first of udhcpc, busybox (as udhcpc), dhcpcd and dhclient that is installed; with
 * udhcpc_only, of the first two. NULL: none. */
const DhcpClient *dhcp_client_find(bool udhcpc_only);

/* Becomes the client, with stderr for what it says; returns only if that failed. */
void dhcp_client_exec(const DhcpRun *run);
