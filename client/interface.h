/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Interfaces of the network namespace that this process is in (netdevice(7)). Functions return 0 or
 * a refusal.
 */

#include "common/mac.h"
#include "common/refusal.h"

int interface_raise(const char *name, Refusal *ret_refusal);
/* The same, and waits until it can send: the kernel drops frames until it has noticed the carrier
 * (net/core/link_watch.c). At most a second. */
int interface_raise_running(const char *name, Refusal *ret_refusal);
int interface_set_mac(const char *name, const MacAddress *mac, Refusal *ret_refusal);
int interface_set_mtu(const char *name, uint32_t mtu, Refusal *ret_refusal);

/* A bridge without ports, and a port for it. Its ports pass frames at once: without a spanning tree
 * there is no delay (net/bridge/br_stp.c, br_make_forwarding()). */
int interface_make_bridge(const char *name, Refusal *ret_refusal);
int interface_add_to_bridge(const char *bridge, const char *port, Refusal *ret_refusal);

/* A tap of the process's user, which stays without a descriptor. */
int interface_make_tap(const char *name, Refusal *ret_refusal);
