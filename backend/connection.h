/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How the front end and the port find each other: the front end is connected from the beginning (a
 * descriptor), it connects to our socket, or the connector (connector.h) connects to its socket.
 * The last two happen again and again, one front end at a time.
 */

#include <sys/un.h>

#include "backend/peer-user.h"
#include "backend/vhost-user.h"

typedef struct Connection {
        VhostUser front;  /* front.fd -1: there is none */
        int epoll_fd;     /* the loop's, not ours */
        int listen_fd;    /* ours, -1 unless the front end connects */
        int connector_fd; /* ours, -1 unless the connector connects */
        PeerRule rule;
        struct sockaddr_un address;
} Connection;

void connection_init(Connection *connection);
void connection_done(Connection *connection);

/* One of these, before the loop. path is refused (RAWNET_INVALID_ARGS) where it does not fit, or
 * another program listens there already; a socket on which no program listens any more is replaced.
 * allowed is the user beside our own who may be the front end (peer-user.h). The socket has mode
 * 0600, or 0666 where there is such a user: then peer_is_allowed() decides. */
int connection_use(Connection *connection, int fd, Refusal *ret_refusal);
int connection_listen(Connection *connection, const char *path, uid_t allowed,
                      Refusal *ret_refusal);
int connection_connect_to(Connection *connection, const char *path, uid_t allowed,
                          Refusal *ret_refusal);

/* There is no front end: waits for one at the listening socket, or asks the connector for one. */
int connection_seek(Connection *connection);
/* EVENT_LISTEN and EVENT_CONNECTOR. 0 also where no front end came of it: look at front.fd. */
int connection_accept(Connection *connection);
int connection_receive(Connection *connection, Refusal *ret_refusal);
/* The front end has gone. Returns whether another one may come. */
bool connection_lost(Connection *connection);
