/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The guard: every frame of every lease passes one of these programs, which redirects it to where
 * it may go, or drops it. guard-entry.h says which program stands where, and what it shares with
 * the helper.
 *
 * Nothing passes by default: a lease without an active entry drops all frames, and so does a
 * program that cannot read a frame. A program must never return TC_ACT_OK, because the frame would
 * go on past the guard. The one exception is complete_first().
 *
 * The programs are loaded without CAP_PERFMON. The kernel then allows no variable offset into a
 * packet (kernel/bpf/verifier.c, retrieve_ptr_limit()), and a store to the stack may cost a
 * speculation barrier. So frames of every day are judged by direct reads at fixed offsets and
 * without the stack. All others come to functions that copy what they look at
 * (take_bytes()). There are no calls between functions, which not every processor's JIT
 * knows, and no loops, which the verifier would follow past their end.
 */

#include "helper/guard/guard-ethernet.h"
#include "helper/guard/guard-ip.h"
#include "helper/guard/guard-lock.h"

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

/* Counts the drop of a frame of lease `number`, and reports the first one of its reason that the
 * guest has sent: what the wire sends is not the guest's doing. On a trunk it sends tagged frames
 * to each lease without a VLAN. */
static __always_inline int drop(struct __sk_buff *skb, uint32_t number, uint32_t reason) {
        /* Where the verifier knows a number, it refuses to add it to a pointer if another path has
         * another one. It does not know what it reads back from here; the frame is at its end, so
         * nobody else does. */
        volatile uint32_t *cell = &skb->cb[0];
        const bool reports = reason < GUARD_WIRE_VLAN_TAG || reason == GUARD_FOREIGN_ADDRESS;
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
        if (reports && counters->frames[reason] == 0) { /* two at one moment: two events */
                bpf_skb_load_bytes(skb, SOURCE_OFFSET, event.source, sizeof(event.source));
                bpf_ringbuf_output(&guard_events, &event, sizeof(event), 0);
        }
        __sync_fetch_and_add(&counters->frames[reason], 1);
        return TC_ACT_SHOT;
}

/* -- direct reads -- */

/* A program reads frames where they are, as numbers of any size. */
#define AT(type, data, offset) (*(const type *)((const uint8_t *)(data) + (offset)))

/* The EtherType as it is in the last two of the eight bytes from the source address on. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TYPE_WORD(type) ((uint64_t)bpf_htons(type) << 48)
#define SOURCE_WORD(word) ((word) << 16)
#else
#define TYPE_WORD(type) ((uint64_t)(type))
#define SOURCE_WORD(word) ((word) >> 16)
#endif

#define IPV4_AT(field) (ETHERNET_HEADER + offsetof(Ipv4, field))
#define IPV6_AT(field) (ETHERNET_HEADER + offsetof(Ipv6, field))
#define IPV4_PLAIN 0x45 /* version 4, no options */
#define IPV4_UPPER (ETHERNET_HEADER + sizeof(Ipv4))
#define IPV6_UPPER (ETHERNET_HEADER + sizeof(Ipv6))
#define PORT_AT(upper) ((upper) + offsetof(Ports, destination))

/* -- what the guest sends -- */

/* The types of messages that a DHCPv6 client takes (RFC 8415 7.3): ADVERTISE, REPLY, RECONFIGURE. */
#define DHCPV6_TYPES (BIT(2) | BIT(7) | BIT(10))

/* The ports and the first byte of the payload are where no option, fragment or extension moves
 * them. No checksum, completed later, can make a server's message of such a packet: that would have
 * to write in two places, the port and the message's own type or the protocol. Datagrams that are
 * cut from one frame have each another type. */
static __always_inline bool is_ordinary_ipv4(struct __sk_buff *skb, const void *data) {
        uint16_t port = AT(uint16_t, data, PORT_AT(IPV4_UPPER));

        if (AT(uint8_t, data, ETHERNET_HEADER) != IPV4_PLAIN || port == bpf_htons(BOOTP_SERVER) ||
            port == bpf_htons(BOOTP_CLIENT))
                return false;
        if (AT(uint8_t, data, IPV4_AT(protocol)) == TCP)
                return true;
        return AT(uint8_t, data, IPV4_AT(protocol)) == UDP && skb->gso_size == 0 &&
               (AT(uint16_t, data, IPV4_AT(fragment)) & bpf_htons(IPV4_MORE | IPV4_FRAGMENT)) ==
                       0 &&
               AT(uint8_t, data, IPV4_UPPER + BOOTP_OFFSET) != BOOTREPLY;
}

static __always_inline bool is_ordinary_ipv6(struct __sk_buff *skb, const void *data,
                                             const void *end) {
        if ((const uint8_t *)data + IPV6_UPPER + BOOTP_OFFSET + 1 > (const uint8_t *)end)
                return false;
        if (AT(uint8_t, data, ETHERNET_HEADER) >> 4 != 6 ||
            could_lead_on(AT(uint8_t, data, IPV6_UPPER), AT(uint16_t, data, PORT_AT(IPV6_UPPER))))
                return false;
        if (AT(uint8_t, data, IPV6_AT(next)) == TCP)
                return true;
        return AT(uint8_t, data, IPV6_AT(next)) == UDP && skb->gso_size == 0 &&
               !has_bit(DHCPV6_TYPES, 0, AT(uint8_t, data, IPV6_UPPER + BOOTP_OFFSET));
}

/* A segmented frame is as long as its segments together. Each of them has an IP header of at least
 * 20 bytes and at most gso_size bytes behind it; the headers between may make it longer than the
 * MTU, but not a multiple of it. Some adapters hang on longer segments (CVE-2018-1000026). */
static __always_inline bool is_longer(struct __sk_buff *skb, uint32_t longest) {
        if (skb->len <= longest)
                return false;
        return skb->gso_size == 0 || skb->gso_size + IPV4_UPPER > longest;
}

/* TCP and UDP to one host from the lease's own address, as short as it has to be: such a frame
 * passes whatever the network's rules are. So do segments of TCP, a container's among them: the
 * kernel cuts a frame of another kind as TCP only if it is one (net/ipv4/tcp_offload.c,
 * tcp4_gso_segment(), looks at the frame's own gso_type), and the headers of all pieces are TCP's. */
static __always_inline bool is_ordinary(struct __sk_buff *skb, const GuardEntry *entry) {
        const void *data = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
        uint64_t word;

        if (is_longer(skb, entry->ordinary) || skb->vlan_present)
                return false;
        if ((const uint8_t *)data + IPV4_UPPER + BOOTP_OFFSET + 1 > (const uint8_t *)end)
                return false;
        /* Control frames are to groups. */
        if (AT(uint8_t, data, 0) & 1)
                return false;
        /* See is_cut_as_another(). */
        if (skb->protocol != AT(uint16_t, data, TYPE_OFFSET))
                return false;
        word = AT(uint64_t, data, SOURCE_OFFSET) ^ AT(uint64_t, entry->mac, 0);
        if (word == TYPE_WORD(TYPE_IPV4))
                return is_ordinary_ipv4(skb, data);
        return word == TYPE_WORD(TYPE_IPV6) && is_ordinary_ipv6(skb, data, end);
}

/* The kernel cuts a segmented frame by skb->protocol, which the holder of a packet socket chooses
 * (sockaddr_ll's sll_protocol), and not by the EtherType (net/core/gso.c). Cut as another
 * protocol's, its pieces have data where this program read a header: a datagram to a harmless port,
 * and then one to a client. An LLC frame has a length there, which no protocol is to be compared
 * with; no kernel cuts it as one. */
static __always_inline bool is_cut_as_another(struct __sk_buff *skb, uint16_t type) {
        return skb->gso_size != 0 && (skb->protocol != type || bpf_ntohs(type) < TYPE_MIN);
}

/* LLC: DSAP, SSAP and a control byte. SNAP puts an EtherType behind it (IEEE 802-2014 9.2), and
 * some receivers and wireless bridges take the frame for one with that EtherType (VU#855201); so
 * does RFC 948 with a DSAP of its own. The lowest bit of a DSAP means a group. */
typedef struct Llc {
        uint8_t dsap, ssap, control, organization[3];
        uint16_t type;
} Llc;

#define LLC_IP 0x06
#define LLC_SNAP 0xaa

static __always_inline int judge_llc(struct __sk_buff *skb, bool judge_ip, bool judge_arp) {
        uint8_t dsap;
        Llc llc;

        if (take_bytes(skb, ETHERNET_HEADER, &dsap, sizeof(dsap)) != 0)
                return GUARD_NOT_JUDGED;
        if ((dsap & 0xfe) == LLC_IP && judge_ip)
                return GUARD_NOT_JUDGED;
        if ((dsap & 0xfe) != LLC_SNAP)
                return GUARD_PASS;
        if (take_bytes(skb, ETHERNET_HEADER, &llc, sizeof(llc)) != 0)
                return GUARD_NOT_JUDGED;
        if (is_tag(llc.type))
                return GUARD_VLAN_TAG;
        if (judge_ip && (llc.type == bpf_htons(TYPE_IPV4) || llc.type == bpf_htons(TYPE_IPV6)))
                return GUARD_NOT_JUDGED;
        if (judge_arp && llc.type == bpf_htons(TYPE_ARP))
                return GUARD_NOT_JUDGED;
        return is_final(skb, ETHERNET_HEADER + sizeof(llc)) ? GUARD_PASS : GUARD_NOT_JUDGED;
}

/* GUARD_PASS, or the reason why not. */
static __always_inline int judge(struct __sk_buff *skb, const GuardEntry *entry) {
        const uint32_t flags = entry->flags;
        const bool locked = flags & GUARD_LOCKED;
        const bool judge_ipv4_servers = !(flags & GUARD_ALLOW_DHCP);
        const bool walks_ipv6 = locked || judge_ipv4_servers || !(flags & GUARD_ALLOW_RA);
        Ethernet ethernet;

        strip_priority_tag(skb);
        skb->cb[4] = flags;
        if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)) != 0)
                return GUARD_NOT_JUDGED;
        if (skb->vlan_present || is_tag(ethernet.type))
                return GUARD_VLAN_TAG;
        if ((flags & GUARD_ANTI_SPOOF) && !is_own(ethernet.source, entry))
                return GUARD_SPOOFED_SOURCE;
        if (!(flags & GUARD_PASS_CONTROL) && is_control(&ethernet))
                return GUARD_CONTROL_FRAME;
        if (is_longer(skb, entry->longest))
                return GUARD_TOO_LONG;
        if (is_cut_as_another(skb, ethernet.type))
                return GUARD_NOT_JUDGED;
        if (locked) {
                int r = judge_lock(skb, &ethernet, entry);

                if (r != GUARD_PASS)
                        return r;
        }
        if (bpf_ntohs(ethernet.type) < TYPE_MIN)
                return judge_llc(skb, walks_ipv6, locked);
        if (ethernet.type == bpf_htons(TYPE_IPV4) && judge_ipv4_servers)
                return judge_ipv4(skb);
        if (ethernet.type == bpf_htons(TYPE_IPV6) && walks_ipv6)
                return judge_ipv6(skb);
        return GUARD_PASS;
}

/*
 * A container's kernel can make frames that no holder of a descriptor can. The end of a tunnel takes
 * headers off, and the place of a checksum is then nearer to the frame's beginning than where
 * is_ordinary() and guard-ip.h know it to be. SCTP's checksum is four bytes and not two. A frame
 * that has been put together of received ones (NETIF_F_GRO_FRAGLIST) has the headers of each of them
 * inside, and its user may have changed the first only.
 */
static __always_inline bool is_early(struct __sk_buff *skb, const GuardEntry *entry) {
        if (!(entry->flags & GUARD_CONTAINER) || !is_incomplete(skb))
                return false;
        if (entry->flags & GUARD_COMPLETE)
                return true;
        return bpf_skb_change_tail(skb, FIRST_PLACE + 1, 0) != -EINVAL;
}

/* Of what is not ordinary nothing else is judged before it is complete. */
static __always_inline bool is_unfinished(struct __sk_buff *skb, const GuardEntry *entry) {
        return entry->flags & GUARD_CONTAINER && (skb->gso_size != 0 || is_incomplete(skb));
}

/* Is this a frame of which more is known once its checksum is completed? Behind the veth it is
 * judged again, and for the last time. */
static __always_inline bool needs_completion(struct __sk_buff *skb, const GuardEntry *entry,
                                             int reason) {
        return reason == GUARD_NOT_JUDGED && (entry->flags & GUARD_COMPLETE) && is_incomplete(skb);
}

/* Sends the frame through the veth in which the kernel completes it. A packet port is an end of
 * that veth, and this is its egress: what goes on here arrives at inner, and nowhere else. A tap's
 * frame would go on to the IP stack. */
static __always_inline int complete_first(const GuardEntry *entry, uint32_t number) {
        if (entry->flags & GUARD_PACKET_PORT)
                return TC_ACT_OK;
        return bpf_redirect(GUARD_CHECK | number, 0);
}

/* Reads the index each time: where it is known, the verifier follows the rest of the program twice. */
static __always_inline bool is_at_port(struct __sk_buff *skb) {
        const uint32_t index = *(volatile uint32_t *)&skb->ifindex;

        return (index ^ GUARD_PORT) == GUARD_NUMBER(index);
}

SEC("tc") int from_guest(struct __sk_buff *skb) {
        uint32_t number = GUARD_NUMBER(skb->ifindex);
        const GuardEntry *entry = &guard_entries[number];

        if (is_at_port(skb) && is_early(skb, entry))
                return bpf_redirect(GUARD_CHECK | number, 0);
        if (!is_ordinary(skb, entry)) {
                int reason;

                if (entry->longest == 0)
                        return TC_ACT_SHOT;
                if (is_unfinished(skb, entry))
                        return is_at_port(skb) ? bpf_redirect(GUARD_CHECK | number, 0)
                                               : drop(skb, number, GUARD_NOT_JUDGED);
                reason = judge(skb, entry);
                if (is_at_port(skb) && needs_completion(skb, entry, reason))
                        return complete_first(entry, number);
                if (reason >= 0)
                        return drop(skb, number, (uint32_t)reason);
        }
        return bpf_redirect(GUARD_UPLINK | number, 0);
}

/* -- what comes from the wire -- */

#define TYPE_MPLS 0x8847 /* RFC 3032 5, 0x8848 as well */
#define TYPE_FCOE 0x8906
#define ICMP 1
#define SEGMENTED_MAX 65536u /* longer ones are BIG TCP (ip-link(8), gso_max_size) */

/* Tunnels that the kernel segments: RFC 7348 and its early port, RFC 8926. */
static __always_inline bool is_tunnel(uint16_t port) {
        return port == bpf_htons(4789) || port == bpf_htons(8472) || port == bpf_htons(6081);
}

static __always_inline bool is_describable_ip(struct __sk_buff *skb, uint8_t protocol,
                                              uint16_t port) {
        if (protocol == TCP)
                return skb->len < SEGMENTED_MAX;
        if (protocol == ICMP || protocol == ICMPV6)
                return true;
        return protocol == UDP && skb->gso_size == 0 && !is_tunnel(port);
}

/*
 * Can a struct virtio_net_hdr tell a packet socket what is still to be done with this frame
 * (virtio 1.2 5.1.6)? It can of TCP segments that are no tunnel's, and of checksums in Internet
 * style. Not of segments in a tunnel, of fragment lists, of SCTP's or FCoE's checksum, of BIG TCP;
 * and of UDP segments since Linux 6.2 only. Whatever could have one of these inside goes the other
 * way, where a link without such features completes it (helper/kernel/offload.h).
 */
static __always_inline bool is_describable(struct __sk_buff *skb) {
        const void *data = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
        uint16_t type;

        if ((const uint8_t *)data + IPV4_UPPER + sizeof(Ports) > (const uint8_t *)end)
                return false;
        type = AT(uint16_t, data, TYPE_OFFSET);
        if (type == bpf_htons(TYPE_IPV4))
                return AT(uint8_t, data, ETHERNET_HEADER) == IPV4_PLAIN &&
                       is_describable_ip(skb, AT(uint8_t, data, IPV4_AT(protocol)),
                                         AT(uint16_t, data, PORT_AT(IPV4_UPPER)));
        if (type != bpf_htons(TYPE_IPV6))
                return skb->gso_size == 0 && type != bpf_htons(TYPE_MPLS) &&
                       type != bpf_htons(TYPE_MPLS + 1) && type != bpf_htons(TYPE_FCOE);
        return (const uint8_t *)data + IPV6_UPPER + sizeof(Ports) <= (const uint8_t *)end &&
               is_describable_ip(skb, AT(uint8_t, data, IPV6_AT(next)),
                                 AT(uint16_t, data, PORT_AT(IPV6_UPPER)));
}

/* IP without a tag, short enough: nothing that a rule here is about, but drop_own. */
static __always_inline bool is_plain(struct __sk_buff *skb, const GuardEntry *entry) {
        const void *data = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
        uint16_t type;

        if (skb->len > entry->longest || skb->vlan_present ||
            (const uint8_t *)data + ETHERNET_HEADER > (const uint8_t *)end)
                return false;
        type = AT(uint16_t, data, TYPE_OFFSET);
        if (type != bpf_htons(TYPE_IPV4) && type != bpf_htons(TYPE_IPV6))
                return false;
        return !(entry->flags & GUARD_DROP_OWN) ||
               SOURCE_WORD(AT(uint64_t, data, SOURCE_OFFSET) ^ AT(uint64_t, entry->mac, 0)) != 0;
}

static __always_inline int judge_arrival(struct __sk_buff *skb, const GuardEntry *entry) {
        Ethernet ethernet;

        strip_priority_tag(skb);
        if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)) != 0 || skb->vlan_present ||
            is_tag(ethernet.type))
                return GUARD_WIRE_VLAN_TAG;
        if ((entry->flags & GUARD_DROP_OWN) && is_own(ethernet.source, entry))
                return GUARD_WIRE_OWN_SOURCE;
        if (skb->len > entry->longest && skb->gso_size == 0)
                return GUARD_WIRE_TOO_LONG;
        return GUARD_PASS;
}

SEC("tc") int from_wire(struct __sk_buff *skb) {
        uint32_t number = GUARD_NUMBER(skb->ifindex);
        const GuardEntry *entry = &guard_entries[number];

        if (!is_plain(skb, entry)) {
                int reason;

                if (entry->longest == 0)
                        return TC_ACT_SHOT;
                reason = judge_arrival(skb, entry);
                if (reason >= 0)
                        return drop(skb, number, (uint32_t)reason);
        }
        if (entry->to_flags != 0 && !is_describable(skb))
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
