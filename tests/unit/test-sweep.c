/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Which shared VLAN interfaces a sweep removes, and when the host's guard goes with them. The kernel's answers are played.
 */

#include <linux/if_ether.h>

#include "fault.h"
#include "helper/guard.h"
#include "helper/parent.h"
#include "test.h"

#define PARENT 2u
#define INDEX(vlan) (1000u + (vlan))
#define VLANS_MAX 1000u

static struct {
        unsigned n_vlans;            /* shared interfaces of VLAN 1 to that */
        unsigned leg_on;             /* a host leg stands on that VLAN's */
        unsigned lease_on;           /* the lease's uplink stands on that VLAN's */
        const char *unlisted;        /* of this kind there is no list: links come and go */
        int unseen;                  /* the kernel refuses with this errno to show the lease's uplink */
        bool later;                  /* the lease is a later version's */
        bool foreign;                /* and an administrator's own VLAN interface is there */
        bool deleted[VLANS_MAX + 1];
        unsigned n_deleted;
        bool guard_removed;
} host;

static void name_of(unsigned vlan, char name[static IFNAMSIZ]) {
        snprintf(name, IFNAMSIZ, RAWNET_VLAN_NAME_FORMAT, (unsigned long long)PARENT << 13 | vlan);
}

int __wrap_link_dump(Netlink *netlink, const char *kind, LinkEach each, void *data, Refusal *ret_refusal);
int __wrap_link_dump(_unused_ Netlink *netlink, const char *kind, LinkEach each, void *data,
                     _unused_ Refusal *ret_refusal) {
        LinkInfo info = {.lower = PARENT, .vlan_protocol = ETH_P_8021Q};
        int r = 0;

        if (host.unlisted && strcmp(kind, host.unlisted) == 0)
                return -EAGAIN;
        if (strcmp(kind, "macvlan") == 0) {
                info.lower = INDEX(host.leg_on);
                return host.leg_on ? each(&info, data) : 0;
        }
        for (unsigned vlan = 1; r == 0 && vlan <= host.n_vlans; vlan++) {
                info.index = INDEX(vlan);
                info.vlan = (uint16_t)vlan;
                name_of(vlan, info.name);
                r = each(&info, data);
        }
        if (r == 0 && host.foreign) {
                info.vlan = 4000;
                put_text(info.name, sizeof(info.name), "rnv-mine");
                r = each(&info, data);
        }
        return r;
}

int __wrap_link_get(Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret, Refusal *ret_refusal);
int __wrap_link_get(_unused_ Netlink *netlink, _unused_ int32_t nsid, const char *name, LinkInfo *ret, Refusal *ret_refusal) {
        if (host.unseen)
                return host.unseen < 0 ? host.unseen : refuse_errno(ret_refusal, host.unseen, "interface %s", name);
        *ret = (LinkInfo){.lower = INDEX(host.lease_on)};
        return 0;
}

int __wrap_link_delete(Netlink *netlink, int32_t nsid, const char *name, Refusal *ret_refusal);
int __wrap_link_delete(_unused_ Netlink *netlink, int32_t nsid, const char *name, _unused_ Refusal *ret_refusal) {
        char expected[IFNAMSIZ];

        assert_int_equal(nsid, LINK_HERE);
        for (unsigned vlan = 1; vlan <= host.n_vlans; vlan++) {
                name_of(vlan, expected);
                if (strcmp(name, expected) != 0)
                        continue;
                assert_false(host.deleted[vlan]);
                host.deleted[vlan] = true;
                host.n_deleted++;
                return 0;
        }
        fail_msg("it deleted %s", name);
        return -ENODEV;
}

int __wrap_guard_host_remove(Refusal *ret_refusal);
int __wrap_guard_host_remove(_unused_ Refusal *ret_refusal) {
        host.guard_removed = true;
        return 0;
}

static int sweep(void) {
        RegistryEntry entry = {.lease = {.id = RAWNET_ID_MIN,
                                         .vlan = (uint16_t)host.lease_on,
                                         .later = host.later}};
        const Registry registry = {.entries = &entry, .n_entries = host.lease_on ? 1 : 0};
        Refusal refusal = REFUSAL_UNTOUCHED;
        Netlink netlink = {};
        int r = parent_sweep(&netlink, &registry, &refusal);

        assert_string_equal(refusal.text, "untouched");
        return r;
}

static void check(unsigned n_vlans, unsigned lease_on, unsigned leg_on) {
        unsigned kept = (lease_on > 0) + (leg_on > 0);

        memset(&host, 0, sizeof(host));
        host.n_vlans = n_vlans;
        host.lease_on = lease_on;
        host.leg_on = leg_on;
        host.foreign = true;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, n_vlans - kept);
        assert_false(lease_on && host.deleted[lease_on]);
        assert_false(leg_on && host.deleted[leg_on]);
        assert_int_equal(host.guard_removed, n_vlans > 0 && kept == 0);
}

static void test_few(_unused_ void **state) {
        check(0, 0, 0);
        check(1, 0, 0);
        check(1, 1, 0);
        check(1, 0, 1);
        check(5, 2, 4);
        check(5, 0, 0);
}

/* The host's guard stays while any is in use, wherever in the list that one stands. */
static void test_many(_unused_ void **state) {
        check(VLANS_MAX, 0, 0);
        check(VLANS_MAX, VLANS_MAX, 0);
        check(VLANS_MAX, 0, VLANS_MAX);
        check(VLANS_MAX, 1, 300);
}

/* A user who opens and closes leases all the time has no host leg's interface swept away. */
static void test_no_list(_unused_ void **state) {
        static const char *const kinds[] = {"vlan", "macvlan"};

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                memset(&host, 0, sizeof(host));
                host.n_vlans = 5;
                host.leg_on = 2;
                host.unlisted = kinds[i];
                assert_int_equal(sweep(), -EAGAIN);
                assert_int_equal(host.n_deleted, 0);
                assert_false(host.guard_removed);
        }
}

/* An uplink that cannot be looked at may be there. */
static void test_unseen(_unused_ void **state) {
        static const int unknown[] = {ENOBUFS, ENOMEM, EINTR, EPERM, EBUSY, -ENOBUFS}, gone[] = {ENODEV, EINVAL, EACCES};

        for (size_t i = 0; i < ARRAY_SIZE(unknown) + ARRAY_SIZE(gone); i++) {
                bool is_gone = i >= ARRAY_SIZE(unknown);

                memset(&host, 0, sizeof(host));
                host.n_vlans = host.lease_on = 1;
                host.unseen = is_gone ? gone[i - ARRAY_SIZE(unknown)] : unknown[i];
                assert_int_equal(sweep(), is_gone ? 0 : host.unseen < 0 ? host.unseen : -host.unseen);
                assert_int_equal(host.n_deleted, is_gone);
                assert_int_equal(host.guard_removed, is_gone);
        }
}

/* What a later version's lease needs is not known: it may be any. */
static void test_later_version(_unused_ void **state) {
        memset(&host, 0, sizeof(host));
        host.n_vlans = 5;
        host.lease_on = 3;
        host.later = true;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, 0);
        assert_false(host.guard_removed);
}

static void test_no_memory(_unused_ void **state) {
        for (unsigned n = 1;; n++) {
                int r;

                memset(&host, 0, sizeof(host));
                host.n_vlans = 100;
                fault_arm(n, ENOMEM);
                r = sweep();
                if (!fault_disarm()) {
                        assert_int_equal(r, 0);
                        assert_true(n > 1);
                        return;
                }
                assert_int_equal(r, -ENOMEM);
                assert_int_equal(host.n_deleted, 0);
                assert_false(host.guard_removed);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_few),           cmocka_unit_test(test_many),
                        cmocka_unit_test(test_no_list),       cmocka_unit_test(test_unseen),
                        cmocka_unit_test(test_later_version), cmocka_unit_test(test_no_memory),
        };

        return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
