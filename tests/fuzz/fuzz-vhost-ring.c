/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * port_transmit() and port_receive(): whatever a guest writes into its rings. The guest's memory is
 * two blocks of the heap, so that every access next to them is seen. An input: features, ring size,
 * what arrives from the wire, then the rings themselves.
 */

#include "fuzz.h"
#include "tests/backend/driver.h"

#define RX 0u
#define TX 1u

static void lay(Driver *d, uint32_t number, const uint8_t *data, size_t size) {
        uint8_t *ring = d->memory[0] + number * DRIVER_RING_ROOM;
        /* Of each piece of input: a third descriptors, a third available ring, a third the event
         * index and flags of the used ring. */
        size_t third = MIN_OF(size / 3, (size_t)0x1000);

        memcpy(ring, data, third);
        memcpy(ring + 0x2000, data + third, third);
        memcpy(ring + 0x4000, data + 2 * third, third);
}

static void arrive(Driver *d, uint8_t what, const uint8_t *data, size_t size) {
        static uint8_t frame[70000];
        struct virtio_net_hdr header = {};
        size_t length = what & 1 ? 60 : what & 2 ? 1500 : what & 4 ? 9000 : 65000;

        memcpy(&header, data, MIN_OF(size, sizeof(header)));
        memcpy(frame, &header, sizeof(header));
        memcpy(frame + sizeof(header), data, MIN_OF(size, length));
        for (unsigned i = 0; i < 3; i++)
                send(d->wire, frame, sizeof(header) + length, MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const uint64_t choices[] = {
                BIT(VIRTIO_F_VERSION_1),      BIT(VIRTIO_RING_F_INDIRECT_DESC),
                BIT(VIRTIO_RING_F_EVENT_IDX), BIT(VIRTIO_NET_F_MRG_RXBUF),
                BIT(VIRTIO_NET_F_GUEST_CSUM), BIT(VIRTIO_NET_F_GUEST_TSO4),
                BIT(VIRTIO_NET_F_GUEST_TSO6),
        };
        uint64_t features = 0;
        Refusal refusal = {};
        bool broken = false;
        Driver d;

        if (size < 4)
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
                features |= data[0] & (1u << i) ? choices[i] : 0;
        driver_init(&d, features);
        lay(&d, RX, data + 4, (size - 4) / 2);
        lay(&d, TX, data + 4 + (size - 4) / 2, (size - 4) / 2);
        if (driver_start(&d, RX, 1u << data[1] % 9, &refusal) != 0 ||
            driver_start(&d, TX, 1u << data[1] % 9, &refusal) != 0)
                abort();
        d.device.pairs[0].large = data[2] & 0x80;
        d.device.pairs[0].expect = 32;
        arrive(&d, data[2], data + 4, size - 4);
        for (unsigned i = 0; i < 4 && !broken; i++)
                broken = port_transmit(d.io, &d.device, 0, true, &refusal) == PORT_BROKEN ||
                         port_receive(d.io, &d.device, 0, true, &refusal) == PORT_BROKEN;
        assert(!broken || refusal.text[0] != '\0');
        driver_done(&d);
        return 0;
}
