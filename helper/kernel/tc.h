/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Traffic control, the messages that rawnet needs: a link gets a qdisc that has a hook for what
 * the link receives (ingress), or that one and a hook for what it sends (clsact); a hook gets an
 * eBPF program as its only filter; and what a link sends waits in a queue that is emptied at a rate
 * (tbf, fq_codel). tc-bpf(8), linux/rtnetlink.h, linux/pkt_cls.h. In the socket's
 * own namespace.
 *
 * Nothing here knows what a program does. The functions return 0; RAWNET_NOT_SUPPORTED where the
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

/* A token bucket. */
typedef struct TcBucket {
        uint64_t rate;  /* bytes a second, of Ethernet frames without checksum and preamble */
        uint32_t burst; /* bytes that may leave at once; the kernel cuts a longer segmented frame */
        uint32_t limit; /* bytes that wait, in a FIFO */
} TcBucket;

/* What is sent on the link waits for the bucket: qdisc tbf is its root. */
int tc_add_bucket(Netlink *netlink, const char *link, uint32_t index, const TcBucket *bucket,
                  Refusal *ret_refusal);

/* In place of the bucket's FIFO: a queue for each flow. target: µs that a frame may wait for long
 * before some are dropped; memory: bytes of kernel memory that all may use. 0 or a refusal. */
int tc_add_fair_queues(Netlink *netlink, const char *link, uint32_t index, uint32_t target,
                       uint32_t memory, Refusal *ret_refusal);
