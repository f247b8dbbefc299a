/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guard: the nftables netdev chains of a lease's namespace, between the wire (uplink) and
 * whoever holds the descriptor (port). Called by the child inside that namespace, before anything
 * there is up. It owns table "rawnet" of family netdev there, all of it in one transaction, so
 * there is never half a guard. Policy of every chain is drop. guard-shape.h has a picture.
 */

#include "common/refusal.h"
#include "helper/child/guard-shape.h"

/* Installs the whole guard. Returns 0; RAWNET_NOT_SUPPORTED (no nf_tables, no netdev egress hook:
 * says which and what to do); RAWNET_KERNEL_REFUSED; or -errno. */
int guard_install(const Guard *guard, Refusal *ret_refusal);

/* For what the kernel refused in the caller's namespace (refused, *refusal): where it has no
 * nf_tables at all, *refusal says so, and what to do, instead. Returns the refusal's code. */
int guard_explain_missing(int refused, Refusal *refusal);

/* After learning: guard->mac is set now, guard->learning false; puts in the rules that
 * guard_install() left out. As above. */
int guard_admit(const Guard *guard, Refusal *ret_refusal);

/* Can this kernel filter on netdev egress? Tried with a throw-away chain on lo in the caller's
 * namespace (a child's own, at start). 1, 0 or -errno. */
int guard_probe_egress(void);
