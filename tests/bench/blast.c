/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Sends the shortest frames as fast as it can for SECONDS, and prints how many and the processor's
 * seconds: what a guest's sending is held against (vhost.py).
 *
 *   blast SECONDS udp ADDRESS     a UDP socket, 18 bytes a datagram, one a call, as in the thread
 *                                 of 2009
 *   blast SECONDS FD MAC          a packet socket with PACKET_VNET_HDR, inherited; 64 frames a call
 */

#include <arpa/inet.h>
#include <err.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/mac.h"
#include "common/text.h"
#include "path.h"

#define BATCH 64u

static double now(clockid_t clock) {
        struct timespec t;

        clock_gettime(clock, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int udp_socket(const char *address) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
            connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
                err(1, "%s", address);
        return fd;
}

static void build(struct mmsghdr messages[static BATCH], struct iovec parts[static BATCH],
                  const MacAddress *mac) {
        static uint8_t data[sizeof(struct virtio_net_hdr) + FRAME_SHORT];

        path_frame(data + sizeof(struct virtio_net_hdr), FRAME_SHORT, &path_far_mac, mac);
        for (unsigned i = 0; i < BATCH; i++) {
                parts[i] = (struct iovec){.iov_base = data, .iov_len = sizeof(data)};
                messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
        }
}

int main(int argc, char **argv) {
        struct mmsghdr messages[BATCH];
        struct iovec parts[BATCH];
        uint64_t sent = 0, failed = 0;
        double began, cpu;
        uint32_t seconds, fd;
        MacAddress mac;
        bool udp;

        if (argc != 4 || text_parse_u32(argv[1], 1, 60, &seconds) < 0)
                errx(2, "blast SECONDS udp ADDRESS | blast SECONDS FD MAC");
        udp = strcmp(argv[2], "udp") == 0;
        if (udp)
                fd = (uint32_t)udp_socket(argv[3]);
        else if (text_parse_u32(argv[2], 0, 1024, &fd) < 0 || mac_parse(argv[3], &mac) < 0)
                errx(2, "blast SECONDS FD MAC");
        else
                build(messages, parts, &mac);
        began = now(CLOCK_MONOTONIC);
        cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        while (now(CLOCK_MONOTONIC) - began < seconds)
                for (unsigned i = 0; i < BATCH; i++) {
                        ssize_t n = udp ? send((int)fd, parts, 18, 0) == 18
                                        : sendmmsg((int)fd, messages, BATCH, 0);

                        if (n > 0)
                                sent += (uint64_t)n;
                        else
                                failed++;
                }
        printf("%ju %ju %.6f %.6f\n", (uintmax_t)sent, (uintmax_t)failed,
               now(CLOCK_MONOTONIC) - began, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
        return 0;
}
