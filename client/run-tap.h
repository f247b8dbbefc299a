/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * `rawnetctl run --kind veth --tap`: a bridge of two ports, the lease's interface and a tap that a
 * VMM opens by name. For Firecracker, libkrun, kvmtool and QEMU's ifname=.
 */

#include "common/refusal.h"

#define RUN_TAP_BRIDGE "bridge"

/* This process is in the command's namespace, which is silent (run_namespace_open()); interface is
 * there and down. Afterwards all are up, and the lease's MAC address is the guest's alone: no
 * interface of the namespace has it. */
int run_tap_make(const char *tap, const char *interface, uint32_t mtu, Refusal *ret_refusal);
