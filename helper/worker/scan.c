/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/scan.h"

#include "helper/kernel/link.h"
#include "helper/kernel/nsid.h"
#include "helper/kernel/record.h"

typedef struct IdList {
        uint32_t *ids;
        size_t n, n_allocated;
        int failed;
} IdList;

static void id_list_done(IdList *list) {
        free(list->ids);
}

static void add_id(IdList *list, uint32_t id) {
        if (GROW_ARRAY(list->ids, list->n, list->n_allocated) < 0)
                list->failed = -ENOMEM;
        else
                list->ids[list->n++] = id;
}

static void collect(uint32_t nsid, void *data) {
        if (nsid >= RAWNET_ID_MIN)
                add_id(data, nsid);
}

/* Takes the ids that new leases have off the end of the list. Returns whether there were any. */
static bool drop_new(IdList *list) {
        const size_t n = list->n;

        while (list->n > 0 && list->ids[list->n - 1] >= RAWNET_ID_FIRST)
                list->n--;
        return list->n < n;
}

/* All ids in use, ascending, as far as the kernel gives them. A list that reaches the ids of new
 * leases has passed all lower ones. */
static int list_ids(Netlink *netlink, IdList *list, bool *ret_whole, Refusal *ret_refusal) {
        NsidList dumped;
        int r;

        r = nsid_dump(netlink, collect, list, &dumped, ret_refusal);
        if (r != 0)
                return r;
        *ret_whole = dumped != NSID_LIST_CUT_OFF;
        if (dumped != NSID_LIST_WHOLE) {
                *ret_whole = drop_new(list) || *ret_whole;
                r = nsid_ask(netlink, RAWNET_ID_FIRST, RAWNET_ID_MAX, collect, list);
        }
        return r == 0 ? list->failed : r;
}

static int compare_ids(const void *a, const void *b) {
        const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

/* A known lease that is not reported counts as ended. So a scan asks for each known lease, whatever
 * the kernel's list says. Newer kernels cut the list off. And between two messages of a list the
 * kernel remembers a number of entries, not an id (net/core/net_namespace.c,
 * rtnl_net_dumpid_one()), so it skips one entry for each that ended meanwhile. */
static int add_known(IdList *list, const Registry *registry) {
        const size_t n = list->n;

        for (size_t i = 0; i < registry->n_entries; i++) {
                const uint32_t id = registry->entries[i].lease.id;

                if (n == 0 || !bsearch(&id, list->ids, n, sizeof(*list->ids), compare_ids))
                        add_id(list, id);
        }
        return list->failed;
}

/* The uplink ended with its parent, and only a process inside the namespace could guard a new one.
 * So the port is deleted, too: its holder notices that the lease has ended, and a back end does not
 * run on without a wire. */
static int delete_port(Netlink *netlink, uint32_t id, Refusal *ret_refusal) {
        char name[IFNAMSIZ];

        return link_delete_named(netlink, (int32_t)id, record_port_name(id, name), ret_refusal);
}

/* *whole becomes false where there is a lease that cannot be reported. */
static int look_at(const JobContext *job, uint32_t id, bool *whole, Refusal *ret_refusal) {
        Refusal refusal = {};
        IpcLease lease;
        LeaseLower lower;
        int r;

        r = record_read(job->netlink, id, &lease, &lower, &refusal);
        /* The namespace of another program, or one that is being made or is ending. */
        if (r == RAWNET_NO_SUCH_LEASE)
                return 0;
        if (r == RAWNET_NOT_SUPPORTED) {
                *whole = false;
                return 0;
        }
        if (r == 0 && lease.gone && !lease.later)
                r = delete_port(job->netlink, id, &refusal);
        if (r != 0)
                return refusal_forward(r, &refusal, ret_refusal);
        return report_send(job->report_fd, (Report){REPORT_LEASE, .value = lower.index,
                                                    .carries = lower.mtu, .lease = lease});
}

int scan_leases(const JobContext *job, Refusal *ret_refusal) {
        _cleanup_(id_list_done) IdList list = {};
        bool whole;
        int r;

        r = list_ids(job->netlink, &list, &whole, ret_refusal);
        if (r == 0)
                r = add_known(&list, job->registry);
        for (size_t i = 0; r == 0 && i < list.n; i++)
                r = look_at(job, list.ids[i], &whole, ret_refusal);
        if (r != 0)
                return r;
        return report_send(job->report_fd,
                           (Report){REPORT_SCANNED, .value = whole ? SCAN_WHOLE : 0});
}

int scan_learning(const JobContext *job, Refusal *ret_refusal) {
        bool whole = true; /* unused: these leases were readable before */
        int r = 0;

        for (size_t i = 0; r == 0 && i < job->registry->n_entries; i++) {
                const IpcLease *lease = &job->registry->entries[i].lease;

                if (ipc_lease_learns(lease))
                        r = look_at(job, lease->id, &whole, ret_refusal);
        }
        return r;
}
