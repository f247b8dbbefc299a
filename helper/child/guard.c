/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/child/guard.h"

#include <assert.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <string.h>

#include "helper/lock.h"
#include "helper/kernel/nft.h"
#include "helper/kernel/tc.h"

/* Where a program goes. */
typedef struct Place {
        const GuardLink *link;
        TcHook hook;
        GuardHandle program;
        const char *name;
} Place;

#define PLACES_MAX 4u

/* Those of one link stand together, its egress first. */
static size_t places_of(const Guard *g, Place ret[static PLACES_MAX]) {
        size_t n = 0;

        ret[n++] = (Place){&g->uplink, TC_HOOK_INGRESS, GUARD_FROM_WIRE, "from_wire"};
        if (g->shape == GUARD_TAP) {
                ret[n++] = (Place){&g->port, TC_HOOK_INGRESS, GUARD_FROM_GUEST, "from_guest"};
                return n;
        }
        ret[n++] = (Place){&g->inner, TC_HOOK_INGRESS, GUARD_FROM_GUEST, "from_guest"};
        if (g->shape == GUARD_TAP_CHECKED) {
                ret[n++] = g->checksum_trick
                                   ? (Place){&g->port, TC_HOOK_INGRESS, GUARD_TO_CHECK, "to_check"}
                                   : (Place){&g->port, TC_HOOK_INGRESS, GUARD_FROM_GUEST,
                                             "from_guest"};
                return n;
        }
        /* The kernel completes a frame's checksum, where the sender said, behind this hook. */
        if (!g->checksum_trick)
                ret[n++] = (Place){&g->port, TC_HOOK_EGRESS, GUARD_FROM_GUEST, "from_guest"};
        ret[n++] = (Place){&g->port, TC_HOOK_INGRESS, GUARD_DEAD_END, "dead_end"};
        return n;
}

static int attach(const Guard *guard, const GuardProgram *program, Netlink *netlink,
                  Refusal *ret_refusal) {
        Place places[PLACES_MAX];
        const size_t n = places_of(guard, places);
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++) {
                const GuardLink *link = places[i].link;

                assert(link->index != 0);
                if (i == 0 || link != places[i - 1].link)
                        r = tc_add_hooks(netlink, link->name, link->index, places[i].hook,
                                         ret_refusal);
                if (r == 0)
                        r = tc_attach(netlink, link->name, link->index, places[i].hook,
                                      program->fd[places[i].program], places[i].name, ret_refusal);
        }
        return r;
}

/* What a kernel without the egress hook answers, or one without nf_tables:
 * net/netfilter/nf_tables_api.c, nft_chain_parse_hook(); net/netfilter/nfnetlink.c. */
static int explain_gate(int refused, Refusal *refusal) {
        const Refusal said = *refusal;

        if (refused != RAWNET_KERNEL_REFUSED ||
            (said.kernel_errno != EOPNOTSUPP && said.kernel_errno != ENOENT &&
             said.kernel_errno != EINVAL))
                return refused;
        return refuse(
                refusal, RAWNET_NOT_SUPPORTED,
                "this kernel cannot close the uplink of a packet port to its holder (no nf_tables "
                "egress hook); kind packet needs a kernel with CONFIG_NF_TABLES_NETDEV and "
                "CONFIG_NETFILTER_EGRESS, kind tap works without (Kinds=tap) (%s)",
                said.text);
}

static int close_gate(const GuardLink *uplink, Refusal *ret_refusal) {
        const NftChain gate = {.family = NFPROTO_NETDEV,
                               .table = NFT_TABLE,
                               .name = "gate",
                               .device = uplink->name,
                               .hook = NF_NETDEV_EGRESS,
                               .policy = NF_DROP};
        _cleanup_netlink_ Netlink netlink = {};
        NftBatch batch;
        int r;

        r = netlink_open(&netlink, NETLINK_NETFILTER);
        if (r == -EPROTONOSUPPORT)
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "this kernel has no netfilter (nfnetlink), which closes the uplink of "
                        "a packet port; a kernel with CONFIG_NETFILTER and CONFIG_NF_TABLES is "
                        "needed, kind tap works without (Kinds=tap)");
        if (r < 0)
                return r;
        nft_batch_begin(&batch, ++netlink.sequence);
        nft_batch_table(&batch, NFT_MSG_NEWTABLE, NFPROTO_NETDEV, NFT_TABLE, 0);
        nft_batch_chain(&batch, &gate);
        r = nft_batch_end(&batch);
        if (r == 0)
                r = netlink_talk_batch(&netlink, batch.data, batch.size, ret_refusal,
                                       "closing interface %s to its holder", uplink->name);
        return explain_gate(r, ret_refusal);
}

static GuardEntry entry_of(const Guard *g) {
        const bool asks_to_complete = g->shape != GUARD_TAP && !g->checksum_trick;
        const bool packet = g->shape == GUARD_PACKET;
        const bool straight = packet && g->vnet_hdr && !g->limited;
        const uint32_t longest = g->learning ? 0 : g->mtu + ETH_HLEN;
        GuardEntry e = {
                .longest = longest,
                .ordinary = g->locked ? 0 : longest,
                .flags = (g->anti_spoof ? GUARD_ANTI_SPOOF : 0) |
                         (g->pass_control ? GUARD_PASS_CONTROL : 0) |
                         (g->drop_own ? GUARD_DROP_OWN : 0) |
                         (g->allow_dhcp ? GUARD_ALLOW_DHCP : 0) |
                         (g->allow_ra ? GUARD_ALLOW_RA : 0) |
                         (asks_to_complete && g->blind ? GUARD_COMPLETE : 0) |
                         (asks_to_complete && g->container ? GUARD_CONTAINER : 0) |
                         (packet ? GUARD_PACKET_PORT : 0) | (g->locked ? GUARD_LOCKED : 0),
                /* Frames for a reader without virtio_net_hdr are completed on their way through the
                 * veth; others are received where the sockets are. Only the veth has a queue, which
                 * a limit needs. */
                .to_index = packet && !straight ? g->inner.index : g->port.index,
                .to_flags = straight ? BPF_F_INGRESS : 0,
        };

        memcpy(e.mac, &g->mac, sizeof(g->mac));
        return e;
}

int guard_install(const Guard *guard, const GuardProgram *program, Netlink *netlink,
                  Refusal *ret_refusal) {
        const GuardEntry entry = entry_of(guard);
        GuardLock lock;
        int r;

        lock_fill(&guard->addresses, &lock);
        /* What the last lease with this id has left. */
        r = guard_program_remove(program, guard->id);
        if (r == 0)
                r = attach(guard, program, netlink, ret_refusal);
        if (r == 0 && guard->shape == GUARD_PACKET)
                r = close_gate(&guard->uplink, ret_refusal);
        if (r == 0 && guard->locked)
                r = guard_program_lock(program, guard->id, &lock);
        if (r == 0)
                guard_program_set(program, guard->id, &entry);
        return r;
}

void guard_admit(const Guard *guard, const GuardProgram *program) {
        const GuardEntry entry = entry_of(guard);

        guard_program_set(program, guard->id, &entry);
}
