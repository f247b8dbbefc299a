/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/quota.h"

#include "common/text.h"

/* One user's leases over all networks, whatever the files allow: each takes about 270 KiB of kernel
 * memory. */
#define LEASES_PER_USER_MAX 4096u

static unsigned count(const Request *request, const char *network, bool any_uid) {
        return lease_table_count(&request->service->leases, network, request->uid, any_uid) +
               requests_count_opens(request->service, network, request->uid, any_uid);
}

static unsigned count_learning(const Request *request, bool any_uid) {
        return lease_table_count_learning(&request->service->leases, request->uid, any_uid) +
               requests_count_learning(request->service, request->uid, any_uid);
}

/* rawnet-helper counts all of them once more. */
static int check_learning(const Request *request, const Network *network, Refusal *ret) {
        if (request->open.mac_mode != IPC_MAC_LEARN)
                return 0;
        if (count_learning(request, false) >= RAWNET_LEARNING_PER_USER_MAX)
                return refuse(
                        ret, RAWNET_LIMITS_EXCEEDED,
                        "network %s: %u of your ports wait for their guest's first frame (mac=learn), and a user "
                        "may have no more of them; start those guests, close those ports (rawnetctl list), or "
                        "give the guest's address by mac=",
                        network->name, RAWNET_LEARNING_PER_USER_MAX);
        if (count_learning(request, true) >= RAWNET_LEARNING_MAX)
                return refuse(
                        ret, RAWNET_LIMITS_EXCEEDED,
                        "network %s: %u ports of all users wait for their guest's first frame (mac=learn), and "
                        "this host may have no more of them; give the guest's address by mac=, or try later",
                        network->name, RAWNET_LEARNING_MAX);
        return 0;
}

/* Each queue holds unread frames, in kernel memory that is charged to nobody. */
static int check_queues(const Request *request, const Network *network, Refusal *ret) {
        const Service *service = request->service;
        const unsigned n = lease_table_count_queues(&service->leases, request->uid) +
                           requests_count_queues(service, request->uid);

        if (n + request->open.queues <= service->queues_per_user)
                return 0;
        return refuse(
                ret, RAWNET_QUOTA_EXCEEDED,
                "network %s: your ports on all networks have %u of at most %u %s, and this one would have %u "
                "more; close one of them (rawnetctl list), ask for fewer queues, or ask an administrator to "
                "raise --queues-per-user= of rawnetd(8)",
                network->name, n, service->queues_per_user,
                text_plural(service->queues_per_user, "queue", "queues"), request->open.queues);
}

int quota_check(const Request *request, const Network *network, Refusal *ret) {
        unsigned n;
        int r;

        r = network_has_room(network, network->name, count(request, network->name, true), ret);
        if (r != 0)
                return r;
        n = count(request, network->name, false);
        if (n >= network->max_leases_per_user)
                return refuse(
                        ret, RAWNET_QUOTA_EXCEEDED,
                        "network %s: you have %u of at most %u %s on it; close one of them (rawnetctl list), "
                        "or ask an administrator to raise MaxLeasesPerUser= in %s",
                        network->name, n, network->max_leases_per_user,
                        text_plural(network->max_leases_per_user, "lease", "leases"),
                        network->path);
        n = count(request, NULL, false);
        if (n >= LEASES_PER_USER_MAX)
                return refuse(
                        ret, RAWNET_LIMITS_EXCEEDED,
                        "network %s: you have %u leases on all networks, and a user may have no more; close one of "
                        "them (rawnetctl list)",
                        network->name, n);
        r = check_queues(request, network, ret);
        return r != 0 ? r : check_learning(request, network, ret);
}
