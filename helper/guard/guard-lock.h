/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A part of guard.bpf.c: the lock of a lease with GUARD_LOCKED. Its guest sends IPv4, ARP and IPv6,
 * and names no address as its own but those of its GuardLock and its link-local one, which its MAC
 * address makes (RFC 4291 appendix A). Nothing else passes but control frames, where the network
 * lets them: of another protocol this guard does not know where it has an address.
 *
 * Who has no address yet may ask for one, and claims it in another field than the source (DHCP,
 * RFC 5227, RFC 4862). An address is also claimed by the link-layer address beside it, in ARP and in
 * the options of neighbour discovery.
 *
 * A checksum that is completed later could write into any field from the 20th byte on, so each
 * judgement ends with is_final().
 */

#include "helper/guard/guard-ip.h"

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(max_entries, GUARD_LEASES);
        __type(key, uint32_t);
        __type(value, GuardLock);
} guard_locks SEC(".maps");

/* RFC 826, for Ethernet and IPv4. */
typedef struct Arp {
        uint16_t hardware, protocol;
        uint8_t hardware_size, protocol_size;
        uint16_t operation;
        uint8_t sender_mac[6], sender[4], target_mac[6], target[4];
} Arp;

#define ARP_ETHERNET 1

#define TARGET_OFFSET 8u      /* of a solicitation and an advertisement, RFC 4861 4.3, 4.4 */
#define NEIGHBOUR_SIZE 24u    /* without options */
#define ROUTER_SIZE 8u        /* of a router solicitation, likewise: RFC 4861 4.1 */
#define SOURCE_LINK_ADDRESS 1 /* RFC 4861 4.6.1 */
#define TARGET_LINK_ADDRESS 2

typedef struct NeighbourOption {
        uint8_t type, length; /* in units of 8 bytes */
        uint8_t address[6];
} NeighbourOption;

typedef struct Address {
        uint64_t word[2]; /* bytes as on the wire; IPv4 has the first four */
        uint32_t type;    /* EtherType, in network byte order */
} Address;

static __always_inline Address address4(const uint8_t *bytes) {
        uint32_t word;

        __builtin_memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        return (Address){.word = {word, 0}, .type = bpf_htons(TYPE_IPV4)};
#else
        return (Address){.word = {(uint64_t)word << 32, 0}, .type = bpf_htons(TYPE_IPV4)};
#endif
}

static __always_inline Address address6(const uint8_t *bytes) {
        Address a = {.type = bpf_htons(TYPE_IPV6)};

        __builtin_memcpy(a.word, bytes, sizeof(a.word));
        return a;
}

/* The lower half of the link-local address: the modified EUI-64 of the MAC address. */
static __always_inline uint64_t link_local_of(const GuardEntry *entry) {
        const uint64_t mac = bpf_be64_to_cpu(*(const uint64_t *)entry->mac);

        return bpf_cpu_to_be64((mac >> 40 << 40 ^ UINT64_C(0x0200000000000000)) |
                               UINT64_C(0x000000fffe000000) | (mac >> 16 & 0xffffff));
}

/* Is it one of the lease's own? */
static __always_inline bool is_named(const GuardLock *lock, const GuardEntry *entry, Address a) {
        if (a.type == bpf_htons(TYPE_IPV6) &&
            a.word[0] == bpf_cpu_to_be64(UINT64_C(0xfe80000000000000)) &&
            a.word[1] == link_local_of(entry))
                return true;
#pragma unroll
        for (int i = 0; i < (int)GUARD_ADDRESSES; i++) {
                const GuardAddress *own = &lock->address[i];

                if ((((a.word[0] & own->mask[0]) ^ own->value[0]) |
                     ((a.word[1] & own->mask[1]) ^ own->value[1]) | (a.type ^ own->type)) == 0)
                        return true;
        }
        return false;
}

static __always_inline int judge_address(GuardLock *lock, const GuardEntry *entry, Address a) {
        if (is_named(lock, entry, a))
                return GUARD_PASS;
        __builtin_memcpy(lock->last, a.word, sizeof(lock->last));
        lock->last_type = a.type;
        return GUARD_FOREIGN_ADDRESS;
}

/* -- ARP -- */

/* A probe has no sender address, and claims its target (RFC 5227 2.1.1). */
static __always_inline int judge_arp(struct __sk_buff *skb, GuardLock *lock,
                                     const GuardEntry *entry) {
        Address a;
        Arp arp;

        if (skb->gso_size != 0 || take_bytes(skb, ETHERNET_HEADER, &arp, sizeof(arp)) != 0)
                return GUARD_NOT_JUDGED;
        if (arp.hardware != bpf_htons(ARP_ETHERNET) || arp.protocol != bpf_htons(TYPE_IPV4) ||
            arp.hardware_size != 6 || arp.protocol_size != 4)
                return GUARD_NOT_JUDGED;
        if (!is_final(skb, ETHERNET_HEADER + sizeof(arp)))
                return GUARD_NOT_JUDGED;
        if (!is_own(arp.sender_mac, entry))
                return GUARD_SPOOFED_SOURCE;
        a = address4(arp.sender);
        return judge_address(lock, entry, a.word[0] != 0 ? a : address4(arp.target));
}

/* -- IPv4 -- */

/* A client that has no address asks a server for one (RFC 2131 4.1). */
static __always_inline bool asks_for_address(struct __sk_buff *skb, const Ipv4 *ip) {
        const uint32_t at = ETHERNET_HEADER + (ip->version_length & 0xf) * 4u;
        Ports ports;

        if (address4(ip->source).word[0] != 0 || ip->protocol != UDP || skb->gso_size != 0 ||
            (ip->fragment & bpf_htons(IPV4_MORE | IPV4_FRAGMENT)) != 0 ||
            (ip->destination[0] & ip->destination[1] & ip->destination[2] & ip->destination[3]) !=
                    0xff)
                return false;
        return take_bytes(skb, at, &ports, sizeof(ports)) == 0 &&
               ports.destination == bpf_htons(BOOTP_SERVER) && is_final(skb, at + sizeof(ports));
}

static __always_inline int judge_ipv4_source(struct __sk_buff *skb, GuardLock *lock,
                                             const GuardEntry *entry) {
        Ipv4 ip;

        if (take_bytes(skb, ETHERNET_HEADER, &ip, sizeof(ip)) != 0 || ip.version_length >> 4 != 4 ||
            (ip.version_length & 0xf) < 5 || !is_final(skb, ETHERNET_HEADER + sizeof(ip)))
                return GUARD_NOT_JUDGED;
        if (asks_for_address(skb, &ip))
                return GUARD_PASS;
        return judge_address(lock, entry, address4(ip.source));
}

/* -- IPv6 -- */

/* One option of neighbour discovery, at chain->at: GUARD_LAST behind the last one, which ends at
 * chain->end. */
static __always_inline int judge_option(struct __sk_buff *skb, const GuardEntry *entry) {
        Chain *chain = chain_of(skb);
        NeighbourOption option;

        if (chain->at == chain->end)
                return GUARD_LAST;
        if (take_bytes(skb, chain->at, &option, sizeof(option)) != 0 || option.length == 0)
                return GUARD_NOT_JUDGED;
        if (option.type == SOURCE_LINK_ADDRESS || option.type == TARGET_LINK_ADDRESS) {
                if (option.length != 1)
                        return GUARD_NOT_JUDGED;
                if (!is_own(option.address, entry))
                        return GUARD_SPOOFED_SOURCE;
        }
        chain->at += option.length * 8u;
        return GUARD_PASS;
}

/* As many options as RFC 3971 and RFC 7527 have in a message. Not a loop: see judge_ipv6(). */
static __always_inline int judge_options(struct __sk_buff *skb, const GuardEntry *entry,
                                         uint32_t at, uint32_t end) {
        int r;

        chain_of(skb)->at = at;
        chain_of(skb)->end = end;
        r = judge_option(skb, entry);
        if (r == GUARD_PASS)
                r = judge_option(skb, entry);
        if (r == GUARD_PASS)
                r = judge_option(skb, entry);
        if (r == GUARD_PASS)
                r = judge_option(skb, entry);
        if (r == GUARD_PASS)
                r = judge_option(skb, entry);
        if (r == GUARD_LAST)
                return is_final(skb, chain_of(skb)->end) ? GUARD_PASS : GUARD_NOT_JUDGED;
        return r == GUARD_PASS ? GUARD_NOT_JUDGED : r;
}

/* Right behind the IPv6 header: neighbour discovery has no extension headers, and in fragments it is
 * ignored (RFC 6980). judge_upper() refuses it elsewhere. */
static __always_inline int judge_neighbour(struct __sk_buff *skb, GuardLock *lock,
                                           const GuardEntry *entry, uint32_t length,
                                           bool has_source) {
        const uint32_t at = ETHERNET_HEADER + sizeof(Ipv6);
        uint8_t target[16];
        uint8_t type;
        int r;

        if (take_bytes(skb, at, &type, sizeof(type)) != 0)
                return GUARD_NOT_JUDGED;
        if (type == ROUTER_SOLICITATION)
                return skb->gso_size != 0
                               ? GUARD_NOT_JUDGED
                               : judge_options(skb, entry, at + ROUTER_SIZE, at + length);
        if (type != NEIGHBOUR_SOLICITATION && type != NEIGHBOUR_ADVERTISEMENT)
                return GUARD_PASS;
        if (skb->gso_size != 0 || take_bytes(skb, at + TARGET_OFFSET, target, sizeof(target)) != 0)
                return GUARD_NOT_JUDGED;
        /* Who asks without a source claims the target: duplicate address detection. */
        if (type == NEIGHBOUR_ADVERTISEMENT || !has_source) {
                r = judge_address(lock, entry, address6(target));
                if (r != GUARD_PASS)
                        return r;
        }
        return judge_options(skb, entry, at + NEIGHBOUR_SIZE, at + length);
}

static __always_inline int judge_ipv6_source(struct __sk_buff *skb, GuardLock *lock,
                                             const GuardEntry *entry) {
        bool has_source;
        Address source;
        Ipv6 ip;
        int r;

        if (take_bytes(skb, ETHERNET_HEADER, &ip, sizeof(ip)) != 0 ||
            (ip.version & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000) ||
            !is_final(skb, ETHERNET_HEADER + sizeof(ip)))
                return GUARD_NOT_JUDGED;
        source = address6(ip.source);
        has_source = (source.word[0] | source.word[1]) != 0;
        if (has_source) {
                r = judge_address(lock, entry, source);
                if (r != GUARD_PASS)
                        return r;
        } else
                skb->cb[4] |= GUARD_NO_SOURCE;
        if (ip.next != ICMPV6)
                return GUARD_PASS;
        return judge_neighbour(skb, lock, entry, bpf_ntohs(ip.length), has_source);
}

/* GUARD_PASS, and the other rules decide; or the reason why not. */
static __always_inline int judge_lock(struct __sk_buff *skb, const Ethernet *ethernet,
                                      const GuardEntry *entry) {
        uint32_t id = GUARD_PORT | GUARD_NUMBER(skb->ifindex);
        GuardLock *lock = bpf_map_lookup_elem(&guard_locks, &id);

        if (!lock)
                return GUARD_NOT_JUDGED;
        if (ethernet->type == bpf_htons(TYPE_IPV4))
                return judge_ipv4_source(skb, lock, entry);
        if (ethernet->type == bpf_htons(TYPE_IPV6))
                return judge_ipv6_source(skb, lock, entry);
        if (ethernet->type == bpf_htons(TYPE_ARP))
                return judge_arp(skb, lock, entry);
        return is_control(ethernet) ? GUARD_PASS : GUARD_NOT_JUDGED;
}
