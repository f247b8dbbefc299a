/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The messages of traffic control, as the kernel hears them, and what its refusals become. */

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "fake-kernel.h"
#include "fault.h"
#include "helper/kernel/tc.h"
#include "test.h"

#define INDEX 0x7ffe1234u

static const struct nlattr *find(const struct nlattr *first, size_t size, uint16_t type) {
        for (const struct nlattr *a = first;
             mnl_attr_ok(a, (int)(size - (size_t)((const char *)a - (const char *)first)));
             a = mnl_attr_next(a))
                if (mnl_attr_get_type(a) == type)
                        return a;
        fail_msg("no attribute %u", type);
        return NULL;
}

static const struct tcmsg *heard(uint16_t type, const char *kind) {
        const struct nlmsghdr *m = fake_kernel_heard(NULL);
        const struct nlattr *a =
                find(mnl_nlmsg_get_payload_offset(m, sizeof(struct tcmsg)),
                     mnl_nlmsg_get_payload_len(m) - sizeof(struct tcmsg), TCA_KIND);

        assert_int_equal(m->nlmsg_type, type);
        assert_int_equal(m->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
        assert_string_equal(mnl_attr_get_str(a), kind);
        return mnl_nlmsg_get_payload(m);
}

static void test_hooks(_unused_ void **state) {
        static const char *const qdisc[] = {
                [TC_HOOK_INGRESS] = "ingress",
                [TC_HOOK_EGRESS] = "clsact",
        };

        for (TcHook last = TC_HOOK_INGRESS; last <= TC_HOOK_EGRESS; last++) {
                Netlink netlink = fake_kernel();
                Refusal refusal = REFUSAL_UNTOUCHED;
                const struct tcmsg *t;

                fake_kernel_acks(0, NULL, 0);
                assert_int_equal(tc_add_hooks(&netlink, "uplink", INDEX, last, &refusal), 0);
                t = heard(RTM_NEWQDISC, qdisc[last]);
                assert_int_equal(t->tcm_ifindex, INDEX);
                assert_int_equal(t->tcm_parent, TC_H_CLSACT);
                assert_int_equal(t->tcm_handle, TC_H_MAKE(TC_H_CLSACT, 0));
        }
}

static void test_attach(_unused_ void **state) {
        static const uint16_t minor[] = {
                [TC_HOOK_INGRESS] = TC_H_MIN_INGRESS,
                [TC_HOOK_EGRESS] = TC_H_MIN_EGRESS,
        };

        for (TcHook hook = TC_HOOK_INGRESS; hook <= TC_HOOK_EGRESS; hook++) {
                Netlink netlink = fake_kernel();
                const struct nlattr *options, *inside;
                const struct nlmsghdr *m;
                const struct tcmsg *t;
                Refusal refusal;
                size_t size;

                fake_kernel_acks(0, NULL, 0);
                assert_int_equal(
                        tc_attach(&netlink, "uplink", INDEX, hook, 17, "from_wire", &refusal), 0);
                t = heard(RTM_NEWTFILTER, "bpf");
                assert_int_equal(t->tcm_ifindex, INDEX);
                assert_int_equal(t->tcm_parent, TC_H_MAKE(TC_H_CLSACT, minor[hook]));
                assert_int_equal(t->tcm_info, TC_H_MAKE(1u << 16, htons(ETH_P_ALL)));
                m = fake_kernel_heard(NULL);
                options = find(mnl_nlmsg_get_payload_offset(m, sizeof(*t)),
                               mnl_nlmsg_get_payload_len(m) - sizeof(*t), TCA_OPTIONS);
                inside = mnl_attr_get_payload(options);
                size = mnl_attr_get_payload_len(options);
                assert_int_equal(mnl_attr_get_u32(find(inside, size, TCA_BPF_FD)), 17);
                assert_string_equal(mnl_attr_get_str(find(inside, size, TCA_BPF_NAME)),
                                    "from_wire");
                /* Without it the program's return value is a class, and every frame passes. */
                assert_int_equal(mnl_attr_get_u32(find(inside, size, TCA_BPF_FLAGS)),
                                 TCA_BPF_FLAG_ACT_DIRECT);
        }
}

static void test_bucket(_unused_ void **state) {
        static const struct {
                uint64_t rate;
                uint32_t rate_32;
        } rates[] = {{125000, 125000}, {UINT32_MAX, UINT32_MAX}, {12500000000, UINT32_MAX}};

        for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
                const TcBucket bucket = {.rate = rates[i].rate, .burst = 3000, .limit = 12000};
                Netlink netlink = fake_kernel();
                const struct tc_tbf_qopt *options;
                const struct nlattr *nest, *inside;
                const struct nlmsghdr *m;
                const struct tcmsg *t;
                Refusal refusal;
                size_t size;

                fake_kernel_acks(0, NULL, 0);
                assert_int_equal(tc_add_bucket(&netlink, "uplink", INDEX, &bucket, &refusal), 0);
                t = heard(RTM_NEWQDISC, "tbf");
                assert_int_equal(t->tcm_ifindex, INDEX);
                assert_int_equal(t->tcm_parent, TC_H_ROOT);
                m = fake_kernel_heard(NULL);
                nest = find(mnl_nlmsg_get_payload_offset(m, sizeof(*t)),
                            mnl_nlmsg_get_payload_len(m) - sizeof(*t), TCA_OPTIONS);
                inside = mnl_attr_get_payload(nest);
                size = mnl_attr_get_payload_len(nest);
                options = mnl_attr_get_payload(find(inside, size, TCA_TBF_PARMS));
                assert_int_equal(options->rate.rate, rates[i].rate_32);
                assert_int_equal(options->rate.linklayer, TC_LINKLAYER_ETHERNET);
                assert_int_equal(options->limit, 12000);
                assert_int_equal(mnl_attr_get_u32(find(inside, size, TCA_TBF_BURST)), 3000);
                if (rates[i].rate > UINT32_MAX)
                        assert_int_equal(mnl_attr_get_u64(find(inside, size, TCA_TBF_RATE64)),
                                         rates[i].rate);
        }
}

static int try_bucket(Netlink *netlink, Refusal *refusal) {
        const TcBucket bucket = {.rate = 125000, .burst = 3000, .limit = 12000};

        return tc_add_bucket(netlink, "uplink", INDEX, &bucket, refusal);
}

static int try_ingress(Netlink *netlink, Refusal *refusal) {
        return tc_add_hooks(netlink, "uplink", INDEX, TC_HOOK_INGRESS, refusal);
}

static int try_clsact(Netlink *netlink, Refusal *refusal) {
        return tc_add_hooks(netlink, "uplink", INDEX, TC_HOOK_EGRESS, refusal);
}

static int try_attach(Netlink *netlink, Refusal *refusal) {
        return tc_attach(netlink, "uplink", INDEX, TC_HOOK_INGRESS, 17, "from_wire", refusal);
}

static void test_refused(_unused_ void **state) {
        static const struct {
                int (*try)(Netlink *netlink, Refusal *refusal);
                const char *what, *module, *option;
        } functions[] = {
                {try_ingress, "qdisc ingress", "modprobe sch_ingress", "CONFIG_NET_SCH_INGRESS"},
                {try_clsact, "qdisc clsact", "modprobe sch_ingress", "CONFIG_NET_SCH_INGRESS"},
                {try_bucket, "qdisc tbf", "modprobe sch_tbf", "CONFIG_NET_SCH_TBF"},
                {try_attach, "bpf", "modprobe cls_bpf", "CONFIG_NET_CLS_BPF"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
                Netlink netlink = fake_kernel();
                Refusal refusal = REFUSAL_UNTOUCHED;

                fake_kernel_acks(-ENOENT, "kind is unknown", NLM_F_CAPPED);
                assert_refused(functions[i].try(&netlink, &refusal), RAWNET_NOT_SUPPORTED, &refusal,
                               functions[i].what, functions[i].module, functions[i].option,
                               "uplink", "kind is unknown");
                fake_kernel_acks(-EPERM, "no", NLM_F_CAPPED);
                assert_refused(functions[i].try(&netlink, &refusal), RAWNET_KERNEL_REFUSED,
                               &refusal, "uplink", "no");
                assert_int_equal(refusal.kernel_errno, EPERM);
                fault_arm(1, ENOBUFS);
                assert_int_equal(functions[i].try(&netlink, &refusal), -ENOBUFS);
                assert_true(fault_disarm());
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hooks),
                cmocka_unit_test(test_attach),
                cmocka_unit_test(test_bucket),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests_name("tc", tests, NULL, NULL);
}
