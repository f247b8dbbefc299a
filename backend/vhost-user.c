/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/vhost-user.h"

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/request.h"
#include "common/log.h"

/* Messages in one call of vhost_user_serve(). Afterwards the loop handles frames and signals. */
#define MESSAGES_A_TURN 64u

void vhost_user_init(VhostUser *front) {
        *front = (VhostUser){.fd = -1};
}

static void close_descriptors(VhostUser *front) {
        for (unsigned i = 0; i < front->n_fds; i++)
                safe_close(front->fds[i]);
        front->n_fds = 0;
}

void vhost_user_done(VhostUser *front) {
        close_descriptors(front);
        safe_close(front->fd);
        vhost_user_init(front);
}

/* Takes the descriptors of one recvmsg(), and closes those that are too many. */
static int keep_descriptors(VhostUser *front, struct msghdr *message, Refusal *ret_refusal) {
        bool truncated = message->msg_flags & MSG_CTRUNC, too_many = false;
        unsigned before = front->n_fds;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                size_t n;

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < n; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
                        if (front->n_fds < VHOST_USER_DESCRIPTORS_MAX) {
                                front->fds[front->n_fds++] = fd;
                        } else {
                                safe_close(fd);
                                too_many = true;
                        }
                }
        }
        /* The kernel also truncates where the process has no free descriptor number. The control
         * buffer has room for VHOST_USER_DESCRIPTORS_MAX. */
        if (truncated && front->n_fds - before < VHOST_USER_DESCRIPTORS_MAX)
                return refuse(ret_refusal, RAWNET_LIMITS_EXCEEDED,
                              "taking the front end's descriptors: %s", errno_text(EMFILE));
        if (too_many || truncated)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "a message came with more than %u descriptors",
                              VHOST_USER_DESCRIPTORS_MAX);
        return 0;
}

/* Receives up to size bytes of the current message. A read beyond it could bring the descriptors of
 * the next one. *ret is 0 where nothing has arrived. Returns 0, -ENOTCONN at the end of the stream,
 * a RawnetError or another -errno. */
static int receive(VhostUser *front, void *data, size_t size, size_t *ret, Refusal *ret_refusal) {
        union {
                struct cmsghdr align;
                char data[CMSG_SPACE(VHOST_USER_DESCRIPTORS_MAX * sizeof(int))];
        } control;
        struct iovec part = {.iov_base = data, .iov_len = size};
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(front->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

        *ret = 0;
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0
                       : errno == ECONNRESET             ? -ENOTCONN
                                                         : -errno;
        if (n == 0)
                return -ENOTCONN;
        *ret = (size_t)n;
        return keep_descriptors(front, &message, ret_refusal);
}

static int check_header(const VhostUserHeader *header, Refusal *ret_refusal) {
        if ((header->flags & 3) != VHOST_USER_VERSION || (header->flags & VHOST_USER_REPLY))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "a message with flags %#" PRIx32
                              " is not a request of vhost-user version %u",
                              header->flags, VHOST_USER_VERSION);
        if (header->size > sizeof(VhostUserPayload))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "message %" PRIu32 " has a payload of %" PRIu32 " bytes",
                              header->request, header->size);
        return 0;
}

/* *ret_complete: front->header, ->payload and ->fds contain a whole message. */
static int receive_message(VhostUser *front, bool *ret_complete, Refusal *ret_refusal) {
        const size_t head = sizeof(front->header);

        *ret_complete = false;
        do {
                bool in_head = front->have < head;
                uint8_t *to = in_head ? (uint8_t *)&front->header + front->have
                                      : (uint8_t *)&front->payload + (front->have - head);
                size_t missing = in_head ? head - front->have
                                         : head + front->header.size - front->have,
                       n;
                int r = receive(front, to, missing, &n, ret_refusal);

                if (r != 0 || n == 0)
                        return r;
                front->have += n;
                r = front->have == head ? check_header(&front->header, ret_refusal) : 0;
                if (r != 0)
                        return r;
        } while (front->have < head || front->have < head + front->header.size);
        *ret_complete = true;
        return 0;
}

/* Replies are small, so the socket's buffer has room for them. A front end that reads no replies is
 * disconnected. */
static int send_reply(VhostUser *front, size_t size, Refusal *ret_refusal) {
        VhostUserHeader header = {
                .request = front->header.request,
                .flags = VHOST_USER_VERSION | VHOST_USER_REPLY,
                .size = (uint32_t)size,
        };
        struct iovec parts[] = {
                {.iov_base = &header, .iov_len = sizeof(header)},
                {.iov_base = &front->payload, .iov_len = size},
        };
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts)};
        ssize_t n = sendmsg(front->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n == (ssize_t)(sizeof(header) + size))
                return 0;
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
                return -ENOTCONN;
        return refuse(ret_refusal, RAWNET_INVALID_ARGS, "the front end does not read its answers");
}

/* Serves a whole message. With REPLY_ACK the front end may ask for the result of a message that has
 * no reply of its own. */
static int serve_message(VhostUser *front, Device *device, Refusal *ret_refusal) {
        bool acknowledge = (front->header.flags & VHOST_USER_NEED_REPLY) &&
                           (device->protocol_features & (1u << VHOST_USER_PROTOCOL_F_REPLY_ACK));
        RequestAnswer answer = {};
        int r = request_serve(device, front, &answer, ret_refusal);

        close_descriptors(front);
        front->have = 0;
        if (r != 0)
                return r;
        if (answer.has_payload)
                return send_reply(front, answer.size, ret_refusal);
        if (!acknowledge)
                return 0;
        front->payload.u64 = answer.failed;
        return send_reply(front, sizeof(front->payload.u64), ret_refusal);
}

int vhost_user_serve(VhostUser *front, Device *device, Refusal *ret_refusal) {
        for (unsigned n = 0; n < MESSAGES_A_TURN; n++) {
                bool complete;
                int r = receive_message(front, &complete, ret_refusal);

                if (r == 0 && complete)
                        r = serve_message(front, device, ret_refusal);
                if (r != 0 || !complete)
                        return r;
        }
        return 0;
}
