/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a guard is asked for: between which links it stands, and what it lets pass.
 *
 *   GUARD_TAP           uplink ⇄ port
 *   GUARD_TAP_CHECKED   kernels with the checksum trick: uplink → port,
 *                       port → check (fwd) ═ veth ═ guard → uplink
 *   GUARD_PACKET        uplink → inner ═ veth ═ port (sockets), port ═ inner → uplink; an egress
 *                       gate on the uplink lets marked frames out only. What arrives at the port
 *                       itself was already seen by the sockets and is dropped before the IP stack.
 *                       The shortcut, where no checksum is completed on the way: a frame that the
 *                       guard would let out, and no longer than the MTU allows, leaves at the
 *                       port's own exit (egress) for the uplink. All others cross the veth.
 *   narrow              for both tap shapes: the port's MTU is smaller than the wire's. Then
 *                       uplink → inner ═ veth ═ check → port: veth drops what is longer than its
 *                       MTU, but for GSO frames (include/linux/netdevice.h, __is_skb_forwardable())
 */

#include "common/mac.h"

typedef enum GuardShape {
        GUARD_TAP,
        GUARD_TAP_CHECKED,
        GUARD_PACKET
} GuardShape;

typedef struct GuardLink {
        const char *name;
        uint32_t index;
} GuardLink;

typedef struct Guard {
        GuardShape shape;
        GuardLink uplink;
        GuardLink port;
        GuardLink inner;   /* GUARD_PACKET: the port's veth peer. GUARD_TAP_CHECKED: the end where
                              checked frames come out, and with narrow the wire's go in */
        GuardLink check;   /* GUARD_TAP_CHECKED: the end with tx offload off where the port's frames
                              go in */
        uint32_t shortcut; /* GUARD_PACKET: the longest frame that may take it, in bytes; 0: there
                              is none */
        bool narrow;       /* tap shapes: frames from the wire cross the veth, see above */
        bool anti_spoof;
        bool pass_control;
        bool allow_dhcp, allow_ra; /* GuestServers= */
        bool drop_own;  /* what the wire reflects of the guest's own frames does not come in */
        bool learning;  /* nothing passes yet, either way (tap shapes only): all rules are left out,
                           the chains drop */
        MacAddress mac; /* zero while learning */
} Guard;
