/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The port: the interface whose other side is a file descriptor. Made by the child inside the
 * lease's namespace.
 */

#include "helper/kernel/link.h"

/* Frames that a tap holds for a reader that does not read, each up to 64 KiB of kernel memory that
 * is charged to nobody: so many are shared out over its queues, but with fewer in a queue than the
 * second number a busy reader loses frames of each burst. */
#define PORT_TAP_FRAMES 512u
#define PORT_QUEUE_FRAMES_MIN 128u

#define PORT_FILTER_LIMIT "/proc/sys/net/core/optmem_max"

/* Bounds what a socket of this namespace, a tap among them, may allocate beside its frames
 * (net.core.optmem_max). A classic filter that the holder attaches to the tap (TUNATTACHFILTER)
 * counts there: this leaves it about 100 instructions, run for each frame that the guest gets.
 * Kernels before 6.7 have one value for the whole host, which is left alone: they lack
 * IPC_FEATURE_FILTER_LIMIT. */
void port_limit_filters(void);

/* A tap with that ifindex: queues (1..RAWNET_QUEUES_MAX) descriptors into fds, which are then the
 * caller's. IFF_TAP | IFF_NO_PI | IFF_VNET_HDR. Down, no address. 0, RAWNET_NOT_SUPPORTED (no
 * /dev/net/tun), RAWNET_KERNEL_REFUSED, or -errno. */
int port_open_tap(const char *name, uint32_t index, unsigned queues, int *fds,
                  Refusal *ret_refusal);

/* Frames that each of a tap's queues may hold unread. */
unsigned port_queue_length(unsigned queues);

/* count sockets AF_PACKET SOCK_RAW on the link `index`, which must be up. Each has, before it can
 * receive: the locked filter (frames that arrive at this very link, untagged), virtio_net_hdr if
 * vnet_hdr, and with count > 1 one fanout group by flow hash. As above. */
int port_open_packet(uint32_t index, bool vnet_hdr, unsigned count, int *fds, Refusal *ret_refusal);

/* A packet socket of the helper's own on the link `index`, without a filter; reads and writes do not
 * wait. 0 or -errno. */
int port_open_bare(uint32_t index, bool vnet_hdr, int *ret);

/* Does the kernel describe UDP segmentation to this packet socket's reader? Linux does since 6.2;
 * seen by PACKET_VNET_HDR_SZ, which came with 6.6. Between the two the answer is no, which costs
 * speed only. */
bool port_describes_udp(int fd);

/* count descriptors of /dev/vhost-net. RAWNET_NOT_SUPPORTED where there is none. */
int port_open_vhost(unsigned count, int *fds, Refusal *ret_refusal);
