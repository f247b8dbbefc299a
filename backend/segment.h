/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Frames for a guest that does not take what the kernel hands out: unfinished checksums are
 * finished, frames longer than the wire's (GSO) are cut into such as the wire would have carried.
 * Works on private memory only, never on the guest's, which it may change.
 */

#include <linux/virtio_net.h>

#include "common/util.h"

/* What the guest takes: virtio 1.2, 5.1.3, VIRTIO_NET_F_GUEST_*. */
typedef struct SegmentAccept {
        bool checksum, tcp4, tcp6, ecn, udp;
} SegmentAccept;

/* May a frame with this header be given to the guest as it is? */
bool segment_accepts(const SegmentAccept *accept, const struct virtio_net_hdr *header);

/* Gets each resulting frame, and the header for it; both are gone when it returns. */
typedef void (*SegmentSink)(void *context, const struct virtio_net_hdr *header,
                            const uint8_t *frame, size_t size);

/* Turns one frame that the guest does not accept into frames that it does. frame is changed; work
 * has size bytes. Returns 0, or -EINVAL where header and frame do not agree; nothing has gone to
 * sink then. */
int segment_frame(const SegmentAccept *accept, const struct virtio_net_hdr *header, uint8_t *frame,
                  size_t size, uint8_t *work, SegmentSink sink, void *context);

/* The Internet checksum (RFC 1071) of data, on top of sum; not folded to its complement. */
uint32_t segment_sum(const uint8_t *data, size_t size, uint32_t sum);
