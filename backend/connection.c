/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "backend/connector.h"
#include "common/unix-socket.h"

#define BACKLOG 4 /* front ends that wait until the current one disconnects */

void connection_init(Connection *connection) {
        *connection = (Connection){.epoll_fd = -1, .listen_fd = -1, .connector_fd = -1};
        vhost_user_init(&connection->front);
}

void connection_done(Connection *connection) {
        vhost_user_done(&connection->front);
        connection->listen_fd = safe_close(connection->listen_fd);
        connection->connector_fd = safe_close(connection->connector_fd);
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
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || domain != AF_UNIX ||
            type != SOCK_STREAM)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "descriptor %d is not a connected UNIX stream socket", fd);
        return adopt(connection, fd);
}

/* Removes the socket of a back end that was killed, and nothing else. */
static int remove_stale(const Connection *connection, Refusal *ret_refusal) {
        const char *path = connection->address.sun_path;
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : refuse_errno(ret_refusal, errno, "checking %s", path);
        if (!S_ISSOCK(st.st_mode))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "%s exists and is not a socket; remove it, or choose another path",
                              path);
        if (connect(fd, (const struct sockaddr *)&connection->address,
                    sizeof(connection->address)) == 0 ||
            errno != ECONNREFUSED)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "another program listens on %s already; choose another path", path);
        return unlink(path) < 0 ? refuse_errno(ret_refusal, errno, "removing the old %s", path) : 0;
}

int connection_listen(Connection *connection, const char *path, uid_t allowed,
                      Refusal *ret_refusal) {
        int r = unix_address(path, &connection->address, ret_refusal);

        connection->rule = peer_rule(allowed);
        if (r == 0)
                r = remove_stale(connection, ret_refusal);
        if (r != 0)
                return r;
        return unix_listen(&connection->address, allowed == connection->rule.own ? 0600 : 0666,
                           BACKLOG, &connection->listen_fd, ret_refusal);
}

int connection_connect_to(Connection *connection, const char *path, uid_t allowed,
                          Refusal *ret_refusal) {
        int r = unix_address(path, &connection->address, ret_refusal);

        if (r == 0)
                r = connector_start(&connection->address, allowed, &connection->connector_fd,
                                    ret_refusal);
        return r != 0 ? r
                      : watch(connection, EPOLL_CTL_ADD, connection->connector_fd, EVENT_CONNECTOR);
}

int connection_seek(Connection *connection) {
        if (connection->listen_fd >= 0)
                return watch(connection, EPOLL_CTL_ADD, connection->listen_fd, EVENT_LISTEN);
        return connection->connector_fd >= 0 ? connector_ask(connection->connector_fd) : 0;
}

int connection_accept(Connection *connection) {
        int r, fd = accept4(connection->listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
                return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR ? 0 : -errno;
        if (!peer_is_allowed(&connection->rule, fd, connection->address.sun_path)) {
                safe_close(fd);
                return 0;
        }
        /* One front end at a time: others wait in the backlog. */
        r = watch(connection, EPOLL_CTL_DEL, connection->listen_fd, EVENT_LISTEN);
        if (r < 0) {
                safe_close(fd);
                return r;
        }
        return adopt(connection, fd);
}

int connection_receive(Connection *connection, Refusal *ret_refusal) {
        int fd, r = connector_receive(connection->connector_fd, &fd);

        if (r < 0)
                return refuse_errno(ret_refusal, r, "the process that connects to %s has ended",
                                    connection->address.sun_path);
        return fd >= 0 ? adopt(connection, fd) : 0;
}

bool connection_lost(Connection *connection) {
        epoll_ctl(connection->epoll_fd, EPOLL_CTL_DEL, connection->front.fd, NULL);
        vhost_user_done(&connection->front);
        return connection->listen_fd >= 0 || connection->connector_fd >= 0;
}
