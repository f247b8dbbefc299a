/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Frames for a guest without checksum offload and GSO, checked as a receiver checks them. */

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "backend/gso.h"
#include "tests/unit/test.h"

#define GSO_UDP_L4 5u

typedef struct Frame {
        uint8_t data[9000];
        size_t size, transport;
        struct virtio_net_hdr header;
} Frame;

typedef struct Seen {
        unsigned n;
        size_t bytes;
        bool six, udp;
        size_t transport, header;
        uint32_t next_sequence;
        uint8_t last_flags;
} Seen;

static void put(uint8_t *at, unsigned value, unsigned size) {
        for (unsigned i = 0; i < size; i++)
                at[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

static unsigned get(const uint8_t *at, unsigned size) {
        unsigned value = 0;

        for (unsigned i = 0; i < size; i++)
                value = value << 8 | at[i];
        return value;
}

/* A frame with payload bytes, as a packet socket delivers it. */
static void build(Frame *f, bool six, bool udp, unsigned payload, unsigned gso_size) {
        unsigned ip_header = six ? 40 : 20, header = udp ? 8 : 32;
        uint8_t *ip = f->data + ETH_HLEN, *transport = ip + ip_header;

        memset(f, 0, sizeof(*f));
        put(f->data + 12, six ? ETH_P_IPV6 : ETH_P_IP, 2);
        put(ip, six ? 0x60000000 : 0x45000000, 4);
        if (six) {
                put(ip + 4, header + payload, 2);
                put(ip + 6, (udp ? 17u : 6u) << 8 | 64, 2);
        } else {
                put(ip + 2, ip_header + header + payload, 2);
                put(ip + 4, 0xfffe, 2);
                put(ip + 8, 64u << 8 | (udp ? 17 : 6), 2);
        }
        for (unsigned i = 0; i < (six ? 32 : 8); i++)
                ip[(six ? 8 : 12) + i] = (uint8_t)(i * 37 + 1);
        put(transport, 1000u << 16 | 2000, 4);
        if (udp) {
                put(transport + 4, 8 + payload, 2);
        } else {
                put(transport + 4, 0xffffff00, 4);
                put(transport + 12, 8u << 12 | 0x80 | 0x18 | 0x01, 2); /* CWR, ACK, PSH, FIN */
        }
        for (unsigned i = 0; i < payload; i++)
                transport[header + i] = (uint8_t)(i + i / 256);
        f->transport = ETH_HLEN + ip_header;
        f->size = f->transport + header + payload;
        f->header = (struct virtio_net_hdr){
                .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                .gso_type = (uint8_t)(gso_size == 0 ? VIRTIO_NET_HDR_GSO_NONE
                                      : udp         ? GSO_UDP_L4
                                      : six         ? VIRTIO_NET_HDR_GSO_TCPV6
                                                    : VIRTIO_NET_HDR_GSO_TCPV4),
                .gso_size = (uint16_t)gso_size,
                .csum_start = (uint16_t)f->transport,
                .csum_offset = udp ? 6 : 16,
        };
}

/* RFC 1071, byte by byte: another algorithm than add_sum()'s. */
static unsigned plain_sum(const uint8_t *data, size_t size, unsigned sum) {
        for (size_t i = 0; i < size; i++)
                sum += i % 2 ? data[i] : (unsigned)data[i] << 8;
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return sum;
}

static unsigned pseudo(const uint8_t *ip, bool six, bool udp, size_t length) {
        return plain_sum(ip + (six ? 8 : 12), six ? 32 : 8, (udp ? 17u : 6u) + (unsigned)length);
}

static void check(void *context, const struct virtio_net_hdr *header, const uint8_t *frame,
                  size_t size) {
        const uint8_t *ip = frame + ETH_HLEN, *transport;
        Seen *seen = context;
        size_t length;

        transport = frame + seen->transport;
        length = size - seen->transport;
        assert_int_equal(header->flags, 0);
        assert_int_equal(header->gso_type, VIRTIO_NET_HDR_GSO_NONE);
        if (seen->six) {
                assert_int_equal(get(ip + 4, 2), length);
        } else {
                assert_int_equal(get(ip + 2, 2), length + 20);
                assert_int_equal(plain_sum(ip, 20, 0), 0xffff);
                assert_int_equal(get(ip + 4, 2), (0xfffe + seen->n) & 0xffff);
        }
        assert_int_equal(plain_sum(transport, length, pseudo(ip, seen->six, seen->udp, length)),
                         0xffff);
        if (seen->udp) {
                assert_int_equal(get(transport + 4, 2), length);
        } else {
                assert_int_equal(get(transport + 4, 4), seen->next_sequence);
                seen->next_sequence += (unsigned)(length - seen->header);
                assert_int_equal(!!(transport[13] & 0x80), seen->n == 0);
                seen->last_flags = transport[13];
        }
        for (size_t i = 0; i < length - seen->header; i++, seen->bytes++)
                assert_int_equal(transport[seen->header + i],
                                 (uint8_t)(seen->bytes + seen->bytes / 256));
        seen->n++;
}

static void segment(bool six, bool udp, unsigned payload, unsigned gso_size, unsigned expected) {
        static const GsoAccept nothing = {};
        Frame frame;
        uint8_t scratch[9000];
        Seen seen;

        build(&frame, six, udp, payload, gso_size);
        seen = (Seen){
                .six = six,
                .udp = udp,
                .transport = frame.transport,
                .header = udp ? 8 : 32,
                .next_sequence = 0xffffff00,
        };
        assert_false(gso_accepts(&nothing, &frame.header));
        assert_int_equal(
                gso_segment(&nothing, &frame.header, frame.data, frame.size, scratch, check, &seen),
                0);
        assert_int_equal(seen.n, expected);
        assert_int_equal(seen.bytes, payload);
        if (!udp)
                assert_int_equal(seen.last_flags & 0x09, 0x09);
}

static void test_segment(_unused_ void **state) {
        for (unsigned kind = 0; kind < 4; kind++) {
                segment(kind & 1, kind & 2, 4000, 1448, 3);
                segment(kind & 1, kind & 2, 2896, 1448, 2);
                segment(kind & 1, kind & 2, 8001, 517, 16);
                segment(kind & 1, kind & 2, 10, 1448, 1);
        }
}

static void check_checksum(void *context, const struct virtio_net_hdr *header, const uint8_t *frame,
                           size_t size) {
        unsigned *sum = context;

        assert_int_equal(header->flags, 0);
        *sum = plain_sum(frame + 34, size - 34, pseudo(frame + ETH_HLEN, false, false, size - 34));
}

/* In frames from the socket, the checksum field contains the pseudo header's sum. */
static void test_checksum(_unused_ void **state) {
        static const GsoAccept nothing = {};
        unsigned sum = 0;
        Frame frame;

        build(&frame, false, false, 77, 0);
        put(frame.data + 34 + 16, pseudo(frame.data + ETH_HLEN, false, false, frame.size - 34), 2);
        assert_int_equal(gso_segment(&nothing, &frame.header, frame.data, frame.size, NULL,
                                     check_checksum, &sum),
                         0);
        assert_int_equal(sum, 0xffff);
}

static void never(void *context, const struct virtio_net_hdr *header, const uint8_t *frame,
                  size_t size) {
        fail();
}

static void test_invalid_headers(_unused_ void **state) {
        static const GsoAccept nothing = {};
        uint8_t scratch[9000];
        Frame f;

#define REFUSED(change)                                                                            \
        build(&f, false, false, 4000, 1448);                                                       \
        change;                                                                                    \
        assert_int_equal(gso_segment(&nothing, &f.header, f.data, f.size, scratch, never, NULL),   \
                         -EINVAL)

        REFUSED(f.header.gso_size = 0);
        REFUSED(f.header.csum_start = 10);
        REFUSED(f.header.csum_start = 8990);
        REFUSED(f.header.csum_start = UINT16_MAX);
        REFUSED(f.header.gso_type = 9);
        REFUSED(f.header.flags = 0);
        REFUSED(f.data[12] = 0x81);
        REFUSED(f.size = 20);
        REFUSED(f.size = 60);
        REFUSED(f.data[34 + 12] = 0x40);
        REFUSED(f.data[14] = 0x4f);
        REFUSED(f.header.gso_type = 0; f.header.csum_start = 4060);
}

static void test_accepts(_unused_ void **state) {
        const GsoAccept all = {.checksum = true, .tcp4 = true, .tcp6 = true, .ecn = true},
                        four = {.checksum = true, .tcp4 = true};
        const GsoAccept udp = {.checksum = true, .udp = true};
        struct virtio_net_hdr header = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
                                        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};

        assert_true(gso_accepts(&all, &header));
        assert_false(gso_accepts(&four, &header));
        header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        assert_true(gso_accepts(&four, &header));
        header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
        assert_false(gso_accepts(&four, &header));
        header.gso_type = GSO_UDP_L4;
        assert_false(gso_accepts(&all, &header));
        assert_true(gso_accepts(&udp, &header));
        assert_true(gso_accepts(&(GsoAccept){}, &(struct virtio_net_hdr){}));
        assert_false(gso_accepts(&(GsoAccept){},
                                 &(struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_DATA_VALID}));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_segment),
                cmocka_unit_test(test_checksum),
                cmocka_unit_test(test_invalid_headers),
                cmocka_unit_test(test_accepts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
