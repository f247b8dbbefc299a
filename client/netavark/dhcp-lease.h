/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a DHCP server gave: from udhcpc's environment, and as the line in which the hook hands it to
 * the plugin that waits. Servers are not trusted: only addresses and a domain's characters pass.
 */

#include "client/netavark/status.h"

/* From the variables that udhcpc gives to its script: ip, mask, router, dns, domain. 0 or -EINVAL
 * where there is no address. */
int dhcp_lease_from_environment(NetavarkStatus *ret);

/* With the line's end. */
void dhcp_lease_write(FILE *out, const NetavarkStatus *lease);
/* 0, -EINVAL or -ENOMEM. */
int dhcp_lease_read(const char *line, NetavarkStatus *ret);
