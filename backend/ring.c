/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/ring.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <linux/virtio_ring.h>
#include <string.h>

/* One read of what the guest may be writing at this moment, and one write that it may be reading.
 */
#define LOAD16(p) le16toh(__atomic_load_n(p, __ATOMIC_RELAXED))
#define STORE16(p, v) __atomic_store_n(p, htole16(v), __ATOMIC_RELAXED)

#define EMPTY_KICKS 2u

void ring_init(Ring *ring) {
        *ring = (Ring){.kick_fd = -1, .call_fd = -1, .error_fd = -1};
}

void ring_done(Ring *ring) {
        safe_close(ring->kick_fd);
        safe_close(ring->call_fd);
        safe_close(ring->error_fd);
        ring_init(ring);
}

/* Where the two event indices are: behind the last entry of the other ring (virtio 1.2, 2.7.7
 * and 2.7.10). */
static uint16_t *used_event(const Ring *ring) {
        return &ring->available->ring[ring->size];
}

static uint16_t *available_event(const Ring *ring) {
        return (uint16_t *)&ring->used->ring[ring->size];
}

static void *find_table(Memory *memory, uint64_t address, uint64_t size, unsigned alignment) {
        void *table = address % alignment == 0 ? memory_user(memory, address, size) : NULL;

        /* The front end may have said an offset that is no multiple either. */
        return (uintptr_t)table % alignment == 0 ? table : NULL;
}

int ring_map(Ring *ring, Memory *memory, Refusal *ret_refusal) {
        struct vring_desc *descriptors;
        struct vring_avail *available;
        struct vring_used *used;

        if (ring->size == 0 || !ring->has_addresses)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "a ring was started before its size and addresses were said");
        /* Sizes and alignments: virtio 1.2, 2.7; with the event indices, which are there whether
         * negotiated or not. */
        descriptors = find_table(memory, ring->user_descriptors, 16 * (uint64_t)ring->size, 16);
        available = find_table(memory, ring->user_available, 6 + 2 * (uint64_t)ring->size, 2);
        used = find_table(memory, ring->user_used, 6 + 8 * (uint64_t)ring->size, 4);
        if (!descriptors || !available || !used)
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "the %s of a ring of %" PRIu32
                        " entries is not aligned or not within one region of the guest's memory (" MEMORY_REMEDY
                        ")",
                        !descriptors ? "descriptor table"
                        : !available ? "available ring"
                                     : "used ring",
                        ring->size);
        ring->descriptors = descriptors;
        ring->available = available;
        ring->used = used;
        return 0;
}

/* Buffers are used in the order in which they came, so the used ring itself says where to go on.
 * SET_VRING_BASE says the same, but for front ends that do not ask where a back end was that died:
 * DPDK's virtio-user begins at 0 then, in the middle of a ring. */
void ring_start(Ring *ring) {
        ring->seen = ring->next = LOAD16(&ring->used->idx);
        ring->used_index = ring->published = LOAD16(&ring->used->idx);
        ring->signalled = ring->used_index;
        ring->muted = false;
        ring->empty_kicks = 0;
        ring->started = true;
}

void ring_stop(Ring *ring) {
        ring->started = false;
        ring->descriptors = NULL;
        ring->available = NULL;
        ring->used = NULL;
}

bool ring_kicked(Ring *ring) {
        if (!ring->started || ring->empty_kicks >= EMPTY_KICKS)
                return false;
        if (ring->next != 0 || LOAD16(&ring->available->idx) != 0) {
                ring->empty_kicks = EMPTY_KICKS;
                return false;
        }
        return ++ring->empty_kicks == EMPTY_KICKS;
}

static struct vring_desc read_descriptor(const struct vring_desc *from) {
        return (struct vring_desc){
                .addr = le64toh(__atomic_load_n(&from->addr, __ATOMIC_RELAXED)),
                .len = le32toh(__atomic_load_n(&from->len, __ATOMIC_RELAXED)),
                .flags = LOAD16(&from->flags),
                .next = LOAD16(&from->next),
        };
}

static int add_descriptor(Memory *memory, const struct vring_desc *d, bool write,
                          RingBuffer *buffer, Refusal *ret_refusal) {
        unsigned n;

        if (!!(d->flags & VRING_DESC_F_WRITE) != write)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "a descriptor for the guest to %s in the %s ring",
                              write ? "send" : "receive", write ? "receive" : "transmit");
        if (d->len == 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "a descriptor of no length");
        n = memory_pieces(memory, d->addr, d->len, buffer->pieces + buffer->n_pieces,
                          RING_PIECES_MAX - buffer->n_pieces);
        if (n == 0)
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "a buffer of %" PRIu32 " bytes at %#" PRIx64
                        " is not in the guest's memory, or has more than %u pieces (" MEMORY_REMEDY
                        ")",
                        (uint32_t)d->len, (uint64_t)d->addr, RING_PIECES_MAX);
        buffer->n_pieces += n;
        buffer->length += d->len;
        return 0;
}

/* Follows a chain through a table of size descriptors, at most that many: more is a loop
 * (virtio 1.2, 2.7.5.3.1). */
static int walk(const Ring *ring, Memory *memory, const struct vring_desc *table, uint32_t size,
                uint16_t index, bool inside, bool write, RingBuffer *buffer, Refusal *ret_refusal);

/* 2.7.5.3: the whole chain in a table of its own; no next, no table within. */
static int walk_indirect(const Ring *ring, Memory *memory, const struct vring_desc *d, bool inside,
                         bool write, RingBuffer *buffer, Refusal *ret_refusal) {
        const struct vring_desc *table;

        if (inside || !ring->indirect || (d->flags & VRING_DESC_F_NEXT))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "an indirect descriptor %s",
                              inside            ? "in an indirect table"
                              : !ring->indirect ? "although they were not negotiated"
                                                : "that goes on");
        if (d->len == 0 || d->len % sizeof(*d) != 0 || d->len / sizeof(*d) > RING_SIZE_MAX)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "an indirect table of %" PRIu32 " bytes", (uint32_t)d->len);
        table = memory_guest(memory, d->addr, d->len);
        /* The guest's memory need not align it; the processors that we run on do not mind, the
         * sanitizers do. */
        if (!table || (uintptr_t)table % 8 != 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "an indirect table at %#" PRIx64
                              " is not in the guest's memory (" MEMORY_REMEDY "), or not aligned",
                              (uint64_t)d->addr);
        return walk(ring, memory, table, d->len / sizeof(*d), 0, true, write, buffer, ret_refusal);
}

static int walk(const Ring *ring, Memory *memory, const struct vring_desc *table, uint32_t size,
                uint16_t index, bool inside, bool write, RingBuffer *buffer, Refusal *ret_refusal) {
        for (uint32_t n = 0; n < size; n++) {
                struct vring_desc d;
                int r;

                if (index >= size)
                        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                                      "descriptor %u of a table of %" PRIu32, index, size);
                d = read_descriptor(&table[index]);
                if (d.flags & VRING_DESC_F_INDIRECT)
                        return n > 0 && !inside
                                       ? refuse(ret_refusal, RAWNET_INVALID_ARGS,
                                                "an indirect descriptor in the middle of a chain")
                                       : walk_indirect(ring, memory, &d, inside, write, buffer,
                                                       ret_refusal);
                r = add_descriptor(memory, &d, write, buffer, ret_refusal);
                if (r != 0 || !(d.flags & VRING_DESC_F_NEXT))
                        return r;
                index = d.next;
        }
        return refuse(ret_refusal, RAWNET_INVALID_ARGS, "a chain of descriptors that loops");
}

RingResult ring_take(Ring *ring, Memory *memory, bool write, struct iovec *pieces, RingBuffer *ret,
                     Refusal *ret_refusal) {
        RingBuffer buffer = {.pieces = pieces};

        if (ring->next == ring->seen) {
                /* Acquire: what the guest wrote before it moved the index is seen (2.7.13.3.1). */
                ring->seen = le16toh(__atomic_load_n(&ring->available->idx, __ATOMIC_ACQUIRE));
                if (ring->next == ring->seen)
                        return RING_EMPTY;
                if ((uint16_t)(ring->seen - ring->next) > ring->size) {
                        refuse(ret_refusal, RAWNET_INVALID_ARGS,
                               "the available index went from %u to %u in a ring of %" PRIu32,
                               ring->next, ring->seen, ring->size);
                        return RING_BROKEN;
                }
        }
        buffer.head = LOAD16(&ring->available->ring[ring->next & (ring->size - 1)]);
        if (walk(ring, memory, ring->descriptors, ring->size, buffer.head, false, write, &buffer,
                 ret_refusal) != 0)
                return RING_BROKEN;
        ring->next++;
        *ret = buffer;
        return RING_BUFFER;
}

void ring_untake(Ring *ring, unsigned n) {
        assert(n <= ring->size);
        ring->next = (uint16_t)(ring->next - n);
}

void ring_give_back(Ring *ring, uint16_t head, uint32_t written) {
        struct vring_used_elem *element = &ring->used->ring[ring->used_index & (ring->size - 1)];

        __atomic_store_n(&element->id, htole32(head), __ATOMIC_RELAXED);
        __atomic_store_n(&element->len, htole32(written), __ATOMIC_RELAXED);
        ring->used_index++;
}

bool ring_publish(Ring *ring) {
        uint16_t old = ring->signalled, event;

        if (ring->published == ring->used_index)
                return false;
        __atomic_store_n(&ring->used->idx, htole16(ring->used_index), __ATOMIC_RELEASE);
        ring->published = ring->used_index;
        /* The index is out before the guest's wish is read, or both sides could miss each other
         * (2.7.13.4.1). */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (!ring->event_index) {
                ring->signalled = ring->used_index;
                return !(LOAD16(&ring->available->flags) & VRING_AVAIL_F_NO_INTERRUPT);
        }
        event = LOAD16(used_event(ring));
        ring->signalled = ring->used_index;
        return vring_need_event(event, ring->used_index, old);
}

void ring_mute(Ring *ring) {
        /* With event indices the old one stands: a guest that has passed it does not kick for the
         * next 65,535 buffers. */
        if (!ring->event_index && !ring->muted)
                STORE16(&ring->used->flags, VRING_USED_F_NO_NOTIFY);
        ring->muted = true;
}

bool ring_unmute(Ring *ring) {
        ring->muted = false;
        if (ring->event_index)
                STORE16(available_event(ring), ring->next);
        else
                STORE16(&ring->used->flags, 0);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return LOAD16(&ring->available->idx) == ring->next;
}
