/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The interface that a lease is on: found or made, and why not. The kernel is played; each of
 * its steps fails once.
 */

#include "helper/worker/host/parent.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>

#include "fault.h"
#include "find-link.h"
#include "helper/worker/host/vlan-harden.h"
#include "helper/worker/host/shared.h"
#include "test.h"

#define PARENT 2u
#define SHARED 7u
#define OWNER_FD 77
#define VLAN 100u
#define NAME_FORMAT RAWNET_VLAN_NAME_FORMAT
#define NAME_KEY ((unsigned long long)PARENT << 13 | VLAN)

static struct {
        bool there, marked, hardened, up; /* the shared interface */
        bool ours;                        /* it is not an administrator's */
        bool renamed;                     /* it is ours, by another name */
        bool unmarked;                    /* it was made by an earlier version */
        bool foreign;                     /* it has our name, and neither mark nor alias */
        bool no_parent;
        bool elsewhere; /* it is on an interface of another namespace, with the parent's index */
        const LinkInfo *impostor; /* answers to the shared interface's name instead of it */
        unsigned n_made;
        const char *no_vlan; /* what the kernel says to a new one */
        int refuses;         /* kernel_errno of the fault_arm()ed call; 0: the call itself fails */
} host;

static const Network network = {.name = "lab",
                                .path = "/etc/lab.conf",
                                .parent = "eth0",
                                .protocol = ETH_P_8021Q,
                                .vlan_first = VLAN,
                                .vlan_last = VLAN,
                                .mode = MODE_BRIDGE};

static LinkInfo parent_link(void) {
        return (LinkInfo){.index = PARENT,
                          .name = "eth0",
                          .mtu = 1500,
                          .hardware = ARPHRD_ETHER,
                          .flags = IFF_UP};
}

static LinkInfo shared_link(void) {
        LinkInfo link = {.index = SHARED,
                         .vlan = VLAN,
                         .vlan_protocol = ETH_P_8021Q,
                         .mtu = 1500,
                         .hardware = ARPHRD_ETHER,
                         .flags = host.up ? IFF_UP : 0,
                         .kind = "vlan"};

        *(host.elsewhere ? &link.lower_elsewhere : &link.lower) = PARENT;
        if ((host.ours && !host.renamed) || host.foreign)
                snprintf(link.name, sizeof(link.name), NAME_FORMAT, NAME_KEY);
        else
                put_text(link.name, sizeof(link.name), "eth0.100");
        if (host.ours && !host.unmarked)
                link.group = RAWNET_VLAN_GROUP;
        if (host.unmarked)
                put_text(link.alias, sizeof(link.alias), "rawnet: VLAN 100 of eth0");
        return link;
}

/* 0: it is not this call's turn to fail. */
static int fails(const char *name, Refusal *refusal) {
        if (!fault_due(name, ENOBUFS))
                return 0;
        return host.refuses ? refuse_errno(refusal, host.refuses, "%s", name) : -ENOBUFS;
}

int __wrap_link_get(_unused_ Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret,
                    Refusal *ret_refusal) {
        const LinkInfo shared = shared_link();
        int r = fails("link_get", ret_refusal);

        assert_int_equal(nsid, LINK_HERE);
        if (r != 0)
                return r;
        if (strcmp(name, network.parent) == 0 && !host.no_parent) {
                *ret = parent_link();
                return 0;
        }
        if (host.impostor) {
                char wanted[IFNAMSIZ];

                snprintf(wanted, sizeof(wanted), NAME_FORMAT, NAME_KEY);
                assert_string_equal(name, wanted);
                *ret = *host.impostor;
                return 0;
        }
        if (!host.there || strcmp(name, shared.name) != 0)
                return refuse_errno(ret_refusal, ENODEV, "interface %s", name);
        *ret = shared;
        return 0;
}

int __wrap_link_add_vlan(Netlink *netlink, const LinkPlan *plan, uint16_t vlan, uint16_t protocol,
                         Refusal *ret_refusal);
int __wrap_link_add_vlan(_unused_ Netlink *netlink, const LinkPlan *plan, uint16_t vlan,
                         uint16_t protocol, Refusal *ret_refusal) {
        int r = fails("link_add_vlan", ret_refusal);

        assert_int_equal(plan->lower, PARENT);
        assert_int_equal(vlan, VLAN);
        assert_int_equal(protocol, ETH_P_8021Q);
        assert_int_equal(plan->namespace_of, 0);
        assert_int_equal(plan->group, RAWNET_VLAN_GROUP);
        if (r != 0)
                return r;
        if (host.no_vlan)
                return refuse_errno(ret_refusal, EOPNOTSUPP, "%s", host.no_vlan);
        if (host.there)
                return refuse_errno(ret_refusal, EEXIST, "creating");
        host.there = host.ours = true;
        host.n_made++;
        return 0;
}

int __wrap_link_change(Netlink *netlink, uint32_t index, const LinkChange *change,
                       Refusal *ret_refusal);
int __wrap_link_change(_unused_ Netlink *netlink, uint32_t index, const LinkChange *change,
                       Refusal *ret_refusal) {
        int r = fails("link_change", ret_refusal);

        assert_int_equal(index, SHARED);
        assert_true(host.ours && !host.impostor &&
                    !host.elsewhere); /* an administrator's is used as found */
        if (r != 0)
                return r;
        if (change->flags_on & IFF_UP) {
                assert_true(host.hardened);
                host.up = true;
        } else if (change->group) {
                assert_int_equal(change->group, RAWNET_VLAN_GROUP);
                assert_true(host.unmarked);
                host.unmarked = false;
        } else {
                assert_true(change->no_ipv6_address);
                assert_non_null(strstr(change->alias, "VLAN 100 of eth0"));
                host.marked = true;
        }
        return 0;
}

int __wrap_link_dump(Netlink *netlink, const char *kind, LinkEach each, void *data,
                     Refusal *ret_refusal);
int __wrap_link_dump(_unused_ Netlink *netlink, const char *kind, LinkEach each, void *data,
                     Refusal *ret_refusal) {
        const LinkInfo link = shared_link();
        int r = fails("link_dump", ret_refusal);

        assert_string_equal(kind, "vlan");
        return r != 0 || !host.there ? r : each(&link, data);
}

int __wrap_vlan_harden(Netlink *netlink, int owner_fd, uint32_t index, Refusal *ret_refusal);
int __wrap_vlan_harden(_unused_ Netlink *netlink, int owner_fd, uint32_t index,
                       Refusal *ret_refusal) {
        int r = fails("vlan_harden", ret_refusal);

        assert_int_equal(owner_fd, OWNER_FD);
        assert_int_equal(index, SHARED);
        assert_true(host.ours && !host.impostor && !host.elsewhere);
        host.hardened = r == 0;
        return r;
}

static int lower(LinkInfo *ret, Refusal *refusal) {
        const LinkInfo parent = parent_link();
        Netlink netlink = {};
        const JobContext job = {.netlink = &netlink, .owner_fd = OWNER_FD};

        return parent_lower(&job, &network, &parent, VLAN, ret, refusal);
}

static int try_lower(Refusal *refusal) {
        LinkInfo link, before;
        int r;

        memset(&before, 0xaa, sizeof(before));
        link = before;
        r = lower(&link, refusal);
        if (r != 0)
                assert_memory_equal(&link, &before, sizeof(link));
        else
                assert_int_equal(link.index, SHARED);
        return r;
}

static void test_made(_unused_ void **state) {
        Refusal refusal = REFUSAL_UNTOUCHED;

        memset(&host, 0, sizeof(host));
        assert_int_equal(try_lower(&refusal), 0);
        assert_true(host.there && host.marked && host.hardened && host.up);
        /* The next one hardens it again, whoever loosened it, and makes none. */
        host.hardened = false;
        assert_int_equal(try_lower(&refusal), 0);
        assert_true(host.hardened);
        assert_int_equal(host.n_made, 1);
        assert_string_equal(refusal.text, "untouched");
}

static void test_found(_unused_ void **state) {
        Refusal refusal = REFUSAL_UNTOUCHED;

        memset(&host, 0, sizeof(host));
        host.there = host.up = true;
        assert_int_equal(try_lower(&refusal), 0);
        host.up = false;
        assert_refused(try_lower(&refusal), RAWNET_PARENT_MISSING, &refusal,
                       "network lab: ", "eth0.100", "is down");
}

/* Whatever it is called, and whoever made it: hardened anew, and no other one is made. */
static void test_ours(_unused_ void **state) {
        Refusal refusal = REFUSAL_UNTOUCHED;

        for (unsigned i = 0; i < 2; i++) {
                memset(&host, 0, sizeof(host));
                host.there = host.ours = host.up = true;
                *(i == 0 ? &host.renamed : &host.unmarked) = true;
                assert_int_equal(try_lower(&refusal), 0);
                assert_true(host.hardened && !host.unmarked);
                assert_int_equal(host.n_made, 0);
        }
}

/* It has the name, and is the right VLAN's; but rawnet did not make it. */
static void test_foreign(_unused_ void **state) {
        Refusal refusal = REFUSAL_UNTOUCHED;

        memset(&host, 0, sizeof(host));
        host.there = host.foreign = host.up = true;
        assert_refused(try_lower(&refusal), RAWNET_NETWORK_BUSY, &refusal,
                       "network lab: ", "VLAN 100 of eth0", "rawnet's mark");
}

/* What keeps Mode=exclusive from the VLAN: the host's own interface, or other leases'. */
static void test_taken(_unused_ void **state) {
        const LinkInfo parent = parent_link();
        Netlink netlink = {};
        Refusal refusal;

        memset(&host, 0, sizeof(host));
        host.there = true;
        assert_refused(parent_vlan_taken(&netlink, &network, &parent, VLAN, &refusal),
                       RAWNET_NETWORK_BUSY, &refusal, "eth0.100", "delete that");
        host.ours = true;
        assert_refused(parent_vlan_taken(&netlink, &network, &parent, VLAN, &refusal),
                       RAWNET_NETWORK_BUSY, &refusal, "leases", "rawnetctl list");
        assert_null(strstr(refusal.text, "delete that"));
}

/* What has the name that the shared interface would have, but is not that interface: not used, and
 * not changed. */
static void test_impostor(_unused_ void **state) {
        LinkInfo right, wrong[7];

        memset(&host, 0, sizeof(host));
        host.there = host.ours = host.up = true;
        right = shared_link();
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                wrong[i] = right;
        put_text(wrong[0].name, sizeof(wrong[0].name), "office0"); /* by an alternative name */
        put_text(wrong[1].kind, sizeof(wrong[1].kind), "veth");
        wrong[2].vlan = VLAN + 1;
        wrong[3].vlan_protocol = ETH_P_8021AD;
        wrong[4].lower = PARENT + 1;
        wrong[5].lower = 0;
        /* The parent was moved to another namespace, and another interface has its index now. */
        wrong[6].lower = 0;
        wrong[6].lower_elsewhere = PARENT;

        host.impostor = &right;
        host.elsewhere = false;
        assert_int_equal(shared_check(&network, &(LinkInfo){.index = PARENT, .name = "eth0"}, VLAN,
                                      &right, &(Refusal){}),
                         0);
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;

                host.impostor = &wrong[i];
                assert_refused(try_lower(&refusal), RAWNET_NETWORK_BUSY, &refusal,
                               "network lab: ", "VLAN 100 of eth0", right.name);
                assert_non_null(strstr(refusal.text, i == 0 ? "altname" : "ip link delete"));
        }
}

/* A VLAN interface of the host whose lower interface has the parent's index, in another namespace;
 * the parent's own VLAN is taken. */
static void test_elsewhere(_unused_ void **state) {
        Refusal refusal;

        memset(&host, 0, sizeof(host));
        host.there = host.up = host.elsewhere = true;
        assert_refused(try_lower(&refusal), RAWNET_NETWORK_BUSY, &refusal,
                       "network lab: ", "VLAN 100 of eth0", "container");
        host.elsewhere = false;
        assert_int_equal(try_lower(&refusal), 0);
}

/* A kernel without 802.1Q, and a parent that takes no VLANs on one that has it. */
static void test_no_vlan(_unused_ void **state) {
        Refusal refusal;

        memset(&host, 0, sizeof(host));
        host.no_vlan = "creating: Unknown device type";
        assert_refused(try_lower(&refusal), RAWNET_NOT_SUPPORTED, &refusal,
                       "network lab: ", "no 802.1Q", "8021q");
        host.no_vlan = "creating: 8021q: VLANs not supported on device";
        assert_refused(try_lower(&refusal), RAWNET_KERNEL_REFUSED, &refusal,
                       "not supported on device");
        assert_null(strstr(refusal.text, "no 802.1Q"));
}

/* Is a host interface on the parent that its network asks for? The sweep deletes it when the
 * answer is no, so an error is no answer. */
static void test_is_lower(_unused_ void **state) {
        Netlink netlink = {};
        memset(&host, 0, sizeof(host));
        host.there = host.ours = true;
        assert_int_equal(parent_is_lower(&netlink, &network, SHARED), 1);
        assert_int_equal(parent_is_lower(&netlink, &network, PARENT), 0);
        host = (typeof(host)){};
        assert_int_equal(parent_is_lower(&netlink, &network, SHARED), 0);
        host.no_parent = true;
        assert_int_equal(parent_is_lower(&netlink, &network, SHARED), 0);
}

static void test_is_lower_unknown(_unused_ void **state) {
        static const int refusals[] = {0, EPERM, ENOBUFS, ENOMEM, EINTR, EINVAL};
        Network untagged = network;
        Netlink netlink = {};
        untagged.vlan_first = untagged.vlan_last = 0;
        memset(&host, 0, sizeof(host));
        host.there = host.ours = true;
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
                int expected = refusals[i] ? -refusals[i] : -ENOBUFS;

                host.refuses = refusals[i];
                /* the parent, then the list of VLAN interfaces */
                for (unsigned n = 1; n <= 2; n++) {
                        fault_arm(n, ENOBUFS);
                        assert_int_equal(parent_is_lower(&netlink, &network, SHARED), expected);
                        assert_true(fault_disarm());
                }
                fault_arm(1, ENOBUFS);
                assert_int_equal(parent_is_lower(&netlink, &untagged, PARENT), expected);
                assert_true(fault_disarm());
        }
}

/* Each step fails once, by the kernel's no or on the way to it: never a lower interface that is
 * not hardened and up, never one that is up and not hardened; and the next open repairs what was
 * left. */
static void test_faults(_unused_ void **state) {
        static const int answers[] = {0, EPERM, EBUSY, EOPNOTSUPP};

        for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
                bool fired = true;
                unsigned n = 0;

                while (fired) {
                        Refusal refusal = REFUSAL_UNTOUCHED;
                        int r;

                        memset(&host, 0, sizeof(host));
                        host.refuses = answers[i];
                        fault_arm(++n, ENOBUFS);
                        r = try_lower(&refusal);
                        fired = fault_disarm();
                        if (!fired) {
                                assert_int_equal(r, 0);
                                continue;
                        }
                        if (answers[i] == 0) {
                                assert_int_equal(r, -ENOBUFS);
                                assert_string_equal(refusal.text, "untouched");
                        } else {
                                assert_refused(r, RAWNET_KERNEL_REFUSED, &refusal, fault_what());
                                assert_int_equal(refusal.kernel_errno, answers[i]);
                        }
                        assert_true(!host.up || host.hardened);
                        assert_int_equal(try_lower(&refusal), 0);
                        assert_true(host.hardened && host.up);
                        assert_int_equal(host.n_made, 1);
                }
                /* looked for, made, found, marked, hardened, up */
                assert_int_equal(n - 1, 6);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_made),      cmocka_unit_test(test_found),
                cmocka_unit_test(test_impostor),  cmocka_unit_test(test_ours),
                cmocka_unit_test(test_foreign),   cmocka_unit_test(test_taken),
                cmocka_unit_test(test_elsewhere), cmocka_unit_test(test_no_vlan),
                cmocka_unit_test(test_is_lower),  cmocka_unit_test(test_is_lower_unknown),
                cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests_name("parent", tests, NULL, NULL);
}
