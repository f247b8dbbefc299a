/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The probe of the kernel, each of whose steps fails once: an error is never reported as a feature
 * that the kernel lacks.
 */

#include "helper/worker/probe.h"

#include "fault.h"
#include "find-link.h"
#include "helper/kernel/link.h"
#include "helper/kernel/offload.h"
#include "helper/worker/trial.h"
#include "test.h"

static struct {
        bool wire; /* the pair that the probe makes is there */
        const char *no_vlan;
        TrialResult trial;
        int refuses; /* kernel_errno of the fault_arm()ed call; 0: the call itself fails */
        bool reported;
        uint32_t features;
} kernel;

/* 0: it is not this call's turn to fail. */
static int fails(const char *name, Refusal *refusal) {
        if (!fault_due(name, ENOBUFS))
                return 0;
        return kernel.refuses ? refuse_errno(refusal, kernel.refuses, "%s", name) : -ENOBUFS;
}

int __wrap_privilege_enter_lease(const Privilege *privilege, Refusal *ret_refusal);
int __wrap_privilege_enter_lease(_unused_ const Privilege *privilege,
                                 _unused_ Refusal *ret_refusal) {
        return 0;
}

int __wrap_netlink_open(Netlink *ret, int protocol);
int __wrap_netlink_open(Netlink *ret, _unused_ int protocol) {
        *ret = (Netlink){};
        return fault_due("netlink_open", ENOBUFS) ? -ENOBUFS : 0;
}

int __wrap_link_make_pair(Netlink *netlink, const LinkPlan *plan, const char *peer,
                          uint32_t peer_index, LinkInfo *ret, LinkInfo *ret_peer,
                          Refusal *ret_refusal);
int __wrap_link_make_pair(_unused_ Netlink *netlink, _unused_ const LinkPlan *plan,
                          _unused_ const char *peer, _unused_ uint32_t peer_index, LinkInfo *ret,
                          LinkInfo *ret_peer, Refusal *ret_refusal) {
        int r = fails("link_make_pair", ret_refusal);

        *ret = *ret_peer = (LinkInfo){.index = 7};
        kernel.wire = r == 0;
        return r;
}

int __wrap_link_get(_unused_ Netlink *netlink, _unused_ int32_t nsid, const char *name,
                    LinkInfo *ret, Refusal *ret_refusal) {
        int r = fails("link_get", ret_refusal);

        if (r == 0 && !kernel.wire)
                return refuse_errno(ret_refusal, ENODEV, "interface %s", name);
        *ret = (LinkInfo){.index = 7};
        return r;
}

int __wrap_offload_off(const char *name, Refusal *ret_refusal);
int __wrap_offload_off(_unused_ const char *name, Refusal *ret_refusal) {
        return fails("offload_off", ret_refusal);
}

int __wrap_link_change(Netlink *netlink, uint32_t index, const LinkChange *change,
                       Refusal *ret_refusal);
int __wrap_link_change(_unused_ Netlink *netlink, _unused_ uint32_t index,
                       _unused_ const LinkChange *change, Refusal *ret_refusal) {
        return fails("link_change", ret_refusal);
}

int __wrap_link_add_vlan(Netlink *netlink, const LinkPlan *plan, uint16_t vlan, uint16_t protocol,
                         Refusal *ret_refusal);
int __wrap_link_add_vlan(_unused_ Netlink *netlink, const LinkPlan *plan, _unused_ uint16_t vlan,
                         _unused_ uint16_t protocol, Refusal *ret_refusal) {
        int r = fails("link_add_vlan", ret_refusal);

        assert_int_equal(plan->lower, 7);
        return r == 0 && kernel.no_vlan
                       ? refuse_errno(ret_refusal, EOPNOTSUPP, "%s", kernel.no_vlan)
                       : r;
}

int __wrap_trial_run(const JobContext *job, bool checksum_trick, TrialResult *ret,
                     Refusal *ret_refusal);
int __wrap_trial_run(_unused_ const JobContext *job, _unused_ bool checksum_trick, TrialResult *ret,
                     Refusal *ret_refusal) {
        if (fault_due("trial_run", ENOBUFS))
                return -ENOBUFS;
        *ret = kernel.trial;
        *ret_refusal = (Refusal){.text = "tried"};
        return 0;
}

int __wrap_report_send(int fd, Report report);
int __wrap_report_send(_unused_ int fd, Report report) {
        assert_int_equal(report.type, REPORT_PROBED);
        kernel.reported = true;
        kernel.features = report.value & ~(IPC_FEATURE_VHOST_NET | IPC_FEATURE_FILTER_LIMIT);
        return 0;
}

static int probe(void) {
        const JobContext job = {.report_fd = -1};
        const ProbeContext assuming = {.assume_checksum_trick = true};

        kernel.wire = kernel.reported = false;
        return probe_run(&job, &assuming);
}

static void test_features(_unused_ void **state) {
        const uint32_t always = IPC_FEATURE_CHECKSUM_TRICK | IPC_FEATURE_USER_NAMESPACE;

        memset(&kernel, 0, sizeof(kernel));
        assert_int_equal(probe(), 0);
        assert_int_equal(kernel.features, always | IPC_FEATURE_VLAN | IPC_FEATURE_EGRESS);
        kernel.no_vlan = "creating: Unknown device type";
        assert_int_equal(probe(), 0);
        assert_int_equal(kernel.features, always | IPC_FEATURE_EGRESS);
        kernel.no_vlan = NULL;
        kernel.trial = TRIAL_BLIND;
        assert_int_equal(probe(), 0);
        assert_int_equal(kernel.features,
                         always | IPC_FEATURE_VLAN | IPC_FEATURE_EGRESS | PROBE_GUARD_BLIND);
        kernel.trial = TRIAL_REFUSED;
        assert_int_equal(probe(), 0);
        assert_int_equal(kernel.features, always | IPC_FEATURE_VLAN);
        kernel.trial = TRIAL_FAILS;
        assert_int_equal(probe(), 0);
        assert_int_equal(kernel.features, always | IPC_FEATURE_VLAN | PROBE_GUARD_FAILS);
}

static void test_faults(_unused_ void **state) {
        static const int answers[] = {0, EPERM, ENOBUFS, ENOMEM, EINTR};

        memset(&kernel, 0, sizeof(kernel));
        for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
                bool fired = true;
                unsigned n = 0;

                kernel.refuses = answers[i];
                while (fired) {
                        int r;

                        fault_arm(++n, ENOBUFS);
                        r = probe();
                        fired = fault_disarm();
                        assert_int_equal(kernel.reported, !fired);
                        assert_true(fired ? r < 0 : r == 0);
                }
                /* the socket, no pair, one made, offload, both up, the VLAN, the hook */
                assert_int_equal(n - 1, 8);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_features),
                cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
