/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/child/guard.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>

#include "helper/child/guard-rules.h"

/* A socket to nf_tables in the caller's namespace. 0, RAWNET_NOT_SUPPORTED or -errno. */
static int guard_open(Netlink *ret, Refusal *ret_refusal) {
        int r = netlink_open(ret, NETLINK_NETFILTER);

        if (r == -EPROTONOSUPPORT)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "this kernel has no netfilter (nfnetlink), which guards every port; "
                              "a kernel with CONFIG_NETFILTER and CONFIG_NF_TABLES is needed");
        return r;
}

/* 1: this kernel has it, 0: it has not, or -errno. */
static int guard_probe(GuardNeed need) {
        _cleanup_netlink_ Netlink netlink = {};
        NftBatch batch;
        Refusal refusal = {};
        int r;

        r = guard_open(&netlink, &refusal);
        if (r != 0)
                return r < 0 ? r : 0;
        r = guard_build_probe(&batch, need, ++netlink.sequence);
        if (r < 0)
                return r;
        r = netlink_talk_batch(&netlink, batch.data, batch.size, 1, &refusal, "probing nf_tables");
        if (r == 0)
                return 1;
        if (r < 0)
                return r;
        switch (refusal.kernel_errno) {
        case EOPNOTSUPP: /* no nf_tables; no such hook */
        case ENOENT:     /* no such family, chain type or expression */
        case EINVAL:
                return 0;
        default:
                return -refusal.kernel_errno;
        }
}

int guard_probe_egress(void) {
        return guard_probe(GUARD_NEED_EGRESS);
}

/* The kernel refused a guard: is it because something is missing that no guard can do without? Then
 * that is what a person should read; else the kernel's own words stay. last: up to which need it
 * asks. */
static int explain_refusal(int refused, GuardNeed last, Refusal *refusal) {
        static const struct {
                GuardNeed need;
                const char *text;
        } needs[] = {
                {GUARD_NEED_TABLES, "this kernel has no nf_tables, which guards every "
                                    "port; load the module nf_tables or use "
                                    "a kernel with CONFIG_NF_TABLES"},
                {GUARD_NEED_INGRESS,
                 "this kernel's nf_tables has no netdev family, which guards every port; a "
                 "kernel with "
                 "CONFIG_NF_TABLES_NETDEV and CONFIG_NETFILTER_INGRESS is needed"},
                {GUARD_NEED_FORWARD,
                 "this kernel's nf_tables cannot forward frames between interfaces; load "
                 "the module "
                 "nft_fwd_netdev or use a kernel with CONFIG_NFT_FWD_NETDEV"},
                {GUARD_NEED_EGRESS, "this kernel cannot filter what a packet port sends "
                                    "(no nf_tables egress hook); kind packet "
                                    "needs Linux 5.16 or newer with "
                                    "CONFIG_NETFILTER_EGRESS, kind tap works without (Kinds=tap)"},
        };
        Refusal said = *refusal;

        for (size_t i = 0; i < ARRAY_SIZE(needs) && needs[i].need <= last; i++) {
                if (guard_probe(needs[i].need) == 0)
                        return refuse(refusal, RAWNET_NOT_SUPPORTED, "%s (%s)", needs[i].text,
                                      said.text);
        }
        return refused;
}

int guard_explain_missing(int refused, Refusal *refusal) {
        return explain_refusal(refused, GUARD_NEED_TABLES, refusal);
}

/* Newer kernels take a chain for a device that is not there, and wait for it: a wrong name would be
 * a guard that guards nothing. */
static bool link_is(const GuardLink *link) {
        return link->index != 0 && if_nametoindex(link->name) == link->index;
}

static bool links_are(const Guard *guard) {
        switch (guard->shape) {
        case GUARD_TAP:
                return link_is(&guard->uplink) && link_is(&guard->port);
        case GUARD_PACKET:
                return link_is(&guard->uplink) && link_is(&guard->port) && link_is(&guard->inner);
        case GUARD_TAP_CHECKED:
                return link_is(&guard->uplink) && link_is(&guard->port) && link_is(&guard->inner) &&
                       link_is(&guard->check);
        }
        return false;
}

static int guard_send(const Guard *guard, Refusal *ret_refusal,
                      int (*build)(NftBatch *, const Guard *, uint32_t)) {
        _cleanup_netlink_ Netlink netlink = {};
        Refusal refusal = {};
        NftBatch batch;
        int r;

        if (!links_are(guard))
                return -ENODEV;
        r = guard_open(&netlink, ret_refusal);
        if (r != 0)
                return r;
        r = build(&batch, guard, ++netlink.sequence);
        if (r < 0)
                return r;
        r = netlink_talk_batch(&netlink, batch.data, batch.size, 1, &refusal,
                               "installing the guard of port %s", guard->uplink.name);
        if (r > 0)
                r = explain_refusal(
                        r, guard->shape == GUARD_PACKET ? GUARD_NEED_EGRESS : GUARD_NEED_FORWARD,
                        &refusal);
        if (r > 0 && ret_refusal)
                *ret_refusal = refusal;
        return r;
}

int guard_install(const Guard *guard, Refusal *ret_refusal) {
        return guard_send(guard, ret_refusal, guard_build);
}

int guard_admit(const Guard *guard, Refusal *ret_refusal) {
        return guard_send(guard, ret_refusal, guard_build_admission);
}
