/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The process beside a container's DHCP client, which it keeps (client/dhcp-keeper.h). It ends the
 * client, and itself, when it gets SIGTERM, or when podman deletes the file of the container's
 * network namespace, whichever is first: the client is a process in that namespace, so it would
 * keep the namespace and the lease.
 */

#include "common/refusal.h"

#define DHCP_VERB_SUPERVISE "dhcp"

/* Is there a client on this host, and which? 0, or RAWNET_NOT_SUPPORTED with what to install.
 * podman's network is for the message. */
int dhcp_supervisor_check(const char *network, const char **ret_client, Refusal *ret_refusal);

/* A child becomes the supervisor. Nothing of the caller's stays open in it but result, which is for
 * the hook. mark is INTERFACE@PATH, by which teardown finds it; name, which may be NULL, is the host
 * name that the DHCP server is told; metric is the default route's, or DHCP_NO_METRIC. Returns only
 * if it fails. */
void dhcp_supervisor_exec(const char *mark, const char *name, const char *metric, int result);

/* main(): `rawnet dhcp INTERFACE@PATH NAME`, with NAME "" for none. */
int dhcp_supervise(int argc, char **argv);
