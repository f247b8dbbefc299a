/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/kernel/tc.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define GUARD "which the guard of every port needs"

/* The order among the filters of a hook, of which there is one. */
#define PRIORITY 1u

static struct nlmsghdr *start(Netlink *netlink, void *buffer, uint16_t type, uint32_t index,
                              uint32_t parent) {
        struct nlmsghdr *m = netlink_start(netlink, buffer, type, NLM_F_CREATE | NLM_F_EXCL);
        struct tcmsg *t = mnl_nlmsg_put_extra_header(m, sizeof(*t));

        t->tcm_family = AF_UNSPEC;
        t->tcm_ifindex = (int)index;
        t->tcm_parent = parent;
        return m;
}

/* What a kernel without a qdisc or filter kind answers: net/sched/sch_api.c, qdisc_create();
 * net/sched/cls_api.c, tcf_proto_lookup_ops(). */
static int explain(int refused, const char *what, const char *needed_by, const char *module,
                   const char *option, Refusal *refusal) {
        const Refusal said = *refusal;

        if (refused != RAWNET_KERNEL_REFUSED ||
            (said.kernel_errno != ENOENT && said.kernel_errno != EOPNOTSUPP))
                return refused;
        return refuse(refusal, RAWNET_NOT_SUPPORTED,
                      "this kernel has no %s, %s; load the module %s "
                      "(modprobe %s) or use a kernel with %s (%s)",
                      what, needed_by, module, module, option, said.text);
}

int tc_add_hooks(Netlink *netlink, const char *link, uint32_t index, TcHook last,
                 Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        const char *qdisc = last == TC_HOOK_EGRESS ? "clsact" : "ingress";
        _Static_assert(TC_H_CLSACT == TC_H_INGRESS, "the parent of both, and the handle");
        struct nlmsghdr *m = start(netlink, buffer, RTM_NEWQDISC, index, TC_H_CLSACT);
        struct tcmsg *t = mnl_nlmsg_get_payload(m);
        int r;

        t->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
        mnl_attr_put_strz(m, TCA_KIND, qdisc);
        r = netlink_talk(netlink, m, NULL, NULL, ret_refusal, "adding qdisc %s to interface %s",
                         qdisc, link);
        return explain(r, last == TC_HOOK_EGRESS ? "qdisc clsact" : "qdisc ingress", GUARD,
                       "sch_ingress", "CONFIG_NET_SCH_INGRESS", ret_refusal);
}

int tc_attach(Netlink *netlink, const char *link, uint32_t index, TcHook hook, int program_fd,
              const char *name, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        const uint32_t minor = hook == TC_HOOK_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS;
        struct nlmsghdr *m =
                start(netlink, buffer, RTM_NEWTFILTER, index, TC_H_MAKE(TC_H_CLSACT, minor));
        struct tcmsg *t = mnl_nlmsg_get_payload(m);
        struct nlattr *options;
        int r;

        t->tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL));
        mnl_attr_put_strz(m, TCA_KIND, "bpf");
        options = mnl_attr_nest_start(m, TCA_OPTIONS);
        mnl_attr_put_u32(m, TCA_BPF_FD, (uint32_t)program_fd);
        mnl_attr_put_strz(m, TCA_BPF_NAME, name);
        mnl_attr_put_u32(m, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
        mnl_attr_nest_end(m, options);
        r = netlink_talk(netlink, m, NULL, NULL, ret_refusal, "attaching %s to interface %s", name,
                         link);
        return explain(r, "filter bpf", GUARD, "cls_bpf", "CONFIG_NET_CLS_BPF", ret_refusal);
}

#define BUCKET_HANDLE TC_H_MAKE(1u << 16, 0)

int tc_add_bucket(Netlink *netlink, const char *link, uint32_t index, const TcBucket *bucket,
                  Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m = start(netlink, buffer, RTM_NEWQDISC, index, TC_H_ROOT);
        struct tcmsg *t = mnl_nlmsg_get_payload(m);
        /* A line that is not UNAWARE needs no table of rates (net/sched/sch_tbf.c, tbf_change()). */
        const struct tc_tbf_qopt options = {
                .rate = {.linklayer = TC_LINKLAYER_ETHERNET,
                         .rate = bucket->rate > UINT32_MAX ? UINT32_MAX : (uint32_t)bucket->rate},
                .limit = bucket->limit,
        };
        struct nlattr *nest;
        int r;

        t->tcm_handle = BUCKET_HANDLE;
        mnl_attr_put_strz(m, TCA_KIND, "tbf");
        nest = mnl_attr_nest_start(m, TCA_OPTIONS);
        mnl_attr_put(m, TCA_TBF_PARMS, sizeof(options), &options);
        mnl_attr_put_u32(m, TCA_TBF_BURST, bucket->burst);
        if (bucket->rate > UINT32_MAX)
                mnl_attr_put_u64(m, TCA_TBF_RATE64, bucket->rate);
        mnl_attr_nest_end(m, nest);
        r = netlink_talk(netlink, m, NULL, NULL, ret_refusal, "adding qdisc tbf to interface %s",
                         link);
        return explain(r, "qdisc tbf", "which a limit needs (Rate=, option rate)", "sch_tbf",
                       "CONFIG_NET_SCH_TBF", ret_refusal);
}

int tc_add_fair_queues(Netlink *netlink, const char *link, uint32_t index, uint32_t target,
                       uint32_t memory, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        /* tbf has the one class 1. It takes another qdisc for the one that it began with. */
        struct nlmsghdr *m = start(netlink, buffer, RTM_NEWQDISC, index, BUCKET_HANDLE | 1u);
        struct nlattr *nest;

        m->nlmsg_flags = (uint16_t)((m->nlmsg_flags & ~NLM_F_EXCL) | NLM_F_REPLACE);
        mnl_attr_put_strz(m, TCA_KIND, "fq_codel");
        nest = mnl_attr_nest_start(m, TCA_OPTIONS);
        mnl_attr_put_u32(m, TCA_FQ_CODEL_TARGET, target);
        mnl_attr_put_u32(m, TCA_FQ_CODEL_MEMORY_LIMIT, memory);
        mnl_attr_nest_end(m, nest);
        return netlink_talk(netlink, m, NULL, NULL, ret_refusal,
                            "adding qdisc fq_codel to interface %s", link);
}
