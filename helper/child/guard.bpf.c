/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The guard: every frame of every lease passes one of these programs, which redirects it to where
 * it may go, or drops it. guard-entry.h says which program stands where, and what it shares with
 * the helper.
 *
 * Nothing passes by default: a lease without an active entry drops all frames, and so does a
 * program that cannot read a frame. A program must never return TC_ACT_OK, because the frame would
 * go on past the guard.
 *
 * The programs are loaded without CAP_PERFMON. The kernel then allows no variable offset into a
 * packet (kernel/bpf/verifier.c, retrieve_ptr_limit()), and a store to the stack may cost a
 * speculation barrier. So frames of every day are judged by direct reads at fixed offsets and
 * without the stack. All others come to functions that copy what they look at
 * (bpf_skb_load_bytes()). There are no calls between functions, which not every processor's JIT
 * knows.
 */

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "helper/child/guard-entry.h"

#define EINVAL 22 /* asm-generic/errno-base.h */

char LICENSE[] SEC("license") = "GPL";

GuardEntry guard_entries[GUARD_LEASES];

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, GUARD_LEASES);
        __type(key, uint32_t);
        __type(value, GuardCounters);
} guard_counters SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_RINGBUF);
        __uint(max_entries, GUARD_EVENTS_SIZE);
} guard_events SEC(".maps");

/* -- Ethernet -- */

#define ETHERNET_HEADER 14u
#define SOURCE_OFFSET 6u
#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define VLAN_VID_MASK 0x0fff /* IEEE 802.1Q-2018 9.6; VID 0: the tag holds a priority only */

typedef struct Ethernet {
        uint8_t destination[6];
        uint8_t source[6];
        uint16_t type;
} Ethernet;

/* What a VLAN-aware device anywhere on the way could take for a tag: IEEE 802.1Q-2018 9.6 (C-tag,
 * S-tag), and the values that vendors used before there was an S-tag. */
static __always_inline bool is_tag(uint16_t type) {
        return type == bpf_htons(0x8100) || type == bpf_htons(0x88a8) ||
               type == bpf_htons(0x9100) || type == bpf_htons(0x9200) || type == bpf_htons(0x9300);
}

/*
 * Takes a priority tag off (VID 0, C-tag or S-tag): it says nothing about a VLAN, and some adapters
 * and routers add one (IEEE 802.1Q-2018 6.7). One is taken off. A second one, or one that the
 * kernel does not take off, is still there when the frame is judged.
 *
 * The kernel has moved a tag to skb->vlan_* where the frame arrived (net/core/dev.c,
 * __netif_receive_skb_core()). On its way out of a packet socket it is in the header.
 */
static __always_inline void strip_priority_tag(struct __sk_buff *skb) {
        struct {
                Ethernet ethernet;
                uint16_t control;
        } head;

        if (skb->vlan_present) {
                if ((skb->vlan_tci & VLAN_VID_MASK) == 0)
                        bpf_skb_vlan_pop(skb);
                return;
        }
        if (bpf_skb_load_bytes(skb, 0, &head, sizeof(head)) != 0)
                return;
        if (head.ethernet.type != bpf_htons(0x8100) && head.ethernet.type != bpf_htons(0x88a8))
                return;
        if ((head.control & bpf_htons(VLAN_VID_MASK)) == 0)
                bpf_skb_vlan_pop(skb);
}

/* -- drops -- */

/* Counts the drop of a frame of lease `number`, and reports the first one of its reason. */
static __always_inline int drop(struct __sk_buff *skb, uint32_t number, uint32_t reason) {
        /* Where the verifier knows a number, it refuses to add it to a pointer if another path has
         * another one. It does not know what it reads back from here; the frame is at its end, so
         * nobody else does. */
        volatile uint32_t *cell = &skb->cb[0];
        GuardEvent event = {.id = GUARD_PORT | number, .reason = reason};
        uint32_t id = GUARD_PORT | number;
        GuardCounters *counters = bpf_map_lookup_elem(&guard_counters, &id);

        if (!counters) {
                GuardCounters none = {};

                bpf_map_update_elem(&guard_counters, &id, &none, BPF_NOEXIST);
                counters = bpf_map_lookup_elem(&guard_counters, &id);
        }
        if (!counters)
                return TC_ACT_SHOT;
        *cell = reason;
        reason = *cell & (GUARD_REASONS_MAX - 1);
        if (__sync_fetch_and_add(&counters->frames[reason], 1) == 0) {
                bpf_skb_load_bytes(skb, SOURCE_OFFSET, event.source, sizeof(event.source));
                bpf_ringbuf_output(&guard_events, &event, sizeof(event), 0);
        }
        return TC_ACT_SHOT;
}

/* -- what the guest sends -- */

static __always_inline bool is_own(const uint8_t *source, const GuardEntry *entry) {
        for (int i = 0; i < 6; i++)
                if (source[i] != entry->mac[i])
                        return false;
        return true;
}

/* Two groups of addresses hold link-local control frames: 01:80:c2:00:00:00 to 0f, which no bridge
 * forwards (IEEE 802.1Q-2018 8.6.3: STP, PAUSE, LACP, 802.1X, LLDP), and Cisco's 01:00:0c:cc:cc:cc
 * (CDP, VTP, DTP) and :cd (PVST+). MAC control, PAUSE among it, is known by its type as well: IEEE
 * 802.3-2018 31.3. */
static __always_inline bool is_control(const Ethernet *ethernet) {
        const uint8_t *to = ethernet->destination;

        if (ethernet->type == bpf_htons(0x8808))
                return true;
        if (to[0] != 0x01)
                return false;
        if (to[1] == 0x80)
                return to[2] == 0xc2 && to[3] == 0 && to[4] == 0 && (to[5] & 0xf0) == 0;
        return to[1] == 0 && to[2] == 0x0c && to[3] == 0xcc && to[4] == 0xcc &&
               (to[5] == 0xcc || to[5] == 0xcd);
}

/* A segmented frame is as long as its segments together. Each of them has an IP header of at least
 * 20 bytes and at most gso_size bytes behind it; the headers between may make it longer than the
 * MTU, but not a multiple of it. Some adapters hang on longer segments (CVE-2018-1000026). */
static __always_inline bool is_too_long(struct __sk_buff *skb, const GuardEntry *entry) {
        if (skb->len <= entry->longest)
                return false;
        return skb->gso_size == 0 || skb->gso_size + ETHERNET_HEADER + 20 > entry->longest;
}

/* -1: it passes; else the reason. */
static __always_inline int judge(struct __sk_buff *skb, const GuardEntry *entry) {
        Ethernet ethernet;

        strip_priority_tag(skb);
        if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)) != 0)
                return GUARD_NOT_JUDGED;
        if (skb->vlan_present || is_tag(ethernet.type))
                return GUARD_VLAN_TAG;
        if ((entry->flags & GUARD_ANTI_SPOOF) && !is_own(ethernet.source, entry))
                return GUARD_SPOOFED_SOURCE;
        if (!(entry->flags & GUARD_PASS_CONTROL) && is_control(&ethernet))
                return GUARD_CONTROL_FRAME;
        if (is_too_long(skb, entry))
                return GUARD_TOO_LONG;
        return -1;
}

SEC("tc") int from_guest(struct __sk_buff *skb) {
        uint32_t number = GUARD_NUMBER(skb->ifindex);
        const GuardEntry *entry = &guard_entries[number];
        int reason;

        if (entry->longest == 0)
                return TC_ACT_SHOT;
        reason = judge(skb, entry);
        if (reason >= 0)
                return drop(skb, number, (uint32_t)reason);
        return bpf_redirect(GUARD_UPLINK | number, 0);
}

/* -- what comes from the wire -- */

SEC("tc") int from_wire(struct __sk_buff *skb) {
        uint32_t number = GUARD_NUMBER(skb->ifindex);
        const GuardEntry *entry = &guard_entries[number];
        Ethernet ethernet;

        if (entry->longest == 0)
                return TC_ACT_SHOT;
        strip_priority_tag(skb);
        if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)) != 0)
                return TC_ACT_SHOT;
        if (skb->vlan_present || is_tag(ethernet.type))
                return drop(skb, number, GUARD_WIRE_VLAN_TAG);
        if ((entry->flags & GUARD_DROP_OWN) && is_own(ethernet.source, entry))
                return drop(skb, number, GUARD_WIRE_OWN_SOURCE);
        if (skb->len > entry->longest && skb->gso_size == 0)
                return drop(skb, number, GUARD_WIRE_TOO_LONG);
        if (entry->to_flags != 0 && skb->gso_size != 0)
                return bpf_redirect(GUARD_INNER | number, 0);
        return bpf_redirect(entry->to_index, entry->to_flags);
}

/* -- the way to from_guest on kernels with the checksum trick, and the end of a packet port -- */

SEC("tc") int to_check(struct __sk_buff *skb) {
        uint32_t number = GUARD_NUMBER(skb->ifindex);

        if (guard_entries[number].longest == 0)
                return TC_ACT_SHOT;
        return bpf_redirect(GUARD_CHECK | number, 0);
}

SEC("tc") int dead_end(struct __sk_buff *skb) {
        return TC_ACT_SHOT;
}
