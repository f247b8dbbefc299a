/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/port.h"

#include <linux/if_packet.h>
#include <string.h>

#include "backend/peer-event.h"

PortIo *port_io_new(void) {
        return calloc(1, sizeof(PortIo));
}

void port_io_free(PortIo *io) {
        free(io);
}

int port_check(const Pair *pair, Refusal *ret_refusal) {
        struct sockaddr_ll address = {};
        socklen_t length = sizeof(address);

        /* -1 once the interface is unregistered (net/packet/af_packet.c, packet_notifier()). */
        if (getsockname(pair->socket, (struct sockaddr *)&address, &length) == 0 &&
            address.sll_family == AF_PACKET && address.sll_ifindex <= 0)
                return refuse(ret_refusal, RAWNET_NO_SUCH_LEASE,
                              "the lease has ended: its interface was deleted");
        return 0;
}

int port_failed(Pair *pair, int error, const char *what, Refusal *ret_refusal) {
        pair->down = error == ENETDOWN || error == ENXIO;
        if (error == EFAULT)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "%s: the front end took the guest's memory away", what);
        return port_check(pair, ret_refusal);
}

int port_notify(Ring *ring, Refusal *ret_refusal) {
        return ring_publish_used(ring) && ring->call_fd >= 0
                       ? peer_event_signal(ring->call_fd, ret_refusal)
                       : 0;
}

/* Copies iov to out without the bytes between `from` and `to`: at most one entry more. Returns the
 * number of entries. */
static unsigned trim(const struct iovec *iov, unsigned n, size_t from, size_t to,
                     struct iovec *out) {
        unsigned count = 0;
        size_t at = 0;

        for (unsigned i = 0; i < n; i++) {
                uint8_t *base = iov[i].iov_base;
                size_t length = iov[i].iov_len;
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

/* Without PACKET_VNET_HDR_SZ, the kernel's header is the first 10 of the guest's 12 bytes. */
void port_message(PortIo *io, const Device *device, const Pair *pair, struct iovec *iov, unsigned n,
                  struct msghdr *ret) {
        *ret = (struct msghdr){.msg_iov = iov, .msg_iovlen = n};
        if (pair->socket_header == device->header_size)
                return;
        ret->msg_iov = io->trimmed + io->n_trimmed;
        ret->msg_iovlen = trim(iov, n, pair->socket_header, device->header_size, ret->msg_iov);
        io->n_trimmed += (unsigned)ret->msg_iovlen;
}

void port_discard(Device *device) {
        uint8_t head[sizeof(struct virtio_net_hdr_mrg_rxbuf)];

        for (unsigned i = 0; i < device->n_pairs; i++) {
                /* Bounded: on a busy wire there is always another frame. */
                for (unsigned n = 0; n < PORT_DISCARD_MAX; n++)
                        if (recv(device->pairs[i].socket, head, sizeof(head),
                                 MSG_DONTWAIT | MSG_TRUNC) < 0 &&
                            errno == EAGAIN)
                                break;
                device->pairs[i].readable = true;
        }
}
