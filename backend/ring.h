/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A split virtqueue, the device's side: virtio 1.2, section 2.7. The guest writes these tables
 * while we read them, so every field is read once, into a variable of ours, and checked there.
 * Nothing here trusts an index, a length, an address or a chain; what breaks the rules ends the
 * port (RAWNET_INVALID_ARGS and a sentence). Little-endian, as virtio 1 has it and as legacy guests
 * of little-endian machines do.
 */

#include <sys/uio.h>

#include "backend/memory.h"

#define RING_SIZE_MAX 32768u /* virtio 1.2, 2.7: the maximum queue size */
/* Pieces of one buffer, over all its descriptors: a message takes UIO_MAXIOV (1024, linux/uio.h) of
 * them, two of which port.c adds itself. Queues are at most 1024 long in QEMU, chains in
 * practice at most 19 (Linux's MAX_SKB_FRAGS + 2). */
#define RING_PIECES_MAX 1022u

struct vring_desc;
struct vring_avail;
struct vring_used;

typedef struct Ring {
        /* What the front end said; kept over a stop. */
        uint32_t size;
        uint64_t user_descriptors, user_available, user_used;
        bool has_addresses;
        int kick_fd, call_fd, error_fd; /* ours, -1 without */
        bool enabled;                   /* VHOST_USER_SET_VRING_ENABLE */
        bool started; /* from the kick descriptor on until VHOST_USER_GET_VRING_BASE */

        /* Since the start. */
        struct vring_desc *descriptors;
        struct vring_avail *available;
        struct vring_used *used;
        bool event_index, indirect; /* VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC negotiated */
        uint16_t next;       /* of the available ring: the first entry that was not taken yet */
        uint16_t seen;       /* the guest's index when we last looked */
        uint16_t used_index; /* entries that were given back, published or not */
        uint16_t signalled;  /* used_index when the guest was last told, or spared */
        uint16_t published;
        bool muted;          /* the guest was told not to kick */
        uint8_t empty_kicks; /* kicks while the guest's index was still 0, as it begins;
                                ring_kicked() */
} Ring;

/* A buffer of the guest. */
typedef struct RingBuffer {
        struct iovec *pieces; /* in the caller's array */
        unsigned n_pieces;    /* never 0 */
        uint16_t head;        /* its descriptor, for ring_give_back() */
        uint64_t length;      /* bytes, over all pieces */
} RingBuffer;

void ring_init(Ring *ring);
/* Closes its descriptors and forgets what the front end said. */
void ring_done(Ring *ring);

/* A kick has come. Returns true, once after a start, if it shows that the guest writes into other
 * memory than this: the guest has kicked twice, and its index is still where a ring begins. A front
 * end may kick once by itself (QEMU does, when it starts a ring). */
bool ring_kicked(Ring *ring);

/* Finds the three tables in memory. 0 or RAWNET_INVALID_ARGS (no addresses, not aligned, not wholly
 * in one region). */
int ring_map(Ring *ring, Memory *memory, Refusal *ret_refusal);
/* Back to where the front end says the available ring was left off (VHOST_USER_SET_VRING_BASE); the
 * used index is the guest's memory's word from here on. After ring_map(). */
void ring_start(Ring *ring);
void ring_stop(Ring *ring);

typedef enum RingResult {
        RING_BROKEN = -1, /* ret_refusal says why; serve this ring no more */
        RING_EMPTY = 0,
        RING_BUFFER = 1,
} RingResult;
/* The next buffer that the guest made available, all of it writable by us (write) or none of it.
 * pieces has RING_PIECES_MAX entries. */
RingResult ring_take(Ring *ring, Memory *memory, bool write, struct iovec *pieces, RingBuffer *ret,
                     Refusal *ret_refusal);
/* The last n buffers were not used after all: they are taken again next time. */
void ring_untake(Ring *ring, unsigned n);

/* Puts a buffer into the used ring, with the number of bytes that we wrote into it; the guest sees
 * it after ring_publish(). */
void ring_give_back(Ring *ring, uint16_t head, uint32_t written);
/* Shows the guest everything given back, and says whether it wants to be told now (2.7.7). */
bool ring_publish(Ring *ring);

/* The guest need not kick, since we look by ourselves (2.7.10). */
void ring_mute(Ring *ring);
/* The guest shall kick for the next buffer. False: one is there already, a kick may never come. */
bool ring_unmute(Ring *ring);
