/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Frames between the rings and a socket, by content. */

#include <sys/eventfd.h>

#include "backend/peer-event.h"
#include "driver.h"
#include "tests/unit/test.h"

#define RX 0u
#define TX 1u
#define MODERN (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX))
#define FULL                                                                                       \
        (MODERN | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_GUEST_CSUM) |                     \
         BIT(VIRTIO_NET_F_GUEST_TSO4))
#define KERNEL_HEADER 10u /* datagram sockets know no longer one */

static Driver *start(uint64_t features, uint32_t size) {
        Driver *d = calloc(1, sizeof(*d));

        assert_non_null(d);
        driver_init(d, features);
        assert_int_equal(driver_start(d, RX, size, NULL), 0);
        assert_int_equal(driver_start(d, TX, size, NULL), 0);
        assert_int_equal(
                device_set_call(&d->device, RX, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), NULL), 0);
        return d;
}

static void end(Driver *d) {
        driver_done(d);
        free(d);
}

/* n more receive buffers of size bytes each. */
static void offer_buffers(Driver *d, unsigned n, uint32_t size) {
        const uint16_t first = d->offered[RX];

        for (uint16_t i = first; i < first + n; i++) {
                driver_describe(d, RX, i, DRIVER_DATA + i * (uint64_t)size, size,
                                VRING_DESC_F_WRITE, 0);
                driver_add_avail(d, RX, i);
        }
}

/* A frame from the wire: kernel's header and size bytes of a pattern. */
static void arrive(Driver *d, const struct virtio_net_hdr *header, uint8_t seed, size_t size) {
        static uint8_t data[70000];

        memcpy(data, header, KERNEL_HEADER);
        for (size_t i = 0; i < size; i++)
                data[KERNEL_HEADER + i] = (uint8_t)(seed + i / 251 + i);
        assert_int_equal(send(d->wire, data, KERNEL_HEADER + size, 0), KERNEL_HEADER + size);
}

static void assert_pattern(Driver *d, uint64_t address, uint8_t seed, size_t from, size_t size) {
        for (size_t i = from; i < from + size; i++)
                assert_int_equal(driver_at(d, address)[i - from], (uint8_t)(seed + i / 251 + i));
}

static void receive(Driver *d, PortResult expected) {
        Refusal refusal = {};
        PortResult r;

        do
                r = port_receive(d->io, &d->device, 0, true, &refusal);
        while (r == PORT_MORE);
        assert_int_equal(r, expected);
}

static void test_transmit(_unused_ void **state) {
        Driver *d = start(MODERN, 128);
        uint8_t data[200];
        Refusal refusal = {};

        /* Header and frame in one buffer, in two, the header itself in two; more than a batch. */
        for (uint16_t i = 0; i < 100; i++) {
                static const uint32_t cut[] = {72, 12, 5};
                uint64_t at = DRIVER_DATA + i * 256u;

                memset(driver_at(d, at), 0, 12);
                memset(driver_at(d, at + 12), i, 60);
                if (i % 3 == 0) {
                        driver_describe(d, TX, i, at, 72, 0, 0);
                } else {
                        driver_describe(d, TX, i, at, cut[i % 3], VRING_DESC_F_NEXT, 127);
                        driver_describe(d, TX, 127, at + cut[i % 3], 72 - cut[i % 3], 0, 0);
                }
                driver_add_avail(d, TX, i);
                while (port_transmit(d->io, &d->device, 0, true, &refusal) == PORT_MORE)
                        ;
                assert_int_equal(recv(d->wire, data, sizeof(data), MSG_DONTWAIT),
                                 KERNEL_HEADER + 60);
                assert_int_equal(data[KERNEL_HEADER], i);
                assert_int_equal(data[KERNEL_HEADER + 59], i);
                assert_int_equal(le32toh(driver_used(d, TX)->ring[i].id), i);
        }
        assert_int_equal(d->device.pairs[0].count.sent, 100);
        assert_int_equal(le16toh(driver_used(d, TX)->idx), 100);
        end(d);
}

/* The socket is full: what was not sent is sent later, and nothing twice. */
static void test_transmit_blocked(_unused_ void **state) {
        Driver *d = start(MODERN, 64);
        unsigned got = 0;
        uint8_t data[80];

        for (uint16_t i = 0; i < 64; i++) {
                *driver_at(d, DRIVER_DATA + i * 128u + 12) = (uint8_t)i;
                driver_describe(d, TX, i, DRIVER_DATA + i * 128u, 72, 0, 0);
                driver_add_avail(d, TX, i);
        }
        for (unsigned rounds = 0; got < 64; rounds++) {
                assert_true(rounds < 64);
                d->device.pairs[0].blocked = false;
                while (port_transmit(d->io, &d->device, 0, true, NULL) == PORT_MORE)
                        ;
                assert_int_equal(le16toh(driver_used(d, TX)->idx), d->device.pairs[0].count.sent);
                while (recv(d->wire, data, sizeof(data), MSG_DONTWAIT) > 0)
                        assert_int_equal(data[KERNEL_HEADER], got++);
        }
        assert_int_equal(d->device.pairs[0].count.sent, 64);
        end(d);
}

static void test_transmit_disabled(_unused_ void **state) {
        Driver *d = start(MODERN, 8);
        uint8_t data[80];

        device_enable(&d->device, TX, false, NULL);
        driver_describe(d, TX, 0, DRIVER_DATA, 72, 0, 0);
        driver_add_avail(d, TX, 0);
        while (port_transmit(d->io, &d->device, 0, true, NULL) == PORT_MORE)
                ;
        assert_int_equal(le16toh(driver_used(d, TX)->idx), 1);
        assert_true(recv(d->wire, data, sizeof(data), MSG_DONTWAIT) < 0);
        end(d);
}

static void test_receive_in_place(_unused_ void **state) {
        static const struct virtio_net_hdr plain = {};
        Driver *d = start(FULL, 64);
        uint64_t calls;

        offer_buffers(d, 64, 1600);
        for (uint8_t i = 0; i < 10; i++)
                arrive(d, &plain, i, 60 + i);
        receive(d, PORT_WAITS);
        assert_int_equal(le16toh(driver_used(d, RX)->idx), 10);
        for (uint8_t i = 0; i < 10; i++) {
                assert_int_equal(le32toh(driver_used(d, RX)->ring[i].len), 12 + 60 + i);
                assert_int_equal(driver_at(d, DRIVER_DATA + i * 1600u)[10], 1);
                assert_pattern(d, DRIVER_DATA + i * 1600u + 12, i, 0, 60u + i);
        }
        assert_int_equal(read(d->device.pairs[0].receive.call_fd, &calls, 8), 8);
        end(d);
}

/* Small, large, small in one batch; then large ones alone. */
static void test_receive_merged(_unused_ void **state) {
        static const struct virtio_net_hdr plain = {}, gso = {
                                                               .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                                               .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                                               .gso_size = 1448,
                                                       };
        Driver *d = start(FULL, 64);

        offer_buffers(d, 64, 1500);
        d->device.pairs[0].expect = 8;
        arrive(d, &plain, 1, 60);
        arrive(d, &gso, 2, 4000);
        arrive(d, &plain, 3, 70);
        receive(d, PORT_WAITS);
        assert_int_equal(le16toh(driver_used(d, RX)->idx), 5);
        assert_true(d->device.pairs[0].large);
        assert_int_equal(driver_at(d, DRIVER_DATA + 1500)[10], 3); /* num_buffers */
        assert_pattern(d, DRIVER_DATA + 1500 + 12, 2, 0, 1488);
        assert_pattern(d, DRIVER_DATA + 3000, 2, 1488, 1500);
        assert_pattern(d, DRIVER_DATA + 4500, 2, 2988, 1012);
        assert_int_equal(le32toh(driver_used(d, RX)->ring[3].len), 1012);
        assert_pattern(d, DRIVER_DATA + 6000 + 12, 3, 0, 70);

        arrive(d, &gso, 4, 9000);
        arrive(d, &plain, 5, 60);
        receive(d, PORT_WAITS);
        assert_int_equal(le16toh(driver_used(d, RX)->idx), 13);
        assert_int_equal(driver_at(d, DRIVER_DATA + 7500)[10], 7);
        assert_pattern(d, DRIVER_DATA + 7500 + 12, 4, 0, 1488);
        assert_pattern(d, DRIVER_DATA + 16500, 4, 8988, 12);
        assert_pattern(d, DRIVER_DATA + 18000 + 12, 5, 0, 60);
        end(d);
}

/* A large frame waits for buffers that the guest has yet to offer. */
static void test_receive_waits_for_room(_unused_ void **state) {
        static const struct virtio_net_hdr gso = {
                .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                .gso_size = 1448,
        };
        Driver *d = start(FULL, 64);

        d->device.pairs[0].large = true;
        offer_buffers(d, 2, 1500);
        arrive(d, &gso, 1, 9000);
        receive(d, PORT_WAITS);
        assert_true(d->device.pairs[0].starved);
        assert_int_equal(driver_used(d, RX)->idx, 0);
        offer_buffers(d, 8, 1500);
        d->device.pairs[0].starved = false;
        receive(d, PORT_WAITS);
        assert_int_equal(le16toh(driver_used(d, RX)->idx), 7);
        assert_int_equal(d->device.pairs[0].count.receive_dropped, 0);
        end(d);
}

static void test_receive_without_buffers(_unused_ void **state) {
        static const struct virtio_net_hdr plain = {};
        Driver *d = start(MODERN, 8);

        arrive(d, &plain, 1, 60);
        receive(d, PORT_WAITS);
        assert_true(d->device.pairs[0].starved);
        offer_buffers(d, 1, 1600);
        d->device.pairs[0].starved = false;
        receive(d, PORT_WAITS);
        assert_int_equal(le16toh(driver_used(d, RX)->idx), 1);
        end(d);
}

/* Short of buffers, the guest is asked for a kick, but not by a loop that looks by itself. */
static void test_receive_asks_for_a_kick(_unused_ void **state) {
        static const struct virtio_net_hdr plain = {};
        Driver *d = start(BIT(VIRTIO_F_VERSION_1), 8);
        Refusal refusal = {};

        offer_buffers(d, 1, 1600);
        arrive(d, &plain, 1, 60);
        arrive(d, &plain, 2, 60);
        assert_int_equal(port_receive(d->io, &d->device, 0, false, &refusal), PORT_WAITS);
        assert_true(d->device.pairs[0].starved);
        assert_int_equal(le16toh(driver_used(d, RX)->idx), 1);
        assert_int_equal(le16toh(driver_used(d, RX)->flags), VRING_USED_F_NO_NOTIFY);
        d->device.pairs[0].starved = false;
        assert_int_equal(port_receive(d->io, &d->device, 0, true, &refusal), PORT_WAITS);
        assert_true(d->device.pairs[0].starved);
        assert_int_equal(le16toh(driver_used(d, RX)->flags), 0);
        end(d);
}

/* A guest without MRG_RXBUF: what does not fit its buffer is dropped, the next frame is not. */
static void test_receive_too_long(_unused_ void **state) {
        static const struct virtio_net_hdr plain = {};
        Driver *d = start(MODERN, 8);

        offer_buffers(d, 8, 1000);
        arrive(d, &plain, 1, 1400);
        arrive(d, &plain, 2, 60);
        receive(d, PORT_WAITS);
        assert_int_equal(le16toh(driver_used(d, RX)->idx), 1);
        assert_pattern(d,
                       DRIVER_DATA + (uint64_t)le32toh(driver_used(d, RX)->ring[0].id) * 1000 + 12,
                       2, 0, 60);
        assert_int_equal(d->device.pairs[0].count.receive_dropped, 1);
        end(d);
}

static void test_receive_broken(_unused_ void **state) {
        static const struct virtio_net_hdr plain = {};
        Driver *d = start(MODERN, 8);

        offer_buffers(d, 1, 8);
        arrive(d, &plain, 1, 60);
        receive(d, PORT_BROKEN);
        end(d);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_transmit),
                cmocka_unit_test(test_transmit_blocked),
                cmocka_unit_test(test_transmit_disabled),
                cmocka_unit_test(test_receive_in_place),
                cmocka_unit_test(test_receive_merged),
                cmocka_unit_test(test_receive_waits_for_room),
                cmocka_unit_test(test_receive_without_buffers),
                cmocka_unit_test(test_receive_asks_for_a_kick),
                cmocka_unit_test(test_receive_too_long),
                cmocka_unit_test(test_receive_broken),
        };

        return peer_event_init(NULL) != 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
