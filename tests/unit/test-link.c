/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The messages that make, change and delete links. */

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "heard-link.h"

static Netlink obedient_kernel(void) {
        Netlink netlink = fake_kernel();

        fake_kernel_acks(0, NULL, 0);
        return netlink;
}

static const LinkPlan plan = {.name = "uplink",
                              .lower = 3,
                              .mac = {{0x52, 0x54, 0, 1, 2, 3}},
                              .mtu = 1400,
                              .namespace_of = 4711};
static const LinkPlan inner_end = {.name = "inner", .mtu = 1400};

static void test_add_macvlan(_unused_ void **state) {
        Netlink netlink = obedient_kernel();
        Refusal refusal;

        assert_int_equal(link_add_macvlan(&netlink, &plan, MACVLAN_MODE_BRIDGE, &refusal), 0);
        assert_header(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0);
        assert_text(heard(IFLA_IFNAME), "uplink");
        assert_u32(heard(IFLA_LINK), 3);
        assert_u32(heard(IFLA_MTU), 1400);
        assert_u32(heard(IFLA_NET_NS_PID), 4711);
        assert_int_equal(mnl_attr_get_payload_len(heard(IFLA_ADDRESS)), 6);
        assert_memory_equal(mnl_attr_get_payload(heard(IFLA_ADDRESS)), &plan.mac, 6);
        assert_text(inside(heard(IFLA_LINKINFO), IFLA_INFO_KIND), "macvlan");
        assert_u32(inside(inside(heard(IFLA_LINKINFO), IFLA_INFO_DATA), IFLA_MACVLAN_MODE),
                   MACVLAN_MODE_BRIDGE);
        /* An nsid in such a message can move a host's interface into the lease. */
        assert_null(heard(IFLA_TARGET_NETNSID));
}

static void test_add_least(_unused_ void **state) {
        const LinkPlan least = {.name = "x"};
        Netlink netlink = obedient_kernel();
        Refusal refusal;

        assert_int_equal(link_add_macvlan(&netlink, &least, MACVLAN_MODE_VEPA, &refusal), 0);
        assert_null(heard(IFLA_LINK));
        assert_null(heard(IFLA_ADDRESS));
        assert_null(heard(IFLA_MTU));
        assert_null(heard(IFLA_GROUP));
        assert_null(heard(IFLA_NET_NS_PID));
}

static void test_add_vlan(_unused_ void **state) {
        for (uint16_t protocol = ETH_P_8021Q; protocol;
             protocol = protocol == ETH_P_8021Q ? ETH_P_8021AD : 0) {
                Netlink netlink = obedient_kernel();
                const struct nlattr *data;
                LinkPlan marked = plan;
                Refusal refusal;

                marked.group = 7499382;
                assert_int_equal(link_add_vlan(&netlink, &marked, 4094, protocol, &refusal), 0);
                assert_u32(heard(IFLA_GROUP), 7499382);
                assert_header(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0);
                assert_text(inside(heard(IFLA_LINKINFO), IFLA_INFO_KIND), "vlan");
                data = inside(heard(IFLA_LINKINFO), IFLA_INFO_DATA);
                assert_int_equal(mnl_attr_get_u16(inside(data, IFLA_VLAN_ID)), 4094);
                assert_int_equal(mnl_attr_get_u16(inside(data, IFLA_VLAN_PROTOCOL)),
                                 htons(protocol));
                /* reorder_hdr stays on: off lets the sender choose the VID. */
                assert_null(inside(data, IFLA_VLAN_FLAGS));
        }
}

static void test_add_veth(_unused_ void **state) {
        Netlink netlink = obedient_kernel();
        const struct nlattr *peer;
        size_t header = MNL_ALIGN(sizeof(struct ifinfomsg));
        Refusal refusal;

        assert_int_equal(link_add_veth(&netlink, &plan, &inner_end, &refusal), 0);
        assert_text(heard(IFLA_IFNAME), "uplink");
        assert_text(inside(heard(IFLA_LINKINFO), IFLA_INFO_KIND), "veth");
        peer = inside(inside(heard(IFLA_LINKINFO), IFLA_INFO_DATA), VETH_INFO_PEER);
        assert_non_null(peer);
        assert_text(find_in((const void *)((const char *)mnl_attr_get_payload(peer) + header),
                            mnl_attr_get_payload_len(peer) - header, IFLA_IFNAME),
                    "inner");
        assert_u32(find_in((const void *)((const char *)mnl_attr_get_payload(peer) + header),
                           mnl_attr_get_payload_len(peer) - header, IFLA_MTU),
                   1400);
}

static void test_change(_unused_ void **state) {
        const LinkChange everything = {.mac = &plan.mac,
                                       .alias = "an alias",
                                       .mtu = 9000,
                                       .flags_on = IFF_UP | IFF_ALLMULTI,
                                       .no_ipv6_address = true};
        Netlink netlink = obedient_kernel();
        const struct ifinfomsg *i;
        const struct nlattr *mode;
        Refusal refusal;

        assert_int_equal(link_change(&netlink, 7, &everything, &refusal), 0);
        assert_header(RTM_NEWLINK, NLM_F_ACK, 7);
        i = mnl_nlmsg_get_payload(fake_kernel_heard(NULL));
        assert_int_equal(i->ifi_flags, IFF_UP | IFF_ALLMULTI);
        assert_int_equal(i->ifi_change, IFF_UP | IFF_ALLMULTI); /* nothing else changes */
        assert_int_equal(mnl_attr_get_payload_len(heard(IFLA_IFALIAS)), 8);
        assert_memory_equal(mnl_attr_get_payload(heard(IFLA_IFALIAS)), "an alias", 8);
        assert_u32(heard(IFLA_MTU), 9000);
        mode = inside(inside(heard(IFLA_AF_SPEC), AF_INET6), IFLA_INET6_ADDR_GEN_MODE);
        assert_int_equal(mnl_attr_get_u8(mode), IN6_ADDR_GEN_MODE_NONE);

        netlink = obedient_kernel();
        assert_int_equal(link_change(&netlink, 7, &(LinkChange){.flags_off = IFF_UP}, &refusal), 0);
        i = mnl_nlmsg_get_payload(fake_kernel_heard(NULL));
        assert_int_equal(i->ifi_flags, 0);
        assert_int_equal(i->ifi_change, IFF_UP);

        netlink = obedient_kernel();
        assert_int_equal(
                link_change(&netlink, 7,
                            &(LinkChange){.rp_filter = &(uint32_t){2}, .ipv6_address = true},
                            &refusal),
                0);
        assert_u32(inside(inside(inside(heard(IFLA_AF_SPEC), AF_INET), IFLA_INET_CONF),
                          IPV4_DEVCONF_RP_FILTER),
                   2);
        mode = inside(inside(heard(IFLA_AF_SPEC), AF_INET6), IFLA_INET6_ADDR_GEN_MODE);
        assert_int_equal(mnl_attr_get_u8(mode), IN6_ADDR_GEN_MODE_EUI64);

        netlink = obedient_kernel();
        assert_int_equal(link_change(&netlink, 7, &(LinkChange){0}, &refusal), 0);
        assert_int_equal(fake_kernel_heard(NULL)->nlmsg_len,
                         MNL_NLMSG_HDRLEN + sizeof(struct ifinfomsg));
}

/* A link without IPv6 is changed in all else; any other refusal stays one. */
static void test_change_without_ipv6(_unused_ void **state) {
        const LinkChange change = {.mtu = 1279, .flags_on = IFF_UP, .no_ipv6_address = true};
        Refusal refusal = REFUSAL_UNTOUCHED;
        Netlink netlink = fake_kernel();

        fake_kernel_acks(-EAFNOSUPPORT, NULL, 0);
        fake_kernel_acks(0, NULL, 0);
        assert_int_equal(link_change(&netlink, 7, &change, &refusal), 0);
        assert_string_equal(refusal.text, "untouched");
        assert_int_equal(fake_kernel_requests(), 2);
        assert_null(heard(IFLA_AF_SPEC));
        assert_u32(heard(IFLA_MTU), 1279);

        netlink = fake_kernel();
        fake_kernel_acks(-EINVAL, NULL, 0);
        assert_int_equal(link_change(&netlink, 7, &change, &refusal), RAWNET_KERNEL_REFUSED);
        assert_int_equal(refusal.kernel_errno, EINVAL);
        assert_int_equal(fake_kernel_requests(), 1);
}

/* A message names the interface and what was to be done to it. */
static void test_change_refused(_unused_ void **state) {
        static const MacAddress mac = {{0x52, 0x54, 0, 1, 2, 3}};
        const LinkChange changes[] = {
                {.link = "rnh1", .name = "lab0"},
                {.link = "rn12345", .mtu = 65535, .queue_length = 100, .no_ipv6_address = true},
                {.link = "uplink", .mac = &mac, .flags_on = IFF_UP | IFF_ALLMULTI},
                {.link = "lo", .alias = "a record of up to 255 bytes is not repeated here"},
                {.flags_off = IFF_UP},
        };
        static const char *const texts[] = {
                "setting interface rnh1 (index 7), name lab0: mtu greater",
                "setting interface rn12345 (index 7), MTU 65535, queue length 100, no IPv6 address: mtu greater",
                "setting interface uplink (index 7), address 52:54:00:01:02:03, up: mtu greater",
                "setting interface lo (index 7), alias: mtu greater",
                "(index 7), down: mtu greater",
        };

        for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
                Netlink netlink = fake_kernel();
                Refusal refusal = {};

                fake_kernel_acks(-EINVAL, "mtu greater than device maximum", 0);
                assert_refused(link_change(&netlink, 7, &changes[i], &refusal),
                               RAWNET_KERNEL_REFUSED, &refusal, texts[i]);
        }
}

static void test_delete(_unused_ void **state) {
        const LinkInfo link = {.index = 7, .name = "rnv1"};
        Netlink netlink = obedient_kernel();
        Refusal refusal;

        assert_int_equal(link_delete(&netlink, 0x12345, &link, &refusal), 0);
        assert_header(RTM_DELLINK, NLM_F_ACK, 7);
        assert_u32(heard(IFLA_TARGET_NETNSID), 0x12345);
        /* By its index alone: a name may be another's by now, be it an alternative one. */
        assert_null(heard(IFLA_IFNAME));
        netlink = obedient_kernel();
        assert_int_equal(link_delete(&netlink, LINK_HERE, &link, &refusal), 0);
        assert_header(RTM_DELLINK, NLM_F_ACK, 7);
        assert_null(heard(IFLA_TARGET_NETNSID));
        assert_null(heard(IFLA_IFNAME));
}

/* What is missing need not be deleted and is found to be missing. In another namespace there are
 * more answers that mean it. */
static void test_missing(_unused_ void **state) {
        static const struct {
                int errnum;
                bool here, elsewhere;
        } answers[] = {{ENODEV, true, true},
                       {EINVAL, false, true},
                       {EACCES, false, true},
                       {EPERM, false, false},
                       {EBUSY, false, false}};
        const LinkInfo link = {.index = 7, .name = "rnv1"};

        for (size_t i = 0; i < 2 * ARRAY_SIZE(answers); i++) {
                const int32_t nsid = i % 2 ? 0x12345 : LINK_HERE;
                const int errnum = answers[i / 2].errnum;
                const bool missing = i % 2 ? answers[i / 2].elsewhere : answers[i / 2].here;
                const int expected = missing ? 0 : RAWNET_KERNEL_REFUSED;
                Refusal refusal = REFUSAL_UNTOUCHED;
                Netlink netlink = fake_kernel();
                LinkInfo found = {.index = 8};

                fake_kernel_acks(-errnum, NULL, 0);
                assert_int_equal(link_find(&netlink, nsid, "rnv1", &found, &refusal), expected);
                assert_int_equal(found.index, missing ? 0 : 8);
                assert_int_equal(refusal.kernel_errno, missing ? 0 : errnum);
                refusal = REFUSAL_UNTOUCHED;
                netlink = fake_kernel();
                fake_kernel_acks(-errnum, NULL, 0);
                assert_int_equal(link_delete(&netlink, nsid, &link, &refusal), expected);
                assert_int_equal(refusal.kernel_errno, missing ? 0 : errnum);
                if (!missing)
                        assert_non_null(strstr(refusal.text, "rnv1"));
        }
}

static int try_macvlan(Netlink *netlink, Refusal *refusal) {
        fake_kernel_acks(0, NULL, 0);
        return link_add_macvlan(netlink, &plan, MACVLAN_MODE_BRIDGE, refusal);
}

static int try_vlan(Netlink *netlink, Refusal *refusal) {
        fake_kernel_acks(0, NULL, 0);
        return link_add_vlan(netlink, &plan, 100, ETH_P_8021Q, refusal);
}

/* Each end in another namespace, and each with what is said of it alone. */
static void test_add_veth_across(_unused_ void **state) {
        const LinkPlan port = {
                .name = "rn12345", .index = 0x12345, .mtu = 1400, .namespace_of = 77};
        const LinkPlan other = {
                .name = "eth0", .mac = {{0x52, 0x54, 0, 1, 2, 3}}, .mtu = 1400, .namespace_fd = 9};
        const size_t header = sizeof(struct ifinfomsg);
        Netlink netlink = fake_kernel();
        const struct nlattr *peer, *inner;
        Refusal refusal = {};
        size_t size;

        fake_kernel_acks(0, NULL, 0);
        assert_int_equal(link_add_veth(&netlink, &port, &other, &refusal), 0);
        assert_text(heard(IFLA_IFNAME), "rn12345");
        assert_u32(heard(IFLA_NET_NS_PID), 77);
        assert_null(heard(IFLA_NET_NS_FD));
        assert_null(heard(IFLA_ADDRESS));
        peer = inside(inside(heard(IFLA_LINKINFO), IFLA_INFO_DATA), VETH_INFO_PEER);
        assert_non_null(peer);
        inner = (const void *)((const char *)mnl_attr_get_payload(peer) + header);
        size = mnl_attr_get_payload_len(peer) - header;
        assert_text(find_in(inner, size, IFLA_IFNAME), "eth0");
        assert_u32(find_in(inner, size, IFLA_NET_NS_FD), 9);
        assert_u32(find_in(inner, size, IFLA_MTU), 1400);
        assert_null(find_in(inner, size, IFLA_NET_NS_PID));
        assert_memory_equal(mnl_attr_get_payload(find_in(inner, size, IFLA_ADDRESS)), &other.mac,
                            sizeof(other.mac));
}

static int try_veth(Netlink *netlink, Refusal *refusal) {
        fake_kernel_acks(0, NULL, 0);
        return link_add_veth(netlink, &plan, &inner_end, refusal);
}

static int try_change(Netlink *netlink, Refusal *refusal) {
        fake_kernel_acks(0, NULL, 0);
        return link_change(netlink, 7, &(LinkChange){.flags_on = IFF_UP}, refusal);
}

static int try_delete(Netlink *netlink, Refusal *refusal) {
        const LinkInfo link = {.index = 7, .name = "rn12345"};

        fake_kernel_acks(0, NULL, 0);
        return link_delete(netlink, 0x12345, &link, refusal);
}

static void test_faults(_unused_ void **state) {
        check_link_faults(try_macvlan, 2);
        check_link_faults(try_vlan, 2);
        check_link_faults(try_veth, 2);
        check_link_faults(try_change, 2);
        check_link_faults(try_delete, 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_add_macvlan),
                cmocka_unit_test(test_add_least),
                cmocka_unit_test(test_add_vlan),
                cmocka_unit_test(test_add_veth),
                cmocka_unit_test(test_add_veth_across),
                cmocka_unit_test(test_change),
                cmocka_unit_test(test_change_refused),
                cmocka_unit_test(test_delete),
                cmocka_unit_test(test_missing),
                cmocka_unit_test(test_faults),
                cmocka_unit_test(test_change_without_ipv6),
        };

        return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
