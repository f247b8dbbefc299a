/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/validate.h"

#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/namespace-fd.h"
#include "common/network-file.h"
#include "common/terms.h"
#include "common/text.h"
#include "helper/worker/probe.h"

static bool has_prefix(const MacPrefixes *prefixes, const MacPrefix *prefix) {
        for (size_t i = 0; i < prefixes->n; i++)
                if (memcmp(&prefixes->prefix[i], prefix, sizeof(*prefix)) == 0)
                        return true;
        return false;
}

/* The prefixes under which addresses are reserved on the wire of the request, by whatever network.
 * A file that cannot be read reserves nothing. */
static int find_reserving(const IpcOpen *request, MacPrefixes *ret, Refusal *ret_refusal) {
        char **names = NULL;
        size_t n = 0;
        int r;

        r = network_file_list(&names, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
                const MacPrefix *prefix;
                Refusal ignored;
                Network other;

                if (network_file_load(names[i], &other, &ignored) != 0)
                        continue;
                prefix = network_reserving(&other, request->parent, request->vlan);
                if (!prefix || has_prefix(ret, prefix))
                        continue;
                if (ret->n == MAC_PREFIXES_MAX)
                        r = refuse(
                                ret_refusal, RAWNET_NOT_SUPPORTED,
                                "network %s: the networks on VLAN %u of %s choose addresses under more than %u "
                                "prefixes; give them fewer different ones by MACPrefix=",
                                request->network, request->vlan, request->parent, MAC_PREFIXES_MAX);
                else
                        ret->prefix[ret->n++] = *prefix;
        }
        network_names_free(names, n);
        return r;
}

/* MACChoice=derived. The helper does not have the key: that a derived address is this user's, and
 * not another lease's, it takes from rawnetd. That it is a reserved one it sees. */
static int check_choice(const Network *network, const IpcOpen *request, Refusal *ret_refusal) {
        const MacPrefix *prefix = mac_prefix_to_choose(&network->mac_prefixes);

        if (request->mac_mode == IPC_MAC_RANDOM ||
            (request->mac_mode == IPC_MAC_DERIVED && prefix &&
             mac_is_reserved(&request->mac, prefix)))
                return 0;
        return network_lets_choose_mac(network, request->network, ret_refusal);
}

static int check_mac(const Network *network, const IpcOpen *request, MacPrefixes *ret_reserving,
                     Refusal *ret_refusal) {
        const MacPrefix *prefix;
        char mac[MAC_TEXT_SIZE];
        int r;

        r = check_choice(network, request, ret_refusal);
        if (r != 0)
                return r;
        switch ((IpcMacMode)request->mac_mode) {
        case IPC_MAC_LEARN:
                if (request->kind == KIND_TAP)
                        return find_reserving(request, ret_reserving, ret_refusal);
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "network %s: mac=learn works with kind tap only; give an address, or leave mac "
                        "out for one that rawnet chooses",
                        request->network);
        case IPC_MAC_RANDOM:
                return network_choose_mac(network, request->network, &prefix, ret_refusal);
        default:
                break;
        }
        r = network_allows_mac(network, request->network, &request->mac, ret_refusal);
        if (r == 0 && request->mac_mode == IPC_MAC_GIVEN)
                r = find_reserving(request, ret_reserving, ret_refusal);
        if (r != 0 || !mac_is_reserved_by(&request->mac, ret_reserving))
                return r;
        return refuse(
                ret_refusal, RAWNET_ACCESS_DENIED,
                "network %s: MAC address %s is reserved for an address that rawnet derives from a user and "
                "a lease name; choose another",
                request->network, mac_format(&request->mac, mac));
}

static int check_kernel(const JobContext *job, const OpenContext *open, const IpcOpen *request,
                        Refusal *ret_refusal) {
        if (job->guard.missing[0])
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED, "network %s: %s", request->network,
                              job->guard.missing);
        if (open->features & PROBE_GUARD_FAILS)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "network %s: the guard of ports did not work on this kernel when "
                              "rawnet-helper tried it; the journal has the reason (journalctl -u "
                              "rawnet-helper)",
                              request->network);
        /* What was missing at the start a module may have brought since: a device is looked at once
         * more, and what the guard needs and the kernel lacks the child will say (guard.c). */
        if (request->vhost && !(open->features & IPC_FEATURE_VHOST_NET) &&
            access("/dev/vhost-net", R_OK | W_OK) < 0)
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "network %s: there is no /dev/vhost-net that rawnet-helper can open; load "
                        "the module (modprobe vhost_net), or leave vhost out",
                        request->network);
        return 0;
}

static GuardShape shape_of(const OpenContext *open, const IpcOpen *request) {
        if (request->kind == KIND_PACKET)
                return GUARD_PACKET;
        /* Some of what a container's kernel can make has to be completed first on any kernel. */
        if (request->kind == KIND_VETH)
                return GUARD_TAP_CHECKED;
        return open->features & (IPC_FEATURE_CHECKSUM_TRICK | PROBE_GUARD_BLIND) ? GUARD_TAP_CHECKED
                                                                                 : GUARD_TAP;
}

int validate_open(const JobContext *job, const OpenContext *open, const IpcOpen *request,
                  LeasePlan *ret, Refusal *ret_refusal) {
        LeasePlan plan = {
                .mac_mode = (IpcMacMode)request->mac_mode,
                .queues = request->queues,
                .vhost = request->vhost,
                .up = request->up,
                .namespace_fd = open->namespace_fd,
                .checksum_trick = open->features & IPC_FEATURE_CHECKSUM_TRICK,
                .blind = open->features & PROBE_GUARD_BLIND,
                /* A packet socket's filter is locked. */
                .limits_filters =
                        request->kind == KIND_TAP && open->features & IPC_FEATURE_FILTER_LIMIT,
                .deadline = clock_usec(CLOCK_MONOTONIC) + PLAN_PATIENCE_USEC,
        };
        LeaseKind kind = (LeaseKind)request->kind;
        int r;

        r = terms_confirm_open(request, &plan.network, ret_refusal);
        /* A rehearsal has none. */
        if (r == 0 && kind == KIND_VETH && open->namespace_fd >= 0)
                r = namespace_fd_check(open->namespace_fd, request->uid, request->network,
                                       ret_refusal);
        if (r == 0)
                r = check_mac(&plan.network, request, &plan.reserving, ret_refusal);
        if (r == 0)
                r = network_locks_addresses(&plan.network, request->network,
                                            address_list_count(&request->addresses), ret_refusal);
        if (r == 0)
                r = network_rate(&plan.network, request->network, request->rate, &plan.rate,
                                 ret_refusal);
        if (r == 0)
                r = check_kernel(job, open, request, ret_refusal);
        if (r == 0)
                r = network_has_room(&plan.network, request->network, open->n_leases, ret_refusal);
        if (r != 0)
                return r;
        plan.shape = shape_of(open, request);
        plan.lease = (IpcLease){.uid = request->uid,
                                .kind = kind,
                                .vlan = request->vlan,
                                .vnet_hdr = request->vnet_hdr,
                                .queues = (uint8_t)request->queues};
        if (plan.mac_mode == IPC_MAC_LEARN)
                plan.own_mac = request->mac;
        else
                plan.lease.mac = request->mac;
        plan.addresses = request->addresses;
        memcpy(plan.lease.network, request->network, sizeof(plan.lease.network));
        memcpy(plan.interface, request->interface, sizeof(plan.interface));
        memcpy(plan.lease.parent, plan.network.parent, sizeof(plan.lease.parent));
        memcpy(plan.lease.lease_name, request->lease_name, sizeof(plan.lease.lease_name));
        *ret = plan;
        return 0;
}
