/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/port-io.h"

#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/peer-event.h"
#include "backend/port-buffers.h"

PortIo *port_io_new(void) {
        return calloc(1, sizeof(PortIo));
}

void port_io_free(PortIo *io) {
        free(io);
}

int port_check(const Pair *pair, Refusal *ret_refusal) {
        struct sockaddr_ll address = {};
        socklen_t length = sizeof(address);

        /* net/packet/af_packet.c, packet_notifier(): -1 when the interface was unregistered. */
        if (getsockname(pair->socket, (struct sockaddr *)&address, &length) == 0 &&
            address.sll_family == AF_PACKET && address.sll_ifindex <= 0)
                return refuse(ret_refusal, RAWNET_NO_SUCH_LEASE,
                              "the lease has ended: its interface is gone");
        return 0;
}

int port_failed(Pair *pair, int error, const char *what, Refusal *ret_refusal) {
        pair->down = error == ENETDOWN || error == ENXIO;
        if (error == EFAULT)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "%s: the guest's memory went away",
                              what);
        return port_check(pair, ret_refusal);
}

int port_tell(Ring *ring, Refusal *ret_refusal) {
        return ring_publish(ring) && ring->call_fd >= 0
                       ? peer_event_signal(ring->call_fd, ret_refusal)
                       : 0;
}

/* The pieces without what lies between `from` and `to`; at most one more than before. Returns their
 * number. */
static unsigned cut_out(const struct iovec *pieces, unsigned n, size_t from, size_t to,
                        struct iovec *out) {
        unsigned count = 0;
        size_t at = 0;

        for (unsigned i = 0; i < n; i++) {
                uint8_t *base = pieces[i].iov_base;
                size_t length = pieces[i].iov_len;
                size_t before = at >= from ? 0 : MIN_OF(length, from - at);
                size_t skip = at >= to ? 0 : MIN_OF(length, to - at);

                if (before > 0)
                        out[count++] = (struct iovec){base, before};
                if (skip < length)
                        out[count++] = (struct iovec){base + skip, length - skip};
                at += length;
        }
        return count;
}

/* Without PACKET_VNET_HDR_SZ the kernel's header is the first 10 bytes of the guest's 12. */
void port_message(PortIo *io, const Device *device, const Pair *pair, struct iovec *pieces,
                  unsigned n, struct msghdr *ret) {
        *ret = (struct msghdr){.msg_iov = pieces, .msg_iovlen = n};
        if (pair->socket_header == device->header_size)
                return;
        ret->msg_iov = io->cut + io->n_cut;
        ret->msg_iovlen =
                cut_out(pieces, n, pair->socket_header, device->header_size, ret->msg_iov);
        io->n_cut += (unsigned)ret->msg_iovlen;
}

/* Buffers of the transmit ring as messages: *ret_n of them, 0 when the ring is empty. */
static int take_frames(PortIo *io, Device *device, Pair *pair, unsigned *ret_n,
                       Refusal *ret_refusal) {
        unsigned n = 0, n_pieces = 0;

        io->n_cut = 0;
        while (n < PORT_BATCH && n_pieces + RING_PIECES_MAX <= PORT_PIECES) {
                RingBuffer *buffer = &io->buffers[n];
                RingResult r = ring_take(&pair->transmit, &device->memory, false,
                                         io->pieces + n_pieces, buffer, ret_refusal);

                if (r == RING_BROKEN)
                        return RAWNET_INVALID_ARGS;
                if (r == RING_EMPTY)
                        break;
                if (buffer->length < device->header_size)
                        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                                      "a frame shorter than its header");
                port_message(io, device, pair, buffer->pieces, buffer->n_pieces,
                             &io->messages[n].msg_hdr);
                n_pieces += buffer->n_pieces;
                n++;
        }
        *ret_n = n;
        return 0;
}

/* A message that the kernel does not take: what is wrong with this frame is not wrong with the next
 * (too long for the link: EMSGSIZE, no frame: EINVAL, dropped by the guard or no room: ENOBUFS,
 * link down: ENETDOWN). Frames may repeat after an error in the middle of sendmmsg(), since the
 * error itself is lost (sendmmsg(2), BUGS): it comes again. Returns how many are done with, in
 * *ret_done. */
static int send_frames(PortIo *io, Pair *pair, unsigned n, unsigned *ret_done,
                       Refusal *ret_refusal) {
        unsigned done = 0;

        while (done < n) {
                int r = sendmmsg(pair->socket, io->messages + done, n - done, MSG_DONTWAIT);

                if (r > 0) {
                        done += (unsigned)r;
                        pair->count.sent += (unsigned)r;
                        continue;
                }
                if (errno == EINTR)
                        continue;
                if (errno == EAGAIN) {
                        pair->blocked = true;
                        break;
                }
                r = port_failed(pair, errno, "sending", ret_refusal);
                if (r != 0)
                        return r;
                done++;
                pair->count.send_dropped++;
        }
        *ret_done = done;
        return 0;
}

PortResult port_transmit(PortIo *io, Device *device, unsigned index, bool rearm,
                         Refusal *ret_refusal) {
        Pair *pair = &device->pairs[index];
        Ring *ring = &pair->transmit;

        if (!ring->started) {
                pair->kicked = false;
                return PORT_WAITS;
        }
        for (unsigned turn = 0; turn < PORT_TURNS && !pair->blocked; turn++) {
                unsigned n = 0, done = 0;

                if (take_frames(io, device, pair, &n, ret_refusal) != 0)
                        return PORT_BROKEN;
                if (n == 0) {
                        if (rearm && !ring_unmute(ring))
                                continue;
                        pair->kicked = false;
                        return PORT_WAITS;
                }
                ring_mute(ring);
                done = n;
                /* "must process and discard any TX packets" while the ring is disabled */
                if (ring->enabled && send_frames(io, pair, n, &done, ret_refusal) != 0)
                        return PORT_BROKEN;
                for (unsigned i = 0; i < done; i++)
                        ring_give_back(ring, io->buffers[i].head, 0);
                ring_untake(ring, n - done);
                if (port_tell(ring, ret_refusal) != 0)
                        return PORT_BROKEN;
        }
        return pair->blocked ? PORT_WAITS : PORT_MORE;
}

void port_discard(Device *device) {
        uint8_t head[sizeof(struct virtio_net_hdr_mrg_rxbuf)];

        for (unsigned i = 0; i < device->n_pairs; i++) {
                /* A bound, so that a busy wire does not hold us here. */
                for (unsigned n = 0; n < PORT_DISCARD_MAX; n++)
                        if (recv(device->pairs[i].socket, head, sizeof(head),
                                 MSG_DONTWAIT | MSG_TRUNC) < 0 &&
                            errno == EAGAIN)
                                break;
                device->pairs[i].readable = true;
        }
}
