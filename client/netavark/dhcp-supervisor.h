/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The process beside a container's DHCP client. It ends the client, and itself, when it gets
 * SIGTERM, or when podman deletes the file of the container's network namespace, whichever is
 * first: the client is a process in that namespace, so it would keep the namespace and the lease.
 */

#include "common/refusal.h"

#define DHCP_VERB_SUPERVISE "dhcp"

/* Is there a client on this host? 0, or RAWNET_NOT_SUPPORTED with what to install. podman's network
 * is for the message. */
int dhcp_supervisor_check(const char *network, Refusal *ret_refusal);

/* main(): `rawnet dhcp INTERFACE@PATH FD NAME`. FD is for the hook; NAME, which may be empty, is
 * the host name that the DHCP server is told. */
int dhcp_supervise(int argc, char **argv);
