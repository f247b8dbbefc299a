/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/kernel/nft.h"

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

static void chain_freep(struct nftnl_chain **chain) {
        if (*chain)
                nftnl_chain_free(*chain);
}

static void table_freep(struct nftnl_table **table) {
        if (*table)
                nftnl_table_free(*table);
}

static void rule_freep(struct nftnl_rule **rule) {
        if (*rule)
                nftnl_rule_free(*rule);
}

/* Where the next message goes; NULL after an error or where not enough room is left. */
static char *batch_room(NftBatch *batch) {
        if (batch->error < 0)
                return NULL;
        if (sizeof(batch->data) - batch->size < NFT_MESSAGE_MAX) {
                batch->error = -ENOBUFS;
                return NULL;
        }
        return batch->data + batch->size;
}

static void batch_put(NftBatch *batch, const struct nlmsghdr *message) {
        batch->last = batch->size;
        batch->size += NLMSG_ALIGN(message->nlmsg_len);
        batch->sequence++;
}

void nft_batch_begin(NftBatch *batch, uint32_t sequence) {
        batch->size = 0;
        batch->error = 0;
        batch->sequence = sequence;
        batch_put(batch, nftnl_batch_begin(batch->data, batch->sequence));
}

void nft_batch_table(NftBatch *batch, uint16_t message, uint8_t family, const char *name,
                     uint32_t flags) {
        _cleanup_(table_freep) struct nftnl_table *table = NULL;
        struct nlmsghdr *m;
        char *room = batch_room(batch);

        if (!room)
                return;
        table = nftnl_table_alloc();
        if (!table || nftnl_table_set_str(table, NFTNL_TABLE_NAME, name) < 0) {
                batch->error = -ENOMEM;
                return;
        }
        if (flags != 0)
                nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, flags);
        m = nftnl_nlmsg_build_hdr(room, message, family,
                                  message == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, batch->sequence);
        nftnl_table_nlmsg_build_payload(m, table);
        batch_put(batch, m);
}

void nft_batch_chain(NftBatch *batch, const NftChain *chain) {
        _cleanup_(chain_freep) struct nftnl_chain *c = NULL;
        struct nlmsghdr *m;
        char *room = batch_room(batch);

        if (!room)
                return;
        c = nftnl_chain_alloc();
        if (!c || nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, chain->table) < 0 ||
            nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, chain->name) < 0 ||
            nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter") < 0 ||
            (chain->device && nftnl_chain_set_str(c, NFTNL_CHAIN_DEV, chain->device) < 0)) {
                batch->error = -ENOMEM;
                return;
        }
        nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, chain->hook);
        nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, chain->priority);
        nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, chain->policy);
        m = nftnl_nlmsg_build_hdr(room, NFT_MSG_NEWCHAIN, chain->family, NLM_F_CREATE | NLM_F_EXCL,
                                  batch->sequence);
        nftnl_chain_nlmsg_build_payload(m, c);
        batch_put(batch, m);
}

void nft_batch_rule(NftBatch *batch, const NftChain *chain, struct nftnl_rule *taken) {
        _cleanup_(rule_freep) struct nftnl_rule *rule = taken;
        struct nlmsghdr *m;
        char *room = batch_room(batch);

        if (!room)
                return;
        if (!rule || nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, chain->table) < 0 ||
            nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain->name) < 0) {
                batch->error = -ENOMEM;
                return;
        }
        nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, chain->family);
        m = nftnl_nlmsg_build_hdr(room, NFT_MSG_NEWRULE, chain->family, NLM_F_CREATE | NLM_F_APPEND,
                                  batch->sequence);
        nftnl_rule_nlmsg_build_payload(m, rule);
        batch_put(batch, m);
}

int nft_batch_end(NftBatch *batch) {
        struct nlmsghdr *ack;
        char *room = batch_room(batch);

        if (!room)
                return batch->error;
        ack = (struct nlmsghdr *)(void *)(batch->data + batch->last);
        ack->nlmsg_flags |= NLM_F_ACK;
        batch_put(batch, nftnl_batch_end(room, batch->sequence));
        return 0;
}

struct nftnl_rule *nft_rule_new(void) {
        return nftnl_rule_alloc();
}

/* A new expression at the end of *rule; NULL, and the rule given up, where memory ran out. */
static struct nftnl_expr *rule_add(struct nftnl_rule **rule, const char *name) {
        struct nftnl_expr *e;

        if (!*rule)
                return NULL;
        e = nftnl_expr_alloc(name);
        if (!e) {
                nftnl_rule_free(TAKE_PTR(*rule));
                return NULL;
        }
        nftnl_rule_add_expr(*rule, e);
        return e;
}

static uint32_t register_number(NftRegister reg) {
        return NFT_REG32_00 + reg;
}

void nft_rule_compare(struct nftnl_rule **rule, NftRegister reg, const void *data,
                      uint32_t length) {
        struct nftnl_expr *e = rule_add(rule, "cmp");

        if (!e)
                return;
        nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, register_number(reg));
        nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
        if (nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, length) < 0)
                nftnl_rule_free(TAKE_PTR(*rule));
}

void nft_rule_load_meta(struct nftnl_rule **rule, NftRegister reg, uint32_t key) {
        struct nftnl_expr *e = rule_add(rule, "meta");

        if (!e)
                return;
        nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
        nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, register_number(reg));
}

void nft_rule_verdict(struct nftnl_rule **rule, uint32_t verdict) {
        struct nftnl_expr *e = rule_add(rule, "immediate");

        if (!e)
                return;
        nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
        nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, verdict);
}
