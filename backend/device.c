/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/device.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "backend/peer-event.h"
#include "backend/message.h"

/* linux/if_packet.h since Linux 6.6; older kernels answer ENOPROTOOPT. */
#ifndef PACKET_VNET_HDR_SZ
#define PACKET_VNET_HDR_SZ 24
#endif

#define BIT(n) (UINT64_C(1) << (n))

#define HEADER_LEGACY ((unsigned)sizeof(struct virtio_net_hdr))
#define HEADER_FULL ((unsigned)sizeof(struct virtio_net_hdr_mrg_rxbuf))

/* Packet sockets support UDP segmentation since Linux 6.2 (virtio_net_hdr_from_skb()).
 * PACKET_VNET_HDR_SZ, since 6.6, shows that without a test frame. */
static bool socket_describes_udp(int socket) {
        int value;
        socklen_t size = sizeof(value);

        return getsockopt(socket, SOL_PACKET, PACKET_VNET_HDR_SZ, &value, &size) == 0;
}

/* Not offered: CTRL_VQ and its dependants (the front end's), UFO (no kernel segments it any more),
 * LOG_ALL (no live migration, since a lease belongs to one host). */
static uint64_t features_to_offer(const Device *device, const MacAddress *mac, uint16_t mtu) {
        uint64_t features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
                            BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_ANY_LAYOUT) |
                            BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
                            BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |
                            BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
                            BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) |
                            BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_STATUS) |
                            BIT(VHOST_USER_F_PROTOCOL_FEATURES);

        if (socket_describes_udp(device->pairs[0].socket))
                features |= BIT(VIRTIO_NET_F_HOST_USO) | BIT(VIRTIO_NET_F_GUEST_USO4) |
                            BIT(VIRTIO_NET_F_GUEST_USO6);
        if (mac)
                features |= BIT(VIRTIO_NET_F_MAC);
        if (mtu > 0)
                features |= BIT(VIRTIO_NET_F_MTU);
        if (device->n_pairs > 1)
                features |= BIT(VIRTIO_NET_F_MQ);
        return features;
}

void device_init(Device *device, const int *sockets, unsigned n_sockets, const MacAddress *mac,
                 uint16_t mtu) {
        assert(n_sockets >= 1 && n_sockets <= RAWNET_QUEUES_MAX);
        *device = (Device){.epoll_fd = -1, .n_pairs = n_sockets, .header_size = HEADER_LEGACY};
        for (unsigned i = 0; i < n_sockets; i++) {
                device->pairs[i] =
                        (Pair){.socket = sockets[i], .socket_header = HEADER_LEGACY, .expect = 1};
                ring_init(&device->pairs[i].receive);
                ring_init(&device->pairs[i].transmit);
        }
        device->offered = features_to_offer(device, mac, mtu);
        if (mac)
                memcpy(device->config.mac, mac->octet, sizeof(mac->octet));
        device->config.status = htole16(VIRTIO_NET_S_LINK_UP);
        device->config.max_virtqueue_pairs = htole16((uint16_t)n_sockets);
        device->config.mtu = htole16(mtu);
}

void device_done(Device *device) {
        device_reset(device);
        for (unsigned i = 0; i < device->n_pairs; i++)
                device->pairs[i].socket = safe_close(device->pairs[i].socket);
}

bool device_has(const Device *device, unsigned feature) {
        return device->features & BIT(feature);
}

static bool is_running(const Device *device) {
        for (unsigned i = 0; i < device->n_pairs; i++)
                if (device->pairs[i].receive.started || device->pairs[i].transmit.started)
                        return true;
        return false;
}

/* The kernel reads and writes the guest's whole header, or its first 10 bytes where it does not
 * support more. Then port.c leaves out the rest. */
static void choose_header(Device *device) {
        device->header_size =
                device_has(device, VIRTIO_F_VERSION_1) || device_has(device, VIRTIO_NET_F_MRG_RXBUF)
                        ? HEADER_FULL
                        : HEADER_LEGACY;
        for (unsigned i = 0; i < device->n_pairs; i++) {
                Pair *pair = &device->pairs[i];
                int size = (int)device->header_size;

                /* Without the C library: on i386 its setsockopt() is socketcall(), whose arguments
                 * the sandbox cannot check. */
                if (pair->socket_header != device->header_size &&
                    syscall(SYS_setsockopt, pair->socket, SOL_PACKET, PACKET_VNET_HDR_SZ, &size,
                            sizeof(size)) == 0)
                        pair->socket_header = device->header_size;
        }
}

int device_set_features(Device *device, uint64_t features, Refusal *ret_refusal) {
        if (features & ~device->offered)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "features %#" PRIx64 " were set but not offered",
                              features & ~device->offered);
        if (features != device->features && is_running(device))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "features were changed while rings run");
        device->features = features;
        choose_header(device);
        return 0;
}

Ring *device_ring(Device *device, uint32_t number) {
        if (number >= 2 * device->n_pairs)
                return NULL;
        return number % 2 == 0 ? &device->pairs[number / 2].receive
                               : &device->pairs[number / 2].transmit;
}

/* After a start or a change of a ring: the loop tries every ring and socket again. */
static void wake_all(Device *device) {
        for (unsigned i = 0; i < device->n_pairs; i++) {
                device->pairs[i].readable = true;
                device->pairs[i].starved = false;
                device->pairs[i].kicked = true;
        }
}

static int start_ring(Device *device, Ring *ring, Refusal *ret_refusal) {
        int r = ring_map(ring, &device->memory, ret_refusal);

        if (r != 0)
                return r;
        ring->event_idx = device_has(device, VIRTIO_RING_F_EVENT_IDX);
        ring->indirect = device_has(device, VIRTIO_RING_F_INDIRECT_DESC);
        ring_start(ring);
        /* Without the protocol features, no message enables a ring: it is enabled at its start. */
        if (!device_has(device, VHOST_USER_F_PROTOCOL_FEATURES))
                ring->enabled = true;
        wake_all(device);
        return 0;
}

static int watch_kick(Device *device, uint32_t number, int fd, Refusal *ret_refusal) {
        /* Edge-triggered: every kick is an event, and no kick has to be read. */
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = EVENT_KICK + number};

        if (device->epoll_fd >= 0 && epoll_ctl(device->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                return refuse_errno(ret_refusal, errno, "waiting for ring %" PRIu32 "'s kicks",
                                    number);
        return 0;
}

/* The front end has the same file open, so close() alone would not remove it from the epoll
 * (epoll(7), Q6). */
static void forget_kick(Device *device, Ring *ring) {
        if (ring->kick_fd >= 0 && device->epoll_fd >= 0)
                epoll_ctl(device->epoll_fd, EPOLL_CTL_DEL, ring->kick_fd, NULL);
        ring->kick_fd = safe_close(ring->kick_fd);
}

int device_set_kick(Device *device, uint32_t number, int fd, Refusal *ret_refusal) {
        _cleanup_close_ int mine = fd;
        Ring *ring = device_ring(device, number);
        int r;

        assert(ring);
        if (mine >= 0) {
                r = peer_event_check(mine, "kick", number, ret_refusal);
                if (r == 0)
                        r = watch_kick(device, number, mine, ret_refusal);
                if (r != 0)
                        return r;
        }
        forget_kick(device, ring);
        ring->kick_fd = TAKE_FD(mine);
        /* A kick of the old descriptor may be lost. */
        wake_all(device);
        if (ring->started)
                return 0;
        return start_ring(device, ring, ret_refusal);
}

/* Replaces *slot by fd, which must be an eventfd or -1. A refusal leaves -1. */
static int replace_event(int *slot, int fd, const char *what, uint32_t number,
                         Refusal *ret_refusal) {
        _cleanup_close_ int mine = fd;
        int r = fd >= 0 ? peer_event_check(fd, what, number, ret_refusal) : 0;

        *slot = safe_close(*slot);
        if (r == 0)
                *slot = TAKE_FD(mine);
        return r;
}

int device_set_call(Device *device, uint32_t number, int fd, Refusal *ret_refusal) {
        Ring *ring = device_ring(device, number);
        int r;

        assert(ring);
        r = replace_event(&ring->call_fd, fd, "call", number, ret_refusal);
        /* The old descriptor may not have notified the guest. */
        if (r == 0 && ring->started && ring->call_fd >= 0)
                r = peer_event_signal(ring->call_fd, ret_refusal);
        return r;
}

int device_set_error(Device *device, uint32_t number, int fd, Refusal *ret_refusal) {
        Ring *ring = device_ring(device, number);

        assert(ring);
        return replace_event(&ring->error_fd, fd, "error", number, ret_refusal);
}

int device_enable(Device *device, uint32_t number, bool enable, Refusal *ret_refusal) {
        Ring *ring = device_ring(device, number);

        assert(ring);
        ring->enabled = enable;
        wake_all(device);
        return 0;
}

void device_stop_ring(Device *device, uint32_t number) {
        Ring *ring = device_ring(device, number);

        assert(ring);
        forget_kick(device, ring);
        ring_stop(ring);
}

int device_remap(Device *device, Refusal *ret_refusal) {
        for (uint32_t i = 0; i < 2 * device->n_pairs; i++) {
                Ring *ring = device_ring(device, i);
                int r = ring->started ? ring_map(ring, &device->memory, ret_refusal) : 0;

                if (r != 0)
                        return r;
        }
        wake_all(device);
        return 0;
}

void device_stop_rings(Device *device) {
        for (uint32_t i = 0; i < 2 * device->n_pairs; i++) {
                device_stop_ring(device, i);
                device_ring(device, i)->enabled = false;
        }
}

void device_reset(Device *device) {
        device_stop_rings(device);
        for (uint32_t i = 0; i < 2 * device->n_pairs; i++)
                ring_done(device_ring(device, i));
        memory_clear(&device->memory);
        device->features = device->protocol_features = 0;
        device->status = 0;
}

Ring *device_receive_ring(Device *device, unsigned pair) {
        Ring *ring = &device->pairs[pair].receive;

        for (unsigned i = 0; !(ring->started && ring->enabled); i++) {
                if (i == device->n_pairs)
                        return NULL;
                ring = &device->pairs[i].receive;
        }
        return ring;
}
