/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How the front end and we find each other: it is there from the beginning (a descriptor), it comes to our socket, or we go to its
 * own; the last two again and again, one front end at a time.
 */

#include <sys/un.h>

#include "backend/vhost-user.h"

#define CONNECTION_RETRY_MS 500

typedef struct Connection {
        VhostUser front;       /* front.fd -1: nobody is there */
        int epoll_fd;          /* the loop's, not ours */
        int listen_fd;         /* ours, -1 unless it comes to us */
        bool connects;         /* we go to it */
        struct sockaddr_un address;
} Connection;

void connection_init(Connection *connection);
void connection_done(Connection *connection);

/* One of these, before the loop. path is refused (RAWNET_INVALID_ARGS) where it does not fit, or somebody listens there already; a
 * socket that nobody listens on any more is replaced. */
int connection_use(Connection *connection, int fd, Refusal *ret_refusal);
int connection_listen(Connection *connection, const char *path, Refusal *ret_refusal);
int connection_connect_to(Connection *connection, const char *path, Refusal *ret_refusal);

/* Nobody is there: waits at the listening socket, or tries to connect. *ret_retry: try again after CONNECTION_RETRY_MS. */
int connection_seek(Connection *connection, bool *ret_retry);
/* Somebody came to the listening socket. */
int connection_accept(Connection *connection);
/* The front end has gone. Returns whether another one may come. */
bool connection_lost(Connection *connection);
