/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/route.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

/* An error repeats our message, which is shorter than this. */
#define ANSWER_MAX 4096u

static inline void socket_closep(struct mnl_socket **socket) {
        if (*socket)
                mnl_socket_close(*socket);
}

/* The kernel answers each of these messages with one of its own: the errno, or 0. */
static int read_answer(struct mnl_socket *socket, unsigned sequence) {
        char buffer[ANSWER_MAX];
        ssize_t n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

        if (n < 0)
                return -errno;
        return mnl_cb_run(buffer, (size_t)n, sequence, mnl_socket_get_portid(socket), NULL, NULL) <
                               0
                       ? -errno
                       : 0;
}

static int talk(struct nlmsghdr *header) {
        _cleanup_(socket_closep) struct mnl_socket *socket =
                mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

        if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
                return -errno;
        header->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
        header->nlmsg_seq = 1;
        if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
                return -errno;
        return read_answer(socket, header->nlmsg_seq);
}

/* The last address of the subnet, RFC 919. */
static void put_broadcast(struct nlmsghdr *header, const IpAddress *ip) {
        uint32_t host = ip->prefix >= 31 ? 0 : UINT32_MAX >> ip->prefix, address;

        if (host == 0)
                return;
        memcpy(&address, ip->octet, sizeof(address));
        address |= htonl(host);
        mnl_attr_put(header, IFA_BROADCAST, sizeof(address), &address);
}

static struct nlmsghdr *address_message(char *buffer, uint16_t type, unsigned interface,
                                        const IpAddress *ip) {
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

        header->nlmsg_type = type;
        body->ifa_family = (unsigned char)ip->family;
        body->ifa_prefixlen = (unsigned char)ip->prefix;
        body->ifa_index = interface;
        mnl_attr_put(header, IFA_LOCAL, ip_size(ip), ip->octet);
        mnl_attr_put(header, IFA_ADDRESS, ip_size(ip), ip->octet);
        return header;
}

int route_add_address(unsigned interface, const IpAddress *ip, Refusal *ret_refusal) {
        char buffer[MNL_NLMSG_HDRLEN + 256], text[IP_TEXT_SIZE];
        struct nlmsghdr *header = address_message(buffer, RTM_NEWADDR, interface, ip);
        int r;

        header->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
        if (ip->family == AF_INET)
                put_broadcast(header, ip);
        r = talk(header);
        return r == 0 || r == -EEXIST ? 0
                                      : refuse_errno(ret_refusal, r, "cannot set address %s",
                                                     ip_format_prefix(ip, text));
}

int route_add(unsigned interface, const IpAddress *destination, const IpAddress *gateway,
              uint32_t metric, Refusal *ret_refusal) {
        char buffer[MNL_NLMSG_HDRLEN + 256], to[IP_TEXT_SIZE], by[IP_TEXT_SIZE];
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        struct rtmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
        int r;

        header->nlmsg_type = RTM_NEWROUTE;
        header->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
        body->rtm_family = (unsigned char)gateway->family;
        body->rtm_dst_len = destination ? (unsigned char)destination->prefix : 0;
        body->rtm_table = RT_TABLE_MAIN;
        body->rtm_protocol = RTPROT_STATIC;
        body->rtm_scope = RT_SCOPE_UNIVERSE;
        body->rtm_type = RTN_UNICAST;
        body->rtm_flags = RTNH_F_ONLINK;
        if (destination)
                mnl_attr_put(header, RTA_DST, ip_size(destination), destination->octet);
        mnl_attr_put(header, RTA_GATEWAY, ip_size(gateway), gateway->octet);
        mnl_attr_put_u32(header, RTA_OIF, interface);
        mnl_attr_put_u32(header, RTA_PRIORITY, metric);
        r = talk(header);
        if (r == 0 || r == -EEXIST)
                return 0;
        return refuse_errno(ret_refusal, r, "cannot add the route to %s by %s",
                            destination ? ip_format_prefix(destination, to) : "everywhere",
                            ip_format(gateway, by));
}

/* RTM_NEWLINK or RTM_DELLINK, of which neither makes one. */
static int talk_link(uint16_t type, unsigned interface, unsigned flags) {
        char buffer[MNL_NLMSG_HDRLEN + 256];
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        struct ifinfomsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

        header->nlmsg_type = type;
        body->ifi_family = AF_UNSPEC;
        body->ifi_index = (int)interface;
        body->ifi_flags = flags;
        body->ifi_change = flags;
        return talk(header);
}

int route_raise_interface(unsigned interface, Refusal *ret_refusal) {
        int r = talk_link(RTM_NEWLINK, interface, IFF_UP);

        return r == 0 ? 0 : refuse_errno(ret_refusal, r, "cannot raise the container's interface");
}

int route_delete_interface(unsigned interface, Refusal *ret_refusal) {
        int r = talk_link(RTM_DELLINK, interface, 0);

        return r == 0 || r == -ENODEV
                       ? 0
                       : refuse_errno(ret_refusal, r, "cannot delete the container's interface");
}
