/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * `--connect`: a second process, which connects to the front end's socket whenever the server asks
 * for it, and passes the connection on. So the server needs neither socket() nor connect(), and its
 * sandbox has neither. The connector takes nothing from the server but the wish for one more
 * connection to the one path, and it reads nothing from a front end.
 */

#include <sys/un.h>

#include "common/refusal.h"

/* Starts the connector. *ret_fd is the server's end of the pair; the connector ends when that is
 * closed. It closes every other descriptor of the caller but stderr. allowed: the user beside our
 * own at the front end's end. 0, a RawnetError or -errno. */
int connector_start(const struct sockaddr_un *address, uid_t allowed, int *ret_fd,
                    Refusal *ret_refusal);

/* Asks for a connection: once, until it has come. 0 or -errno. */
int connector_ask(int fd);
/* The connection that was asked for. *ret_connection is -1 where it has not come yet. 0,
 * -ECONNRESET where the connector has ended, or another -errno. */
int connector_receive(int fd, int *ret_connection);
