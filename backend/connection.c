/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/connection.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

void connection_init(Connection *connection) {
        *connection = (Connection){.epoll_fd = -1, .listen_fd = -1};
        vhost_user_init(&connection->front);
}

void connection_done(Connection *connection) {
        vhost_user_done(&connection->front);
        connection->listen_fd = safe_close(connection->listen_fd);
}

static int watch(Connection *connection, int operation, int fd, uint32_t what) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};

        return epoll_ctl(connection->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static int adopt(Connection *connection, int fd) {
        connection->front.fd = fd;
        return watch(connection, EPOLL_CTL_ADD, fd, EVENT_FRONT_END);
}

int connection_use(Connection *connection, int fd, Refusal *ret_refusal) {
        int domain = 0, type = 0;
        socklen_t length = sizeof(int);

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || domain != AF_UNIX || type != SOCK_STREAM)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "descriptor %d is no connected UNIX stream socket", fd);
        return adopt(connection, fd);
}

static int set_address(Connection *connection, const char *path, Refusal *ret_refusal) {
        size_t length = strlen(path);

        if (length == 0 || length >= sizeof(connection->address.sun_path))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "a socket's path has 1 to %zu bytes, this one %zu: %s",
                              sizeof(connection->address.sun_path) - 1, length, path);
        connection->address = (struct sockaddr_un){.sun_family = AF_UNIX};
        memcpy(connection->address.sun_path, path, length);
        return 0;
}

static int try_connect(const Connection *connection) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (const struct sockaddr *)&connection->address, sizeof(connection->address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* What a back end that was killed leaves behind may go; nothing else. */
static int remove_stale(const Connection *connection, Refusal *ret_refusal) {
        const char *path = connection->address.sun_path;
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : refuse_errno(ret_refusal, errno, "looking for %s", path);
        if (!S_ISSOCK(st.st_mode))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "%s is there and is no socket", path);
        fd = try_connect(connection);
        if (fd != -ECONNREFUSED)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "somebody listens on %s already", path);
        return unlink(path) < 0 ? refuse_errno(ret_refusal, errno, "removing the old %s", path) : 0;
}

int connection_listen(Connection *connection, const char *path, Refusal *ret_refusal) {
        _cleanup_close_ int fd = -1;
        int r = set_address(connection, path, ret_refusal);

        if (r == 0)
                r = remove_stale(connection, ret_refusal);
        if (r != 0)
                return r;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (bind(fd, (struct sockaddr *)&connection->address, sizeof(connection->address)) < 0 || listen(fd, 4) < 0)
                return refuse_errno(ret_refusal, errno, "listening on %s", path);
        connection->listen_fd = TAKE_FD(fd);
        return 0;
}

int connection_connect_to(Connection *connection, const char *path, Refusal *ret_refusal) {
        int r = set_address(connection, path, ret_refusal);

        connection->connects = r == 0;
        return r;
}

int connection_seek(Connection *connection, bool *ret_retry) {
        int fd;

        *ret_retry = false;
        if (connection->listen_fd >= 0)
                return watch(connection, EPOLL_CTL_ADD, connection->listen_fd, EVENT_LISTEN);
        if (!connection->connects)
                return 0;
        fd = try_connect(connection);
        if (fd >= 0)
                return adopt(connection, fd);
        *ret_retry = true;
        return 0;
}

int connection_accept(Connection *connection) {
        int r, fd = accept4(connection->listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
                return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR ? 0 : -errno;
        /* One at a time: others wait in the queue. */
        r = watch(connection, EPOLL_CTL_DEL, connection->listen_fd, EVENT_LISTEN);
        if (r < 0) {
                safe_close(fd);
                return r;
        }
        return adopt(connection, fd);
}

bool connection_lost(Connection *connection) {
        epoll_ctl(connection->epoll_fd, EPOLL_CTL_DEL, connection->front.fd, NULL);
        vhost_user_done(&connection->front);
        return connection->listen_fd >= 0 || connection->connects;
}
