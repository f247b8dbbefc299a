/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * `rawnetctl run --kind veth --dhcp`: the host's DHCP client beside the command.
 *
 * The client runs in the command's namespaces, in a process namespace of its own, with directories
 * in memory where it wants to write. A keeper starts it, and ends it when the command has ended,
 * however that was. The keeper is no child of the command.
 */

#include "client/dhcp-client.h"

/* The client that is installed. 0 or RAWNET_NOT_SUPPORTED. */
int run_dhcp_find(const DhcpClient **ret, Refusal *ret_refusal);

/* This process is in the command's namespaces and will become the command; interface is up. Returns
 * when interface has an address. The process then has a mount namespace of its own, in which
 * /etc/resolv.conf is what the DHCP server said. 0, a RawnetError, or -errno. */
int run_dhcp_start(const DhcpClient *client, const char *interface, const char *network,
                   Refusal *ret_refusal);
