/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/ring.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <linux/virtio_ring.h>
#include <string.h>

/* The guest may access these fields at the same moment: one read, one write. */
#define LOAD16(p) le16toh(__atomic_load_n(p, __ATOMIC_RELAXED))
#define STORE16(p, v) __atomic_store_n(p, htole16(v), __ATOMIC_RELAXED)

#define EMPTY_KICKS_MAX 2u

void ring_init(Ring *ring) {
        *ring = (Ring){.kick_fd = -1, .call_fd = -1, .error_fd = -1};
}

void ring_done(Ring *ring) {
        safe_close(ring->kick_fd);
        safe_close(ring->call_fd);
        safe_close(ring->error_fd);
        ring_init(ring);
}

/* used_event follows the avail ring's last entry, avail_event the used ring's (virtio 1.2, 2.7.7
 * and 2.7.10). */
static uint16_t *used_event(const Ring *ring) {
        return &ring->avail->ring[ring->size];
}

static uint16_t *avail_event(const Ring *ring) {
        return (uint16_t *)&ring->used->ring[ring->size];
}

static void *find_table(Memory *memory, uint64_t address, uint64_t size, unsigned alignment) {
        void *table = address % alignment == 0 ? memory_user(memory, address, size) : NULL;

        /* The front end's offset of the region may not be a multiple of the alignment. */
        return (uintptr_t)table % alignment == 0 ? table : NULL;
}

int ring_map(Ring *ring, Memory *memory, Refusal *ret_refusal) {
        struct vring_desc *desc;
        struct vring_avail *avail;
        struct vring_used *used;

        if (ring->size == 0 || !ring->has_addresses)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "a ring was started before its size and addresses were set");
        /* Sizes and alignments: virtio 1.2, 2.7. They include the event indices, whether negotiated
         * or not. */
        desc = find_table(memory, ring->user_desc, 16 * (uint64_t)ring->size, 16);
        avail = find_table(memory, ring->user_avail, 6 + 2 * (uint64_t)ring->size, 2);
        used = find_table(memory, ring->user_used, 6 + 8 * (uint64_t)ring->size, 4);
        if (!desc || !avail || !used)
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "the %s of a ring of %" PRIu32
                        " entries is not aligned or not within one region of the guest's memory (" MEMORY_REMEDY
                        ")",
                        !desc    ? "descriptor table"
                        : !avail ? "available ring"
                                 : "used ring",
                        ring->size);
        ring->desc = desc;
        ring->avail = avail;
        ring->used = used;
        return 0;
}

/* Buffers are used in the order in which they became available, so used->idx is also the next avail
 * entry. SET_VRING_BASE sets the same number, except with a front end that does not know how far an
 * earlier back end came: DPDK's virtio-user then sets 0, in the middle of a ring. */
void ring_start(Ring *ring) {
        ring->seen_avail = ring->next_avail = LOAD16(&ring->used->idx);
        ring->next_used = ring->published_used = LOAD16(&ring->used->idx);
        ring->notified_used = ring->next_used;
        ring->notify_disabled = false;
        ring->empty_kicks = 0;
        ring->started = true;
}

void ring_stop(Ring *ring) {
        ring->started = false;
        ring->desc = NULL;
        ring->avail = NULL;
        ring->used = NULL;
}

bool ring_note_kick(Ring *ring) {
        if (!ring->started || ring->empty_kicks >= EMPTY_KICKS_MAX)
                return false;
        if (ring->next_avail != 0 || LOAD16(&ring->avail->idx) != 0) {
                ring->empty_kicks = EMPTY_KICKS_MAX;
                return false;
        }
        return ++ring->empty_kicks == EMPTY_KICKS_MAX;
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
                              "a device-%s descriptor in the %s ring",
                              write ? "readable" : "writable", write ? "receive" : "transmit");
        if (d->len == 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "a descriptor of length 0");
        n = memory_iov(memory, d->addr, d->len, buffer->iov + buffer->n_iov,
                       RING_IOV_MAX - buffer->n_iov);
        if (n == 0)
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "a buffer of %" PRIu32 " bytes at %#" PRIx64
                        " is not in the guest's memory, or needs more than %u iovec entries (" MEMORY_REMEDY
                        ")",
                        (uint32_t)d->len, (uint64_t)d->addr, RING_IOV_MAX);
        buffer->n_iov += n;
        buffer->length += d->len;
        return 0;
}

/* Follows a chain through a table of size descriptors. A chain of more descriptors is a loop
 * (virtio 1.2, 2.7.5.3.1). */
static int walk(const Ring *ring, Memory *memory, const struct vring_desc *table, uint32_t size,
                uint16_t index, bool inside, bool write, RingBuffer *buffer, Refusal *ret_refusal);

/* 2.7.5.3: the whole chain is in a table of its own. The descriptor has no next one, and the table
 * contains no other table. */
static int walk_indirect(const Ring *ring, Memory *memory, const struct vring_desc *d, bool inside,
                         bool write, RingBuffer *buffer, Refusal *ret_refusal) {
        const struct vring_desc *table;

        if (inside || !ring->indirect || (d->flags & VRING_DESC_F_NEXT))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "an indirect descriptor %s",
                              inside            ? "in an indirect table"
                              : !ring->indirect ? "although they were not negotiated"
                                                : "with a next descriptor");
        if (d->len == 0 || d->len % sizeof(*d) != 0 || d->len / sizeof(*d) > RING_SIZE_MAX)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "an indirect table of %" PRIu32 " bytes", (uint32_t)d->len);
        table = memory_guest(memory, d->addr, d->len);
        /* virtio does not require this alignment. The sanitizers do. */
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

RingResult ring_take_avail(Ring *ring, Memory *memory, bool write, struct iovec *iov,
                           RingBuffer *ret, Refusal *ret_refusal) {
        RingBuffer buffer = {.iov = iov};

        if (ring->next_avail == ring->seen_avail) {
                /* Acquire: the guest wrote the entries before the index (2.7.13.3.1). */
                ring->seen_avail = le16toh(__atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE));
                if (ring->next_avail == ring->seen_avail)
                        return RING_EMPTY;
                if ((uint16_t)(ring->seen_avail - ring->next_avail) > ring->size) {
                        refuse(ret_refusal, RAWNET_INVALID_ARGS,
                               "avail->idx went from %u to %u in a ring of %" PRIu32 " entries",
                               ring->next_avail, ring->seen_avail, ring->size);
                        return RING_BROKEN;
                }
        }
        buffer.head = LOAD16(&ring->avail->ring[ring->next_avail & (ring->size - 1)]);
        if (walk(ring, memory, ring->desc, ring->size, buffer.head, false, write, &buffer,
                 ret_refusal) != 0)
                return RING_BROKEN;
        ring->next_avail++;
        *ret = buffer;
        return RING_BUFFER;
}

void ring_return_avail(Ring *ring, unsigned n) {
        assert(n <= ring->size);
        ring->next_avail = (uint16_t)(ring->next_avail - n);
}

void ring_add_used(Ring *ring, uint16_t head, uint32_t written) {
        struct vring_used_elem *element = &ring->used->ring[ring->next_used & (ring->size - 1)];

        __atomic_store_n(&element->id, htole32(head), __ATOMIC_RELAXED);
        __atomic_store_n(&element->len, htole32(written), __ATOMIC_RELAXED);
        ring->next_used++;
}

bool ring_publish_used(Ring *ring) {
        uint16_t old = ring->notified_used, event;

        if (ring->published_used == ring->next_used)
                return false;
        __atomic_store_n(&ring->used->idx, htole16(ring->next_used), __ATOMIC_RELEASE);
        ring->published_used = ring->next_used;
        /* The index is written before used_event or the flags are read. Otherwise the guest could
         * wait for a notification that is never sent (2.7.13.4.1). */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (!ring->event_idx) {
                ring->notified_used = ring->next_used;
                return !(LOAD16(&ring->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
        }
        event = LOAD16(used_event(ring));
        ring->notified_used = ring->next_used;
        return vring_need_event(event, ring->next_used, old);
}

void ring_disable_notify(Ring *ring) {
        /* With event indices nothing is written: a guest that has passed avail_event does not kick
         * for the next 65,535 buffers. */
        if (!ring->event_idx && !ring->notify_disabled)
                STORE16(&ring->used->flags, VRING_USED_F_NO_NOTIFY);
        ring->notify_disabled = true;
}

bool ring_enable_notify(Ring *ring) {
        ring->notify_disabled = false;
        if (ring->event_idx)
                STORE16(avail_event(ring), ring->next_avail);
        else
                STORE16(&ring->used->flags, 0);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return LOAD16(&ring->avail->idx) == ring->next_avail;
}
