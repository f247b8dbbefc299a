/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The ways to move short frames through a packet socket with PACKET_VNET_HDR, each for MILLISECONDS
 * (rings.py):
 *
 *   rings MILLISECONDS send WAY FD MAC            FD: the lease's socket; frames come from MAC
 *   rings MILLISECONDS receive WAY FD MAC FAR     FAR: a plain packet socket at the wire's other
 *                                                 end, which floods MAC meanwhile
 *
 * WAY: `call` one frame a system call; `batch` or `batch=N` sendmmsg and recvmmsg with N frames
 * (64); `ring` a mapped ring (TPACKET_V2, packet(7)) to or from which frames are copied, as they
 * would be from and to a guest. Prints frames moved, seconds, the mover's processor seconds and,
 * receiving, the flood's processor seconds and frames, in which the kernel's work on arrival is.
 */

#include <arpa/inet.h>
#include <err.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "common/mac.h"
#include "common/text.h"
#include "path.h"

#define BATCH_MAX 256u
#define HEADER ((unsigned)sizeof(struct virtio_net_hdr))
#define SLOT 2048u /* of a ring */
#define SLOTS 1024u

typedef struct Bench {
        int fd, far_fd;
        uint64_t microseconds;
        unsigned batch;
        MacAddress mac;
        bool done;
        uint64_t moved, flooded;
        double cpu, flood_cpu;
} Bench;

static double now(clockid_t clock) {
        struct timespec t;

        clock_gettime(clock, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* n messages of one frame each; every one has its own bytes behind a header of `head` bytes. */
static void make_messages(struct mmsghdr *messages, struct iovec *parts, uint8_t (*data)[SLOT],
                          unsigned n, size_t size) {
        for (unsigned i = 0; i < n; i++) {
                parts[i] = (struct iovec){.iov_base = data[i], .iov_len = size};
                messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
        }
}

static void send_batches(Bench *b) {
        static uint8_t data[BATCH_MAX][SLOT];
        struct mmsghdr messages[BATCH_MAX];
        struct iovec parts[BATCH_MAX];
        double end = now(CLOCK_MONOTONIC) + (double)b->microseconds / 1e6;

        for (unsigned i = 0; i < b->batch; i++)
                path_frame(data[i] + HEADER, FRAME_SHORT, &path_far_mac, &b->mac);
        make_messages(messages, parts, data, b->batch, HEADER + FRAME_SHORT);
        while (now(CLOCK_MONOTONIC) < end) {
                int n = sendmmsg(b->fd, messages, b->batch, 0);

                b->moved += n > 0 ? (unsigned)n : 0;
        }
}

static void receive_batches(Bench *b) {
        static uint8_t data[BATCH_MAX][SLOT];
        struct mmsghdr messages[BATCH_MAX];
        struct iovec parts[BATCH_MAX];
        double end = now(CLOCK_MONOTONIC) + (double)b->microseconds / 1e6;

        make_messages(messages, parts, data, b->batch, SLOT);
        while (now(CLOCK_MONOTONIC) < end) {
                int n = recvmmsg(b->fd, messages, b->batch, MSG_DONTWAIT, NULL);

                b->moved += n > 0 ? (unsigned)n : 0;
        }
}

static uint8_t *map_ring(const Bench *b, int option) {
        struct tpacket_req ring = {
                .tp_block_size = 32 * SLOT,
                .tp_block_nr = SLOTS / 32,
                .tp_frame_size = SLOT,
                .tp_frame_nr = SLOTS,
        };
        int version = TPACKET_V2;
        void *at;

        if (setsockopt(b->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
            setsockopt(b->fd, SOL_PACKET, option, &ring, sizeof(ring)) < 0)
                err(1, "a ring");
        at = mmap(NULL, (size_t)SLOT * SLOTS, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
        if (at == MAP_FAILED)
                err(1, "mapping a ring");
        return at;
}

static void send_ring(Bench *b) {
        const size_t at = TPACKET_ALIGN(sizeof(struct tpacket2_hdr));
        uint8_t *ring = map_ring(b, PACKET_TX_RING), frame[HEADER + FRAME_SHORT] = {};
        double end = now(CLOCK_MONOTONIC) + (double)b->microseconds / 1e6;
        unsigned next = 0;

        path_frame(frame + HEADER, FRAME_SHORT, &path_far_mac, &b->mac);
        while (now(CLOCK_MONOTONIC) < end) {
                unsigned n = 0;

                for (; n < b->batch; n++) {
                        struct tpacket2_hdr *slot = (void *)(ring + (size_t)next * SLOT);

                        if (__atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) &
                            (TP_STATUS_SEND_REQUEST | TP_STATUS_SENDING))
                                break;
                        memcpy((uint8_t *)slot + at, frame, sizeof(frame));
                        slot->tp_len = sizeof(frame);
                        __atomic_store_n(&slot->tp_status, TP_STATUS_SEND_REQUEST,
                                         __ATOMIC_RELEASE);
                        next = (next + 1) % SLOTS;
                }
                if (send(b->fd, NULL, 0, MSG_DONTWAIT) > 0)
                        b->moved += n;
        }
}

static void receive_ring(Bench *b) {
        static uint8_t guest[SLOT];
        uint8_t *ring = map_ring(b, PACKET_RX_RING);
        double end = now(CLOCK_MONOTONIC) + (double)b->microseconds / 1e6;
        unsigned next = 0;

        while (now(CLOCK_MONOTONIC) < end) {
                for (unsigned n = 0; n < b->batch; n++) {
                        struct tpacket2_hdr *slot = (void *)(ring + (size_t)next * SLOT);

                        if (!(__atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
                                break;
                        memcpy(guest, (uint8_t *)slot + slot->tp_mac - HEADER,
                               HEADER + slot->tp_snaplen);
                        __asm__ volatile("" ::"r"(guest) : "memory");
                        __atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
                        next = (next + 1) % SLOTS;
                        b->moved++;
                }
        }
}

static void *flood(void *data) {
        static uint8_t frames[BATCH_MAX][SLOT];
        struct mmsghdr messages[BATCH_MAX];
        struct iovec parts[BATCH_MAX];
        Bench *b = data;

        for (unsigned i = 0; i < 64; i++)
                path_frame(frames[i], FRAME_SHORT, &b->mac, &path_far_mac);
        make_messages(messages, parts, frames, 64, FRAME_SHORT);
        while (!__atomic_load_n(&b->done, __ATOMIC_RELAXED)) {
                int n = sendmmsg(b->far_fd, messages, 64, 0);

                b->flooded += n > 0 ? (unsigned)n : 0;
        }
        b->flood_cpu = now(CLOCK_THREAD_CPUTIME_ID);
        return NULL;
}

static uint32_t number(const char *text, uint32_t min, uint32_t max) {
        uint32_t value;

        if (text_parse_u32(text, min, max, &value) < 0)
                errx(2, "'%s' is no number from %u to %u", text, min, max);
        return value;
}

int main(int argc, char **argv) {
        Bench b = {.batch = 64, .far_fd = -1};
        bool receiving = argc == 7, ring;
        pthread_t flooder;
        double began;

        if (argc != 6 && argc != 7)
                errx(2, "rings MILLISECONDS send|receive call|batch[=N]|ring FD MAC [FAR]");
        ring = strcmp(argv[3], "ring") == 0;
        b.microseconds = number(argv[1], 1, 60000) * UINT64_C(1000);
        if (strcmp(argv[3], "call") == 0)
                b.batch = 1;
        else if (strncmp(argv[3], "batch=", 6) == 0)
                b.batch = number(argv[3] + 6, 1, BATCH_MAX);
        b.fd = (int)number(argv[4], 0, 1024);
        if (mac_parse(argv[5], &b.mac) < 0)
                errx(2, "'%s' is no MAC", argv[5]);
        if (receiving)
                b.far_fd = (int)number(argv[6], 0, 1024);
        if (receiving && pthread_create(&flooder, NULL, flood, &b) != 0)
                errx(1, "no thread");
        began = now(CLOCK_MONOTONIC);
        b.cpu = -now(CLOCK_THREAD_CPUTIME_ID);
        (receiving ? (ring ? receive_ring : receive_batches)
                   : (ring ? send_ring : send_batches))(&b);
        b.cpu += now(CLOCK_THREAD_CPUTIME_ID);
        began = now(CLOCK_MONOTONIC) - began;
        __atomic_store_n(&b.done, true, __ATOMIC_RELAXED);
        if (receiving)
                pthread_join(flooder, NULL);
        printf("%ju %.6f %.6f %ju %.6f\n", (uintmax_t)b.moved, began, b.cpu, (uintmax_t)b.flooded,
               b.flood_cpu);
        return 0;
}
