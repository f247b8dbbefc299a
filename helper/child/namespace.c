/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/child/namespace.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/netlink.h>
#include <signal.h>
#include <string.h>

#include "common/clock.h"
#include "common/fd-pass.h"
#include "helper/child/guard.h"
#include "helper/child/keep.h"
#include "helper/child/learn.h"
#include "helper/kernel/offload.h"
#include "helper/child/port.h"
#include "helper/child/shaper.h"
#include "helper/child/uplink.h"
#include "helper/kernel/record.h"
#include "helper/kernel/sysctl.h"

/* Links of the namespace; index 0: this port has none. */
typedef struct Links {
        LinkInfo uplink, port, inner, check;
} Links;

static int find(Netlink *netlink, const char *name, LinkInfo *ret, Refusal *ret_refusal) {
        return link_get(netlink, LINK_HERE, name, ret, ret_refusal);
}

/* Before it is up: an IPv6 link-local address would speak with the guest's MAC and collide with the
 * guest's own. */
static int hush(Netlink *netlink, const LinkInfo *link, Refusal *ret_refusal) {
        const LinkChange change = {.link = link->name, .no_ipv6_address = true};

        return link_change(netlink, link->index, &change, ret_refusal);
}

static int raise_link(Netlink *netlink, const LinkInfo *link, Refusal *ret_refusal) {
        const LinkChange change = {.link = link->name, .flags_on = IFF_UP};

        return link_change(netlink, link->index, &change, ret_refusal);
}

/* Where frames are completed before the guard sees them. */
static int make_check(const LeasePlan *plan, Netlink *netlink, Links *links, Refusal *ret_refusal) {
        const uint32_t number = GUARD_NUMBER(plan->lease.id);
        const LinkPlan check = {
                .name = LINK_NAME_CHECK, .index = GUARD_CHECK | number, .mtu = plan->lease.mtu};
        int r;

        if (plan->shape != GUARD_TAP_CHECKED)
                return 0;
        r = link_make_pair(netlink, &check, LINK_NAME_CHECKED, GUARD_INNER | number, &links->check,
                           &links->inner, ret_refusal);
        return r == 0 ? offload_off(LINK_NAME_CHECK, ret_refusal) : r;
}

static int make_tap(const LeasePlan *plan, Netlink *netlink, Links *links, int *fds,
                    Refusal *ret_refusal) {
        const uint32_t id = plan->lease.id;
        char name[IFNAMSIZ];
        const LinkChange quiet = {
                .link = record_port_name(id, name),
                .mtu = plan->lease.mtu,
                .queue_length = port_queue_length(plan->queues),
                .no_ipv6_address = true,
        };
        int r;

        r = port_open_tap(name, id, plan->queues, fds, ret_refusal);
        if (r != 0)
                return r;
        r = find(netlink, name, &links->port, ret_refusal);
        if (r == 0)
                r = link_change(netlink, links->port.index, &quiet, ret_refusal);
        if (r == 0)
                r = make_check(plan, netlink, links, ret_refusal);
        if (r != 0)
                fd_pass_close_all(fds, plan->queues);
        return r;
}

static int make_packet(const LeasePlan *plan, Netlink *netlink, Links *links,
                       Refusal *ret_refusal) {
        const uint32_t id = plan->lease.id;
        char name[IFNAMSIZ];
        const LinkPlan port = {
                .name = record_port_name(id, name), .index = id, .mtu = plan->lease.mtu};
        int r;

        r = link_make_pair(netlink, &port, LINK_NAME_INNER, GUARD_INNER | GUARD_NUMBER(id),
                           &links->port, &links->inner, ret_refusal);
        /* Wire frames for a reader without virtio_net_hdr: what the guard sends towards the port is
         * complete and fits the MTU. */
        if (r == 0 && !plan->lease.vnet_hdr)
                r = offload_off(LINK_NAME_INNER, ret_refusal);
        /* Others arrive as virtio_net_hdr can describe them. What it cannot, the socket would lose
         * or describe as something else. */
        if (r == 0 && plan->lease.vnet_hdr)
                r = offload_describable(LINK_NAME_INNER, false, ret_refusal);
        /* What the sender left unfinished is completed on the way to inner, where the guard is. */
        if (r == 0 && (plan->checksum_trick || plan->blind))
                r = offload_off(name, ret_refusal);
        return r;
}

/* A container's kernel can send a frame in such a way (ifb) that the port's hook does not see it
 * (net/core/dev.c, skb_skip_tc_classify()). It comes to this namespace's IP stack, which would take a
 * router's advertisement and make an address. Over IPv4 nothing here has an address or a route. */
static int deafen(const LinkInfo *link, Refusal *ret_refusal) {
        int r = sysctl_write_ipv6(link->name, "disable_ipv6", 1);

        /* A kernel without IPv6. */
        if (r == -ENOENT)
                return 0;
        return r < 0 ? refuse_errno(ret_refusal, -r, "switching IPv6 off on interface %s",
                                    link->name)
                     : 0;
}

/* The worker has made the pair: its other end is in another namespace, where this process may do
 * nothing. */
static int find_veth(const LeasePlan *plan, Netlink *netlink, Links *links, Refusal *ret_refusal) {
        char name[IFNAMSIZ];
        const LinkPlan port = {.name = record_port_name(plan->lease.id, name),
                               .index = plan->lease.id,
                               .mtu = plan->lease.mtu};
        LinkInfo other;
        int r;

        if (plan->rehearsal) {
                r = link_make_pair(netlink, &port, NAMESPACE_ATTACHED, 0, &links->port, &other,
                                   ret_refusal);
        } else {
                r = find(netlink, name, &links->port, ret_refusal);
                if (r == 0)
                        r = hush(netlink, &links->port, ret_refusal);
        }
        if (r == 0)
                r = deafen(&links->port, ret_refusal);
        return r == 0 ? make_check(plan, netlink, links, ret_refusal) : r;
}

static int make_port(const LeasePlan *plan, Netlink *netlink, Links *links, int *fds,
                     Refusal *ret_refusal) {
        switch ((LeaseKind)plan->lease.kind) {
        case KIND_TAP:
                return make_tap(plan, netlink, links, fds, ret_refusal);
        case KIND_PACKET:
                return make_packet(plan, netlink, links, ret_refusal);
        case KIND_VETH:
                return find_veth(plan, netlink, links, ret_refusal);
        case KIND_UNKNOWN:
                break;
        }
        return -EINVAL;
}

static Guard describe_guard(const LeasePlan *plan, const Links *links) {
        return (Guard){
                .shape = plan->shape,
                .id = plan->lease.id,
                .uplink = {links->uplink.name, links->uplink.index},
                .port = {links->port.name, links->port.index},
                .inner = {links->inner.name, links->inner.index},
                .check = {links->check.name, links->check.index},
                .checksum_trick = plan->checksum_trick,
                .blind = plan->blind,
                .container = plan->lease.kind == KIND_VETH,
                .mtu = plan->lease.mtu,
                .vnet_hdr = plan->lease.vnet_hdr,
                .limited = plan->rate != 0,
                .anti_spoof = plan->network.anti_spoof,
                .pass_control = plan->network.pass_control,
                .allow_dhcp = plan->network.guest_servers & GUEST_SERVER_DHCP,
                .allow_ra = plan->network.guest_servers & GUEST_SERVER_RA,
                /* A macvlan in this mode takes a group frame with its own source for its own
                 * (drivers/net/macvlan.c, macvlan_handle_frame()); the others do not. Reflected, it
                 * breaks IPv6's duplicate address detection (RFC 4862). */
                .drop_own = plan->network.mode == MODE_PRIVATE,
                .learning = plan->mac_mode == IPC_MAC_LEARN,
                .mac = plan->lease.mac,
                .locked = plan->network.address_lock != ADDRESS_LOCK_OFF ||
                          address_list_count(&plan->addresses) > 0,
                .addresses = plan->addresses,
        };
}

#define ACTIVE_PATIENCE_USEC UINT64_C(1000000)
#define ACTIVE_PAUSE_USEC UINT64_C(300)

/*
 * Of a veth pair, the end that is raised first has no carrier yet. It gets it from the other's, but
 * its queue is activated later, by a work of the kernel's own that waits for RTNL
 * (net/core/link_watch.c); until then all that is sent there is lost, the first frames of a new
 * port. The same step makes it operational. Kernels from about 6.8 take it when asked for the link,
 * others soon.
 */
static int wait_operational(Netlink *netlink, const LinkInfo *link, Refusal *ret_refusal) {
        uint64_t deadline = clock_usec(CLOCK_MONOTONIC) + ACTIVE_PATIENCE_USEC;
        LinkInfo now;
        int r;

        for (;;) {
                r = find(netlink, link->name, &now, ret_refusal);
                /* A late port is a port: the kernel catches up. */
                if (r != 0 || now.operational || clock_usec(CLOCK_MONOTONIC) >= deadline)
                        return r;
                clock_pause(ACTIVE_PAUSE_USEC);
        }
}

/* Everything is down until the guard is in; the uplink comes last. */
static int raise_links(const LeasePlan *plan, Netlink *netlink, const Links *links,
                       Refusal *ret_refusal) {
        const LinkInfo *inside[] = {&links->check, &links->inner, &links->port};

        for (size_t i = 0; i < ARRAY_SIZE(inside); i++) {
                if (inside[i]->index > 0) {
                        int r = raise_link(netlink, inside[i], ret_refusal);

                        if (r != 0)
                                return r;
                }
        }
        if (links->check.index > 0 || links->inner.index > 0) {
                const LinkInfo *first = links->check.index > 0 ? &links->check : &links->inner;
                int r = wait_operational(netlink, first, ret_refusal);

                if (r != 0)
                        return r;
        }
        if (plan->mac_mode == IPC_MAC_LEARN)
                return 0;
        return uplink_raise(plan, netlink, links->uplink.index, ret_refusal);
}

/* What is below a real port's uplink in the host's namespace, for a rehearsal: a wire, on it the
 * VLAN's interface where there is a VLAN, and on that the uplink. */
static int make_wire(const LeasePlan *plan, Netlink *netlink, Refusal *ret_refusal) {
        const bool exclusive = plan->network.mode == MODE_EXCLUSIVE;
        char uplink_name[IFNAMSIZ];
        const char *uplink = record_uplink_name(&plan->lease, uplink_name);
        const uint32_t index = GUARD_UPLINK | GUARD_NUMBER(plan->lease.id);
        const LinkPlan wire = {.name = "wire", .mtu = plan->lower_mtu};
        LinkPlan link = {.name = exclusive ? uplink : "tagged", .index = exclusive ? index : 0};
        LinkInfo lower, far;
        int r;

        r = link_make_pair(netlink, &wire, NAMESPACE_FAR, 0, &lower, &far, ret_refusal);
        if (r == 0)
                r = raise_link(netlink, &lower, ret_refusal);
        if (r == 0)
                r = raise_link(netlink, &far, ret_refusal);
        if (r == 0 && plan->lease.vlan != 0) {
                link.lower = lower.index;
                r = link_add_vlan(netlink, &link, plan->lease.vlan, plan->network.protocol,
                                  ret_refusal);
                if (r == 0)
                        r = find(netlink, link.name, &lower, ret_refusal);
                if (r == 0)
                        r = raise_link(netlink, &lower, ret_refusal);
        }
        if (r != 0 || exclusive)
                return r;
        link = (LinkPlan){
                .name = uplink, .index = index, .lower = lower.index, .mtu = plan->lease.mtu};
        return link_add_macvlan(netlink, &link, MACVLAN_MODE_BRIDGE, ret_refusal);
}

int namespace_build(const LeasePlan *plan, const GuardProgram *program, Netlink *netlink,
                    Guard *ret_guard, int *fds, Refusal *ret_refusal) {
        const bool packet = plan->lease.kind == KIND_PACKET;
        char name[IFNAMSIZ];
        size_t opened = 0;
        Links links = {};
        int r = 0;

        if (plan->rehearsal)
                r = make_wire(plan, netlink, ret_refusal);
        if (r == 0)
                r = find(netlink, record_uplink_name(&plan->lease, name), &links.uplink,
                         ret_refusal);
        if (r == 0)
                r = hush(netlink, &links.uplink, ret_refusal);
        if (r != 0)
                return r;
        if (plan->limits_filters)
                port_limit_filters();
        r = make_port(plan, netlink, &links, fds, ret_refusal);
        if (r == 0 && plan->lease.kind == KIND_TAP)
                opened = plan->queues;
        if (r == 0) {
                *ret_guard = describe_guard(plan, &links);
                r = guard_install(ret_guard, program, netlink, ret_refusal);
        }
        /* Everything is still down: there is never a port without its limit. */
        if (r == 0 && plan->rate != 0)
                r = shaper_install(ret_guard, plan->rate, netlink, ret_refusal);
        if (r == 0)
                r = raise_links(plan, netlink, &links, ret_refusal);
        if (r == 0 && packet) {
                r = port_open_packet(links.port.index, plan->lease.vnet_hdr, plan->queues, fds,
                                     ret_refusal);
                opened = r == 0 ? plan->queues : 0;
        }
        if (r == 0 && packet && plan->lease.vnet_hdr && port_describes_udp(fds[0]))
                r = offload_describable(LINK_NAME_INNER, true, ret_refusal);
        if (r == 0 && plan->vhost) {
                r = port_open_vhost(plan->queues, fds + opened, ret_refusal);
                opened += r == 0 ? plan->queues : 0;
        }
        if (r == 0)
                r = uplink_write_record(plan, netlink, ret_refusal);
        if (r != 0)
                fd_pass_close_all(fds, opened);
        return r;
}

/* Keeps stdio and the socket, drops whatever else was open where it was forked: other leases'
 * descriptors and connections above all. */
static int close_strays(int *socket_fd) {
        if (*socket_fd != 3 && dup3(*socket_fd, 3, O_CLOEXEC) < 0)
                return -errno;
        *socket_fd = 3;
        return close_range(4, UINT_MAX, 0) < 0 ? -errno : 0;
}

/* The child made the namespace and may do everything there, unless a security module let it make a
 * user namespace and then took its capabilities away, as AppArmor does on Ubuntu 24.04. */
static int explain_powerless(int r, Refusal *refusal) {
        Refusal kernel = *refusal;

        if (r != RAWNET_KERNEL_REFUSED || kernel.kernel_errno != EPERM)
                return r;
        return refuse(
                refusal, RAWNET_NOT_SUPPORTED,
                "this system lets rawnet-helper make a user namespace but not use it (%s); allow it "
                "userns (AppArmor: kernel.apparmor_restrict_unprivileged_userns), or see the "
                "CAP_SYS_ADMIN drop-in in rawnet-helper(8)",
                kernel.text);
}

/* The other end of a veth port is in somebody's namespace. It goes at once, and not whenever the
 * kernel gets to deleting this namespace: its name is free again for the next try. */
static void take_veth_back(const LeasePlan *plan, Netlink *netlink) {
        char name[IFNAMSIZ];

        if (plan->lease.kind == KIND_VETH)
                (void)link_delete_named(netlink, LINK_HERE, record_port_name(plan->lease.id, name),
                                        &(Refusal){});
}

static int tell(int socket_fd, const ChildMessage *message, const int *fds, size_t n_fds) {
        return fd_pass_send(socket_fd, message, sizeof(*message), fds, n_fds, 0);
}

static int enter(const Privilege *privilege, int socket_fd, pid_t parent, Refusal *ret_refusal) {
        const ChildMessage message = {.step = CHILD_READY};
        int r;

        r = privilege_enter_lease(privilege, ret_refusal);
        if (r == 0)
                r = privilege_die_with(parent);
        return r == 0 ? tell(socket_fd, &message, NULL, 0) : r;
}

/* The plan, and the guard; and for learn.c the report socket, and a netlink socket of the host's
 * namespace. */
static int receive_plan(int socket_fd, LeasePlan *ret, GuardProgram *ret_program,
                        int *ret_report_fd, int *ret_host_fd) {
        const size_t n_always = GUARD_HANDLES + 1;
        int fds[RAWNET_FDS_MAX];
        size_t n_fds;
        ssize_t n;

        n = fd_pass_receive(socket_fd, ret, sizeof(*ret), fds, &n_fds, 0);
        if (n < 0)
                return (int)n;
        /* A child made ahead that nobody wanted. */
        if (n == 0)
                _exit(EXIT_SUCCESS);
        if (n != sizeof(*ret) || n_fds != n_always + (ret->mac_mode == IPC_MAC_LEARN)) {
                fd_pass_close_all(fds, n_fds);
                return -EBADMSG;
        }
        memcpy(ret_program->fd, fds, sizeof(ret_program->fd));
        *ret_report_fd = fds[GUARD_HANDLES];
        *ret_host_fd = n_fds > n_always ? fds[n_always] : -1;
        return 0;
}

_Noreturn void namespace_run(const Privilege *privilege, int socket_fd, pid_t parent) {
        ChildMessage message = {.step = CHILD_FAILED};
        int fds[2 * RAWNET_QUEUES_MAX], report_fd = -1, host_fd = -1, r;
        GuardProgram program = {.events_fd = -1};
        Netlink netlink = {};
        LeasePlan plan = {};
        sigset_t none;
        size_t n_fds;
        Guard guard;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        r = privilege_die_with(parent);
        if (r == 0)
                r = close_strays(&socket_fd);
        if (r == 0)
                r = enter(privilege, socket_fd, parent, &message.refusal);
        if (r == 0)
                r = netlink_open(&netlink, NETLINK_ROUTE);
        if (r == 0)
                r = receive_plan(socket_fd, &plan, &program, &report_fd, &host_fd);
        if (r == 0)
                r = guard_program_map(&program, plan.lease.id);
        if (r == 0)
                r = namespace_build(&plan, &program, &netlink, &guard, fds, &message.refusal);
        r = explain_powerless(r, &message.refusal);
        if (r != 0) {
                if (netlink.socket)
                        take_veth_back(&plan, &netlink);
                message.fatal = r < 0 ? r : 0;
                (void)tell(socket_fd, &message, NULL, 0);
                _exit(EXIT_FAILURE);
        }
        n_fds = ipc_kind_has_fds(plan.lease.kind) ? plan.queues * (plan.vhost ? 2 : 1) : 0;
        message.step = CHILD_DONE;
        message.lease = plan.lease;
        if (plan.mac_mode == IPC_MAC_LEARN)
                learn_run(&plan, &netlink, &guard, &program, socket_fd, report_fd, host_fd,
                          &message, fds, n_fds);
        if (plan.lease.kind == KIND_VETH && !plan.rehearsal)
                keep_run(&guard, &netlink, &program, socket_fd, &message);
        r = tell(socket_fd, &message, fds, n_fds);
        _exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
