/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * From a packet socket into the guest's receive ring.
 *
 * Small frames: a batch of messages, the i-th into the i-th buffer with private room behind it. As
 * long as frames fit their buffers and the guest takes them as they are, nothing is copied. From
 * the first that does not on, the rest of the batch is gathered in the private room and dealt out
 * from there. Large frames (GSO, a guest with MRG_RXBUF): one message a call over as many buffers
 * as the longest frame needs.
 */

#include "backend/port-rx.h"

#include <endian.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/segment.h"

#define LARGE_BUFFERS 62u  /* for one frame; 43 of Linux's 1,526 bytes hold 64 KiB */
#define SMALL_TO_LEAVE 64u /* so many small frames in a row, and they prevail again */

typedef struct Delivery {
        PortIo *io;
        Device *device;
        Pair *pair;
        Ring *ring;
        Refusal *refusal;
        bool rearm;
        bool broken;
} Delivery;

static SegmentAccept guest_accepts(const Device *device) {
        return (SegmentAccept){
                .checksum = device_has(device, VIRTIO_NET_F_GUEST_CSUM),
                .tcp4 = device_has(device, VIRTIO_NET_F_GUEST_TSO4),
                .tcp6 = device_has(device, VIRTIO_NET_F_GUEST_TSO6),
                .ecn = device_has(device, VIRTIO_NET_F_GUEST_ECN),
                /* The header of such a frame does not say which IP it is. */
                .udp = device_has(device, VIRTIO_NET_F_GUEST_USO4) &&
                       device_has(device, VIRTIO_NET_F_GUEST_USO6),
        };
}

/* Copies out of a buffer, at most max bytes. */
static void gather(const RingBuffer *buffer, uint8_t *to, size_t max) {
        for (unsigned i = 0; i < buffer->n_pieces && max > 0; i++) {
                size_t length = MIN_OF(buffer->pieces[i].iov_len, max);

                memcpy(to, buffer->pieces[i].iov_base, length);
                to += length;
                max -= length;
        }
}

/* Copies into a buffer, from its byte `skip` on; returns how many bytes fit. */
static size_t scatter(const RingBuffer *buffer, size_t skip, const void *data, size_t size) {
        const uint8_t *from = data;

        for (unsigned i = 0; i < buffer->n_pieces && size > 0; i++) {
                size_t length = buffer->pieces[i].iov_len, part;

                if (skip >= length) {
                        skip -= length;
                        continue;
                }
                part = MIN_OF(length - skip, size);
                memcpy((uint8_t *)buffer->pieces[i].iov_base + skip, from, part);
                skip = 0;
                from += part;
                size -= part;
        }
        return (size_t)(from - (const uint8_t *)data);
}

/* virtio_net_hdr_mrg_rxbuf.num_buffers: the kernel does not know how many. */
static void write_count(const Device *device, const RingBuffer *first, uint16_t count) {
        const size_t at = offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers);
        uint16_t value = htole16(count);

        if (device->header_size > at)
                scatter(first, at, &value, sizeof(value));
}

static int check_buffer(const Device *device, const RingBuffer *buffer, Refusal *ret_refusal) {
        if (buffer->length < device->header_size)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "a receive buffer of %zu bytes has no room for the header",
                              (size_t)buffer->length);
        return 0;
}

/* One frame from private memory into as many buffers as it takes; dropped where the guest has not
 * made enough available. */
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
                struct iovec *pieces = n == 0 ? d->io->pieces : d->io->pieces + RING_PIECES_MAX;
                RingBuffer buffer;
                RingResult r = d->broken || n == max ? RING_EMPTY
                                                     : ring_take(d->ring, &d->device->memory, true,
                                                                 pieces, &buffer, d->refusal);
                size_t written;

                if (r == RING_BUFFER && n == 0 && check_buffer(d->device, &buffer, d->refusal) != 0)
                        r = RING_BROKEN;
                if (r != RING_BUFFER) {
                        d->broken = d->broken || r == RING_BROKEN;
                        ring_untake(d->ring, n);
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
                ring_give_back(d->ring, used[i].head, used[i].written);
        d->pair->count.received++;
}

/* A frame that lies in room, header and all, in the guest's layout. */
static void deal_out(Delivery *d, uint8_t *room, size_t size) {
        SegmentAccept accept = guest_accepts(d->device);
        const size_t head = d->device->header_size;
        struct virtio_net_hdr header;

        memcpy(&header, room, sizeof(header));
        if (segment_accepts(&accept, &header))
                deliver(d, &header, room + head, size - head);
        else if (segment_frame(&accept, &header, room + head, size - head, d->io->work, deliver,
                               d) != 0)
                d->pair->count.receive_dropped++;
}

/* A receive call brought nothing: what now? */
static PortResult receive_failed(Pair *pair, Refusal *ret_refusal) {
        if (errno == EAGAIN) {
                pair->readable = false;
                return PORT_WAITS;
        }
        /* Others end with this call: EINVAL is a frame that this kernel cannot describe in a
         * virtio_net_hdr. */
        return port_failed(pair, errno, "receiving", ret_refusal) != 0 ? PORT_BROKEN : PORT_MORE;
}

/* The guest has made nothing available: have it kick, unless the loop looks by itself. */
static PortResult starve(const Delivery *d) {
        if (d->rearm && !ring_unmute(d->ring))
                return PORT_MORE;
        d->pair->starved = true;
        return PORT_WAITS;
}

/* Buffers of the receive ring as messages, private room behind each: *ret_n of them. */
static int take_buffers(Delivery *d, unsigned want, unsigned *ret_n) {
        PortIo *io = d->io;
        unsigned n = 0, n_pieces = 0;

        io->n_cut = 0;
        while (n < want && n_pieces + RING_PIECES_MAX + 1 <= PORT_PIECES) {
                RingBuffer *buffer = &io->buffers[n];
                RingResult r = ring_take(d->ring, &d->device->memory, true, io->pieces + n_pieces,
                                         buffer, d->refusal);
                unsigned count = buffer->n_pieces;

                if (r == RING_EMPTY)
                        break;
                if (r == RING_BROKEN || check_buffer(d->device, buffer, d->refusal) != 0)
                        return RAWNET_INVALID_ARGS;
                count = buffer->n_pieces;
                if (buffer->length < PORT_ROOM)
                        buffer->pieces[count++] = (struct iovec){
                                io->room[n] + buffer->length,
                                PORT_ROOM - buffer->length,
                        };
                port_message(io, d->device, d->pair, buffer->pieces, count,
                             &io->messages[n].msg_hdr);
                n_pieces += count;
                n++;
        }
        *ret_n = n;
        return 0;
}

/* The i-th message's size as the guest sees it; 0: drop it. */
static size_t frame_size(const Delivery *d, unsigned i) {
        const struct mmsghdr *message = &d->io->messages[i];

        if ((message->msg_hdr.msg_flags & MSG_TRUNC) || message->msg_len < d->pair->socket_header)
                return 0;
        return message->msg_len - d->pair->socket_header + d->device->header_size;
}

/* Is the i-th frame where it belongs, and as the guest takes it? */
static bool in_place(const Delivery *d, const SegmentAccept *accept, unsigned i, size_t size) {
        struct virtio_net_hdr header;

        if (size == 0 || size > d->io->buffers[i].length)
                return false;
        gather(&d->io->buffers[i], (uint8_t *)&header, sizeof(header));
        return segment_accepts(accept, &header);
}

/* Messages from the first-th on were not in place. */
static void deal_out_rest(Delivery *d, unsigned first, unsigned n) {
        size_t size;

        /* All are gathered before a buffer of theirs is written again. */
        for (unsigned i = first; i < n; i++)
                gather(&d->io->buffers[i], d->io->room[i], MIN_OF(frame_size(d, i), PORT_ROOM));
        for (unsigned i = first; i < n; i++) {
                size = frame_size(d, i);
                if (size > 0)
                        deal_out(d, d->io->room[i], size);
                else
                        d->pair->count.receive_dropped++;
        }
}

static PortResult receive_batch(Delivery *d) {
        SegmentAccept accept = guest_accepts(d->device);
        unsigned taken, got, i;
        int r;

        if (take_buffers(d, d->pair->expect, &taken) != 0)
                return PORT_BROKEN;
        if (taken == 0)
                return starve(d);
        ring_mute(d->ring);
        r = recvmmsg(d->pair->socket, d->io->messages, taken, MSG_DONTWAIT, NULL);
        if (r <= 0) {
                ring_untake(d->ring, taken);
                return receive_failed(d->pair, d->refusal);
        }
        got = (unsigned)r;
        /* Buffers are looked up for as many frames as the last call brought, and one more. */
        d->pair->expect = MIN_OF(got == d->pair->expect ? 2 * got : got + 1, PORT_RECEIVE_BATCH);
        for (i = 0; i < got; i++) {
                size_t size = frame_size(d, i);

                if (!in_place(d, &accept, i, size)) {
                        d->pair->large = size > d->io->buffers[i].length && accept.checksum &&
                                         device_has(d->device, VIRTIO_NET_F_MRG_RXBUF);
                        break;
                }
                write_count(d->device, &d->io->buffers[i], 1);
                ring_give_back(d->ring, d->io->buffers[i].head, (uint32_t)size);
                d->pair->count.received++;
        }
        ring_untake(d->ring, taken - i);
        if (i < got)
                deal_out_rest(d, i, got);
        d->pair->small = 0;
        return port_tell(d->ring, d->refusal) != 0 || d->broken ? PORT_BROKEN : PORT_MORE;
}

/* Buffers for one frame of any length, their pieces one after the other. *ret_short: the guest has
 * no more, and they may not do. */
static int take_large(Delivery *d, unsigned *ret_n, unsigned *ret_pieces, size_t *ret_total,
                      bool *ret_short) {
        unsigned n = 0, n_pieces = 0;
        size_t total = 0;

        *ret_short = false;
        while (n < LARGE_BUFFERS && total < PORT_ROOM) {
                RingBuffer *buffer = &d->io->buffers[n];
                RingResult r = ring_take(d->ring, &d->device->memory, true,
                                         d->io->pieces + n_pieces, buffer, d->refusal);

                *ret_short = r == RING_EMPTY;
                if (r == RING_EMPTY)
                        break;
                if (r == RING_BROKEN || check_buffer(d->device, buffer, d->refusal) != 0)
                        return RAWNET_INVALID_ARGS;
                if (n_pieces + buffer->n_pieces > RING_PIECES_MAX) {
                        ring_untake(d->ring, 1);
                        break;
                }
                n_pieces += buffer->n_pieces;
                total += buffer->length;
                n++;
        }
        *ret_n = n;
        *ret_pieces = n_pieces;
        *ret_total = total;
        return 0;
}

/* *ret_room: the frame that comes next fits into what was taken. A frame of TCP had better wait for
 * buffers than be lost, unless the ring as a whole is too small for it. */
static PortResult wait_for_room(Delivery *d, unsigned n, size_t total, bool *ret_room) {
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

/* The frame lies in n buffers, without a copy: gives back those that it took. */
static void give_back_large(Delivery *d, unsigned n, size_t size) {
        unsigned used = 0;

        for (size_t left = size; left > 0; used++) {
                const RingBuffer *buffer = &d->io->buffers[used];
                size_t part = MIN_OF((size_t)buffer->length, left);

                ring_give_back(d->ring, buffer->head, (uint32_t)part);
                left -= part;
        }
        write_count(d->device, &d->io->buffers[0], (uint16_t)used);
        ring_untake(d->ring, n - used);
        d->pair->count.received++;
        if (used > 1)
                d->pair->small = 0;
        else if (++d->pair->small >= SMALL_TO_LEAVE)
                d->pair->large = false;
}

static PortResult receive_large(Delivery *d) {
        SegmentAccept accept = guest_accepts(d->device);
        RingBuffer whole = {.pieces = d->io->pieces};
        struct virtio_net_hdr header;
        struct msghdr message;
        PortResult result;
        bool is_short, room = true;
        ssize_t length;
        size_t total, size;
        unsigned n;

        d->io->n_cut = 0;
        if (take_large(d, &n, &whole.n_pieces, &total, &is_short) != 0)
                return PORT_BROKEN;
        if (n == 0)
                return starve(d);
        if (is_short) {
                result = wait_for_room(d, n, total, &room);
                if (!room) {
                        ring_untake(d->ring, n);
                        return result;
                }
        }
        ring_mute(d->ring);
        port_message(d->io, d->device, d->pair, whole.pieces, whole.n_pieces, &message);
        length = recvmsg(d->pair->socket, &message, MSG_DONTWAIT);
        if (length < 0 || (message.msg_flags & MSG_TRUNC) ||
            (size_t)length < d->pair->socket_header) {
                ring_untake(d->ring, n);
                if (length < 0)
                        return receive_failed(d->pair, d->refusal);
                d->pair->count.receive_dropped++;
                return PORT_MORE;
        }
        size = (size_t)length - d->pair->socket_header + d->device->header_size;
        gather(&whole, (uint8_t *)&header, sizeof(header));
        if (segment_accepts(&accept, &header)) {
                give_back_large(d, n, size);
        } else {
                gather(&whole, d->io->room[0], MIN_OF(size, PORT_ROOM));
                ring_untake(d->ring, n);
                deal_out(d, d->io->room[0], size);
        }
        return port_tell(d->ring, d->refusal) != 0 || d->broken ? PORT_BROKEN : PORT_MORE;
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
