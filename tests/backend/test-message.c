/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The front end's messages, good and bad, over a real socket. */

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include "backend/peer-event.h"
#include "common/fd-pass.h"
#include "driver.h"
#include "tests/unit/test.h"

#define HEADER sizeof(VhostUserHeader)
#define PROTOCOL                                                                                   \
        (BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | BIT(VHOST_USER_PROTOCOL_F_STATUS) |                \
         BIT(VHOST_USER_PROTOCOL_F_NET_MTU) | BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |     \
         BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE))

typedef struct Peer {
        Device device;
        VhostUser front;
        int fd;
        unsigned n_fds;
} Peer;

static int set_up(void **state) {
        Peer *p = calloc(1, sizeof(*p));
        int ends[2], wire[2];

        p->n_fds = count_fds();
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
            socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, wire) < 0)
                return -1;
        close(wire[1]);
        device_init(&p->device, wire, 1, &(MacAddress){{0x52, 0x54, 0, 1, 2, 3}}, 1400);
        vhost_user_init(&p->front);
        p->front.fd = ends[0];
        p->fd = ends[1];
        *state = p;
        return 0;
}

static int tear_down(void **state) {
        Peer *p = *state;
        unsigned n_fds = p->n_fds;

        vhost_user_done(&p->front);
        device_done(&p->device);
        close(p->fd);
        free(p);
        /* Nothing that came with a message is still open. */
        return count_fds() == n_fds ? 0 : -1;
}

static void send_raw(Peer *p, const void *data, size_t size, const int *fds, unsigned n_fds) {
        assert_int_equal(fd_pass_send(p->fd, data, size, fds, n_fds, 0), 0);
}

static int say_with(Peer *p, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
                    const int *fds, unsigned n_fds, Refusal *refusal) {
        uint8_t buffer[HEADER + 1024];
        VhostUserHeader header = {request, VHOST_USER_VERSION | flags, size};

        memcpy(buffer, &header, HEADER);
        if (size > 0)
                memcpy(buffer + HEADER, payload, size);
        send_raw(p, buffer, HEADER + size, fds, n_fds);
        return vhost_user_serve(&p->front, &p->device, refusal);
}

static int say(Peer *p, uint32_t request, const void *payload, uint32_t size, Refusal *refusal) {
        return say_with(p, request, 0, payload, size, NULL, 0, refusal);
}

static uint64_t answer(Peer *p, uint32_t request) {
        struct {
                VhostUserHeader header;
                uint64_t value;
        } __attribute__((packed)) reply;

        assert_int_equal(recv(p->fd, &reply, sizeof(reply), MSG_DONTWAIT), sizeof(reply));
        assert_int_equal(reply.header.request, request);
        assert_int_equal(reply.header.flags, VHOST_USER_VERSION | VHOST_USER_REPLY);
        assert_int_equal(reply.header.size, sizeof(reply.value));
        return reply.value;
}

static void no_answer(Peer *p) {
        char byte;

        assert_true(recv(p->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

static uint64_t ask(Peer *p, uint32_t request) {
        assert_int_equal(say(p, request, NULL, 0, NULL), 0);
        return answer(p, request);
}

static void negotiate(Peer *p) {
        const uint64_t protocol = PROTOCOL;

        assert_int_equal(say(p, VHOST_USER_SET_PROTOCOL_FEATURES, &protocol, 8, NULL), 0);
}

static uint64_t acknowledged(Peer *p, uint32_t request, const void *payload, uint32_t size,
                             const int *fds, unsigned n_fds) {
        assert_int_equal(
                say_with(p, request, VHOST_USER_NEED_REPLY, payload, size, fds, n_fds, NULL), 0);
        return answer(p, request);
}

static void test_features(void **state) {
        const uint64_t wanted[] = {0, 1, 3, 5, 7, 8, 11, 12, 15, 16, 27, 28, 29, 30, 32};
        uint64_t features = ask(*state, VHOST_USER_GET_FEATURES), bad = BIT(26);
        Peer *p = *state;
        Refusal refusal = {};

        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
                assert_true(features & BIT(wanted[i]));
        assert_false(features & (BIT(26) | BIT(17) | BIT(22)));
        assert_int_equal(say(p, VHOST_USER_SET_FEATURES, &features, 8, NULL), 0);
        assert_int_equal(p->device.header_size, 12);
        assert_refused(say(p, VHOST_USER_SET_FEATURES, &bad, 8, &refusal), RAWNET_INVALID_ARGS,
                       &refusal, "not offered");
}

static void test_unknown(void **state) {
        static const uint32_t unknown[] = {0, 6, 7, 19, 21, 26, 35, 41, 1000, UINT32_MAX};
        uint8_t payload[300] = {};
        Peer *p = *state;

        negotiate(p);
        for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
                int fd = eventfd(0, EFD_CLOEXEC);

                assert_int_equal(say(p, unknown[i], payload, sizeof(VhostUserPayload), NULL), 0);
                no_answer(p);
                assert_int_equal(acknowledged(p, unknown[i], payload, 8, &fd, 1), 1);
                close(fd);
        }
        /* Known, but it was not agreed upon. */
        assert_int_equal(acknowledged(p, VHOST_USER_GET_QUEUE_NUM, NULL, 0, NULL, 0), 1);
}

static void test_small_questions(void **state) {
        uint64_t value = 9000;
        Peer *p = *state;

        negotiate(p);
        assert_int_equal(ask(p, VHOST_USER_GET_MAX_MEM_SLOTS), MEMORY_REGIONS_MAX);
        assert_int_equal(acknowledged(p, VHOST_USER_SET_OWNER, NULL, 0, NULL, 0), 0);
        assert_int_equal(acknowledged(p, VHOST_USER_NET_SET_MTU, &value, 8, NULL, 0), 1);
        value = 1400;
        assert_int_equal(acknowledged(p, VHOST_USER_NET_SET_MTU, &value, 8, NULL, 0), 0);
        value = 15;
        assert_int_equal(acknowledged(p, VHOST_USER_SET_STATUS, &value, 8, NULL, 0), 0);
        assert_int_equal(ask(p, VHOST_USER_GET_STATUS), 15);
        assert_int_equal(acknowledged(p, VHOST_USER_RESET_DEVICE, NULL, 0, NULL, 0), 0);
        assert_int_equal(ask(p, VHOST_USER_GET_STATUS), 0);
}

static void test_config(void **state) {
        VhostUserConfig config = {.offset = 0, .size = 12};
        uint8_t reply[HEADER + sizeof(config)];
        Peer *p = *state;

        assert_int_equal(say(p, VHOST_USER_GET_CONFIG, &config, 24, NULL), 0);
        assert_int_equal(recv(p->fd, reply, sizeof(reply), MSG_DONTWAIT), HEADER + 24);
        assert_memory_equal(reply + HEADER + 12,
                            ((uint8_t[]){0x52, 0x54, 0, 1, 2, 3, 1, 0, 1, 0, 0x78, 0x05}), 12);
        config.offset = UINT32_MAX;
        assert_int_equal(say(p, VHOST_USER_GET_CONFIG, &config, 24, NULL), 0);
        assert_int_equal(recv(p->fd, reply, sizeof(reply), MSG_DONTWAIT), HEADER);
}

static void test_bad_messages(void **state) {
        const VhostUserVring far = {.index = 2, .number = 1}, odd = {.index = 0, .number = 100},
                             twice = {.index = 0, .number = 2},
                             index = {.index = 0, .number = 65536};
        const uint64_t kick = 0, strange = 0x1000, ring9 = 9 | 0x100;
        const struct {
                uint32_t request, size;
                const void *payload;
                const char *words;
        } cases[] = {
                {VHOST_USER_GET_FEATURES, 8, &kick, "payload of 8"},
                {VHOST_USER_SET_FEATURES, 4, &kick, "payload of 4"},
                {VHOST_USER_SET_VRING_NUM, 8, &far, "no ring 2"},
                {VHOST_USER_SET_VRING_NUM, 8, &odd, "power of two"},
                {VHOST_USER_SET_VRING_ENABLE, 8, &twice, "0 or 1"},
                {VHOST_USER_SET_VRING_KICK, 8, &kick, "0 descriptors came, and one was expected"},
                {VHOST_USER_SET_VRING_CALL, 8, &strange,
                 "0 descriptors came, and one was expected"},
                {VHOST_USER_SET_VRING_ERR, 8, &ring9, "no ring 9"},
                {VHOST_USER_SET_VRING_BASE, 8, &index, "avail index of 65536"},
                {VHOST_USER_SET_MEM_TABLE, 8, &(uint32_t[2]){1}, "came with 0 descriptors"},
                {VHOST_USER_SET_MEM_TABLE, 8, &(uint32_t[2]){UINT32_MAX},
                 "came with 0 descriptors"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                void *fresh = NULL;
                Refusal refusal = {};

                assert_int_equal(set_up(&fresh), 0);
                assert_refused(
                        say(fresh, cases[i].request, cases[i].payload, cases[i].size, &refusal),
                        RAWNET_INVALID_ARGS, &refusal, cases[i].words);
                assert_int_equal(tear_down(&fresh), 0);
        }
}

static void test_bad_headers(void **state) {
        const VhostUserHeader version = {VHOST_USER_GET_FEATURES, 2, 0},
                              reply = {VHOST_USER_GET_FEATURES, 5, 0},
                              longer = {VHOST_USER_SET_MEM_TABLE, 1, sizeof(VhostUserPayload) + 1};
        const VhostUserHeader *const bad[] = {&version, &reply, &longer};

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                void *fresh = NULL;
                Refusal refusal = {};
                Peer *p;

                assert_int_equal(set_up(&fresh), 0);
                p = fresh;
                send_raw(p, bad[i], HEADER, NULL, 0);
                assert_int_equal(vhost_user_serve(&p->front, &p->device, &refusal),
                                 RAWNET_INVALID_ARGS);
                assert_int_equal(tear_down(&fresh), 0);
        }
}

static void test_in_bits_and_pieces(void **state) {
        const VhostUserHeader header = {VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, 0};
        Peer *p = *state;

        for (size_t i = 0; i < HEADER; i++) {
                no_answer(p);
                send_raw(p, (const uint8_t *)&header + i, 1, NULL, 0);
                assert_int_equal(vhost_user_serve(&p->front, &p->device, NULL), 0);
        }
        answer(p, VHOST_USER_GET_FEATURES);
        send_raw(p, &header, 5, NULL, 0);
        shutdown(p->fd, SHUT_WR);
        assert_int_equal(vhost_user_serve(&p->front, &p->device, NULL), -ENOTCONN);
}

static void test_too_many_descriptors(void **state) {
        int fd = eventfd(0, EFD_CLOEXEC), fds[9] = {fd, fd, fd, fd, fd, fd, fd, fd, fd};
        Refusal refusal = {};
        uint64_t zero = 0;

        assert_refused(say_with(*state, VHOST_USER_SET_VRING_KICK, 0, &zero, 8, fds, 9, &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "more than 8 descriptors");
        close(fd);
}

/* The process has no number left: that is not the front end's mistake. */
static void test_no_descriptor_left(void **state) {
        int fd = eventfd(0, EFD_CLOEXEC), fds[2] = {fd, fd};
        struct rlimit old, low;
        Refusal refusal = {};
        uint64_t zero = 0;
        int r, next;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
        for (rlim_t left = 0; left < 2; left++) {
                void *fresh = NULL;

                assert_int_equal(set_up(&fresh), 0);
                next = dup(fd);
                low = (struct rlimit){.rlim_cur = (rlim_t)next + left, .rlim_max = old.rlim_max};
                close(next);
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
                r = say_with(fresh, VHOST_USER_SET_VRING_KICK, 0, &zero, 8, fds, 2, &refusal);
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
                assert_refused(r, RAWNET_LIMITS_EXCEEDED, &refusal, "Too many open files",
                               "ulimit -n");
                assert_int_equal(tear_down(&fresh), 0);
        }
        close(fd);
}

/* Fewer or more than the message has room for. */
static void test_wrong_descriptors(void **state) {
        const struct {
                uint32_t count, padding;
                MemorySlot slot;
        } table = {.count = 1, .slot = {.size = 0x1000}};
        const VhostUserVring ring = {.index = 0, .number = 16};
        const uint64_t none = 0x100, one = 0;
        const struct {
                uint32_t request, size;
                const void *payload;
                unsigned n_fds;
                const char *words;
        } cases[] = {
                {VHOST_USER_GET_FEATURES, 0, NULL, 1, "GET_FEATURES with 1 descriptor"},
                {VHOST_USER_SET_VRING_NUM, 8, &ring, 1, "with 1 descriptor"},
                {VHOST_USER_SET_VRING_CALL, 8, &none, 1,
                 "1 descriptor came, and none was expected"},
                {VHOST_USER_SET_VRING_KICK, 8, &one, 2, "with 2 descriptors"},
                {VHOST_USER_SET_MEM_TABLE, sizeof(table), &table, 2,
                 "1 region came with 2 descriptors"},
                {VHOST_USER_SET_MEM_TABLE, sizeof(table), &table, 0,
                 "1 region came with 0 descriptors"},
                {VHOST_USER_ADD_MEM_REG, 40, &table, 0, "with 0 descriptors"},
                {VHOST_USER_ADD_MEM_REG, 40, &table, 2, "with 2 descriptors"},
                {VHOST_USER_REM_MEM_REG, 40, &table, 2, "with 2 descriptors"},
        };
        int fd = eventfd(0, EFD_CLOEXEC), fds[2] = {fd, fd};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Refusal refusal = {};
                void *fresh = NULL;

                assert_int_equal(set_up(&fresh), 0);
                negotiate(fresh);
                assert_refused(say_with(fresh, cases[i].request, 0, cases[i].payload, cases[i].size,
                                        fds, cases[i].n_fds, &refusal),
                               RAWNET_INVALID_ARGS, &refusal, cases[i].words);
                assert_int_equal(tear_down(&fresh), 0);
        }
        close(fd);
}

/* One that says more than it may, or as much as it can. */
static void test_flood(void **state) {
        const VhostUserHeader quiet = {VHOST_USER_SET_OWNER, VHOST_USER_VERSION, 0};
        VhostUserHeader many[200];
        Refusal refusal = {};
        Peer *p = *state;

        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                many[i] = quiet;
        assert_int_equal(send(p->fd, many, sizeof(many), 0), sizeof(many));
        assert_int_equal(vhost_user_serve(&p->front, &p->device, NULL), 0);
        /* Others have their turn while there is more. */
        assert_true(recv(p->front.fd, many, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(vhost_user_serve(&p->front, &p->device, NULL), 0);
        assert_true(recv(p->front.fd, many, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
        /* Questions whose answers nobody reads. */
        for (unsigned i = 0; i < 100000; i++)
                if (say(p, VHOST_USER_GET_FEATURES, NULL, 0, &refusal) != 0)
                        break;
        assert_non_null(strstr(refusal.text, "does not read its answers"));
}

/* What the front end must have created with eventfd(2) is nothing else: some of these block their
 * writer. */
static void test_other_files(_unused_ void **state) {
        static const uint32_t requests[] = {VHOST_USER_SET_VRING_KICK, VHOST_USER_SET_VRING_CALL,
                                            VHOST_USER_SET_VRING_ERR};
        int pipes[2], pair[2], memory = memfd_create("anon_inode:[eventfd]", MFD_CLOEXEC);
        const uint64_t ring = 1;

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        {
                int fds[] = {pipes[0],
                             pipes[1],
                             pair[0],
                             memory,
                             epoll_create1(EPOLL_CLOEXEC),
                             timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
                             open("/dev/null", O_RDWR | O_CLOEXEC)};

                for (size_t i = 0; i < ARRAY_SIZE(fds) * ARRAY_SIZE(requests); i++) {
                        Refusal refusal = {};
                        void *fresh = NULL;

                        assert_int_equal(set_up(&fresh), 0);
                        assert_refused(say_with(fresh, requests[i % 3], 0, &ring, 8, &fds[i / 3], 1,
                                                &refusal),
                                       RAWNET_INVALID_ARGS, &refusal,
                                       "of ring 1 is not an eventfd");
                        assert_int_equal(tear_down(&fresh), 0);
                }
                for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                        close(fds[i]);
        }
        close(pair[1]);
}

/* The port sets O_NONBLOCK. The front end can take that back at any time, and the counter is full:
 * the timer ends the write. */
static void test_call_that_blocks(void **state) {
        int fd = eventfd(0, EFD_CLOEXEC);
        uint64_t ring = 0, most = UINT64_MAX - 1;
        Refusal refusal = {};
        Peer *p = *state;

        assert_int_equal(write(fd, &most, sizeof(most)), sizeof(most));
        for (uint32_t request = VHOST_USER_SET_VRING_CALL; request <= VHOST_USER_SET_VRING_ERR;
             request++) {
                assert_int_equal(say_with(p, request, 0, &ring, 8, &fd, 1, NULL), 0);
                assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
                /* A full counter is no error. */
                assert_int_equal(peer_event_signal(fd, NULL), 0);
                assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
                assert_refused(peer_event_signal(fd, &refusal), RAWNET_INVALID_ARGS, &refusal,
                               "made an eventfd block");
        }
        close(fd);
}

/* The timer is for writes: it stops by itself. */
static void test_timer_stops(_unused_ void **state) {
        _cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        struct itimerval timer;
        unsigned ticks = 0;
        sigset_t tick, none;

        /* From here on a tick is delivered in sigsuspend() only. */
        sigemptyset(&none);
        sigemptyset(&tick);
        sigaddset(&tick, SIGALRM);
        assert_int_equal(sigprocmask(SIG_BLOCK, &tick, NULL), 0);
        assert_int_equal(peer_event_signal(fd, NULL), 0);
        assert_int_equal(getitimer(ITIMER_REAL, &timer), 0);
        assert_true(timer.it_interval.tv_usec > 0);
        for (; timer.it_interval.tv_usec > 0 && ticks < 10; ticks++) {
                sigsuspend(&none);
                assert_int_equal(getitimer(ITIMER_REAL, &timer), 0);
        }
        assert_true(ticks >= 1 && ticks <= 3);
        assert_int_equal(sigprocmask(SIG_UNBLOCK, &tick, NULL), 0);
        assert_int_equal(peer_event_signal(fd, NULL), 0);
        assert_int_equal(getitimer(ITIMER_REAL, &timer), 0);
        assert_true(timer.it_interval.tv_usec > 0);
}

static int memory_file(size_t size) {
        int fd = memfd_create("guest", MFD_CLOEXEC);

        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        return fd;
}

static void test_memory(void **state) {
        struct {
                uint64_t padding;
                MemorySlot slot;
        } region = {.slot = {.guest = 0x1000, .size = 0x2000, .user = 0x7000, .offset = 0}};
        int fd = memory_file(0x3000);
        Peer *p = *state;
        Refusal refusal = {};

        negotiate(p);
        assert_int_equal(acknowledged(p, VHOST_USER_ADD_MEM_REG, &region, sizeof(region), &fd, 1),
                         0);
        /* Once more for the second queue pair. */
        assert_int_equal(acknowledged(p, VHOST_USER_ADD_MEM_REG, &region, sizeof(region), &fd, 1),
                         0);
        assert_int_equal(p->device.memory.n_regions, 1);
        assert_int_equal(acknowledged(p, VHOST_USER_REM_MEM_REG, &region, sizeof(region), &fd, 1),
                         0);
        assert_non_null(memory_guest(&p->device.memory, 0x1000, 0x2000));
        assert_null(memory_guest(&p->device.memory, 0x1000, 0x2001));
        assert_null(memory_guest(&p->device.memory, 0xfff, 1));
        assert_int_equal(acknowledged(p, VHOST_USER_REM_MEM_REG, &region, sizeof(region), NULL, 0),
                         0);
        assert_null(memory_guest(&p->device.memory, 0x1000, 1));
        assert_refused(say(p, VHOST_USER_REM_MEM_REG, &region, sizeof(region), &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "no memory region");
        close(fd);
}

static void test_bad_memory(void **state) {
        const MemorySlot bad[] = {
                {.guest = 0, .size = 0},
                {.guest = UINT64_MAX - 0xfff, .size = 0x2000},
                {.user = UINT64_MAX - 0xfff, .size = 0x2000},
                {.size = 0x1000, .offset = UINT64_MAX - 0xff},
                {.size = 0x4000},
                {.size = 0x1000, .offset = 0x3000},
                {.size = UINT64_MAX},
        };
        int fd = memory_file(0x3000), no_memory = eventfd(0, EFD_CLOEXEC);
        Refusal refusal = {};
        Memory memory = {};

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(memory_add(&memory, &bad[i], fd, &refusal), RAWNET_INVALID_ARGS);
        assert_int_equal(memory_add(&memory, &(MemorySlot){.size = 0x1000}, no_memory, &refusal),
                         RAWNET_INVALID_ARGS);
        assert_int_equal(
                memory_add(&memory, &(MemorySlot){.guest = 0x1000, .size = 0x1000}, fd, &refusal),
                0);
        assert_refused(memory_add(&memory,
                                  &(MemorySlot){.guest = 0x1fff, .user = 0x9000, .size = 0x1000},
                                  fd, &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "overlaps");
        assert_refused(memory_add(&memory,
                                  &(MemorySlot){.guest = 0x9000, .user = 0xfff, .size = 0x1000}, fd,
                                  &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "overlaps");
        memory_clear(&memory);
        close(fd);
        close(no_memory);
}

/* A ring that runs: memory must not go away under it, and it must not be moved. */
static void running(Peer *p, int memory) {
        MemorySlot slot = {.guest = 0, .size = 0x10000, .user = 0x10000};
        struct {
                uint32_t count, padding;
                MemorySlot slot;
        } table = {.count = 1, .slot = slot};
        VhostUserVring size = {.index = 1, .number = 16}, base = {.index = 1, .number = 7};
        VhostUserAddress address = {.index = 1, .desc = 0x10000, .avail = 0x11000, .used = 0x12000};
        int kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        const uint16_t used = htole16(7);
        uint64_t one = 1;

        assert_int_equal(
                pwrite(memory, &used, sizeof(used), 0x2000 + offsetof(struct vring_used, idx)),
                sizeof(used));
        assert_int_equal(
                say_with(p, VHOST_USER_SET_MEM_TABLE, 0, &table, sizeof(table), &memory, 1, NULL),
                0);
        assert_int_equal(say(p, VHOST_USER_SET_VRING_NUM, &size, 8, NULL), 0);
        assert_int_equal(say(p, VHOST_USER_SET_VRING_BASE, &base, 8, NULL), 0);
        assert_int_equal(say(p, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address), NULL), 0);
        assert_int_equal(say_with(p, VHOST_USER_SET_VRING_KICK, 0, &one, 8, &kick, 1, NULL), 0);
        close(kick);
        /* Said again, as QEMU does. */
        assert_int_equal(say(p, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address), NULL), 0);
        assert_true(device_ring(&p->device, 1)->started);
}

static void test_running_ring(void **state) {
        const VhostUserVring size = {.index = 1, .number = 32}, ask_base = {.index = 1};
        const VhostUserAddress moved = {
                .index = 1, .desc = 0x13000, .avail = 0x11000, .used = 0x12000};
        const MemorySlot shorter = {.guest = 0, .size = 0x2000, .user = 0x10000};
        const struct {
                uint32_t count, padding;
                MemorySlot slot;
        } table = {.count = 1, .slot = shorter};
        const struct {
                uint64_t padding;
                MemorySlot slot;
        } region = {.slot = {.guest = 0, .size = 0x10000, .user = 0x10000}};
        const uint64_t features = BIT(VIRTIO_F_VERSION_1);
        int memory = memory_file(0x10000);

        for (unsigned i = 0; i < 7; i++) {
                Refusal refusal = {};
                void *fresh = NULL;
                Peer *p;

                assert_int_equal(set_up(&fresh), 0);
                p = fresh;
                running(p, memory);
                if (i == 0)
                        assert_refused(say(p, VHOST_USER_SET_VRING_NUM, &size, 8, &refusal),
                                       RAWNET_INVALID_ARGS, &refusal, "while it runs");
                if (i == 1)
                        assert_refused(
                                say(p, VHOST_USER_SET_VRING_ADDR, &moved, sizeof(moved), &refusal),
                                RAWNET_INVALID_ARGS, &refusal, "moved while it runs");
                if (i == 2)
                        assert_refused(say_with(p, VHOST_USER_SET_MEM_TABLE, 0, &table,
                                                sizeof(table), &memory, 1, &refusal),
                                       RAWNET_INVALID_ARGS, &refusal, "not within one region");
                if (i == 4)
                        assert_refused(say(p, VHOST_USER_SET_VRING_BASE, &size, 8, &refusal),
                                       RAWNET_INVALID_ARGS, &refusal, "while it runs");
                if (i == 5)
                        assert_refused(say(p, VHOST_USER_SET_FEATURES, &features, 8, &refusal),
                                       RAWNET_INVALID_ARGS, &refusal, "while rings run");
                if (i == 6) {
                        negotiate(p);
                        assert_refused(
                                say(p, VHOST_USER_REM_MEM_REG, &region, sizeof(region), &refusal),
                                RAWNET_INVALID_ARGS, &refusal, "not within one region");
                }
                if (i == 3) {
                        VhostUserVring base;
                        uint64_t value;

                        assert_int_equal(say(p, VHOST_USER_GET_VRING_BASE, &ask_base, 8, NULL), 0);
                        value = answer(p, VHOST_USER_GET_VRING_BASE);
                        memcpy(&base, &value, sizeof(base));
                        assert_int_equal(base.index, 1);
                        assert_int_equal(base.number, 7);
                        assert_false(device_ring(&p->device, 1)->started);
                }
                assert_int_equal(tear_down(&fresh), 0);
        }
        close(memory);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_features),
                TEST(test_unknown),
                TEST(test_small_questions),
                TEST(test_config),
                cmocka_unit_test(test_bad_messages),
                cmocka_unit_test(test_bad_headers),
                TEST(test_in_bits_and_pieces),
                TEST(test_too_many_descriptors),
                TEST(test_memory),
                cmocka_unit_test(test_no_descriptor_left),
                cmocka_unit_test(test_wrong_descriptors),
                TEST(test_flood),
                TEST(test_call_that_blocks),
                cmocka_unit_test(test_other_files),
                cmocka_unit_test(test_timer_stops),
                cmocka_unit_test(test_bad_memory),
                cmocka_unit_test(test_running_ring),
        };

        return peer_event_init(NULL) != 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
