/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/port-tx.h"

#include <string.h>
#include <sys/socket.h>

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
