/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/close.h"

#include "helper/kernel/record.h"
#include "helper/worker/lease.h"

static int delete_link(Netlink *netlink, uint32_t id, const char *name, Refusal *ret_refusal) {
        LinkInfo link;
        int r;

        r = link_find(netlink, (int32_t)id, name, &link, ret_refusal);
        return r != 0 || link.index == 0 ? r
                                         : link_delete(netlink, (int32_t)id, &link, ret_refusal);
}

int lease_close(const JobContext *job, uint32_t id, Refusal *ret_refusal) {
        char name[IFNAMSIZ];
        IpcLease lease;
        int r;

        r = lease_find(job->netlink, id, &lease, ret_refusal);
        /* Whichever of the two goes first, the keeper of a veth lease ends with it, and the kernel
         * deletes the other one later. The container's interface is gone when the caller hears. */
        if (r == 0 && lease.kind == KIND_VETH)
                r = delete_link(job->netlink, id, record_port_name(id, name), ret_refusal);
        /* The uplink first: an exclusive VLAN is free at once. */
        if (r == 0)
                r = delete_link(job->netlink, id, record_uplink_name(&lease, name), ret_refusal);
        if (r == 0)
                r = delete_link(job->netlink, id, record_port_name(id, name), ret_refusal);
        if (r == 0) {
                lease.gone = true;
                r = report_send(job->report_fd, REPORT_CLOSED, &lease, 0);
        }
        return r;
}
