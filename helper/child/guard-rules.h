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
/* Before conntrack (-200), raw (-300) and defragmentation (-400), linux/netfilter_ipv4.h. */
#define GUARD_HOST_PRIORITY (-450)

/* The whole guard in one transaction; with guard->learning the chains alone, and policy drop
 * refuses everything. 0 or -errno. */
int guard_build(NftBatch *batch, const Guard *guard, uint32_t sequence);
/* The rules that guard_build() left out for guard->learning. 0 or -errno. */
int guard_build_admission(NftBatch *batch, const Guard *guard, uint32_t sequence);
/* One chain of the host's namespace and its only rule. */
typedef struct HostChain {
        NftChain chain;
        struct nftnl_rule *rule; /* NULL without memory; the caller frees */
} HostChain;
/* Everything from interfaces in group RAWNET_VLAN_GROUP is dropped, whatever they are called;
 * priority GUARD_HOST_PRIORITY. */
HostChain guard_host_prerouting(void);
#define GUARD_HOST_CHAIN_SIZE 32u
/* What arrives on device for mac is dropped. The chain is named after the ifindex, which stays when
 * the device is renamed; name is where that name is put, and has to live as long as the chain. */
HostChain guard_host_own_address(const GuardLink *device, const MacAddress *mac,
                                 char name[static GUARD_HOST_CHAIN_SIZE]);
/* Puts the chain in: where there must be none of that name (EEXIST), or, with replace, in its
 * place. 0 or -errno. */
int guard_build_host(NftBatch *batch, const HostChain *host, bool replace, uint32_t sequence);
/* Takes that one chain away. 0 or -errno. */
int guard_build_host_chain_removal(NftBatch *batch, const HostChain *host, uint32_t sequence);
/* Takes all tables of the host's namespace away that are ours; those that are not there are no
 * error. 0 or -errno. */
int guard_build_host_removal(NftBatch *batch, uint32_t sequence);

/* One thing of nf_tables that the guard needs, made on lo and taken away again in the same
 * transaction. */
typedef enum GuardNeed {
        GUARD_NEED_TABLES,
        GUARD_NEED_INGRESS,
        GUARD_NEED_FORWARD,
        GUARD_NEED_EGRESS
} GuardNeed;
int guard_build_probe(NftBatch *batch, GuardNeed need, uint32_t sequence);
