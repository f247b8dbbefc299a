/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A part of guard.bpf.c: what its programs know of the Ethernet header, and how a judgement is
 * told.
 */

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "helper/guard/guard-entry.h"

#define EINVAL 22 /* asm-generic/errno-base.h */

/* What is not a GuardReason. */
#define GUARD_PASS (-1)
#define GUARD_LAST (-2)  /* guard-ip.h: the last header of a chain */
#define GUARD_LATER (-3) /* a fragment without headers */

#define ETHERNET_HEADER 14u
#define SOURCE_OFFSET 6u
#define TYPE_OFFSET 12u
#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_ARP 0x0806
#define TYPE_CONTROL 0x8808  /* MAC control, PAUSE among it: IEEE 802.3-2018 31.3 */
#define TYPE_MIN 0x0600      /* below: a length, and LLC follows (IEEE 802.3-2018 3.2.6) */
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

/* Of the frame, for a judgement. A sender may share memory with the kernel in which a frame is
 * (packet(7), PACKET_TX_RING; splice(2)), and change it after that. The kernel has a copy of the
 * Ethernet header; what else is looked at has to be copied into the frame's own memory first.
 * Returns 0, or less where there are fewer bytes or there is no memory. */
static __always_inline long take_bytes(struct __sk_buff *skb, uint32_t at, void *to,
                                       uint32_t size) {
        long pulled = bpf_skb_pull_data(skb, at + size);
        long loaded = bpf_skb_load_bytes(skb, at, to, size);

        return pulled | loaded; /* one branch for the verifier to follow, and not two */
}

static __always_inline bool is_own(const uint8_t *source, const GuardEntry *entry) {
        for (int i = 0; i < 6; i++)
                if (source[i] != entry->mac[i])
                        return false;
        return true;
}

/* Two groups of addresses hold link-local control frames: 01:80:c2:00:00:00 to 0f, which no bridge
 * forwards (IEEE 802.1Q-2018 8.6.3: STP, PAUSE, LACP, 802.1X, LLDP), and Cisco's 01:00:0c:cc:cc:cc
 * (CDP, VTP, DTP) and :cd (PVST+). */
static __always_inline bool is_control(const Ethernet *ethernet) {
        const uint8_t *to = ethernet->destination;

        if (ethernet->type == bpf_htons(TYPE_CONTROL))
                return true;
        if (to[0] != 0x01)
                return false;
        if (to[1] == 0x80)
                return to[2] == 0xc2 && to[3] == 0 && to[4] == 0 && (to[5] & 0xf0) == 0;
        return to[1] == 0 && to[2] == 0x0c && to[3] == 0xcc && to[4] == 0xcc &&
               (to[5] == 0xcc || to[5] == 0xcd);
}
