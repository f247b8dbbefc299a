/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "fault.h"
#include "service/quota.h"
#include "test.h"

/* A service with nothing but its leases and requests, which is all that quotas look at. */
typedef struct Fixture {
        Service service;
        Network network;
        uint32_t next_id;
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        f->network = (Network){
                .name = "lab", .path = "/etc/lab.conf", .max_leases = 4, .max_leases_per_user = 2};
        f->service.queues_per_user = 8;
        f->next_id = RAWNET_ID_MIN;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        lease_table_done(&f->service.leases);
        free(f);
        return 0;
}

static Lease *add(Fixture *f, const char *network, uint32_t uid) {
        IpcLease wire = {.id = f->next_id++, .uid = uid};

        put_text(wire.network, sizeof(wire.network), network);
        return lease_table_add(&f->service.leases, &wire);
}

static int check(Fixture *f, uint32_t uid, Refusal *refusal) {
        Request request = {.service = &f->service, .uid = uid};

        return quota_check(&request, &f->network, refusal);
}

static void test_per_user(void **state) {
        Fixture *f = *state;
        Refusal refusal = REFUSAL_UNTOUCHED;

        assert_int_equal(check(f, 1000, &refusal), 0);
        add(f, "lab", 1000);
        add(f, "lab2", 1000); /* another network */
        add(f, "la", 1000);
        assert_int_equal(check(f, 1000, &refusal), 0);
        add(f, "lab.100", 1000); /* another VLAN of the same */
        assert_string_equal(refusal.text, "untouched");
        assert_refused(check(f, 1000, &refusal), RAWNET_QUOTA_EXCEEDED, &refusal, "network lab",
                       "you have 2 of at most 2 leases", "/etc/lab.conf");
        assert_int_equal(check(f, 1001, &refusal), 0);
}

static void test_per_network(void **state) {
        Fixture *f = *state;
        Refusal refusal;

        for (uint32_t i = 0; i < 4; i++) {
                assert_int_equal(check(f, 2000, &refusal), 0);
                add(f, "lab", 1000 + i);
        }
        assert_refused(check(f, 2000, &refusal), RAWNET_QUOTA_EXCEEDED, &refusal, "network lab",
                       "at most 4");
        /* Root is a user like any other. */
        assert_refused(check(f, 0, &refusal), RAWNET_QUOTA_EXCEEDED, &refusal, "network lab");
}

/* A lease closed under its holder still holds a namespace. */
static void test_ended_counts(void **state) {
        Fixture *f = *state;
        Lease *first;
        Refusal refusal;

        first = add(f, "lab", 1000);
        add(f, "lab", 1000)->ended = true;
        assert_refused(check(f, 1000, &refusal), RAWNET_QUOTA_EXCEEDED, &refusal,
                       "you have 2 of at most 2 leases");
        lease_table_remove(&f->service.leases, first);
        assert_int_equal(check(f, 1000, &refusal), 0);
}

/* What the helper works on counts, what still waits for polkit does not, else a user blocks himself
 * by asking. */
static void test_opens_under_way(void **state) {
        Fixture *f = *state;
        Request under_way[3] = {0};
        Refusal refusal;

        for (size_t i = 0; i < ARRAY_SIZE(under_way); i++) {
                under_way[i] = (Request){.service = &f->service,
                                         .uid = 1000,
                                         .opens = true,
                                         .stage = i < 2 ? REQUEST_POLKIT : REQUEST_HELPER};
                put_text(under_way[i].open.network, sizeof(under_way[i].open.network), "lab.7");
                under_way[i].next = f->service.requests;
                f->service.requests = &under_way[i];
        }
        assert_int_equal(check(f, 1000, &refusal), 0);
        under_way[0].stage = REQUEST_HELPER;
        assert_refused(check(f, 1000, &refusal), RAWNET_QUOTA_EXCEEDED, &refusal,
                       "you have 2 of at most 2 leases");
        under_way[0].opens = false;
        assert_int_equal(check(f, 1000, &refusal), 0);
        f->service.requests = NULL;
}

static void test_over_all_networks(void **state) {
        Fixture *f = *state;
        Refusal refusal;

        f->network.max_leases = f->network.max_leases_per_user = 65536;
        for (uint32_t i = 0; i < 4095; i++)
                add(f, "other", 1000);
        assert_int_equal(check(f, 1000, &refusal), 0);
        add(f, "another", 1000);
        assert_refused(check(f, 1000, &refusal), RAWNET_LIMITS_EXCEEDED, &refusal, "network lab",
                       "you have 4096 leases on all networks");
        assert_int_equal(check(f, 1001, &refusal), 0);
}

/* Without memory a lease is not in the table, and not half in it: what is counted is what is there.
 */
static void test_faults(void **state) {
        Fixture *f = *state;
        unsigned n_leases = 0, failures = 0;
        Refusal refusal;

        f->network.max_leases = f->network.max_leases_per_user = 65536;
        /* Through several sizes of the table: each lease is tried with each of its allocations
         * failing. */
        while (n_leases < 100) {
                bool fired = true;

                for (unsigned n = 1; fired; n++) {
                        Lease *lease;

                        fault_arm(n, ENOMEM);
                        lease = add(f, "lab", 1000);
                        fired = fault_disarm();
                        failures += fired;
                        assert_true(fired == !lease);
                        n_leases += lease != NULL;
                        assert_int_equal(f->service.leases.n_leases, n_leases);
                        assert_int_equal(lease_table_count(&f->service.leases, "lab", 1000, false),
                                         n_leases);
                        if (lease)
                                assert_ptr_equal(
                                        lease_table_find(&f->service.leases, lease->ipc.id), lease);
                        f->network.max_leases_per_user = n_leases + 1;
                        assert_int_equal(check(f, 1000, &refusal), 0);
                        f->network.max_leases_per_user = n_leases ? n_leases : 1;
                        assert_int_equal(check(f, 1000, &refusal),
                                         n_leases ? RAWNET_QUOTA_EXCEEDED : 0);
                }
        }
        assert_true(failures > 100);
        /* Nothing that counting calls can fail. */
        fault_arm(1, ENOMEM);
        assert_refused(check(f, 1000, &refusal), RAWNET_QUOTA_EXCEEDED, &refusal,
                       "you have 100 of at most 100 leases");
        assert_int_equal(check(f, 1001, &refusal), 0);
        assert_false(fault_disarm());
}

/* Ports that wait for their guest's first frame: of one user, of all, live ones and those being
 * opened. */
static void test_learning(void **state) {
        Fixture *f = *state;
        Request asks = {.service = &f->service, .uid = 1000, .open.mac_mode = IPC_MAC_LEARN};
        Request under_way = {.service = &f->service,
                             .uid = 1000,
                             .opens = true,
                             .stage = REQUEST_HELPER,
                             .open.mac_mode = IPC_MAC_LEARN};
        Refusal refusal;
        Lease *lease;

        f->network.max_leases = f->network.max_leases_per_user = 65536;
        for (uint32_t i = 0; i < RAWNET_LEARNING_PER_USER_MAX; i++) {
                assert_int_equal(quota_check(&asks, &f->network, &refusal), 0);
                lease = add(f, "other", 1000);
        }
        assert_refused(quota_check(&asks, &f->network, &refusal), RAWNET_LIMITS_EXCEEDED, &refusal,
                       "network lab", "of your ports wait", "mac=");
        assert_int_equal(check(f, 1000, &refusal), 0);
        lease->ipc.mac.octet[0] = 0x52; /* learned */
        assert_int_equal(quota_check(&asks, &f->network, &refusal), 0);
        f->service.requests = &under_way;
        assert_refused(quota_check(&asks, &f->network, &refusal), RAWNET_LIMITS_EXCEEDED, &refusal,
                       "of your ports wait");
        under_way.opens = false;
        assert_int_equal(quota_check(&asks, &f->network, &refusal), 0);
        f->service.requests = NULL;
        lease->ipc.mac.octet[0] = 0;
        lease->ipc.gone = 1;
        assert_int_equal(quota_check(&asks, &f->network, &refusal), 0);
        for (uint32_t i = RAWNET_LEARNING_PER_USER_MAX - 1; i < RAWNET_LEARNING_MAX; i++)
                add(f, "other", 2000 + i);
        asks.uid = 1;
        assert_refused(quota_check(&asks, &f->network, &refusal), RAWNET_LIMITS_EXCEEDED, &refusal,
                       "all users");
}

/* Of one user, over all networks: closed ones, and those that the helper is working on, count. */
static void test_queues(void **state) {
        Fixture *f = *state;
        Request asks = {.service = &f->service, .uid = 1000, .open.queues = 2};
        Request under_way = {.service = &f->service,
                             .uid = 1000,
                             .opens = true,
                             .stage = REQUEST_HELPER,
                             .open.queues = 3};
        Refusal refusal;
        Lease *lease;

        put_text(under_way.open.network, sizeof(under_way.open.network), "other");
        add(f, "other", 1000)->ipc.queues = 2;
        lease = add(f, "another.7", 1000);
        lease->ipc.queues = 1;
        lease->ipc.gone = lease->ended = 1;
        add(f, "other", 1001)->ipc.queues = 8;
        f->service.requests = &under_way;
        assert_int_equal(quota_check(&asks, &f->network, &refusal), 0);
        asks.open.queues = 3;
        assert_refused(quota_check(&asks, &f->network, &refusal), RAWNET_QUOTA_EXCEEDED, &refusal,
                       "network lab", "have 6 of at most 8 queues", "3 more",
                       "--queues-per-user=", "rawnetctl list");
        under_way.stage = REQUEST_POLKIT;
        assert_int_equal(quota_check(&asks, &f->network, &refusal), 0);
        asks.open.queues = 6;
        assert_refused(quota_check(&asks, &f->network, &refusal), RAWNET_QUOTA_EXCEEDED, &refusal,
                       "3 of at most 8 queues", "6 more");
        f->service.queues_per_user = 9;
        assert_int_equal(quota_check(&asks, &f->network, &refusal), 0);
        /* Root is a user like any other. */
        asks.uid = 0;
        asks.open.queues = 10;
        assert_refused(quota_check(&asks, &f->network, &refusal), RAWNET_QUOTA_EXCEEDED, &refusal,
                       "your ports on all networks have 0 of at most 9 queues");
        f->service.requests = NULL;
}

#define with_service(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                with_service(test_per_user),
                with_service(test_per_network),
                with_service(test_ended_counts),
                with_service(test_opens_under_way),
                with_service(test_over_all_networks),
                with_service(test_learning),
                with_service(test_queues),
                with_service(test_faults),
        };

        return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
