/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A scan of the leases whose dump of namespace ids is not whole. The kernel's answers are played.
 */

#include "helper/lease.h"
#include "helper/record.h"
#include "test.h"

#define FIRST UINT32_C(0x10000)

static const uint32_t *dumped, *alive; /* 0 ends both */
static uint32_t unreadable;            /* the kernel refuses to say what this one is */
static struct {
        uint32_t leases[16];
        size_t n;
        bool scanned;
} told;

int __wrap_netlink_open(Netlink *ret, int protocol);
int __wrap_netlink_open(Netlink *ret, _unused_ int protocol) {
        *ret = (Netlink){};
        return 0;
}

int __wrap_link_nsid_dump(Netlink *netlink, LinkNsidEach each, void *data, Refusal *ret_refusal);
int __wrap_link_nsid_dump(_unused_ Netlink *netlink, LinkNsidEach each, void *data, _unused_ Refusal *ret_refusal) {
        for (const uint32_t *id = dumped; *id; id++)
                each((int32_t)*id, data);
        return 0;
}

int __wrap_record_read(Netlink *netlink, uint32_t id, WireLease *ret, Refusal *ret_refusal);
int __wrap_record_read(_unused_ Netlink *netlink, uint32_t id, WireLease *ret, Refusal *ret_refusal) {
        if (id == unreadable)
                return refuse_errno(ret_refusal, ENOBUFS, "interface lo");
        for (const uint32_t *a = alive; *a; a++)
                if (*a == id) {
                        *ret = (WireLease){.id = id, .gone = 1};
                        return 0;
                }
        return refuse(ret_refusal, RAWNET_NO_SUCH_LEASE, "there is no lease %u", id);
}

int __wrap_report_send(int fd, ReportType type, const WireLease *lease, uint32_t value);
int __wrap_report_send(_unused_ int fd, ReportType type, const WireLease *lease, _unused_ uint32_t value) {
        told.scanned = type == REPORT_SCANNED;
        if (type == REPORT_LEASE) {
                assert_true(told.n < ARRAY_SIZE(told.leases));
                told.leases[told.n++] = lease->id;
        }
        return 0;
}

/* A scan by a helper that knows of the leases known (0 ends it) reports those of expected, in any order, each once. */
static void check_scan(const uint32_t *known, const uint32_t *in_dump, const uint32_t *living, const uint32_t *expected) {
        RegistryEntry entries[8] = {};
        Registry registry = {.entries = entries};
        const LeaseContext context = {.registry = &registry, .report_fd = -1};
        Refusal refusal = REFUSAL_UNTOUCHED;
        size_t n = 0;

        while (known[registry.n_entries]) {
                entries[registry.n_entries].lease.id = known[registry.n_entries];
                registry.n_entries++;
        }
        dumped = in_dump;
        alive = living;
        memset(&told, 0, sizeof(told));
        assert_int_equal(lease_scan(&context, &refusal), 0);
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
        check_scan(IDS(0), IDS(0), IDS(0), IDS(0));
        check_scan(IDS(0), IDS(FIRST, FIRST + 1, 0), IDS(FIRST, FIRST + 1, 0), IDS(FIRST, FIRST + 1, 0));
        check_scan(IDS(FIRST, 0), IDS(FIRST, FIRST + 1, 0), IDS(FIRST, FIRST + 1, 0), IDS(FIRST, FIRST + 1, 0));
        /* One ended, somebody else's is none of ours. */
        check_scan(IDS(FIRST, FIRST + 1, 0), IDS(7, FIRST + 1, FIRST + 5, 0), IDS(7, FIRST + 1, 0), IDS(FIRST + 1, 0));
}

static void test_cut_off(_unused_ void **state) {
        check_scan(IDS(FIRST, FIRST + 1, FIRST + 2, 0), IDS(FIRST, 0), IDS(FIRST, FIRST + 1, FIRST + 2, 0),
                   IDS(FIRST, FIRST + 1, FIRST + 2, 0));
        check_scan(IDS(FIRST, FIRST + 1, 0), IDS(0), IDS(FIRST, FIRST + 1, 0), IDS(FIRST, FIRST + 1, 0));
}

/* One in the middle is left out, because another before it ended between two messages of the dump. */
static void test_skipped(_unused_ void **state) {
        check_scan(IDS(FIRST, FIRST + 1, FIRST + 2, FIRST + 3, 0), IDS(FIRST, FIRST + 1, FIRST + 3, 0),
                   IDS(FIRST + 1, FIRST + 2, FIRST + 3, 0), IDS(FIRST + 1, FIRST + 2, FIRST + 3, 0));
        check_scan(IDS(FIRST, FIRST + 1, FIRST + 2, 0), IDS(FIRST + 2, 0), IDS(FIRST, FIRST + 1, FIRST + 2, 0),
                   IDS(FIRST, FIRST + 1, FIRST + 2, 0));
}

/* A lease that could not be read is not gone: the scan fails, and another follows (worker.c). */
static void test_unreadable(_unused_ void **state) {
        const Registry registry = {};
        const LeaseContext context = {.registry = &registry, .report_fd = -1};
        Refusal refusal = REFUSAL_UNTOUCHED;

        dumped = alive = IDS(FIRST, FIRST + 1, FIRST + 2, 0);
        unreadable = FIRST + 1;
        memset(&told, 0, sizeof(told));
        assert_refused(lease_scan(&context, &refusal), RAWNET_KERNEL_REFUSED, &refusal, "interface lo");
        assert_int_equal(told.n, 1);
        assert_false(told.scanned);
        unreadable = 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unreadable),
                cmocka_unit_test(test_whole),
                cmocka_unit_test(test_cut_off),
                cmocka_unit_test(test_skipped),
        };

        return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
