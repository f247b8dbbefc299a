/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/probe.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/log.h"
#include "helper/kernel/link.h"
#include "helper/child/port.h"
#include "helper/kernel/offload.h"
#include "helper/worker/trial.h"

#define PROBE_NEAR "probe"
#define PROBE_FAR "probed"
#define PROBE_PROTOCOL 0x88b5 /* IEEE 802 local experimental EtherType 1 */
#define PROBE_WAIT_MSEC 1000

static int make_wire(Netlink *netlink, LinkInfo *ret_near, LinkInfo *ret_far) {
        const LinkPlan plan = {.name = PROBE_NEAR};
        const LinkChange up = {.flags_on = IFF_UP};
        Refusal refusal;
        int r;

        r = link_make_pair(netlink, &plan, PROBE_FAR, 0, ret_near, ret_far, &refusal);
        if (r == 0)
                r = offload_off(PROBE_NEAR, &refusal);
        if (r == 0)
                r = link_change(netlink, ret_near->index, &up, &refusal);
        if (r == 0)
                r = link_change(netlink, ret_far->index, &up, &refusal);
        if (r > 0)
                log_warning("probe: %s", refusal.text);
        return r > 0 ? -EIO : r;
}

/* The frame's virtio_net_hdr asks for a checksum over everything, to be stored in place of the
 * source address. A kernel that takes such a header (before about 6.12, virtio_net_hdr_to_skb())
 * rewrites the source when the sending device completes the checksum. */
static int send_crafted(int fd, const uint8_t *frame, size_t size) {
        struct virtio_net_hdr header = {
                .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                .csum_start = 0,
                .csum_offset = offsetof(struct ethhdr, h_source),
        };
        struct iovec iov[] = {{&header, sizeof(header)}, {(void *)frame, size}};

        return writev(fd, iov, ARRAY_SIZE(iov)) < 0 ? -errno : 0;
}

/* False: the kernel refuses such a header, or the frame arrived as it was sent. True: it was
 * rewritten, or this cannot be found out. */
static bool has_checksum_trick(Netlink *netlink) {
        _cleanup_close_ int near_fd = -1, far_fd = -1;
        union {
                struct ethhdr header;
                uint8_t bytes[ETH_ZLEN];
        } frame = {{.h_dest = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                    .h_source = {0x02, 0, 0, 0x11, 0x22, 0x33},
                    .h_proto = htons(PROBE_PROTOCOL)}};
        uint8_t seen[ETH_FRAME_LEN];
        LinkInfo near, far;
        int r;

        if (make_wire(netlink, &near, &far) < 0 || port_open_bare(near.index, true, &near_fd) < 0 ||
            port_open_bare(far.index, false, &far_fd) < 0)
                return true;
        r = send_crafted(near_fd, frame.bytes, sizeof(frame.bytes));
        if (r == -EINVAL)
                return false;
        for (;;) {
                struct pollfd p = {far_fd, POLLIN, 0};
                ssize_t n;

                if (r < 0 || poll(&p, 1, PROBE_WAIT_MSEC) <= 0)
                        return true;
                n = recv(far_fd, seen, sizeof(seen), 0);
                if (n == sizeof(frame) &&
                    memcmp(seen + ETH_ALEN * 2, &frame.header.h_proto, 2) == 0)
                        return memcmp(seen, frame.bytes, sizeof(frame.bytes)) != 0;
        }
}

/* 1: this kernel has 802.1Q; 0: it has not; or -errno. */
static int has_vlan(Netlink *netlink) {
        LinkPlan plan = {.name = "vlan"};
        Refusal refusal = {};
        LinkInfo near, far;
        int r;

        r = link_find(netlink, LINK_HERE, PROBE_NEAR, &near, &refusal);
        /* With --assume-checksum-trick there is no wire yet. */
        if (r == 0 && near.index == 0) {
                r = make_wire(netlink, &near, &far);
                if (r < 0)
                        return r;
        }
        if (r == 0) {
                plan.lower = near.index;
                r = link_add_vlan(netlink, &plan, 1, ETH_P_8021Q, &refusal);
        }
        if (r <= 0)
                return r < 0 ? r : 1;
        return link_kind_is_missing(r, &refusal) ? 0 : -refusal.kernel_errno;
}

/* Is the guard one? */
static int try_guard(const JobContext *job, const ProbeContext *probe, uint32_t *features) {
        Refusal refusal = {};
        TrialResult result;
        int r;

        if (job->guard.missing[0])
                return 0;
        r = trial_run(job, *features & IPC_FEATURE_CHECKSUM_TRICK, &result, &refusal);
        if (r < 0)
                return r;
        /* The trial's links are in this namespace, and nothing may make another one here: so the
         * same guard behind a completing veth is not tried, too. */
        if (result == TRIAL_BLIND)
                *features |= PROBE_GUARD_BLIND;
        if (result == TRIAL_HOLDS || result == TRIAL_BLIND) {
                *features |= IPC_FEATURE_EGRESS;
        } else if (result == TRIAL_FAILS) {
                *features |= PROBE_GUARD_FAILS;
                log_error("%s", refusal.text);
        } else if (!probe->again) {
                log_notice("%s", refusal.text);
        }
        return 0;
}

/* What can only be tried in a namespace of its own. An error is not a "no": the loop assumes the
 * worst and probes again. */
static int probe_namespace(const JobContext *job, const ProbeContext *probe, uint32_t *features) {
        _cleanup_netlink_ Netlink netlink = {};
        int r;

        r = netlink_open(&netlink, NETLINK_ROUTE);
        if (r < 0)
                return r;
        if (!probe->assume_checksum_trick && !has_checksum_trick(&netlink))
                *features &= ~IPC_FEATURE_CHECKSUM_TRICK;
        if (access(PORT_FILTER_LIMIT, F_OK) == 0 || errno != ENOENT)
                *features |= IPC_FEATURE_FILTER_LIMIT;
        r = has_vlan(&netlink);
        if (r < 0)
                return r;
        *features |= r > 0 ? IPC_FEATURE_VLAN : 0;
        return try_guard(job, probe, features);
}

int probe_run(const JobContext *job, const ProbeContext *probe) {
        uint32_t features = IPC_FEATURE_CHECKSUM_TRICK;
        Refusal refusal = {};
        int r;

        if (access("/dev/vhost-net", R_OK | W_OK) == 0)
                features |= IPC_FEATURE_VHOST_NET;
        r = privilege_enter_lease(&job->privilege, &refusal);
        if (r < 0)
                return r;
        if (r > 0 && !probe->again)
                log_warning("%s", refusal.text);
        if (r == 0) {
                features |= IPC_FEATURE_USER_NAMESPACE;
                r = probe_namespace(job, probe, &features);
                if (r < 0)
                        return r;
        }
        return report_send(job->report_fd, (Report){REPORT_PROBED, .value = features});
}
