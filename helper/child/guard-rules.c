/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/child/guard-rules.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

/*
 * Where a frame's Ethernet header stands after nft_rule_link_header(rule, 0, 0, 14): one load for
 * all compares, because a load is a call into skb_copy_bits() while compares and masks of up to 4
 * bytes are done inline (net/netfilter/nf_tables_core.c, nft_do_chain()). The bytes after the
 * EtherType are zeroed by the kernel.
 */
enum {
        DESTINATION_0_3 = 0,
        DESTINATION_4_5 = 1, /* first half; the second half is source 0..1 */
        SOURCE_2_5 = 2,
        ETHERTYPE = 3,
        SCRATCH = 4,
};

#define ETHERNET_HEADER_LENGTH 14u
#define SOURCE_OFFSET 6u
#define ETHERTYPE_OFFSET 12u

/* What a VLAN-aware device anywhere on the way could take for a tag: IEEE 802.1Q-2018 9.6 (C-tag,
 * S-tag), and the values that vendors used before there was an S-tag. */
static const uint8_t tag_types[][2] = {
        {0x81, 0x00}, {0x88, 0xa8}, {0x91, 0x00}, {0x92, 0x00}, {0x93, 0x00},
};

/* MAC control, PAUSE among it: IEEE 802.3-2018 31.3. */
static const uint8_t mac_control_type[2] = {0x88, 0x08};

/* The two groups of addresses that hold link-local control frames: 01:80:c2:00:00:00 to 0f, which
 * no bridge forwards (IEEE 802.1Q-2018 8.6.3: STP, PAUSE, LACP, 802.1X, LLDP), and Cisco's
 * 01:00:0c:cc:cc:cc (CDP, VTP, DTP) and :cd (PVST+). */
static const uint8_t reserved_prefix[4] = {0x01, 0x80, 0xc2, 0x00};
static const uint8_t cisco_prefix[4] = {0x01, 0x00, 0x0c, 0xcc};

/* Nearly every frame is in none of the groups and is decided by two compares; the other addresses
 * of a group come to its own rule. */
typedef enum DestinationGroup {
        GROUP_NONE,
        GROUP_RESERVED,
        GROUP_CISCO,
        GROUP_ANY
} DestinationGroup;

static void refuse_tags(struct nftnl_rule **rule, NftRegister reg) {
        for (size_t i = 0; i < ARRAY_SIZE(tag_types); i++)
                nft_rule_compare(rule, reg, true, tag_types[i], sizeof(tag_types[i]));
}

static void require_source(struct nftnl_rule **rule, const MacAddress *mac) {
        static const uint8_t second_half[4] = {0, 0, 0xff, 0xff};
        const uint8_t source_0_1[4] = {0, 0, mac->octet[0], mac->octet[1]};

        nft_rule_compare(rule, SOURCE_2_5, false, mac->octet + 2, 4);
        nft_rule_mask(rule, SCRATCH, DESTINATION_4_5, second_half);
        nft_rule_compare(rule, SCRATCH, false, source_0_1, sizeof(source_0_1));
}

static void require_destination(struct nftnl_rule **rule, DestinationGroup group) {
        static const uint8_t all_but_low_nibble[4] = {0xff, 0xf0, 0, 0};
        static const uint8_t zero[4], cc[2] = {0xcc, 0xcc}, cd[2] = {0xcc, 0xcd};

        switch (group) {
        case GROUP_NONE:
                nft_rule_compare(rule, DESTINATION_0_3, true, reserved_prefix,
                                 sizeof(reserved_prefix));
                nft_rule_compare(rule, DESTINATION_0_3, true, cisco_prefix, sizeof(cisco_prefix));
                break;
        case GROUP_RESERVED:
                nft_rule_compare(rule, DESTINATION_0_3, false, reserved_prefix,
                                 sizeof(reserved_prefix));
                nft_rule_mask(rule, SCRATCH, DESTINATION_4_5, all_but_low_nibble);
                nft_rule_compare(rule, SCRATCH, true, zero, sizeof(zero));
                break;
        case GROUP_CISCO:
                nft_rule_compare(rule, DESTINATION_0_3, false, cisco_prefix, sizeof(cisco_prefix));
                nft_rule_compare(rule, DESTINATION_4_5, true, cc, sizeof(cc));
                nft_rule_compare(rule, DESTINATION_4_5, true, cd, sizeof(cd));
                break;
        case GROUP_ANY:
                break;
        }
}

/* What a guest may send goes on behind these, in the registers above. */
static void add_checks(struct nftnl_rule **rule, const Guard *guard, DestinationGroup group) {
        nft_rule_link_header(rule, 0, 0, ETHERNET_HEADER_LENGTH);
        require_destination(rule, group);
        if (guard->anti_spoof)
                require_source(rule, &guard->mac);
        refuse_tags(rule, ETHERTYPE);
        if (!guard->pass_control)
                nft_rule_compare(rule, ETHERTYPE, true, mac_control_type, sizeof(mac_control_type));
}

/* Where it goes then: out to the wire. */
static void let_out(struct nftnl_rule **rule, const Guard *guard) {
        if (guard->shape == GUARD_PACKET)
                nft_rule_set_mark(rule, SCRATCH, GUARD_MARK);
        nft_rule_forward(rule, SCRATCH, guard->uplink.index);
}

/* For the frames of every day; one that it does not take is no worse off than without. A socket
 * that leaves out traffic control (PACKET_QDISC_BYPASS) is told ENOBUFS of a frame that went this
 * way (net/packet/af_packet.c, packet_xmit()). */
static void put_shortcut_rule(NftBatch *batch, const NftChain *chain, const Guard *guard) {
        struct nftnl_rule *rule = nft_rule_new();

        nft_rule_length_at_most(&rule, SCRATCH, guard->shortcut);
        add_checks(&rule, guard, guard->pass_control ? GROUP_ANY : GROUP_NONE);
        let_out(&rule, guard);
        nft_batch_rule(batch, chain, rule);
}

/* All rules of the chain that sees the guest's frames. */
static void put_guest_rules(NftBatch *batch, const NftChain *chain, const Guard *guard) {
        DestinationGroup first = guard->pass_control ? GROUP_ANY : GROUP_NONE;
        DestinationGroup last = guard->pass_control ? GROUP_ANY : GROUP_CISCO;

        for (DestinationGroup group = first; group <= last; group++) {
                struct nftnl_rule *rule = nft_rule_new();

                add_checks(&rule, guard, group);
                let_out(&rule, guard);
                nft_batch_rule(batch, chain, rule);
        }
}

static void put_wire_rule(NftBatch *batch, const NftChain *chain, const Guard *guard) {
        const GuardLink *to =
                guard->shape == GUARD_PACKET || guard->narrow ? &guard->inner : &guard->port;
        struct nftnl_rule *rule = nft_rule_new();

        if (guard->drop_own) {
                nft_rule_link_header(&rule, 0, SOURCE_OFFSET, sizeof(guard->mac));
                nft_rule_compare(&rule, 0, true, &guard->mac, sizeof(guard->mac));
        }
        nft_rule_link_header(&rule, 0, ETHERTYPE_OFFSET, 2);
        refuse_tags(&rule, 0);
        nft_rule_forward(&rule, SCRATCH, to->index);
        nft_batch_rule(batch, chain, rule);
}

static void put_forward_rule(NftBatch *batch, const NftChain *chain, const GuardLink *to) {
        struct nftnl_rule *rule = nft_rule_new();

        nft_rule_forward(&rule, SCRATCH, to->index);
        nft_batch_rule(batch, chain, rule);
}

/* The mark has done its work there: it is taken off, so that it means nothing to the host's own
 * rules on the parent. */
static void put_gate_rule(NftBatch *batch, const NftChain *chain) {
        static const uint32_t mark = GUARD_MARK;
        struct nftnl_rule *rule = nft_rule_new();

        nft_rule_load_meta(&rule, 0, NFT_META_MARK);
        nft_rule_compare(&rule, 0, false, &mark, sizeof(mark));
        nft_rule_set_mark(&rule, SCRATCH, 0);
        nft_rule_verdict(&rule, NF_ACCEPT);
        nft_batch_rule(batch, chain, rule);
}

static NftChain chain_on(const char *name, const GuardLink *link, uint32_t hook) {
        return (NftChain){.family = NFPROTO_NETDEV,
                          .table = GUARD_TABLE,
                          .name = name,
                          .device = link->name,
                          .hook = hook,
                          .policy = NF_DROP};
}

/* The chains of a guard; name NULL: this shape has none. */
typedef struct Chains {
        NftChain from_wire;
        NftChain from_guest;
        NftChain to_check; /* GUARD_TAP_CHECKED: the port's frames on their way to the check */
        NftChain measured; /* narrow: the wire's frames behind the veth */
        NftChain gate;     /* GUARD_PACKET: egress on the uplink */
        NftChain port;     /* GUARD_PACKET: what the sockets have seen */
        NftChain shortcut; /* GUARD_PACKET: egress on the port; it drops nothing */
} Chains;

static Chains chains_of(const Guard *guard) {
        Chains c = {.from_wire = chain_on("from-wire", &guard->uplink, NF_NETDEV_INGRESS)};

        if (guard->narrow)
                c.measured = chain_on("measured", &guard->check, NF_NETDEV_INGRESS);
        switch (guard->shape) {
        case GUARD_TAP:
                c.from_guest = chain_on("from-guest", &guard->port, NF_NETDEV_INGRESS);
                break;
        case GUARD_TAP_CHECKED:
                c.to_check = chain_on("to-check", &guard->port, NF_NETDEV_INGRESS);
                c.from_guest = chain_on("from-guest", &guard->inner, NF_NETDEV_INGRESS);
                break;
        case GUARD_PACKET:
                c.from_guest = chain_on("from-guest", &guard->inner, NF_NETDEV_INGRESS);
                c.gate = chain_on("gate", &guard->uplink, NF_NETDEV_EGRESS);
                c.port = chain_on("port", &guard->port, NF_NETDEV_INGRESS);
                if (guard->shortcut > 0) {
                        c.shortcut = chain_on("shortcut", &guard->port, NF_NETDEV_EGRESS);
                        c.shortcut.policy = NF_ACCEPT;
                }
                break;
        }
        return c;
}

static void put_rules(NftBatch *batch, const Chains *c, const Guard *guard) {
        put_guest_rules(batch, &c->from_guest, guard);
        if (c->to_check.name)
                put_forward_rule(batch, &c->to_check, &guard->check);
        if (c->measured.name)
                put_forward_rule(batch, &c->measured, &guard->port);
        if (c->shortcut.name)
                put_shortcut_rule(batch, &c->shortcut, guard);
        if (c->gate.name)
                put_gate_rule(batch, &c->gate);
        put_wire_rule(batch, &c->from_wire, guard);
}

int guard_build(NftBatch *batch, const Guard *guard, uint32_t sequence) {
        const Chains c = chains_of(guard);
        const NftChain *all[] = {&c.from_wire, &c.from_guest, &c.to_check, &c.measured,
                                 &c.gate,      &c.port,       &c.shortcut};

        nft_batch_begin(batch, sequence);
        nft_batch_table(batch, NFT_MSG_NEWTABLE, NFPROTO_NETDEV, GUARD_TABLE, 0);
        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
                if (all[i]->name)
                        nft_batch_chain(batch, all[i]);
        if (!guard->learning)
                put_rules(batch, &c, guard);
        return nft_batch_end(batch);
}

int guard_build_admission(NftBatch *batch, const Guard *guard, uint32_t sequence) {
        const Chains c = chains_of(guard);

        nft_batch_begin(batch, sequence);
        put_rules(batch, &c, guard);
        return nft_batch_end(batch);
}

int guard_build_probe(NftBatch *batch, GuardNeed need, uint32_t sequence) {
        static const GuardLink lo = {.name = "lo", .index = 1};
        static const char table[] = "rawnet-probe";
        NftChain chain = chain_on("probe", &lo,
                                  need == GUARD_NEED_EGRESS ? NF_NETDEV_EGRESS : NF_NETDEV_INGRESS);

        chain.table = table;
        chain.policy = NF_ACCEPT;
        nft_batch_begin(batch, sequence);
        nft_batch_table(batch, NFT_MSG_NEWTABLE, NFPROTO_NETDEV, table, 0);
        if (need != GUARD_NEED_TABLES)
                nft_batch_chain(batch, &chain);
        if (need == GUARD_NEED_FORWARD)
                put_forward_rule(batch, &chain, &lo);
        nft_batch_table(batch, NFT_MSG_DELTABLE, NFPROTO_NETDEV, table, 0);
        return nft_batch_end(batch);
}
