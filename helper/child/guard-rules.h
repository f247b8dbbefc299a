/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the guard says, as one nftables batch; guard.c sends it. Pure functions: no system call is
 * made here, so that tests can read the messages.
 */

#include "helper/child/guard-shape.h"
#include "helper/kernel/nft.h"

#define GUARD_TABLE "rawnet"
/* "rawn". Set by the guard behind a packet lease's port, asked for by the gate on its uplink. A
 * holder cannot set a mark (SO_MARK asks for CAP_NET_ADMIN, socket(7)). */
#define GUARD_MARK UINT32_C(0x7261776e)

/* The whole guard in one transaction; with guard->learning the chains alone, and policy drop
 * refuses everything. 0 or -errno. */
int guard_build(NftBatch *batch, const Guard *guard, uint32_t sequence);
/* The rules that guard_build() left out for guard->learning. 0 or -errno. */
int guard_build_admission(NftBatch *batch, const Guard *guard, uint32_t sequence);

/* One thing of nf_tables that the guard needs, made on lo and taken away again in the same
 * transaction. */
typedef enum GuardNeed {
        GUARD_NEED_TABLES,
        GUARD_NEED_INGRESS,
        GUARD_NEED_FORWARD,
        GUARD_NEED_EGRESS
} GuardNeed;
int guard_build_probe(NftBatch *batch, GuardNeed need, uint32_t sequence);
