/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The connection to the front end. There are three ways: a descriptor that is connected already, a
 * socket on which this process listens, or the front end's socket, to which the connector connects
 * (connector.h). The last two can happen again and again, with one front end at a time.
 */

#include <sys/un.h>

#include "backend/peer-user.h"
#include "backend/vhost-user.h"

typedef struct Connection {
        VhostUser front;  /* front.fd -1: not connected */
        int epoll_fd;     /* the loop's */
        int listen_fd;    /* owned; -1 unless the front end connects */
        int connector_fd; /* owned; -1 unless the connector connects */
        PeerRule rule;
        struct sockaddr_un address;
} Connection;

void connection_init(Connection *connection);
void connection_done(Connection *connection);

/* One of these is called before the loop runs. A path that is too long, or on which another program
 * listens, is refused (RAWNET_INVALID_ARGS). A socket on which no program listens any more is
 * replaced. allowed is the second user who may be the front end (peer-user.h). The socket has mode
 * 0600, or 0666 where there is such a user: then peer_is_allowed() decides. */
int connection_use(Connection *connection, int fd, Refusal *ret_refusal);
int connection_listen(Connection *connection, const char *path, uid_t allowed,
                      Refusal *ret_refusal);
int connection_connect_to(Connection *connection, const char *path, uid_t allowed,
                          Refusal *ret_refusal);

/* Without a front end: watches the listening socket, or asks the connector for a connection. */
int connection_seek(Connection *connection);
/* EVENT_LISTEN and EVENT_CONNECTOR. Returns 0 also without a front end: then front.fd stays -1. */
int connection_accept(Connection *connection);
int connection_receive(Connection *connection, Refusal *ret_refusal);
/* The front end has disconnected. Returns whether another one may connect. */
bool connection_lost(Connection *connection);
