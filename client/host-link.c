/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Interfaces as an unprivileged program sees them: RTM_GETLINK. /sys/class/net is asked for the
 * one thing that rtnetlink does not say, since it may show another network namespace than ours.
 */

#include "client/host-link.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* 1, 0, or -errno. */
static int is_wireless(const char *name) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "/sys/class/net/%s/phy80211", name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (access(path, F_OK) == 0)
                return 1;
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

static void read_text(const struct nlattr *attribute, char *ret, size_t size) {
        if (mnl_attr_get_payload_len(attribute) <= size &&
            mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
                memcpy(ret, mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
}

static void read_u32(const struct nlattr *attribute, uint32_t *ret) {
        if (mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
                *ret = mnl_attr_get_u32(attribute);
}

static int read_vlan(const struct nlattr *attribute, void *data) {
        HostLink *info = data;

        if (mnl_attr_get_type(attribute) == IFLA_VLAN_ID &&
            mnl_attr_validate(attribute, MNL_TYPE_U16) >= 0)
                info->vlan = mnl_attr_get_u16(attribute);
        if (mnl_attr_get_type(attribute) == IFLA_VLAN_PROTOCOL &&
            mnl_attr_validate(attribute, MNL_TYPE_U16) >= 0)
                info->vlan_protocol = ntohs(mnl_attr_get_u16(attribute));
        return MNL_CB_OK;
}

static int read_link_info(const struct nlattr *attribute, void *data) {
        HostLink *info = data;

        switch (mnl_attr_get_type(attribute)) {
        case IFLA_INFO_KIND:
                read_text(attribute, info->kind, sizeof(info->kind));
                break;
        case IFLA_INFO_SLAVE_KIND:
                read_text(attribute, info->slave_kind, sizeof(info->slave_kind));
                break;
        case IFLA_INFO_DATA: /* behind the kind, rtnl_link_info_fill() */
                if (strcmp(info->kind, "vlan") == 0)
                        return mnl_attr_parse_nested(attribute, read_vlan, data);
                break;
        }
        return MNL_CB_OK;
}

/* An answer being read. */
typedef struct Reading {
        HostLink link;
        bool elsewhere; /* IFLA_LINK is an index of another namespace */
} Reading;

static int read_attribute(const struct nlattr *attribute, void *data) {
        Reading *reading = data;
        HostLink *info = &reading->link;

        switch (mnl_attr_get_type(attribute)) {
        case IFLA_IFNAME:
                read_text(attribute, info->name, sizeof(info->name));
                break;
        case IFLA_IFALIAS:
                read_text(attribute, info->alias, sizeof(info->alias));
                break;
        case IFLA_LINK:
                read_u32(attribute, &info->lower);
                break;
        case IFLA_LINK_NETNSID:
                reading->elsewhere = true;
                break;
        case IFLA_MASTER:
                read_u32(attribute, &info->master);
                break;
        case IFLA_MTU:
                read_u32(attribute, &info->mtu);
                break;
        case IFLA_GROUP:
                read_u32(attribute, &info->group);
                break;
        case IFLA_LINKINFO:
                return mnl_attr_parse_nested(attribute, read_link_info, info);
        }
        return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *header, void *data) {
        const struct ifinfomsg *link = mnl_nlmsg_get_payload(header);
        Reading *reading = data;
        HostLink *info = &reading->link;

        if (header->nlmsg_type != RTM_NEWLINK ||
            mnl_nlmsg_get_payload_len(header) < sizeof(*link)) {
                errno = EBADMSG;
                return MNL_CB_ERROR;
        }
        info->index = (uint32_t)link->ifi_index;
        info->flags = link->ifi_flags;
        info->hardware = link->ifi_type;
        if (mnl_attr_parse(header, sizeof(*link), read_attribute, data) != MNL_CB_OK)
                return MNL_CB_ERROR;
        if (reading->elsewhere)
                info->lower = 0;
        return MNL_CB_OK;
}

static void closesocketp(struct mnl_socket **socket) {
        if (*socket)
                mnl_socket_close(*socket);
}

/* A link with many VFs fills several pages, rtnetlink(7). */
#define ANSWER_MAX 32768u

/* The beginning of a question. */
static struct nlmsghdr *question(char *buffer, uint16_t flags, uint32_t index) {
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        struct ifinfomsg *link;

        header->nlmsg_type = RTM_GETLINK;
        header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
        header->nlmsg_seq = 1;
        link = mnl_nlmsg_put_extra_header(header, sizeof(*link));
        link->ifi_family = AF_UNSPEC;
        link->ifi_index = (int)index;
        return header;
}

/* By name or, where that is NULL, by index. */
static int get_link(const char *name, uint32_t index, HostLink *ret) {
        _cleanup_(closesocketp) struct mnl_socket *socket =
                mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
        char request[256], answer[ANSWER_MAX];
        struct nlmsghdr *header = question(request, 0, index);
        Reading reading = {};
        HostLink info;
        ssize_t n;
        int r;

        if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
                return -errno;
        if (name && !mnl_attr_put_strz_check(header, sizeof(request), IFLA_IFNAME, name))
                return -EINVAL;
        if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
                return -errno;
        n = mnl_socket_recvfrom(socket, answer, sizeof(answer));
        if (n < 0)
                return -errno;
        if (mnl_cb_run(answer, (size_t)n, 1, mnl_socket_get_portid(socket), read_link, &reading) <
            0)
                return errno == ENODEV ? 0 : -errno;
        info = reading.link;
        /* No answer but an ack, or none at all. */
        if (info.index == 0)
                return -EBADMSG;
        r = is_wireless(info.name);
        if (r < 0)
                return r;
        info.wireless = r > 0;
        *ret = info;
        return 1;
}

int host_link_by_name(const char *name, HostLink *ret) {
        return get_link(name, 0, ret);
}

int host_link_by_index(uint32_t index, HostLink *ret) {
        return index == 0 ? 0 : get_link(NULL, index, ret);
}

typedef struct VlanWalk {
        uint32_t lower;
        HostLinkEach each;
        void *data;
} VlanWalk;

static int read_vlan_link(const struct nlmsghdr *header, void *data) {
        const VlanWalk *walk = data;
        Reading reading = {};

        if (read_link(header, &reading) != MNL_CB_OK)
                return MNL_CB_ERROR;
        if (strcmp(reading.link.kind, "vlan") == 0 && reading.link.lower == walk->lower)
                walk->each(&reading.link, walk->data);
        return MNL_CB_OK;
}

int host_link_each_vlan(uint32_t lower, HostLinkEach each, void *data) {
        _cleanup_(closesocketp) struct mnl_socket *socket =
                mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
        char request[256], answer[ANSWER_MAX];
        struct nlmsghdr *header = question(request, NLM_F_DUMP, 0);
        VlanWalk walk = {lower, each, data};
        struct nlattr *info;
        int r = MNL_CB_OK;

        if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
                return -errno;
        mnl_attr_put_u32(header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        mnl_attr_put_strz(header, IFLA_INFO_KIND, "vlan");
        mnl_attr_nest_end(header, info);
        if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
                return -errno;
        while (r > MNL_CB_STOP) {
                ssize_t n = mnl_socket_recvfrom(socket, answer, sizeof(answer));

                if (n < 0)
                        return -errno;
                r = mnl_cb_run(answer, (size_t)n, 1, mnl_socket_get_portid(socket), read_vlan_link,
                               &walk);
                /* Links came or went meanwhile: what is not seen now is seen at the next look. */
                if (r < 0)
                        return errno == EINTR ? 0 : -errno;
        }
        return 0;
}
