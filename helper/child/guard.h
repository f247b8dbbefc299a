/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guard of one lease: the eBPF programs (guard.bpf.c) at the links of its namespace, and the
 * lease's entry. Called by the child inside that namespace, before anything there is up. A hook
 * without its program would pass frames to the namespace's IP stack or out to the wire, so a step
 * that fails fails the whole open, and the namespace ends. guard-shape.h has a picture.
 */

#include "common/refusal.h"
#include "helper/child/guard-shape.h"
#include "helper/guard-program.h"
#include "helper/kernel/netlink.h"

/* Attaches the programs, closes the uplink of a packet port by the gate, and writes the entry, in
 * this order. With guard->learning the entry lets nothing pass. netlink: NETLINK_ROUTE. Returns 0;
 * RAWNET_NOT_SUPPORTED (no qdisc for it, no bpf filter, no netdev egress hook: says which and what to
 * do); RAWNET_KERNEL_REFUSED; or -errno. */
int guard_install(const Guard *guard, const GuardProgram *program, Netlink *netlink,
                  Refusal *ret_refusal);

/* After learning: guard->mac is set now, guard->learning false; rewrites the entry. */
void guard_admit(const Guard *guard, const GuardProgram *program);
