/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The guard in the host's own namespace: what arrives on a shared VLAN interface never reaches the
 * host's IP stack. It must never touch any table but its own.
 */

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/table.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "helper/worker/vlan-guard.h"
#include "helper/child/guard.h"
#include "helper/child/guard-rules.h"

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

static void host_chain_done(HostChain *host) {
        rule_freep(&host->rule);
}

/* What was found of a chain. */
typedef struct Found {
        const HostChain *want;
        bool table; /* and awake */
        bool chain; /* on its hook, at its priority */
        unsigned rules;
        bool rule; /* the last one seen is the wanted one */
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
                       nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM) == found->want->chain.hook &&
                       nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO) == found->want->chain.priority;
        return MNL_CB_OK;
}

static int see_rule(const struct nlmsghdr *m, void *data) {
        _cleanup_(rule_freep) struct nftnl_rule *rule = nftnl_rule_alloc();
        Found *found = data;

        if (!rule)
                return MNL_CB_ERROR;
        found->rules++;
        found->rule =
                nftnl_rule_nlmsg_parse(m, rule) == 0 && nft_rule_equal(rule, found->want->rule);
        return MNL_CB_OK;
}

/* As netlink_talk(); that nothing is there (ENOENT) is an answer, not a refusal. */
static int ask(Netlink *netlink, const struct nlmsghdr *m, mnl_cb_t callback, Found *found,
               Refusal *ret_refusal) {
        Refusal refusal = {};
        int r;

        r = netlink_talk(netlink, m, callback, found, &refusal,
                         "reading nftables' table %s of the host", found->want->chain.table);
        if (r > 0 && refusal.kernel_errno == ENOENT)
                return 0;
        if (r > 0)
                r = guard_explain_missing(r, &refusal);
        if (r > 0 && ret_refusal)
                *ret_refusal = refusal;
        return r;
}

/* Starts a question about our table in buffer. */
static struct nlmsghdr *question(Netlink *netlink, char *buffer, uint16_t type, uint16_t flags,
                                 const NftChain *chain) {
        return nftnl_nlmsg_build_hdr(buffer, type, chain->family, flags, ++netlink->sequence);
}

static int look(Netlink *netlink, Found *found, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NFT_MESSAGE_MAX];
        const NftChain *chain = &found->want->chain;
        struct nlmsghdr *m;
        int r;

        m = question(netlink, buffer, NFT_MSG_GETTABLE, NLM_F_ACK, chain);
        mnl_attr_put_strz(m, NFTA_TABLE_NAME, chain->table);
        r = ask(netlink, m, see_table, found, ret_refusal);
        if (r != 0 || !found->table)
                return r;
        m = question(netlink, buffer, NFT_MSG_GETCHAIN, NLM_F_ACK, chain);
        mnl_attr_put_strz(m, NFTA_CHAIN_TABLE, chain->table);
        mnl_attr_put_strz(m, NFTA_CHAIN_NAME, chain->name);
        r = ask(netlink, m, see_chain, found, ret_refusal);
        if (r != 0 || !found->chain)
                return r;
        m = question(netlink, buffer, NFT_MSG_GETRULE, NLM_F_DUMP, chain);
        mnl_attr_put_strz(m, NFTA_RULE_TABLE, chain->table);
        mnl_attr_put_strz(m, NFTA_RULE_CHAIN, chain->name);
        return ask(netlink, m, see_rule, found, ret_refusal);
}

static int host_open(Netlink *ret, Refusal *ret_refusal) {
        int r = netlink_open(ret, NETLINK_NETFILTER);

        if (r == -EPROTONOSUPPORT)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "this kernel has no netfilter (nfnetlink); a kernel with "
                              "CONFIG_NF_TABLES is needed");
        return r;
}

/* Is the chain there, awake, with its one rule? *ret is untouched on failure. */
static int host_check(const HostChain *want, bool *ret, Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink netlink = {};
        Found found = {.want = want};
        int r;

        if (!want->rule)
                return -ENOMEM;
        r = host_open(&netlink, ret_refusal);
        if (r == 0)
                r = look(&netlink, &found, ret_refusal);
        if (r == 0)
                *ret = found.table && found.chain && found.rules == 1 && found.rule;
        return r;
}

static int send_batch(Netlink *netlink, const NftBatch *batch, Refusal *ret_refusal) {
        return netlink_talk_batch(netlink, batch->data, batch->size, 1, ret_refusal,
                                  "writing nftables' table " GUARD_TABLE " of the host");
}

static int host_put(const HostChain *host, bool replace, Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink netlink = {};
        NftBatch batch;
        int r;

        r = host_open(&netlink, ret_refusal);
        if (r != 0)
                return r;
        r = guard_build_host(&batch, host, replace, ++netlink.sequence);
        return r < 0 ? r : send_batch(&netlink, &batch, ret_refusal);
}

/* Nearly always nothing is there. Replacing costs some 10 ms even then, because the kernel waits
 * for readers of what goes. */
static int host_restore(const HostChain *host, Refusal *ret_refusal) {
        Refusal refusal = {};
        int r;

        r = host_put(host, false, &refusal);
        if (r > 0 && refusal.kernel_errno == EEXIST)
                return host_put(host, true, ret_refusal);
        if (r > 0 && ret_refusal)
                *ret_refusal = refusal;
        return r;
}

int guard_host_install(Refusal *ret_refusal) {
        _cleanup_(host_chain_done) HostChain host = guard_host_prerouting();
        bool there;
        int r;

        r = host_check(&host, &there, ret_refusal);
        return r != 0 || there ? r : host_restore(&host, ret_refusal);
}

int guard_host_filter_check(const GuardLink *device, const MacAddress *mac, bool *ret,
                            Refusal *ret_refusal) {
        char name[GUARD_HOST_CHAIN_SIZE];
        _cleanup_(host_chain_done) HostChain host = guard_host_own_address(device, mac, name);

        return host_check(&host, ret, ret_refusal);
}

int guard_host_filter_install(const GuardLink *device, const MacAddress *mac,
                              Refusal *ret_refusal) {
        char name[GUARD_HOST_CHAIN_SIZE];
        _cleanup_(host_chain_done) HostChain host = guard_host_own_address(device, mac, name);

        return host_restore(&host, ret_refusal);
}

/* chain NULL: all that is ours. */
static int host_remove(const HostChain *chain, Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink netlink = {};
        Refusal refusal = {};
        NftBatch batch;
        int r;

        r = netlink_open(&netlink, NETLINK_NETFILTER);
        if (r == -EPROTONOSUPPORT)
                return 0;
        if (r < 0)
                return r;
        r = chain ? guard_build_host_chain_removal(&batch, chain, ++netlink.sequence)
                  : guard_build_host_removal(&batch, ++netlink.sequence);
        if (r == 0)
                r = send_batch(&netlink, &batch, &refusal);
        if (r > 0 && chain && refusal.kernel_errno == ENOENT)
                return 0;
        if (r > 0)
                r = guard_explain_missing(r, &refusal);
        /* Without nf_tables there are no tables. */
        if (r == RAWNET_NOT_SUPPORTED)
                return 0;
        if (r > 0 && ret_refusal)
                *ret_refusal = refusal;
        return r;
}

int guard_host_filter_remove(const GuardLink *device, Refusal *ret_refusal) {
        static const MacAddress any = {};
        char name[GUARD_HOST_CHAIN_SIZE];
        _cleanup_(host_chain_done) HostChain host = guard_host_own_address(device, &any, name);

        return host_remove(&host, ret_refusal);
}

int guard_host_remove(Refusal *ret_refusal) {
        return host_remove(NULL, ret_refusal);
}
