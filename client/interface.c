/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/interface.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/clock.h"

#define TUN_PATH "/dev/net/tun"
#define MESSAGE_SIZE 256u
#define RUNNING_USEC UINT64_C(1000000)
#define ANSWER_SIZE 8192u
#define _aligned_ __attribute__((__aligned__(NLMSG_ALIGNTO)))

static void mnl_closep(struct mnl_socket **socket) {
        if (*socket)
                (void)mnl_socket_close(*socket);
}

/* Names come from interface_name_is_valid(), so they fit. */
static void set_name(struct ifreq *request, const char *name) {
        *request = (struct ifreq){};
        memcpy(request->ifr_name, name, strnlen(name, IFNAMSIZ - 1));
}

/* Any socket serves. 0 or -errno. */
static int ask(unsigned long operation, void *argument) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        return ioctl(fd, operation, argument) < 0 ? -errno : 0;
}

/* on_link, or NULL, gets what the kernel answers before it acknowledges. 0 or -errno. */
static int ask_netlink(const struct nlmsghdr *message, mnl_cb_t on_link, void *userdata) {
        _cleanup_(mnl_closep) struct mnl_socket *socket =
                mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
        char answer[ANSWER_SIZE];
        int r = MNL_CB_OK;

        if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
            mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
                return -errno;
        while (r > MNL_CB_STOP) {
                ssize_t n = mnl_socket_recvfrom(socket, answer, sizeof(answer));

                r = n < 0 ? -1 : mnl_cb_run(answer, (size_t)n, 0, 0, on_link, userdata);
        }
        return r < 0 ? -errno : 0;
}

static int refuse_name(int r, const char *what, const char *name, Refusal *ret_refusal) {
        return refuse_errno(ret_refusal, r, "cannot %s %s in the command's network namespace", what,
                            name);
}

int interface_raise(const char *name, Refusal *ret_refusal) {
        struct ifreq request;
        int r;

        set_name(&request, name);
        r = ask(SIOCGIFFLAGS, &request);
        if (r == 0) {
                request.ifr_flags |= IFF_UP;
                r = ask(SIOCSIFFLAGS, &request);
        }
        return r == 0 ? 0 : refuse_name(r, "raise interface", name, ret_refusal);
}

static int read_state(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *attribute;
        uint8_t *state = userdata;

        mnl_attr_for_each(attribute, message,
                          sizeof(struct ifinfomsg)) if (mnl_attr_get_type(attribute) ==
                                                        IFLA_OPERSTATE) *state =
                mnl_attr_get_u8(attribute);
        return MNL_CB_OK;
}

/* Not IFF_RUNNING, which a new interface has as long as its state is unknown. */
static bool is_running(const char *name) {
        char buffer[MESSAGE_SIZE] _aligned_;
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        uint8_t state = IF_OPER_UNKNOWN;

        message->nlmsg_type = RTM_GETLINK;
        message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(message, IFLA_IFNAME, name);
        return ask_netlink(message, read_state, &state) < 0 || state == IF_OPER_UP;
}

/* events: a socket that the kernel reports changes of interfaces to. */
static void wait_running(struct mnl_socket *events, const char *name) {
        struct pollfd wait = {.fd = mnl_socket_get_fd(events), .events = POLLIN};
        uint64_t now, end = clock_usec(CLOCK_MONOTONIC) + RUNNING_USEC;
        char buffer[ANSWER_SIZE];

        while (!is_running(name) && (now = clock_usec(CLOCK_MONOTONIC)) < end)
                if (poll(&wait, 1, (int)((end - now) / 1000 + 1)) > 0)
                        (void)mnl_socket_recvfrom(events, buffer, sizeof(buffer));
}

int interface_raise_running(const char *name, Refusal *ret_refusal) {
        _cleanup_(mnl_closep) struct mnl_socket *events =
                mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
        int r;

        if (!events || mnl_socket_bind(events, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
                return refuse_name(errno, "watch interface", name, ret_refusal);
        r = interface_raise(name, ret_refusal);
        if (r == 0)
                wait_running(events, name);
        return r;
}

int interface_set_mac(const char *name, const MacAddress *mac, Refusal *ret_refusal) {
        struct ifreq request;
        int r;

        set_name(&request, name);
        request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
        memcpy(request.ifr_hwaddr.sa_data, mac->octet, sizeof(mac->octet));
        r = ask(SIOCSIFHWADDR, &request);
        return r == 0 ? 0 : refuse_name(r, "set the MAC address of interface", name, ret_refusal);
}

int interface_set_mtu(const char *name, uint32_t mtu, Refusal *ret_refusal) {
        struct ifreq request;
        int r;

        set_name(&request, name);
        request.ifr_mtu = (int)mtu;
        r = ask(SIOCSIFMTU, &request);
        return r == 0 ? 0 : refuse_name(r, "set the MTU of interface", name, ret_refusal);
}

/* All that linux/if_link.h lets a bridge forward: 802.1D's first three addresses stay its own. */
#define GROUPS_FORWARDED 0xfff8u

/* Without snooping, which would send reports of its own and wait for the guest's. */
static void describe_bridge(struct nlmsghdr *message, const char *name) {
        struct ifinfomsg *info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
        struct nlattr *link, *data;

        message->nlmsg_type = RTM_NEWLINK;
        message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        mnl_attr_put_strz(message, IFLA_IFNAME, name);
        link = mnl_attr_nest_start(message, IFLA_LINKINFO);
        mnl_attr_put_strz(message, IFLA_INFO_KIND, "bridge");
        data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
        mnl_attr_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0);
        mnl_attr_put_u16(message, IFLA_BR_GROUP_FWD_MASK, GROUPS_FORWARDED);
        mnl_attr_nest_end(message, data);
        mnl_attr_nest_end(message, link);
}

int interface_make_bridge(const char *name, Refusal *ret_refusal) {
        char buffer[MESSAGE_SIZE] _aligned_;
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        int r;

        describe_bridge(message, name);
        r = ask_netlink(message, NULL, NULL);
        return r == 0 ? 0 : refuse_name(r, "make the bridge", name, ret_refusal);
}

int interface_add_to_bridge(const char *bridge, const char *port, Refusal *ret_refusal) {
        struct ifreq request;
        int index, r;

        set_name(&request, port);
        r = ask(SIOCGIFINDEX, &request);
        index = request.ifr_ifindex;
        set_name(&request, bridge);
        request.ifr_ifindex = index;
        if (r == 0)
                r = ask(SIOCBRADDIF, &request);
        return r == 0 ? 0 : refuse_name(r, "bridge interface", port, ret_refusal);
}

/* The owner is root of the user namespace, which is the caller. */
static int open_tap(int fd, const char *name) {
        struct ifreq request;

        set_name(&request, name);
        request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL); /* bit 15 of a short */
        if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETOWNER, geteuid()) < 0 ||
            ioctl(fd, TUNSETPERSIST, 1) < 0)
                return -errno;
        return 0;
}

int interface_make_tap(const char *name, Refusal *ret_refusal) {
        _cleanup_close_ int fd = open(TUN_PATH, O_RDWR | O_CLOEXEC);
        int r;

        if (fd < 0)
                return refuse_errno(ret_refusal, errno, "cannot open " TUN_PATH " for --tap");
        r = open_tap(fd, name);
        return r == 0 ? 0 : refuse_name(r, "make tap", name, ret_refusal);
}
