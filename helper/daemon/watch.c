/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/watch.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/names.h"
#include "helper/kernel/nsid.h"

/* Room for the burst of a thousand leases that end together; what is lost all the same is found by
 * a scan. */
#define WATCH_BUFFER_BYTES (1024 * 1024)

static int nsid_gone(const struct nlmsghdr *m, void *data) {
        const Watch *watch = data;
        int32_t nsid = nsid_of_message(m);

        if (m->nlmsg_type == RTM_DELNSID && nsid >= (int32_t)RAWNET_ID_MIN)
                watch->events->lease_gone(watch->data, (uint32_t)nsid);
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

/* Has it the alias that rawnet gives a shared VLAN interface, and not its mark? An administrator
 * may have taken it over; the sweep looks at it. */
static bool lost_its_mark(const struct nlmsghdr *m) {
        const size_t n = strlen(RAWNET_VLAN_ALIAS_PREFIX);
        const struct nlattr *a;
        bool alias = false;
        uint32_t group = 0;

        mnl_attr_for_each(a, m, sizeof(struct ifinfomsg)) {
                if (mnl_attr_get_type(a) == IFLA_IFALIAS &&
                    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
                        alias = strncmp(mnl_attr_get_str(a), RAWNET_VLAN_ALIAS_PREFIX, n) == 0;
                if (mnl_attr_get_type(a) == IFLA_GROUP && mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
                        group = mnl_attr_get_u32(a);
        }
        return alias && group != RAWNET_VLAN_GROUP;
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

static int link_came_or_went(const struct nlmsghdr *m, void *data) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        const Watch *watch = data;
        const char *name;
        uint32_t mtu;

        if (mnl_nlmsg_get_payload_len(m) < sizeof(*i))
                return MNL_CB_OK;
        if (m->nlmsg_type == RTM_NEWLINK) {
                if (is_of_kind(m, "vlan") && (i->ifi_change == LINK_IS_NEW || lost_its_mark(m)))
                        watch->events->vlan_news(watch->data);
                read_mtu(m, &name, &mtu);
                watch->events->link_changed(watch->data, (uint32_t)i->ifi_index, name, mtu);
        } else if (m->nlmsg_type == RTM_DELLINK) {
                watch->events->link_gone(watch->data, (uint32_t)i->ifi_index,
                                         is_of_kind(m, "macvlan"));
        }
        return MNL_CB_OK;
}

static int receive(Watch *watch, Netlink *netlink, mnl_cb_t callback) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        ssize_t n = recv(mnl_socket_get_fd(netlink->socket), buffer, sizeof(buffer),
                         MSG_DONTWAIT | MSG_TRUNC);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        /* Something was lost: ENOBUFS when messages come too fast, or one was longer than the
         * buffer, or cannot be read. What did not arrive is no sign that nothing happened. */
        if (n < 0 || (size_t)n > sizeof(buffer) ||
            mnl_cb_run(buffer, (size_t)n, 0, 0, callback, watch) < 0) {
                log_debug("messages of the kernel were lost; looking at all leases");
                watch->events->lost(watch->data);
        }
        watch->events->settle(watch->data);
        return 0;
}

static int on_nsid(sd_event_source *source, int fd, uint32_t events, void *data) {
        Watch *watch = data;

        return receive(watch, &watch->nsids, nsid_gone);
}

static int on_link(sd_event_source *source, int fd, uint32_t events, void *data) {
        Watch *watch = data;

        return receive(watch, &watch->links, link_came_or_went);
}

static int subscribe(Watch *watch, sd_event *event, Netlink *netlink, int group,
                     sd_event_io_handler_t handler) {
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
        r = sd_event_add_io(event, NULL, mnl_socket_get_fd(netlink->socket), EPOLLIN, handler,
                            watch);
        return r < 0 ? r : 0;
}

int watch_start(Watch *watch, sd_event *event) {
        int r = subscribe(watch, event, &watch->nsids, RTNLGRP_NSID, on_nsid);

        return r < 0 ? r : subscribe(watch, event, &watch->links, RTNLGRP_LINK, on_link);
}

void watch_stop(Watch *watch) {
        netlink_close(&watch->nsids);
        netlink_close(&watch->links);
}
