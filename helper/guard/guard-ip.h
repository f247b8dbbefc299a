/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A part of guard.bpf.c: what the guard looks for in IP packets that a guest sends, where
 * GuestServers= does not allow it: messages of DHCP and DHCPv6 servers, router advertisements and
 * redirects. What could hide such a message from the guard, and not from a host that receives it,
 * is dropped as not judged: RFC 7113 has the ways, RFC 7610 the same for DHCPv6.
 *
 * All reads copy (take_bytes()), at any offset, wherever in the buffer the bytes are.
 */

#include "helper/guard/guard-ethernet.h"

#define IPV4_FRAGMENT 0x1fff /* RFC 791: the fragment's offset */
#define IPV4_MORE 0x2000     /* more fragments follow */
#define IPV6_FRAGMENT 0xfff8 /* RFC 8200 4.5, likewise */

/* https://www.iana.org/assignments/protocol-numbers; those of IPv6 extension headers among them */
#define HOP_BY_HOP 0
#define TCP 6
#define UDP 17
#define ROUTING 43
#define FRAGMENT 44
#define AUTHENTICATION 51
#define ICMPV6 58
#define DESTINATION_OPTIONS 60
#define MOBILITY 135
#define HIP 139
#define SHIM6 140
#define EXPERIMENT_1 253 /* RFC 3692; extension headers or not */
#define EXPERIMENT_2 254

#define BOOTP_SERVER 67 /* RFC 2131 4.1 */
#define BOOTP_CLIENT 68
#define BOOTREPLY 2       /* RFC 951 3 */
#define DHCPV6_CLIENT 546 /* RFC 8415 7.2 */
#define ADVERTISEMENT 134 /* RFC 4861 4.2 */
#define REDIRECT 137      /* RFC 4861 4.5 */
#define ROUTER_SOLICITATION 133
#define NEIGHBOUR_SOLICITATION 135
#define NEIGHBOUR_ADVERTISEMENT 136
#define LISTENER_REPORT 131 /* RFC 2710 3.1 */
#define LISTENER_DONE 132
#define LISTENER_REPORT_2 143 /* RFC 3810 5.2 */
#define BOOTP_OFFSET 8u       /* behind the UDP header, RFC 768 */
#define CHECKSUM_OFFSET 6u    /* in it */
#define ICMPV6_CHECKSUM 2u    /* RFC 4443 2.1 */

/* A message to a DHCP server fits a frame; its tail is kept here for a moment. */
#define TAIL_MAX 2048u

typedef struct Tail {
        uint8_t bytes[TAIL_MAX];
} Tail;

struct {
        __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
        __uint(max_entries, 1);
        __type(key, uint32_t);
        __type(value, Tail);
} guard_tail SEC(".maps");

typedef struct Ipv4 {
        uint8_t version_length;
        uint8_t service;
        uint16_t length, id, fragment;
        uint8_t ttl, protocol;
        uint16_t checksum;
        uint8_t source[4], destination[4];
} Ipv4;

typedef struct Ipv6 {
        uint32_t version;
        uint16_t length; /* of what follows this header */
        uint8_t next, hops;
        uint8_t source[16], destination[16];
} Ipv6;

/* How every extension header begins; its length is in units that depend on its kind. */
typedef struct Extension {
        uint8_t next, length;
        uint16_t fragment; /* of a fragment header: offset and flags */
} Extension;

typedef struct Ports {
        uint16_t source, destination;
} Ports;

/* -- checksums that somebody completes later -- */

/*
 * A sender with a virtio_net_hdr may leave a checksum to the kernel and the adapter: two bytes that
 * are computed and written *after* this program, from csum_start on, at csum_start + csum_offset
 * (include/linux/virtio_net.h, virtio_net_hdr_to_skb()). It may name any place from the 20th byte
 * of the frame on, and choose the bytes of which the sum is made. So without these checks it could
 * write a port, a protocol or a message type into a frame that was judged with another one.
 *
 * The frames of every day pass without them: see is_ordinary() in guard.bpf.c.
 */

#define FIRST_PLACE 20u

/* Where a checksum is complete, the kernel takes a level of verification up and down again; where
 * it is not (CHECKSUM_PARTIAL), it does neither (net/core/filter.c, bpf_csum_level()). */
static __always_inline bool is_incomplete(struct __sk_buff *skb) {
        long level;

        bpf_csum_level(skb, BPF_CSUM_LEVEL_INC);
        level = bpf_csum_level(skb, BPF_CSUM_LEVEL_QUERY);
        bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
        return level < 0;
}

/* Of the entry, as judge() has put them there. */
static __always_inline bool completes(struct __sk_buff *skb) {
        return skb->cb[4] & GUARD_COMPLETE;
}

/* Will no byte before `end` change? The kernel does not cut off the place of a checksum that is to
 * be completed: it refuses, and leaves the frame as it is, if that place ends behind the new
 * length (net/core/filter.c, __bpf_skb_min_len()). If the answer is no the frame is ruined. */
static __always_inline bool is_final(struct __sk_buff *skb, uint32_t end) {
        if (!is_incomplete(skb))
                return true;
        /* Some kernels cut it off (seen on 6.12.118). */
        return !completes(skb) && bpf_skb_change_tail(skb, end + 1, 0) == -EINVAL;
}

/* A size from 1 to TAIL_MAX, in a way that the verifier of any kernel sees. */
static __always_inline uint64_t bounded(uint64_t size) {
        __asm__ volatile("" : "+r"(size));
        return ((size - 1) & (TAIL_MAX - 1)) + 1;
}

/* Is the checksum of the UDP header at `at` all that will change? is_final() says that it is not
 * before it. It is not behind it if the kernel cuts the frame off there. The rest is put back. */
static __always_inline bool only_checksum_changes(struct __sk_buff *skb, uint32_t at) {
        const uint64_t keep = at + BOOTP_OFFSET, whole = skb->len, size = whole - keep;
        uint32_t zero = 0;
        Tail *tail;

        if (!is_incomplete(skb))
                return true;
        if (completes(skb))
                return false;
        tail = bpf_map_lookup_elem(&guard_tail, &zero);
        if (!tail || size == 0 || size > TAIL_MAX)
                return false;
        if (!is_final(skb, at + CHECKSUM_OFFSET))
                return false;
        return bpf_skb_load_bytes(skb, keep, tail->bytes, bounded(size)) == 0 &&
               bpf_skb_change_tail(skb, keep, 0) == 0 && bpf_skb_change_tail(skb, whole, 0) == 0 &&
               bpf_skb_store_bytes(skb, keep, tail->bytes, bounded(size), 0) == 0;
}

/* -- IPv4 -- */

/* UDP to port 67, where servers and relays listen: a client's request passes. A fragment could get
 * another first byte from an overlapping one, and no client has to send fragments. The kernel makes
 * fragments of what has a gso_size (virtio 1.2 5.1.6, VIRTIO_NET_HDR_GSO_UDP), or datagrams whose
 * first bytes nobody has read (VIRTIO_NET_HDR_GSO_UDP_L4). */
static __always_inline int judge_bootp(struct __sk_buff *skb, const Ipv4 *ip, uint32_t at) {
        uint8_t operation;

        if ((ip->fragment & bpf_htons(IPV4_MORE | IPV4_FRAGMENT)) || skb->gso_size != 0)
                return GUARD_NOT_JUDGED;
        if (take_bytes(skb, at + BOOTP_OFFSET, &operation, sizeof(operation)) != 0)
                return GUARD_NOT_JUDGED;
        if (operation == BOOTREPLY)
                return GUARD_SERVER;
        return only_checksum_changes(skb, at) ? GUARD_PASS : GUARD_NOT_JUDGED;
}

/*
 * Options (RFC 791 3.1) move the UDP header, and it is read where it is. The ports are the first
 * four bytes of the fragment with offset 0 and of no other, whatever overlaps: fragments come in
 * units of eight bytes. So each such fragment is judged, and the others pass.
 */
static __always_inline int judge_ipv4(struct __sk_buff *skb) {
        uint32_t at;
        Ports ports;
        bool udp;
        Ipv4 ip;

        if (take_bytes(skb, ETHERNET_HEADER, &ip, sizeof(ip)) != 0)
                return GUARD_NOT_JUDGED;
        at = ETHERNET_HEADER + (ip.version_length & 0xf) * 4u;
        if (ip.version_length >> 4 != 4 || at < ETHERNET_HEADER + sizeof(ip) || at > skb->len)
                return GUARD_NOT_JUDGED;
        udp = ip.protocol == UDP && (ip.fragment & bpf_htons(IPV4_FRAGMENT)) == 0;
        if (take_bytes(skb, at, &ports, sizeof(ports)) != 0)
                return udp ? GUARD_NOT_JUDGED : GUARD_PASS;
        if (udp && ports.destination == bpf_htons(BOOTP_CLIENT))
                return GUARD_SERVER;
        if (udp && ports.destination == bpf_htons(BOOTP_SERVER))
                return judge_bootp(skb, &ip, at);
        /* A checksum could become the port of a datagram, or make a datagram of another protocol's
         * packet or of a later fragment. It cannot do both. */
        if (!udp && ports.destination != bpf_htons(BOOTP_CLIENT) &&
            ports.destination != bpf_htons(BOOTP_SERVER))
                return GUARD_PASS;
        return is_final(skb, at + CHECKSUM_OFFSET) ? GUARD_PASS : GUARD_NOT_JUDGED;
}

/* -- IPv6 -- */

/* Extension headers whose length is in units of 8 bytes, the first not counted: RFC 6564. */
static __always_inline bool is_extension(uint32_t next) {
        return next == HOP_BY_HOP || next == ROUTING || next == DESTINATION_OPTIONS ||
               next == MOBILITY || next == HIP || next == SHIM6;
}

#define NO_END UINT32_MAX

/*
 * Where in the chain of headers the program is. `end` is NO_END, or in a first fragment the end of
 * what a receiver takes from it: bytes behind it are padding, which the next fragment's replace.
 *
 * The chain is kept in skb->cb, which is ours here. What the verifier reads from there has any
 * value, whatever way led to it; numbers that it knows it would follow along each way, and their
 * number doubles with each header.
 */
typedef struct Chain {
        volatile uint32_t at, end, next;
} Chain;

static __always_inline Chain *chain_of(struct __sk_buff *skb) {
        return (Chain *)&skb->cb[1];
}

/* Of a port, or of a byte: is it in the set of numbers below 64, or of those from 128 to 191? */
static __always_inline bool has_bit(uint64_t low, uint64_t high, uint8_t number) {
        if (number < 64)
                return low >> number & 1;
        return number >= 128 && number < 192 && (high >> (number - 128) & 1);
}

/*
 * What a checksum, completed later, could make of a packet that says it is TCP or UDP over IPv6:
 * anything that can follow the IPv6 header. The first byte of the source port is then the next
 * header of an extension, or the type of a message. These values lead further:
 */
#define BIT(number) (UINT64_C(1) << ((number)&63))
#define LEADS_ON_LOW                                                                               \
        (BIT(UDP) | BIT(ROUTING) | BIT(FRAGMENT) | BIT(AUTHENTICATION) | BIT(ICMPV6) |             \
         BIT(DESTINATION_OPTIONS))
#define LEADS_ON_HIGH (BIT(ADVERTISEMENT) | BIT(REDIRECT) | BIT(MOBILITY) | BIT(HIP) | BIT(SHIM6))

/* Such a packet, by its first byte behind the IPv6 header and its destination port. */
static __always_inline bool could_lead_on(uint8_t first, uint16_t destination) {
        return destination == bpf_htons(DHCPV6_CLIENT) ||
               has_bit(LEADS_ON_LOW, LEADS_ON_HIGH, first);
}

/*
 * TCP right behind the IPv6 header, of which no checksum makes a server's message, wherever it is
 * completed: it would have to write the next header, and then all that follows is as it was.
 *
 * Nor do segments change that, whatever the sender says of them. The kernel cuts by the next header
 * that is read here (is_cut_as_another()), before it completes anything, and finds the TCP header
 * by itself. It copies the ports into each segment, and refuses another gso_type than TCP's, or
 * another place for the checksum than the one in that header (net/ipv6/tcpv6_offload.c,
 * net/ipv4/tcp_offload.c). hdr_len is a hint.
 */
static __always_inline bool is_harmless_tcp(struct __sk_buff *skb) {
        const uint32_t at = ETHERNET_HEADER + sizeof(Ipv6);
        struct {
                uint8_t first, second;
                uint16_t destination;
        } ports;

        return chain_of(skb)->next == TCP && chain_of(skb)->at == at &&
               take_bytes(skb, at, &ports, sizeof(ports)) == 0 &&
               !could_lead_on(ports.first, ports.destination);
}

/* Where the flags are in skb->cb: the packet has no source address. guard-lock.h sets it. */
#define GUARD_NO_SOURCE UINT32_C(0x80000000)

/* Those of a host without an address: RFC 4861 4.1, 4.3; RFC 3590, RFC 3810 5.2.13. */
static __always_inline bool needs_no_source(uint8_t type) {
        return type == ROUTER_SOLICITATION || type == NEIGHBOUR_SOLICITATION ||
               type == LISTENER_REPORT || type == LISTENER_DONE || type == LISTENER_REPORT_2;
}

/* Messages with addresses that a lock judges. It has judged those right behind the IPv6 header. */
static __always_inline bool is_out_of_place(struct __sk_buff *skb, uint8_t type) {
        return (type == ROUTER_SOLICITATION || type == NEIGHBOUR_SOLICITATION ||
                type == NEIGHBOUR_ADVERTISEMENT) &&
               (chain_of(skb)->at != ETHERNET_HEADER + sizeof(Ipv6) ||
                chain_of(skb)->end != NO_END);
}

/* The last header of the chain is at chain->at. */
static __always_inline int judge_upper(struct __sk_buff *skb) {
        const uint32_t flags = skb->cb[4];
        const uint32_t at = chain_of(skb)->at, end = chain_of(skb)->end;
        uint32_t checksum = CHECKSUM_OFFSET;
        uint16_t port;
        uint8_t type;

        if (flags & GUARD_NO_SOURCE && chain_of(skb)->next != ICMPV6)
                return GUARD_FOREIGN_ADDRESS;
        switch (chain_of(skb)->next) {
        case UDP:
                if (at + sizeof(Ports) > end ||
                    take_bytes(skb, at + offsetof(Ports, destination), &port, sizeof(port)) != 0)
                        return GUARD_NOT_JUDGED;
                /* The kernel may make fragments of it, with extensions in the first one: see
                 * step(). */
                if (skb->gso_size != 0 && at != ETHERNET_HEADER + sizeof(Ipv6))
                        return GUARD_NOT_JUDGED;
                if (port == bpf_htons(DHCPV6_CLIENT) && !(flags & GUARD_ALLOW_DHCP))
                        return GUARD_SERVER;
                break;
        case ICMPV6:
                if (at + sizeof(type) > end || take_bytes(skb, at, &type, sizeof(type)) != 0)
                        return GUARD_NOT_JUDGED;
                if ((type == ADVERTISEMENT || type == REDIRECT) && !(flags & GUARD_ALLOW_RA))
                        return GUARD_SERVER;
                if (flags & GUARD_LOCKED && is_out_of_place(skb, type))
                        return GUARD_NOT_JUDGED;
                if (flags & GUARD_NO_SOURCE && !needs_no_source(type))
                        return GUARD_FOREIGN_ADDRESS;
                checksum = ICMPV6_CHECKSUM;
                break;
        case TCP:
                if (is_harmless_tcp(skb))
                        return GUARD_PASS;
                break;
        case EXPERIMENT_1:
        case EXPERIMENT_2:
                return GUARD_NOT_JUDGED;
        }
        return is_final(skb, at + checksum) ? GUARD_PASS : GUARD_NOT_JUDGED;
}

/* One step along the chain: GUARD_PASS to go on, GUARD_NOT_JUDGED, GUARD_LATER, or GUARD_LAST at
 * its last header. */
static __always_inline int step(struct __sk_buff *skb, uint32_t length, bool first) {
        Chain *chain = chain_of(skb);
        const uint32_t at = chain->at, next = chain->next;
        Extension extension;

        if (!is_extension(next) && next != FRAGMENT && next != AUTHENTICATION)
                return GUARD_LAST;
        /* RFC 8200 4.1: nothing but the IPv6 header precedes hop-by-hop options. */
        if (next == HOP_BY_HOP && !first)
                return GUARD_NOT_JUDGED;
        /* RFC 7112 wants the whole chain in the first fragment. It is, up to what is judged; but an
         * overlapping fragment could replace a header that does not begin it (RFC 5722). Nothing
         * in use has more there than an authentication header. */
        if (chain->end != NO_END && (next != AUTHENTICATION || at + 2 > chain->end))
                return GUARD_NOT_JUDGED;
        if (take_bytes(skb, at, &extension, sizeof(extension)) != 0)
                return GUARD_NOT_JUDGED;
        chain->next = extension.next;
        if (next == FRAGMENT) {
                chain->at = at + 8;
                chain->end = ETHERNET_HEADER + sizeof(Ipv6) + length;
                /* Only the first one has headers. */
                return extension.fragment & bpf_htons(IPV6_FRAGMENT) ? GUARD_LATER : GUARD_PASS;
        }
        if (next == AUTHENTICATION)
                chain->at = at + (extension.length + 2u) * 4u; /* RFC 4302 2.2 */
        else
                chain->at = at + (extension.length + 1u) * 8u;
        return GUARD_PASS;
}

static __always_inline int judge_ipv6(struct __sk_buff *skb) {
        uint32_t length;
        Ipv6 ip;
        int r;

        if (take_bytes(skb, ETHERNET_HEADER, &ip, sizeof(ip)) != 0)
                return GUARD_NOT_JUDGED;
        if ((ip.version & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000))
                return GUARD_NOT_JUDGED;
        length = bpf_ntohs(ip.length);
        chain_of(skb)->at = ETHERNET_HEADER + sizeof(Ipv6);
        chain_of(skb)->end = NO_END;
        chain_of(skb)->next = ip.next;
        r = step(skb, length, true);
        /* As many as RFC 8200 4.1 has in a row, before what no guard reads. Not a loop: kernels
         * before 6.4 follow it past its end, as a processor might that speculates, and give up. */
        if (r == GUARD_PASS)
                r = step(skb, length, false);
        if (r == GUARD_PASS)
                r = step(skb, length, false);
        if (r == GUARD_PASS)
                r = step(skb, length, false);
        if (r == GUARD_PASS)
                r = step(skb, length, false);
        if (r == GUARD_PASS)
                r = step(skb, length, false);
        if (r == GUARD_LAST)
                return judge_upper(skb);
        if (r == GUARD_LATER && skb->cb[4] & GUARD_NO_SOURCE)
                return GUARD_FOREIGN_ADDRESS;
        if (r == GUARD_LATER)
                return is_final(skb, chain_of(skb)->at) ? GUARD_PASS : GUARD_NOT_JUDGED;
        return GUARD_NOT_JUDGED;
}
