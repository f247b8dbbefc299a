/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/fd-pass.h"
#include "fault.h"
#include "test.h"

typedef struct Pair {
        int a, b;
        unsigned fds; /* open in the process with the pair, before anything was passed */
} Pair;

static int setup(void **state) {
        Pair *p = calloc(1, sizeof(*p));
        int s[2];

        assert_non_null(p);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
        p->a = s[0];
        p->b = s[1];
        p->fds = count_fds();
        *state = p;
        return 0;
}

static int teardown(void **state) {
        Pair *p = *state;

        safe_close(p->a);
        safe_close(p->b);
        free(p);
        return 0;
}

/* As a sender of our own would not: any number of descriptors, no data at all. */
static void send_raw(int s, const void *data, size_t size, size_t n_fds) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))] = {0};
        struct iovec part = {.iov_base = (void *)data, .iov_len = size};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = CMSG_SPACE(n_fds * sizeof(int))};
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        for (size_t i = 0; i < n_fds; i++)
                memcpy(CMSG_DATA(c) + i * sizeof(int), &s, sizeof(s));
        assert_int_equal(sendmsg(s, &message, MSG_NOSIGNAL), size);
}

/* Receives into room bytes what must be refused, with nothing left open and the outputs untouched.
 */
static void check_refused_message(const Pair *p, size_t room) {
        int fds[RAWNET_FDS_MAX], before[RAWNET_FDS_MAX];
        char data[64] = {0};
        size_t n_fds = 77;

        memset(before, 0xaa, sizeof(before));
        memcpy(fds, before, sizeof(fds));
        assert_int_equal(fd_pass_receive(p->b, data, room, fds, &n_fds, MSG_DONTWAIT), -EBADMSG);
        assert_int_equal(n_fds, 77);
        assert_memory_equal(fds, before, sizeof(fds));
        assert_int_equal(count_fds(), p->fds);
}

static void test_every_number(void **state) {
        Pair *p = *state;

        for (size_t n = 0; n <= RAWNET_FDS_MAX; n++) {
                int sent[RAWNET_FDS_MAX], fds[RAWNET_FDS_MAX];
                struct stat a, b;
                char data[8] = {0};
                size_t n_fds = 77;

                for (size_t i = 0; i < n; i++)
                        assert_true((sent[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
                assert_int_equal(fd_pass_send(p->a, "hello", 6, sent, n, MSG_DONTWAIT), 0);
                assert_int_equal(count_fds(), p->fds + n); /* still the sender's */
                assert_int_equal(fd_pass_receive(p->b, data, sizeof(data), fds, &n_fds, 0), 6);
                assert_string_equal(data, "hello");
                assert_int_equal(n_fds, n);
                assert_int_equal(count_fds(), p->fds + 2 * n);
                for (size_t i = 0; i < n; i++) {
                        assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
                        assert_int_equal(fstat(sent[i], &a), 0);
                        assert_int_equal(fstat(fds[i], &b), 0);
                        assert_int_equal(a.st_rdev, b.st_rdev);
                }
                fd_pass_close_all(fds, n_fds);
                fd_pass_close_all(sent, n);
                for (size_t i = 0; i < n; i++)
                        assert_int_equal(fds[i], -1);
                assert_int_equal(count_fds(), p->fds);
        }
}

static void test_close_all_skips(_unused_ void **state) {
        int fds[] = {-1, -1};

        errno = E2BIG;
        fd_pass_close_all(fds, 2);
        fd_pass_close_all(NULL, 0);
        assert_int_equal(errno, E2BIG);
}

static void test_data_too_long(void **state) {
        Pair *p = *state;

        send_raw(p->a, "12345678", 8, 3);
        check_refused_message(p, 7);
        send_raw(p->a, "12345678", 8, RAWNET_FDS_MAX);
        check_refused_message(p, 1);
        assert_int_equal(send(p->a, "12345678", 8, 0), 8);
        check_refused_message(p, 7);
}

static void test_too_many(void **state) {
        Pair *p = *state;

        for (size_t n = RAWNET_FDS_MAX + 1; n <= 64; n++) {
                send_raw(p->a, "x", 1, n);
                check_refused_message(p, 8);
        }
        /* The connection is as good as before. */
        test_every_number(state);
}

static void test_no_data(void **state) {
        Pair *p = *state;
        int fds[RAWNET_FDS_MAX];
        size_t n_fds = 77;
        char data[8];

        send_raw(p->a, "", 0, 2);
        check_refused_message(p, sizeof(data));
        p->a = safe_close(p->a);
        assert_int_equal(fd_pass_receive(p->b, data, sizeof(data), fds, &n_fds, 0), 0);
        assert_int_equal(n_fds, 0);
}

static void test_foreign_control(void **state) {
        Pair *p = *state;
        int on = 1;

        /* The receiver's socket asks for credentials: they come before and beside the descriptors.
         */
        assert_int_equal(setsockopt(p->b, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
        assert_int_equal(send(p->a, "x", 1, 0), 1);
        check_refused_message(p, 8);
        for (size_t n = 1; n <= RAWNET_FDS_MAX + 1; n++) {
                send_raw(p->a, "x", 1, n);
                check_refused_message(p, 8);
        }
}

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76 /* linux 6.5, asm-generic/socket.h */
#endif

static void test_pidfd(void **state) {
        Pair *p = *state;
        int on = 1;

        if (setsockopt(p->b, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)) < 0)
                return; /* a kernel before 6.5: there is no such message */
        assert_int_equal(send(p->a, "x", 1, 0), 1);
        check_refused_message(p, 8);
        send_raw(p->a, "x", 1, 2);
        check_refused_message(p, 8);
}

static void test_would_block(void **state) {
        Pair *p = *state;
        int fds[RAWNET_FDS_MAX];
        size_t n_fds = 77;
        char data[4096] = {0};
        int r;

        assert_int_equal(fd_pass_receive(p->b, data, sizeof(data), fds, &n_fds, MSG_DONTWAIT),
                         -EAGAIN);
        assert_int_equal(n_fds, 77);
        do
                r = fd_pass_send(p->a, data, sizeof(data), NULL, 0, MSG_DONTWAIT);
        while (r == 0);
        assert_int_equal(r, -EAGAIN);
}

static void test_peer_gone(void **state) {
        Pair *p = *state;

        /* No SIGPIPE: the test would be dead. */
        p->b = safe_close(p->b);
        assert_int_equal(fd_pass_send(p->a, "x", 1, &p->a, 1, 0), -EPIPE);
        assert_int_equal(fd_pass_send(-1, "x", 1, NULL, 0, 0), -EBADF);
}

static void test_bad_fd(void **state) {
        Pair *p = *state;
        int fds[RAWNET_FDS_MAX] = {p->a, -1};
        size_t n_fds;
        char data[8];

        assert_int_equal(fd_pass_send(p->a, "x", 1, fds, 2, 0), -EBADF);
        assert_int_equal(fd_pass_receive(p->b, data, sizeof(data), fds, &n_fds, MSG_DONTWAIT),
                         -EAGAIN);
        assert_int_equal(fd_pass_receive(-1, data, sizeof(data), fds, &n_fds, 0), -EBADF);
}

static void test_faults(void **state) {
        static const int errors[] = {EINTR, ENOBUFS, ECONNRESET, ETOOMANYREFS, EMFILE};
        Pair *p = *state;

        for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
                int expected = errors[e] == EINTR ? 0 : -errors[e];
                int fds[RAWNET_FDS_MAX] = {-7};
                size_t n_fds = 77;
                char data[8] = {0};
                ssize_t r;

                fault_arm(1, errors[e]);
                r = fd_pass_send(p->a, "x", 2, &p->a, 1, 0);
                assert_true(fault_disarm());
                assert_int_equal(r, expected);
                if (expected != 0)
                        assert_int_equal(fd_pass_send(p->a, "x", 2, &p->a, 1, 0), 0);

                fault_arm(1, errors[e]);
                r = fd_pass_receive(p->b, data, sizeof(data), fds, &n_fds, 0);
                assert_true(fault_disarm());
                if (expected == 0)
                        assert_int_equal(r, 2);
                else {
                        assert_int_equal(r, expected);
                        assert_int_equal(n_fds, 77);
                        assert_int_equal(fds[0], -7);
                        assert_int_equal(fd_pass_receive(p->b, data, sizeof(data), fds, &n_fds, 0),
                                         2);
                }
                fd_pass_close_all(fds, n_fds);
                assert_int_equal(count_fds(), p->fds);
        }
}

#define with_pair(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                with_pair(test_every_number),  cmocka_unit_test(test_close_all_skips),
                with_pair(test_data_too_long), with_pair(test_too_many),
                with_pair(test_no_data),       with_pair(test_foreign_control),
                with_pair(test_pidfd),         with_pair(test_would_block),
                with_pair(test_peer_gone),     with_pair(test_bad_fd),
                with_pair(test_faults),
        };

        return cmocka_run_group_tests_name("fd-pass", tests, NULL, NULL);
}
