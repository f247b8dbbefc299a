/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/child/shaper.h"

#include <errno.h>
#include <linux/if_ether.h>

/* The bucket's size in time: as late as the kernel may be with a frame, on a busy machine, and the
 * rate still be reached. With it a segmented frame of 64 KiB passes whole from 53 Mbit/s up. */
#define BURST_MSEC UINT64_C(10)
/* How long a frame may wait in the FIFO: longer than a round trip of a LAN, so TCP keeps the line
 * busy, and short enough for a telephone call. */
#define WAIT_MSEC UINT64_C(25)
#define BURST_FRAMES 2u
/* And bytes where they are more: the memory of short frames is twelve times their length. */
#define WAIT_BYTES_MAX (UINT64_C(4) << 20)
#define WAIT_FRAMES 8u /* at rates where WAIT_MSEC are fewer: TCP needs some */
/* CoDel: RFC 8289 4.3 has 5 ms. At low rates the time for 1.5 frames is longer (tc-fq_codel(8)). */
#define TARGET_USEC UINT64_C(5000)
/* fq_codel accounts a frame's memory, several times the bytes of a short one. This is at most
 * 32 MiB, which it would take without a limit. */
#define MEMORY_TIMES 8u
#define MEMORY_MIN (UINT32_C(256) << 10)

static uint64_t at_most(uint64_t value, uint64_t most) {
        return value < most ? value : most;
}

static uint32_t at_least(uint64_t value, uint32_t least) {
        return value < least ? least : (uint32_t)value;
}

TcBucket shaper_bucket(uint64_t rate, uint32_t longest) {
        const uint64_t bytes = rate / 8;

        return (TcBucket){
                .rate = bytes,
                .burst = at_least(bytes * BURST_MSEC / 1000, BURST_FRAMES * longest),
                .limit = at_least(at_most(bytes * WAIT_MSEC / 1000, WAIT_BYTES_MAX),
                                  WAIT_FRAMES * longest),
        };
}

static int limit_link(const GuardLink *link, const TcBucket *bucket, uint32_t longest,
                      Netlink *netlink, Refusal *ret_refusal) {
        const uint64_t frame_usec = longest * UINT64_C(1000000) / bucket->rate;
        const uint32_t memory = at_least((uint64_t)bucket->limit * MEMORY_TIMES, MEMORY_MIN);
        Refusal refusal;
        int r;

        r = tc_add_bucket(netlink, link->name, link->index, bucket, ret_refusal);
        if (r != 0)
                return r;
        r = tc_add_fair_queues(netlink, link->name, link->index,
                               at_least(TARGET_USEC, (uint32_t)(frame_usec * 3 / 2)), memory,
                               &refusal);
        /* A kernel without it (net/sched/sch_api.c, qdisc_create()) keeps the FIFO. */
        if (r == RAWNET_KERNEL_REFUSED &&
            (refusal.kernel_errno == ENOENT || refusal.kernel_errno == EOPNOTSUPP))
                return 0;
        if (r > 0)
                *ret_refusal = refusal;
        return r;
}

int shaper_install(const Guard *guard, uint64_t rate, Netlink *netlink, Refusal *ret_refusal) {
        const uint32_t longest = guard->mtu + ETH_HLEN;
        const GuardLink *to_guest = guard->shape == GUARD_PACKET ? &guard->inner : &guard->port;
        const TcBucket bucket = shaper_bucket(rate, longest);
        int r;

        r = limit_link(&guard->uplink, &bucket, longest, netlink, ret_refusal);
        return r == 0 ? limit_link(to_guest, &bucket, longest, netlink, ret_refusal) : r;
}
