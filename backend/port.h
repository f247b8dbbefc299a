/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Frames between a pair's packet socket and the guest's buffers, many a system call. The kernel
 * copies between its own memory and the guest's; nothing is copied here but what does not fit a
 * buffer and what the guest cannot take as it is. This is what the two directions share.
 */

#include <linux/if_ether.h>
#include <sys/socket.h>

#include "backend/device.h"

#define PORT_BATCH 64u /* frames a call when sending */
#define PORT_RECEIVE_BATCH                                                                         \
        32u           /* and when receiving: each has private room for a frame of any length */
#define PORT_TURNS 4u /* batches before others have their turn */
#define PORT_DISCARD_MAX 4096u
/* One buffer may have RING_PIECES_MAX; the others of a batch share as many again. */
#define PORT_PIECES (2u * RING_PIECES_MAX)

/* The longest frame: an IP packet's 64 KiB (GSO) in Ethernet, behind the longer header; a multiple
 * of a cache line. */
#define PORT_FRAME_MAX (UINT16_MAX + (size_t)ETH_HLEN)
#define PORT_ROOM ((sizeof(struct virtio_net_hdr_mrg_rxbuf) + PORT_FRAME_MAX + 63) & ~(size_t)63)

typedef struct PortIo {
        struct mmsghdr messages[PORT_BATCH];
        RingBuffer buffers[PORT_BATCH];
        struct iovec pieces[PORT_PIECES +
                            PORT_BATCH]; /* of buffers; receiving puts one of ours behind each */
        struct iovec
                cut[PORT_PIECES + 2 * PORT_BATCH]; /* the same with the kernel's shorter header */
        unsigned n_cut;
        uint8_t room[PORT_RECEIVE_BATCH][PORT_ROOM]; /* pages that are never used are never there */
        uint8_t work[PORT_ROOM];
} PortIo;

/* Room for one batch each way. NULL without memory. */
PortIo *port_io_new(void);
void port_io_free(PortIo *io);

typedef enum PortResult {
        PORT_BROKEN = -1, /* ret_refusal says why: end the port */
        PORT_WAITS = 0,   /* nothing to do before an event: a kick, a frame, room in the socket */
        PORT_MORE = 1,    /* stopped only to give others their turn */
} PortResult;

/* Throws away what the sockets hold: what arrived before the guest was there is not for it. */
void port_discard(Device *device);
/* The socket has an error: 0 when it was a passing one, RAWNET_NO_SUCH_LEASE when the lease's
 * interface is gone. */
int port_check(const Pair *pair, Refusal *ret_refusal);
/* The message that goes to or from these pieces. */
void port_message(PortIo *io, const Device *device, const Pair *pair, struct iovec *pieces,
                  unsigned n, struct msghdr *ret);
/* A system call on the pair's socket failed with error (positive): 0 when that concerns this frame
 * alone. */
int port_failed(Pair *pair, int error, const char *what, Refusal *ret_refusal);
/* Publishes what was given back and signals the guest if it wants a signal. 0, or as
 * peer_event_signal(). */
int port_tell(Ring *ring, Refusal *ret_refusal);
