/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * `--connect`: a second process. It connects to the front end's socket whenever the server asks for
 * a connection, and passes the connection on. So the server's sandbox allows neither socket() nor
 * connect(). The connector accepts only one request from the server, one more connection to the one
 * path, and it reads nothing from a front end.
 */

#include <sys/un.h>

#include "common/refusal.h"

/* Starts the connector. *ret_fd is the server's end of the socket pair; the connector ends when it
 * is closed. In the connector every other descriptor except stderr is closed. allowed: the second
 * user who may be the front end. 0, a RawnetError or -errno. */
int connector_start(const struct sockaddr_un *address, uid_t allowed, int *ret_fd,
                    Refusal *ret_refusal);

/* Asks for one connection. Ask again only after it has come. 0 or -errno. */
int connector_ask(int fd);
/* Receives the connection. *ret_connection is -1 where none has come yet. 0, -ECONNRESET where the
 * connector has ended, or another -errno. */
int connector_receive(int fd, int *ret_connection);
