/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a scan finds where the kernel's list of namespace ids is not whole, and whether it knows.
 * The kernel's answers are played.
 */

#include "helper/kernel/nsid.h"
#include "helper/kernel/record.h"
#include "helper/worker/scan.h"
#include "test.h"

#define ID RAWNET_ID_MIN

static const uint32_t *dumped, *alive; /* 0 ends both */
static bool list_is_whole;             /* the dump */
static uint32_t of_the_future; /* a later version's lease, which cannot be understood at all */
static uint32_t unreadable;    /* the kernel refuses to say what this one is */
static bool asked;             /* for ids one by one */
static Netlink rtnl;
static struct {
        uint32_t leases[16];
        size_t n;
        bool scanned, whole;
} told;

int __wrap_nsid_dump(Netlink *netlink, NsidEach each, void *data, bool *ret_whole,
                     Refusal *ret_refusal);
int __wrap_nsid_dump(_unused_ Netlink *netlink, NsidEach each, void *data, bool *ret_whole,
                     _unused_ Refusal *ret_refusal) {
        for (const uint32_t *id = dumped; *id; id++)
                each(*id, data);
        *ret_whole = list_is_whole;
        return 0;
}

int __wrap_nsid_ask(Netlink *netlink, uint32_t first, uint32_t last, NsidEach each, void *data);
int __wrap_nsid_ask(_unused_ Netlink *netlink, uint32_t first, uint32_t last, NsidEach each,
                    void *data) {
        asked = true;
        for (const uint32_t *id = alive; *id; id++)
                if (*id >= first && *id <= last)
                        each(*id, data);
        return 0;
}

int __wrap_record_read(Netlink *netlink, uint32_t id, IpcLease *ret, LeaseLower *ret_lower,
                       Refusal *ret_refusal);
int __wrap_record_read(_unused_ Netlink *netlink, uint32_t id, IpcLease *ret, LeaseLower *ret_lower,
                       Refusal *ret_refusal) {
        if (id == of_the_future)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "a later version of rawnet opened lease %u", id);
        if (id == unreadable)
                return refuse_errno(ret_refusal, ENOBUFS, "interface lo");
        for (const uint32_t *a = alive; *a; a++)
                if (*a == id) {
                        *ret = (IpcLease){.id = id};
                        *ret_lower = (LeaseLower){.index = id & 0xff, .mtu = 1400};
                        return 0;
                }
        return refuse(ret_refusal, RAWNET_NO_SUCH_LEASE, "there is no lease %u", id);
}

int __wrap_report_send(int fd, ReportType type, const IpcLease *lease, uint32_t value);
int __wrap_report_send(_unused_ int fd, ReportType type, _unused_ const IpcLease *lease,
                       uint32_t value) {
        told.scanned = type == REPORT_SCANNED;
        told.whole = told.scanned && value == SCAN_WHOLE;
        return 0;
}

int __wrap_report_lease(int fd, const IpcLease *lease, uint32_t lower, uint32_t carries);
int __wrap_report_lease(_unused_ int fd, const IpcLease *lease, uint32_t lower, uint32_t carries) {
        told.scanned = false;
        assert_int_equal(lower, lease->id & 0xff);
        assert_int_equal(carries, 1400);
        assert_true(told.n < ARRAY_SIZE(told.leases));
        told.leases[told.n++] = lease->id;
        return 0;
}

/* A scan reports those of expected, in any order, each once. */
static void check_scan(const uint32_t *in_dump, const uint32_t *living, const uint32_t *expected) {
        const JobContext job = {.netlink = &rtnl, .report_fd = -1};
        Refusal refusal = REFUSAL_UNTOUCHED;
        size_t n = 0;

        dumped = in_dump;
        alive = living;
        asked = false;
        memset(&told, 0, sizeof(told));
        assert_int_equal(scan_leases(&job, &refusal), 0);
        assert_true(told.scanned);
        for (; expected[n]; n++) {
                unsigned seen = 0;

                for (size_t i = 0; i < told.n; i++)
                        seen += told.leases[i] == expected[n];
                if (seen != 1)
                        fail_msg("lease %u was reported %u times", expected[n], seen);
        }
        assert_int_equal(told.n, n);
        assert_string_equal(refusal.text, "untouched");
        assert_int_equal(asked, !list_is_whole);
}

#define IDS(...) ((const uint32_t[]){__VA_ARGS__})

static void test_whole(_unused_ void **state) {
        list_is_whole = true;
        check_scan(IDS(0), IDS(0), IDS(0));
        /* Others' namespaces are not looked at. */
        check_scan(IDS(7, ID - 1, ID, RAWNET_ID_MAX, 0), IDS(7, ID - 1, ID, RAWNET_ID_MAX, 0),
                   IDS(ID, RAWNET_ID_MAX, 0));
        /* One is ending. */
        check_scan(IDS(ID, ID + 1, 0), IDS(ID + 1, 0), IDS(ID + 1, 0));
        assert_true(told.whole);
}

/* The list ends before the ids of leases or among them, or leaves one out. */
static void test_not_whole(_unused_ void **state) {
        const uint32_t *living = IDS(7, ID, ID + 7, RAWNET_ID_MAX, 0);

        list_is_whole = false;
        check_scan(IDS(0), living, IDS(ID, ID + 7, RAWNET_ID_MAX, 0));
        check_scan(IDS(7, ID, 0), living, IDS(ID, ID + 7, RAWNET_ID_MAX, 0));
        check_scan(IDS(7, ID, RAWNET_ID_MAX, 0), living, IDS(ID, ID + 7, RAWNET_ID_MAX, 0));
        assert_true(told.whole);
}

/* It is nowhere in the list, but known to be missing there. */
static void test_later_version(_unused_ void **state) {
        list_is_whole = true;
        of_the_future = ID + 1;
        check_scan(IDS(ID, ID + 1, ID + 2, 0), IDS(ID, ID + 1, ID + 2, 0), IDS(ID, ID + 2, 0));
        assert_false(told.whole);
        of_the_future = 0;
}

/* A lease that could not be read is not gone: the scan fails, and another follows (server.c). */
static void test_unreadable(_unused_ void **state) {
        const JobContext job = {.netlink = &rtnl, .report_fd = -1};
        Refusal refusal = REFUSAL_UNTOUCHED;

        dumped = alive = IDS(ID, ID + 1, ID + 2, 0);
        unreadable = ID + 1;
        list_is_whole = true;
        memset(&told, 0, sizeof(told));
        assert_refused(scan_leases(&job, &refusal), RAWNET_KERNEL_REFUSED, &refusal,
                       "interface lo");
        assert_int_equal(told.n, 1);
        assert_false(told.scanned);
        unreadable = 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unreadable),
                cmocka_unit_test(test_later_version),
                cmocka_unit_test(test_whole),
                cmocka_unit_test(test_not_whole),
        };

        return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
