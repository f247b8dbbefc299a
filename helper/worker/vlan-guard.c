/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/vlan-guard.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libnftnl/common.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>

#include "common/names.h"
#include "helper/child/guard.h"
#include "helper/child/guard-rules.h"

/* Before conntrack (-200), raw (-300) and defragmentation (-400), linux/netfilter_ipv4.h. */
#define PRIORITY (-450)

/* What a table is to be, and what the kernel says of it. */
typedef struct HostTable {
        char name[sizeof(GUARD_TABLE "-4294967295")];
        uint32_t flags; /* NFT_TABLE_F_* */
        uint32_t owner; /* netlink port; 0: nobody */
        bool exists;
        /* Has these flags and this owner. Nobody else can change the rule of an owned table. */
        bool matches;
} HostTable;

typedef struct HostGuard {
        Netlink netlink;
        HostTable tables[2];
} HostGuard;

static void host_guard_done(HostGuard *guard) {
        netlink_close(&guard->netlink);
}

static void table_freep(struct nftnl_table **table) {
        if (*table)
                nftnl_table_free(*table);
}

/* The lock belongs to the process, and ends when the process closes any descriptor of the socket
 * (fcntl(2)): in host_guard_done(), or when a worker is killed. */
static int wait_for_turn(int fd) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        char byte;

        while (fcntl(fd, F_SETLKW, &lock) < 0)
                if (errno != EINTR)
                        return -errno;
        /* Drops answers that the last user did not read, after an error or because it was killed.
         */
        while (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
                ;
        return 0;
}

static int host_guard_open(int owner_fd, HostGuard *ret, Refusal *ret_refusal) {
        HostTable *owned = &ret->tables[0], *free_one = &ret->tables[1];
        int fd, r;

        if (owner_fd < 0)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "this kernel has no netfilter (nfnetlink); a kernel with "
                              "CONFIG_NF_TABLES is needed");
        fd = fcntl(owner_fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        r = netlink_take(&ret->netlink, fd);
        if (r == 0)
                r = wait_for_turn(fd);
        if (r < 0)
                return r;
        *owned = (HostTable){.flags = NFT_TABLE_F_OWNER, .owner = ret->netlink.port_id};
        *free_one = (HostTable){.name = GUARD_TABLE};
        snprintf(owned->name, sizeof(owned->name), GUARD_TABLE "-%" PRIu32, owned->owner);
        return 0;
}

static int see_table(const struct nlmsghdr *m, void *data) {
        _cleanup_(table_freep) struct nftnl_table *table = nftnl_table_alloc();
        HostTable *t = data;

        if (!table || nftnl_table_nlmsg_parse(m, table) < 0)
                return MNL_CB_ERROR;
        t->exists = true;
        t->matches = nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS) == t->flags &&
                     nftnl_table_get_u32(table, NFTNL_TABLE_OWNER) == t->owner;
        return MNL_CB_OK;
}

static int look(Netlink *netlink, HostTable *table, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NFT_MESSAGE_MAX];
        struct nlmsghdr *m = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETTABLE, NFPROTO_INET,
                                                   NLM_F_ACK, ++netlink->sequence);
        Refusal refusal = {};
        int r;

        mnl_attr_put_strz(m, NFTA_TABLE_NAME, table->name);
        r = netlink_talk(netlink, m, see_table, table, &refusal,
                         "reading nftables' table %s of the host", table->name);
        if (r > 0 && refusal.kernel_errno == ENOENT)
                return 0;
        if (r > 0)
                *ret_refusal = refusal;
        return r;
}

static struct nftnl_rule *drop_rule(void) {
        static const uint32_t group = RAWNET_VLAN_GROUP;
        struct nftnl_rule *rule = nft_rule_new();

        nft_rule_load_meta(&rule, 0, NFT_META_IIFGROUP);
        nft_rule_compare(&rule, 0, false, &group, sizeof(group));
        nft_rule_verdict(&rule, NF_DROP);
        return rule;
}

/* Deletes the table with its rules, if it is there. */
static void put_removal(NftBatch *batch, uint8_t family, const char *name, uint32_t flags) {
        nft_batch_table(batch, NFT_MSG_NEWTABLE, family, name, flags);
        nft_batch_table(batch, NFT_MSG_DELTABLE, family, name, 0);
}

/* To delete a table takes some 10 ms, in which the kernel waits for its readers: not for nothing.
 */
static void put_table(NftBatch *batch, const HostTable *table) {
        const NftChain chain = {
                .family = NFPROTO_INET,
                .table = table->name,
                .name = "prerouting",
                .hook = NF_INET_PRE_ROUTING,
                .priority = PRIORITY,
                .policy = NF_ACCEPT,
        };

        if (table->exists)
                put_removal(batch, NFPROTO_INET, table->name, table->flags);
        nft_batch_table(batch, NFT_MSG_NEWTABLE, NFPROTO_INET, table->name, table->flags);
        nft_batch_chain(batch, &chain);
        nft_batch_rule(batch, &chain, drop_rule());
}

static int send_batch(Netlink *netlink, NftBatch *batch, Refusal *ret_refusal) {
        int r = nft_batch_end(batch);

        return r < 0 ? r
                     : netlink_talk_batch(netlink, batch->data, batch->size, 1, ret_refusal,
                                          "writing nftables' tables " GUARD_TABLE " of the host");
}

/* Makes what is missing, in one transaction. */
static int install(HostGuard *guard, Refusal *ret_refusal) {
        HostTable *tables = guard->tables;
        NftBatch batch;
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(guard->tables); i++)
                r = look(&guard->netlink, &tables[i], ret_refusal);
        if (r != 0 || (tables[0].matches && tables[1].matches))
                return r;
        nft_batch_begin(&batch, ++guard->netlink.sequence);
        for (size_t i = 0; i < ARRAY_SIZE(guard->tables); i++)
                if (!tables[i].matches)
                        put_table(&batch, &tables[i]);
        return send_batch(&guard->netlink, &batch, ret_refusal);
}

int vlan_guard_install(int owner_fd, Refusal *ret_refusal) {
        _cleanup_(host_guard_done) HostGuard guard = {};
        int r = host_guard_open(owner_fd, &guard, ret_refusal);

        if (r != 0)
                return r;
        r = install(&guard, ret_refusal);
        return r > 0 ? guard_explain_missing(r, ret_refusal) : r;
}

int vlan_guard_remove(int owner_fd, Refusal *ret_refusal) {
        _cleanup_(host_guard_done) HostGuard guard = {};
        Refusal refusal = {};
        NftBatch batch;
        int r;

        r = host_guard_open(owner_fd, &guard, &refusal);
        if (r == 0) {
                nft_batch_begin(&batch, ++guard.netlink.sequence);
                for (size_t i = 0; i < ARRAY_SIZE(guard.tables); i++)
                        put_removal(&batch, NFPROTO_INET, guard.tables[i].name,
                                    guard.tables[i].flags);
                /* Earlier versions had chains in this table on a kernel without tc's u32. */
                put_removal(&batch, NFPROTO_NETDEV, GUARD_TABLE, 0);
                r = send_batch(&guard.netlink, &batch, &refusal);
        }
        if (r > 0)
                r = guard_explain_missing(r, &refusal);
        /* Without nf_tables there are no tables. */
        if (r == RAWNET_NOT_SUPPORTED)
                return 0;
        if (r > 0)
                *ret_refusal = refusal;
        return r;
}
