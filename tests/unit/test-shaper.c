/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Rate=: where the two queues are, their numbers, and what a kernel that lacks one makes of it. */

#include "helper/child/shaper.h"

#include <string.h>

#include "test.h"

static struct {
        unsigned buckets, queues;
        uint32_t bucket_at[4], queue_at[4], target, memory;
        TcBucket bucket;
        int bucket_answer, queue_answer, kernel_errno;
} tc;

static int answer(int r, Refusal *ret_refusal) {
        if (r == RAWNET_KERNEL_REFUSED)
                return refuse_errno(ret_refusal, tc.kernel_errno, "adding it");
        return r > 0 ? refuse(ret_refusal, (RawnetError)r, "it was refused") : r;
}

int __wrap_tc_add_bucket(Netlink *netlink, const char *link, uint32_t index, const TcBucket *bucket,
                         Refusal *ret_refusal);
int __wrap_tc_add_bucket(_unused_ Netlink *netlink, _unused_ const char *link, uint32_t index,
                         const TcBucket *bucket, Refusal *ret_refusal) {
        tc.bucket_at[tc.buckets++] = index;
        tc.bucket = *bucket;
        return answer(tc.bucket_answer, ret_refusal);
}

int __wrap_tc_add_fair_queues(Netlink *netlink, const char *link, uint32_t index, uint32_t target,
                              uint32_t memory, Refusal *ret_refusal);
int __wrap_tc_add_fair_queues(_unused_ Netlink *netlink, _unused_ const char *link, uint32_t index,
                              uint32_t target, uint32_t memory, Refusal *ret_refusal) {
        tc.queue_at[tc.queues++] = index;
        tc.target = target;
        tc.memory = memory;
        return answer(tc.queue_answer, ret_refusal);
}

static Guard guard_of(GuardShape shape) {
        return (Guard){.shape = shape,
                       .uplink = {"uplink", 1},
                       .port = {"port", 2},
                       .inner = {"inner", 3},
                       .mtu = 1500};
}

static int install(GuardShape shape, uint64_t rate, Refusal *refusal) {
        const Guard guard = guard_of(shape);
        Netlink netlink = {};

        tc.buckets = tc.queues = 0;
        return shaper_install(&guard, rate, &netlink, refusal);
}

static void test_places(_unused_ void **state) {
        static const uint32_t to_guest[] = {
                [GUARD_TAP] = 2, [GUARD_TAP_CHECKED] = 2, [GUARD_PACKET] = 3};

        memset(&tc, 0, sizeof(tc));
        for (GuardShape shape = GUARD_TAP; shape <= GUARD_PACKET; shape++) {
                Refusal refusal;

                assert_int_equal(install(shape, 100000000, &refusal), 0);
                assert_int_equal(tc.buckets, 2);
                assert_int_equal(tc.queues, 2);
                assert_int_equal(tc.bucket_at[0], 1);
                assert_int_equal(tc.bucket_at[1], to_guest[shape]);
                assert_int_equal(tc.queue_at[0], 1);
                assert_int_equal(tc.queue_at[1], to_guest[shape]);
                assert_int_equal(tc.bucket.rate, 12500000);
        }
}

static void test_numbers(_unused_ void **state) {
        static const struct {
                uint64_t rate;
                uint32_t longest, burst, limit;
        } numbers[] = {
                {1000000, 1514, 2 * 1514, 8 * 1514},     /* a few frames at least */
                {10000000, 1514, 12500, 31250},          /* 10 and 25 ms */
                {10000000, 65535, 2 * 65535, 8 * 65535}, /* one of them passes */
                {1000000000, 1514, 1250000, 3125000},
                {UINT64_C(100000000000), 1514, 125000000, 4 << 20},
        };
        Refusal refusal;

        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                const TcBucket bucket = shaper_bucket(numbers[i].rate, numbers[i].longest);

                assert_int_equal(bucket.rate, numbers[i].rate / 8);
                assert_int_equal(bucket.burst, numbers[i].burst);
                assert_int_equal(bucket.limit, numbers[i].limit);
        }
        /* CoDel must not drop a frame for the time that the one before it takes. */
        memset(&tc, 0, sizeof(tc));
        assert_int_equal(install(GUARD_TAP, 1000000, &refusal), 0);
        assert_int_equal(tc.target, 12112 * 3 / 2);
        assert_int_equal(tc.memory, 256 << 10);
        assert_int_equal(install(GUARD_TAP, 100000000, &refusal), 0);
        assert_int_equal(tc.target, 5000);
        assert_int_equal(tc.memory, 8 * 312500);
        assert_int_equal(install(GUARD_TAP, UINT64_C(100000000000), &refusal), 0);
        assert_int_equal(tc.memory, 32 << 20);
}

static void test_refused(_unused_ void **state) {
        static const int missing[] = {ENOENT, EOPNOTSUPP};
        Refusal refusal = REFUSAL_UNTOUCHED;

        memset(&tc, 0, sizeof(tc));
        tc.bucket_answer = RAWNET_NOT_SUPPORTED;
        assert_int_equal(install(GUARD_TAP, 100000000, &refusal), RAWNET_NOT_SUPPORTED);
        assert_int_equal(refusal.error, RAWNET_NOT_SUPPORTED);
        assert_int_equal(tc.buckets, 1);
        tc.bucket_answer = -ENOBUFS;
        assert_int_equal(install(GUARD_TAP, 100000000, &refusal), -ENOBUFS);
        tc.bucket_answer = 0;
        tc.queue_answer = RAWNET_KERNEL_REFUSED;
        tc.kernel_errno = ENOMEM;
        assert_int_equal(install(GUARD_TAP, 100000000, &refusal), RAWNET_KERNEL_REFUSED);
        assert_int_equal(refusal.kernel_errno, ENOMEM);
        assert_int_equal(tc.buckets, 1);
        tc.queue_answer = -ENOBUFS;
        assert_int_equal(install(GUARD_TAP, 100000000, &refusal), -ENOBUFS);
        /* Only a kernel that has no such queue keeps the FIFO. */
        tc.queue_answer = RAWNET_KERNEL_REFUSED;
        for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
                tc.kernel_errno = missing[i];
                assert_int_equal(install(GUARD_TAP, 100000000, &refusal), 0);
                assert_int_equal(tc.buckets, 2);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests_name("shaper", tests, NULL, NULL);
}
