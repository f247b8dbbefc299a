/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a guard is asked for: at which hooks its programs are, and what it lets pass. A program
 * sends a frame on by a redirect (→), or drops it; no frame goes on to the namespace's IP stack.
 *
 *   GUARD_TAP           uplink, ingress   from_wire   → port
 *                       port, ingress     from_guest  → uplink
 *   GUARD_TAP_CHECKED   (check ═ inner is a veth pair, in which the kernel completes the frame: on
 *                       kernels with the checksum trick, and with any of which from_guest asks it)
 *                       uplink, ingress   from_wire   → port
 *                       port, ingress     to_check    → check; without the trick from_guest
 *                                                     → uplink, or check
 *                       inner, ingress    from_guest  → uplink
 *   GUARD_PACKET        (port ═ inner is a veth pair; the sockets are on the port)
 *                       uplink, ingress   from_wire   → inner, or the port's own ingress
 *                       port, egress      from_guest  → uplink; not with the checksum trick
 *                       inner, ingress    from_guest  → uplink: what skipped tc by
 *                                                     PACKET_QDISC_BYPASS; with the trick all;
 *                                                     and what had to be completed first
 *                       port, ingress     dead_end    what the sockets have seen already
 *                       uplink, egress    gate        nftables: drops all. A frame that tc has
 *                                                     redirected to the uplink skips it; what a
 *                                                     holder sends there himself does not.
 */

#include "common/address.h"
#include "common/mac.h"

typedef enum GuardShape {
        GUARD_TAP,
        GUARD_TAP_CHECKED,
        GUARD_PACKET
} GuardShape;

typedef struct GuardLink {
        const char *name;
        uint32_t index; /* 0: this shape has none */
} GuardLink;

typedef struct Guard {
        GuardShape shape;
        uint32_t id; /* of the lease, and of its entry */
        GuardLink uplink;
        GuardLink port;
        GuardLink inner;
        GuardLink check;
        bool checksum_trick; /* all frames are completed first; else those of which the guard asks it */
        bool blind;          /* the kernel does not tell the place of a checksum: GUARD_COMPLETE */
        bool container;      /* the port's other end is somebody else's: GUARD_CONTAINER */
        uint32_t mtu;        /* of the port: longer frames do not get in */
        bool vnet_hdr;
        bool limited; /* what goes to the guest has to pass a queue (shaper.h) */
        bool anti_spoof;
        bool pass_control;
        bool allow_dhcp, allow_ra; /* GuestServers= */
        bool drop_own;  /* what the wire reflects of the guest's own frames does not come in */
        bool learning;  /* nothing passes yet, either way (tap shapes only) */
        MacAddress mac; /* zero while learning */
        bool locked;    /* the guest sends from these addresses, and its link-local one */
        AddressList addresses;
} Guard;
