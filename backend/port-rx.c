/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * From a packet socket into the guest's receive ring.
 *
 * Small frames: a batch of messages. The i-th message goes into the i-th buffer, and a private
 * bounce buffer takes what overflows. As long as frames fit their buffers and the guest takes them
 * unchanged, nothing is copied. From the first other frame on, the rest of the batch is gathered in
 * the bounce buffers and delivered from there.
 *
 * Large frames (GSO, a guest with MRG_RXBUF): one message in one call, into as many buffers as the
 * longest frame needs.
 */

#include "backend/port-rx.h"

#include <endian.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/gso.h"

#define LARGE_BUFFERS 62u  /* for one frame; 43 of Linux's 1,526 bytes hold 64 KiB */
#define SMALL_TO_LEAVE 64u /* after so many small frames in a row, batches are received again */

typedef struct Delivery {
        PortIo *io;
        Device *device;
        Pair *pair;
        Ring *ring;
        Refusal *refusal;
        bool rearm;
        bool broken;
} Delivery;

static GsoAccept guest_accepts(const Device *device) {
        return (GsoAccept){
                .checksum = device_has(device, VIRTIO_NET_F_GUEST_CSUM),
                .tcp4 = device_has(device, VIRTIO_NET_F_GUEST_TSO4),
                .tcp6 = device_has(device, VIRTIO_NET_F_GUEST_TSO6),
                .ecn = device_has(device, VIRTIO_NET_F_GUEST_ECN),
                /* The header of such a frame does not say whether it is IPv4 or IPv6. */
                .udp = device_has(device, VIRTIO_NET_F_GUEST_USO4) &&
                       device_has(device, VIRTIO_NET_F_GUEST_USO6),
        };
}

/* Copies out of a buffer, at most max bytes. */
static void gather(const RingBuffer *buffer, uint8_t *to, size_t max) {
        for (unsigned i = 0; i < buffer->n_iov && max > 0; i++) {
                size_t length = MIN_OF(buffer->iov[i].iov_len, max);

                memcpy(to, buffer->iov[i].iov_base, length);
                to += length;
                max -= length;
        }
}

/* Copies into a buffer, from its byte `skip` on. Returns how many bytes were copied. */
static size_t scatter(const RingBuffer *buffer, size_t skip, const void *data, size_t size) {
        const uint8_t *from = data;

        for (unsigned i = 0; i < buffer->n_iov && size > 0; i++) {
                size_t length = buffer->iov[i].iov_len, part;

                if (skip >= length) {
                        skip -= length;
                        continue;
                }
                part = MIN_OF(length - skip, size);
                memcpy((uint8_t *)buffer->iov[i].iov_base + skip, from, part);
                skip = 0;
                from += part;
                size -= part;
        }
        return (size_t)(from - (const uint8_t *)data);
}

/* virtio_net_hdr_mrg_rxbuf.num_buffers, which the kernel does not fill in. */
static void write_count(const Device *device, const RingBuffer *first, uint16_t count) {
        const size_t at = offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers);
        uint16_t value = htole16(count);

        if (device->header_size > at)
                scatter(first, at, &value, sizeof(value));
}

static int check_buffer(const Device *device, const RingBuffer *buffer, Refusal *ret_refusal) {
        if (buffer->length < device->header_size)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "a receive buffer of %zu bytes is shorter than the header",
                              (size_t)buffer->length);
        return 0;
}

/* Copies one frame from private memory into as many buffers as it needs. Drops it where the guest
 * has not made enough available. */
static void deliver(void *context, const struct virtio_net_hdr *header, const uint8_t *frame,
                    size_t size) {
        struct virtio_net_hdr_mrg_rxbuf full = {.hdr = *header};
        Delivery *d = context;
        const size_t head = d->device->header_size;
        unsigned max = device_has(d->device, VIRTIO_NET_F_MRG_RXBUF) ? LARGE_BUFFERS : 1, n = 0;
        struct {
                uint16_t head;
                uint32_t written;
        } used[LARGE_BUFFERS];
        RingBuffer first = {};

        for (size_t done = 0; n == 0 || done < size; n++) {
                struct iovec *iov = n == 0 ? d->io->iov : d->io->iov + RING_IOV_MAX;
                RingBuffer buffer;
                RingResult r = d->broken || n == max
                                       ? RING_EMPTY
                                       : ring_take_avail(d->ring, &d->device->memory, true, iov,
                                                         &buffer, d->refusal);
                size_t written;

                if (r == RING_BUFFER && n == 0 && check_buffer(d->device, &buffer, d->refusal) != 0)
                        r = RING_BROKEN;
                if (r != RING_BUFFER) {
                        d->broken = d->broken || r == RING_BROKEN;
                        ring_return_avail(d->ring, n);
                        d->pair->count.receive_dropped++;
                        return;
                }
                if (n == 0)
                        first = buffer;
                if (n == 0)
                        scatter(&buffer, 0, &full, head);
                written = scatter(&buffer, n == 0 ? head : 0, frame + done, size - done);
                done += written;
                used[n].head = buffer.head;
                used[n].written = (uint32_t)(written + (n == 0 ? head : 0));
        }
        write_count(d->device, &first, (uint16_t)n);
        for (unsigned i = 0; i < n; i++)
                ring_add_used(d->ring, used[i].head, used[i].written);
        d->pair->count.received++;
}

/* Delivers a frame from private memory. bounce: the frame behind a header in the guest's layout. */
static void deliver_bounced(Delivery *d, uint8_t *bounce, size_t size) {
        GsoAccept accept = guest_accepts(d->device);
        const size_t head = d->device->header_size;
        struct virtio_net_hdr header;

        memcpy(&header, bounce, sizeof(header));
        if (gso_accepts(&accept, &header))
                deliver(d, &header, bounce + head, size - head);
        else if (gso_segment(&accept, &header, bounce + head, size - head, d->io->scratch, deliver,
                             d) != 0)
                d->pair->count.receive_dropped++;
}

/* A receive call failed. */
static PortResult receive_failed(Pair *pair, Refusal *ret_refusal) {
        if (errno == EAGAIN) {
                pair->readable = false;
                return PORT_WAITS;
        }
        /* Other errors do not come again. EINVAL: a virtio_net_hdr of this kernel cannot describe
         * the frame. */
        return port_failed(pair, errno, "receiving", ret_refusal) != 0 ? PORT_BROKEN : PORT_MORE;
}

/* No buffer is available: asks the guest for a kick, unless the loop polls. */
static PortResult starve(const Delivery *d) {
        if (d->rearm && !ring_enable_notify(d->ring))
                return PORT_MORE;
        d->pair->starved = true;
        return PORT_WAITS;
}

/* Prepares *ret_n messages from buffers of the receive ring, each with its bounce buffer. */
static int take_buffers(Delivery *d, unsigned want, unsigned *ret_n) {
        PortIo *io = d->io;
        unsigned n = 0, n_iov = 0;

        io->n_trimmed = 0;
        while (n < want && n_iov + RING_IOV_MAX + 1 <= PORT_IOV_MAX) {
                RingBuffer *buffer = &io->buffers[n];
                RingResult r = ring_take_avail(d->ring, &d->device->memory, true, io->iov + n_iov,
                                               buffer, d->refusal);
                unsigned count = buffer->n_iov;

                if (r == RING_EMPTY)
                        break;
                if (r == RING_BROKEN || check_buffer(d->device, buffer, d->refusal) != 0)
                        return RAWNET_INVALID_ARGS;
                count = buffer->n_iov;
                if (buffer->length < PORT_BOUNCE_SIZE)
                        buffer->iov[count++] = (struct iovec){
                                io->bounce[n] + buffer->length,
                                PORT_BOUNCE_SIZE - buffer->length,
                        };
                port_message(io, d->device, d->pair, buffer->iov, count, &io->messages[n].msg_hdr);
                n_iov += count;
                n++;
        }
        *ret_n = n;
        return 0;
}

/* The i-th message's size with the guest's header; 0: drop it. */
static size_t frame_size(const Delivery *d, unsigned i) {
        const struct mmsghdr *message = &d->io->messages[i];

        if ((message->msg_hdr.msg_flags & MSG_TRUNC) || message->msg_len < d->pair->socket_header)
                return 0;
        return message->msg_len - d->pair->socket_header + d->device->header_size;
}

/* Whether the i-th frame fits its buffer and the guest takes it unchanged. */
static bool in_place(const Delivery *d, const GsoAccept *accept, unsigned i, size_t size) {
        struct virtio_net_hdr header;

        if (size == 0 || size > d->io->buffers[i].length)
                return false;
        gather(&d->io->buffers[i], (uint8_t *)&header, sizeof(header));
        return gso_accepts(accept, &header);
}

/* Delivers the messages from index `first` on by way of the bounce buffers. */
static void deliver_rest(Delivery *d, unsigned first, unsigned n) {
        size_t size;

        /* Gathers all messages first: deliver() writes to their buffers. */
        for (unsigned i = first; i < n; i++)
                gather(&d->io->buffers[i], d->io->bounce[i],
                       MIN_OF(frame_size(d, i), PORT_BOUNCE_SIZE));
        for (unsigned i = first; i < n; i++) {
                size = frame_size(d, i);
                if (size > 0)
                        deliver_bounced(d, d->io->bounce[i], size);
                else
                        d->pair->count.receive_dropped++;
        }
}

static PortResult receive_batch(Delivery *d) {
        GsoAccept accept = guest_accepts(d->device);
        unsigned taken, got, i;
        int r;

        if (take_buffers(d, d->pair->expect, &taken) != 0)
                return PORT_BROKEN;
        if (taken == 0)
                return starve(d);
        ring_disable_notify(d->ring);
        r = recvmmsg(d->pair->socket, d->io->messages, taken, MSG_DONTWAIT, NULL);
        if (r <= 0) {
                ring_return_avail(d->ring, taken);
                return receive_failed(d->pair, d->refusal);
        }
        got = (unsigned)r;
        /* The next call takes one buffer more than frames came now, or twice as many where all were
         * filled. */
        d->pair->expect = MIN_OF(got == d->pair->expect ? 2 * got : got + 1, PORT_RECEIVE_BATCH);
        for (i = 0; i < got; i++) {
                size_t size = frame_size(d, i);

                if (!in_place(d, &accept, i, size)) {
                        d->pair->large = size > d->io->buffers[i].length && accept.checksum &&
                                         device_has(d->device, VIRTIO_NET_F_MRG_RXBUF);
                        break;
                }
                write_count(d->device, &d->io->buffers[i], 1);
                ring_add_used(d->ring, d->io->buffers[i].head, (uint32_t)size);
                d->pair->count.received++;
        }
        ring_return_avail(d->ring, taken - i);
        if (i < got)
                deliver_rest(d, i, got);
        d->pair->small = 0;
        return port_notify(d->ring, d->refusal) != 0 || d->broken ? PORT_BROKEN : PORT_MORE;
}

/* Takes buffers for one frame of any length, with their iovec entries in a row. *ret_short: the
 * guest has no more, and a frame may need more. */
static int take_large(Delivery *d, unsigned *ret_n, unsigned *ret_n_iov, size_t *ret_total,
                      bool *ret_short) {
        unsigned n = 0, n_iov = 0;
        size_t total = 0;

        *ret_short = false;
        while (n < LARGE_BUFFERS && total < PORT_BOUNCE_SIZE) {
                RingBuffer *buffer = &d->io->buffers[n];
                RingResult r = ring_take_avail(d->ring, &d->device->memory, true,
                                               d->io->iov + n_iov, buffer, d->refusal);

                *ret_short = r == RING_EMPTY;
                if (r == RING_EMPTY)
                        break;
                if (r == RING_BROKEN || check_buffer(d->device, buffer, d->refusal) != 0)
                        return RAWNET_INVALID_ARGS;
                if (n_iov + buffer->n_iov > RING_IOV_MAX) {
                        ring_return_avail(d->ring, 1);
                        break;
                }
                n_iov += buffer->n_iov;
                total += buffer->length;
                n++;
        }
        *ret_n = n;
        *ret_n_iov = n_iov;
        *ret_total = total;
        return 0;
}

/* *ret_room: the next frame fits into the buffers that were taken. Otherwise it waits for more
 * buffers, so that it is not lost, unless the whole ring is too small for it. */
static PortResult wait_for_buffers(Delivery *d, unsigned n, size_t total, bool *ret_room) {
        uint8_t head[sizeof(struct virtio_net_hdr_mrg_rxbuf)];
        ssize_t length =
                recv(d->pair->socket, head, sizeof(head), MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

        *ret_room = false;
        if (length < 0)
                return receive_failed(d->pair, d->refusal);
        *ret_room = (size_t)length - d->pair->socket_header + d->device->header_size <= total ||
                    n >= d->ring->size;
        return *ret_room ? PORT_MORE : starve(d);
}

/* A frame was received into n buffers, without a copy. Adds those that it filled to the used ring,
 * and returns the others. */
static void add_used_large(Delivery *d, unsigned n, size_t size) {
        unsigned used = 0;

        for (size_t left = size; left > 0; used++) {
                const RingBuffer *buffer = &d->io->buffers[used];
                size_t part = MIN_OF((size_t)buffer->length, left);

                ring_add_used(d->ring, buffer->head, (uint32_t)part);
                left -= part;
        }
        write_count(d->device, &d->io->buffers[0], (uint16_t)used);
        ring_return_avail(d->ring, n - used);
        d->pair->count.received++;
        if (used > 1)
                d->pair->small = 0;
        else if (++d->pair->small >= SMALL_TO_LEAVE)
                d->pair->large = false;
}

static PortResult receive_large(Delivery *d) {
        GsoAccept accept = guest_accepts(d->device);
        RingBuffer whole = {.iov = d->io->iov};
        struct virtio_net_hdr header;
        struct msghdr message;
        PortResult result;
        bool is_short, room = true;
        ssize_t length;
        size_t total, size;
        unsigned n;

        d->io->n_trimmed = 0;
        if (take_large(d, &n, &whole.n_iov, &total, &is_short) != 0)
                return PORT_BROKEN;
        if (n == 0)
                return starve(d);
        if (is_short) {
                result = wait_for_buffers(d, n, total, &room);
                if (!room) {
                        ring_return_avail(d->ring, n);
                        return result;
                }
        }
        ring_disable_notify(d->ring);
        port_message(d->io, d->device, d->pair, whole.iov, whole.n_iov, &message);
        length = recvmsg(d->pair->socket, &message, MSG_DONTWAIT);
        if (length < 0 || (message.msg_flags & MSG_TRUNC) ||
            (size_t)length < d->pair->socket_header) {
                ring_return_avail(d->ring, n);
                if (length < 0)
                        return receive_failed(d->pair, d->refusal);
                d->pair->count.receive_dropped++;
                return PORT_MORE;
        }
        size = (size_t)length - d->pair->socket_header + d->device->header_size;
        gather(&whole, (uint8_t *)&header, sizeof(header));
        if (gso_accepts(&accept, &header)) {
                add_used_large(d, n, size);
        } else {
                gather(&whole, d->io->bounce[0], MIN_OF(size, PORT_BOUNCE_SIZE));
                ring_return_avail(d->ring, n);
                deliver_bounced(d, d->io->bounce[0], size);
        }
        return port_notify(d->ring, d->refusal) != 0 || d->broken ? PORT_BROKEN : PORT_MORE;
}

PortResult port_receive(PortIo *io, Device *device, unsigned index, bool rearm,
                        Refusal *ret_refusal) {
        Delivery d = {
                .io = io,
                .device = device,
                .pair = &device->pairs[index],
                .ring = device_receive_ring(device, index),
                .refusal = ret_refusal,
                .rearm = rearm,
        };
        PortResult r = PORT_MORE;

        if (!d.ring) {
                d.pair->starved = true;
                return PORT_WAITS;
        }
        for (unsigned turn = 0; turn < PORT_TURNS && r == PORT_MORE; turn++)
                r = d.pair->large ? receive_large(&d) : receive_batch(&d);
        return r;
}
