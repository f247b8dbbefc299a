/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Software GSO and checksums, for a guest that has not negotiated the offloads. Completes
 * unfinished checksums, and segments GSO frames into frames of the wire's length. It works on
 * private memory only, never on the guest's memory, since the guest may change its memory
 * meanwhile.
 */

#include <linux/virtio_net.h>

#include "common/util.h"

/* The offloads that the guest negotiated: virtio 1.2, 5.1.3, VIRTIO_NET_F_GUEST_*. */
typedef struct GsoAccept {
        bool checksum, tcp4, tcp6, ecn, udp;
} GsoAccept;

/* Whether the guest takes a frame with this header unchanged. */
bool gso_accepts(const GsoAccept *accept, const struct virtio_net_hdr *header);

/* Receives each resulting frame and its header. Both are valid until it returns. */
typedef void (*GsoSink)(void *context, const struct virtio_net_hdr *header, const uint8_t *frame,
                        size_t size);

/* Converts one frame that the guest does not accept into frames that it accepts. frame is changed;
 * scratch has size bytes. Returns 0, or -EINVAL where header and frame disagree. Then sink was not
 * called. */
int gso_segment(const GsoAccept *accept, const struct virtio_net_hdr *header, uint8_t *frame,
                size_t size, uint8_t *scratch, GsoSink sink, void *context);
