/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The helper's own judgement: what a request may ask of a network file, whatever rawnetd says. The
 * file is the test's.
 */

#include "helper/worker/lease.h"
#include "helper/worker/probe.h"
#include "helper/worker/validate.h"
#include "test.h"

#include <linux/if_ether.h>

static Network file;

int __wrap_network_file_load_wait(const char *name, Network *ret, Refusal *ret_refusal);
int __wrap_network_file_load_wait(const char *name, Network *ret, Refusal *ret_refusal) {
        if (strcmp(name, file.name) != 0)
                return refuse(ret_refusal, RAWNET_NO_SUCH_NETWORK,
                              "network %s: there is no such network", name);
        *ret = file;
        return 0;
}

static bool has_vhost_net;

int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode) {
        assert_string_equal(path, "/dev/vhost-net");
        errno = ENOENT;
        return has_vhost_net ? 0 : -1;
}

#define ALL_FEATURES                                                                               \
        (IPC_FEATURE_VLAN | IPC_FEATURE_VHOST_NET | IPC_FEATURE_EGRESS | IPC_FEATURE_USER_NAMESPACE)

typedef struct Fixture {
        Registry registry;
        JobContext job;
        OpenContext open;
        IpcOpen request;
        LeasePlan plan;
        Refusal refusal;
} Fixture;

/* A good request for a tap on a good network: each test changes one thing. */
static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        file = (Network){.vlan_first = 100,
                         .vlan_last = 199,
                         .protocol = ETH_P_8021Q,
                         .mode = MODE_PRIVATE,
                         .kinds = KIND_BIT(KIND_TAP) | KIND_BIT(KIND_PACKET),
                         .anti_spoof = true,
                         .mac_prefixes = {{{{0x52, 0x54, 0x00}, 3}}, 1},
                         .max_leases = 2,
                         .max_leases_per_user = 2};
        put_text(file.name, sizeof(file.name), "lab");
        put_text(file.path, sizeof(file.path), "/etc/rawnet/networks/lab.conf");
        put_text(file.parent, sizeof(file.parent), "eth1");
        f->open = (OpenContext){.features = ALL_FEATURES};
        f->request = (IpcOpen){.uid = 1000,
                               .kind = KIND_TAP,
                               .queues = 2,
                               .mac_mode = IPC_MAC_GIVEN,
                               .mac = {{0x52, 0x54, 0x00, 1, 2, 3}},
                               .vnet_hdr = 1,
                               .vlan = 150,
                               .protocol = ETH_P_8021Q,
                               .mode = MODE_PRIVATE};
        put_text(f->request.network, sizeof(f->request.network), "lab.150");
        put_text(f->request.parent, sizeof(f->request.parent), "eth1");
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        registry_free(&f->registry);
        free(f);
        return 0;
}

static int judge(Fixture *f) {
        f->refusal = REFUSAL_UNTOUCHED;
        return validate_open(&f->job, &f->open, &f->request, &f->plan, &f->refusal);
}

static void test_good(void **state) {
        Fixture *f = *state;

        assert_int_equal(judge(f), 0);
        assert_int_equal(f->plan.lease.vlan, 150);
        assert_int_equal(f->plan.lease.uid, 1000);
        assert_int_equal(f->plan.shape, GUARD_TAP);
        assert_int_equal(f->plan.queues, 2);
        assert_string_equal(f->plan.lease.network, "lab.150");
        assert_true(mac_equal(&f->plan.lease.mac, &f->request.mac));
}

static void test_shapes(void **state) {
        Fixture *f = *state;

        assert_int_equal(judge(f), 0);
        assert_false(f->plan.blind);
        f->open.features |= PROBE_GUARD_BLIND;
        assert_int_equal(judge(f), 0);
        assert_true(f->plan.blind);
        assert_int_equal(f->plan.shape, GUARD_TAP_CHECKED);
        assert_false(f->plan.checksum_trick);
        f->request.kind = KIND_PACKET;
        assert_int_equal(judge(f), 0);
        assert_int_equal(f->plan.shape, GUARD_PACKET);
        assert_false(f->plan.checksum_trick);
        assert_true(f->plan.blind);
        /* The trick's veth completes all frames. */
        f->request.kind = KIND_TAP;
        f->open.features |= IPC_FEATURE_CHECKSUM_TRICK;
        assert_int_equal(judge(f), 0);
        assert_int_equal(f->plan.shape, GUARD_TAP_CHECKED);
        assert_true(f->plan.checksum_trick);
        assert_false(f->plan.limits_filters);
        f->open.features |= IPC_FEATURE_FILTER_LIMIT;
        assert_int_equal(judge(f), 0);
        assert_true(f->plan.limits_filters);
        f->request.kind = KIND_PACKET;
        assert_int_equal(judge(f), 0);
        assert_int_equal(f->plan.shape, GUARD_PACKET);
        assert_true(f->plan.checksum_trick);
        assert_false(f->plan.limits_filters);
}

static void test_network(void **state) {
        static const char *const none[] = {"other", "lab", "lab.99", "lab.200"};
        Fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
                put_text(f->request.network, sizeof(f->request.network), none[i]);
                assert_refused(judge(f), RAWNET_NO_SUCH_NETWORK, &f->refusal, none[i]);
        }
        put_text(f->request.network, sizeof(f->request.network), "../lab");
        assert_refused(judge(f), RAWNET_INVALID_ARGS, &f->refusal, "lab");
}

static void test_kind_not_offered(void **state) {
        Fixture *f = *state;

        file.kinds = KIND_BIT(KIND_PACKET);
        assert_refused(judge(f), RAWNET_KIND_NOT_OFFERED, &f->refusal, "lab", "tap");
}

/* What the file said when polkit was asked must still be what it says, down to keys that have no
 * member of their own. */
static void test_changed_since_asked(void **state) {
        Fixture *f = *state;
        IpcOpen good = f->request;

        f->request.vlan = 151;
        assert_refused(judge(f), RAWNET_ACCESS_DENIED, &f->refusal, "lab.150", "changed",
                       "try again");
        f->request = good;
        f->request.mode = MODE_BRIDGE;
        assert_refused(judge(f), RAWNET_ACCESS_DENIED, &f->refusal, "changed");
        f->request = good;
        put_text(f->request.parent, sizeof(f->request.parent), "eth2");
        assert_refused(judge(f), RAWNET_ACCESS_DENIED, &f->refusal, "changed");
        f->request = good;
        f->request.guest_servers = GUEST_SERVER_RA;
        assert_refused(judge(f), RAWNET_ACCESS_DENIED, &f->refusal, "changed");
        f->request = good;
        f->request.protocol = ETH_P_8021AD;
        assert_refused(judge(f), RAWNET_ACCESS_DENIED, &f->refusal, "changed");
        f->request = good;
        for (size_t i = 0; i < sizeof(file.digest); i++) {
                file.digest[i] = 1;
                assert_refused(judge(f), RAWNET_ACCESS_DENIED, &f->refusal, "changed");
                file.digest[i] = 0;
        }
        assert_int_equal(judge(f), 0);
}

static void test_mac(void **state) {
        Fixture *f = *state;

        f->request.mac = (MacAddress){{0x52, 0x54, 0x01, 1, 2, 3}};
        assert_refused(judge(f), RAWNET_INVALID_ARGS, &f->refusal, "52:54:01:01:02:03", "52:54:00",
                       "MACPrefix=");
        f->request.mac = (MacAddress){{0x53, 0x54, 0x00, 1, 2, 3}};
        assert_refused(judge(f), RAWNET_INVALID_ARGS, &f->refusal, "53:54:00:01:02:03");
        f->request.mac = (MacAddress){};
        f->request.mac_mode = IPC_MAC_LEARN;
        assert_int_equal(judge(f), 0);
        f->request.kind = KIND_PACKET;
        assert_refused(judge(f), RAWNET_NOT_SUPPORTED, &f->refusal, "lab.150", "learn", "tap");
}

static void test_kernel(void **state) {
        Fixture *f = *state;

        f->request.vhost = 1;
        f->open.features = ALL_FEATURES & ~IPC_FEATURE_VHOST_NET;
        assert_refused(judge(f), RAWNET_NOT_SUPPORTED, &f->refusal, "/dev/vhost-net", "vhost_net");
        /* Loaded since. */
        has_vhost_net = true;
        assert_int_equal(judge(f), 0);
        has_vhost_net = false;
        f->request.vhost = 0;
        /* The child will say what is wrong, if it still is. */
        f->open.features = ALL_FEATURES & ~IPC_FEATURE_EGRESS;
        for (f->request.kind = KIND_TAP; f->request.kind <= KIND_PACKET; f->request.kind++)
                assert_int_equal(judge(f), 0);
}

static void test_full(void **state) {
        Fixture *f = *state;
        IpcLease lease = {.id = RAWNET_ID_MIN};

        put_text(lease.network, sizeof(lease.network), "lab.100");
        assert_int_equal(registry_put(&f->registry, &lease, 0, 0), 1);
        f->open.n_leases = registry_count(&f->registry, "lab");
        assert_int_equal(judge(f), 0);
        lease.id++;
        lease.gone = 1; /* held on by its fds: it counts */
        assert_int_equal(registry_put(&f->registry, &lease, 0, 0), 1);
        f->open.n_leases = registry_count(&f->registry, "lab");
        assert_refused(judge(f), RAWNET_QUOTA_EXCEEDED, &f->refusal,
                       "network lab.150 has 2 of at most 2 leases", "MaxLeases=");
}

/* A refusal names its network once. */
static void test_named_once(_unused_ void **state) {
        static const struct {
                RawnetError error;
                const char *network, *said, *expected;
        } cases[] = {
                {RAWNET_NOT_SUPPORTED, "lab", "no tun", "network lab: no tun"},
                {RAWNET_NOT_SUPPORTED, "lab", "network lab: no tun", "network lab: no tun"},
                {RAWNET_QUOTA_EXCEEDED, "lab", "network lab has 2", "network lab has 2"},
                {RAWNET_NOT_SUPPORTED, "lab.100", "network lab: no tun", "network lab: no tun"},
                {RAWNET_NOT_SUPPORTED, "lab", "network cards are out",
                 "network lab: network cards are out"},
                {RAWNET_KERNEL_REFUSED, "lab", "setting rn1 up: no",
                 "network lab on wired0: the kernel refused: setting rn1 up: no"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Refusal refusal = {};

                refuse(&refusal, cases[i].error, "%s", cases[i].said);
                assert_int_equal(lease_name_network(cases[i].network, "wired0", (int)cases[i].error,
                                                    &refusal),
                                 cases[i].error);
                assert_string_equal(refusal.text, cases[i].expected);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_good, setup, teardown),
                cmocka_unit_test_setup_teardown(test_shapes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_network, setup, teardown),
                cmocka_unit_test_setup_teardown(test_kind_not_offered, setup, teardown),
                cmocka_unit_test_setup_teardown(test_changed_since_asked, setup, teardown),
                cmocka_unit_test_setup_teardown(test_mac, setup, teardown),
                cmocka_unit_test_setup_teardown(test_kernel, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full, setup, teardown),
                cmocka_unit_test(test_named_once),
        };

        return cmocka_run_group_tests_name("validate", tests, NULL, NULL);
}
