/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What the guard lets through, by running the rules that it builds over frames: the few nftables
 * expressions it uses are carried out here as linux/net/netfilter does it. That the kernel does the
 * same is for the netns and attack tests.
 */

#include <endian.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "fault.h"
#include "helper/child/guard-rules.h"
#include "test.h"

#define DROPPED 0
#define ACCEPTED (-1)
#define UPLINK 11
#define PORT 12
#define INNER 13
#define CHECK 14
#define SHORTCUT 1514

/* Each allocation of libnftnl's fails as malloc(3) would. */
#define WRAP(type, name, parameters, arguments, failure)                                           \
        type __real_##name parameters;                                                             \
        type __wrap_##name parameters;                                                             \
        type __wrap_##name parameters {                                                            \
                return fault_due(#name, ENOMEM) ? failure : __real_##name arguments;               \
        }
WRAP(struct nftnl_table *, nftnl_table_alloc, (void), (), NULL)
WRAP(struct nftnl_chain *, nftnl_chain_alloc, (void), (), NULL)
WRAP(struct nftnl_rule *, nftnl_rule_alloc, (void), (), NULL)
WRAP(struct nftnl_expr *, nftnl_expr_alloc, (const char *name), (name), NULL)
WRAP(int, nftnl_table_set_str, (struct nftnl_table * t, uint16_t a, const char *s), (t, a, s), -1)
WRAP(int, nftnl_chain_set_str, (struct nftnl_chain * c, uint16_t a, const char *s), (c, a, s), -1)
WRAP(int, nftnl_rule_set_str, (struct nftnl_rule * r, uint16_t a, const char *s), (r, a, s), -1)
WRAP(int, nftnl_expr_set, (struct nftnl_expr * e, uint16_t a, const void *d, uint32_t n),
     (e, a, d, n), -1)

static const MacAddress own = {{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}};

static Guard guard_of(GuardShape shape, bool anti_spoof, bool pass_control) {
        return (Guard){.shape = shape,
                       .uplink = {"uplink", UPLINK},
                       .port = {"rn12345", PORT},
                       .inner = {"inner", INNER},
                       .check = {"check", CHECK},
                       .anti_spoof = anti_spoof,
                       .pass_control = pass_control,
                       .drop_own = pass_control,
                       .mac = own,
                       .shortcut = shape == GUARD_PACKET ? SHORTCUT : 0};
}

/* The rules of a batch as the kernel would get them. */
typedef struct Rules {
        struct nftnl_rule *rule[32];
        struct nftnl_chain *chain[8];
        size_t n_rules, n_chains;
        unsigned tables, acks;
} Rules;

static void rules_free(Rules *rules) {
        while (rules->n_rules > 0)
                nftnl_rule_free(rules->rule[--rules->n_rules]);
        while (rules->n_chains > 0)
                nftnl_chain_free(rules->chain[--rules->n_chains]);
}

static void take_message(Rules *rules, const struct nlmsghdr *m) {
        switch (m->nlmsg_type & 0xff) {
        case NFT_MSG_NEWTABLE:
                assert_true(m->nlmsg_flags & NLM_F_CREATE);
                rules->tables++;
                break;
        case NFT_MSG_NEWCHAIN:
                assert_true(rules->n_chains < ARRAY_SIZE(rules->chain));
                rules->chain[rules->n_chains] = nftnl_chain_alloc();
                assert_int_equal(nftnl_chain_nlmsg_parse(m, rules->chain[rules->n_chains++]), 0);
                break;
        case NFT_MSG_NEWRULE:
                assert_true(rules->n_rules < ARRAY_SIZE(rules->rule));
                assert_true(m->nlmsg_flags & NLM_F_APPEND);
                rules->rule[rules->n_rules] = nftnl_rule_alloc();
                assert_int_equal(nftnl_rule_nlmsg_parse(m, rules->rule[rules->n_rules++]), 0);
                break;
        default:
                fail_msg("message type %u", m->nlmsg_type & 0xff);
        }
}

static void read_batch(const NftBatch *batch, Rules *ret) {
        const struct nlmsghdr *m =
                (const struct nlmsghdr *)(const void *)batch->data; /* aligned, nft.h */
        uint32_t sequence = m->nlmsg_seq;
        int left = (int)batch->size;

        assert_int_equal(m->nlmsg_type, NFNL_MSG_BATCH_BEGIN);
        for (m = mnl_nlmsg_next(m, &left); mnl_nlmsg_ok(m, left); m = mnl_nlmsg_next(m, &left)) {
                assert_int_equal(m->nlmsg_seq, ++sequence);
                ret->acks += (m->nlmsg_flags & NLM_F_ACK) != 0;
                if (m->nlmsg_type == NFNL_MSG_BATCH_END)
                        break;
                assert_int_equal(m->nlmsg_type >> 8, NFNL_SUBSYS_NFTABLES);
                take_message(ret, m);
        }
        assert_int_equal(m->nlmsg_type, NFNL_MSG_BATCH_END);
        assert_int_equal(left, NLMSG_ALIGN(m->nlmsg_len));
        assert_int_equal(ret->acks, 1);
}

static Rules built(const Guard *guard) {
        Rules rules = {0};
        NftBatch batch;

        assert_int_equal(guard_build(&batch, guard, 100), 0);
        read_batch(&batch, &rules);
        assert_int_equal(rules.tables, 1);
        return rules;
}

/* A frame on its way through the rules. */
typedef struct Packet {
        uint8_t bytes[64];
        size_t size;     /* of bytes: where the rest of a longer frame is, no rule looks */
        uint32_t length; /* 0: size */
        uint32_t mark;
        uint8_t registers[16 * 4];
        bool decided;
        int verdict;
} Packet;

static uint8_t *reg(Packet *p, const struct nftnl_expr *e, uint16_t attribute) {
        uint32_t number = nftnl_expr_get_u32(e, attribute);

        assert_between(number, NFT_REG32_00, NFT_REG32_15);
        return p->registers + (number - NFT_REG32_00) * 4;
}

/* False: the rule ends here. */
static bool run_payload(Packet *p, const struct nftnl_expr *e) {
        uint32_t offset = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET);
        uint32_t size = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN);
        uint8_t *to = reg(p, e, NFTNL_EXPR_PAYLOAD_DREG);

        assert_int_equal(nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_BASE), NFT_PAYLOAD_LL_HEADER);
        assert_true((size_t)(to - p->registers) + ((size + 3) & ~3u) <= sizeof(p->registers));
        if (offset + size > p->size)
                return false;
        /* net/netfilter/nft_payload.c: the rest of the last register is zero. */
        memset(to, 0, (size + 3) & ~3u);
        memcpy(to, p->bytes + offset, size);
        return true;
}

static bool run_compare(Packet *p, const struct nftnl_expr *e) {
        uint32_t size, op = nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP);
        const void *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &size);
        int difference = memcmp(reg(p, e, NFTNL_EXPR_CMP_SREG), data, size);

        if (op == NFT_CMP_LTE)
                return difference <= 0;
        assert_true(op == NFT_CMP_EQ || op == NFT_CMP_NEQ);
        return (difference == 0) == (op == NFT_CMP_EQ);
}

static void run_mask(Packet *p, const struct nftnl_expr *e) {
        const uint8_t *from = reg(p, e, NFTNL_EXPR_BITWISE_SREG), *mask, *flip;
        uint8_t *to = reg(p, e, NFTNL_EXPR_BITWISE_DREG);
        uint32_t size;

        mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &size);
        assert_int_equal(size, 4);
        flip = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_XOR, &size);
        assert_int_equal(size, 4);
        for (size_t i = 0; i < 4; i++)
                to[i] = (uint8_t)((from[i] & mask[i]) ^ flip[i]);
}

static void run_byteorder(Packet *p, const struct nftnl_expr *e) {
        uint32_t number;

        assert_int_equal(nftnl_expr_get_u32(e, NFTNL_EXPR_BYTEORDER_OP), NFT_BYTEORDER_HTON);
        assert_int_equal(nftnl_expr_get_u32(e, NFTNL_EXPR_BYTEORDER_SIZE), 4);
        assert_int_equal(nftnl_expr_get_u32(e, NFTNL_EXPR_BYTEORDER_LEN), 4);
        memcpy(&number, reg(p, e, NFTNL_EXPR_BYTEORDER_SREG), 4);
        number = htobe32(number);
        memcpy(reg(p, e, NFTNL_EXPR_BYTEORDER_DREG), &number, 4);
}

static void run_meta(Packet *p, const struct nftnl_expr *e) {
        if (nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY) == NFT_META_LEN) {
                uint32_t length = p->length ? p->length : (uint32_t)p->size;

                memcpy(reg(p, e, NFTNL_EXPR_META_DREG), &length, 4);
                return;
        }
        assert_int_equal(nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY), NFT_META_MARK);
        if (nftnl_expr_is_set(e, NFTNL_EXPR_META_DREG))
                memcpy(reg(p, e, NFTNL_EXPR_META_DREG), &p->mark, 4);
        else
                memcpy(&p->mark, reg(p, e, NFTNL_EXPR_META_SREG), 4);
}

static void decide(Packet *p, int verdict) {
        p->decided = true;
        p->verdict = verdict;
}

static void run_immediate(Packet *p, const struct nftnl_expr *e) {
        uint32_t size, verdict;

        if (nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT) {
                const void *data = nftnl_expr_get(e, NFTNL_EXPR_IMM_DATA, &size);

                memcpy(reg(p, e, NFTNL_EXPR_IMM_DREG), data, size);
                return;
        }
        verdict = nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT);
        assert_true(verdict == NF_ACCEPT || verdict == NF_DROP);
        decide(p, verdict == NF_ACCEPT ? ACCEPTED : DROPPED);
}

static bool run_expression(Packet *p, const struct nftnl_expr *e) {
        const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

        if (strcmp(name, "payload") == 0)
                return run_payload(p, e);
        if (strcmp(name, "cmp") == 0)
                return run_compare(p, e);
        if (strcmp(name, "bitwise") == 0)
                run_mask(p, e);
        else if (strcmp(name, "meta") == 0)
                run_meta(p, e);
        else if (strcmp(name, "byteorder") == 0)
                run_byteorder(p, e);
        else if (strcmp(name, "immediate") == 0)
                run_immediate(p, e);
        else if (strcmp(name, "fwd") == 0) {
                uint32_t index;

                memcpy(&index, reg(p, e, NFTNL_EXPR_FWD_SREG_DEV), 4);
                decide(p, (int)index);
        } else
                fail_msg("expression %s", name);
        return !p->decided;
}

/* The chain's verdict: DROPPED, ACCEPTED, or the index of the interface that the frame goes out of.
 * All policies are drop. */
static int run_chain(const Rules *rules, const char *chain, Packet *p) {
        p->decided = false;
        for (size_t i = 0; i < rules->n_rules && !p->decided; i++) {
                struct nftnl_expr_iter *iter;
                struct nftnl_expr *e;

                if (strcmp(nftnl_rule_get_str(rules->rule[i], NFTNL_RULE_CHAIN), chain) != 0)
                        continue;
                /* Nothing that a rule finds in a register was left there by another. */
                memset(p->registers, 0xee, sizeof(p->registers));
                iter = nftnl_expr_iter_create(rules->rule[i]);
                while ((e = nftnl_expr_iter_next(iter)) && run_expression(p, e))
                        ;
                nftnl_expr_iter_destroy(iter);
        }
        return p->decided ? p->verdict : DROPPED;
}

static Packet frame(const uint8_t destination[static 6], const MacAddress *source, uint16_t type) {
        Packet p = {.size = 60};

        memcpy(p.bytes, destination, 6);
        memcpy(p.bytes + 6, source->octet, 6);
        p.bytes[12] = (uint8_t)(type >> 8);
        p.bytes[13] = (uint8_t)type;
        return p;
}

static const uint8_t unicast[6] = {0x52, 0x54, 0x00, 0, 0, 1};

/* body runs for each shape, anti_spoof and pass_control, with guard and rules there. */
#define for_each_guard(body)                                                                       \
        for (unsigned which = 0; which < 12; which++) {                                            \
                Guard guard = guard_of((GuardShape)(which / 4), which & 1, which & 2);             \
                _cleanup_(rules_free) Rules rules = built(&guard);                                 \
                body                                                                               \
        }

static bool is_tag(uint16_t type) {
        return type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200 ||
               type == 0x9300;
}

static void test_every_type(_unused_ void **state) {
        for_each_guard({
                for (uint32_t type = 0; type <= UINT16_MAX; type++) {
                        Packet p = frame(unicast, &own, (uint16_t)type);
                        bool dropped =
                                is_tag((uint16_t)type) || (type == 0x8808 && !guard.pass_control);

                        assert_int_equal(run_chain(&rules, "from-guest", &p),
                                         dropped ? DROPPED : UPLINK);
                }
        })
}

static void test_every_source_octet(_unused_ void **state) {
        for_each_guard({
                for (unsigned at = 0; at < 6; at++)
                        for (unsigned flip = 1; flip < 256; flip++) {
                                MacAddress source = own;
                                Packet p;

                                source.octet[at] ^= (uint8_t)flip;
                                p = frame(unicast, &source, 0x0800);
                                assert_int_equal(run_chain(&rules, "from-guest", &p),
                                                 guard.anti_spoof ? DROPPED : UPLINK);
                        }
        })
}

static void test_control_destinations(_unused_ void **state) {
        static const struct {
                uint8_t octet[6];
                bool control;
        } destinations[] = {
                {{0x01, 0x80, 0xc2, 0, 0, 0x00}, true},
                {{0x01, 0x80, 0xc2, 0, 0, 0x01}, true},
                {{0x01, 0x80, 0xc2, 0, 0, 0x02}, true},
                {{0x01, 0x80, 0xc2, 0, 0, 0x03}, true},
                {{0x01, 0x80, 0xc2, 0, 0, 0x07}, true},
                {{0x01, 0x80, 0xc2, 0, 0, 0x0e}, true},
                {{0x01, 0x80, 0xc2, 0, 0, 0x0f}, true},
                {{0x01, 0x80, 0xc2, 0, 0, 0x10}, false},
                {{0x01, 0x80, 0xc2, 0, 0, 0x21}, false},
                {{0x01, 0x80, 0xc2, 0, 0, 0xf0}, false},
                {{0x01, 0x80, 0xc2, 0, 1, 0x00}, false},
                {{0x01, 0x80, 0xc2, 1, 0, 0x00}, false},
                {{0x01, 0x80, 0xc3, 0, 0, 0x00}, false},
                {{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc}, true},
                {{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcd}, true},
                {{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xce}, false},
                {{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcb}, false},
                {{0x01, 0x00, 0x0c, 0xcc, 0xcd, 0xcc}, false},
                {{0x01, 0x00, 0x0c, 0xcd, 0xcc, 0xcc}, false},
                {{0x01, 0x00, 0x5e, 0, 0, 1}, false},
                {{0x33, 0x33, 0xff, 0x12, 0x34, 0x56}, false},
                {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false},
                {{0, 0, 0, 0, 0, 0}, false},
        };

        for_each_guard({
                for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
                        bool dropped = destinations[i].control && !guard.pass_control;
                        Packet p = frame(destinations[i].octet, &own, 0x0026);
                        MacAddress other = own;

                        assert_int_equal(run_chain(&rules, "from-guest", &p),
                                         dropped ? DROPPED : UPLINK);
                        /* The rule of a destination's group holds the tag and the source back just
                         * as well. */
                        p = frame(destinations[i].octet, &own, 0x8100);
                        assert_int_equal(run_chain(&rules, "from-guest", &p), DROPPED);
                        other.octet[5]++;
                        p = frame(destinations[i].octet, &other, 0x0800);
                        if (guard.anti_spoof)
                                assert_int_equal(run_chain(&rules, "from-guest", &p), DROPPED);
                }
        })
}

static void test_short_frames(_unused_ void **state) {
        for_each_guard({
                for (size_t size = 0; size <= 14; size++) {
                        Packet p = frame(unicast, &own, 0x0800);

                        p.size = size;
                        assert_int_equal(run_chain(&rules, "from-guest", &p),
                                         size < 14 ? DROPPED : UPLINK);
                }
        })
}

static void test_from_wire(_unused_ void **state) {
        static const int to[] = {
                [GUARD_TAP] = PORT, [GUARD_TAP_CHECKED] = PORT, [GUARD_PACKET] = INNER};

        for_each_guard({
                for (uint32_t type = 0; type <= UINT16_MAX; type++) {
                        Packet p =
                                frame(own.octet, &(MacAddress){{0, 1, 2, 3, 4, 5}}, (uint16_t)type);

                        assert_int_equal(run_chain(&rules, "from-wire", &p),
                                         is_tag((uint16_t)type) ? DROPPED : to[guard.shape]);
                }
        })
}

/* A tap with a smaller MTU than the wire: its frames cross the veth, which drops those that are too
 * long; what the guest sends goes its usual way. */
static void test_narrow(_unused_ void **state) {
        for (GuardShape shape = GUARD_TAP; shape <= GUARD_TAP_CHECKED; shape++) {
                Guard guard = guard_of(shape, true, false);

                guard.narrow = true;
                {
                        _cleanup_(rules_free) Rules rules = built(&guard);
                        Packet p = frame(own.octet, &(MacAddress){{0, 1, 2, 3, 4, 5}}, 0x0800);

                        assert_int_equal(run_chain(&rules, "from-wire", &p), INNER);
                        assert_int_equal(run_chain(&rules, "measured", &p), PORT);
                        p = frame(unicast, &own, 0x0800);
                        assert_int_equal(run_chain(&rules, "from-guest", &p), UPLINK);
                }
        }
}

/* A frame of the guest's own that the wire reflects: dropped where that is wanted, and nothing else
 * is. */
static void test_own_frames_from_wire(_unused_ void **state) {
        for_each_guard({
                for (unsigned i = 0; i <= 48; i++) {
                        MacAddress source = own;
                        Packet p;

                        if (i < 48)
                                source.octet[i / 8] ^= (uint8_t)(1u << i % 8);
                        p = frame(own.octet, &source, 0x0800);
                        assert_int_equal(run_chain(&rules, "from-wire", &p) == DROPPED,
                                         guard.drop_own && i == 48);
                }
        })
}

static void test_gate(_unused_ void **state) {
        for_each_guard({
                Packet p = frame(unicast, &own, 0x0800);

                if (guard.shape == GUARD_PACKET) {
                        assert_int_equal(run_chain(&rules, "gate", &p), DROPPED);
                        p.mark = 1;
                        assert_int_equal(run_chain(&rules, "gate", &p), DROPPED);
                        p.mark = __builtin_bswap32(GUARD_MARK);
                        assert_int_equal(run_chain(&rules, "gate", &p), DROPPED);
                        p.mark = 0;
                        assert_int_equal(run_chain(&rules, "from-guest", &p), UPLINK);
                        assert_int_equal(p.mark, GUARD_MARK);
                        assert_int_equal(run_chain(&rules, "gate", &p), ACCEPTED);
                        assert_int_equal(p.mark, 0); /* means nothing to the host's rules */
                        /* What the sockets have seen goes no further. */
                        assert_int_equal(run_chain(&rules, "port", &p), DROPPED);
                }
                if (guard.shape == GUARD_TAP_CHECKED) {
                        p = frame(unicast, &(MacAddress){{0}}, 0x8100);
                        assert_int_equal(run_chain(&rules, "to-check", &p), CHECK);
                }
        })
}

/* Only what the guard lets out may take it, and no frame that is too long; the gate knows both by
 * the same mark. */
static void test_shortcut(_unused_ void **state) {
        static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8,
                                         0x9100, 0x9200, 0x9300, 0x8808};
        static const uint8_t to[][6] = {
                {0x52, 0x54, 0, 0, 0, 1},       {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                {1, 0x80, 0xc2, 0, 0, 0},       {1, 0x80, 0xc2, 0, 0, 0x21},
                {1, 0, 0x0c, 0xcc, 0xcc, 0xcc}, {0x33, 0x33, 0, 0, 0, 1}};
        static const uint32_t lengths[] = {60, SHORTCUT, SHORTCUT + 1, 65535, 65550};
        MacAddress other = own;
        unsigned taken = 0;

        other.octet[0] ^= 2;
        for_each_guard({
                for (size_t i = 0; i < ARRAY_SIZE(types) * ARRAY_SIZE(to) * ARRAY_SIZE(lengths) * 2;
                     i++) {
                        size_t k = i / 2;
                        Packet p = frame(to[k % ARRAY_SIZE(to)], i % 2 ? &own : &other,
                                         types[k / ARRAY_SIZE(to) % ARRAY_SIZE(types)]);
                        Packet q = p;
                        int r;

                        p.length = lengths[k / ARRAY_SIZE(to) / ARRAY_SIZE(types)];
                        r = run_chain(&rules, "shortcut", &p);
                        if (r == DROPPED) /* no rule took it */
                                continue;
                        taken++;
                        assert_int_equal(guard.shape, GUARD_PACKET);
                        assert_int_equal(r, UPLINK);
                        assert_true(p.length <= SHORTCUT);
                        assert_int_equal(p.mark, GUARD_MARK);
                        assert_int_equal(run_chain(&rules, "from-guest", &q), UPLINK);
                }
        }) assert_true(taken > 0);
}

typedef struct ChainOf {
        const char *name, *device;
        uint32_t hook;
} ChainOf;

static void test_chains(_unused_ void **state) {
        static const ChainOf expected[3][6] = {
                [GUARD_TAP] = {{"from-wire", "uplink", NF_NETDEV_INGRESS},
                               {"from-guest", "rn12345", NF_NETDEV_INGRESS}},
                [GUARD_TAP_CHECKED] = {{"from-wire", "uplink", NF_NETDEV_INGRESS},
                                       {"from-guest", "inner", NF_NETDEV_INGRESS},
                                       {"to-check", "rn12345", NF_NETDEV_INGRESS}},
                [GUARD_PACKET] = {{"from-wire", "uplink", NF_NETDEV_INGRESS},
                                  {"from-guest", "inner", NF_NETDEV_INGRESS},
                                  {"gate", "uplink", NF_NETDEV_EGRESS},
                                  {"port", "rn12345", NF_NETDEV_INGRESS},
                                  {"shortcut", "rn12345", NF_NETDEV_EGRESS}},
        };

        for_each_guard({
                const ChainOf *want = expected[guard.shape];

                for (size_t i = 0; i < rules.n_chains; i++, want++) {
                        struct nftnl_chain *c = rules.chain[i];

                        assert_non_null(want->name);
                        assert_string_equal(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE), GUARD_TABLE);
                        assert_string_equal(nftnl_chain_get_str(c, NFTNL_CHAIN_NAME), want->name);
                        assert_string_equal(nftnl_chain_get_str(c, NFTNL_CHAIN_DEV), want->device);
                        assert_int_equal(nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM), want->hook);
                        /* What does not take the shortcut goes on to the guard. */
                        assert_int_equal(nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY),
                                         strcmp(want->name, "shortcut") == 0 ? NF_ACCEPT : NF_DROP);
                        assert_int_equal(nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY),
                                         NFPROTO_NETDEV);
                }
                assert_null(want->name);
        })
}

/* While learning nothing passes either way; then the rules that come are those of a guard that knew
 * from the start. */
static void test_learning(_unused_ void **state) {
        for (GuardShape shape = GUARD_TAP; shape <= GUARD_TAP_CHECKED; shape++) {
                Guard guard = guard_of(shape, true, false);
                _cleanup_(rules_free) Rules whole = built(&guard), chains = {0}, admission = {0};
                NftBatch batch;

                guard.learning = true;
                chains = built(&guard);
                assert_int_equal(chains.n_rules, 0);
                assert_int_equal(chains.n_chains, whole.n_chains);
                guard.learning = false;
                assert_int_equal(guard_build_admission(&batch, &guard, 7), 0);
                read_batch(&batch, &admission);
                assert_int_equal(admission.tables + admission.n_chains, 0);
                assert_int_equal(admission.n_rules, whole.n_rules);
                for (size_t i = 0; i < whole.n_rules; i++) {
                        char a[4096], b[4096];

                        nftnl_rule_snprintf(a, sizeof(a), whole.rule[i], 0, 0);
                        nftnl_rule_snprintf(b, sizeof(b), admission.rule[i], 0, 0);
                        assert_string_equal(a, b);
                }
        }
}

/* Each allocation fails once: -ENOMEM, never a guard with a hole in it, nothing leaked
 * (LeakSanitizer watches). */
static void test_faults(_unused_ void **state) {
        for (unsigned which = 0; which < 12; which++) {
                Guard guard = guard_of((GuardShape)(which / 4), which & 1, which & 2);
                NftBatch batch;
                bool fired = true;
                unsigned n = 0;
                int r;

                while (fired) {
                        fault_arm(++n, 0);
                        r = guard_build(&batch, &guard, 1);
                        fired = fault_disarm();
                        assert_int_equal(r, fired ? -ENOMEM : 0);
                }
                assert_true(n > 20);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_type),
                cmocka_unit_test(test_every_source_octet),
                cmocka_unit_test(test_control_destinations),
                cmocka_unit_test(test_short_frames),
                cmocka_unit_test(test_from_wire),
                cmocka_unit_test(test_narrow),
                cmocka_unit_test(test_own_frames_from_wire),
                cmocka_unit_test(test_gate),
                cmocka_unit_test(test_shortcut),
                cmocka_unit_test(test_chains),
                cmocka_unit_test(test_learning),
                cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
