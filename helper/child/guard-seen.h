/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A part of guard.bpf.c: the addresses that a guest is seen to use. ARP and neighbour discovery
 * come past here in any case, and every host repeats them; no other frame costs more for it. What
 * is recorded decides nothing.
 *
 * A lease has a few places (guard-entry.h), so a guest can push out its own addresses only. A full
 * table gives up the address that has not been seen for the longest, and only after a minute. So a
 * guest that claims many addresses causes a few reports a minute.
 */

#include "helper/child/guard-ip.h"

#define ARP_HEAD UINT64_C(0x0001080006040000) /* Ethernet, IPv4, 6 and 4 bytes; the operation is 0 */
#define ARP_REQUEST 1
#define ARP_REPLY 2
#define NEIGHBOUR_SOLICITATION 135 /* RFC 4861 4.3 */
#define NEIGHBOUR_ADVERTISEMENT 136
#define IPV4_MAPPED 0x0000ffff /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, GUARD_LEASES);
        __type(key, uint32_t);
        __type(value, GuardSeen);
} guard_seen SEC(".maps");

/* RFC 826, RFC 5227. */
typedef struct Arp {
        uint16_t hardware, protocol;
        uint8_t hardware_size, protocol_size;
        uint16_t operation;
        uint8_t sender[6];
        uint8_t sender_ip[4];
} Arp;

/* A solicitation or an advertisement behind an IPv6 header. */
typedef struct Neighbour {
        Ipv6 ip;
        uint8_t type, code;
        uint16_t checksum;
        uint32_t flags;
        uint8_t target[16];
} Neighbour;

static __always_inline GuardSeen *seen_of(uint32_t id) {
        GuardSeen *seen = bpf_map_lookup_elem(&guard_seen, &id);

        if (!seen) {
                GuardSeen none = {};

                bpf_map_update_elem(&guard_seen, &id, &none, BPF_NOEXIST);
                seen = bpf_map_lookup_elem(&guard_seen, &id);
        }
        return seen;
}

/* Records an address, in network byte order. Two processors may write one place at a moment, and
 * mix two addresses of one guest: the wrong one is never seen again, and ages. */
static __always_inline void record(struct __sk_buff *skb, const uint64_t address[static 2]) {
        GuardEvent event = {.id = GUARD_PORT | GUARD_NUMBER(skb->ifindex), .reason = GUARD_NEWS_SEEN};
        const uint64_t high = address[0], low = address[1], now = bpf_ktime_get_boot_ns();
        /* See drop(). */
        volatile uint32_t *cell = &skb->cb[0];
        GuardSeen *seen = seen_of(event.id);
        uint64_t oldest;
        uint32_t place;

        if (!seen || (high | low) == 0)
                return;
#pragma unroll
        for (uint32_t i = 0; i < GUARD_SEEN_MAX; i++)
                if (seen->place[i].address[0] == high && seen->place[i].address[1] == low) {
                        seen->place[i].at = now;
                        return;
                }
        oldest = seen->place[0].at;
        *cell = 0;
#pragma unroll
        for (uint32_t i = 1; i < GUARD_SEEN_MAX; i++)
                if (seen->place[i].at < oldest) {
                        oldest = seen->place[i].at;
                        *cell = i;
                }
        place = *cell & (GUARD_SEEN_MAX - 1);
        if (oldest != 0 && now - oldest < GUARD_SEEN_STAYS)
                return;
        seen->place[place].address[0] = high;
        seen->place[place].address[1] = low;
        seen->place[place].at = now;
        bpf_ringbuf_output(&guard_events, &event, sizeof(event), 0);
}

/* The sender of a request or a reply, but not of a probe, which asks whether an address is free. */
static __always_inline void see_arp(struct __sk_buff *skb, const GuardEntry *entry) {
        uint32_t mapped[4] = {};
        Arp arp;

        if (take_bytes(skb, ETHERNET_HEADER, &arp, sizeof(arp)) != 0)
                return;
        if (arp.hardware != bpf_htons(1) || arp.protocol != bpf_htons(TYPE_IPV4) ||
            arp.hardware_size != 6 || arp.protocol_size != 4 ||
            (arp.operation != bpf_htons(ARP_REQUEST) && arp.operation != bpf_htons(ARP_REPLY)) ||
            !is_own(arp.sender, entry))
                return;
        __builtin_memcpy(&mapped[3], arp.sender_ip, sizeof(mapped[3]));
        if (mapped[3] == 0)
                return;
        mapped[2] = bpf_htonl(IPV4_MAPPED);
        record(skb, (const uint64_t *)mapped);
}

/* The source of a solicitation, which has none while the guest asks whether an address is free; and
 * the target of an advertisement. */
static __always_inline void see_neighbour(struct __sk_buff *skb) {
        Neighbour n;

        if (skb->len < ETHERNET_HEADER + sizeof(n) ||
            take_bytes(skb, ETHERNET_HEADER, &n, sizeof(n)) != 0 || n.ip.next != ICMPV6 ||
            n.ip.hops != 255 || is_incomplete(skb))
                return;
        if (n.type == NEIGHBOUR_SOLICITATION)
                record(skb, (const uint64_t *)n.ip.source);
        else if (n.type == NEIGHBOUR_ADVERTISEMENT)
                record(skb, (const uint64_t *)n.target);
}
