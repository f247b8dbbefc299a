/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a scan finds where the kernel's list of namespace ids is not whole, and whether it knows.
 * The kernel's answers are played.
 */

#include "helper/kernel/nsid.h"
#include "helper/kernel/record.h"
#include "helper/worker/scan.h"
#include "test.h"

#define OLD UINT32_C(0x10000) /* ids as earlier versions gave them */
#define NEW RAWNET_ID_FIRST

static const uint32_t *dumped, *alive; /* 0 ends both */
static NsidList list;                  /* what the dump is */
static uint32_t of_the_future; /* a later version's lease, which cannot be understood at all */
static uint32_t unreadable;    /* the kernel refuses to say what this one is */
static bool asked;             /* for ids one by one */
static Netlink rtnl;
static struct {
        uint32_t leases[16];
        size_t n;
        bool scanned, whole;
} told;

int __wrap_nsid_dump(Netlink *netlink, NsidEach each, void *data, NsidList *ret_list,
                     Refusal *ret_refusal);
int __wrap_nsid_dump(_unused_ Netlink *netlink, NsidEach each, void *data, NsidList *ret_list,
                     _unused_ Refusal *ret_refusal) {
        for (const uint32_t *id = dumped; *id; id++)
                each(*id, data);
        *ret_list = list;
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

int __wrap_report_send(int fd, Report report);
int __wrap_report_send(_unused_ int fd, Report report) {
        told.scanned = report.type == REPORT_SCANNED;
        told.whole = told.scanned && report.value == SCAN_WHOLE;
        if (told.scanned)
                return 0;
        assert_int_equal(report.type, REPORT_LEASE);
        assert_int_equal(report.value, report.lease.id & 0xff);
        assert_int_equal(report.carries, 1400);
        assert_true(told.n < ARRAY_SIZE(told.leases));
        told.leases[told.n++] = report.lease.id;
        return 0;
}

/* A scan by a helper that knows of the leases known (0 ends it) reports those of expected, in any
 * order, each once. */
static void check_scan(const uint32_t *known, const uint32_t *in_dump, const uint32_t *living,
                       const uint32_t *expected) {
        RegistryEntry entries[8] = {};
        Registry registry = {.entries = entries};
        const JobContext job = {.netlink = &rtnl, .registry = &registry, .report_fd = -1};
        Refusal refusal = REFUSAL_UNTOUCHED;
        size_t n = 0;

        while (known[registry.n_entries]) {
                entries[registry.n_entries].lease.id = known[registry.n_entries];
                registry.n_entries++;
        }
        dumped = in_dump;
        alive = living;
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
}

#define IDS(...) ((const uint32_t[]){__VA_ARGS__})

static void test_whole(_unused_ void **state) {
        list = NSID_LIST_WHOLE;
        asked = false;
        check_scan(IDS(0), IDS(0), IDS(0), IDS(0));
        check_scan(IDS(0), IDS(OLD, NEW, 0), IDS(OLD, NEW, 0), IDS(OLD, NEW, 0));
        check_scan(IDS(OLD, 0), IDS(OLD, OLD + 1, 0), IDS(OLD, OLD + 1, 0), IDS(OLD, OLD + 1, 0));
        /* One ended, somebody else's is none of ours. */
        check_scan(IDS(OLD, OLD + 1, 0), IDS(7, OLD + 1, OLD + 5, 0), IDS(7, OLD + 1, 0),
                   IDS(OLD + 1, 0));
        assert_true(told.whole);
        assert_false(asked);
}

/* The list ends before the ids of new leases, or among them. */
static void test_cut_off(_unused_ void **state) {
        list = NSID_LIST_CUT_OFF;
        check_scan(IDS(0), IDS(OLD, 0), IDS(OLD, OLD + 1, NEW, NEW + 7, RAWNET_ID_MAX, 0),
                   IDS(OLD, NEW, NEW + 7, RAWNET_ID_MAX, 0));
        assert_false(told.whole); /* and indeed OLD + 1 was not found */
        check_scan(IDS(OLD + 1, 0), IDS(OLD, 0), IDS(OLD, OLD + 1, NEW, 0),
                   IDS(OLD, OLD + 1, NEW, 0));
        assert_false(told.whole);
        check_scan(IDS(0), IDS(0), IDS(0), IDS(0));
        assert_false(told.whole);
        /* No lower id can be missing. */
        check_scan(IDS(0), IDS(OLD, NEW, 0), IDS(OLD, NEW, NEW + 7, RAWNET_ID_MAX, 0),
                   IDS(OLD, NEW, NEW + 7, RAWNET_ID_MAX, 0));
        assert_true(told.whole);
}

/* One in the middle is left out, because another before it ended between two messages of the dump.
 */
static void test_skipped(_unused_ void **state) {
        list = NSID_LIST_LONG;
        check_scan(IDS(OLD, OLD + 1, OLD + 2, OLD + 3, 0), IDS(OLD, OLD + 1, OLD + 3, 0),
                   IDS(OLD + 1, OLD + 2, OLD + 3, 0), IDS(OLD + 1, OLD + 2, OLD + 3, 0));
        check_scan(IDS(OLD, OLD + 1, OLD + 2, 0), IDS(OLD + 2, 0), IDS(OLD, OLD + 1, OLD + 2, 0),
                   IDS(OLD, OLD + 1, OLD + 2, 0));
        check_scan(IDS(0), IDS(OLD, NEW, NEW + 2, 0), IDS(OLD, NEW, NEW + 1, NEW + 2, 0),
                   IDS(OLD, NEW, NEW + 1, NEW + 2, 0));
        assert_true(told.whole);
}

/* It is nowhere in the list, but known to be missing there. */
static void test_later_version(_unused_ void **state) {
        list = NSID_LIST_WHOLE;
        of_the_future = NEW + 1;
        check_scan(IDS(0), IDS(NEW, NEW + 1, NEW + 2, 0), IDS(NEW, NEW + 1, NEW + 2, 0),
                   IDS(NEW, NEW + 2, 0));
        assert_false(told.whole);
        of_the_future = 0;
}

/* A lease that could not be read is not gone: the scan fails, and another follows (worker.c). */
static void test_unreadable(_unused_ void **state) {
        const Registry registry = {};
        const JobContext job = {.netlink = &rtnl, .registry = &registry, .report_fd = -1};
        Refusal refusal = REFUSAL_UNTOUCHED;

        dumped = alive = IDS(OLD, OLD + 1, OLD + 2, 0);
        unreadable = OLD + 1;
        list = NSID_LIST_WHOLE;
        memset(&told, 0, sizeof(told));
        assert_refused(scan_leases(&job, &refusal), RAWNET_KERNEL_REFUSED, &refusal,
                       "interface lo");
        assert_int_equal(told.n, 1);
        assert_false(told.scanned);
        unreadable = 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unreadable), cmocka_unit_test(test_later_version),
                cmocka_unit_test(test_whole),      cmocka_unit_test(test_cut_off),
                cmocka_unit_test(test_skipped),
        };

        return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
