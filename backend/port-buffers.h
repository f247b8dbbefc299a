/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the two directions of port-io share; nobody else needs it.
 */

#include <linux/if_ether.h>
#include <sys/socket.h>

#include "backend/port-io.h"

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

struct PortIo {
        struct mmsghdr messages[PORT_BATCH];
        RingBuffer buffers[PORT_BATCH];
        struct iovec pieces[PORT_PIECES +
                            PORT_BATCH]; /* of buffers; receiving puts one of ours behind each */
        struct iovec
                cut[PORT_PIECES + 2 * PORT_BATCH]; /* the same with the kernel's shorter header */
        unsigned n_cut;
        uint8_t room[PORT_RECEIVE_BATCH][PORT_ROOM]; /* pages that are never used are never there */
        uint8_t work[PORT_ROOM];
};

/* The message that goes to or from these pieces. */
void port_message(PortIo *io, const Device *device, const Pair *pair, struct iovec *pieces,
                  unsigned n, struct msghdr *ret);
/* A system call on the pair's socket failed with error (positive): 0 when that concerns this frame
 * alone. */
int port_failed(Pair *pair, int error, const char *what, Refusal *ret_refusal);
/* Publishes what was given back and signals the guest if it wants a signal. 0, or as
 * peer_event_signal(). */
int port_tell(Ring *ring, Refusal *ret_refusal);
