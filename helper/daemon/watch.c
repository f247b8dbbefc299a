/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/watch.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/names.h"
#include "helper/kernel/link-info.h"
#include "helper/kernel/nsid.h"

/* Room for the burst of a thousand leases that end together. A scan finds what is lost in a longer
 * one. */
#define WATCH_BUFFER_BYTES (1024 * 1024)

static int nsid_gone(const struct nlmsghdr *m, void *data) {
        const Watch *watch = data;
        int32_t nsid = nsid_of_message(m);

        if (m->nlmsg_type == RTM_DELNSID && nsid >= (int32_t)RAWNET_ID_MIN)
                watch->events->lease_gone(watch->data, (uint32_t)nsid);
        return MNL_CB_OK;
}

/* ifi_change of an interface that has just come: net/core/dev.c, register_netdevice(). */
#define LINK_IS_NEW UINT32_MAX

/* Has the VLAN interface the alias that rawnet gives a shared one, and not rawnet's mark? An
 * administrator may have taken it over; the sweep finds out. */
static bool lost_its_mark(const LinkInfo *link) {
        return strncmp(link->alias, RAWNET_VLAN_ALIAS_PREFIX, strlen(RAWNET_VLAN_ALIAS_PREFIX)) ==
                       0 &&
               link->group != RAWNET_VLAN_GROUP;
}

static int link_came_or_went(const struct nlmsghdr *m, void *data) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        const Watch *watch = data;
        LinkInfo link;

        if (link_parse(m, &link) < 0) {
                errno = EBADMSG;
                return MNL_CB_ERROR;
        }
        if (m->nlmsg_type == RTM_DELLINK) {
                watch->events->link_gone(watch->data, link.index,
                                         strcmp(link.kind, "macvlan") == 0);
                return MNL_CB_OK;
        }
        if (strcmp(link.kind, "vlan") == 0 &&
            (i->ifi_change == LINK_IS_NEW || lost_its_mark(&link)))
                watch->events->vlan_news(watch->data);
        watch->events->link_changed(watch->data, link.index, link.name, link.mtu);
        return MNL_CB_OK;
}

static int receive(Watch *watch, Netlink *netlink, mnl_cb_t callback) {
        NETLINK_BUFFER(buffer);
        ssize_t n = recv(mnl_socket_get_fd(netlink->socket), buffer, sizeof(buffer),
                         MSG_DONTWAIT | MSG_TRUNC);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        /* A message was lost (ENOBUFS), was longer than the buffer or cannot be read: anything may
         * have happened. */
        if (n < 0 || (size_t)n > sizeof(buffer) ||
            mnl_cb_run(buffer, (size_t)n, 0, 0, callback, watch) < 0)
                watch->events->lost(watch->data);
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
