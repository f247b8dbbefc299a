/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Traffic control, the two messages that rawnet needs: a link gets a qdisc that has a hook for what
 * the link receives (ingress), or that one and a hook for what it sends (clsact), and a hook gets an
 * eBPF program as its only filter. tc-bpf(8), linux/rtnetlink.h, linux/pkt_cls.h. In the socket's
 * own namespace.
 *
 * Nothing here knows what a program does. Both functions return 0; RAWNET_NOT_SUPPORTED where the
 * kernel has no such qdisc or no such filter, with what to do; RAWNET_KERNEL_REFUSED with the
 * kernel's words; or -errno.
 */

#include "common/refusal.h"
#include "helper/kernel/netlink.h"

typedef enum TcHook {
        TC_HOOK_INGRESS, /* what the link receives, after packet sockets have seen it */
        TC_HOOK_EGRESS /* what is sent on the link before its queue, but not by PACKET_QDISC_BYPASS */
} TcHook;

/* The hooks up to `last`. A hook that no program is at costs each frame some fifty instructions since
 * Linux 6.11 (net/core/dev.c, sch_handle_egress()). A link that has such a qdisc already is refused
 * (EEXIST). link: its name, for messages. */
int tc_add_hooks(Netlink *netlink, const char *link, uint32_t index, TcHook last,
                 Refusal *ret_refusal);

/* The hook's one filter, for frames of every protocol: the program (BPF_PROG_TYPE_SCHED_CLS)
 * decides by its return value (direct action). The kernel keeps a reference on the program, not on
 * the descriptor. name: what tc(8) shows. */
int tc_attach(Netlink *netlink, const char *link, uint32_t index, TcHook hook, int program_fd,
              const char *name, Refusal *ret_refusal);
