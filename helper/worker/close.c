/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/close.h"

#include "helper/kernel/link.h"
#include "helper/kernel/record.h"
#include "helper/worker/lease.h"

int lease_close(const JobContext *job, uint32_t id, Refusal *ret_refusal) {
        char name[IFNAMSIZ];
        IpcLease lease;
        int r;

        r = lease_find(job->netlink, id, &lease, ret_refusal);
        /* Whichever of the two goes first, the keeper of a veth lease ends with it, and the kernel
         * deletes the other one later. The container's interface is gone when the caller hears. */
        if (r == 0 && lease.kind == KIND_VETH)
                r = link_delete_named(job->netlink, (int32_t)id, record_port_name(id, name),
                                      ret_refusal);
        /* The uplink first: an exclusive VLAN is free at once. */
        if (r == 0)
                r = link_delete_named(job->netlink, (int32_t)id, record_uplink_name(&lease, name),
                                      ret_refusal);
        if (r == 0)
                r = link_delete_named(job->netlink, (int32_t)id, record_port_name(id, name),
                                      ret_refusal);
        if (r == 0) {
                lease.gone = true;
                r = report_send(job->report_fd, (Report){REPORT_CLOSED, .lease = lease});
        }
        return r;
}
