/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The guard in the host's own namespace: what arrives on a shared VLAN interface never reaches the
 * host's IP stack. It must never touch any table but its own.
 */

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "helper/guard-rules.h"

static void chain_freep(struct nftnl_chain **chain) {
        if (*chain)
                nftnl_chain_free(*chain);
}

static void rule_freep(struct nftnl_rule **rule) {
        if (*rule)
                nftnl_rule_free(*rule);
}

static void table_freep(struct nftnl_table **table) {
        if (*table)
                nftnl_table_free(*table);
}

static void iter_freep(struct nftnl_expr_iter **iter) {
        if (*iter)
                nftnl_expr_iter_destroy(*iter);
}

/* What was found of ours, one thing a callback. */
typedef struct Found {
        bool table; /* and awake */
        bool chain; /* on our hook, at our priority */
        unsigned rules;
        bool rule; /* the last one seen is ours */
} Found;

static int see_table(const struct nlmsghdr *m, void *data) {
        _cleanup_(table_freep) struct nftnl_table *table = nftnl_table_alloc();
        Found *found = data;

        if (!table)
                return MNL_CB_ERROR;
        found->table = nftnl_table_nlmsg_parse(m, table) == 0 &&
                       !(nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT);
        return MNL_CB_OK;
}

static int see_chain(const struct nlmsghdr *m, void *data) {
        _cleanup_(chain_freep) struct nftnl_chain *chain = nftnl_chain_alloc();
        Found *found = data;

        if (!chain)
                return MNL_CB_ERROR;
        found->chain = nftnl_chain_nlmsg_parse(m, chain) == 0 &&
                       nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM) &&
                       nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM) == guard_host_chain.hook &&
                       nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO) == guard_host_chain.priority;
        return MNL_CB_OK;
}

static bool expr_is(struct nftnl_expr *e, const char *name) {
        return e && strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), name) == 0;
}

/* Is it guard_host_rule()? Register numbers are not compared: the kernel answers with other ones
 * than it was given (nft_dump_register()). */
static bool is_host_rule(struct nftnl_rule *rule) {
        _cleanup_(iter_freep) struct nftnl_expr_iter *iter = nftnl_expr_iter_create(rule);
        struct nftnl_expr *e;
        const void *name;
        uint32_t length;

        if (!iter)
                return false;
        e = nftnl_expr_iter_next(iter);
        if (!expr_is(e, "meta") || nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY) != NFT_META_IIFNAME)
                return false;
        e = nftnl_expr_iter_next(iter);
        if (!expr_is(e, "cmp") || nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP) != NFT_CMP_EQ)
                return false;
        name = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &length);
        if (!name || length != sizeof(GUARD_HOST_PREFIX) - 1 ||
            memcmp(name, GUARD_HOST_PREFIX, length) != 0)
                return false;
        e = nftnl_expr_iter_next(iter);
        return expr_is(e, "immediate") && nftnl_expr_is_set(e, NFTNL_EXPR_IMM_VERDICT) &&
               nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT) == NF_DROP &&
               !nftnl_expr_iter_next(iter);
}

static int see_rule(const struct nlmsghdr *m, void *data) {
        _cleanup_(rule_freep) struct nftnl_rule *rule = nftnl_rule_alloc();
        Found *found = data;

        if (!rule)
                return MNL_CB_ERROR;
        found->rules++;
        found->rule = nftnl_rule_nlmsg_parse(m, rule) == 0 && is_host_rule(rule);
        return MNL_CB_OK;
}

/* Starts a question about our table in buffer. */
static struct nlmsghdr *question(Netlink *netlink, char *buffer, uint16_t type, uint16_t flags) {
        return nftnl_nlmsg_build_hdr(buffer, type, guard_host_chain.family, flags,
                                     ++netlink->sequence);
}

/* As netlink_talk(); that nothing is there (ENOENT) is an answer, not a refusal. */
static int ask(Netlink *netlink, const struct nlmsghdr *m, mnl_cb_t callback, Found *found,
               Refusal *ret_refusal) {
        Refusal refusal = {};
        int r;

        r = netlink_talk(netlink, m, callback, found, &refusal,
                         "reading nftables' table %s of the host", guard_host_chain.table);
        if (r > 0 && refusal.kernel_errno == ENOENT)
                return 0;
        if (r > 0 && ret_refusal)
                *ret_refusal = refusal;
        return r;
}

static int look(Netlink *netlink, Found *found, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NFT_MESSAGE_MAX];
        struct nlmsghdr *m;
        int r;

        m = question(netlink, buffer, NFT_MSG_GETTABLE, NLM_F_ACK);
        mnl_attr_put_strz(m, NFTA_TABLE_NAME, guard_host_chain.table);
        r = ask(netlink, m, see_table, found, ret_refusal);
        if (r != 0 || !found->table)
                return r;
        m = question(netlink, buffer, NFT_MSG_GETCHAIN, NLM_F_ACK);
        mnl_attr_put_strz(m, NFTA_CHAIN_TABLE, guard_host_chain.table);
        mnl_attr_put_strz(m, NFTA_CHAIN_NAME, guard_host_chain.name);
        r = ask(netlink, m, see_chain, found, ret_refusal);
        if (r != 0 || !found->chain)
                return r;
        m = question(netlink, buffer, NFT_MSG_GETRULE, NLM_F_DUMP);
        mnl_attr_put_strz(m, NFTA_RULE_TABLE, guard_host_chain.table);
        mnl_attr_put_strz(m, NFTA_RULE_CHAIN, guard_host_chain.name);
        return ask(netlink, m, see_rule, found, ret_refusal);
}

/* The host's nf_tables may be missing where a port's is not asked for: both say the same. */
static int host_send(int (*build)(NftBatch *, uint32_t), Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink netlink = {};
        NftBatch batch;
        int r;

        r = netlink_open(&netlink, NETLINK_NETFILTER);
        if (r < 0)
                return r;
        r = build(&batch, ++netlink.sequence);
        if (r < 0)
                return r;
        return netlink_talk_batch(&netlink, batch.data, batch.size, 1, ret_refusal,
                                  "writing nftables' table %s of the host", guard_host_chain.table);
}

int guard_host_install(Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink netlink = {};
        Found found = {};
        int r;

        r = netlink_open(&netlink, NETLINK_NETFILTER);
        if (r == -EPROTONOSUPPORT)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "this kernel has no netfilter (nfnetlink); a kernel with "
                              "CONFIG_NF_TABLES is needed");
        if (r < 0)
                return r;
        r = look(&netlink, &found, ret_refusal);
        if (r != 0)
                return r;
        if (found.table && found.chain && found.rules == 1 && found.rule)
                return 0;
        return host_send(guard_build_host, ret_refusal);
}

int guard_host_remove(Refusal *ret_refusal) {
        int r = host_send(guard_build_host_removal, ret_refusal);

        return r == -EPROTONOSUPPORT ? 0 : r;
}
