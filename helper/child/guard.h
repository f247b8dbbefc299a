/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guard: the nftables netdev chains of a lease's namespace, between the wire (uplink) and
 * whoever holds the fd (port). Called by the child inside that namespace, before anything there is
 * up. It owns table "rawnet" of family netdev there, all of it in one transaction, so there is
 * never half a guard. Policy of every chain is drop.
 *
 *   GUARD_TAP          uplink ⇄ port
 *   GUARD_TAP_CHECKED  uplink → port, port → check (fwd) ═ veth ═ guard → uplink      (kernels with
 * the checksum trick) GUARD_PACKET       uplink → inner ═ veth ═ port(sockets), port ═ inner →
 * uplink; egress gate on uplink (marked frames only); what arrives at the port itself was already
 * seen by the sockets and is dropped before the IP stack. Shortcut, where no checksum is completed
 * on the way: a frame that the guard would let out, and no longer than the MTU allows, leaves at
 * the port's own exit (egress) for the uplink. All others take the long way to the guard
 *   GUARD_DIRECT       the sockets are on the uplink: nft egress guard there, ingress drop before
 * the IP stack
 */

#include "common/mac.h"
#include "common/refusal.h"

typedef enum GuardShape {
        GUARD_TAP,
        GUARD_TAP_CHECKED,
        GUARD_PACKET,
        GUARD_DIRECT
} GuardShape;

typedef struct GuardLink {
        const char *name;
        uint32_t index;
} GuardLink;

typedef struct Guard {
        GuardShape shape;
        GuardLink uplink;
        GuardLink port;    /* not GUARD_DIRECT */
        GuardLink inner;   /* GUARD_PACKET: the port's veth peer. GUARD_TAP_CHECKED: the end where
                              checked frames come out */
        GuardLink check;   /* GUARD_TAP_CHECKED: the end with tx offload off where the port's frames
                              go in */
        uint32_t shortcut; /* GUARD_PACKET: the longest frame that may take it, in bytes; 0: there
                              is none */
        bool anti_spoof;
        bool pass_control;
        bool drop_own;  /* what the wire reflects of the guest's own frames does not come in; not
                           GUARD_DIRECT */
        bool learning;  /* nothing passes yet, either way (tap shapes only): all rules are left out,
                           the chains drop */
        MacAddress mac; /* zero while learning */
} Guard;

/* Installs the whole guard. Returns 0; RAWNET_NOT_SUPPORTED (no nf_tables, no netdev egress hook:
 * says which and what to do); RAWNET_KERNEL_REFUSED; or -errno. */
int guard_install(const Guard *guard, Refusal *ret_refusal);

/* For what the kernel refused in the caller's namespace (refused, *refusal): where it has no
 * nf_tables at all, *refusal says so, and what to do, instead. Returns the refusal's code. */
int guard_explain_missing(int refused, Refusal *refusal);

/* After learning: guard->mac is set now, guard->learning false; puts in the rules that
 * guard_install() left out. As above. */
int guard_admit(const Guard *guard, Refusal *ret_refusal);

/* The host's side, called by a worker in the host's namespace: the prerouting drop for rawnet's
 * shared VLAN interfaces (rnv*), table "rawnet" of family inet, chain prerouting, priority -450,
 * idempotent, checked and restored at every open. As above. */
int guard_host_install(Refusal *ret_refusal);
/* Removes the host's tables; called when the last shared VLAN interface goes. Absence is no error.
 */
int guard_host_remove(Refusal *ret_refusal);

/* For host-filter.c, where tc cannot: drops what arrives on device for mac, in table "rawnet" of
 * family netdev of the host's namespace, which guard_host_remove() takes away as well. check: *ret
 * says whether it is there and whole. As above. */
int guard_host_filter_check(const char *device, const MacAddress *mac, bool *ret,
                            Refusal *ret_refusal);
int guard_host_filter_install(const char *device, const MacAddress *mac, Refusal *ret_refusal);

/* Can this kernel filter on netdev egress? Tried with a throw-away chain on lo in the caller's
 * namespace (a child's own, at start). 1, 0 or -errno. */
int guard_probe_egress(void);
