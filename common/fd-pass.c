/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/fd-pass.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

/* Carries a descriptor too (linux/socket.h, Linux 6.5), where somebody set SO_PASSPIDFD. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

#define FDS_SIZE (RAWNET_FDS_MAX * sizeof(int))

int fd_pass_send(int socket_fd, const void *data, size_t size, const int *fds, size_t n_fds,
                 int flags) {
        union {
                struct cmsghdr header; /* for the alignment, cmsg(3) */
                char bytes[CMSG_SPACE(FDS_SIZE)];
        } control = {0};
        struct iovec part = {.iov_base = (void *)data, .iov_len = size};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        ssize_t n;

        /* An empty message would look like the end of the stream to the receiver. */
        assert(size > 0);
        assert(n_fds <= RAWNET_FDS_MAX);

        if (n_fds > 0) {
                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
        }
        do
                n = sendmsg(socket_fd, &message, flags | MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        return (size_t)n == size ? 0 : -EIO;
}

/* Takes every descriptor out of the message into fds (room for max). Returns false where the
 * control part contains anything else. Collects the descriptors to its end all the same, so that
 * the caller can close them. */
static bool collect(struct msghdr *message, int *fds, size_t max, size_t *ret_n_fds) {
        bool clean = true;
        size_t n = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                bool rights = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS;
                bool pidfd = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_PIDFD;

                clean = clean && rights;
                if (!rights && !pidfd)
                        continue;
                for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
                        int fd;

                        assert(n < max);
                        memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
                        fds[n++] = fd;
                }
        }
        *ret_n_fds = n;
        return clean;
}

ssize_t fd_pass_receive(int socket_fd, void *data, size_t size, int fds[static RAWNET_FDS_MAX],
                        size_t *ret_n_fds, int flags) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(FDS_SIZE)];
        } control;
        struct iovec part = {.iov_base = data, .iov_len = size};
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof(control.bytes),
        };
        int received[sizeof(control.bytes) / sizeof(int)];
        size_t n_received;
        bool clean;
        ssize_t n;

        do
                n = recvmsg(socket_fd, &message, flags | MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        clean = collect(&message, received, ARRAY_SIZE(received), &n_received);
        /* Descriptors without a byte beside them look like the end of the stream. */
        if (!clean || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
            n_received > RAWNET_FDS_MAX || (n == 0 && n_received > 0)) {
                fd_pass_close_all(received, n_received);
                return -EBADMSG;
        }
        memcpy(fds, received, n_received * sizeof(int));
        *ret_n_fds = n_received;
        return n;
}

void fd_pass_close_all(int *fds, size_t n_fds) {
        for (size_t i = 0; i < n_fds; i++)
                fds[i] = safe_close(fds[i]);
}
