/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the helper and the guard's programs (guard.bpf.c) share: the numbers of a lease's links, a
 * lease's entry, and the maps. Included by both compilers, so it must never include anything but
 * <stdint.h>. A change of a struct or of GUARD_LEASES changes GUARD_LAYOUT, because maps outlive
 * the helper that made them.
 *
 * Numbers. A lease's id is 0x7fff0000 to 0x7fffffff (common/names.h), and the ifindex of its port
 * *is* the id. Its other links have the same lower half and an upper half of their own. So each
 * program finds its lease, and the lease's other links, by arithmetic on skb->ifindex.
 *
 * Programs (tc, direct action), and where the helper attaches each:
 *
 *   from_guest  tap: ingress of the port, or, with the checksum trick, of inner; of both with
 *               GUARD_COMPLETE or GUARD_CONTAINER.
 *               packet: ingress of inner and, without the trick, egress of the port.
 *               Redirects to the egress of the uplink. With GUARD_COMPLETE, what it cannot judge
 *               at the port goes to inner.
 *   from_wire   ingress of the uplink. Redirects as the entry says.
 *   to_check    tap with the trick: ingress of the port. Redirects to the egress of check, whose
 *               other end is inner, where from_guest judges the completed frame.
 *   dead_end    packet: ingress of the port, behind the sockets. Drops everything.
 *
 * Maps:
 *
 *   guard_entries   An array of the program's .bss section: GuardEntry guard_entries[GUARD_LEASES],
 *                   by the id's lower half. The helper maps it into memory (libbpf's skeleton:
 *                   skel->bss) and writes it without a system call and without CAP_BPF. The
 *                   programs reach an entry by address: looked up in a map of its own, the key on
 *                   the stack costs a speculation barrier a frame where programs are loaded
 *                   without CAP_PERFMON.
 *   guard_counters  hash, id → GuardCounters; an element is made by the lease's first drop.
 *   guard_locks     hash, id → GuardLock; an element for each lease with GUARD_LOCKED, made before
 *                   the entry is active.
 *   guard_events    ring buffer of GuardEvent: the first drop of a lease and reason, of what its
 *                   guest sends. A full buffer loses events and never blocks.
 */

#include <stdint.h>

#define GUARD_LAYOUT 2u

#define GUARD_LEASES 65536u
/* A multiple of every page size that Linux has (ring buffers are made of whole pages). */
#define GUARD_EVENTS_SIZE 65536u

/* ifindex = one of these | the lower half of the id. */
#define GUARD_PORT UINT32_C(0x7fff0000)
#define GUARD_UPLINK UINT32_C(0x7ffe0000)
#define GUARD_INNER UINT32_C(0x7ffd0000)
#define GUARD_CHECK UINT32_C(0x7ffc0000)
#define GUARD_NUMBER(index) ((uint32_t)(index)&UINT32_C(0xffff))

/* GuardEntry.flags */
#define GUARD_ANTI_SPOOF UINT32_C(0x1)   /* the guest sends with the entry's MAC address only */
#define GUARD_PASS_CONTROL UINT32_C(0x2) /* it may send link-local control frames */
#define GUARD_ALLOW_DHCP UINT32_C(0x4)   /* it may send messages of DHCP and DHCPv6 servers */
#define GUARD_ALLOW_RA UINT32_C(0x8)     /* it may send router advertisements and redirects */
#define GUARD_DROP_OWN UINT32_C(0x10)    /* what the wire reflects of its frames does not come in */
/* A checksum that has to be judged is completed first: the frame goes through a veth, whose other
 * end is inner. */
#define GUARD_COMPLETE UINT32_C(0x20)
/* That veth is the port itself; else it is check. */
#define GUARD_PACKET_PORT UINT32_C(0x80)

/* veth: a kernel that somebody else configures has made the frame. What it has left to be completed
 * or cut into pieces in another way than is plain to see is completed first, as above. With
 * GUARD_COMPLETE, that is whatever it has left. */
#define GUARD_CONTAINER UINT32_C(0x40)

/* AddressLock=, or the caller's addresses: the guest sends from the addresses of its GuardLock, and
 * from the link-local address that its MAC address makes. Without a GuardLock no frame passes. */
#define GUARD_LOCKED UINT32_C(0x100)

/*
 * A lease. All zero is a lease of which no frame passes, either way, and none is counted: one that
 * is not there, or that has not learned its address. `longest` and `ordinary` are written last and
 * erased first, since they alone make an entry active.
 */
typedef struct GuardEntry {
        uint8_t mac[8];    /* the last two are 0, so that source and EtherType are one compare */
        uint32_t longest;  /* the longest frame without segmentation, in bytes: MTU and Ethernet
                              header (14); 0: nothing passes */
        uint32_t flags;    /* GUARD_… above */
        uint32_t to_index; /* where frames from the wire go: port, or inner for wire frames */
        uint32_t to_flags; /* and how: 0 sends them there (tap, wire frames); BPF_F_INGRESS receives
                              them there (packet port with virtio_net_hdr), and frames which that
                              header cannot describe are sent to inner */
        uint32_t ordinary; /* the longest frame without segmentation that the guest may send without
                              a closer look: as `longest`; 0 with GUARD_LOCKED */
        uint32_t spare;    /* 0 */
} GuardEntry;

/* One address of a lock, or a network of them: those whose bits under `mask` are `value`. Bytes are
 * as on the wire. IPv4 has the first four. All zero: none. */
typedef struct GuardAddress {
        uint64_t value[2], mask[2];
        uint32_t type; /* EtherType, in network byte order */
        uint32_t zero;
} GuardAddress;

#define GUARD_ADDRESSES 16u

typedef struct GuardLock {
        GuardAddress address[GUARD_ADDRESSES];
        /* The last source that was not one of them: written by the guard, without a lock. */
        uint8_t last[16];
        uint32_t last_type; /* EtherType, in network byte order; 0: there was none */
        uint32_t zero;
} GuardLock;

/* Why a frame was dropped. Numbers are kept: counters outlive programs. */
typedef enum GuardReason {
        /* sent by the guest */
        GUARD_SPOOFED_SOURCE = 0,
        GUARD_VLAN_TAG = 1,
        GUARD_CONTROL_FRAME = 2,
        GUARD_SERVER = 3,     /* a message that only a server or a router sends */
        GUARD_NOT_JUDGED = 4, /* it could hide such a message */
        GUARD_TOO_LONG = 5,
        /* sent to the guest */
        GUARD_WIRE_VLAN_TAG = 6,
        GUARD_WIRE_OWN_SOURCE = 7,
        GUARD_WIRE_TOO_LONG = 8,
        /* sent by the guest */
        GUARD_FOREIGN_ADDRESS = 9, /* it names an address that is not the lease's own */
        GUARD_REASONS
} GuardReason;

#define GUARD_REASONS_MAX 16u /* so that a new reason does not change the layout */

typedef struct GuardCounters {
        uint64_t frames[GUARD_REASONS_MAX];
} GuardCounters;

typedef struct GuardEvent {
        uint32_t id;
        uint32_t reason;
        uint8_t source[6]; /* the frame's source address */
        uint8_t zero[2];
} GuardEvent;
