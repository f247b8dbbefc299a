/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * MAC addresses that stay the same on this machine (mac_derive() with the machine's id).
 */

#include "common/mac.h"

/* The address for (this machine, uid, network, name); without a machine id, at random. Returns 0 or -errno. */
int machine_mac(const MacPrefix *prefix, uint32_t uid, const char *network, const char *name, MacAddress *ret);
/* The same; false, and *ret untouched, without a machine id. */
bool machine_mac_derive(const MacPrefix *prefix, uint32_t uid, const char *network, const char *name,
                        MacAddress *ret);
