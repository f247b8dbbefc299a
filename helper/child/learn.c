/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/child/learn.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/fd-pass.h"
#include "common/log.h"
#include "helper/child/host-mac.h"
#include "helper/child/port.h"
#include "helper/child/uplink.h"
#include "helper/report.h"

/* After an address that is in use, the next frame is looked at this much later: a guest cannot keep
 * RTNL busy. */
#define LEARN_PAUSE_MSEC 100
/* After a refused address was written down, the next one is written this much later at the
 * earliest, and twice as much each time: a guest may name as many as it likes. */
#define NOTE_FIRST_USEC UINT64_C(1000000)
#define NOTE_LAST_USEC UINT64_C(60000000)

typedef struct Learner {
        LeasePlan *plan;
        Netlink *netlink;
        Netlink links; /* hears of links that go */
        Netlink host;  /* of the host's namespace, to look whose an address is */
        int frames;    /* packet socket on the port */
        Guard guard;
        const GuardProgram *program;
        int report_fd;
        uint64_t note_pause, note_from; /* µs; CLOCK_MONOTONIC */
        bool pause;                     /* before the next frame is looked at */
        LogLimit refusals;              /* the guest causes one with every frame */
} Learner;

static int listen_for_links(Netlink *ret) {
        int group = RTNLGRP_LINK, r;

        r = netlink_open(ret, NETLINK_ROUTE);
        if (r < 0)
                return r;
        return mnl_socket_setsockopt(ret->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0
                       ? -errno
                       : 0;
}

/* The judgement that needs no question to the kernel. */
static LearnRefusal judge(const Learner *l, const MacAddress *mac) {
        const LeasePlan *plan = l->plan;

        if (!mac_allowed(mac, &plan->network.mac_prefixes))
                return LEARN_REFUSED_PREFIX;
        if (mac_equal(mac, &plan->own_mac))
                return LEARN_REFUSED_NOTHING;
        return mac_is_reserved_by(mac, &plan->reserving) ? LEARN_REFUSED_RESERVED
                                                         : LEARN_REFUSED_NOTHING;
}

/* The source of the guest's next frame. 1: a unicast address; 0: none yet; or -errno. */
static int next_address(Learner *l, MacAddress *ret) {
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
        if (mac_is_zero(&mac) || (mac.octet[0] & 1))
                return 0;
        *ret = mac;
        return 1;
}

/* Stores the refusal in the record, and reports it to the daemon and so to rawnetd. */
static void note_refused(Learner *l, const MacAddress *mac, LearnRefusal why) {
        const uint64_t now = clock_usec(CLOCK_MONOTONIC);
        IpcLease *lease = &l->plan->lease;
        Refusal refusal = {};

        if (lease->refused_why == why && mac_equal(&lease->refused_mac, mac))
                return;
        /* The last one is never left out. */
        if (now < l->note_from && why != LEARN_REFUSED_FAILED)
                return;
        l->note_pause =
                l->note_pause > 0 ? MIN_OF(l->note_pause * 2, NOTE_LAST_USEC) : NOTE_FIRST_USEC;
        l->note_from = now + l->note_pause;
        lease->refused_why = (uint8_t)why;
        lease->refused_mac = *mac;
        if (uplink_write_record(l->plan, l->netlink, &refusal) != 0)
                log_limited(&l->refusals, LOG_WARNING,
                            "cannot record the address that a port refused: %s", refusal.text);
        (void)report_send(l->report_fd, (Report){REPORT_LEASE, .lease = *lease});
}

/* 0: the address is the lease's. Else *ret_why is the reason, or LEARN_REFUSED_NOTHING where the
 * host could not be asked: nothing has been changed then. */
static int take_address(Learner *l, const MacAddress *mac, LearnRefusal *ret_why,
                        Refusal *ret_refusal) {
        IpcLease *lease = &l->plan->lease, before = *lease;
        int r;

        r = host_mac_check(&l->host, lease->network, mac, ret_refusal);
        *ret_why = r == RAWNET_ADDRESS_IN_USE ? LEARN_REFUSED_HOST : LEARN_REFUSED_NOTHING;
        if (r != 0)
                return r;
        l->plan->deadline = 0;
        lease->mac = *mac;
        lease->refused_why = LEARN_REFUSED_NOTHING;
        lease->refused_mac = (MacAddress){};
        r = uplink_raise(l->plan, l->netlink, l->guard.uplink.index, ret_refusal);
        *ret_why = r == RAWNET_ADDRESS_IN_USE ? LEARN_REFUSED_IN_USE : LEARN_REFUSED_FAILED;
        if (r == 0) {
                l->guard.mac = *mac;
                l->guard.learning = false;
                guard_admit(&l->guard, l->program);
                r = uplink_write_record(l->plan, l->netlink, ret_refusal);
        }
        if (r != 0)
                *lease = before;
        return r;
}

/* 0: the lease has the address. 1: it has not, and the child goes on listening. Negative: the lease
 * cannot be used any more. */
static int try_address(Learner *l, const MacAddress *mac) {
        LearnRefusal why = judge(l, mac);
        Refusal refusal = {};
        int r;

        if (why == LEARN_REFUSED_NOTHING) {
                r = take_address(l, mac, &why, &refusal);
                if (r == 0)
                        return 0;
                /* The holder has closed the port at this moment. */
                if (r == -ENODEV || link_is_missing(r, &refusal))
                        return -ENODEV;
                l->pause = true;
                if (r < 0)
                        (void)refuse_errno(&refusal, r, "giving the port its address");
                if (r != RAWNET_ADDRESS_IN_USE)
                        log_limited(&l->refusals, LOG_WARNING,
                                    "lease " RAWNET_PORT_NAME_FORMAT ": %s", l->plan->lease.id,
                                    refusal.text);
        }
        if (why != LEARN_REFUSED_NOTHING)
                note_refused(l, mac, why);
        return why == LEARN_REFUSED_FAILED ? -EIO : 1;
}

static int link_gone(const struct nlmsghdr *m, void *data) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        const Learner *l = data;

        if (m->nlmsg_type == RTM_DELLINK && mnl_nlmsg_get_payload_len(m) >= sizeof(*i) &&
            ((uint32_t)i->ifi_index == l->guard.port.index ||
             (uint32_t)i->ifi_index == l->guard.uplink.index))
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
        /* Messages were lost (ENOBUFS): looks at the links. An error is no answer: the next message
         * is another chance. */
        return link_is_missing(link_get(l->netlink, LINK_HERE, l->guard.port.name, &info, &refusal),
                               &refusal);
}

static int learn(Learner *l) {
        for (;;) {
                struct pollfd p[] = {
                        {l->links.socket ? mnl_socket_get_fd(l->links.socket) : -1, POLLIN, 0},
                        {l->pause ? -1 : l->frames, POLLIN, 0}};
                int r = poll(p, ARRAY_SIZE(p), l->pause ? LEARN_PAUSE_MSEC : -1);
                MacAddress mac;

                if (r < 0 && errno != EINTR)
                        return -errno;
                l->pause = false;
                if (p[0].revents && ended(l))
                        return -ENODEV;
                if (!p[1].revents)
                        continue;
                r = next_address(l, &mac);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                r = try_address(l, &mac);
                if (r <= 0)
                        return r;
        }
}

_Noreturn void learn_run(LeasePlan *plan, Netlink *netlink, const Guard *guard,
                         GuardProgram *program, int socket_fd, int report_fd, int host_fd,
                         const ChildMessage *message, int *fds, size_t n_fds) {
        Learner l = {.plan = plan,
                     .netlink = netlink,
                     .frames = -1,
                     .guard = *guard,
                     .program = program,
                     .report_fd = report_fd};
        int r;

        r = netlink_take(&l.host, host_fd);
        if (r == 0)
                r = listen_for_links(&l.links);
        if (r == 0)
                r = port_open_bare(guard->port.index, false, &l.frames);
        /* From here on the lease belongs to its holder: the daemon may stop, and this child goes
         * on. */
        if (r == 0 && (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0 ||
                       prctl(PR_SET_NAME, "rawnet-learn", 0, 0, 0) < 0))
                r = -errno;
        if (r == 0)
                r = fd_pass_send(socket_fd, message, sizeof(*message), fds, n_fds, 0);
        fd_pass_close_all(fds, n_fds);
        safe_close(socket_fd);
        fd_pass_close_all(program->fd, GUARD_HANDLES);
        if (r == 0)
                r = learn(&l);
        if (r == 0)
                (void)report_send(l.report_fd, (Report){REPORT_LEASE, .lease = plan->lease});
        _exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
