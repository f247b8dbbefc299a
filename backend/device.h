/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The back end's part of the guest's virtio-net device (virtio 1.2, section 5.1): features,
 * configuration, and for each queue pair two rings and a packet socket. The front end serves the
 * control queue.
 */

#include <linux/virtio_net.h>

#include "backend/memory.h"
#include "backend/ring.h"
#include "common/mac.h"
#include "common/names.h"

/* epoll_data.u32 of the loop's events. */
#define EVENT_FRONT_END UINT32_C(0)
#define EVENT_LISTEN UINT32_C(1)
#define EVENT_END UINT32_C(2)
#define EVENT_CONNECTOR UINT32_C(3)
#define EVENT_SOCKET UINT32_C(0x100) /* + pair */
#define EVENT_KICK UINT32_C(0x200)   /* + ring */

/* linux/virtio_net.h since Linux 6.2; virtio 1.3, 5.1.3. */
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO 56
#endif

typedef struct PortCount {
        uint64_t sent, send_dropped;
        uint64_t received, receive_dropped;
} PortCount;

typedef struct Pair {
        int socket;             /* owned; a packet socket with PACKET_VNET_HDR */
        unsigned socket_header; /* bytes before a frame there: 10, or 12 (PACKET_VNET_HDR_SZ) */
        Ring receive, transmit;

        /* State of the loop and of the port-*.c files. */
        bool readable;    /* the socket may have frames */
        bool starved;     /* the guest has no buffers for them: wait for its kick */
        bool kicked;      /* the transmit ring may have buffers */
        bool epollin_off; /* the epoll does not watch the socket for frames (loop.c) */
        bool blocked;     /* the socket is full: wait for EPOLLOUT */
        bool down;        /* a call found the interface down: it may be deleted soon */
        bool large;       /* most frames are longer than a buffer */
        unsigned expect;  /* frames that the next call may receive */
        unsigned small;   /* frames in a row that were not large */
        PortCount count;
} Pair;

typedef struct Device {
        Memory memory;
        Pair pairs[RAWNET_QUEUES_MAX];
        unsigned n_pairs;
        int epoll_fd; /* the loop's; -1 without a loop (tests) */

        uint64_t offered;           /* virtio features and VHOST_USER_F_PROTOCOL_FEATURES */
        uint64_t features;          /* negotiated */
        uint64_t protocol_features; /* negotiated */
        uint8_t status;             /* virtio 1.2, 2.1 */
        struct virtio_net_config config;
        unsigned header_size; /* of the guest's virtio_net_hdr: 12, or 10 for a legacy guest without
                                 MRG_RXBUF */
} Device;

/* Takes over the sockets. mac NULL, mtu 0: not reported to the guest. */
void device_init(Device *device, const int *sockets, unsigned n_sockets, const MacAddress *mac,
                 uint16_t mtu);
void device_done(Device *device);

bool device_has(const Device *device, unsigned feature);
/* The features that the guest chose. Refused: features that were not offered, and a change while a
 * ring runs. */
int device_set_features(Device *device, uint64_t features, Refusal *ret_refusal);

/* A ring by the front end's number: 2 i is the guest's receive ring, 2 i + 1 its transmit ring.
 * NULL for a number that is too high. */
Ring *device_ring(Device *device, uint32_t number);

/* fd is an eventfd, or -1 for none; anything else is refused. It is taken over, also on failure. A
 * kick descriptor starts the ring (vhost-user: "Starting and stopping rings"). */
int device_set_kick(Device *device, uint32_t number, int fd, Refusal *ret_refusal);
int device_set_call(Device *device, uint32_t number, int fd, Refusal *ret_refusal);
int device_set_error(Device *device, uint32_t number, int fd, Refusal *ret_refusal);
int device_enable(Device *device, uint32_t number, bool enable, Refusal *ret_refusal);
void device_stop_ring(Device *device, uint32_t number);
/* Maps all running rings again, after a change of the memory. */
int device_remap(Device *device, Refusal *ret_refusal);
/* Stops and disables all rings (RESET_DEVICE, status 0), but keeps what the front end has set: QEMU
 * up to 7.2 asks for their index afterwards, and sets the call descriptors only once
 * (vhost_virtqueue_init()). */
void device_stop_rings(Device *device);
/* The front end has disconnected: forgets everything that it has set. */
void device_reset(Device *device);

/* The receive ring for the frames of socket `pair`: that of the same pair, or the first one that
 * runs. The kernel spreads frames over all sockets, whether or not the guest uses as many queues.
 * NULL: no ring runs. */
Ring *device_receive_ring(Device *device, unsigned pair);
