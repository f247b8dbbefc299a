/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Frames between a pair's packet socket and the guest's buffers, many in one system call. The
 * kernel copies between its own memory and the guest's. The back end itself copies only frames that
 * do not fit a buffer, and frames that the guest cannot take unchanged. port-rx.c and port-tx.c
 * share this file.
 */

#include <linux/if_ether.h>
#include <sys/socket.h>

#include "backend/device.h"

#define PORT_BATCH 64u         /* frames in one sendmmsg() */
#define PORT_RECEIVE_BATCH 32u /* frames in one recvmmsg(): each has a bounce buffer */
#define PORT_TURNS 4u          /* batches in one call of port_transmit() or port_receive() */
#define PORT_DISCARD_MAX 4096u
/* One buffer may have RING_IOV_MAX; the others of a batch share as many again. */
#define PORT_IOV_MAX (2u * RING_IOV_MAX)

/* The longest frame: 64 KiB of IP packet (GSO), the Ethernet header, and the longer virtio_net_hdr,
 * rounded up to a cache line. */
#define PORT_FRAME_MAX (UINT16_MAX + (size_t)ETH_HLEN)
#define PORT_BOUNCE_SIZE                                                                           \
        ((sizeof(struct virtio_net_hdr_mrg_rxbuf) + PORT_FRAME_MAX + 63) & ~(size_t)63)

typedef struct PortIo {
        struct mmsghdr messages[PORT_BATCH];
        RingBuffer buffers[PORT_BATCH];
        /* Of the buffers; when receiving, a bounce buffer follows each. */
        struct iovec iov[PORT_IOV_MAX + PORT_BATCH];
        /* The same for the kernel's shorter header. */
        struct iovec trimmed[PORT_IOV_MAX + 2 * PORT_BATCH];
        unsigned n_trimmed;
        /* The kernel allocates only the pages that are used. */
        uint8_t bounce[PORT_RECEIVE_BATCH][PORT_BOUNCE_SIZE];
        uint8_t scratch[PORT_BOUNCE_SIZE];
} PortIo;

/* Memory for one batch in each direction. NULL: out of memory. */
PortIo *port_io_new(void);
void port_io_free(PortIo *io);

typedef enum PortResult {
        PORT_BROKEN = -1, /* reason in ret_refusal: end the port */
        PORT_WAITS = 0,   /* waits for an event: a kick, a frame, EPOLLOUT */
        PORT_MORE = 1,    /* PORT_TURNS batches were done, and there may be more */
} PortResult;

/* Discards the frames in the sockets: they arrived before the guest was connected. */
void port_discard(Device *device);
/* After an error of the socket. 0: a temporary one. RAWNET_NO_SUCH_LEASE: the lease's interface was
 * deleted. */
int port_check(const Pair *pair, Refusal *ret_refusal);
/* Prepares the message that is sent from, or received into, iov. */
void port_message(PortIo *io, const Device *device, const Pair *pair, struct iovec *iov, unsigned n,
                  struct msghdr *ret);
/* A system call on the pair's socket failed with error (positive). 0: only this frame failed. */
int port_failed(Pair *pair, int error, const char *what, Refusal *ret_refusal);
/* Publishes the used buffers, and notifies the guest if it wants that. 0, or as
 * peer_event_signal(). */
int port_notify(Ring *ring, Refusal *ret_refusal);
