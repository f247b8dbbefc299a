/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A network's parent as an unprivileged program sees it: one RTM_GETLINK by name. /sys/class/net is
 * asked for the one thing that rtnetlink does not say, since it may show another network namespace
 * than ours.
 */

#include "client/parent.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static bool is_wireless(const char *name) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "/sys/class/net/%s/phy80211", name) < 0) {
                path = NULL;
                return false;
        }
        return access(path, F_OK) == 0;
}

static int read_link_info(const struct nlattr *attribute, void *data) {
        ParentInfo *info = data;
        const char *kind = mnl_attr_get_payload(attribute);

        if (mnl_attr_get_type(attribute) == IFLA_INFO_SLAVE_KIND &&
            mnl_attr_get_payload_len(attribute) <= sizeof(info->slave_kind) &&
            mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
                memcpy(info->slave_kind, kind, mnl_attr_get_payload_len(attribute));
        return MNL_CB_OK;
}

static int read_attribute(const struct nlattr *attribute, void *data) {
        ParentInfo *info = data;

        switch (mnl_attr_get_type(attribute)) {
        case IFLA_MASTER:
                if (mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
                        info->master = mnl_attr_get_u32(attribute);
                break;
        case IFLA_MTU:
                if (mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
                        info->mtu = mnl_attr_get_u32(attribute);
                break;
        case IFLA_LINKINFO:
                return mnl_attr_parse_nested(attribute, read_link_info, data);
        }
        return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *header, void *data) {
        const struct ifinfomsg *link = mnl_nlmsg_get_payload(header);
        ParentInfo *info = data;

        if (header->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(header) < sizeof(*link))
                return MNL_CB_ERROR;
        info->index = (uint32_t)link->ifi_index;
        info->flags = link->ifi_flags;
        info->hardware = link->ifi_type;
        return mnl_attr_parse(header, sizeof(*link), read_attribute, data);
}

static void closesocketp(struct mnl_socket **socket) {
        if (*socket)
                mnl_socket_close(*socket);
}

int parent_info(const char *name, ParentInfo *ret) {
        _cleanup_(closesocketp) struct mnl_socket *socket =
                        mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
        char request[256],
                        answer[32768]; /* a link with many VFs fills several pages, rtnetlink(7) */
        struct nlmsghdr *header = mnl_nlmsg_put_header(request);
        struct ifinfomsg *link;
        ParentInfo info = {};
        ssize_t n;

        if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
                return -errno;
        header->nlmsg_type = RTM_GETLINK;
        header->nlmsg_flags = NLM_F_REQUEST;
        header->nlmsg_seq = 1;
        link = mnl_nlmsg_put_extra_header(header, sizeof(*link));
        link->ifi_family = AF_UNSPEC;
        if (!mnl_attr_put_strz_check(header, sizeof(request), IFLA_IFNAME, name))
                return -EINVAL;
        if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
                return -errno;
        n = mnl_socket_recvfrom(socket, answer, sizeof(answer));
        if (n < 0)
                return -errno;
        if (mnl_cb_run(answer, (size_t)n, 1, mnl_socket_get_portid(socket), read_link, &info) < 0)
                return errno == ENODEV ? 0 : -errno;
        info.wireless = is_wireless(name);
        *ret = info;
        return 1;
}
