/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/watch.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "helper/kernel/nsid.h"

/* Room for the burst of a thousand leases that end together; what is lost all the same is found by
 * a scan. */
#define WATCH_BUFFER_BYTES (1024 * 1024)

static int nsid_gone(const struct nlmsghdr *m, void *data) {
        Server *server = data;
        int32_t nsid = nsid_of_message(m);
        WireLease lease;

        if (m->nlmsg_type != RTM_DELNSID || nsid < (int32_t)RAWNET_ID_MIN)
                return MNL_CB_OK;
        if (registry_remove(&server->registry, (uint32_t)nsid, &lease)) {
                server_publish_end(server, &lease,
                                   lease.gone ? WIRE_END_NAMESPACE : WIRE_END_LAST_FD);
                if (lease.vlan != 0)
                        server->sweep_wanted = true;
        }
        return MNL_CB_OK;
}

/* An interface that has just come says that all of its flags have changed: net/core/dev.c,
 * register_netdevice(). */
#define LINK_IS_NEW UINT32_MAX

static bool is_of_kind(const struct nlmsghdr *m, const char *kind) {
        const struct nlattr *a, *o;

        mnl_attr_for_each(a, m, sizeof(struct ifinfomsg)) {
                if (mnl_attr_get_type(a) != IFLA_LINKINFO)
                        continue;
                mnl_attr_for_each_nested(o, a) {
                        if (mnl_attr_get_type(o) == IFLA_INFO_KIND &&
                            mnl_attr_validate(o, MNL_TYPE_NUL_STRING) >= 0)
                                return strcmp(mnl_attr_get_str(o), kind) == 0;
                }
        }
        return false;
}

/* What else there is to know of a link that changed: its name ("" if it has none here) and MTU (0).
 */
static void read_mtu(const struct nlmsghdr *m, const char **ret_name, uint32_t *ret_mtu) {
        const struct nlattr *a;

        *ret_name = "";
        *ret_mtu = 0;
        mnl_attr_for_each(a, m, sizeof(struct ifinfomsg)) {
                if (mnl_attr_get_type(a) == IFLA_IFNAME &&
                    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
                        *ret_name = mnl_attr_get_str(a);
                if (mnl_attr_get_type(a) == IFLA_MTU && mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
                        *ret_mtu = mnl_attr_get_u32(a);
        }
}

/* A lease carries what the interface below its uplink carries, and never more than its port's own
 * MTU. */
static void follow_mtu(Server *server, const struct nlmsghdr *m, uint32_t index) {
        size_t n = 0, n_direct = 0, position = 0;
        const RegistryEntry *entry;
        const char *name;
        uint32_t mtu;

        read_mtu(m, &name, &mtu);
        while ((entry = registry_follow_mtu(&server->registry, index, mtu, &position))) {
                server_publish_lease(server, &entry->lease);
                n++;
                n_direct += entry->lease.isolation == ISOLATION_DIRECT;
        }
        if (n > 0)
                log_notice("the MTU of %s is %" PRIu32 " now, and so is that of %zu lease%s on it",
                           name, mtu, n, n == 1 ? "" : "s");
        if (n_direct > 0)
                log_notice(
                        "%zu of them have Isolation=direct and keep that MTU if %s gets a larger one: open them "
                        "anew then",
                        n_direct, name);
}

static int link_came_or_went(const struct nlmsghdr *m, void *data) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        Server *server = data;

        if (mnl_nlmsg_get_payload_len(m) < sizeof(*i))
                return MNL_CB_OK;
        /* A shared one is made at the beginning of an open. That it is swept away when nothing
         * comes of the open, whatever the reason, is seen to now. */
        if (m->nlmsg_type == RTM_NEWLINK && i->ifi_change == LINK_IS_NEW && is_of_kind(m, "vlan"))
                server->sweep_wanted = true;
        if (m->nlmsg_type == RTM_NEWLINK)
                follow_mtu(server, m, (uint32_t)i->ifi_index);
        if (m->nlmsg_type != RTM_DELLINK)
                return MNL_CB_OK;
        if (registry_stands_on(&server->registry, (uint32_t)i->ifi_index))
                server->scan_wanted = true;
        /* Of the host's own macvlans some are host legs, which keep a shared VLAN interface. */
        if (is_of_kind(m, "macvlan"))
                server->sweep_wanted = true;
        return MNL_CB_OK;
}

static int receive(Server *server, Netlink *netlink, mnl_cb_t callback) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        ssize_t n = recv(mnl_socket_get_fd(netlink->socket), buffer, sizeof(buffer),
                         MSG_DONTWAIT | MSG_TRUNC);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        /* Something was lost: ENOBUFS when messages come too fast, or one was longer than the
         * buffer, or cannot be read. What did not arrive is no sign that nothing happened. */
        if (n < 0 || (size_t)n > sizeof(buffer) ||
            mnl_cb_run(buffer, (size_t)n, 0, 0, callback, server) < 0) {
                log_debug("messages of the kernel were lost; looking at all leases");
                server->scan_wanted = true;
        }
        server_settle(server);
        return 0;
}

static int on_nsid(sd_event_source *source, int fd, uint32_t events, void *data) {
        Server *server = data;

        return receive(server, &server->nsids, nsid_gone);
}

static int on_link(sd_event_source *source, int fd, uint32_t events, void *data) {
        Server *server = data;

        return receive(server, &server->links, link_came_or_went);
}

static int subscribe(Server *server, Netlink *netlink, int group, sd_event_io_handler_t handler) {
        int size = WATCH_BUFFER_BYTES, r;

        r = netlink_open(netlink, NETLINK_ROUTE);
        if (r < 0)
                return r;
        /* FORCE goes beyond net.core.rmem_max and takes CAP_NET_ADMIN of the initial user namespace
         * (socket(7)). */
        if (mnl_socket_setsockopt(netlink->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
            0)
                return -errno;
        if (setsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size,
                       sizeof(size)) < 0)
                log_debug("SO_RCVBUFFORCE: %m");
        r = sd_event_add_io(server->event, NULL, mnl_socket_get_fd(netlink->socket), EPOLLIN,
                            handler, server);
        return r < 0 ? r : 0;
}

int watch_start(Server *server) {
        int r = subscribe(server, &server->nsids, RTNLGRP_NSID, on_nsid);

        return r < 0 ? r : subscribe(server, &server->links, RTNLGRP_LINK, on_link);
}

void watch_stop(Server *server) {
        netlink_close(&server->nsids);
        netlink_close(&server->links);
}
