/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <arpa/inet.h>
#include <net/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include "fake-kernel.h"
#include "fault.h"
#include "helper/kernel/link.h"
#include "test.h"

/* What was sent last, as words: "IFLA_X=hex" would not read well, so each attribute is looked up by
 * its path. */
static const struct nlattr *find_in(const struct nlattr *first, size_t size, uint16_t type) {
        const struct nlattr *a = first;

        for (; mnl_attr_ok(a, (int)(size - (size_t)((const char *)a - (const char *)first)));
             a = mnl_attr_next(a))
                if (mnl_attr_get_type(a) == type)
                        return a;
        return NULL;
}

static const struct nlattr *heard(uint16_t type) {
        const struct nlmsghdr *m = fake_kernel_heard(NULL);
        size_t header = MNL_ALIGN(sizeof(struct ifinfomsg));

        return find_in(mnl_nlmsg_get_payload_offset(m, header),
                       mnl_nlmsg_get_payload_len(m) - header, type);
}

static const struct nlattr *inside(const struct nlattr *a, uint16_t type) {
        assert_non_null(a);
        return find_in(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a), type);
}

static void assert_u32(const struct nlattr *a, uint32_t value) {
        assert_non_null(a);
        assert_int_equal(mnl_attr_get_payload_len(a), sizeof(value));
        assert_int_equal(mnl_attr_get_u32(a), value);
}

static void assert_text(const struct nlattr *a, const char *text) {
        assert_non_null(a);
        assert_int_equal(mnl_attr_get_payload_len(a), strlen(text) + 1);
        assert_string_equal(mnl_attr_get_str(a), text);
}

static void assert_header(uint16_t type, uint16_t flags, int index) {
        const struct nlmsghdr *m = fake_kernel_heard(NULL);
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        size_t size;

        fake_kernel_heard(&size);
        assert_int_equal(size, m->nlmsg_len);
        assert_int_equal(m->nlmsg_type, type);
        assert_int_equal(m->nlmsg_flags, NLM_F_REQUEST | flags);
        assert_int_equal(i->ifi_family, AF_UNSPEC);
        assert_int_equal(i->ifi_index, index);
}

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

        assert_int_equal(link_add_veth(&netlink, &plan, "inner", 0, &refusal), 0);
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

/* What is missing need not be deleted and is found to be missing. In another namespace there are more
 * answers that mean it. */
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

/* A link message with everything in it; breaking one thing is the caller's. */
typedef struct Answer {
        _Alignas(struct nlmsghdr) char buffer[1024];
        struct nlmsghdr *m;
} Answer;

static void start_answer(Answer *a) {
        struct ifinfomsg *i;

        a->m = mnl_nlmsg_put_header(a->buffer);
        a->m->nlmsg_type = RTM_NEWLINK;
        i = mnl_nlmsg_put_extra_header(a->m, sizeof(*i));
        i->ifi_index = 7;
        i->ifi_flags = IFF_UP;
        i->ifi_type = ARPHRD_ETHER;
}

static int get(Answer *a, LinkInfo *ret) {
        Netlink netlink = fake_kernel();
        Refusal refusal = REFUSAL_UNTOUCHED;
        int r;

        fake_kernel_answers(a->m, a->m->nlmsg_len);
        fake_kernel_acks(0, NULL, 0);
        r = link_get(&netlink, 0x12345, "eth0", ret, &refusal);
        assert_string_equal(refusal.text, "untouched");
        return r;
}

static void test_get(_unused_ void **state) {
        struct rtnl_link_stats64 statistics = {.rx_packets = 1, .tx_bytes = UINT64_MAX};
        uint16_t vlan = 100, protocol = htons(ETH_P_8021AD);
        struct nlattr *info, *data;
        LinkInfo link;
        Answer a;

        start_answer(&a);
        mnl_attr_put_strz(a.m, IFLA_IFNAME, "eth0");
        mnl_attr_put_u32(a.m, IFLA_LINK, 3);
        mnl_attr_put_u32(a.m, IFLA_MASTER, 4);
        mnl_attr_put_u32(a.m, IFLA_MTU, 1500);
        mnl_attr_put_u32(a.m, IFLA_GROUP, 7499382);
        mnl_attr_put_strz(a.m, IFLA_IFALIAS, "an alias");
        mnl_attr_put(a.m, IFLA_ADDRESS, 6, &plan.mac);
        mnl_attr_put(a.m, IFLA_STATS64, sizeof(statistics), &statistics);
        info = mnl_attr_nest_start(a.m, IFLA_LINKINFO);
        mnl_attr_put_strz(a.m, IFLA_INFO_KIND, "vlan");
        data = mnl_attr_nest_start(a.m, IFLA_INFO_DATA);
        mnl_attr_put(a.m, IFLA_VLAN_ID, sizeof(vlan), &vlan);
        mnl_attr_put(a.m, IFLA_VLAN_PROTOCOL, sizeof(protocol), &protocol);
        mnl_attr_nest_end(a.m, data);
        mnl_attr_nest_end(a.m, info);
        assert_int_equal(get(&a, &link), 0);
        assert_header(RTM_GETLINK, NLM_F_ACK, 0);
        assert_u32(heard(IFLA_TARGET_NETNSID), 0x12345);
        assert_text(heard(IFLA_IFNAME), "eth0");
        assert_int_equal(link.index, 7);
        assert_int_equal(link.flags, IFF_UP);
        assert_int_equal(link.hardware, ARPHRD_ETHER);
        assert_int_equal(link.lower, 3);
        assert_int_equal(link.master, 4);
        assert_int_equal(link.mtu, 1500);
        assert_int_equal(link.group, 7499382);
        assert_string_equal(link.name, "eth0");
        assert_string_equal(link.alias, "an alias");
        assert_string_equal(link.kind, "vlan");
        assert_int_equal(link.vlan, 100);
        assert_int_equal(link.vlan_protocol, ETH_P_8021AD);
        assert_memory_equal(&link.mac, &plan.mac, 6);
        assert_memory_equal(&link.statistics, &statistics, sizeof(statistics));
}

/* The settings of IPv4 and IPv6, as the kernel's arrays have them, or shorter ones. */
static void test_get_families(_unused_ void **state) {
        const uint8_t none = IN6_ADDR_GEN_MODE_NONE;

        for (unsigned shorter = 0; shorter < 2; shorter++) {
                uint32_t inet[IPV4_DEVCONF_RP_FILTER] = {}, inet6[DEVCONF_DISABLE_IPV6 + 1] = {};
                struct nlattr *spec, *family;
                LinkInfo link;
                Answer a;

                inet[IPV4_DEVCONF_RP_FILTER - 1] = 1;
                inet6[DEVCONF_DISABLE_IPV6] = 1;
                start_answer(&a);
                spec = mnl_attr_nest_start(a.m, IFLA_AF_SPEC);
                family = mnl_attr_nest_start(a.m, AF_INET);
                mnl_attr_put(a.m, IFLA_INET_CONF, sizeof(inet) - shorter, inet);
                mnl_attr_nest_end(a.m, family);
                family = mnl_attr_nest_start(a.m, AF_INET6);
                mnl_attr_put(a.m, IFLA_INET6_CONF, sizeof(inet6) - shorter, inet6);
                if (!shorter)
                        mnl_attr_put(a.m, IFLA_INET6_ADDR_GEN_MODE, sizeof(none), &none);
                mnl_attr_nest_end(a.m, family);
                mnl_attr_nest_end(a.m, spec);
                assert_int_equal(get(&a, &link), 0);
                assert_true(link.has_ipv6);
                assert_int_equal(link.rp_filter, !shorter);
                assert_int_equal(link.ipv6_disabled, !shorter);
                assert_int_equal(link.no_ipv6_address, !shorter);
        }
}

/* An index of another namespace is never seen as one of the link's own, whichever of the two
 * attributes comes first. */
static void test_get_elsewhere(_unused_ void **state) {
        for (unsigned before = 0; before < 2; before++) {
                LinkInfo link;
                Answer a;

                start_answer(&a);
                if (before)
                        mnl_attr_put_u32(a.m, IFLA_LINK_NETNSID, 5);
                mnl_attr_put_u32(a.m, IFLA_LINK, 77);
                if (!before)
                        mnl_attr_put_u32(a.m, IFLA_LINK_NETNSID, 5);
                assert_int_equal(get(&a, &link), 0);
                assert_int_equal(link.lower, 0);
                assert_int_equal(link.lower_elsewhere, 77);
                assert_int_equal(link.lower_nsid, 5);
        }
}

static void answer_nsid(int32_t nsid) {
        Answer a;
        struct rtgenmsg *g;

        a.m = mnl_nlmsg_put_header(a.buffer);
        a.m->nlmsg_type = RTM_NEWNSID;
        g = mnl_nlmsg_put_extra_header(a.m, sizeof(*g));
        g->rtgen_family = AF_UNSPEC;
        mnl_attr_put(a.m, NETNSA_NSID, sizeof(nsid), &nsid);
        fake_kernel_answers(a.m, a.m->nlmsg_len);
        fake_kernel_acks(0, NULL, 0);
}

/* A link of a lease's namespace: which of the host's interfaces is it on? */
static void test_lower_here(_unused_ void **state) {
        const LinkInfo inside = {.lower = 77}, ours = {.lower_elsewhere = 77, .lower_nsid = 5},
                       foreign = {.lower_elsewhere = 77, .lower_nsid = 6},
                       unknown = {.lower_elsewhere = 77, .lower_nsid = -1};
        Netlink netlink = fake_kernel();
        Refusal refusal = REFUSAL_UNTOUCHED;
        uint32_t lower = 99;

        assert_int_equal(link_lower_here(&netlink, &inside, &lower, &refusal), 0);
        assert_int_equal(lower, 0);
        /* The namespace has no id yet: so no link elsewhere is on it. */
        answer_nsid(-1);
        assert_int_equal(link_lower_here(&netlink, &ours, &lower, &refusal), 0);
        assert_int_equal(lower, 0);
        answer_nsid(5);
        assert_int_equal(link_lower_here(&netlink, &ours, &lower, &refusal), 0);
        assert_int_equal(lower, 77);
        assert_int_equal(link_lower_here(&netlink, &foreign, &lower, &refusal), 0);
        assert_int_equal(lower, 0);
        assert_int_equal(fake_kernel_requests(), 2); /* and from then on it is known */
        lower = 99;
        assert_int_equal(link_lower_here(&netlink, &unknown, &lower, &refusal), -EAGAIN);
        netlink = fake_kernel();
        fake_kernel_acks(-ENOBUFS, NULL, 0);
        assert_refused(link_lower_here(&netlink, &ours, &lower, &refusal), RAWNET_KERNEL_REFUSED,
                       &refusal, "namespace");
        assert_int_equal(lower, 99);
}

/* Attributes that are longer, shorter or not what they should be: refused, or left out, and never
 * read or written beyond. */
static void test_get_broken(_unused_ void **state) {
        static char long_text[300];
        static const struct {
                uint16_t type;
                size_t size;
                int expected;
        } broken[] = {
                {IFLA_IFNAME, IFNAMSIZ, -EBADMSG},
                {IFLA_IFNAME, IFNAMSIZ + 1, -EBADMSG},
                {IFLA_IFNAME, 0, -EBADMSG},
                {IFLA_IFALIAS, 257, -EBADMSG},
                {IFLA_IFALIAS, 256, -EBADMSG},
                {IFLA_MTU, 2, -EBADMSG},
                {IFLA_MTU, 8, -EBADMSG},
                {IFLA_LINK, 0, -EBADMSG},
                {IFLA_LINK_NETNSID, 2, -EBADMSG},
                {IFLA_MASTER, 3, -EBADMSG},
                {IFLA_ADDRESS, 0, 0},
                {IFLA_ADDRESS, 20, 0},
                {IFLA_STATS64, 0, 0},
                {IFLA_STATS64, 300, 0},
                {IFLA_LINKINFO, 3, 0},
                {IFLA_LINKINFO, 300, 0},
        };

        memset(long_text, 'x', sizeof(long_text));
        for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
                LinkInfo link, before;
                Answer a;

                memset(&before, 0xaa, sizeof(before));
                link = before;
                start_answer(&a);
                mnl_attr_put(a.m, broken[i].type, broken[i].size, long_text);
                assert_int_equal(get(&a, &link), broken[i].expected);
                if (broken[i].expected != 0)
                        assert_memory_equal(&link, &before, sizeof(link));
                else
                        assert_true(mac_is_zero(&link.mac));
        }
}

static void answer_numbered(int index, uint16_t flags) {
        Answer a;

        start_answer(&a);
        ((struct ifinfomsg *)mnl_nlmsg_get_payload(a.m))->ifi_index = index;
        a.m->nlmsg_flags = flags;
        fake_kernel_answers(a.m, a.m->nlmsg_len);
}

static void answer_end(uint16_t flags) {
        Answer a;

        a.m = mnl_nlmsg_put_header(a.buffer);
        a.m->nlmsg_type = NLMSG_DONE;
        a.m->nlmsg_flags = flags;
        memset(mnl_nlmsg_put_extra_header(a.m, 4), 0, 4);
        fake_kernel_answers(a.m, a.m->nlmsg_len);
}

static int add_index(const LinkInfo *info, void *data) {
        *(uint32_t *)data = *(uint32_t *)data * 10 + info->index;
        return 0;
}

static int stop_at_two(const LinkInfo *info, _unused_ void *data) {
        return info->index == 2 ? 7 : 0;
}

/* While links come and go, a dump may leave out a link that exists all the time. The helper then
 * repeats the dump and reports nothing of the first one. Otherwise it would delete a shared VLAN
 * interface whose host interface was left out. */
static void test_dump(_unused_ void **state) {
        Netlink netlink = fake_kernel();
        uint32_t seen = 0;
        Refusal refusal;

        answer_numbered(1, 0);
        answer_numbered(2, 0);
        answer_end(0);
        assert_int_equal(link_dump(&netlink, "vlan", add_index, &seen, &refusal), 0);
        assert_int_equal(seen, 12);
        assert_int_equal(fake_kernel_requests(), 1);

        for (unsigned where = 0; where < 2; where++) {
                netlink = fake_kernel();
                seen = 0;
                answer_numbered(1, where == 0 ? NLM_F_DUMP_INTR : 0);
                answer_end(where == 1 ? NLM_F_DUMP_INTR : 0);
                answer_numbered(1, 0);
                answer_numbered(2, 0);
                answer_numbered(3, 0);
                answer_end(0);
                assert_int_equal(link_dump(&netlink, "vlan", add_index, &seen, &refusal), 0);
                assert_int_equal(seen, 123);
                assert_int_equal(fake_kernel_requests(), 2);
        }

        /* Not for ever; and what may have something left out is no list. */
        netlink = fake_kernel();
        seen = 0;
        for (unsigned i = 0; i < 5; i++) {
                answer_numbered(4, NLM_F_DUMP_INTR);
                answer_end(0);
        }
        assert_int_equal(link_dump(&netlink, "vlan", add_index, &seen, &refusal), -EAGAIN);
        assert_int_equal(seen, 0);
        assert_int_equal(fake_kernel_requests(), 5);

        netlink = fake_kernel();
        answer_numbered(1, 0);
        answer_numbered(2, 0);
        answer_numbered(3, 0);
        answer_end(0);
        assert_int_equal(link_dump(&netlink, "vlan", stop_at_two, NULL, &refusal), 7);

        /* One that cannot be read is not left out, and nothing of the others is used. */
        netlink = fake_kernel();
        seen = 0;
        answer_numbered(1, 0);
        answer_numbered(0, 0);
        answer_end(0);
        assert_int_equal(link_dump(&netlink, "vlan", add_index, &seen, &refusal), -EBADMSG);
        assert_int_equal(seen, 0);
}

/* Each function on this page, with the answers that it waits for, and whether it left what it was
 * to fill in alone. */
static void answer_link(void) {
        Answer a;

        start_answer(&a);
        mnl_attr_put_strz(a.m, IFLA_IFNAME, "eth0");
        fake_kernel_answers(a.m, a.m->nlmsg_len);
}

static int try_macvlan(Netlink *netlink, Refusal *refusal) {
        fake_kernel_acks(0, NULL, 0);
        return link_add_macvlan(netlink, &plan, MACVLAN_MODE_BRIDGE, refusal);
}

static int try_vlan(Netlink *netlink, Refusal *refusal) {
        fake_kernel_acks(0, NULL, 0);
        return link_add_vlan(netlink, &plan, 100, ETH_P_8021Q, refusal);
}

static int try_veth(Netlink *netlink, Refusal *refusal) {
        fake_kernel_acks(0, NULL, 0);
        return link_add_veth(netlink, &plan, "inner", 0, refusal);
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

static int try_get(Netlink *netlink, Refusal *refusal) {
        LinkInfo link, before;
        int r;

        memset(&before, 0xaa, sizeof(before));
        link = before;
        answer_link();
        fake_kernel_acks(0, NULL, 0);
        r = link_get(netlink, LINK_HERE, "eth0", &link, refusal);
        if (r != 0)
                assert_memory_equal(&link, &before, sizeof(link));
        else
                assert_string_equal(link.name, "eth0");
        return r;
}

static int count_link(_unused_ const LinkInfo *info, void *data) {
        ++*(unsigned *)data;
        return 0;
}

static int try_dump(Netlink *netlink, Refusal *refusal) {
        unsigned n = 0;
        int r;

        answer_link();
        answer_link();
        answer_end(0);
        r = link_dump(netlink, "vlan", count_link, &n, refusal);
        assert_true(r != 0 || n == 2);
        return r;
}

/* Sending, receiving or an allocation fails once, in each function at each place: that errno,
 * nothing filled in, and no talk after it; so a link is never half described to whoever goes on. */
static void test_faults(_unused_ void **state) {
        static const struct {
                int (*try)(Netlink *netlink, Refusal *refusal);
                unsigned calls; /* that can fail */
        } functions[] = {
                {try_macvlan, 2}, {try_vlan, 2}, {try_veth, 2}, {try_change, 2},
                {try_delete, 2},  {try_get, 3},  {try_dump, 5},
        };

        for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
                bool fired = true;
                unsigned n = 0;

                while (fired) {
                        Refusal refusal = REFUSAL_UNTOUCHED;
                        Netlink netlink = fake_kernel();
                        int r;

                        fault_arm(++n, ENOBUFS);
                        r = functions[i].try(&netlink, &refusal);
                        fired = fault_disarm();
                        assert_int_equal(r, !fired                                      ? 0
                                            : strcmp(fault_what(), "reallocarray") == 0 ? -ENOMEM
                                                                                        : -ENOBUFS);
                        assert_string_equal(refusal.text, "untouched");
                }
                assert_int_equal(n - 1, functions[i].calls);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_add_macvlan),   cmocka_unit_test(test_add_least),
                cmocka_unit_test(test_add_vlan),      cmocka_unit_test(test_add_veth),
                cmocka_unit_test(test_change),        cmocka_unit_test(test_change_refused),
                cmocka_unit_test(test_delete),        cmocka_unit_test(test_missing),
                cmocka_unit_test(test_get_families),  cmocka_unit_test(test_change_without_ipv6),
                cmocka_unit_test(test_get),           cmocka_unit_test(test_get_broken),
                cmocka_unit_test(test_get_elsewhere), cmocka_unit_test(test_lower_here),
                cmocka_unit_test(test_dump),          cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
