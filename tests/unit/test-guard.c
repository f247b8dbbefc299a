/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Where the guard's programs go, for each shape, and in which order a lease is closed: programs,
 * gate, and the entry last. Each step fails once, and nothing comes after it. What the programs
 * decide is for test-guard-program.c, that the kernel does it for the netns and attack tests.
 */

#include <arpa/inet.h>
#include <libnftnl/chain.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "common/names.h"
#include "fault.h"
#include "helper/child/guard.h"
#include "helper/kernel/nft.h"
#include "helper/kernel/tc.h"
#include "test.h"

/* Each allocation of libnftnl's fails as malloc(3) would. */
#define WRAP(type, name, parameters, arguments, failure)                                           \
        type __real_##name parameters;                                                             \
        type __wrap_##name parameters;                                                             \
        type __wrap_##name parameters {                                                            \
                return fault_due(#name, ENOMEM) ? failure : __real_##name arguments;               \
        }
WRAP(struct nftnl_table *, nftnl_table_alloc, (void), (), NULL)
WRAP(struct nftnl_chain *, nftnl_chain_alloc, (void), (), NULL)
WRAP(int, nftnl_table_set_str, (struct nftnl_table * t, uint16_t a, const char *s), (t, a, s), -1)
WRAP(int, nftnl_chain_set_str, (struct nftnl_chain * c, uint16_t a, const char *s), (c, a, s), -1)

#define ID (RAWNET_ID_FIRST + 7)
static const MacAddress own = {{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}};
static const GuardProgram program = {.fd = {[GUARD_FROM_WIRE] = 21,
                                            [GUARD_FROM_GUEST] = 22,
                                            [GUARD_TO_CHECK] = 23,
                                            [GUARD_DEAD_END] = 24,
                                            [GUARD_COUNTERS] = 25}};

/* What was done, in words, one line each. */
static struct {
        char said[1024];
        GuardEntry entry;
        GuardLock lock;
        int refuses; /* kernel_errno of the step that fails; 0: it fails by itself */
} done;

static void say(const char *format, ...) _printf_(1, 2);
static void say(const char *format, ...) {
        const size_t n = strlen(done.said);
        va_list ap;

        va_start(ap, format);
        vsnprintf(done.said + n, sizeof(done.said) - n, format, ap);
        va_end(ap);
}

static int fails(const char *name, Refusal *refusal) {
        if (!fault_due(name, ENOBUFS))
                return 0;
        return done.refuses ? refuse_errno(refusal, done.refuses, "%s", name) : -ENOBUFS;
}

int __wrap_tc_add_hooks(Netlink *netlink, const char *link, uint32_t index, TcHook last,
                        Refusal *ret_refusal);
int __wrap_tc_add_hooks(_unused_ Netlink *netlink, const char *link, uint32_t index, TcHook last,
                        Refusal *ret_refusal) {
        int r = fails("tc_add_hooks", ret_refusal);

        if (r == 0)
                say("%s %x%s\n", link, index, last == TC_HOOK_EGRESS ? " both ways" : "");
        return r;
}

int __wrap_tc_attach(Netlink *netlink, const char *link, uint32_t index, TcHook hook,
                     int program_fd, const char *name, Refusal *ret_refusal);
int __wrap_tc_attach(_unused_ Netlink *netlink, const char *link, _unused_ uint32_t index,
                     TcHook hook, int program_fd, const char *name, Refusal *ret_refusal) {
        int r = fails("tc_attach", ret_refusal);

        if (r == 0)
                say("%s %s %d %s\n", link, hook == TC_HOOK_INGRESS ? "ingress" : "egress",
                    program_fd, name);
        return r;
}

int __wrap_netlink_open(Netlink *ret, int protocol);
int __wrap_netlink_open(Netlink *ret, _unused_ int protocol) {
        *ret = (Netlink){};
        return fault_due("netlink_open", ENOBUFS) ? -ENOBUFS : 0;
}

void __wrap_netlink_close(Netlink *netlink);
void __wrap_netlink_close(_unused_ Netlink *netlink) {
}

static void read_chain(const struct nlmsghdr *m) {
        struct nftnl_chain *chain = __real_nftnl_chain_alloc();

        assert_int_equal(nftnl_chain_nlmsg_parse(m, chain), 0);
        assert_int_equal(nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM), NF_NETDEV_EGRESS);
        assert_int_equal(nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY), NF_DROP);
        assert_int_equal(nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY), NFPROTO_NETDEV);
        assert_string_equal(nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE), "filter");
        say("gate %s\n", nftnl_chain_get_str(chain, NFTNL_CHAIN_DEV));
        nftnl_chain_free(chain);
}

int __wrap_netlink_talk_batch(Netlink *netlink, const void *batch, size_t size,
                              Refusal *ret_refusal, const char *what, ...);
int __wrap_netlink_talk_batch(_unused_ Netlink *netlink, const void *batch, size_t size,
                              Refusal *ret_refusal, _unused_ const char *what, ...) {
        int r = fails("netlink_talk_batch", ret_refusal), left = (int)size;
        unsigned tables = 0, rules = 0, acks = 0;

        if (r != 0)
                return r;
        for (const struct nlmsghdr *m = batch; mnl_nlmsg_ok(m, left);
             m = mnl_nlmsg_next(m, &left)) {
                acks += (m->nlmsg_flags & NLM_F_ACK) != 0;
                if (m->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
                        continue;
                tables += (m->nlmsg_type & 0xff) == NFT_MSG_NEWTABLE;
                rules += (m->nlmsg_type & 0xff) == NFT_MSG_NEWRULE;
                if ((m->nlmsg_type & 0xff) == NFT_MSG_NEWCHAIN)
                        read_chain(m);
        }
        assert_int_equal(tables, 1);
        /* Any rule would be a way through. */
        assert_int_equal(rules, 0);
        assert_int_equal(acks, 1);
        return 0;
}

int __wrap_guard_program_remove(const GuardProgram *p, uint32_t id);
int __wrap_guard_program_remove(const GuardProgram *p, uint32_t id) {
        if (fault_due("guard_program_remove", ENOBUFS))
                return -ENOBUFS;
        assert_ptr_equal(p, &program);
        say("no %x\n", id);
        return 0;
}

int __wrap_guard_program_lock(const GuardProgram *p, uint32_t id, const GuardLock *lock);
int __wrap_guard_program_lock(const GuardProgram *p, uint32_t id, const GuardLock *lock) {
        if (fault_due("guard_program_lock", ENOBUFS))
                return -ENOBUFS;
        done.lock = *lock;
        say("lock %x\n", id);
        return 0;
}

void __wrap_guard_program_set(const GuardProgram *p, uint32_t id, const GuardEntry *entry);
void __wrap_guard_program_set(const GuardProgram *p, uint32_t id, const GuardEntry *entry) {
        assert_ptr_equal(p, &program);
        say("entry %x\n", id);
        done.entry = *entry;
}

static Guard guard_of(GuardShape shape) {
        return (Guard){.shape = shape,
                       .id = ID,
                       .uplink = {"uplink", GUARD_UPLINK | GUARD_NUMBER(ID)},
                       .port = {"port", ID},
                       .inner = {"inner", GUARD_INNER | GUARD_NUMBER(ID)},
                       .check = {"check", GUARD_CHECK | GUARD_NUMBER(ID)},
                       .mtu = 1500,
                       .anti_spoof = true,
                       .mac = own};
}

static int install(const Guard *guard, Refusal *refusal) {
        Netlink netlink = {};

        memset(&done.said, 0, sizeof(done.said));
        return guard_install(guard, &program, &netlink, refusal);
}

#define UPLINK "no 7fff0009\nuplink 7ffe0009\nuplink ingress 21 from_wire\n"
#define ENTRY "entry 7fff0009\n"

static void test_shapes(_unused_ void **state) {
        static const char inner[] = "inner 7ffd0009\ninner ingress 22 from_guest\n";
        Guard guard = guard_of(GUARD_TAP);
        char expected[1024];
        Refusal refusal;

        assert_int_equal(install(&guard, &refusal), 0);
        assert_string_equal(done.said, UPLINK "port 7fff0009\nport ingress 22 from_guest\n" ENTRY);
        guard = guard_of(GUARD_TAP_CHECKED);
        assert_int_equal(install(&guard, &refusal), 0);
        assert_non_null(strstr(done.said, "port ingress 22 from_guest"));
        assert_int_equal(done.entry.flags, GUARD_ANTI_SPOOF);
        guard.blind = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.flags, GUARD_ANTI_SPOOF | GUARD_COMPLETE);
        guard.container = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.flags, GUARD_ANTI_SPOOF | GUARD_COMPLETE | GUARD_CONTAINER);
        guard.blind = false;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.flags, GUARD_ANTI_SPOOF | GUARD_CONTAINER);
        guard.checksum_trick = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.flags, GUARD_ANTI_SPOOF);
        snprintf(expected, sizeof(expected), "%s%s%s", UPLINK, inner,
                 "port 7fff0009\nport ingress 23 to_check\n" ENTRY);
        assert_string_equal(done.said, expected);
        guard = guard_of(GUARD_PACKET);
        assert_int_equal(install(&guard, &refusal), 0);
        snprintf(expected, sizeof(expected), "%s%s%s", UPLINK, inner,
                 "port 7fff0009 both ways\nport egress 22 from_guest\nport ingress 24 dead_end\n"
                 "gate uplink\n" ENTRY);
        assert_string_equal(done.said, expected);
        /* Its frames are completed behind the port's egress. */
        guard.checksum_trick = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_null(strstr(done.said, "egress"));
        assert_null(strstr(done.said, "both ways"));
}

/* Where only what the guard cannot judge is completed, the program at the port sends it to the
 * veth, and the one behind it judges it again. */
static void test_completing(_unused_ void **state) {
        const uint32_t both = GUARD_COMPLETE | GUARD_PACKET_PORT;
        Guard guard = guard_of(GUARD_TAP_CHECKED);
        Refusal refusal;

        guard.blind = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_non_null(strstr(done.said, "port ingress 22 from_guest"));
        assert_non_null(strstr(done.said, "inner ingress 22 from_guest"));
        assert_int_equal(done.entry.flags & both, GUARD_COMPLETE);
        guard.blind = false;
        guard.checksum_trick = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.flags & both, 0);
        guard = guard_of(GUARD_PACKET);
        guard.blind = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_non_null(strstr(done.said, "port egress 22 from_guest"));
        assert_non_null(strstr(done.said, "inner ingress 22 from_guest"));
        assert_int_equal(done.entry.flags & both, both);
        guard.blind = false;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.flags & both, GUARD_PACKET_PORT);
}

/* Each step fails once: its error, and nothing after it, the entry above all. */
static void test_faults(_unused_ void **state) {
        static const int answers[] = {0, EPERM, EOPNOTSUPP};

        for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
                for (GuardShape shape = GUARD_TAP; shape <= GUARD_PACKET; shape++) {
                        const Guard guard = guard_of(shape);
                        bool fired = true;
                        unsigned n = 0;

                        done.refuses = answers[i];
                        while (fired) {
                                Refusal refusal = REFUSAL_UNTOUCHED;
                                int r;

                                fault_arm(++n, ENOBUFS);
                                r = install(&guard, &refusal);
                                fired = fault_disarm();
                                assert_int_equal(r != 0, fired);
                                assert_int_equal(strstr(done.said, "entry") != NULL, !fired);
                                if (!fired || r < 0)
                                        assert_string_equal(refusal.text, "untouched");
                        }
                        assert_true(n > (shape == GUARD_PACKET ? 12u : 5u));
                }
        }
        done.refuses = 0;
}

/* A kernel without the hook: packet ports are refused, and the text says what works. */
static void test_no_gate(_unused_ void **state) {
        static const int answers[] = {EOPNOTSUPP, ENOENT, EINVAL};
        const Guard guard = guard_of(GUARD_PACKET);
        Refusal refusal;

        for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
                bool reached = false;

                done.refuses = answers[i];
                for (unsigned n = 1; !reached; n++) {
                        int r;

                        fault_arm(n, ENOBUFS);
                        r = install(&guard, &refusal);
                        assert_true(fault_disarm());
                        reached = strcmp(fault_what(), "netlink_talk_batch") == 0;
                        if (reached)
                                assert_refused(r, RAWNET_NOT_SUPPORTED, &refusal, "egress",
                                               "Kinds=tap", "netlink_talk_batch");
                }
        }
        done.refuses = 0;
}

static void test_learning(_unused_ void **state) {
        Guard guard = guard_of(GUARD_TAP);
        Refusal refusal;

        guard.learning = true;
        guard.mac = (MacAddress){};
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.longest, 0);
        guard.learning = false;
        guard.mac = own;
        memset(&done.said, 0, sizeof(done.said));
        guard_admit(&guard, &program);
        assert_string_equal(done.said, ENTRY);
        assert_int_equal(done.entry.longest, 1514);
        assert_memory_equal(done.entry.mac, &own, sizeof(own));
}

static const uint8_t *bytes_of(const uint64_t *words) {
        return (const uint8_t *)words;
}

/* The lock is there before the entry. */
static void test_lock(_unused_ void **state) {
        static const uint8_t value4[16] = {10, 0, 0, 128}, mask4[16] = {0xff, 0xff, 0xff, 0x80};
        static const uint8_t value6[16] = {0xfd, 0}, mask6[16] = {0xff, 0xff, 0xfe};
        const GuardAddress none = {};
        Guard guard = guard_of(GUARD_TAP);
        Refusal refusal;

        guard.locked = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_string_equal(done.said, UPLINK "port 7fff0009\nport ingress 22 from_guest\n"
                                              "lock 7fff0009\n" ENTRY);
        assert_int_equal(done.entry.flags, GUARD_ANTI_SPOOF | GUARD_LOCKED);
        assert_int_equal(done.entry.longest, 1514);
        assert_int_equal(done.entry.ordinary, 0);
        assert_memory_equal(&done.lock.address[0], &none, sizeof(none));
        assert_int_equal(
                address_list_add(&guard.addresses, "10.0.0.128/25", "network", "lab", &refusal), 0);
        assert_int_equal(
                address_list_add(&guard.addresses, "fd00::/23", "network", "lab", &refusal), 0);
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.lock.address[0].type, htons(ETH_P_IP));
        assert_memory_equal(bytes_of(done.lock.address[0].value), value4, sizeof(value4));
        assert_memory_equal(bytes_of(done.lock.address[0].mask), mask4, sizeof(mask4));
        assert_int_equal(done.lock.address[1].type, htons(ETH_P_IPV6));
        assert_memory_equal(bytes_of(done.lock.address[1].mask), mask6, sizeof(mask6));
        assert_memory_equal(bytes_of(done.lock.address[1].value), value6, sizeof(value6));
        assert_memory_equal(&done.lock.address[2], &none, sizeof(none));
        assert_int_equal(done.lock.last_type, 0);
        /* While the address is learned, nothing passes. */
        guard.learning = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.longest, 0);
        assert_int_equal(done.entry.ordinary, 0);
}

static void test_entries(_unused_ void **state) {
        static const uint8_t mac[8] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
        Guard guard = guard_of(GUARD_TAP);
        Refusal refusal;

        assert_int_equal(install(&guard, &refusal), 0);
        assert_memory_equal(done.entry.mac, mac, sizeof(mac));
        assert_int_equal(done.entry.longest, 1514);
        assert_int_equal(done.entry.flags, GUARD_ANTI_SPOOF);
        assert_int_equal(done.entry.to_index, ID);
        assert_int_equal(done.entry.to_flags, 0);
        guard.anti_spoof = false;
        guard.pass_control = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.flags, GUARD_PASS_CONTROL);
        guard.pass_control = false;
        guard.allow_dhcp = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.flags, GUARD_ALLOW_DHCP);
        guard.allow_dhcp = false;
        guard.allow_ra = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.flags, GUARD_ALLOW_RA);
        guard.allow_ra = false;
        guard.drop_own = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.flags, GUARD_DROP_OWN);
        assert_int_equal(done.entry.ordinary, 1514);
        guard = guard_of(GUARD_TAP_CHECKED);
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.to_index, ID);
        assert_int_equal(done.entry.to_flags, 0);
        /* Wire frames are completed in the veth, others are received where the sockets are. */
        guard = guard_of(GUARD_PACKET);
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.to_index, GUARD_INNER | GUARD_NUMBER(ID));
        assert_int_equal(done.entry.to_flags, 0);
        guard.vnet_hdr = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.to_index, ID);
        assert_int_equal(done.entry.to_flags, BPF_F_INGRESS);
        /* What waits for a limit waits in the queue of inner. */
        guard.limited = true;
        assert_int_equal(install(&guard, &refusal), 0);
        assert_int_equal(done.entry.to_index, GUARD_INNER | GUARD_NUMBER(ID));
        assert_int_equal(done.entry.to_flags, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_shapes),   cmocka_unit_test(test_completing),
                cmocka_unit_test(test_faults),   cmocka_unit_test(test_no_gate),
                cmocka_unit_test(test_learning), cmocka_unit_test(test_entries),
                cmocka_unit_test(test_lock),
        };

        return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
