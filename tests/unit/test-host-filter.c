/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What is done about the filter of a shared VLAN interface when the kernel does not say which
 * filters it has.
 */

#include "helper/worker/vlan-harden.h"

#include "fake-kernel.h"
#include "helper/worker/vlan-guard.h"
#include "test.h"

static unsigned n_checked;

int __wrap_guard_host_filter_check(const char *device, const MacAddress *mac, bool *ret,
                                   Refusal *ret_refusal);
int __wrap_guard_host_filter_check(_unused_ const char *device, _unused_ const MacAddress *mac,
                                   bool *ret, _unused_ Refusal *ret_refusal) {
        n_checked++;
        *ret = true;
        return 0;
}

static int filter_with(int kernel_errno, Refusal *refusal) {
        static const MacAddress mac = {{0x52, 0x54, 0, 1, 2, 3}};
        Netlink netlink = fake_kernel();

        n_checked = 0;
        fake_kernel_acks(-kernel_errno, NULL, 0);
        return host_filter_own_address(&netlink, "rnv1", 7, &mac, refusal);
}

/* These say that there is none. */
static void test_none(_unused_ void **state) {
        static const int none[] = {EOPNOTSUPP, EINVAL, ENOENT};

        for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;

                assert_int_equal(filter_with(none[i], &refusal), 0);
                assert_int_equal(n_checked, 1);
                assert_string_equal(refusal.text, "untouched");
        }
}

/* These say nothing: the interface is not brought up, and nothing is put in beside what may be
 * there. */
static void test_unknown(_unused_ void **state) {
        static const int unknown[] = {ENOBUFS, ENOMEM, EINTR, EPERM};

        for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;

                assert_refused(filter_with(unknown[i], &refusal), RAWNET_KERNEL_REFUSED, &refusal,
                               "tc filters");
                assert_int_equal(n_checked, 0);
                assert_int_equal(fake_kernel_requests(), 1);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_none),
                cmocka_unit_test(test_unknown),
        };

        return cmocka_run_group_tests_name("host-filter", tests, NULL, NULL);
}
