/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Which shared VLAN interfaces a sweep removes, which it marks or hands over, and when the host's
 * guard goes with them. The kernel's answers are played.
 */

#include <linux/if_ether.h>

#include "fault.h"
#include "find-link.h"
#include "helper/worker/host/vlan-guard.h"
#include "helper/kernel/link.h"
#include "helper/report.h"
#include "helper/worker/host/sweep.h"
#include "helper/worker/host/vlan-harden.h"
#include "test.h"

#define PARENT 2u
#define OWNER_FD 77
#define INDEX(vlan) (1000u + (vlan))
#define VLANS_MAX 1000u

static struct {
        unsigned n_vlans;     /* shared interfaces of VLAN 1 to that */
        unsigned host_on;     /* the VLAN interface that has a host interface; 0: none */
        unsigned lease_on;    /* the lease's uplink is on that VLAN's */
        bool lease_elsewhere; /* or rather on an interface of another namespace with that index */
        const char *unlisted; /* of this kind there is no list: links come and go */
        int unseen;           /* the kernel refuses with this errno to show the lease's uplink */
        bool later;           /* the lease is a later version's */
        bool moved;           /* their parent is in another namespace by now */
        bool unmarked;        /* they are in the default group */
        bool renamed;         /* they have other names */
        const char *alias;    /* theirs */
        bool other_kind;      /* they are no VLAN interfaces */
        bool part;            /* the scan may have missed leases */
        bool host_elsewhere;  /* the host interface is on another namespace's link of that index */
        bool foreign;         /* and an administrator's own VLAN interface is there */
        int undeletable;      /* with this errno */
        bool deleted[VLANS_MAX + 1];
        unsigned n_deleted, n_marked, n_opened, n_let_go;
        int unopenable; /* with this errno */
        bool guard_removed, guarded;
        int unguardable;      /* with this errno */
        bool left;            /* REPORT_SWEPT says that there is one */
        uint64_t opening[64]; /* the VLANs of opens in progress */
} host;

static void name_of(unsigned vlan, char name[static IFNAMSIZ]) {
        snprintf(name, IFNAMSIZ, RAWNET_VLAN_NAME_FORMAT, (unsigned long long)PARENT << 13 | vlan);
}

int __wrap_link_dump(Netlink *netlink, const char *kind, LinkEach each, void *data,
                     Refusal *ret_refusal);
int __wrap_link_dump(_unused_ Netlink *netlink, const char *kind, LinkEach each, void *data,
                     _unused_ Refusal *ret_refusal) {
        LinkInfo info = {.lower = PARENT, .vlan_protocol = ETH_P_8021Q, .kind = "vlan"};
        int r = 0;

        if (host.unlisted && strcmp(kind, host.unlisted) == 0)
                return -EAGAIN;
        if (strcmp(kind, "macvlan") == 0) {
                info.lower = host.host_elsewhere ? 0 : INDEX(host.host_on);
                info.lower_elsewhere = host.host_elsewhere ? INDEX(host.host_on) : 0;
                return host.host_on ? each(&info, data) : 0;
        }
        for (unsigned vlan = 1; r == 0 && vlan <= host.n_vlans; vlan++) {
                info.index = INDEX(vlan);
                info.vlan = (uint16_t)vlan;
                info.group = host.unmarked ? 0 : RAWNET_VLAN_GROUP;
                name_of(vlan, info.name);
                if (host.renamed)
                        put_text(info.name, sizeof(info.name), "eth0.100");
                if (host.moved) {
                        info.lower = 0;
                        info.lower_elsewhere = PARENT;
                }
                put_text(info.alias, sizeof(info.alias), host.alias ? host.alias : "");
                put_text(info.kind, sizeof(info.kind), host.other_kind ? "macvlan" : "vlan");
                r = each(&info, data);
        }
        if (r == 0 && host.foreign) {
                info.vlan = 4000;
                info.group = 0;
                info.alias[0] = '\0';
                put_text(info.name, sizeof(info.name), "rnv-mine");
                r = each(&info, data);
        }
        return r;
}

int __wrap_link_get(_unused_ Netlink *netlink, _unused_ int32_t nsid, const char *name,
                    LinkInfo *ret, Refusal *ret_refusal) {
        if (host.unseen)
                return host.unseen < 0
                               ? host.unseen
                               : refuse_errno(ret_refusal, host.unseen, "interface %s", name);
        *ret = (LinkInfo){.index = 3,
                          .lower_elsewhere = INDEX(host.lease_on),
                          .lower_nsid = host.lease_elsewhere ? 6 : 5};
        return 0;
}

int __wrap_link_delete(Netlink *netlink, int32_t nsid, const LinkInfo *link, Refusal *ret_refusal);
int __wrap_link_delete(_unused_ Netlink *netlink, int32_t nsid, const LinkInfo *link,
                       Refusal *ret_refusal) {
        unsigned vlan = link->index - INDEX(0);

        assert_int_equal(nsid, LINK_HERE);
        assert_between(vlan, 1, host.n_vlans);
        assert_false(host.deleted[vlan]);
        if (host.undeletable)
                return refuse_errno(ret_refusal, host.undeletable, "deleting");
        host.deleted[vlan] = true;
        host.n_deleted++;
        return 0;
}

int __wrap_link_change(Netlink *netlink, uint32_t index, const LinkChange *change,
                       Refusal *ret_refusal);
int __wrap_link_change(_unused_ Netlink *netlink, uint32_t index, const LinkChange *change,
                       _unused_ Refusal *ret_refusal) {
        assert_between(index, INDEX(1), INDEX(host.n_vlans));
        assert_true(host.unmarked);
        if (change->alias) {
                /* The last step: by the alias a later sweep would begin again. */
                assert_string_equal(change->alias, "");
                assert_int_equal(host.n_opened, ++host.n_let_go);
        } else {
                assert_int_equal(change->group, RAWNET_VLAN_GROUP);
                host.n_marked++;
        }
        return 0;
}

int __wrap_vlan_harden_undo(Netlink *netlink, uint32_t index, Refusal *ret_refusal);
int __wrap_vlan_harden_undo(_unused_ Netlink *netlink, uint32_t index, Refusal *ret_refusal) {
        assert_between(index, INDEX(1), INDEX(host.n_vlans));
        if (host.unopenable)
                return refuse_errno(ret_refusal, host.unopenable, "opening");
        host.n_opened++;
        return 0;
}

int __wrap_vlan_guard_install(int owner_fd, Refusal *ret_refusal);
int __wrap_vlan_guard_install(int owner_fd, Refusal *ret_refusal) {
        assert_int_equal(owner_fd, OWNER_FD);
        assert_false(host.guard_removed);
        if (host.unguardable)
                return refuse_errno(ret_refusal, host.unguardable, "guarding");
        host.guarded = true;
        return 0;
}

int __wrap_vlan_guard_remove(int owner_fd, Refusal *ret_refusal);
int __wrap_vlan_guard_remove(int owner_fd, _unused_ Refusal *ret_refusal) {
        assert_int_equal(owner_fd, OWNER_FD);
        assert_false(host.guarded);
        host.guard_removed = true;
        return 0;
}

int __wrap_report_send(int fd, Report report);
int __wrap_report_send(_unused_ int fd, Report report) {
        assert_int_equal(report.type, REPORT_SWEPT);
        host.left = report.value & SWEEP_LEFT;
        return 0;
}

static Refusal said;

static int sweep(void) {
        RegistryEntry entry = {.lease = {.id = RAWNET_ID_MIN,
                                         .vlan = (uint16_t)host.lease_on,
                                         .later = host.later}};
        const Registry registry = {
                .entries = &entry, .n_entries = host.lease_on ? 1 : 0, .whole = !host.part};
        Netlink netlink = {.knows_nsid = true, .nsid = 5};
        const JobContext job = {.netlink = &netlink, .registry = &registry, .owner_fd = OWNER_FD};
        SweepContext context = {};
        int r;

        host.guarded = host.guard_removed = false;
        said = REFUSAL_UNTOUCHED;
        memcpy(context.opening, host.opening, sizeof(context.opening));
        r = sweep_run(&job, &context, &said);
        assert_true(r > 0 || strcmp(said.text, "untouched") == 0);
        return r;
}

static void check(unsigned n_vlans, unsigned lease_on, unsigned host_on) {
        unsigned kept = (lease_on > 0) + (host_on > 0);

        memset(&host, 0, sizeof(host));
        host.n_vlans = n_vlans;
        host.lease_on = lease_on;
        host.host_on = host_on;
        host.foreign = true;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, n_vlans - kept);
        assert_false(lease_on && host.deleted[lease_on]);
        assert_false(host_on && host.deleted[host_on]);
        assert_int_equal(host.guard_removed, n_vlans > 0 && kept == 0);
        assert_int_equal(host.guarded, kept > 0);
        assert_int_equal(host.left, kept > 0);
}

static void test_few(_unused_ void **state) {
        check(0, 0, 0);
        check(1, 0, 0);
        check(1, 1, 0);
        check(1, 0, 1);
        check(5, 2, 4);
        check(5, 0, 0);
}

/* The host's guard stays while any is in use, wherever it is in the list. */
static void test_many(_unused_ void **state) {
        check(VLANS_MAX, 0, 0);
        check(VLANS_MAX, VLANS_MAX, 0);
        check(VLANS_MAX, 0, VLANS_MAX);
        check(VLANS_MAX, 1, 300);
}

/* A user who opens and closes leases all the time cannot make a sweep delete a VLAN interface that
 * has a host interface. */
static void test_no_list(_unused_ void **state) {
        static const char *const kinds[] = {"vlan", "macvlan"};

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                memset(&host, 0, sizeof(host));
                host.n_vlans = 5;
                host.host_on = 2;
                host.unlisted = kinds[i];
                assert_int_equal(sweep(), -EAGAIN);
                assert_int_equal(host.n_deleted, 0);
                assert_false(host.guard_removed);
        }
}

/* An index means nothing without its namespace: neither is a shared interface in use by what is on
 * another, nor is it ours because of an index. */
static void test_elsewhere(_unused_ void **state) {
        memset(&host, 0, sizeof(host));
        host.n_vlans = host.host_on = 1;
        host.host_elsewhere = true;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, 1);

        memset(&host, 0, sizeof(host));
        host.n_vlans = host.lease_on = 1;
        host.lease_elsewhere = true;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, 1);

        memset(&host, 0, sizeof(host));
        host.n_vlans = 1;
        host.moved = true;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, 1);
        assert_true(host.guard_removed);
        /* A lease that still is on it keeps it. */
        host.lease_on = 1;
        memset(host.deleted, 0, sizeof(host.deleted));
        host.n_deleted = 0;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, 0);

        memset(&host, 0, sizeof(host));
        host.n_vlans = 1;
        host.other_kind = true;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, 0);
}

/* The mark makes an interface ours, whatever it is called; without one, what an earlier version
 * gave it: name and alias both. */
static void test_ours(_unused_ void **state) {
        static const char *const aliases[] = {NULL, "somebody's", "rawnet: VLAN 1 of eth0"};

        for (unsigned i = 0; i < 8 * ARRAY_SIZE(aliases); i++) {
                const bool alias = i / 8 == 2, ours = !(i & 1) || (alias && !(i & 2));

                memset(&host, 0, sizeof(host));
                host.n_vlans = 1;
                host.unmarked = i & 1;
                host.renamed = i & 2;
                host.moved = i & 4;
                host.alias = aliases[i / 8];
                assert_int_equal(sweep(), 0);
                assert_int_equal(host.n_deleted, ours);
                assert_int_equal(host.n_let_go, !ours && alias);
                assert_int_equal(host.guard_removed, ours || alias);
                assert_int_equal(host.n_marked, 0);
        }
}

/* One of an earlier version that stays is marked. */
static void test_marked(_unused_ void **state) {
        memset(&host, 0, sizeof(host));
        host.n_vlans = 5;
        host.lease_on = 2;
        host.host_on = 4;
        host.unmarked = true;
        host.alias = "rawnet: VLAN 1 of eth0";
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, 3);
        assert_int_equal(host.n_marked, 2);
        assert_int_equal(host.n_opened, 0);
}

/* What an administrator has taken over stays, whoever is on it, and is opened to the host. Not
 * beside an open, which may be closing it. */
static void test_taken_over(_unused_ void **state) {
        memset(&host, 0, sizeof(host));
        host.n_vlans = 3;
        host.lease_on = 2;
        host.unmarked = host.renamed = true;
        host.alias = "rawnet: VLAN 1 of eth0";
        host.opening[0] = UINT64_C(1) << 3;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted + host.n_marked, 0);
        assert_int_equal(host.n_let_go, 2);
        assert_false(host.guard_removed);

        host.opening[0] = 0;
        host.n_opened = host.n_let_go = 0;
        host.unopenable = EPERM;
        assert_int_equal(sweep(), RAWNET_KERNEL_REFUSED);
        assert_int_equal(host.n_let_go, 0);
        host.unopenable = ENODEV;
        assert_int_equal(sweep(), 0);
        assert_true(host.guard_removed);
}

/* While leases may be missing from the list, none is deleted. */
static void test_part_of_the_leases(_unused_ void **state) {
        memset(&host, 0, sizeof(host));
        host.n_vlans = 3;
        host.part = true;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, 0);
        assert_false(host.guard_removed);
}

/* An open in progress may put its uplink on the interface of its VLAN at any moment; the others'
 * are deleted all the same. */
static void test_opening(_unused_ void **state) {
        memset(&host, 0, sizeof(host));
        host.n_vlans = 70;
        host.opening[0] = UINT64_C(1) << 3;
        host.opening[1] = UINT64_C(1) << 2;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, 68);
        assert_false(host.deleted[3] || host.deleted[66]);
        assert_false(host.guard_removed);

        /* It makes an interface that the list does not have yet, and needs the guard. */
        memset(&host, 0, sizeof(host));
        host.n_vlans = 2;
        host.opening[1] = 1;
        assert_int_equal(sweep(), 0);
        assert_int_equal(host.n_deleted, 2);
        assert_false(host.guard_removed);
        assert_true(host.left);
}

/* The first error is reported. */
static void test_unguardable(_unused_ void **state) {
        memset(&host, 0, sizeof(host));
        host.n_vlans = host.host_on = 1;
        host.unguardable = EPERM;
        host.left = true;
        assert_int_equal(sweep(), RAWNET_KERNEL_REFUSED);
        assert_true(host.left);

        host.host_on = 0;
        host.undeletable = EBUSY;
        assert_refused(sweep(), RAWNET_KERNEL_REFUSED, &said, "deleting");
}

/* An error, and the host's guard stays. */
static void test_undeletable(_unused_ void **state) {
        memset(&host, 0, sizeof(host));
        host.n_vlans = 3;
        host.undeletable = EPERM;
        assert_int_equal(sweep(), RAWNET_KERNEL_REFUSED);
        assert_false(host.guard_removed);
}

/* An uplink that cannot be looked at may be there. */
static void test_unseen(_unused_ void **state) {
        static const int unknown[] = {ENOBUFS, ENOMEM, EINTR, EPERM, EBUSY, -ENOBUFS},
                         gone[] = {ENODEV, EINVAL, EACCES};

        for (size_t i = 0; i < ARRAY_SIZE(unknown) + ARRAY_SIZE(gone); i++) {
                bool is_gone = i >= ARRAY_SIZE(unknown);

                memset(&host, 0, sizeof(host));
                host.n_vlans = host.lease_on = 1;
                host.unseen = is_gone ? gone[i - ARRAY_SIZE(unknown)] : unknown[i];
                assert_int_equal(sweep(), is_gone           ? 0
                                          : host.unseen < 0 ? host.unseen
                                                            : -host.unseen);
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
                cmocka_unit_test(test_few),         cmocka_unit_test(test_many),
                cmocka_unit_test(test_no_list),     cmocka_unit_test(test_unseen),
                cmocka_unit_test(test_elsewhere),   cmocka_unit_test(test_opening),
                cmocka_unit_test(test_unguardable), cmocka_unit_test(test_later_version),
                cmocka_unit_test(test_undeletable), cmocka_unit_test(test_no_memory),
                cmocka_unit_test(test_ours),        cmocka_unit_test(test_marked),
                cmocka_unit_test(test_taken_over),  cmocka_unit_test(test_part_of_the_leases),
        };

        return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
