/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Offloads of a link of this process's network namespace: what the link leaves to the receiver of
 * its frames, checksums and segmentation, as ethtool -K shows them (ioctl SIOCETHTOOL; needs
 * CAP_NET_ADMIN in the namespace). The kernel completes or segments a frame that needs an offload
 * that is off before the link transmits it.
 *
 * Both return 0, RAWNET_KERNEL_REFUSED with kernel_errno, RAWNET_NOT_SUPPORTED, or -errno.
 */

#include "common/refusal.h"

/* Turns transmit checksumming and segmentation off: the link transmits frames as on a wire. */
int offload_off(const char *link, Refusal *ret_refusal);

/* Turns off what a struct virtio_net_hdr cannot describe to the reader of a packet socket
 * (virtio 1.2, 5.1.6; the kernel's virtio_net_hdr_from_skb()): tunnels, SCTP, ESP, fragment lists.
 * TCP segmentation and Internet checksums stay on. udp: UDP segmentation
 * (VIRTIO_NET_HDR_GSO_UDP_L4) stays on as well; packet sockets describe it since Linux 6.2. */
int offload_describable(const char *link, bool udp, Refusal *ret_refusal);
