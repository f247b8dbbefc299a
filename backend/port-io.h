/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Frames between a pair's packet socket and the guest's buffers, many a system call. The kernel
 * copies between its own memory and the guest's; nothing is copied here but what does not fit a
 * buffer and what the guest cannot take as it is.
 */

#include "backend/device.h"

typedef struct PortIo PortIo;

/* Room for one batch each way. NULL without memory. */
PortIo *port_io_new(void);
void port_io_free(PortIo *io);

typedef enum PortResult {
        PORT_BROKEN = -1, /* ret_refusal says why: end the port */
        PORT_WAITS = 0,   /* nothing to do before an event: a kick, a frame, room in the socket */
        PORT_MORE = 1,    /* stopped only to give others their turn */
} PortResult;

/* Some batches from the guest's transmit ring. rearm: when the ring is empty have the guest kick.
 */
PortResult port_transmit(PortIo *io, Device *device, unsigned pair, bool rearm,
                         Refusal *ret_refusal);
/* Some batches from the pair's socket into the receive ring that is there for it. rearm: when that
 * has no buffers have the guest kick. */
PortResult port_receive(PortIo *io, Device *device, unsigned pair, bool rearm,
                        Refusal *ret_refusal);

/* Throws away what the sockets hold: what arrived before the guest was there is not for it. */
void port_discard(Device *device);
/* The socket has an error: 0 when it was a passing one, RAWNET_NO_SUCH_LEASE when the lease's
 * interface is gone. */
int port_check(const Pair *pair, Refusal *ret_refusal);
