/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Frames that arrive on a shared VLAN interface for the interface's own address: nobody has
 * business there, the guests have addresses of their own. tc drops them, because a tc filter stays
 * when somebody flushes nftables; where the kernel has no u32 classifier or no gact action, a chain
 * of nftables does.
 */

#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <netinet/in.h>
#include <string.h>

#include "helper/worker/vlan-guard.h"
#include "helper/worker/vlan-harden.h"

#define INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
/* Ours among an administrator's filters of that interface. */
#define FILTER_PRIORITY 0x726eu
#define FILTER_INFO TC_H_MAKE(FILTER_PRIORITY << 16, htons(ETH_P_ALL))

/* Two compares of 4 bytes hold the 6 of the address; offsets count from the network header
 * (net/sched/cls_u32.c), which an Ethernet header of 14 bytes goes before. */
#define KEYS 2u

/* A struct tc_u32_sel and the keys behind it, as they travel. */
typedef struct Selector {
        _Alignas(struct tc_u32_sel) char bytes[sizeof(struct tc_u32_sel) +
                                               KEYS * sizeof(struct tc_u32_key)];
} Selector;

static void selector_for(const MacAddress *mac, Selector *ret) {
        struct tc_u32_sel *sel = (struct tc_u32_sel *)(void *)ret->bytes;

        memset(ret, 0, sizeof(*ret));
        sel->flags = TC_U32_TERMINAL;
        sel->nkeys = KEYS;
        for (unsigned i = 0; i < KEYS; i++) {
                sel->keys[i].mask = UINT32_MAX;
                sel->keys[i].off = -ETH_HLEN + 2 * (int)i;
                memcpy(&sel->keys[i].val, mac->octet + 2 * i, sizeof(sel->keys[i].val));
        }
}

typedef struct FilterSearch {
        Selector want;
        bool same;    /* ours, as it should be */
        bool differs; /* something else at our priority: of an earlier address */
} FilterSearch;

/* Does the list of actions begin with a gact that drops? */
static bool drops(const struct nlattr *actions) {
        const struct nlattr *action, *a, *o;
        bool gact = false, shot = false;

        mnl_attr_for_each_nested(action, actions) {
                mnl_attr_for_each_nested(a, action) {
                        if (mnl_attr_get_type(a) == TCA_ACT_KIND &&
                            mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
                                gact = strcmp(mnl_attr_get_str(a), "gact") == 0;
                        if (mnl_attr_get_type(a) != TCA_ACT_OPTIONS)
                                continue;
                        mnl_attr_for_each_nested(o, a) {
                                const struct tc_gact *parameters = mnl_attr_get_payload(o);

                                if (mnl_attr_get_type(o) == TCA_GACT_PARMS &&
                                    mnl_attr_get_payload_len(o) >= sizeof(*parameters))
                                        shot = parameters->action == TC_ACT_SHOT;
                        }
                }
                break;
        }
        return gact && shot;
}

/* Flags and the hash mask come back changed, the keys as they were given. */
static bool selects(const struct nlattr *a, const Selector *want) {
        const struct tc_u32_sel *got = mnl_attr_get_payload(a);
        const struct tc_u32_sel *sel = (const struct tc_u32_sel *)(const void *)want->bytes;

        return mnl_attr_get_payload_len(a) == sizeof(*want) && got->nkeys == KEYS &&
               (got->flags & TC_U32_TERMINAL) &&
               memcmp(got->keys, sel->keys, KEYS * sizeof(sel->keys[0])) == 0;
}

static int see_filter(const struct nlmsghdr *m, void *data) {
        const struct tcmsg *tc = mnl_nlmsg_get_payload(m);
        const struct nlattr *a, *o;
        FilterSearch *search = data;
        bool is_u32 = false, address = false, drop = false, rule = false;

        if (m->nlmsg_type != RTM_NEWTFILTER || tc->tcm_info != FILTER_INFO)
                return MNL_CB_OK;
        mnl_attr_for_each(a, m, sizeof(*tc)) {
                if (mnl_attr_get_type(a) == TCA_KIND &&
                    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
                        is_u32 = strcmp(mnl_attr_get_str(a), "u32") == 0;
                if (mnl_attr_get_type(a) != TCA_OPTIONS)
                        continue;
                mnl_attr_for_each_nested(o, a) {
                        if (mnl_attr_get_type(o) == TCA_U32_SEL) {
                                rule = true;
                                address = selects(o, &search->want);
                        }
                        if (mnl_attr_get_type(o) == TCA_U32_ACT)
                                drop = drops(o);
                }
        }
        /* The dump also has an entry for the priority itself and one for u32's hash table. */
        if (is_u32 && address && drop)
                search->same = true;
        else if (rule || !is_u32)
                search->differs = true;
        return MNL_CB_OK;
}

static struct nlmsghdr *tc_message(Netlink *rtnl, void *buffer, uint16_t type, uint16_t flags,
                                   uint32_t index) {
        struct nlmsghdr *m = netlink_start(rtnl, buffer, type, flags);
        struct tcmsg *tc = mnl_nlmsg_put_extra_header(m, sizeof(*tc));

        tc->tcm_family = AF_UNSPEC;
        tc->tcm_ifindex = (int)index;
        tc->tcm_parent = INGRESS;
        tc->tcm_info = FILTER_INFO;
        return m;
}

/* Is there no filter because there is nothing to ask? EOPNOTSUPP: the kernel has no tc filters.
 * EINVAL, ENOENT: by kernel, the interface has no clsact qdisc (net/sched/cls_api.c,
 * tc_dump_tfilter()); others answer with an empty dump. */
static bool has_no_filters(int kernel_errno) {
        return kernel_errno == EOPNOTSUPP || kernel_errno == EINVAL || kernel_errno == ENOENT;
}

static int tc_look(Netlink *rtnl, uint32_t index, FilterSearch *search, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m = tc_message(rtnl, buffer, RTM_GETTFILTER, NLM_F_DUMP, index);
        Refusal refusal = {};
        int r = netlink_talk(rtnl, m, see_filter, search, &refusal, "reading tc filters");

        if (r > 0 && has_no_filters(refusal.kernel_errno))
                return 0;
        if (r > 0)
                *ret_refusal = refusal;
        return r;
}

static int tc_add_qdisc(Netlink *rtnl, uint32_t index, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m =
                tc_message(rtnl, buffer, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index);
        struct tcmsg *tc = mnl_nlmsg_get_payload(m);
        Refusal refusal = {};
        int r;

        tc->tcm_parent = TC_H_CLSACT;
        tc->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
        tc->tcm_info = 0;
        mnl_attr_put_strz(m, TCA_KIND, "clsact");
        r = netlink_talk(rtnl, m, NULL, NULL, &refusal, "adding tc's clsact");
        if (r > 0 && refusal.kernel_errno == EEXIST)
                return 0;
        if (r > 0)
                *ret_refusal = refusal;
        return r;
}

static int tc_delete_filter(Netlink *rtnl, uint32_t index, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m = tc_message(rtnl, buffer, RTM_DELTFILTER, 0, index);

        return netlink_talk(rtnl, m, NULL, NULL, ret_refusal, "removing a tc filter");
}

static int tc_add_filter(Netlink *rtnl, uint32_t index, const Selector *selector,
                         Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m =
                tc_message(rtnl, buffer, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, index);
        const struct tc_gact drop = {.action = TC_ACT_SHOT};
        struct nlattr *options, *actions, *action, *action_options;

        mnl_attr_put_strz(m, TCA_KIND, "u32");
        options = mnl_attr_nest_start(m, TCA_OPTIONS);
        mnl_attr_put(m, TCA_U32_SEL, sizeof(selector->bytes), selector->bytes);
        actions = mnl_attr_nest_start(m, TCA_U32_ACT);
        action = mnl_attr_nest_start(m, 1); /* the first of the list */
        mnl_attr_put_strz(m, TCA_ACT_KIND, "gact");
        action_options = mnl_attr_nest_start(m, TCA_ACT_OPTIONS);
        mnl_attr_put(m, TCA_GACT_PARMS, sizeof(drop), &drop);
        mnl_attr_nest_end(m, action_options);
        mnl_attr_nest_end(m, action);
        mnl_attr_nest_end(m, actions);
        mnl_attr_nest_end(m, options);
        return netlink_talk(rtnl, m, NULL, NULL, ret_refusal, "adding a tc filter");
}

/* 0, or RAWNET_KERNEL_REFUSED where tc cannot do it, or -errno. */
static int tc_install(Netlink *rtnl, uint32_t index, const FilterSearch *found,
                      Refusal *ret_refusal) {
        int r = tc_add_qdisc(rtnl, index, ret_refusal);

        if (r == 0 && found->differs)
                r = tc_delete_filter(rtnl, index, ret_refusal);
        if (r == 0)
                r = tc_add_filter(rtnl, index, &found->want, ret_refusal);
        return r;
}

int host_filter_own_address(Netlink *rtnl, const char *name, uint32_t index, const MacAddress *mac,
                            Refusal *ret_refusal) {
        const GuardLink device = {name, index};
        FilterSearch search = {};
        Refusal refusal = {};
        bool there = false;
        int r;

        selector_for(mac, &search.want);
        r = tc_look(rtnl, index, &search, ret_refusal);
        if (r != 0 || (search.same && !search.differs))
                return r;
        if (!search.same && !search.differs) {
                /* A kernel without u32 or gact looks for their modules each time it is asked: where
                 * nftables does it already, tc is left alone. */
                r = guard_host_filter_check(&device, mac, &there, ret_refusal);
                if (r != 0 || there)
                        return r;
        }
        r = tc_install(rtnl, index, &search, &refusal);
        if (r > 0)
                r = guard_host_filter_install(&device, mac, ret_refusal);
        return r;
}

int host_filter_remove(Netlink *rtnl, const char *name, uint32_t index, Refusal *ret_refusal) {
        const GuardLink device = {name, index};
        Refusal refusal = {};
        int r;

        r = tc_delete_filter(rtnl, index, &refusal);
        if (r > 0 && !has_no_filters(refusal.kernel_errno)) {
                *ret_refusal = refusal;
                return r;
        }
        return r < 0 ? r : guard_host_filter_remove(&device, ret_refusal);
}
