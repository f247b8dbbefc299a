/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/open.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/fd-pass.h"
#include "common/log.h"
#include "helper/kernel/nsid.h"
#include "helper/child/host-mac.h"
#include "helper/worker/lease.h"
#include "helper/worker/host/parent.h"
#include "helper/kernel/record.h"
#include "helper/worker/validate.h"

static const uint32_t macvlan_modes[] = {
        [MODE_BRIDGE] = MACVLAN_MODE_BRIDGE,
        [MODE_PRIVATE] = MACVLAN_MODE_PRIVATE,
        [MODE_VEPA] = MACVLAN_MODE_VEPA,
};

/* The uplink, made straight in the child's namespace: it is never in the host's. */
static int add_uplink(const LeasePlan *plan, Netlink *netlink, pid_t child, Refusal *ret_refusal) {
        char name[IFNAMSIZ];
        const LinkPlan link = {
                .name = record_uplink_name(&plan->lease, name),
                .index = GUARD_UPLINK | GUARD_NUMBER(plan->lease.id),
                .lower = plan->lower,
                .mac = plan->lease.mac,
                .mtu = plan->lease.mtu,
                .namespace_of = child,
        };

        if (plan->network.mode == MODE_EXCLUSIVE)
                return link_add_vlan(netlink, &link, plan->lease.vlan, plan->network.protocol,
                                     ret_refusal);
        return parent_add_macvlan(netlink, &link, macvlan_modes[plan->network.mode], ret_refusal);
}

/* Of the caller's end, where it is raised. Else the kernel chooses. */
#define ATTACHED_INDEX UINT32_C(0x7ffb0000)

/* The port and its other end, which gets the lease's address, in the caller's namespace. The kernel
 * makes both or neither. The port is down until the guard is in, and so nothing passes; the other
 * end is up if the caller wants it. */
static int add_veth(const LeasePlan *plan, Netlink *netlink, pid_t child, Refusal *ret_refusal) {
        char name[IFNAMSIZ];
        const LinkPlan port = {.name = record_port_name(plan->lease.id, name),
                               .index = plan->lease.id,
                               .mtu = plan->lease.mtu,
                               .namespace_of = child};
        LinkPlan other = {.name = plan->interface,
                          .mac = plan->lease.mac,
                          .mtu = plan->lease.mtu,
                          .namespace_fd = plan->namespace_fd};
        Refusal refusal = {};
        int r;

        if (plan->lease.kind != KIND_VETH)
                return 0;
        /* Without a namespace the kernel would make it in the host's. */
        if (plan->namespace_fd <= 0)
                return -EINVAL;
        if (plan->up) {
                other.index = ATTACHED_INDEX | GUARD_NUMBER(plan->lease.id);
                other.flags_on = IFF_UP;
                r = link_add_veth(netlink, &other, &port, &refusal);
        } else {
                r = link_add_veth(netlink, &port, &other, &refusal);
        }
        /* The child's namespace is empty but for the uplink. */
        if (r == RAWNET_KERNEL_REFUSED && refusal.kernel_errno == EEXIST)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "network %s: that network namespace has an interface %s already; "
                              "choose another name, or delete that interface",
                              plan->lease.network, plan->interface);
        return refusal_forward(r, &refusal, ret_refusal);
}

/* A reader may fall behind: at most by so much, as the kernel counts it (twice what is asked for),
 * some 1,300 short frames or a dozen of 64 KiB. A tap has room for 512 of any length; with a
 * socket's usual 208 KiB, three long ones, a vhost-user back end that had to wait a moment for a
 * processor lost TCP's. */
#define RECEIVE_BUFFER (512 * 1024)

/* In the worker, since it takes CAP_NET_ADMIN in the host. Without, the port is no less a port. */
static void widen_sockets(const LeasePlan *plan, const int *fds, size_t n) {
        const int size = RECEIVE_BUFFER;

        for (size_t i = 0; plan->lease.kind == KIND_PACKET && i < n; i++)
                if (setsockopt(fds[i], SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
                        log_debug("SO_RCVBUFFORCE: %m");
}

static int talk_child(const JobContext *job, const LeasePlan *plan, const Child *child,
                      IpcLease *ret_lease, int *ret_fds, size_t *ret_n_fds, Refusal *ret_refusal) {
        Netlink *netlink = job->netlink;
        int r;

        r = child_hear(child, CHILD_READY, ret_lease, ret_fds, ret_n_fds, ret_refusal);
        if (r == 0)
                r = add_uplink(plan, netlink, child->pid, ret_refusal);
        if (r == 0)
                r = add_veth(plan, netlink, child->pid, ret_refusal);
        if (r == 0)
                r = nsid_set(netlink, child->pid, plan->lease.id, ret_refusal);
        if (r == 0)
                r = child_go(child, plan, &job->guard, job->report_fd,
                             plan->mac_mode == IPC_MAC_LEARN ? mnl_socket_get_fd(netlink->socket)
                                                             : -1);
        if (r == 0)
                r = child_hear(child, CHILD_DONE, ret_lease, ret_fds, ret_n_fds, ret_refusal);
        if (r == 0)
                widen_sockets(plan, ret_fds, *ret_n_fds);
        return r;
}

static int find_lower(const JobContext *job, LeasePlan *plan, LinkInfo *ret_parent,
                      Refusal *ret_refusal) {
        LinkInfo lower;
        int r;

        r = parent_find(job->netlink, &plan->network, plan->lease.vlan, ret_parent, ret_refusal);
        if (r != 0)
                return r;
        lower = *ret_parent;
        if (plan->network.mode != MODE_EXCLUSIVE)
                r = parent_lower(job, &plan->network, ret_parent, plan->lease.vlan, &lower,
                                 ret_refusal);
        if (r != 0)
                return r;
        plan->lower = lower.index;
        plan->lower_mtu = lower.mtu;
        plan->lease.mtu = plan->network.mtu ? plan->network.mtu : lower.mtu;
        /* A frame of the parent that is longer does not get into the guest; rawnetctl check has a
         * note on that. */
        if (plan->lease.kind == KIND_TAP)
                plan->lease.mtu = MIN_OF(plan->lease.mtu, RAWNET_TAP_MTU_MAX);
        return 0;
}

/* A random address, and whoever chose it a look at the host's own. One that is to be learned is
 * looked at then (learn.c). */
static int choose_mac(LeasePlan *plan, Netlink *netlink, Refusal *ret_refusal) {
        const MacPrefix *prefix = mac_prefix_to_choose(&plan->network.mac_prefixes);

        if (plan->mac_mode == IPC_MAC_LEARN)
                return 0;
        if (plan->mac_mode == IPC_MAC_RANDOM) {
                int r = prefix ? mac_random(prefix, &plan->lease.mac) : -EINVAL;

                if (r < 0)
                        return r;
        }
        return host_mac_check(netlink, plan->lease.network, &plan->lease.mac, ret_refusal);
}

/* spare: a child made ahead (pool.h), which this try uses up, or none. */
static int try_open(const JobContext *job, const OpenContext *open, LeasePlan *plan, Child *spare,
                    IpcLease *ret_lease, int *ret_fds, size_t *ret_n_fds, Child *ret_keeper,
                    LinkInfo *ret_parent, Refusal *ret_refusal) {
        Child child = *spare;
        int r;

        r = lease_ids_take(open->ids, job->netlink, &plan->lease.id, ret_refusal);
        if (r == 0)
                r = choose_mac(plan, job->netlink, ret_refusal);
        if (r != 0)
                return r;
        plan->lease.since = clock_usec(CLOCK_REALTIME);
        /* Where none was made ahead: the namespace is half of the work, and is made while the
         * host's side is looked at. */
        if (child.socket_fd < 0)
                r = child_start(&job->privilege, &child);
        if (r < 0)
                return r;
        spare->socket_fd = -1;
        r = find_lower(job, plan, ret_parent, ret_refusal);
        if (r == 0)
                r = talk_child(job, plan, &child, ret_lease, ret_fds, ret_n_fds, ret_refusal);
        if (r == 0 && plan->lease.kind == KIND_VETH) {
                *ret_keeper = child;
                return 0;
        }
        safe_close(child.socket_fd);
        /* A child that failed is gone, and with it the namespace and the uplink, before the next
         * try. */
        if (r != 0)
                (void)waitpid(child.pid, NULL, 0);
        return r;
}

/* The reasons for another try, until the deadline: what an ending lease still holds for a moment, a
 * number or address drawn twice. */
static bool is_passing(const LeasePlan *plan, int r, const Refusal *refusal) {
        if (r == RAWNET_NETWORK_BUSY)
                return true;
        if (r == RAWNET_ADDRESS_IN_USE)
                return plan->mac_mode == IPC_MAC_RANDOM;
        return r == RAWNET_KERNEL_REFUSED && refusal->kernel_errno == EEXIST;
}

/* EEXIST at an exclusive lease's uplink: somebody has the VLAN. */
static int explain(const LeasePlan *plan, Netlink *netlink, const LinkInfo *parent, int r,
                   Refusal *refusal) {
        if (r != RAWNET_KERNEL_REFUSED || plan->network.mode != MODE_EXCLUSIVE)
                return r;
        if (refusal->kernel_errno == EEXIST)
                return parent_vlan_taken(netlink, &plan->network, parent, plan->lease.vlan,
                                         refusal);
        if (link_kind_is_missing(r, refusal))
                return parent_no_vlan(&plan->network, plan->lease.vlan, refusal);
        return r;
}

int lease_open(const JobContext *job, const OpenContext *open, const IpcOpen *request,
               IpcLease *ret_lease, int ret_fds[static RAWNET_FDS_MAX], size_t *ret_n_fds,
               Child *ret_keeper, Refusal *ret_refusal) {
        Child spare = open->spare;
        LinkInfo parent = {};
        LeasePlan plan;
        int r;

        *ret_keeper = (Child){.socket_fd = -1};
        r = validate_open(job, open, request, &plan, ret_refusal);
        if (r != 0)
                return r;
        for (;;) {
                r = try_open(job, open, &plan, &spare, ret_lease, ret_fds, ret_n_fds, ret_keeper,
                             &parent, ret_refusal);
                if (r == 0) {
                        r = report_send(job->report_fd,
                                        (Report){REPORT_LEASE, .value = plan.lower,
                                                 .carries = plan.lower_mtu, .lease = *ret_lease});
                        if (r == 0)
                                return 0;
                        fd_pass_close_all(ret_fds, *ret_n_fds);
                        *ret_n_fds = 0;
                        ret_keeper->socket_fd = safe_close(ret_keeper->socket_fd);
                }
                if (r < 0)
                        return r;
                r = explain(&plan, job->netlink, &parent, r, ret_refusal);
                if (!is_passing(&plan, r, ret_refusal) ||
                    clock_usec(CLOCK_MONOTONIC) >= plan.deadline)
                        return lease_name_network(plan.lease.network, plan.network.parent, r,
                                                  ret_refusal);
                if (r == RAWNET_NETWORK_BUSY)
                        clock_pause(PLAN_PAUSE_USEC);
        }
}
