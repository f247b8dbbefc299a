/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/port-tx.h"

#include <string.h>
#include <sys/socket.h>

/* Buffers of the transmit ring as messages: *ret_n of them, 0 when the ring is empty. */
static int take_frames(PortIo *io, Device *device, Pair *pair, unsigned *ret_n,
                       Refusal *ret_refusal) {
        unsigned n = 0, n_iov = 0;

        io->n_trimmed = 0;
        while (n < PORT_BATCH && n_iov + RING_IOV_MAX <= PORT_IOV_MAX) {
                RingBuffer *buffer = &io->buffers[n];
                RingResult r = ring_take_avail(&pair->transmit, &device->memory, false,
                                               io->iov + n_iov, buffer, ret_refusal);

                if (r == RING_BROKEN)
                        return RAWNET_INVALID_ARGS;
                if (r == RING_EMPTY)
                        break;
                if (buffer->length < device->header_size)
                        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                                      "a frame shorter than its header");
                port_message(io, device, pair, buffer->iov, buffer->n_iov,
                             &io->messages[n].msg_hdr);
                n_iov += buffer->n_iov;
                n++;
        }
        *ret_n = n;
        return 0;
}

/* *ret_done: messages that were sent or dropped. An error concerns one frame and not the next: too
 * long for the link (EMSGSIZE), not a frame (EINVAL), dropped by the guard or no memory (ENOBUFS),
 * link down (ENETDOWN). sendmmsg() loses an error in the middle of a batch (sendmmsg(2), BUGS). The
 * next call begins with that frame and returns the error. */
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
                        if (rearm && !ring_enable_notify(ring))
                                continue;
                        pair->kicked = false;
                        return PORT_WAITS;
                }
                ring_disable_notify(ring);
                done = n;
                /* vhost-user: a back end "must process and discard any TX packets" of a disabled
                 * ring. */
                if (ring->enabled && send_frames(io, pair, n, &done, ret_refusal) != 0)
                        return PORT_BROKEN;
                for (unsigned i = 0; i < done; i++)
                        ring_add_used(ring, io->buffers[i].head, 0);
                ring_return_avail(ring, n - done);
                if (port_notify(ring, ret_refusal) != 0)
                        return PORT_BROKEN;
        }
        return pair->blocked ? PORT_WAITS : PORT_MORE;
}
