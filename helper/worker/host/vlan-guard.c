/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/host/vlan-guard.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>

#include "common/names.h"
#include "helper/kernel/nft.h"

/* Before conntrack (-200), raw (-300) and defragmentation (-400), linux/netfilter_ipv4.h. */
#define PRIORITY (-450)

/* What a table has to be, and what the kernel says about it. */
typedef struct HostTable {
        char name[sizeof(NFT_TABLE "-4294967295")];
        uint32_t flags;       /* NFT_TABLE_F_* */
        uint32_t owner;       /* netlink port; 0: nobody */
        bool exists, matches; /* flags and owner; nobody else changes the rule of an owned one */
} HostTable;

/* One that belongs to the daemon's socket, and one to nobody. */
#define TABLES 2u

/* The lock belongs to the process, and ends when the process closes any descriptor of the socket
 * (fcntl(2)), or is killed. */
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

static int see_table(const struct nlmsghdr *m, void *data) {
        _cleanup_(nft_table_freep) struct nftnl_table *table = nftnl_table_alloc();
        HostTable *t = data;

        if (!table || nftnl_table_nlmsg_parse(m, table) < 0)
                return MNL_CB_ERROR;
        t->exists = true;
        t->matches = nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS) == t->flags &&
                     nftnl_table_get_u32(table, NFTNL_TABLE_OWNER) == t->owner;
        return MNL_CB_OK;
}

/* A kernel without nf_tables answers EINVAL: net/netfilter/nfnetlink.c, nfnetlink_rcv_msg(). */
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
        if (r > 0 && refusal.kernel_errno == EINVAL)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "this kernel has no nf_tables, which keeps the host out of a shared "
                              "VLAN interface; load the module nf_tables or use a kernel with "
                              "CONFIG_NF_TABLES (%s)",
                              refusal.text);
        return refusal_forward(r, &refusal, ret_refusal);
}

/* Waits for this process's turn, and looks at both tables. */
static int start(int owner_fd, Netlink *netlink, HostTable tables[static TABLES],
                 Refusal *ret_refusal) {
        int fd, r;

        if (owner_fd < 0)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "this kernel has no netfilter (nfnetlink); a kernel with "
                              "CONFIG_NF_TABLES is needed");
        fd = fcntl(owner_fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        r = netlink_take(netlink, fd);
        if (r == 0)
                r = wait_for_turn(fd);
        if (r < 0)
                return r;
        tables[0] = (HostTable){.flags = NFT_TABLE_F_OWNER, .owner = netlink->port_id};
        tables[1] = (HostTable){.name = NFT_TABLE};
        snprintf(tables[0].name, sizeof(tables[0].name), NFT_TABLE "-%" PRIu32, netlink->port_id);
        r = look(netlink, &tables[0], ret_refusal);
        return r == 0 ? look(netlink, &tables[1], ret_refusal) : r;
}

/* Somebody else may delete the free one at this moment: so it is made first, if it is not there. */
static void put_removal(NftBatch *batch, const HostTable *table) {
        nft_batch_table(batch, NFT_MSG_NEWTABLE, NFPROTO_INET, table->name, table->flags);
        nft_batch_table(batch, NFT_MSG_DELTABLE, NFPROTO_INET, table->name, 0);
}

/* Deleting a table takes some 10 ms, in which the kernel waits for its readers, so it is done only
 * where needed. */
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
                put_removal(batch, table);
        nft_batch_table(batch, NFT_MSG_NEWTABLE, NFPROTO_INET, table->name, table->flags);
        nft_batch_chain(batch, &chain);
        nft_batch_drop_group(batch, &chain, RAWNET_VLAN_GROUP);
}

/* In one transaction: makes what is missing, or deletes what is there. */
static int change(int owner_fd, bool remove, Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink netlink = {};
        HostTable tables[TABLES];
        bool any = false;
        NftBatch batch;
        int r;

        r = start(owner_fd, &netlink, tables, ret_refusal);
        if (r != 0)
                return r;
        nft_batch_begin(&batch, ++netlink.sequence);
        for (size_t i = 0; i < TABLES; i++) {
                const HostTable *table = &tables[i];

                if (remove ? !table->exists : table->matches)
                        continue;
                any = true;
                if (remove)
                        put_removal(&batch, table);
                else
                        put_table(&batch, table);
        }
        /* Earlier versions had chains there on a kernel without tc's u32. */
        if (remove && any) {
                nft_batch_table(&batch, NFT_MSG_NEWTABLE, NFPROTO_NETDEV, NFT_TABLE, 0);
                nft_batch_table(&batch, NFT_MSG_DELTABLE, NFPROTO_NETDEV, NFT_TABLE, 0);
        }
        r = any ? nft_batch_end(&batch) : 0;
        if (r < 0 || !any)
                return r;
        return netlink_talk_batch(&netlink, batch.data, batch.size, ret_refusal,
                                  "writing nftables' tables " NFT_TABLE " of the host");
}

int vlan_guard_install(int owner_fd, Refusal *ret_refusal) {
        return change(owner_fd, false, ret_refusal);
}

int vlan_guard_remove(int owner_fd, Refusal *ret_refusal) {
        int r = change(owner_fd, true, ret_refusal);

        /* Without nf_tables there are no tables. */
        return r == RAWNET_NOT_SUPPORTED ? 0 : r;
}
