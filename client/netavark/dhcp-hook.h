/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What udhcpc runs when it has learned something (its option -s): sets the address and the routes
 * of the container's interface. It runs in the container's network namespace.
 */

#include "common/util.h"

/* How the supervisor tells udhcpc's hook what to do; the environment is all that passes through
 * udhcpc. The descriptor takes the first address and may be closed at its other end. */
#define DHCP_VARIABLE_RESULT "RAWNET_DHCP_RESULT"
/* Of the default route; "none": set none. */
#define DHCP_VARIABLE_METRIC "RAWNET_DHCP_METRIC"
#define DHCP_NO_METRIC "none"

/* One of udhcpc's events, and its environment? */
bool dhcp_hook_is_event(const char *word);

/* main(): EXIT_SUCCESS or EXIT_FAILURE. */
int dhcp_hook(const char *event);
