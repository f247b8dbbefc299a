/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guest's side for tests: memory, and rings in it that a test fills. A pair of datagram sockets
 * is the wire.
 */

#include <assert.h>
#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/port-rx.h"
#include "backend/port-tx.h"
#include "backend/vhost-user.h"

#define BIT(n) (UINT64_C(1) << (n))

/* Two regions that are adjacent in the guest's address space, but not in this process. */
#define DRIVER_REGION UINT64_C(0x40000)
#define DRIVER_GUEST UINT64_C(0x100000)
#define DRIVER_USER UINT64_C(0x7f0000000000)
#define DRIVER_DATA (DRIVER_GUEST + UINT64_C(0x20000)) /* behind the rings */
#define DRIVER_RING_ROOM 0x8000u                       /* for each ring of up to 256 */

typedef struct Driver {
        Device device;
        PortIo *io;
        uint8_t *memory[2];
        int wire; /* the far end of pair 0's socket */
        uint16_t offered[4];
} Driver;

static inline void driver_init(Driver *d, uint64_t features) {
        static PortIo *io; /* megabytes: a fuzzer allocates them once */
        int ends[2], r;

        memset(d, 0, sizeof(*d));
        r = socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends);
        assert(r == 0);
        d->wire = ends[1];
        device_init(&d->device, ends, 1, NULL, 0);
        if (!io)
                io = port_io_new();
        assert(io);
        d->io = io;
        for (unsigned i = 0; i < 2; i++) {
                MemorySlot slot = {
                        .guest = DRIVER_GUEST + i * DRIVER_REGION,
                        .user = DRIVER_USER + i * 0x10000000,
                        .size = DRIVER_REGION,
                };

                /* Aligned as mappings are: calloc() gives 8 bytes on 32-bit ARM, rings need 16. */
                d->memory[i] = aligned_alloc(4096, DRIVER_REGION);
                assert(d->memory[i]);
                memset(d->memory[i], 0, DRIVER_REGION);
                r = memory_add_mapped(&d->device.memory, &slot, d->memory[i], NULL);
                assert(r == 0);
        }
        r = device_set_features(&d->device, features, NULL);
        assert(r == 0);
}

static inline void driver_done(Driver *d) {
        device_done(&d->device);
        safe_close(d->wire);
        free(d->memory[0]);
        free(d->memory[1]);
}

/* Starts ring `number` with size entries. Returns device_set_kick()'s result. */
static inline int driver_start(Driver *d, uint32_t number, uint32_t size, Refusal *refusal) {
        Ring *ring = device_ring(&d->device, number);

        ring->size = size;
        ring->user_desc = DRIVER_USER + number * DRIVER_RING_ROOM;
        ring->user_avail = ring->user_desc + 0x2000;
        ring->user_used = ring->user_desc + 0x4000;
        ring->has_addresses = true;
        ring->enabled = true;
        return device_set_kick(&d->device, number, -1, refusal);
}

static inline struct vring_desc *driver_desc(Driver *d, uint32_t number) {
        return (struct vring_desc *)(void *)(d->memory[0] + number * DRIVER_RING_ROOM);
}

static inline struct vring_avail *driver_avail(Driver *d, uint32_t number) {
        return (struct vring_avail *)(void *)(d->memory[0] + number * DRIVER_RING_ROOM + 0x2000);
}

static inline struct vring_used *driver_used(Driver *d, uint32_t number) {
        return (struct vring_used *)(void *)(d->memory[0] + number * DRIVER_RING_ROOM + 0x4000);
}

static inline void driver_describe(Driver *d, uint32_t number, uint16_t i, uint64_t address,
                                   uint32_t length, uint16_t flags, uint16_t next) {
        driver_desc(d, number)[i] = (struct vring_desc){
                .addr = htole64(address),
                .len = htole32(length),
                .flags = htole16(flags),
                .next = htole16(next),
        };
}

/* Makes the chain that begins at head available. */
static inline void driver_add_avail(Driver *d, uint32_t number, uint16_t head) {
        struct vring_avail *avail = driver_avail(d, number);
        uint32_t size = device_ring(&d->device, number)->size;

        avail->ring[d->offered[number] % size] = htole16(head);
        avail->idx = htole16(++d->offered[number]);
}

/* The pointer for a guest address. It is valid up to the end of the region. */
static inline uint8_t *driver_at(Driver *d, uint64_t address) {
        uint64_t offset = address - DRIVER_GUEST;

        return d->memory[offset / DRIVER_REGION] + offset % DRIVER_REGION;
}
