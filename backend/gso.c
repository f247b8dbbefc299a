/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/gso.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

/* linux/virtio_net.h of newer kernels. Packet sockets deliver such frames since Linux 6.2. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define TCP_FIN 0x01u
#define TCP_PSH 0x08u
#define TCP_CWR 0x80u
#define TCP_FLAGS_OFFSET 13u /* RFC 9293, 3.1 */

bool gso_accepts(const GsoAccept *accept, const struct virtio_net_hdr *header) {
        uint8_t type = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;

        /* virtio 1.2, 5.1.6.4.1: no flag is allowed without GUEST_CSUM. */
        if (header->flags != 0 && !accept->checksum)
                return false;
        if ((header->gso_type & VIRTIO_NET_HDR_GSO_ECN) && !accept->ecn)
                return false;
        return type == VIRTIO_NET_HDR_GSO_NONE ||
               (type == VIRTIO_NET_HDR_GSO_TCPV4 && accept->tcp4) ||
               (type == VIRTIO_NET_HDR_GSO_TCPV6 && accept->tcp6) ||
               (type == VIRTIO_NET_HDR_GSO_UDP_L4 && accept->udp);
}

/* Adds data to sum, an Internet checksum (RFC 1071) that is not yet complemented. */
static uint32_t add_sum(const uint8_t *data, size_t size, uint32_t sum) {
        uint64_t total = sum;
        uint32_t word;

        for (; size >= sizeof(word); size -= sizeof(word), data += sizeof(word)) {
                memcpy(&word, data, sizeof(word));
                total += word;
        }
        word = 0;
        if (size > 0)
                memcpy(&word, data, size);
        total += word;
        total = (total & UINT32_MAX) + (total >> 32);
        total = (total & UINT32_MAX) + (total >> 32);
        total = (total & UINT16_MAX) + (total >> 16);
        total = (total & UINT16_MAX) + (total >> 16);
        return (uint32_t)total;
}

/* In UDP, 0 means "no checksum" (RFC 768). All ones is the same number in ones' complement. */
static uint16_t fold(uint32_t sum) {
        uint16_t folded = (uint16_t)~add_sum(NULL, 0, sum);

        return folded ? folded : UINT16_MAX;
}

static void put16(uint8_t *at, uint16_t network_order) {
        memcpy(at, &network_order, sizeof(network_order));
}

/* The field already contains the pseudo header's sum: virtio 1.2, 5.1.6.2.1. */
static int complete(uint8_t *frame, size_t size, size_t start, size_t offset) {
        if (start + offset + 2 > size)
                return -EINVAL;
        put16(frame + start + offset, fold(add_sum(frame + start, size - start, 0)));
        return 0;
}

typedef struct Layout {
        bool six, udp;
        size_t network, transport, payload; /* offsets in the frame */
        size_t size;                        /* of the frame */
        size_t segment;                     /* the payload of one segment */
} Layout;

/* csum_start of a GSO frame is the offset of the transport header (linux/virtio_net.h). */
static int parse(const struct virtio_net_hdr *header, const uint8_t *frame, size_t size,
                 Layout *ret) {
        uint8_t type = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
        Layout l = {
                .udp = type == VIRTIO_NET_HDR_GSO_UDP_L4,
                .network = ETH_HLEN,
                .transport = header->csum_start,
                .size = size,
                .segment = header->gso_size,
        };
        uint16_t protocol;

        if (size < ETH_HLEN + sizeof(struct ip) || !(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
            l.segment == 0 ||
            (!l.udp && type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6))
                return -EINVAL;
        memcpy(&protocol, frame + offsetof(struct ethhdr, h_proto), sizeof(protocol));
        l.six = protocol == htons(ETH_P_IPV6);
        if (!l.six && protocol != htons(ETH_P_IP))
                return -EINVAL;
        if (l.transport <
                    l.network + (l.six ? sizeof(struct ip6_hdr) : (frame[l.network] & 0xfu) * 4u) ||
            l.transport < l.network + sizeof(struct ip) ||
            l.transport + sizeof(struct udphdr) > size)
                return -EINVAL;
        if (!l.udp && l.transport + sizeof(struct tcphdr) > size)
                return -EINVAL;
        l.payload =
                l.transport + (l.udp ? sizeof(struct udphdr) : (frame[l.transport + 12] >> 4) * 4u);
        if (l.payload < l.transport + (l.udp ? 0 : sizeof(struct tcphdr)) || l.payload >= size)
                return -EINVAL;
        *ret = l;
        return 0;
}

static void fix_network(const Layout *l, uint8_t *frame, size_t size, unsigned number) {
        uint8_t *ip = frame + l->network;
        uint16_t id;

        if (l->six) {
                put16(ip + offsetof(struct ip6_hdr, ip6_plen),
                      htons((uint16_t)(size - l->network - sizeof(struct ip6_hdr))));
                return;
        }
        memcpy(&id, ip + offsetof(struct ip, ip_id), sizeof(id));
        put16(ip + offsetof(struct ip, ip_id), htons((uint16_t)(ntohs(id) + number)));
        put16(ip + offsetof(struct ip, ip_len), htons((uint16_t)(size - l->network)));
        put16(ip + offsetof(struct ip, ip_sum), 0);
        put16(ip + offsetof(struct ip, ip_sum), (uint16_t)~add_sum(ip, (ip[0] & 0xfu) * 4u, 0));
}

static void fix_transport(const Layout *l, uint8_t *frame, size_t size, size_t done, bool last) {
        uint8_t *ip = frame + l->network, *transport = frame + l->transport;
        size_t length = size - l->transport;
        uint32_t sum, sequence;

        sum = l->six ? add_sum(ip + offsetof(struct ip6_hdr, ip6_src), 2 * sizeof(struct in6_addr),
                               0)
                     : add_sum(ip + offsetof(struct ip, ip_src), 2 * sizeof(struct in_addr), 0);
        sum += htons(l->udp ? IPPROTO_UDP : IPPROTO_TCP) + htons((uint16_t)length);
        if (l->udp) {
                put16(transport + offsetof(struct udphdr, len), htons((uint16_t)length));
                put16(transport + offsetof(struct udphdr, check), 0);
                put16(transport + offsetof(struct udphdr, check),
                      fold(add_sum(transport, length, sum)));
                return;
        }
        memcpy(&sequence, transport + offsetof(struct tcphdr, seq), sizeof(sequence));
        sequence = htonl(ntohl(sequence) + (uint32_t)done);
        memcpy(transport + offsetof(struct tcphdr, seq), &sequence, sizeof(sequence));
        /* As in the kernel's tcp_gso_segment(): only the last segment has FIN and PSH, only the
         * first one has CWR. */
        if (!last)
                transport[TCP_FLAGS_OFFSET] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
        if (done > 0)
                transport[TCP_FLAGS_OFFSET] &= (uint8_t)~TCP_CWR;
        put16(transport + offsetof(struct tcphdr, check), 0);
        put16(transport + offsetof(struct tcphdr, check), fold(add_sum(transport, length, sum)));
}

static void segment(const Layout *l, const uint8_t *frame, uint8_t *scratch, GsoSink sink,
                    void *context) {
        static const struct virtio_net_hdr plain = {};
        size_t total = l->size - l->payload;
        unsigned number = 0;

        for (size_t done = 0; done < total; done += l->segment, number++) {
                size_t length = MIN_OF(l->segment, total - done);

                memcpy(scratch, frame, l->payload);
                memcpy(scratch + l->payload, frame + l->payload + done, length);
                fix_network(l, scratch, l->payload + length, number);
                fix_transport(l, scratch, l->payload + length, done, done + length == total);
                sink(context, &plain, scratch, l->payload + length);
        }
}

int gso_segment(const GsoAccept *accept, const struct virtio_net_hdr *header, uint8_t *frame,
                size_t size, uint8_t *scratch, GsoSink sink, void *context) {
        struct virtio_net_hdr out = {};
        Layout layout;
        int r = 0;

        if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
                r = parse(header, frame, size, &layout);
                if (r == 0)
                        segment(&layout, frame, scratch, sink, context);
                return r;
        }
        if (accept->checksum)
                out = *header;
        else if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
                r = complete(frame, size, header->csum_start, header->csum_offset);
        if (r == 0)
                sink(context, &out, frame, size);
        return r;
}
