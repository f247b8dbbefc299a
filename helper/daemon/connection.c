/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/connection.h"

#include <string.h>
#include <sys/socket.h>

#include "common/fd-pass.h"
#include "common/log.h"

/* The kernel doubles this (socket(7), SO_SNDBUF) and counts some 2.3 KiB a message: room for 14,000
 * leases and their ends. Memory is taken only while messages wait. */
#define SEND_BUFFER (16 * 1024 * 1024)

struct Connection {
        Connections *connections;
        int fd;
        bool subscribed;
        sd_event_source *source;
};

static void close_one(Connection *connection) {
        Connections *connections = connection->connections;

        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
                if (connections->all[i] == connection)
                        connections->all[i] = NULL;
        }
        connections->events->gone(connections->data, connection);
        sd_event_source_disable_unref(connection->source);
        /* Workers have copies of the descriptor. Without this, rawnetd would see the end of the
         * connection when the last copy is closed, and send requests until then that nobody reads.
         */
        (void)shutdown(connection->fd, SHUT_RDWR);
        safe_close(connection->fd);
        free(connection);
}

bool connection_send(Connection *connection, const IpcReply *reply) {
        int r = fd_pass_send(connection->fd, reply, sizeof(*reply), NULL, 0, MSG_DONTWAIT);

        if (r == 0)
                return true;
        log_notice("rawnetd does not take its messages (%s); closing its connection", strerror(-r));
        close_one(connection);
        return false;
}

void connection_refuse(Connection *connection, uint64_t serial, const Refusal *refusal) {
        const IpcReply reply = ipc_reply_refused(serial, refusal);

        (void)connection_send(connection, &reply);
}

void connection_fail(Connection *connection, uint64_t serial, const char *why) {
        Refusal refusal = {};

        refuse(&refusal, RAWNET_HELPER_UNAVAILABLE, "rawnet-helper: %s; try again", why);
        connection_refuse(connection, serial, &refusal);
}

int connection_fd(const Connection *connection) {
        return connection->fd;
}

void connection_subscribe(Connection *connection) {
        connection->subscribed = true;
}

bool connections_subscribed(const Connections *connections) {
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
                if (connections->all[i] && connections->all[i]->subscribed)
                        return true;
        return false;
}

void connections_publish(Connections *connections, const IpcReply *reply) {
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
                if (connections->all[i] && connections->all[i]->subscribed)
                        (void)connection_send(connections->all[i], reply);
        }
}

static int on_request(sd_event_source *source, int fd, uint32_t events, void *data) {
        Connection *connection = data;
        Connections *connections = connection->connections;
        int fds[RAWNET_FDS_MAX];
        IpcRequest request;
        size_t n_fds = 0;
        ssize_t n;

        n = fd_pass_receive(fd, &request, sizeof(request), fds, &n_fds, MSG_DONTWAIT);
        if (n == -EAGAIN || n == -EINTR)
                return 0;
        if (n <= 0 || ipc_request_check(&request, (size_t)n, n_fds) < 0) {
                /* 0, ECONNRESET: rawnetd closed the connection, perhaps with something unread. */
                if (n > 0 || n == -EBADMSG)
                        log_warning("a malformed request; closing the connection");
                close_one(connection);
        } else {
                connections->events->request(connections->data, connection, &request,
                                             n_fds > 0 ? fds[0] : -1);
        }
        if (n > 0)
                fd_pass_close_all(fds, n_fds);
        connections->events->settle(connections->data);
        return 0;
}

/* Only rawnetd's user may connect, whatever the socket's mode says (SO_PEERCRED, unix(7)). */
static bool is_rawnetd(const Connections *connections, int fd) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return false;
        if (peer.uid == connections->peer_uid)
                return true;
        log_warning("refused a connection of user %u (pid %d): only " RAWNET_USER_SERVICE
                    " may speak here",
                    peer.uid, peer.pid);
        return false;
}

static int on_connect(sd_event_source *source, int fd, uint32_t events, void *data) {
        Connections *connections = data;
        _cleanup_close_ int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        Connection *connection;
        size_t i = 0;

        if (peer < 0 || !is_rawnetd(connections, peer))
                return 0;
        while (i < CONNECTIONS_MAX && connections->all[i])
                i++;
        connection = i < CONNECTIONS_MAX ? calloc(1, sizeof(*connection)) : NULL;
        if (!connection) {
                log_warning("too many connections; refused one");
                return 0;
        }
        /* A list of leases is sent without waiting for the reader, and the default buffer holds
         * about 90 leases. */
        (void)setsockopt(peer, SOL_SOCKET, SO_SNDBUFFORCE, &(int){SEND_BUFFER}, sizeof(int));
        *connection = (Connection){.connections = connections, .fd = peer};
        if (sd_event_add_io(connections->event, &connection->source, peer, EPOLLIN, on_request,
                            connection) < 0 ||
            (connections->paused &&
             sd_event_source_set_enabled(connection->source, SD_EVENT_OFF) < 0)) {
                sd_event_source_disable_unref(connection->source);
                free(connection);
                return 0;
        }
        (void)TAKE_FD(peer);
        connections->all[i] = connection;
        connections->events->settle(connections->data);
        return 0;
}

void connections_pause(Connections *connections, bool pause) {
        if (connections->paused == pause)
                return;
        connections->paused = pause;
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
                if (connections->all[i])
                        (void)sd_event_source_set_enabled(connections->all[i]->source,
                                                          pause ? SD_EVENT_OFF : SD_EVENT_ON);
        }
}

bool connections_any(const Connections *connections) {
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
                if (connections->all[i])
                        return true;
        return false;
}

int connections_listen(Connections *connections, int listen_fd) {
        int r = sd_event_add_io(connections->event, NULL, listen_fd, EPOLLIN, on_connect,
                                connections);

        return r < 0 ? r : 0;
}

void connections_close(Connections *connections) {
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
                if (connections->all[i])
                        close_one(connections->all[i]);
        }
}
