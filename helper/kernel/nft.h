/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * nftables batches (one transaction each), built into a buffer by libnftnl. Nothing here talks to
 * the kernel and nothing knows what rawnet filters: child/guard.c and worker/vlan-guard.c say that,
 * netlink_talk_batch() sends it.
 *
 * Building never fails half-way: the first error is kept in the batch, everything after it does
 * nothing, nft_batch_end() returns it.
 */

#include <libnftnl/rule.h>

#include "helper/kernel/netlink.h"

/* The name of rawnet's tables, in a lease's namespace and in the host's. */
#define NFT_TABLE "rawnet"

/* Enough for every table, chain or rule that is built here; a message is only begun where this much
 * is left. */
#define NFT_MESSAGE_MAX 4096u

typedef struct NftBatch {
        _Alignas(struct nlmsghdr) char data[NETLINK_BUFFER_SIZE];
        size_t size;
        size_t last; /* offset of the last message that can carry the ack */
        uint32_t sequence;
        int error; /* 0 or -errno */
} NftBatch;

/* A base chain (nft(8), CHAINS). */
typedef struct NftChain {
        uint8_t family; /* NFPROTO_* */
        const char *table;
        const char *name;
        const char *device; /* netdev family only, else NULL */
        uint32_t hook;      /* NF_NETDEV_INGRESS, NF_INET_PRE_ROUTING … */
        int32_t priority;
        uint32_t policy; /* NF_DROP or NF_ACCEPT */
} NftChain;

/* The sixteen 32-bit registers of linux/netfilter/nf_tables.h, by number 0..15. A load of more than
 * 4 bytes fills the ones after it. */
typedef uint32_t NftRegister;

/* sequence: of the first message; the following ones count up. */
void nft_batch_begin(NftBatch *batch, uint32_t sequence);
/* message: NFT_MSG_NEWTABLE or NFT_MSG_DELTABLE. NEWTABLE of one that exists is no error. flags:
 * NFT_TABLE_F_*; 0 leaves those of an existing one. */
void nft_batch_table(NftBatch *batch, uint16_t message, uint8_t family, const char *table,
                     uint32_t flags);
/* A chain that must not exist yet. */
void nft_batch_chain(NftBatch *batch, const NftChain *chain);
/* Appends rule to the end of chain; takes rule, which may be NULL (no memory). */
void nft_batch_rule(NftBatch *batch, const NftChain *chain, struct nftnl_rule *rule);
/* Closes the batch; its last message asks for the one ack (netlink_talk_batch(), n_acks = 1). 0 or
 * the first -errno. */
int nft_batch_end(NftBatch *batch);

/* A rule, expression by expression; each is left out when rule is NULL. A rule that ran out of
 * memory is freed and *rule becomes NULL. */
struct nftnl_rule *nft_rule_new(void);
/* Go on only if the first length bytes from reg are data. */
void nft_rule_compare(struct nftnl_rule **rule, NftRegister reg, const void *data, uint32_t length);
/* key: NFT_META_* */
void nft_rule_load_meta(struct nftnl_rule **rule, NftRegister reg, uint32_t key);
/* verdict: NF_ACCEPT, NF_DROP */
void nft_rule_verdict(struct nftnl_rule **rule, uint32_t verdict);
