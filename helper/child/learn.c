/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/child/learn.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common/fd-pass.h"
#include "common/log.h"
#include "helper/child/host-mac.h"
#include "helper/child/uplink.h"
#include "helper/report.h"

/* After an address that is in use, the next frame is looked at this much later: a guest cannot keep
 * RTNL busy. */
#define LEARN_PAUSE_MSEC 100

typedef struct Learner {
        LeasePlan *plan;
        Netlink *netlink;
        Netlink links; /* hears of links that go */
        Netlink host;  /* of the host's namespace, to look whose an address is */
        int frames;    /* packet socket on the port */
        Guard guard;
        uint32_t uplink;
        int report_fd;
        LogLimit refusals; /* the guest causes one with every frame */
} Learner;

static int listen_for_frames(uint32_t port, int *ret) {
        struct sockaddr_ll address = {
                .sll_family = AF_PACKET,
                .sll_protocol = htons(ETH_P_ALL),
                .sll_ifindex = (int)port,
        };
        _cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

static int listen_for_links(Netlink *ret) {
        int group = RTNLGRP_LINK, r;

        r = netlink_open(ret, NETLINK_ROUTE);
        if (r < 0)
                return r;
        return mnl_socket_setsockopt(ret->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0
                       ? -errno
                       : 0;
}

/* As far as it can be said without asking the kernel. */
static bool may_have(const Learner *l, const MacAddress *mac) {
        const LeasePlan *plan = l->plan;

        if (!mac_allowed(mac, &plan->network.mac_prefixes))
                return false;
        if (mac_equal(mac, &plan->own_mac))
                return true;
        for (size_t i = 0; i < plan->reserving.n; i++)
                if (mac_is_reserved(mac, &plan->reserving.prefix[i]))
                        return false;
        return true;
}

/* Sets plan's MAC from the next frame of the guest. 1: an address that the network allows; 0: none
 * yet; or -errno. */
static int next_address(Learner *l) {
        struct ethhdr header;
        struct sockaddr_ll from = {};
        socklen_t size = sizeof(from);
        MacAddress mac;
        ssize_t n;

        n = recvfrom(l->frames, &header, sizeof(header), MSG_TRUNC, (struct sockaddr *)&from,
                     &size);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR || errno == ENETDOWN ? 0 : -errno;
        if ((size_t)n < sizeof(header) || from.sll_pkttype == PACKET_OUTGOING)
                return 0;
        memcpy(&mac, header.h_source, sizeof(mac));
        if (!may_have(l, &mac))
                return 0;
        l->plan->lease.mac = mac;
        return 1;
}

/* 0: the address is the lease's; RAWNET_ADDRESS_IN_USE: go on listening; anything else: the lease
 * is beyond help. */
static int take_address(Learner *l) {
        Refusal refusal = {};
        int r;

        l->plan->deadline = 0;
        r = host_mac_check(&l->host, l->plan->lease.network, &l->plan->lease.mac, &refusal);
        if (r == 0)
                r = uplink_raise(l->plan, l->netlink, l->uplink, &refusal);
        if (r == 0) {
                l->guard.mac = l->plan->lease.mac;
                l->guard.learning = false;
                r = guard_admit(&l->guard, &refusal);
        }
        if (r == 0)
                r = uplink_write_record(l->plan, l->netlink, &refusal);
        if (r > 0)
                log_limited(&l->refusals, LOG_NOTICE, "%s", refusal.text);
        return r;
}

static int link_gone(const struct nlmsghdr *m, void *data) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        const Learner *l = data;

        if (m->nlmsg_type == RTM_DELLINK && mnl_nlmsg_get_payload_len(m) >= sizeof(*i) &&
            ((uint32_t)i->ifi_index == l->guard.port.index || (uint32_t)i->ifi_index == l->uplink))
                return MNL_CB_STOP;
        return MNL_CB_OK;
}

/* Did the port (the last fd was closed) or the uplink go? */
static bool ended(Learner *l) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        ssize_t n = mnl_socket_recvfrom(l->links.socket, buffer, sizeof(buffer));
        Refusal refusal = {};
        LinkInfo info;

        if (n >= 0)
                return mnl_cb_run(buffer, (size_t)n, 0, 0, link_gone, l) == MNL_CB_STOP;
        if (errno == EINTR)
                return false;
        /* Messages were lost (ENOBUFS): look. A question that fails is no answer: the next message
         * is another chance. */
        return link_is_missing(link_get(l->netlink, LINK_HERE, l->guard.port.name, &info, &refusal),
                               &refusal);
}

static int learn(Learner *l) {
        int timeout = -1;

        for (;;) {
                struct pollfd p[] = {
                        {l->links.socket ? mnl_socket_get_fd(l->links.socket) : -1, POLLIN, 0},
                        {timeout < 0 ? l->frames : -1, POLLIN, 0}};
                int r = poll(p, ARRAY_SIZE(p), timeout);

                if (r < 0 && errno != EINTR)
                        return -errno;
                timeout = -1;
                if (p[0].revents && ended(l))
                        return -ENODEV;
                if (!p[1].revents)
                        continue;
                r = next_address(l);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                r = take_address(l);
                if (r != RAWNET_ADDRESS_IN_USE)
                        return r;
                timeout = LEARN_PAUSE_MSEC;
        }
}

_Noreturn void learn_run(LeasePlan *plan, Netlink *netlink, uint32_t uplink, const Guard *guard,
                         int socket_fd, int report_fd, int host_fd, const ChildMessage *message,
                         int *fds, size_t n_fds) {
        Learner l = {.plan = plan,
                     .netlink = netlink,
                     .frames = -1,
                     .guard = *guard,
                     .uplink = uplink,
                     .report_fd = report_fd};
        int r;

        r = netlink_take(&l.host, host_fd);
        if (r == 0)
                r = listen_for_links(&l.links);
        if (r == 0)
                r = listen_for_frames(guard->port.index, &l.frames);
        /* From here on the lease is its holder's: the daemon may stop, this child goes on. */
        if (r == 0 && (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0 ||
                       prctl(PR_SET_NAME, "rawnet-learn", 0, 0, 0) < 0))
                r = -errno;
        if (r == 0)
                r = fd_pass_send(socket_fd, message, sizeof(*message), fds, n_fds, 0);
        fd_pass_close_all(fds, n_fds);
        safe_close(socket_fd);
        if (r == 0)
                r = learn(&l);
        if (r == 0)
                (void)report_lease(l.report_fd, &plan->lease, 0, 0);
        _exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
