/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The DHCP clients that --dhcp knows, and how each is started so that it stays in the foreground,
 * runs rawnet's script, and writes nowhere but to DHCP_PLACE, /run and /var/lib.
 */

#include "common/refusal.h"

/* In the DHCP client's mount namespace: a tmpfs. client/dhcp-script.sh knows resolv.conf and event. */
#define DHCP_PLACE "/tmp"
#define DHCP_RESOLV_CONF DHCP_PLACE "/resolv.conf"
#define DHCP_EVENT DHCP_PLACE "/event" /* a FIFO */
#define DHCP_LOG DHCP_PLACE "/log"

typedef struct DhcpClient {
        const char *name;
        int end_signal; /* gives the address back, where the client can */
        const char *const *arguments;
} DhcpClient;

/* The first of udhcpc, busybox (as udhcpc), dhcpcd and dhclient that is installed. 0 or
 * RAWNET_NOT_SUPPORTED. */
int dhcp_client_find(const DhcpClient **ret, Refusal *ret_refusal);

/* Becomes the client for interface, with stderr for what it says; returns only if that failed. */
void dhcp_client_exec(const DhcpClient *client, const char *interface);
