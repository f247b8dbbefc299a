/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/host/sweep.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/network-file.h"
#include "helper/kernel/record.h"
#include "helper/report.h"
#include "helper/worker/host/host-interface.h"
#include "helper/worker/host/parent.h"
#include "helper/worker/host/shared.h"
#include "helper/worker/host/vlan-guard.h"
#include "helper/worker/host/vlan-harden.h"

/* --- host interfaces that no network file asks for --- */

/* 1: the file of the network asks for this host interface, right here; 0: it does not, or there is
 * no file; or -errno. */
static int is_asked_for(Netlink *netlink, const LinkInfo *link, const char *name) {
        Refusal refusal;
        Network network;
        int r;

        /* A file that is being written keeps the host interface, and so does one with a mistake.
         * The sweep waits for no file, because no open begins while it runs. */
        r = network_file_load(name, &network, &refusal);
        if (r == RAWNET_NO_SUCH_NETWORK)
                return 0;
        if (r != 0)
                return r > 0 ? 1 : r;
        return strcmp(network.host_interface, link->name) != 0
                       ? 0
                       : parent_is_lower(netlink, &network, link->lower);
}

static int sweep_host_interface(const JobContext *job, const Doubts *doubts, const LinkInfo *link,
                                const char *network, Refusal *ret_refusal) {
        uint64_t before, after;
        int r;

        r = network_file_state(network, &before);
        if (r == 0)
                r = is_asked_for(job->netlink, link, network);
        if (r != 0)
                return MIN_OF(r, 0);
        r = network_file_state(network, &after);
        if (r < 0)
                return r;
        /* The administrator's address may be on it, and his file may be away for a moment only. */
        if (before != after ||
            !doubts_confirm(doubts, link->index, after, clock_usec(CLOCK_MONOTONIC)))
                return report_send(job->report_fd,
                                   (Report){REPORT_DOUBTED, .value = link->index, .file = after});
        log_notice("removing host interface %s: no network file asks for it", link->name);
        return link_delete(job->netlink, LINK_HERE, link, ret_refusal);
}

typedef struct HostSweep {
        const JobContext *job;
        const Doubts *doubts;
        int error; /* the first */
        Refusal *refusal;
} HostSweep;

/* An interface that cannot be looked at, or not be deleted, stays; the others are swept all the
 * same. */
static int on_macvlan(const LinkInfo *link, void *data) {
        const char *network = host_interface_network(link);
        HostSweep *sweep = data;
        Refusal ignored, *refusal = sweep->error != 0 ? &ignored : sweep->refusal;
        int r = 0;

        if (network)
                r = sweep_host_interface(sweep->job, sweep->doubts, link, network, refusal);
        else if (host_interface_is_half_made(link))
                r = link_delete(sweep->job->netlink, LINK_HERE, link, refusal);
        if (sweep->error == 0)
                sweep->error = r;
        return 0;
}

static int sweep_host_interfaces(const JobContext *job, const Doubts *doubts,
                                 Refusal *ret_refusal) {
        HostSweep sweep = {job, doubts, 0, ret_refusal};
        int r = link_dump(job->netlink, "macvlan", on_macvlan, &sweep, ret_refusal);

        return r != 0 ? r : sweep.error;
}

/* --- shared VLAN interfaces --- */

typedef struct Shared {
        LinkInfo link;
        bool stays;      /* a host interface is on it, or what an administrator put there */
        bool taken_over; /* shared_was_taken_over() */
} Shared;

/* All shared interfaces: one that is missing here would lose the host's guard when the last listed
 * one goes. */
typedef struct SharedList {
        Shared *shared;
        size_t n, n_allocated;
} SharedList;

static void shared_list_done(SharedList *list) {
        free(list->shared);
}

static int collect_shared(const LinkInfo *info, void *data) {
        const bool taken_over = shared_was_taken_over(info);
        SharedList *list = data;

        if (!taken_over && !shared_is_ours(info))
                return 0;
        if (GROW_ARRAY(list->shared, list->n, list->n_allocated) < 0)
                return -ENOMEM;
        list->shared[list->n++] = (Shared){*info, .taken_over = taken_over};
        return 0;
}

static int note_upper(const LinkInfo *info, void *data) {
        SharedList *list = data;

        for (size_t i = 0; i < list->n; i++) {
                if (info->lower == list->shared[i].link.index)
                        list->shared[i].stays = true;
        }
        return 0;
}

/* Is the lease's uplink on it? The kernel is asked, not the registry, because deleting an interface
 * ends every lease on it. 1, 0, or -errno. */
static int is_used_by(Netlink *netlink, const IpcLease *lease, const LinkInfo *shared) {
        char name[IFNAMSIZ];
        Refusal refusal = {};
        LinkInfo uplink;
        uint32_t lower;
        int r;

        r = link_find(netlink, (int32_t)lease->id, record_uplink_name(lease, name), &uplink,
                      &refusal);
        if (r == 0 && uplink.index == 0)
                return 0;
        if (r == 0)
                r = link_lower_here(netlink, &uplink, &lower, &refusal);
        if (r != 0)
                return r > 0 ? -refusal.kernel_errno : r;
        return lower == shared->index;
}

/* 1, 0, or -errno. */
static int is_needed(const JobContext *job, const Shared *shared) {
        const Registry *registry = job->registry;

        /* A lease that no scan found may need it. */
        if (shared->stays || !registry->whole)
                return 1;
        for (size_t i = 0; i < registry->n_entries; i++) {
                const IpcLease *lease = &registry->entries[i].lease;
                int r = 0;

                /* What a later version's lease needs is not known. */
                if (lease->later)
                        return 1;
                if (lease->vlan == shared->link.vlan)
                        r = is_used_by(job->netlink, lease, &shared->link);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* The alias last: if this process dies before, the next sweep begins again. The leases on the
 * interface live on. */
static int hand_over(Netlink *netlink, const LinkInfo *link, Refusal *ret_refusal) {
        const LinkChange unmark = {.link = link->name, .alias = ""};
        Refusal refusal = {};
        int r;

        r = vlan_harden_undo(netlink, link->index, &refusal);
        if (r == 0)
                r = link_change(netlink, link->index, &unmark, &refusal);
        if (r == 0)
                log_notice("interface %s, which was made for VLAN %u of rawnet's leases, is the "
                           "host's own now",
                           link->name, link->vlan);
        if (link_is_missing(r, &refusal))
                return 0;
        return refusal_forward(r, &refusal, ret_refusal);
}

/* *ret_left: it stays rawnet's, untouched on failure. */
static int sweep_shared(const JobContext *job, const uint64_t *opening, const Shared *shared,
                        bool *ret_left, Refusal *ret_refusal) {
        const uint16_t vlan = shared->link.vlan;
        bool left = false;
        int r;

        /* The open may harden it, and put its uplink on it, at any moment. */
        if (opening[vlan / 64] >> vlan % 64 & 1)
                return 0;
        if (shared->taken_over) {
                r = hand_over(job->netlink, &shared->link, ret_refusal);
        } else {
                r = is_needed(job, shared);
                left = r > 0;
                if (r >= 0)
                        r = left ? shared_keep(job, &shared->link, ret_refusal)
                                 : link_delete(job->netlink, LINK_HERE, &shared->link, ret_refusal);
        }
        if (r == 0)
                *ret_left = left;
        return r;
}

static bool is_opening(const uint64_t *opening) {
        for (size_t i = 0; i < SWEEP_VLAN_WORDS; i++)
                if (opening[i] != 0)
                        return true;
        return false;
}

/* The host's guard is needed as long as there is one, and the last helper's own table ended with
 * that helper. An open that came after the list may need it for an interface of its own. */
static int sweep_guard(int owner_fd, const SharedList *list, size_t n_left, bool opening,
                       Refusal *ret_refusal) {
        if (n_left > 0)
                return vlan_guard_install(owner_fd, ret_refusal);
        return list->n > 0 && !opening ? vlan_guard_remove(owner_fd, ret_refusal) : 0;
}

/* *ret_left: there is one, or an open may be making one; untouched on failure. */
static int sweep_vlans(const JobContext *job, const uint64_t *opening, bool *ret_left,
                       Refusal *ret_refusal) {
        _cleanup_(shared_list_done) SharedList list = {};
        size_t n_left = 0;
        int error = 0, r;

        r = link_dump(job->netlink, "vlan", collect_shared, &list, ret_refusal);
        if (r == 0 && list.n > 0)
                r = link_dump(job->netlink, "macvlan", note_upper, &list, ret_refusal);
        if (r != 0)
                return r;
        for (size_t i = 0; i < list.n; i++) {
                Refusal ignored, *refusal = error != 0 ? &ignored : ret_refusal;
                bool left = true;

                r = sweep_shared(job, opening, &list.shared[i], &left, refusal);
                error = error != 0 ? error : r;
                n_left += left;
        }
        if (error == 0 || n_left > 0) {
                Refusal ignored, *refusal = error != 0 ? &ignored : ret_refusal;

                r = sweep_guard(job->owner_fd, &list, n_left, is_opening(opening), refusal);
                error = error != 0 ? error : r;
        }
        if (error == 0)
                *ret_left = n_left > 0 || is_opening(opening);
        return error;
}

int sweep_run(const JobContext *job, const SweepContext *context, Refusal *ret_refusal) {
        bool left;
        int hosts, r;

        hosts = sweep_host_interfaces(job, &context->doubts, ret_refusal);
        /* A host interface that stays keeps what is below it: the one needs nothing of the other.
         */
        r = sweep_vlans(job, context->opening, &left, ret_refusal);
        if (r == 0)
                r = report_send(job->report_fd,
                                (Report){REPORT_SWEPT, .value = left ? SWEEP_LEFT : 0});
        return r != 0 ? r : hosts;
}
