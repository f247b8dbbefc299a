/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/kernel/nft.h"

#include <assert.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

static void chain_freep(struct nftnl_chain **chain) {
        if (*chain)
                nftnl_chain_free(*chain);
}

static void rule_freep(struct nftnl_rule **rule) {
        if (*rule)
                nftnl_rule_free(*rule);
}

void nft_table_freep(struct nftnl_table **table) {
        if (*table)
                nftnl_table_free(*table);
}

static char *batch_end(NftBatch *batch) {
        assert(sizeof(batch->data) - batch->size >= NFT_MESSAGE_MAX);
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
        batch_put(batch, nftnl_batch_begin(batch->data, sequence));
}

void nft_batch_table(NftBatch *batch, uint16_t message, uint8_t family, const char *name,
                     uint32_t flags) {
        _cleanup_(nft_table_freep) struct nftnl_table *table = nftnl_table_alloc();
        struct nlmsghdr *m;

        if (!table || nftnl_table_set_str(table, NFTNL_TABLE_NAME, name) < 0) {
                batch->error = -ENOMEM;
                return;
        }
        if (flags != 0)
                nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, flags);
        m = nftnl_nlmsg_build_hdr(batch_end(batch), message, family,
                                  message == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, batch->sequence);
        nftnl_table_nlmsg_build_payload(m, table);
        batch_put(batch, m);
}

void nft_batch_chain(NftBatch *batch, const NftChain *chain) {
        _cleanup_(chain_freep) struct nftnl_chain *c = nftnl_chain_alloc();
        struct nlmsghdr *m;

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
        m = nftnl_nlmsg_build_hdr(batch_end(batch), NFT_MSG_NEWCHAIN, chain->family,
                                  NLM_F_CREATE | NLM_F_EXCL, batch->sequence);
        nftnl_chain_nlmsg_build_payload(m, c);
        batch_put(batch, m);
}

static struct nftnl_expr *add_expression(struct nftnl_rule *rule, const char *name) {
        struct nftnl_expr *e = nftnl_expr_alloc(name);

        if (e)
                nftnl_rule_add_expr(rule, e);
        return e;
}

static int write_rule(struct nftnl_rule *rule, const NftChain *chain, uint32_t group) {
        struct nftnl_expr *meta = add_expression(rule, "meta"),
                          *compare = add_expression(rule, "cmp"),
                          *verdict = add_expression(rule, "immediate");

        if (!meta || !compare || !verdict ||
            nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, chain->table) < 0 ||
            nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain->name) < 0 ||
            nftnl_expr_set(compare, NFTNL_EXPR_CMP_DATA, &group, sizeof(group)) < 0)
                return -ENOMEM;
        nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, chain->family);
        nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, NFT_META_IIFGROUP);
        nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG32_00);
        nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_SREG, NFT_REG32_00);
        nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
        nftnl_expr_set_u32(verdict, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
        nftnl_expr_set_u32(verdict, NFTNL_EXPR_IMM_VERDICT, NF_DROP);
        return 0;
}

void nft_batch_drop_group(NftBatch *batch, const NftChain *chain, uint32_t group) {
        _cleanup_(rule_freep) struct nftnl_rule *rule = nftnl_rule_alloc();
        struct nlmsghdr *m;

        if (!rule || write_rule(rule, chain, group) < 0) {
                batch->error = -ENOMEM;
                return;
        }
        m = nftnl_nlmsg_build_hdr(batch_end(batch), NFT_MSG_NEWRULE, chain->family,
                                  NLM_F_CREATE | NLM_F_APPEND, batch->sequence);
        nftnl_rule_nlmsg_build_payload(m, rule);
        batch_put(batch, m);
}

int nft_batch_end(NftBatch *batch) {
        struct nlmsghdr *last = (void *)(batch->data + batch->last);

        last->nlmsg_flags |= NLM_F_ACK;
        batch_put(batch, nftnl_batch_end(batch_end(batch), batch->sequence));
        return batch->error;
}
