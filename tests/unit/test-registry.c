/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "fault.h"
#include "helper/registry.h"
#include "test.h"

static IpcLease lease_of(uint32_t id, const char *network) {
        IpcLease lease = {.id = id, .uid = 1000, .mtu = 1500, .queues = 1};

        put_text(lease.network, sizeof(lease.network), network);
        return lease;
}

static int put(Registry *registry, uint32_t id) {
        IpcLease lease = lease_of(id, "lab");

        return registry_put(registry, &lease, 3, 0);
}

static void test_put_and_find(_unused_ void **state) {
        Registry r = {0};
        IpcLease lease;

        assert_null(registry_find(&r, RAWNET_ID_MIN));
        /* In an order that makes it sort: 389 is prime to 1009. */
        for (uint32_t i = 0; i < 1009; i++)
                assert_int_equal(put(&r, RAWNET_ID_MIN + i * 389 % 1009), 1);
        assert_int_equal(r.n_entries, 1009);
        for (uint32_t i = 0; i < 1009; i++) {
                assert_int_equal(r.entries[i].lease.id, RAWNET_ID_MIN + i);
                assert_ptr_equal(registry_find(&r, RAWNET_ID_MIN + i), &r.entries[i]);
        }
        assert_null(registry_find(&r, RAWNET_ID_MIN + 1009));
        assert_int_equal(put(&r, RAWNET_ID_MIN), 0);
        for (uint32_t i = 0; i < 1009; i++) {
                assert_true(registry_remove(&r, RAWNET_ID_MIN + i * 17 % 1009, &lease));
                assert_int_equal(lease.id, RAWNET_ID_MIN + i * 17 % 1009);
        }
        assert_int_equal(r.n_entries, 0);
        assert_false(registry_remove(&r, RAWNET_ID_MIN, &lease));
        registry_free(&r);
}

static void test_changes(_unused_ void **state) {
        IpcLease lease = lease_of(RAWNET_ID_MIN, "lab");
        Registry r = {0};

        assert_int_equal(registry_put(&r, &lease, 3, 0), 1);
        assert_int_equal(registry_put(&r, &lease, 0, 0), 0);
        assert_int_equal(registry_find(&r, lease.id)->lower, 3);
        assert_true(ipc_lease_learns(&registry_find(&r, lease.id)->lease));
        lease.refused_mac.octet[0] = 0xbc;
        lease.refused_why = LEARN_REFUSED_PREFIX;
        assert_int_equal(registry_put(&r, &lease, 0, 0), 2);
        assert_int_equal(registry_put(&r, &lease, 0, 0), 0);
        lease.refused_why = LEARN_REFUSED_HOST;
        assert_int_equal(registry_put(&r, &lease, 0, 0), 2);
        lease.refused_mac.octet[5] = 1;
        assert_int_equal(registry_put(&r, &lease, 0, 0), 2);
        assert_true(ipc_lease_learns(&registry_find(&r, lease.id)->lease));
        lease.mac.octet[0] = 0x52; /* learnt */
        assert_int_equal(registry_put(&r, &lease, 3, 0), 2);
        assert_int_equal(registry_find(&r, lease.id)->lease.mac.octet[0], 0x52);
        assert_false(ipc_lease_learns(&registry_find(&r, lease.id)->lease));
        lease.gone = 1;
        assert_int_equal(registry_put(&r, &lease, 3, 0), 2);
        /* A report that was on its way before does not bring it back to life. */
        lease.gone = 0;
        assert_int_equal(registry_put(&r, &lease, 3, 0), 0);
        assert_int_equal(registry_find(&r, lease.id)->lease.gone, 1);
        lease.mac.octet[5] = 1; /* nor does one that has news of something else */
        assert_int_equal(registry_put(&r, &lease, 3, 0), 2);
        assert_int_equal(registry_find(&r, lease.id)->lease.gone, 1);
        registry_free(&r);
}

/* What a lease carries follows the interface below it, but no further than its own MTU, and a
 * that of an earlier version's direct lease only falls. */
static void test_mtu(_unused_ void **state) {
        static const struct {
                uint32_t mtu;
                uint32_t follows, direct; /* what they carry then */
        } steps[] = {{9000, 1500, 1500},
                     {1400, 1400, 1400},
                     {1300, 1300, 1300},
                     {1450, 1450, 1300},
                     {9000, 1500, 1300}};
        IpcLease lease = lease_of(RAWNET_ID_MIN, "lab"),
                 direct = lease_of(RAWNET_ID_MIN + 1, "lab"),
                 other = lease_of(RAWNET_ID_MIN + 2, "lab");
        Registry r = {0};

        direct.direct = 1;
        assert_int_equal(registry_put(&r, &lease, 3, 1500), 1);
        assert_int_equal(registry_put(&r, &direct, 3, 1500), 1);
        assert_int_equal(registry_put(&r, &other, 4, 1500), 1);
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                size_t position = 0, expected = 0, n = 0;

                expected += registry_find(&r, lease.id)->lease.mtu != steps[i].follows;
                expected += registry_find(&r, direct.id)->lease.mtu != steps[i].direct;
                while (registry_follow_mtu(&r, 3, steps[i].mtu, &position))
                        n++;
                assert_int_equal(n, expected);
                assert_int_equal(registry_find(&r, lease.id)->lease.mtu, steps[i].follows);
                assert_int_equal(registry_find(&r, direct.id)->lease.mtu, steps[i].direct);
                assert_int_equal(registry_find(&r, other.id)->lease.mtu, 1500);
        }
        /* A report that knows nothing of it changes nothing; a scan's does. */
        assert_int_equal(registry_put(&r, &lease, 0, 0), 0);
        assert_int_equal(registry_put(&r, &lease, 3, 1280), 2);
        assert_int_equal(registry_find(&r, lease.id)->lease.mtu, 1280);
        registry_free(&r);
}

/* A VLAN interface that keeps its leases below what its parent carries again. */
static void test_outgrown(_unused_ void **state) {
        IpcLease lease = lease_of(RAWNET_ID_MIN, "lab"), plain = lease_of(RAWNET_ID_MIN + 1, "lab");
        Registry r = {0};

        lease.vlan = 100;
        snprintf(lease.parent, sizeof(lease.parent), "eth1");
        snprintf(plain.parent, sizeof(plain.parent), "eth2");
        assert_int_equal(registry_put(&r, &lease, 3, 1500), 1);
        assert_int_equal(registry_put(&r, &plain, 4, 1200), 1);
        assert_false(registry_outgrown(&r, "eth1", 1500));
        assert_int_equal(registry_put(&r, &lease, 3, 1200), 2);
        assert_true(registry_outgrown(&r, "eth1", 1201));
        assert_false(registry_outgrown(&r, "eth1", 1200));
        assert_false(registry_outgrown(&r, "eth2", 1500));
        lease.gone = 1;
        assert_int_equal(registry_put(&r, &lease, 3, 1200), 2);
        assert_false(registry_outgrown(&r, "eth1", 1500));
        registry_free(&r);
}

/* What has the index of an interface that went is another interface. */
static void test_lower_gone(_unused_ void **state) {
        IpcLease lease = lease_of(RAWNET_ID_MIN, "lab");
        Registry r = {0};
        size_t position = 0;

        assert_int_equal(registry_put(&r, &lease, 3, 1500), 1);
        assert_false(registry_lower_gone(&r, 4));
        assert_true(registry_lower_gone(&r, 3));
        assert_false(registry_lower_gone(&r, 3));
        assert_null(registry_follow_mtu(&r, 3, 1400, &position));
        assert_int_equal(registry_find(&r, lease.id)->lease.mtu, 1500);
        registry_free(&r);
}

static void test_scan(_unused_ void **state) {
        Registry r = {0};
        IpcLease lost;

        for (uint32_t i = 0; i < 5; i++)
                assert_int_equal(put(&r, RAWNET_ID_MIN + i), 1);
        registry_begin_scan(&r);
        assert_int_equal(put(&r, RAWNET_ID_MIN + 1), 0);
        assert_int_equal(put(&r, RAWNET_ID_MIN + 3), 0);
        assert_int_equal(put(&r, RAWNET_ID_MIN + 9), 1); /* opened meanwhile */
        /* Ended after the scan had looked at it: the scan's word comes too late. */
        assert_true(registry_remove(&r, RAWNET_ID_MIN + 3, &lost));
        assert_int_equal(put(&r, RAWNET_ID_MIN + 3), 0);
        assert_null(registry_find(&r, RAWNET_ID_MIN + 3));
        /* Ended before it was known at all. */
        assert_false(registry_remove(&r, RAWNET_ID_MIN + 20, &lost));
        assert_int_equal(put(&r, RAWNET_ID_MIN + 20), 0);

        for (const uint32_t *id = (const uint32_t[]){0, 2, 4, UINT32_MAX}; *id != UINT32_MAX;
             id++) {
                assert_true(registry_next_lost(&r, &lost));
                assert_int_equal(lost.id, RAWNET_ID_MIN + *id);
        }
        assert_false(registry_next_lost(&r, &lost));
        assert_int_equal(r.n_entries, 2);
        assert_false(r.scanning);
        /* The number is free for a new lease again. */
        assert_int_equal(put(&r, RAWNET_ID_MIN + 3), 1);
        registry_free(&r);
}

static void test_count(_unused_ void **state) {
        static const char *const networks[] = {"lab", "lab.100", "lab.4094", "lab2",
                                               "la",  "LAB",     "lab-x",    "lab_1.5"};
        Registry r = {0};

        for (uint32_t i = 0; i < ARRAY_SIZE(networks); i++) {
                IpcLease lease = lease_of(RAWNET_ID_MIN + i, networks[i]);

                lease.gone = i == 0;
                assert_int_equal(registry_put(&r, &lease, 1, 0), 1);
        }
        assert_int_equal(registry_count(&r, "lab"), 3);
        assert_int_equal(registry_count(&r, "lab2"), 1);
        assert_int_equal(registry_count(&r, "lab_1"), 1);
        assert_int_equal(registry_count(&r, "l"), 0);
        assert_int_equal(registry_count(&r, "none"), 0);
        registry_free(&r);
}

/* A user's, over all networks; closed ones count until their holder closes his descriptors. */
static void test_count_queues(_unused_ void **state) {
        Registry r = {0};
        IpcLease lease;

        assert_int_equal(registry_count_queues(&r, 1000), 0);
        for (uint32_t i = 0; i < 4; i++) {
                lease = lease_of(RAWNET_ID_MIN + i, i % 2 ? "lab" : "other");
                lease.queues = (uint8_t)(i + 1);
                lease.gone = i == 1;
                lease.uid = i == 3 ? 1001 : 1000;
                assert_int_equal(registry_put(&r, &lease, 1, 0), 1);
        }
        assert_int_equal(registry_count_queues(&r, 1000), 6);
        assert_int_equal(registry_count_queues(&r, 1001), 4);
        assert_int_equal(registry_count_queues(&r, 0), 0);
        /* It stays what it was when the lease became known. */
        lease.queues = 1;
        assert_int_equal(registry_put(&r, &lease, 1, 0), 0);
        assert_int_equal(registry_count_queues(&r, 1001), 4);
        assert_true(registry_remove(&r, lease.id, &lease));
        assert_int_equal(registry_count_queues(&r, 1001), 0);
        registry_free(&r);
}

static void test_faults(_unused_ void **state) {
        Registry r = {0};
        IpcLease lost;

        fault_arm(1, 0);
        assert_int_equal(put(&r, RAWNET_ID_MIN), -ENOMEM);
        assert_true(fault_disarm());
        assert_int_equal(r.n_entries, 0);
        for (uint32_t i = 0; i < 64; i++)
                assert_int_equal(put(&r, RAWNET_ID_MIN + i), 1);
        fault_arm(1, 0);
        assert_int_equal(put(&r, RAWNET_ID_MIN + 64), -ENOMEM);
        assert_true(fault_disarm());
        assert_int_equal(r.n_entries, 64);
        assert_int_equal(put(&r, RAWNET_ID_MIN + 64), 1);

        registry_begin_scan(&r);
        fault_arm(1, 0);
        assert_true(registry_remove(&r, RAWNET_ID_MIN, &lost));
        assert_true(fault_disarm());
        assert_null(registry_find(&r, RAWNET_ID_MIN));
        registry_free(&r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_put_and_find), cmocka_unit_test(test_changes),
                cmocka_unit_test(test_mtu),          cmocka_unit_test(test_lower_gone),
                cmocka_unit_test(test_outgrown),     cmocka_unit_test(test_scan),
                cmocka_unit_test(test_count),        cmocka_unit_test(test_count_queues),
                cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
