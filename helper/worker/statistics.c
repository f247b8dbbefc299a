/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/statistics.h"

#include <linux/if_link.h>
#include <string.h>

#include "helper/kernel/record.h"
#include "helper/worker/lease.h"

/* A tap transmits what the guest receives. */
static void turn_round(struct rtnl_link_stats64 *s) {
        const struct rtnl_link_stats64 seen = *s;

        s->rx_packets = seen.tx_packets;
        s->tx_packets = seen.rx_packets;
        s->rx_bytes = seen.tx_bytes;
        s->tx_bytes = seen.rx_bytes;
        s->rx_errors = seen.tx_errors;
        s->tx_errors = seen.rx_errors;
        s->rx_dropped = seen.tx_dropped;
        s->tx_dropped = seen.rx_dropped;
        s->multicast = 0; /* the kernel counts what the guest sent */
}

/* Adds the frames from the wire that were longer than the port's MTU: the veth in front of the
 * port, where there is one, has dropped them (drivers/net/veth.c, veth_xmit()). */
static int add_too_long(Netlink *netlink, const IpcLease *lease, struct rtnl_link_stats64 *s,
                        Refusal *ret_refusal) {
        const char *name = lease->kind == KIND_TAP ? LINK_NAME_CHECKED : LINK_NAME_INNER;
        LinkInfo inner;
        int r;

        r = link_find(netlink, (int32_t)lease->id, name, &inner, ret_refusal);
        if (r == 0)
                s->rx_dropped += inner.statistics.tx_dropped;
        return r;
}

int lease_statistics(const JobContext *job, uint32_t id, uint64_t ret[static IPC_STATISTICS_COUNT],
                     Refusal *ret_refusal) {
        char name[IFNAMSIZ];
        IpcLease lease;
        LinkInfo port;
        int r;

        r = lease_find(job->netlink, id, &lease, ret_refusal);
        if (r != 0)
                return r;
        /* The port does not count what the holder of a packet port sends (guard.h); the uplink
         * does. */
        if (lease.kind == KIND_TAP)
                record_port_name(id, name);
        else
                record_uplink_name(&lease, name);
        r = link_get(job->netlink, (int32_t)id, name, &port, ret_refusal);
        if (r != 0)
                return r;
        if (lease.kind == KIND_TAP)
                turn_round(&port.statistics);
        r = add_too_long(job->netlink, &lease, &port.statistics, ret_refusal);
        if (r != 0)
                return r;
        memcpy(ret, &port.statistics,
               MIN_OF(sizeof(port.statistics), IPC_STATISTICS_COUNT * sizeof(uint64_t)));
        return 0;
}
