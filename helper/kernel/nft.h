/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * nftables batches (one transaction each), built into a buffer by libnftnl: tables, base chains,
 * and the one kind of rule that rawnet has. netlink_talk_batch() sends them.
 *
 * A batch that ran out of memory lacks a message: nft_batch_end() returns the error, and the batch
 * must not be sent.
 */

#include <libnftnl/table.h>

#include "helper/kernel/netlink.h"

/* The name of rawnet's tables, in a lease's namespace and in the host's. */
#define NFT_TABLE "rawnet"

/* Longer than any message that is built here. The longest batch has a dozen. */
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
        uint32_t hook;      /* NF_NETDEV_EGRESS, NF_INET_PRE_ROUTING … */
        int32_t priority;
        uint32_t policy; /* NF_DROP or NF_ACCEPT */
} NftChain;

/* sequence: of the first message; the following ones count up. */
void nft_batch_begin(NftBatch *batch, uint32_t sequence);
/* message: NFT_MSG_NEWTABLE or NFT_MSG_DELTABLE. NEWTABLE of one that exists is no error. flags:
 * NFT_TABLE_F_*; 0 leaves those of an existing one. */
void nft_batch_table(NftBatch *batch, uint16_t message, uint8_t family, const char *table,
                     uint32_t flags);
/* A chain that must not exist yet. */
void nft_batch_chain(NftBatch *batch, const NftChain *chain);
/* A rule at the end of the chain: drops what arrives on an interface of that group. */
void nft_batch_drop_group(NftBatch *batch, const NftChain *chain, uint32_t group);
/* Closes the batch; the last message before asks for the one ack. 0 or the last -errno. */
int nft_batch_end(NftBatch *batch);

void nft_table_freep(struct nftnl_table **table);
