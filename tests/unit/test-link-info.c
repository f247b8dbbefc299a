/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What is read of a link: one by one, in a dump, whole and broken. */

#include <arpa/inet.h>
#include <net/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include "heard-link.h"

static const MacAddress mac = {{0x52, 0x54, 0, 1, 2, 3}};

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
        mnl_attr_put(a.m, IFLA_ADDRESS, 6, &mac);
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
        assert_memory_equal(&link.mac, &mac, 6);
        assert_memory_equal(&link.statistics, &statistics, sizeof(statistics));
}

/* What a tap says of its queues: how many there are only where there may be several. */
static void test_get_queues(_unused_ void **state) {
        static const struct {
                const char *kind;
                bool several;
                uint32_t queues, disabled, expected;
        } cases[] = {{"tun", false, 0, 0, 1},
                     {"tun", true, 4, 0, 4},
                     {"tun", true, 3, 1, 4},
                     {"tun", true, 0, 0, 1},
                     {"veth", true, 4, 0, 0}};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct nlattr *info, *data;
                LinkInfo link;
                Answer a;

                start_answer(&a);
                info = mnl_attr_nest_start(a.m, IFLA_LINKINFO);
                mnl_attr_put_strz(a.m, IFLA_INFO_KIND, cases[i].kind);
                data = mnl_attr_nest_start(a.m, IFLA_INFO_DATA);
                mnl_attr_put_u8(a.m, IFLA_TUN_MULTI_QUEUE, cases[i].several);
                if (cases[i].several) {
                        mnl_attr_put_u32(a.m, IFLA_TUN_NUM_QUEUES, cases[i].queues);
                        mnl_attr_put_u32(a.m, IFLA_TUN_NUM_DISABLED_QUEUES, cases[i].disabled);
                }
                mnl_attr_nest_end(a.m, data);
                mnl_attr_nest_end(a.m, info);
                assert_int_equal(get(&a, &link), 0);
                assert_int_equal(link.queues, cases[i].expected);
        }
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

static void answer_link(void) {
        Answer a;

        start_answer(&a);
        mnl_attr_put_strz(a.m, IFLA_IFNAME, "eth0");
        fake_kernel_answers(a.m, a.m->nlmsg_len);
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

static void test_faults(_unused_ void **state) {
        check_link_faults(try_get, 3);
        check_link_faults(try_dump, 5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_get),           cmocka_unit_test(test_get_broken),
                cmocka_unit_test(test_get_elsewhere), cmocka_unit_test(test_get_families),
                cmocka_unit_test(test_lower_here),    cmocka_unit_test(test_dump),
                cmocka_unit_test(test_get_queues),    cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests_name("link-info", tests, NULL, NULL);
}
