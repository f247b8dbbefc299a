/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/child/port.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/fd-pass.h"
#include "common/log.h"

/* linux/if_packet.h since Linux 6.6; older kernels answer ENOPROTOOPT. */
#ifndef PACKET_VNET_HDR_SZ
#define PACKET_VNET_HDR_SZ 24
#endif

static int open_device(const char *path, const char *remedy, int *ret, Refusal *ret_refusal) {
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);

        /* A temporary error, which no module would fix. */
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EINTR))
                return refuse_errno(ret_refusal, errno, "opening %s", path);
        if (fd < 0)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED, "cannot open %s: %s; %s", path,
                              strerror(errno), remedy);
        *ret = fd;
        return 0;
}

int port_open_tap(const char *name, uint32_t index, unsigned queues, int *fds,
                  Refusal *ret_refusal) {
        struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
        unsigned n = 0;
        int r;

        if (queues > 1)
                request.ifr_flags |= IFF_MULTI_QUEUE;
        memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
        for (n = 0; n < queues; n++) {
                r = open_device("/dev/net/tun", "load the module (modprobe tun)", &fds[n],
                                ret_refusal);
                if (r != 0)
                        goto fail;
                /* The first queue makes the interface, with this index (drivers/net/tun.c). */
                if (ioctl(fds[n], TUNSETIFINDEX, &index) < 0 ||
                    ioctl(fds[n], TUNSETIFF, &request) < 0) {
                        r = refuse_errno(ret_refusal, errno, "creating tap queue %u", n);
                        n++;
                        goto fail;
                }
        }
        return 0;
fail:
        fd_pass_close_all(fds, n);
        return r;
}

#define OPTIONS_MAX "1024"

void port_limit_filters(void) {
        /* The kernel shows the settings of the caller's own namespace there (net/sysctl_net.c). All
         * namespaces' "core" are in one chain of the dentry cache (proc_sys_compare()): with 4,000
         * leases this open() alone takes milliseconds. */
        _cleanup_close_ int fd = open(PORT_FILTER_LIMIT, O_WRONLY | O_CLOEXEC | O_NOCTTY);

        if (fd >= 0 ? write(fd, OPTIONS_MAX, strlen(OPTIONS_MAX)) < 0 : errno != ENOENT)
                log_warning(
                        "cannot bound the filters of a lease's sockets (net.core.optmem_max): %m");
}

unsigned port_queue_length(unsigned queues) {
        return MAX_OF(PORT_TAP_FRAMES / queues, PORT_QUEUE_FRAMES_MIN);
}

/*
 * A packet socket sees a frame before tc's ingress hook does, and the holder may bind the socket to
 * another link: so the socket itself carries the rule, locked (SO_LOCK_FILTER, socket(7)). Received
 * is what arrived at this link, not what was sent through it, without a VLAN tag, neither a
 * stripped one nor one in the header (linux/filter.h, SKF_AD_*).
 */
static int lock_filter(int fd, uint32_t index, Refusal *ret_refusal) {
        static const uint16_t tags[] = {0x8100, 0x88a8, 0x9100, 0x9200, 0x9300};
        struct sock_filter code[7 + ARRAY_SIZE(tags) + 2];
        const uint8_t drop = ARRAY_SIZE(code) - 1;
        struct sock_fprog program = {.filter = code};
        uint8_t n = 0;
        int on = 1;

#define REFUSE_UNLESS(op, k)                                                                       \
        code[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | (op) | BPF_K, k, 0,                       \
                                               (uint8_t)(drop - n - 1)),                           \
        n++
#define REFUSE_IF(op, k)                                                                           \
        code[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | (op) | BPF_K, k, (uint8_t)(drop - n - 1), \
                                               0),                                                 \
        n++
#define LOAD(size, offset)                                                                         \
        code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | (size) | BPF_ABS, (uint32_t)(offset))

        LOAD(BPF_W, SKF_AD_OFF + SKF_AD_IFINDEX);
        REFUSE_UNLESS(BPF_JEQ, index);
        LOAD(BPF_B, SKF_AD_OFF + SKF_AD_PKTTYPE);
        REFUSE_IF(BPF_JEQ, PACKET_OUTGOING);
        LOAD(BPF_B, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT);
        REFUSE_UNLESS(BPF_JEQ, 0);
        LOAD(BPF_H, offsetof(struct ethhdr, h_proto));
        for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
                REFUSE_IF(BPF_JEQ, tags[i]);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
#undef REFUSE_UNLESS
#undef REFUSE_IF
#undef LOAD
        assert(n == ARRAY_SIZE(code));
        program.len = n;
        if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)) < 0)
                return refuse_errno(ret_refusal, errno, "locking the socket's filter");
        return 0;
}

static struct sockaddr_ll address_of(uint32_t index) {
        return (struct sockaddr_ll){
                .sll_family = AF_PACKET,
                .sll_protocol = htons(ETH_P_ALL),
                .sll_ifindex = (int)index,
        };
}

static int open_packet(uint32_t index, bool vnet_hdr, bool fanout, int *ret, Refusal *ret_refusal) {
        const struct sockaddr_ll address = address_of(index);
        /* Groups are per namespace, so any id will do: packet(7), PACKET_FANOUT. */
        int on = 1, group = PACKET_FANOUT_HASH << 16 | 1, r;
        /* Protocol 0: nothing is received before bind(), when the filter is in. */
        _cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return refuse_errno(ret_refusal, errno, "opening a packet socket");
        r = lock_filter(fd, index, ret_refusal);
        if (r != 0)
                return r;
        if (vnet_hdr && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0)
                return refuse_errno(ret_refusal, errno, "setting PACKET_VNET_HDR");
        if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return refuse_errno(ret_refusal, errno, "binding a packet socket");
        if (fanout && setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof(group)) < 0)
                return refuse_errno(ret_refusal, errno, "joining the sockets of a lease");
        *ret = TAKE_FD(fd);
        return 0;
}

int port_open_bare(uint32_t index, bool vnet_hdr, int *ret) {
        const struct sockaddr_ll address = address_of(index);
        _cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const int on = 1;

        if (fd < 0 ||
            (vnet_hdr && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0) ||
            bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

bool port_describes_udp(int fd) {
        int value;
        socklen_t size = sizeof(value);

        return getsockopt(fd, SOL_PACKET, PACKET_VNET_HDR_SZ, &value, &size) == 0;
}

int port_open_packet(uint32_t index, bool vnet_hdr, unsigned count, int *fds,
                     Refusal *ret_refusal) {
        for (unsigned n = 0; n < count; n++) {
                int r = open_packet(index, vnet_hdr, count > 1, &fds[n], ret_refusal);

                if (r != 0) {
                        fd_pass_close_all(fds, n);
                        return r;
                }
        }
        return 0;
}

int port_open_vhost(unsigned count, int *fds, Refusal *ret_refusal) {
        for (unsigned n = 0; n < count; n++) {
                int r = open_device("/dev/vhost-net",
                                    "load the module (modprobe vhost_net), or leave vhost out",
                                    &fds[n], ret_refusal);

                if (r != 0) {
                        fd_pass_close_all(fds, n);
                        return r;
                }
        }
        return 0;
}
