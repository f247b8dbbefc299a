/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/lease.h"

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
#include "helper/worker/parent.h"
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

static int talk_child(const LeasePlan *plan, Netlink *netlink, const Child *child, int report_fd,
                      WireLease *ret_lease, int *ret_fds, size_t *ret_n_fds, Refusal *ret_refusal) {
        int r;

        r = child_hear(child, CHILD_READY, ret_lease, ret_fds, ret_n_fds, ret_refusal);
        if (r == 0)
                r = add_uplink(plan, netlink, child->pid, ret_refusal);
        if (r == 0)
                r = nsid_set(netlink, child->pid, plan->lease.id, ret_refusal);
        if (r == 0)
                r = child_go(child, plan, report_fd,
                             plan->mac_mode == WIRE_MAC_LEARN ? mnl_socket_get_fd(netlink->socket)
                                                              : -1);
        if (r == 0)
                r = child_hear(child, CHILD_DONE, ret_lease, ret_fds, ret_n_fds, ret_refusal);
        if (r == 0)
                widen_sockets(plan, ret_fds, *ret_n_fds);
        return r;
}

static int find_lower(LeasePlan *plan, Netlink *netlink, LinkInfo *ret_parent,
                      Refusal *ret_refusal) {
        LinkInfo lower;
        int r;

        r = parent_find(netlink, &plan->network, plan->lease.vlan, ret_parent, ret_refusal);
        if (r != 0)
                return r;
        lower = *ret_parent;
        if (plan->network.mode != MODE_EXCLUSIVE)
                r = parent_lower(netlink, &plan->network, ret_parent, plan->lease.vlan, &lower,
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

        if (plan->mac_mode == WIRE_MAC_LEARN)
                return 0;
        if (plan->mac_mode == WIRE_MAC_RANDOM) {
                int r = prefix ? mac_random(prefix, &plan->lease.mac) : -EINVAL;

                if (r < 0)
                        return r;
        }
        return host_mac_check(netlink, plan->lease.network, &plan->lease.mac, ret_refusal);
}

/* spare: a child made ahead (spare.h), which this try uses up, or none. */
static int try_open(LeasePlan *plan, Netlink *netlink, LeaseIds *ids, Child *spare, int report_fd,
                    WireLease *ret_lease, int *ret_fds, size_t *ret_n_fds, LinkInfo *ret_parent,
                    Refusal *ret_refusal) {
        Child child = *spare;
        int r;

        /* Keeps the last try's id if that is free: an open that waits for a VLAN uses up one id. */
        r = lease_ids_take(ids, netlink, &plan->lease.id, ret_refusal);
        if (r == 0)
                r = choose_mac(plan, netlink, ret_refusal);
        if (r != 0)
                return r;
        plan->lease.since = clock_usec(CLOCK_REALTIME);
        /* Where none was made ahead: the namespace is half of the work, and is made while the
         * host's side is looked at. */
        if (child.socket_fd < 0)
                r = child_start(&plan->privilege, &child);
        if (r < 0)
                return r;
        spare->socket_fd = -1;
        r = find_lower(plan, netlink, ret_parent, ret_refusal);
        if (r == 0)
                r = talk_child(plan, netlink, &child, report_fd, ret_lease, ret_fds, ret_n_fds,
                               ret_refusal);
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
                return plan->mac_mode == WIRE_MAC_RANDOM;
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

/* The kernel's words say what; the network's name says where. */
int lease_name_network(const char *network, const char *parent, int r, Refusal *refusal) {
        static const char named[] = "network '";
        Refusal said = *refusal;

        if (r == RAWNET_KERNEL_REFUSED) {
                refuse(refusal, RAWNET_KERNEL_REFUSED, "network '%s' on %s: the kernel refused: %s",
                       network, parent, said.text);
                refusal->kernel_errno = said.kernel_errno;
        } else if (strncmp(said.text, named, sizeof(named) - 1) != 0) {
                /* From a room that knows of links and devices only. */
                refuse(refusal, said.error, "network '%s': %s", network, said.text);
        }
        return r;
}

int lease_open(const LeaseContext *context, const WireOpen *request, WireLease *ret_lease,
               int ret_fds[static RAWNET_FDS_MAX], size_t *ret_n_fds, Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink netlink = {};
        Child spare = context->spare;
        LinkInfo parent = {};
        LeasePlan plan;
        int r;

        r = validate_open(context, request, &plan, ret_refusal);
        if (r != 0)
                return r;
        r = netlink_open(&netlink, NETLINK_ROUTE);
        if (r < 0)
                return r;
        for (;;) {
                r = try_open(&plan, &netlink, context->ids, &spare, context->report_fd, ret_lease,
                             ret_fds, ret_n_fds, &parent, ret_refusal);
                if (r == 0) {
                        r = report_lease(context->report_fd, ret_lease, plan.lower, plan.lower_mtu);
                        if (r == 0)
                                return 0;
                        fd_pass_close_all(ret_fds, *ret_n_fds);
                        *ret_n_fds = 0;
                }
                if (r < 0)
                        return r;
                r = explain(&plan, &netlink, &parent, r, ret_refusal);
                if (!is_passing(&plan, r, ret_refusal) ||
                    clock_usec(CLOCK_MONOTONIC) >= plan.deadline)
                        return lease_name_network(plan.lease.network, plan.network.parent, r,
                                                  ret_refusal);
                if (r == RAWNET_NETWORK_BUSY)
                        clock_pause(PLAN_PAUSE_USEC);
        }
}

static int delete_link(Netlink *netlink, uint32_t id, const char *name, Refusal *ret_refusal) {
        Refusal refusal = {};
        LinkInfo link;
        int r;

        r = link_get(netlink, (int32_t)id, name, &link, &refusal);
        if (r == 0)
                r = link_delete(netlink, (int32_t)id, &link, &refusal);
        if (link_is_missing(r, &refusal))
                return 0;
        if (r > 0)
                *ret_refusal = refusal;
        return r;
}

/* The lease, where there is something to do about it. */
static int find_lease(Netlink *netlink, uint32_t id, WireLease *ret, Refusal *ret_refusal) {
        int r = record_read(netlink, id, ret, NULL, ret_refusal);

        if (r != 0)
                return r;
        if (ret->later)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "a later version of rawnet opened lease " RAWNET_PORT_NAME_FORMAT
                              ", and this version leaves "
                              "it alone; "
                              "its holder ends it, or install that version again",
                              id);
        if (ret->gone)
                return refuse(ret_refusal, RAWNET_NO_SUCH_LEASE,
                              "lease " RAWNET_PORT_NAME_FORMAT
                              " is already closed; its holder still has the descriptor "
                              "open",
                              id);
        return 0;
}

int lease_close(const LeaseContext *context, uint32_t id, Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink netlink = {};
        char name[IFNAMSIZ];
        WireLease lease;
        int r;

        r = netlink_open(&netlink, NETLINK_ROUTE);
        if (r == 0)
                r = find_lease(&netlink, id, &lease, ret_refusal);
        /* The wire first: an exclusive VLAN is free at once. */
        if (r == 0)
                r = delete_link(&netlink, id, record_uplink_name(&lease, name), ret_refusal);
        if (r == 0)
                r = delete_link(&netlink, id, record_port_name(id, name), ret_refusal);
        if (r == 0) {
                lease.gone = true;
                r = report_send(context->report_fd, REPORT_CLOSED, &lease, 0);
        }
        return r;
}

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
        s->multicast = 0; /* counted for what the tap received, which is what the guest sent */
}

int lease_statistics(const LeaseContext *context, uint32_t id,
                     uint64_t ret[static WIRE_STATISTICS_COUNT], Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink netlink = {};
        char name[IFNAMSIZ];
        WireLease lease;
        LinkInfo port;
        int r;

        r = netlink_open(&netlink, NETLINK_ROUTE);
        if (r == 0)
                r = find_lease(&netlink, id, &lease, ret_refusal);
        if (r != 0)
                return r;
        /* What a packet port's holder sends leaves by the uplink without having been counted at the
         * port (guard.h). */
        if (lease.kind == KIND_TAP)
                record_port_name(id, name);
        else
                record_uplink_name(&lease, name);
        r = link_get(&netlink, (int32_t)id, name, &port, ret_refusal);
        if (r != 0)
                return r;
        if (lease.kind == KIND_TAP)
                turn_round(&port.statistics);
        memcpy(ret, &port.statistics,
               MIN_OF(sizeof(port.statistics), WIRE_STATISTICS_COUNT * sizeof(uint64_t)));
        return 0;
}
