/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The virtio-net device that the guest sees (virtio 1.2, section 5.1), as far as it is the back
 * end's: features, configuration, and for each queue pair two rings and a packet socket. The
 * control queue is the front end's.
 */

#include <linux/virtio_net.h>

#include "backend/memory.h"
#include "backend/ring.h"
#include "common/mac.h"
#include "common/names.h"

/* What the loop's events are about: epoll_data.u32. */
#define EVENT_FRONT_END UINT32_C(0)
#define EVENT_LISTEN UINT32_C(1)
#define EVENT_END UINT32_C(2)
#define EVENT_CONNECTOR UINT32_C(3)
#define EVENT_SOCKET UINT32_C(0x100) /* + pair */
#define EVENT_KICK UINT32_C(0x200)   /* + ring */

/* What happened, for a person: shown when the port ends. */
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
        int socket; /* ours; a packet socket with PACKET_VNET_HDR */
        unsigned
                socket_header; /* bytes in front of a frame there: 10, or 12 (PACKET_VNET_HDR_SZ) */
        Ring receive, transmit;

        /* What the loop knows (port.c). */
        bool readable;   /* the socket may have frames */
        bool starved;    /* the guest has no buffers for them: wait for its kick */
        bool kicked;     /* the transmit ring may have buffers */
        bool deaf;       /* meanwhile the loop does not listen to the socket (loop.c) */
        bool blocked;    /* the socket took no more: wait for EPOLLOUT */
        bool down;       /* a call said that the interface is down: it may be gone soon */
        bool large;      /* frames longer than a buffer prevail */
        unsigned expect; /* frames that the next call may bring */
        unsigned small;  /* frames in a row that were not large */
        PortCount count;
} Pair;

typedef struct Device {
        Memory memory;
        Pair pairs[RAWNET_QUEUES_MAX];
        unsigned n_pairs;
        int epoll_fd; /* the loop's; -1 where there is none (tests) */

        uint64_t offered;           /* virtio features and VHOST_USER_F_PROTOCOL_FEATURES */
        uint64_t features;          /* negotiated */
        uint64_t protocol_features; /* negotiated */
        uint8_t status;             /* virtio 1.2, 2.1 */
        struct virtio_net_config config;
        unsigned header_size; /* of the guest's virtio_net_hdr: 12, or 10 for a legacy guest without
                                 MRG_RXBUF */
} Device;

/* sockets are taken over. mac may be NULL, mtu 0: not said to the guest. */
void device_init(Device *device, const int *sockets, unsigned n_sockets, const MacAddress *mac,
                 uint16_t mtu);
void device_done(Device *device);

bool device_has(const Device *device, unsigned feature);
/* The guest's choice. Refused: what was not offered, and a change while a ring runs. */
int device_set_features(Device *device, uint64_t features, Refusal *ret_refusal);

/* A ring by the front end's number: 2 i receives (for the guest), 2 i + 1 transmits. NULL: there is
 * none. */
Ring *device_ring(Device *device, uint32_t number);
bool device_is_running(const Device *device);

/* fd -1: without. Anything but an eventfd is refused. The descriptor is taken over, also on
 * failure. A kick descriptor starts the ring (vhost-user: "Starting and stopping rings"). */
int device_set_kick(Device *device, uint32_t number, int fd, Refusal *ret_refusal);
int device_set_call(Device *device, uint32_t number, int fd, Refusal *ret_refusal);
int device_set_error(Device *device, uint32_t number, int fd, Refusal *ret_refusal);
int device_enable(Device *device, uint32_t number, bool enable, Refusal *ret_refusal);
void device_stop_ring(Device *device, uint32_t number);
/* Finds the tables of all running rings again, after a change of the memory. */
int device_remap(Device *device, Refusal *ret_refusal);
/* Rings stopped and disabled (RESET_DEVICE, status 0). What the front end said of them stays: QEMU
 * up to 7.2 asks for their index afterwards, and says the descriptors that tell the guest once only
 * (vhost_virtqueue_init()). */
void device_stop_rings(Device *device);
/* The front end is gone: everything that it said is forgotten. */
void device_reset(Device *device);

/* The receive ring that gets socket `pair`'s frames: the guest's own, or, since the kernel spreads
 * frames over all sockets whether or not the guest uses as many queues, the first that runs. NULL:
 * no ring runs. */
Ring *device_receive_ring(Device *device, unsigned pair);
