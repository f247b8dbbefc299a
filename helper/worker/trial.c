/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/trial.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/clock.h"
#include "helper/child/port.h"
#include "helper/kernel/link.h"

#define PROTOCOL 0x88b5 /* IEEE 802 local experimental EtherType 1 */
#define TAG_LENGTH 4
/* A new link drops frames until the kernel has activated its queue. */
#define PATIENCE_USEC UINT64_C(1000000)
#define TRY_MSEC 5
/* What is on its way still, on another processor. */
#define SETTLE_MSEC 10

static const MacAddress own = {{0x02, 0, 0, 0, 0, 1}}, other = {{0x02, 0, 0, 0, 0, 2}};

/* What a frame is: its last byte. */
typedef enum TrialFrame {
        FRAME_GOOD = 1,
        FRAME_SPOOFED,
        FRAME_TAGGED,
        FRAME_PAST_PORT, /* sent on the uplink itself */
        FRAME_LAST,
        FRAME_IN,
        FRAME_UNFINISHED
} TrialFrame;

typedef struct Trial {
        Guard guard;
        int port_fd; /* as a holder has it */
        int far_fd;  /* on the far end of the wire */
} Trial;

static int open_far(Netlink *netlink, int *ret, Refusal *ret_refusal) {
        LinkInfo far;
        int r = link_get(netlink, LINK_HERE, NAMESPACE_FAR, &far, ret_refusal);

        return r == 0 ? port_open_bare(far.index, false, ret) : r;
}

static int set_up(const GuardProgram *program, bool checksum_trick, Netlink *netlink, Trial *ret,
                  Refusal *ret_refusal) {
        const LeasePlan plan = {
                .lease = {.id = RAWNET_ID_PROBE,
                          .kind = KIND_PACKET,
                          .mac = own,
                          .mtu = ETH_DATA_LEN,
                          .queues = 1,
                          .network = "probe",
                          .parent = "wire"},
                .network = {.anti_spoof = true, .mode = MODE_BRIDGE},
                .mac_mode = IPC_MAC_GIVEN,
                .queues = 1,
                .rehearsal = true,
                .shape = GUARD_PACKET,
                .checksum_trick = checksum_trick,
                .lower_mtu = ETH_DATA_LEN,
        };
        int r;

        r = namespace_build(&plan, program, netlink, &ret->guard, &ret->port_fd, ret_refusal);
        return r == 0 ? open_far(netlink, &ret->far_fd, ret_refusal) : r;
}

/* How the guard or the kernel refuses a frame is nobody's business here: whether it arrives is. */
static void send_frame(int fd, uint32_t index, TrialFrame frame) {
        const struct sockaddr_ll to = {
                .sll_family = AF_PACKET, .sll_ifindex = (int)index, .sll_halen = ETH_ALEN};
        uint8_t bytes[ETH_ZLEN] = {};
        struct ethhdr *header = (void *)bytes;

        memcpy(header->h_dest, frame == FRAME_IN ? &own : &other, ETH_ALEN);
        memcpy(header->h_source, frame == FRAME_IN || frame == FRAME_SPOOFED ? &other : &own,
               ETH_ALEN);
        if (frame == FRAME_SPOOFED)
                header->h_source[ETH_ALEN - 1] = 3;
        header->h_proto = htons(frame == FRAME_TAGGED ? ETH_P_8021Q : PROTOCOL);
        if (frame == FRAME_TAGGED)
                bytes[ETH_HLEN + 1] = 1; /* VID */
        bytes[sizeof(bytes) - 1] = (uint8_t)frame;
        (void)sendto(fd, bytes, sizeof(bytes), 0, (const struct sockaddr *)&to, sizeof(to));
}

/* The next frame of this trial, of at most msec; 0: none came. */
static TrialFrame next_frame(int fd, int msec) {
        for (;;) {
                struct pollfd p = {fd, POLLIN, 0};
                struct sockaddr_ll from = {};
                socklen_t size = sizeof(from);
                uint8_t bytes[ETH_FRAME_LEN];
                ssize_t n;

                if (poll(&p, 1, msec) <= 0)
                        return 0;
                n = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from,
                             &size);
                /* The kernel has moved a tag out of the frame: packet(7), PACKET_AUXDATA. */
                if ((n == ETH_ZLEN || n == ETH_ZLEN - TAG_LENGTH) &&
                    from.sll_pkttype != PACKET_OUTGOING)
                        return bytes[n - 1];
        }
}

/* Sends a frame until it arrives. */
static bool passes(int from_fd, uint32_t index, int to_fd, TrialFrame frame) {
        const uint64_t deadline = clock_usec(CLOCK_MONOTONIC) + PATIENCE_USEC;

        do {
                send_frame(from_fd, index, frame);
                if (next_frame(to_fd, TRY_MSEC) == frame)
                        return true;
        } while (clock_usec(CLOCK_MONOTONIC) < deadline);
        return false;
}

static const char *try_out(const Trial *t, uint32_t far) {
        const uint32_t port = t->guard.port.index;
        TrialFrame seen;

        if (!passes(t->port_fd, port, t->far_fd, FRAME_GOOD))
                return "it lets nothing out";
        if (!passes(t->far_fd, far, t->port_fd, FRAME_IN))
                return "it lets nothing in";
        send_frame(t->port_fd, port, FRAME_SPOOFED);
        send_frame(t->port_fd, port, FRAME_TAGGED);
        send_frame(t->port_fd, t->guard.uplink.index, FRAME_PAST_PORT);
        send_frame(t->port_fd, port, FRAME_LAST);
        while ((seen = next_frame(t->far_fd, SETTLE_MSEC)) != 0) {
                if (seen == FRAME_SPOOFED)
                        return "it lets another source address out";
                if (seen == FRAME_TAGGED)
                        return "it lets a VLAN tag out";
                if (seen == FRAME_PAST_PORT)
                        return "it lets out what is sent past the port";
        }
        return NULL;
}

/* A request to a DHCP server (RFC 2131) whose checksum the sender leaves to the kernel, as a virtio
 * driver does. 0 or -errno. */
static int send_unfinished(uint32_t index) {
        struct {
                struct ethhdr ethernet;
                struct iphdr ip;
                struct udphdr udp;
                uint8_t operation, rest[17];
        } __attribute__((packed)) frame = {
                .ethernet.h_proto = htons(ETH_P_IP),
                .ip = {.version = 4,
                       .ihl = 5,
                       .tot_len = htons(sizeof(frame) - ETH_HLEN),
                       .ttl = 64,
                       .protocol = IPPROTO_UDP},
                .udp = {.source = htons(68),
                        .dest = htons(67),
                        .len = htons(sizeof(frame) - offsetof(typeof(frame), udp))},
                .operation = 1,
                .rest[16] = FRAME_UNFINISHED,
        };
        struct virtio_net_hdr header = {
                .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                .csum_start = offsetof(typeof(frame), udp),
                .csum_offset = offsetof(struct udphdr, check),
        };
        struct sockaddr_ll to = {
                .sll_family = AF_PACKET, .sll_ifindex = (int)index, .sll_halen = ETH_ALEN};
        struct iovec parts[] = {{&header, sizeof(header)}, {&frame, sizeof(frame)}};
        const struct msghdr message = {.msg_name = &to,
                                       .msg_namelen = sizeof(to),
                                       .msg_iov = parts,
                                       .msg_iovlen = ARRAY_SIZE(parts)};
        _cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        const int on = 1;

        _Static_assert(sizeof(frame) == ETH_ZLEN, "as next_frame() expects it");
        memcpy(frame.ethernet.h_dest, &other, ETH_ALEN);
        memcpy(frame.ethernet.h_source, &own, ETH_ALEN);
        if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0)
                return -errno;
        (void)sendmsg(fd, &message, 0);
        return 0;
}

/* The guard asks the kernel where an unfinished checksum will be (guard/guard-ip.h), and some
 * kernels do not tell. 1: this one does, 0: it does not, or -errno. */
static int judges_unfinished(const Trial *t) {
        const uint32_t port = t->guard.port.index;
        TrialFrame seen;
        int r = send_unfinished(port);

        if (r < 0)
                return r;
        send_frame(t->port_fd, port, FRAME_LAST);
        do
                seen = next_frame(t->far_fd, PATIENCE_USEC / 1000);
        while (seen != 0 && seen != FRAME_UNFINISHED && seen != FRAME_LAST);
        return seen == FRAME_UNFINISHED;
}

int trial_run(const JobContext *job, bool checksum_trick, TrialResult *ret, Refusal *ret_refusal) {
        Trial trial = {.port_fd = -1, .far_fd = -1};
        _cleanup_netlink_ Netlink netlink = {};
        GuardProgram program = job->guard;
        const char *failure = NULL;
        bool blind = false;
        LinkInfo far;
        int r;

        r = netlink_open(&netlink, NETLINK_ROUTE);
        if (r == 0)
                r = guard_program_map(&program, RAWNET_ID_PROBE);
        if (r == 0)
                r = set_up(&program, checksum_trick, &netlink, &trial, ret_refusal);
        if (r == 0)
                r = link_get(&netlink, LINK_HERE, NAMESPACE_FAR, &far, ret_refusal);
        if (r == 0)
                failure = try_out(&trial, far.index);
        if (r == 0 && !failure) {
                r = judges_unfinished(&trial);
                blind = r == 0;
                r = MIN_OF(r, 0);
        }
        /* The sockets stay until this process ends: to close one takes the kernel 16 ms, and every
         * request waits for the result. */
        (void)guard_program_remove(&program, RAWNET_ID_PROBE);
        guard_program_forget(&program);
        if (r < 0)
                return r;
        if (blind && checksum_trick)
                failure = "it drops what is completed before it";
        *ret = r > 0 ? TRIAL_REFUSED : failure ? TRIAL_FAILS : blind ? TRIAL_BLIND : TRIAL_HOLDS;
        if (failure)
                (void)refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "the guard of ports does not work on this kernel: %s; report this, with "
                        "the kernel's version",
                        failure);
        return 0;
}
