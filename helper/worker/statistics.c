/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/statistics.h"

#include <linux/if_link.h>
#include <string.h>

#include "helper/kernel/record.h"
#include "helper/worker/lease.h"

/* A tap transmits what the guest receives, and so does our end of a veth. */
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

_Static_assert((int)DROP_REASONS == (int)GUARD_REASONS &&
                       (int)DROP_SPOOFED_SOURCE == (int)GUARD_SPOOFED_SOURCE &&
                       (int)DROP_VLAN_TAG == (int)GUARD_VLAN_TAG &&
                       (int)DROP_CONTROL_FRAME == (int)GUARD_CONTROL_FRAME &&
                       (int)DROP_SERVER == (int)GUARD_SERVER &&
                       (int)DROP_NOT_JUDGED == (int)GUARD_NOT_JUDGED &&
                       (int)DROP_TOO_LONG == (int)GUARD_TOO_LONG &&
                       (int)DROP_WIRE_VLAN_TAG == (int)GUARD_WIRE_VLAN_TAG &&
                       (int)DROP_WIRE_OWN_SOURCE == (int)GUARD_WIRE_OWN_SOURCE &&
                       (int)DROP_WIRE_TOO_LONG == (int)GUARD_WIRE_TOO_LONG &&
                       (int)DROP_FOREIGN_ADDRESS == (int)GUARD_FOREIGN_ADDRESS,
               "one list");

/* What the guard dropped. A lease that an earlier version opened has another guard, and no counters
 * here. */
static int read_drops(const JobContext *job, uint32_t id, IpcStatistics *ret) {
        return job->guard.missing[0] ? 0 : guard_program_drops(&job->guard, id, ret->drops);
}

/* The frames from the wire that the veth in front of the port has dropped, because they were longer
 * than its MTU (drivers/net/veth.c, veth_xmit()): frames of leases that an earlier version opened,
 * and segmented ones. */
static int add_too_long(Netlink *netlink, const IpcLease *lease, struct rtnl_link_stats64 *s,
                        Refusal *ret_refusal) {
        const char *name = lease->kind == KIND_PACKET ? LINK_NAME_INNER : LINK_NAME_CHECKED;
        LinkInfo inner;
        int r;

        r = link_find(netlink, (int32_t)lease->id, name, &inner, ret_refusal);
        if (r == 0)
                s->rx_dropped += inner.statistics.tx_dropped;
        return r;
}

int lease_statistics(const JobContext *job, uint32_t id, IpcStatistics *ret, Refusal *ret_refusal) {
        char name[IFNAMSIZ];
        IpcLease lease;
        LinkInfo port;
        int r;

        r = lease_find(job->netlink, id, &lease, ret_refusal);
        if (r != 0)
                return r;
        /* The port does not count what the holder of a packet port sends (guard.h); the uplink
         * does. */
        if (lease.kind != KIND_PACKET)
                record_port_name(id, name);
        else
                record_uplink_name(&lease, name);
        r = link_get(job->netlink, (int32_t)id, name, &port, ret_refusal);
        if (r != 0)
                return r;
        if (lease.kind != KIND_PACKET)
                turn_round(&port.statistics);
        r = add_too_long(job->netlink, &lease, &port.statistics, ret_refusal);
        if (r != 0)
                return r;
        *ret = (IpcStatistics){};
        r = read_drops(job, id, ret);
        if (r < 0)
                return r;
        memcpy(ret->link, &port.statistics, MIN_OF(sizeof(port.statistics), sizeof(ret->link)));
        return 0;
}
