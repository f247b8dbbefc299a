/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A DHCP client for a container's interface.
 *
 * podman's own DHCP proxy serves its macvlan networks only. So the plugin starts the host's client,
 * udhcpc, in the container's network namespace and stays beside it: a supervisor, which is this
 * same program. udhcpc runs this same program once more for what it learns (its -s): the address
 * and the routes are set by route.h and not by a script of the host's, which would write to the
 * host's resolv.conf. dhcp-supervisor.h says when it ends.
 */

#include "client/netavark/request.h"
#include "client/netavark/status.h"

/* Starts supervisor and client for container's interface in the network namespace at path, which
 * this process has entered, and waits for the first address. */
int dhcp_start(const NetavarkContainer *container, const char *path, NetavarkStatus *ret,
               Refusal *ret_refusal);

/* Ends what dhcp_start() started, and waits for its end; the client gives its address back. No
 * error where nothing runs. */
void dhcp_stop(const char *interface, const char *path);
