/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A split virtqueue, the device's side: virtio 1.2, section 2.7. The guest may write these tables
 * at any moment. So every field is read once, into a local variable, and that variable is checked.
 * No index, length, address or chain is trusted. A guest that breaks the rules ends its port
 * (RAWNET_INVALID_ARGS and a sentence). All fields are little-endian, as in virtio 1 and as in
 * legacy guests of little-endian machines.
 *
 * avail, used, notify: virtio's terms. kick, call: the eventfds of vhost-user, for an avail and for
 * a used buffer notification.
 */

#include <sys/uio.h>

#include "backend/memory.h"

#define RING_SIZE_MAX 32768u /* virtio 1.2, 2.7: the maximum queue size */
/* iovec entries of one buffer, over all its descriptors. A message takes UIO_MAXIOV (1024,
 * linux/uio.h), and port.c adds two. QEMU's queues have at most 1024 entries, and a chain of
 * Linux's driver has at most 19 (MAX_SKB_FRAGS + 2). */
#define RING_IOV_MAX 1022u

struct vring_desc;
struct vring_avail;
struct vring_used;

typedef struct Ring {
        /* Set by the front end; a stop keeps it. */
        uint32_t size;
        uint64_t user_desc, user_avail, user_used;
        bool has_addresses;
        int kick_fd, call_fd, error_fd; /* owned, -1 without */
        bool enabled;                   /* VHOST_USER_SET_VRING_ENABLE */
        bool started; /* from the kick descriptor on until VHOST_USER_GET_VRING_BASE */

        /* Valid while started. */
        struct vring_desc *desc;
        struct vring_avail *avail;
        struct vring_used *used;
        bool event_idx, indirect; /* VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC negotiated */
        uint16_t next_avail;      /* the first entry of the avail ring that was not taken yet */
        uint16_t seen_avail;      /* avail->idx at its last read */
        uint16_t next_used;       /* where ring_add_used() writes */
        uint16_t published_used;  /* used->idx */
        uint16_t notified_used;   /* next_used when a notification was last sent or not wanted */
        bool notify_disabled;     /* the guest need not kick */
        uint8_t empty_kicks;      /* kicks while avail->idx was 0; ring_note_kick() */
} Ring;

/* A buffer of the guest. */
typedef struct RingBuffer {
        struct iovec *iov; /* in the caller's array */
        unsigned n_iov;    /* never 0 */
        uint16_t head;     /* the chain's first descriptor, for ring_add_used() */
        uint64_t length;   /* bytes, over all iovec entries */
} RingBuffer;

void ring_init(Ring *ring);
/* Closes the descriptors and forgets what the front end set. */
void ring_done(Ring *ring);

/* Counts a kick. Returns true, once after a start, if the guest writes its ring into memory that is
 * not shared: it has kicked twice, and avail->idx is still 0. One kick may come from the front end
 * (QEMU kicks when it starts a ring). */
bool ring_note_kick(Ring *ring);

/* Finds the three tables in memory. 0 or RAWNET_INVALID_ARGS: no addresses, not aligned, or not
 * wholly in one region. */
int ring_map(Ring *ring, Memory *memory, Refusal *ret_refusal);
/* After ring_map(). Resumes at the guest's used->idx; ring_start() has the reason. */
void ring_start(Ring *ring);
void ring_stop(Ring *ring);

typedef enum RingResult {
        RING_BROKEN = -1, /* reason in ret_refusal; do not serve this ring any more */
        RING_EMPTY = 0,
        RING_BUFFER = 1,
} RingResult;
/* The next buffer that the guest made available. write: the device may write all of it, otherwise
 * none of it. iov has RING_IOV_MAX entries. */
RingResult ring_take_avail(Ring *ring, Memory *memory, bool write, struct iovec *iov,
                           RingBuffer *ret, Refusal *ret_refusal);
/* Returns the n buffers that were taken last: ring_take_avail() takes them again. */
void ring_return_avail(Ring *ring, unsigned n);

/* Adds a buffer to the used ring, with the number of bytes that were written into it. The guest
 * sees it after ring_publish_used(). */
void ring_add_used(Ring *ring, uint16_t head, uint32_t written);
/* Writes used->idx. Returns whether the guest wants a notification now (2.7.7). */
bool ring_publish_used(Ring *ring);

/* The guest need not kick: the caller polls the ring (2.7.10). */
void ring_disable_notify(Ring *ring);
/* The guest has to kick for the next buffer. False: a buffer is available already, and there may be
 * no kick for it. */
bool ring_enable_notify(Ring *ring);
