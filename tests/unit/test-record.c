/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <linux/rtnetlink.h>

#include "fake-kernel.h"
#include "fault.h"
#include "helper/kernel/record.h"
#include "test.h"

#define PLAIN "rawnet1 1000 tap strict 1 100 1500 52:54:00:12:34:56 1700000000000000 lab.100 eth0"

static IpcLease parsed(const char *text) {
        IpcLease lease = {.id = 0x12345, .gone = 1};

        assert_int_equal(record_parse(text, &lease), 0);
        assert_int_equal(lease.id, 0x12345);
        assert_int_equal(lease.gone, 1);
        return lease;
}

static void test_plain(_unused_ void **state) {
        char text[LINK_ALIAS_SIZE], mac[MAC_TEXT_SIZE];
        IpcLease l = parsed(PLAIN);

        assert_int_equal(l.uid, 1000);
        assert_int_equal(l.kind, KIND_TAP);
        assert_int_equal(l.direct, 0);
        assert_int_equal(l.vnet_hdr, 1);
        assert_int_equal(l.vlan, 100);
        assert_int_equal(l.mtu, 1500);
        assert_string_equal(mac_format(&l.mac, mac), "52:54:00:12:34:56");
        assert_true(l.since == UINT64_C(1700000000000000));
        assert_string_equal(l.network, "lab.100");
        assert_string_equal(l.parent, "eth0");
        assert_string_equal(l.lease_name, "");
        assert_int_equal(l.queues, 0); /* it does not say */
        record_format(&l, text);
        assert_string_equal(text, PLAIN);
}

/* There and back, the longest of everything included. */
static void test_round_trip(_unused_ void **state) {
        IpcLease longest = {.uid = UINT32_MAX,
                            .kind = KIND_PACKET,
                            .direct = 1,
                            .vnet_hdr = 1,
                            .vlan = 4094,
                            .mtu = UINT32_MAX,
                            .since = UINT64_MAX,
                            .mac = {{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff}}};
        static const char *const names[] = {"",          "x",    "my vm", " leading",
                                            "trailing ", "a  b", "-",     "~"};
        char text[LINK_ALIAS_SIZE];
        IpcLease again;

        memset(longest.network, 'n', sizeof(longest.network) - 1);
        memset(longest.parent, 'p', sizeof(longest.parent) - 1);
        memset(longest.lease_name, 'v', sizeof(longest.lease_name) - 1);
        longest.id = 0x12345;
        longest.gone = 1;
        longest.queues = RAWNET_QUEUES_MAX;
        record_format(&longest, text);
        assert_true(strlen(text) < LINK_ALIAS_SIZE);
        again = parsed(text);
        assert_memory_equal(&again, &longest, sizeof(again));

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                IpcLease lease = parsed(PLAIN);

                put_text(lease.lease_name, sizeof(lease.lease_name), names[i]);
                lease.mac = (MacAddress){{0}};
                for (uint8_t queues = 0; queues <= RAWNET_QUEUES_MAX; queues++) {
                        lease.queues = queues;
                        record_format(&lease, text);
                        assert_int_equal(text[6], queues > 1 ? '2' : '1');
                        again = parsed(text);
                        lease.queues = queues > 1 ? queues : 0;
                        assert_memory_equal(&again, &lease, sizeof(again));
                }
        }
        assert_true(mac_is_zero(&again.mac));
}

/* A port with several queues; with one, the oldest version says it. */
static void test_second(_unused_ void **state) {
        static const char text[] =
                "rawnet2 1000 tap strict 1 100 1500 52:54:00:12:34:56 17 lab.100 "
                "eth0 queues=4 name=my queues=3 vm";
        char again[LINK_ALIAS_SIZE];
        IpcLease l = parsed(text);

        assert_int_equal(l.queues, 4);
        assert_int_equal(l.later, 0);
        assert_int_equal(l.vlan, 100);
        assert_string_equal(l.parent, "eth0");
        assert_string_equal(l.lease_name, "my queues=3 vm");
        record_format(&l, again);
        assert_string_equal(again, text);
        put_text(l.lease_name, sizeof(l.lease_name), "");
        record_format(&l, again);
        assert_string_equal(again,
                            "rawnet2 1000 tap strict 1 100 1500 52:54:00:12:34:56 17 lab.100 "
                            "eth0 queues=4");
        assert_int_equal(parsed(again).queues, 4);
        l.queues = 1;
        put_text(l.lease_name, sizeof(l.lease_name), "vm");
        record_format(&l, again);
        assert_string_equal(again,
                            "rawnet1 1000 tap strict 1 100 1500 52:54:00:12:34:56 17 lab.100 "
                            "eth0 vm");
}

/* A lease of a kind that versions before do not know. */
static void test_third(_unused_ void **state) {
        static const char text[] =
                "rawnet3 1000 veth strict 0 100 1500 52:54:00:12:34:56 17 lab.100 eth0 name=box 1";
        static const char *const bad[] = {
                "rawnet1 1000 veth strict 0 100 1500 52:54:00:12:34:56 17 lab.100 eth0",
                "rawnet2 1000 veth strict 0 100 1500 52:54:00:12:34:56 17 lab.100 eth0",
                "rawnet3 1000 tap strict 1 100 1500 52:54:00:12:34:56 17 lab.100 eth0 queues=4",
                "rawnet3 1000 veth strict 0 100 1500 52:54:00:12:34:56 17 lab.100 eth0 box",
        };
        char again[LINK_ALIAS_SIZE];
        IpcLease l = parsed(text);

        assert_int_equal(l.kind, KIND_VETH);
        assert_int_equal(l.later, 0);
        assert_string_equal(l.lease_name, "box 1");
        record_format(&l, again);
        assert_string_equal(again, text);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(record_parse(bad[i], &l), -EBADMSG);
}

#define LEARNING "rawnet2 1000 tap strict 1 100 1500 - 17 lab.100 eth0"

/* The address that a learning port does not take. */
static void test_refused(_unused_ void **state) {
        static const char *const words[] = {[LEARN_REFUSED_PREFIX] = "prefix",
                                            [LEARN_REFUSED_RESERVED] = "reserved",
                                            [LEARN_REFUSED_HOST] = "host",
                                            [LEARN_REFUSED_IN_USE] = "in-use",
                                            [LEARN_REFUSED_FAILED] = "failed"};
        char text[LINK_ALIAS_SIZE], again[LINK_ALIAS_SIZE], mac[MAC_TEXT_SIZE];
        IpcLease longest;

        for (uint8_t why = LEARN_REFUSED_PREFIX; why <= LEARN_REFUSED_FAILED; why++) {
                for (unsigned named = 0; named < 2; named++) {
                        IpcLease l;

                        snprintf(text, sizeof(text), LEARNING " refused=bc:24:11:00:00:01/%s%s",
                                 words[why], named ? " name=vm" : "");
                        l = parsed(text);
                        assert_int_equal(l.refused_why, why);
                        assert_string_equal(mac_format(&l.refused_mac, mac), "bc:24:11:00:00:01");
                        assert_int_equal(l.queues, 0);
                        assert_string_equal(l.lease_name, named ? "vm" : "");
                        record_format(&l, again);
                        assert_string_equal(again, text);
                        /* The address that was learned after it. */
                        l.mac = l.refused_mac;
                        l.refused_mac = (MacAddress){{0}};
                        l.refused_why = LEARN_REFUSED_NOTHING;
                        record_format(&l, again);
                        assert_int_equal(again[6], '1');
                }
        }
        longest = parsed(LEARNING " queues=16 refused=fe:ff:ff:ff:ff:ff/reserved");
        longest.uid = longest.mtu = UINT32_MAX;
        longest.since = UINT64_MAX;
        longest.vlan = 4094;
        longest.kind = KIND_PACKET;
        longest.direct = 1;
        memset(longest.network, 'n', sizeof(longest.network) - 1);
        memset(longest.parent, 'p', sizeof(longest.parent) - 1);
        memset(longest.lease_name, 'v', sizeof(longest.lease_name) - 1);
        record_format(&longest, text);
        assert_int_equal(strlen(text), 242);
        assert_int_equal(parsed(text).refused_why, LEARN_REFUSED_RESERVED);
}

#define SECOND "rawnet2 1000 tap strict 1 100 1500 52:54:00:12:34:56 17 lab.100 eth0"

static void test_bad(_unused_ void **state) {
        static const char *const bad[] = {
                "",
                " ",
                "uplink to switch 7",
                "rawnet1",
                "rawnet 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet0 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet01 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet-2 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet2x 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet4294967296 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet: host leg of lab",
                "Rawnet1 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 1000 veth strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab",
                "rawnet1 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab ",
                " rawnet1 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1  1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 -1 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 4294967296 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 01000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 1000 macvtap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 1000 tap none 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 1000 tap strict 2 100 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 1000 tap strict 1 4095 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 1000 tap strict 1 none 1500 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 1000 tap strict 1 100 4294967296 52:54:00:12:34:56 1 lab eth0",
                "rawnet1 1000 tap strict 1 100 1500 52:54:00:12:34 1 lab eth0",
                "rawnet1 1000 tap strict 1 100 1500 learn 1 lab eth0",
                "rawnet1 1000 tap strict 1 100 1500 52:54:00:12:34:56 18446744073709551616 "
                "lab eth0",
                "rawnet1 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 "
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa eth0",
                "rawnet1 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab "
                "eth0567890123456",
                "rawnet1 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0 ",
                PLAIN " aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "rawnet1\t1000 tap strict 1 100 1500 52:54:00:12:34:56 1 lab eth0",
                SECOND,
                SECOND " ",
                SECOND " vm",
                SECOND " name=vm",
                SECOND " queues=1",
                SECOND " queues=0",
                SECOND " queues=17",
                SECOND " queues=272",
                SECOND " queues=04",
                SECOND " queues=",
                SECOND " queues=4 ",
                SECOND "  queues=4",
                SECOND " queues=4 queues=4",
                SECOND " queues=4 rate=1000",
                SECOND " queues=4 name=",
                SECOND " name=vm queues=4",
                SECOND " refused=bc:24:11:00:00:01/prefix", /* it has an address */
                LEARNING " refused=bc:24:11:00:00:01",
                LEARNING " refused=bc:24:11:00:00:01/",
                LEARNING " refused=bc:24:11:00:00:01/other",
                LEARNING " refused=BC:24:11:00:00:01/prefix",
                LEARNING " refused=bd:24:11:00:00:01/prefix",
                LEARNING " refused=00:00:00:00:00:00/prefix",
                LEARNING " refused=bc:24:11:00:00/prefix",
                LEARNING " refused=/prefix",
                LEARNING " refused=bc:24:11:00:00:01/prefix ",
                LEARNING " refused=bc:24:11:00:00:01/prefix queues=4",
                LEARNING " refused=bc:24:11:00:00:01/prefix refused=bc:24:11:00:00:01/prefix",
                SECOND " queues=4 name=\xc3\xa4",
                SECOND
                " queues=4 name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "rawnet2 1000 tap fenced 1 100 1500 52:54:00:12:34:56 17 lab.100 eth0 queues=4",
                "rawnet2 1000 veth strict 1 100 1500 52:54:00:12:34:56 17 lab.100 eth0 queues=4",
                "rawnet2 1000 tap strict 1 100 1500 52:54:00:AB:34:56 17 lab.100 eth0 queues=4",
        };
        char endless[1000];

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                IpcLease lease, before;

                memset(&before, 0xaa, sizeof(before));
                lease = before;
                if (record_parse(bad[i], &lease) != -EBADMSG)
                        fail_msg("taken for a record: \"%s\"", bad[i]);
                assert_memory_equal(&lease, &before, sizeof(lease));
        }
        memset(endless, 'x', sizeof(endless) - 1);
        endless[sizeof(endless) - 1] = '\0';
        assert_int_equal(record_parse(endless, &(IpcLease){0}), -EBADMSG);
}

static uint32_t tap_queues; /* that the kernel says of the port; 0: none */

static void put_tap(struct nlmsghdr *m) {
        struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO), *data;

        mnl_attr_put_strz(m, IFLA_INFO_KIND, "tun");
        data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
        mnl_attr_put_u32(m, IFLA_TUN_NUM_QUEUES, tap_queues);
        mnl_attr_nest_end(m, data);
        mnl_attr_nest_end(m, info);
}

static void answer_link(const char *name, const char *alias) {
        _Alignas(struct nlmsghdr) char buffer[1024];
        struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
        struct ifinfomsg *i = mnl_nlmsg_put_extra_header(m, sizeof(*i));

        m->nlmsg_type = RTM_NEWLINK;
        i->ifi_index = 1;
        mnl_attr_put_strz(m, IFLA_IFNAME, name);
        if (strcmp(name, "eth0") == 0) {
                i->ifi_index = 33;
                mnl_attr_put_u32(m, IFLA_MTU, 1300);
        }
        if (strcmp(name, "uplink") == 0) {
                mnl_attr_put_u32(m, IFLA_MTU, 1200);
                mnl_attr_put_u32(m, IFLA_LINK, 33);
                mnl_attr_put_u32(m, IFLA_LINK_NETNSID, 5);
        }
        if (strcmp(name, "rn12345") == 0 && tap_queues > 0)
                put_tap(m);
        if (alias)
                mnl_attr_put_strz(m, IFLA_IFALIAS, alias);
        fake_kernel_answers(m, m->nlmsg_len);
        fake_kernel_acks(0, NULL, 0);
}

/* What this version understands of a later one's record. */
static void test_later(_unused_ void **state) {
        static const struct {
                const char *text;
                IpcLease lease;
        } records[] = {
                {"rawnet4 1000 tap strict 1 100 1500 52:54:00:12:34:56 17 lab.100 eth0",
                 {.uid = 1000,
                  .vnet_hdr = 1,
                  .vlan = 100,
                  .mtu = 1500,
                  .mac = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}},
                  .since = 17,
                  .network = "lab.100",
                  .parent = "eth0"}},
                {"rawnet4 1000 packet strict 0 0 9000 - 17 lab eth0 rate=1000 queues=4 "
                 "name=my vm name=x",
                 {.uid = 1000,
                  .kind = KIND_PACKET,
                  .mtu = 9000,
                  .since = 17,
                  .network = "lab",
                  .parent = "eth0",
                  .queues = 4,
                  .lease_name = "my vm name=x"}},
                {"rawnet4294967295 0 netkit fenced - 0 - - - lab eth0 x= =y  z name=",
                 {.kind = KIND_UNKNOWN, .network = "lab", .parent = "eth0"}},
                {"rawnet4 0 tap direct 2 0 65536 53:54:00:12:34:56 x lab eth0 nickname=a",
                 {.network = "lab", .parent = "eth0"}},
                {"rawnet4 0 tap strict 1 0 0 learn 1 lab eth0 name=\xc3\xa4",
                 {.vnet_hdr = 1, .since = 1, .network = "lab", .parent = "eth0"}},
                {"rawnet4 0 tap strict 1 0 0 - 1 lab eth0 "
                 "name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                 {.vnet_hdr = 1, .since = 1, .network = "lab", .parent = "eth0"}},
                {"rawnet4 0 tap strict 1 0 0 - 1 lab eth0 refused=bc:24:11:00:00:01/prefix "
                 "refused=bc:24:11:00:00:02/other refused=x",
                 {.vnet_hdr = 1,
                  .since = 1,
                  .network = "lab",
                  .parent = "eth0",
                  .refused_mac = {{0xbc, 0x24, 0x11, 0, 0, 1}},
                  .refused_why = LEARN_REFUSED_PREFIX}},
                {"rawnet4 0 tap strict 1 0 0 52:54:00:12:34:56 1 lab eth0 "
                 "refused=bc:24:11:00:00:01/prefix",
                 {.vnet_hdr = 1,
                  .since = 1,
                  .mac = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}},
                  .network = "lab",
                  .parent = "eth0"}},
                {"rawnet4 0 tap strict 1 0 0 - 1 lab eth0 queues=300 x queues=y",
                 {.vnet_hdr = 1, .since = 1, .network = "lab", .parent = "eth0", .queues = 255}},
                {"rawnet4 0 tap strict 1 0 0 - 1 lab eth0 ",
                 {.vnet_hdr = 1, .since = 1, .network = "lab", .parent = "eth0"}},
        };

        for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
                IpcLease expected = records[i].lease, lease = parsed(records[i].text);

                expected.id = 0x12345;
                expected.gone = 1;
                expected.later = 1;
                if (memcmp(&lease, &expected, sizeof(lease)) != 0)
                        fail_msg("wrong: \"%s\"", records[i].text);
                lease.queues = MAX_OF(lease.queues, 1);
                assert_int_equal(ipc_lease_check(&lease), 0);
        }
}

/* These are no lease that can be shown, and yet somebody's. */
static void test_later_unreadable(_unused_ void **state) {
        static const char *const texts[] = {
                "rawnet4",
                "rawnet4 ",
                "rawnet4 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 "
                "lab",
                "rawnet4 bob tap strict 1 100 1500 52:54:00:12:34:56 1 lab "
                "eth0",
                "rawnet4 1000 tap strict 1 4095 1500 52:54:00:12:34:56 1 "
                "lab eth0",
                "rawnet4 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 "
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa eth0",
                "rawnet4 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 "
                "lab eth0567890123456",
                "rawnet4 1000 tap strict 1 100 1500 52:54:00:12:34:56 1  "
                "eth0",
                "rawnet4 4294967295 tap strict 1 100 1500 "
                "52:54:00:12:34:56 1 lab eth0", /* by ipc_lease_check() */
                "rawnet4 1000 tap strict 1 100 1500 52:54:00:12:34:56 1 "
                "lab/x eth0",
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                Netlink netlink = fake_kernel();
                IpcLease lease = {.id = 7}, before = lease;
                Refusal refusal;

                answer_link("lo", texts[i]);
                assert_refused(record_read(&netlink, 0x12345, &lease, NULL, &refusal),
                               RAWNET_NOT_SUPPORTED, &refusal, "rn12345", "later version");
                assert_memory_equal(&lease, &before, sizeof(lease));
        }
}

/* It lives while its port is there; what else belongs to it is not known. */
static void test_read_later(_unused_ void **state) {
        static const char text[] = "rawnet4 1000 netkit fenced 1 100 1500 52:54:00:12:34:56 1 "
                                   "lab.100 eth0 name=vm";
        Netlink netlink = fake_kernel();
        Refusal refusal = REFUSAL_UNTOUCHED;
        LeaseLower lower = {.index = 9};
        IpcLease lease;

        answer_link("lo", text);
        answer_link("rn12345", NULL);
        assert_int_equal(record_read(&netlink, 0x12345, &lease, &lower, &refusal), 0);
        assert_int_equal(lease.later, 1);
        assert_int_equal(lease.gone, 0);
        assert_int_equal(lower.index, 0);
        assert_string_equal(lease.lease_name, "vm");
        assert_int_equal(fake_kernel_requests(), 2);
        netlink = fake_kernel();
        answer_link("lo", text);
        fake_kernel_acks(-ENODEV, NULL, 0);
        assert_int_equal(record_read(&netlink, 0x12345, &lease, &lower, &refusal), 0);
        assert_int_equal(lease.gone, 1);
}

static void test_names(_unused_ void **state) {
        IpcLease lease = {.id = RAWNET_ID_MAX};
        char name[IFNAMSIZ];

        assert_string_equal(record_port_name(RAWNET_ID_MIN, name), "rn10000");
        assert_string_equal(record_port_name(RAWNET_ID_MAX, name), "rn7fffffff");
        assert_string_equal(record_uplink_name(&lease, name), "uplink");
        lease.direct = 1;
        assert_string_equal(record_uplink_name(&lease, name), "rn7fffffff");
}

static int read_lease(Netlink *netlink, IpcLease *ret, Refusal *refusal) {
        return record_read(netlink, 0x12345, ret, NULL, refusal);
}

static void test_read(_unused_ void **state) {
        Refusal refusal = REFUSAL_UNTOUCHED;
        Netlink netlink = fake_kernel();
        LeaseLower lower;
        IpcLease lease;

        netlink.knows_nsid = true;
        netlink.nsid = 5;
        answer_link("lo", PLAIN);
        answer_link("rn12345", NULL);
        answer_link("uplink", NULL);
        answer_link("eth0", NULL);
        assert_int_equal(record_read(&netlink, 0x12345, &lease, &lower, &refusal), 0);
        assert_int_equal(lower.index, 33);
        assert_int_equal(lower.mtu, 1300); /* the uplink's own does not count */
        assert_int_equal(lease.id, 0x12345);
        assert_int_equal(lease.gone, 0);
        assert_string_equal(lease.network, "lab.100");

        /* Revoked: only lo is left. Parent lost: the uplink is gone first. */
        netlink = fake_kernel();
        answer_link("lo", PLAIN);
        fake_kernel_acks(-ENODEV, NULL, 0);
        assert_int_equal(record_read(&netlink, 0x12345, &lease, &lower, &refusal), 0);
        assert_int_equal(lease.gone, 1);
        assert_int_equal(lower.index, 0);
        netlink = fake_kernel();
        answer_link("lo", PLAIN);
        answer_link("rn12345", NULL);
        fake_kernel_acks(-ENODEV, NULL, 0);
        assert_int_equal(read_lease(&netlink, &lease, &refusal), 0);
        assert_int_equal(lease.gone, 1);
        assert_string_equal(refusal.text, "untouched");
}

/* What the record says counts, else what the kernel says of a tap, else one. */
static void test_read_queues(_unused_ void **state) {
        static const struct {
                const char *text;
                uint32_t tap;
                uint8_t expected;
        } cases[] = {
                {PLAIN, 4, 4},
                {PLAIN, 1, 1},
                {PLAIN, 0, 1}, /* packet sockets */
                {PLAIN, 300, RAWNET_QUEUES_MAX},
                {SECOND " queues=4", 2, 4}, /* the holder closed two */
                {"rawnet4 1000 tap strict 1 100 1500 - 1 lab.100 eth0 queues=32", 2, 32},
                {"rawnet4 1000 tap strict 1 100 1500 - 1 lab.100 eth0", 3, 3},
                {"rawnet4 1000 netkit strict 1 100 1500 - 1 lab.100 eth0", 0, 1},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Netlink netlink = fake_kernel();
                Refusal refusal = {};
                IpcLease lease;

                tap_queues = cases[i].tap;
                answer_link("lo", cases[i].text);
                answer_link("rn12345", NULL);
                answer_link("uplink", NULL);
                assert_int_equal(read_lease(&netlink, &lease, &refusal), 0);
                assert_int_equal(lease.queues, cases[i].expected);
                /* Its port is gone: nothing but the record says it. */
                netlink = fake_kernel();
                answer_link("lo", cases[i].text);
                fake_kernel_acks(-ENODEV, NULL, 0);
                assert_int_equal(read_lease(&netlink, &lease, &refusal), 0);
                assert_int_equal(lease.queues,
                                 strstr(cases[i].text, "queues=") ? cases[i].expected : 1);
        }
        tap_queues = 0;
}

static void test_read_nothing(_unused_ void **state) {
        static const char *const aliases[] = {NULL, "", "somebody's"};
        IpcLease lease = {.id = 7}, before = lease;
        Refusal refusal = REFUSAL_UNTOUCHED;
        Netlink netlink = fake_kernel();

        fake_kernel_acks(-EINVAL, NULL, 0); /* no such nsid */
        assert_refused(read_lease(&netlink, &lease, &refusal), RAWNET_NO_SUCH_LEASE, &refusal,
                       "rn12345");
        netlink = fake_kernel();
        fake_kernel_acks(-EACCES, NULL,
                         0); /* another user namespace's, into which the helper may not look */
        assert_refused(read_lease(&netlink, &lease, &refusal), RAWNET_NO_SUCH_LEASE, &refusal,
                       "rn12345");
        for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
                netlink = fake_kernel();
                answer_link("lo", aliases[i]);
                assert_refused(read_lease(&netlink, &lease, &refusal), RAWNET_NO_SUCH_LEASE,
                               &refusal, "rn12345");
        }
        for (const uint32_t *id =
                     (const uint32_t[]){RAWNET_ID_MIN - 1, RAWNET_ID_MAX + 1, UINT32_MAX, 0};
             ; id++) {
                netlink = fake_kernel();
                assert_refused(record_read(&netlink, *id, &lease, NULL, &refusal),
                               RAWNET_NO_SUCH_LEASE, &refusal, "no lease");
                assert_int_equal(fake_kernel_requests(),
                                 0); /* somebody else's nsid is not even looked at */
                if (*id == 0)
                        break;
        }
        netlink = fake_kernel();
        fake_kernel_end_with(ENOBUFS);
        assert_int_equal(read_lease(&netlink, &lease, &refusal), -ENOBUFS);
        assert_memory_equal(&lease, &before, sizeof(lease));
}

/* Only "no such link" and "no such namespace" mean that something ended: after any other refusal
 * the lease may live, and a scan that took it for gone would end it for rawnetd. */
static void test_read_refused(_unused_ void **state) {
        static const int refusals[] = {ENOBUFS, ENOMEM, EINTR, EPERM, EBUSY};
        IpcLease before;

        memset(&before, 0xaa, sizeof(before));
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
                for (unsigned step = 0; step < 3; step++) {
                        Refusal refusal = REFUSAL_UNTOUCHED;
                        Netlink netlink = fake_kernel();
                        IpcLease lease = before;

                        if (step > 0)
                                answer_link("lo", PLAIN);
                        if (step > 1)
                                answer_link("rn12345", NULL);
                        fake_kernel_acks(-refusals[i], NULL, 0);
                        assert_refused(read_lease(&netlink, &lease, &refusal),
                                       RAWNET_KERNEL_REFUSED, &refusal, "interface");
                        assert_int_equal(refusal.kernel_errno, refusals[i]);
                        assert_memory_equal(&lease, &before, sizeof(lease));
                }
        }
}

/* Each step of reading fails once: never "no such lease" (a scan would take the lease for ended),
 * never half a record. */
static void test_read_faults(_unused_ void **state) {
        IpcLease before;
        bool fired = true;
        unsigned n = 0;

        memset(&before, 0xaa, sizeof(before));
        while (fired) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                Netlink netlink = fake_kernel();
                IpcLease lease = before;
                int r;

                answer_link("lo", PLAIN);
                answer_link("rn12345", NULL);
                answer_link("uplink", NULL);
                fault_arm(++n, ENOBUFS);
                r = read_lease(&netlink, &lease, &refusal);
                fired = fault_disarm();
                assert_int_equal(r, fired ? -ENOBUFS : 0);
                assert_string_equal(refusal.text, "untouched");
                if (fired)
                        assert_memory_equal(&lease, &before, sizeof(lease));
        }
        assert_int_equal(n - 1, 9); /* three times: send, the link, the ack */
        assert_int_equal(fake_kernel_requests(), 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),        cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_second),       cmocka_unit_test(test_third),
                cmocka_unit_test(test_refused),      cmocka_unit_test(test_bad),
                cmocka_unit_test(test_later),        cmocka_unit_test(test_later_unreadable),
                cmocka_unit_test(test_read_later),   cmocka_unit_test(test_names),
                cmocka_unit_test(test_read),         cmocka_unit_test(test_read_queues),
                cmocka_unit_test(test_read_nothing), cmocka_unit_test(test_read_refused),
                cmocka_unit_test(test_read_faults),
        };

        return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
