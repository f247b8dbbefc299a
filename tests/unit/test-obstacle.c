/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What keeps a parent from carrying a network though it is up: every obstacle is a row, and so is
 * what looks like one. The kernel is played: it answers each dump from the row's links. That a real
 * kernel has these obstacles is tried in tests/netns/test_parents.py and tests/vm/test_parents.py.
 */

#include "helper/worker/host/obstacle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "fault.h"
#include "test.h"

#define PARENT 2u
#define VLAN_LINK 5u
#define BRIDGE 7u
#define PORT 8u

#define LINKS_MAX 4
#define ENTRIES_MAX 4

typedef struct Row {
        const char *name;
        uint32_t index, lower;
        bool elsewhere; /* lower is an index of another namespace */
        const char *kind;
        uint32_t mode; /* MACVLAN_MODE_*; 0: not said */
        uint16_t vlan, vlan_protocol;
        bool filtering;
        uint16_t bridge_protocol;
        bool bad_mode; /* of two bytes */
} Row;

typedef struct Entry {
        uint32_t bridge; /* 0: the end of the list */
        struct bridge_vlan_info info;
} Entry;

#define OWN(its_kind) "own0", 9, PARENT, .kind = (its_kind)
#define TAGS(its_kind, on, vid, protocol)                                                          \
        "eth0.100", VLAN_LINK, on, .kind = (its_kind), .vlan = (vid), .vlan_protocol = (protocol)
#define AWARE(protocol)                                                                            \
        { "br0", BRIDGE, .kind = "bridge", .filtering = true, .bridge_protocol = (protocol) }

static const Row parent = {"eth0", PARENT};

static struct {
        Row links[LINKS_MAX]; /* the first without an index ends them */
        Entry entries[ENTRIES_MAX];
        bool no_bridges;  /* the dump of AF_BRIDGE does not have the bridge */
        bool short_entry; /* the first entry lacks a byte */
        bool interrupted; /* links came or went while they were listed */
        /* The last question: a dump of this family, or one link. */
        uint8_t asked;
        uint32_t asked_index, sequence;
        bool said; /* its links; what is left is the end */
        unsigned n_questions;
} host;

/* Never looked into: all functions that take it are here. */
static Netlink netlink = {.socket = (struct mnl_socket *)&host};

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *s, const void *data, size_t size);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *s, const void *data, size_t size) {
        const struct nlmsghdr *m = data;
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);

        assert_ptr_equal(s, &host);
        assert_int_equal(m->nlmsg_type, RTM_GETLINK);
        if (fault_due("mnl_socket_sendto", 0))
                return -1;
        host.asked = i->ifi_family;
        host.asked_index = (uint32_t)i->ifi_index;
        assert_int_equal(m->nlmsg_flags, NLM_F_REQUEST | (i->ifi_index ? NLM_F_ACK : NLM_F_DUMP));
        host.sequence = m->nlmsg_seq;
        host.said = false;
        host.n_questions++;
        return (ssize_t)size;
}

static void put_data(struct nlmsghdr *m, const Row *row) {
        struct nlattr *data = mnl_attr_nest_start(m, IFLA_INFO_DATA);

        if (row->mode)
                mnl_attr_put(m, IFLA_MACVLAN_MODE, row->bad_mode ? 2 : 4, &row->mode);
        if (row->vlan)
                mnl_attr_put_u16(m, IFLA_VLAN_ID, row->vlan);
        if (row->vlan_protocol)
                mnl_attr_put_u16(m, IFLA_VLAN_PROTOCOL, htons(row->vlan_protocol));
        if (row->filtering)
                mnl_attr_put_u8(m, IFLA_BR_VLAN_FILTERING, 1);
        if (row->bridge_protocol)
                mnl_attr_put_u16(m, IFLA_BR_VLAN_PROTOCOL, htons(row->bridge_protocol));
        mnl_attr_nest_end(m, data);
}

static void put_link(struct nlmsghdr *m, const Row *row) {
        struct nlattr *info;

        mnl_attr_put_strz(m, IFLA_IFNAME, row->name);
        if (row->lower)
                mnl_attr_put_u32(m, IFLA_LINK, row->lower);
        if (row->elsewhere)
                mnl_attr_put_u32(m, IFLA_LINK_NETNSID, 0);
        if (!row->kind)
                return;
        info = mnl_attr_nest_start(m, IFLA_LINKINFO);
        /* The kernel's order: the data come after the kind. */
        mnl_attr_put(m, IFLA_INFO_KIND, strlen(row->kind) + 1, row->kind);
        put_data(m, row);
        mnl_attr_nest_end(m, info);
}

static void put_entries(struct nlmsghdr *m, uint32_t bridge) {
        struct nlattr *spec = mnl_attr_nest_start(m, IFLA_AF_SPEC);

        for (const Entry *e = host.entries; e < host.entries + ENTRIES_MAX && e->bridge; e++)
                if (e->bridge == bridge)
                        mnl_attr_put(m, IFLA_BRIDGE_VLAN_INFO,
                                     sizeof(e->info) - (host.short_entry && e == host.entries),
                                     &e->info);
        mnl_attr_nest_end(m, spec);
}

static struct nlmsghdr *put_header(void *at, uint16_t type, uint32_t index) {
        struct nlmsghdr *m = mnl_nlmsg_put_header(at);
        struct ifinfomsg *i = mnl_nlmsg_put_extra_header(m, sizeof(*i));

        m->nlmsg_type = type;
        m->nlmsg_seq = host.sequence;
        m->nlmsg_flags = NLM_F_MULTI | (host.interrupted ? NLM_F_DUMP_INTR : 0);
        if (type == RTM_NEWLINK) {
                i->ifi_family = host.asked;
                i->ifi_index = (int)index;
        }
        return m;
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *s, void *data, size_t size);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *s, void *data, size_t size) {
        char *at = data;

        assert_ptr_equal(s, &host);
        assert_true(size >= 4096);
        if (fault_due("mnl_socket_recvfrom", 0))
                return -1;
        if (host.said)
                return (ssize_t)put_header(at, host.asked_index ? NLMSG_ERROR : NLMSG_DONE, 0)
                        ->nlmsg_len;
        host.said = true;
        if (host.asked == AF_BRIDGE) {
                for (uint32_t i = BRIDGE; i <= PORT; i++) {
                        struct nlmsghdr *m;

                        if (i == BRIDGE && host.no_bridges)
                                continue;
                        m = put_header(at, RTM_NEWLINK, i);
                        put_entries(m, i);
                        at += m->nlmsg_len;
                }
        } else {
                for (const Row *row = host.links; row < host.links + LINKS_MAX && row->index;
                     row++) {
                        struct nlmsghdr *m;

                        if (host.asked_index && row->index != host.asked_index)
                                continue;
                        m = put_header(at, RTM_NEWLINK, row->index);
                        put_link(m, row);
                        at += m->nlmsg_len;
                }
        }
        return at - (char *)data;
}

static void reset(void) {
        memset(&host, 0, sizeof(host));
}

/* A row's outcome: no sentence, no obstacle. */
static void assert_outcome(const char *what, int r, const char *sentence, const Refusal *refusal) {
        print_message("# %s\n", what);
        if (sentence) {
                assert_refused(r, RAWNET_NOT_SUPPORTED, refusal, sentence);
        } else {
                assert_int_equal(r, 0);
                assert_string_equal(refusal->text, "untouched");
        }
}

static void test_upper(_unused_ void **state) {
        static const struct {
                const char *what;
                Row upper;
                const char *sentence;
        } rows[] = {
                {"nothing", {}, NULL},
                {"ipvlan",
                 {OWN("ipvlan")},
                 "eth0 carries own0 (ipvlan), and the kernel lets nothing else be on an interface with that: delete it "
                 "(ip link delete own0), or name another interface in Parent="},
                {"ipvtap", {OWN("ipvtap")}, "eth0 carries own0 (ipvtap)"},
                {"MACsec", {OWN("macsec")}, "eth0 carries own0 (macsec)"},
                {"passthru",
                 {OWN("macvlan"), .mode = MACVLAN_MODE_PASSTHRU},
                 "eth0 carries own0 (macvlan in mode passthru)"},
                {"passthru macvtap",
                 {OWN("macvtap"), .mode = MACVLAN_MODE_PASSTHRU},
                 "eth0 carries own0 (macvtap in mode passthru)"},
                {"macvlan", {OWN("macvlan"), .mode = MACVLAN_MODE_BRIDGE}, NULL},
                {"private", {OWN("macvlan"), .mode = MACVLAN_MODE_PRIVATE}, NULL},
                {"VEPA", {OWN("macvlan"), .mode = MACVLAN_MODE_VEPA}, NULL},
                {"no mode", {OWN("macvlan")}, NULL},
                {"half a mode",
                 {OWN("macvlan"), .mode = MACVLAN_MODE_PASSTHRU, .bad_mode = true},
                 NULL},
                {"a mode of another kind", {OWN("dummy"), .mode = MACVLAN_MODE_PASSTHRU}, NULL},
                {"a long kind", {OWN("ipvlan-ipvlan-ipvlan-ipvlan-ipvlan")}, NULL},
                {"no kind", {"own0", 9, PARENT}, NULL},
                {"a VLAN interface", {OWN("vlan"), .vlan = 100}, NULL},
                {"on another interface", {"own0", 9, PARENT + 1, .kind = "ipvlan"}, NULL},
                {"on one of another namespace", {OWN("ipvlan"), .elsewhere = true}, NULL},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;

                reset();
                host.links[0] = parent;
                host.links[1] = rows[i].upper;
                assert_outcome(rows[i].what, obstacle_upper(&netlink, PARENT, &refusal),
                               rows[i].sentence, &refusal);
                /* Whichever the kernel says first. */
                if (rows[i].upper.index) {
                        host.links[0] = rows[i].upper;
                        host.links[1] = parent;
                        refusal = REFUSAL_UNTOUCHED;
                        assert_outcome(rows[i].what, obstacle_upper(&netlink, PARENT, &refusal),
                                       rows[i].sentence, &refusal);
                }
        }
}

/* What is on a VLAN interface counts for that, and what is on its parent does not: tagged frames do
 * not get there. */
static void test_upper_of_a_vlan(_unused_ void **state) {
        for (uint32_t under = PARENT; under <= VLAN_LINK; under += VLAN_LINK - PARENT) {
                Refusal refusal = REFUSAL_UNTOUCHED;

                reset();
                host.links[0] = parent;
                host.links[1] = (Row){"own0", 9, under, .kind = "ipvlan"};
                host.links[2] = (Row){TAGS("vlan", PARENT, 100, ETH_P_8021Q)};
                assert_outcome("VLAN interface", obstacle_upper(&netlink, VLAN_LINK, &refusal),
                               under == VLAN_LINK ? "eth0.100 carries own0 (ipvlan)" : NULL,
                               &refusal);
        }
}

/* Of the bridge as the kernel shows it. */
static int pass(uint16_t first, uint16_t last, uint16_t protocol, Refusal *refusal) {
        LinkInfo bridge;
        int r = link_get_index(&netlink, BRIDGE, &bridge, refusal);

        return r != 0 ? r : obstacle_bridge(&netlink, &bridge, first, last, protocol, refusal);
}

#define TAGGED(vid)                                                                                \
        {                                                                                          \
                BRIDGE, {                                                                          \
                        0, vid                                                                     \
                }                                                                                  \
        }
#define PLAIN(vid, more)                                                                           \
        {                                                                                          \
                BRIDGE, {                                                                          \
                        BRIDGE_VLAN_INFO_UNTAGGED | (more), vid                                    \
                }                                                                                  \
        }
#define RANGE(first, last, more)                                                                   \
        {BRIDGE, {BRIDGE_VLAN_INFO_RANGE_BEGIN | (more), first}}, {                                \
                BRIDGE, {                                                                          \
                        BRIDGE_VLAN_INFO_RANGE_END | (more), last                                  \
                }                                                                                  \
        }
#define PVID BRIDGE_VLAN_INFO_PVID
#define LACKS(vid)                                                                                 \
        "the VLAN-aware bridge br0 does not pass VLAN " vid                                        \
        " to its own interface with the tag: bridge vlan add vid " vid " dev br0 self"
#define NO_UNTAGGED                                                                                  \
        "the VLAN-aware bridge br0 passes no untagged frames to its own interface: name their VLAN " \
        "(bridge vlan add vid VID dev br0 self pvid untagged), or set VLAN= to one that it passes"

static void test_bridge(_unused_ void **state) {
        static const struct {
                const char *what;
                uint16_t first, last;
                Entry entries[ENTRIES_MAX];
                const char *sentence;
        } rows[] = {
                {"a bridge as Proxmox makes it", 100, 100, {PLAIN(1, PVID)}, LACKS("100")},
                {"the VLAN on its port alone",
                 100,
                 100,
                 {PLAIN(1, PVID), {PORT, {0, 100}}},
                 LACKS("100")},
                {"the VLAN", 100, 100, {PLAIN(1, PVID), TAGGED(100)}, NULL},
                {"no VLAN at all", 100, 100, {}, LACKS("100")},
                {"without its tag", 100, 100, {PLAIN(100, 0)}, LACKS("100")},
                {"as its default", 1, 1, {PLAIN(1, PVID)}, LACKS("1")},
                {"its default with the tag", 1, 1, {{BRIDGE, {PVID, 1}}}, NULL},
                {"a neighbour", 100, 100, {TAGGED(99), TAGGED(101)}, LACKS("100")},
                {"in the midst of a range", 100, 100, {RANGE(50, 150, 0)}, NULL},
                {"the first of a range", 100, 100, {RANGE(100, 150, 0)}, NULL},
                {"the last of a range", 100, 100, {RANGE(50, 100, 0)}, NULL},
                {"past a range", 100, 100, {RANGE(50, 99, 0)}, LACKS("100")},
                {"before a range", 100, 100, {RANGE(101, 150, 0)}, LACKS("100")},
                {"an untagged range",
                 100,
                 100,
                 {RANGE(50, 150, BRIDGE_VLAN_INFO_UNTAGGED)},
                 LACKS("100")},
                {"a range of the network's", 100, 109, {RANGE(100, 109, 0)}, NULL},
                {"the first that is missing",
                 100,
                 109,
                 {RANGE(100, 104, 0), TAGGED(106)},
                 LACKS("105")},
                {"the last that is missing", 100, 109, {RANGE(100, 108, 0)}, LACKS("109")},
                {"pieced together", 100, 102, {TAGGED(102), TAGGED(100), TAGGED(101)}, NULL},
                {"all", 1, 4094, {RANGE(1, 4094, 0)}, NULL},
                {"a range to past the end", 4094, 4094, {RANGE(4000, UINT16_MAX, 0)}, NULL},
                {"untagged frames", 0, 0, {PLAIN(1, PVID)}, NULL},
                {"untagged frames of no VLAN", 0, 0, {}, NO_UNTAGGED},
                {"untagged frames, which come in only", 0, 0, {{BRIDGE, {PVID, 1}}}, NO_UNTAGGED},
                {"untagged frames, which go out only", 0, 0, {PLAIN(1, 0)}, NO_UNTAGGED},
                {"untagged frames of a port",
                 0,
                 0,
                 {{PORT, {BRIDGE_VLAN_INFO_UNTAGGED | PVID, 1}}},
                 NO_UNTAGGED},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;

                reset();
                host.links[0] = parent;
                host.links[1] = (Row)AWARE(ETH_P_8021Q);
                memcpy(host.entries, rows[i].entries, sizeof(host.entries));
                assert_outcome(rows[i].what,
                               pass(rows[i].first, rows[i].last, ETH_P_8021Q, &refusal),
                               rows[i].sentence, &refusal);
        }
}

/* Bridges that are not VLAN-aware, or aware of other tags. */
static void test_other_bridges(_unused_ void **state) {
        static const struct {
                const char *what;
                Row bridge;
                uint16_t protocol;
                Entry entry;
                const char *sentence;
                bool no_bridges, short_entry;
        } rows[] = {
                {"not VLAN-aware", {"br0", BRIDGE, .kind = "bridge"}, ETH_P_8021Q, {}, NULL},
                {"no bridge",
                 {"br0", BRIDGE, .kind = "dummy", .filtering = true},
                 ETH_P_8021Q,
                 {},
                 NULL},
                {"the kernel does not say",
                 AWARE(ETH_P_8021Q),
                 ETH_P_8021Q,
                 {},
                 NULL,
                 .no_bridges = true},
                {"half an entry", AWARE(ETH_P_8021Q), ETH_P_8021Q, TAGGED(100), LACKS("100"),
                 .short_entry = true},
                /* Service tags are untagged frames for a bridge that is aware of customer tags. */
                {"802.1ad through its default VLAN", AWARE(ETH_P_8021Q), ETH_P_8021AD,
                 PLAIN(1, PVID), NULL},
                {"802.1ad, no default VLAN", AWARE(ETH_P_8021Q), ETH_P_8021AD, TAGGED(100),
                 NO_UNTAGGED},
                {"an 802.1ad bridge", AWARE(ETH_P_8021AD), ETH_P_8021AD, TAGGED(100), NULL},
                {"an 802.1ad bridge without it", AWARE(ETH_P_8021AD), ETH_P_8021AD, PLAIN(1, PVID),
                 LACKS("100")},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;

                reset();
                host.links[0] = parent;
                host.links[1] = rows[i].bridge;
                host.entries[0] = rows[i].entry;
                host.no_bridges = rows[i].no_bridges;
                host.short_entry = rows[i].short_entry;
                assert_outcome(rows[i].what, pass(100, 100, rows[i].protocol, &refusal),
                               rows[i].sentence, &refusal);
        }
}

static void put_obstacles(void) {
        reset();
        host.links[0] = parent;
        host.links[1] = (Row){OWN("ipvlan")};
        host.links[2] = (Row)AWARE(ETH_P_8021Q);
}

static int call(bool bridge, Refusal *refusal) {
        return bridge ? pass(100, 100, ETH_P_8021Q, refusal)
                      : obstacle_upper(&netlink, PARENT, refusal);
}

/* Each call fails once: an error, never a yes. */
static void test_failures(_unused_ void **state) {
        for (int bridge = 0; bridge <= 1; bridge++) {
                unsigned n = 1;

                for (;; n++) {
                        Refusal refusal = REFUSAL_UNTOUCHED;
                        int r;

                        put_obstacles();
                        fault_arm(n, ENOBUFS);
                        r = call(bridge, &refusal);
                        if (!fault_disarm()) {
                                assert_int_equal(r, RAWNET_NOT_SUPPORTED);
                                break;
                        }
                        assert_true(r == -ENOBUFS || r == -ENOMEM);
                        assert_string_equal(refusal.text, "untouched");
                }
                /* Two questions, each with one write and two reads; and memory for the list. */
                assert_int_equal(n, bridge ? 7 : 8);
                assert_int_equal(host.n_questions, 2);
        }
}

/* Links that come or go during the dump are no error: what is not found now is found later. */
static void test_interrupted(_unused_ void **state) {
        for (int bridge = 0; bridge <= 1; bridge++) {
                Refusal refusal = REFUSAL_UNTOUCHED;

                put_obstacles();
                host.interrupted = true;
                assert_int_equal(call(bridge, &refusal), 0);
                assert_string_equal(refusal.text, "untouched");
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_upper),    cmocka_unit_test(test_upper_of_a_vlan),
                cmocka_unit_test(test_bridge),   cmocka_unit_test(test_other_bridges),
                cmocka_unit_test(test_failures), cmocka_unit_test(test_interrupted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
