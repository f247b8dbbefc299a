/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * UNIX stream sockets in the file system: an address, a socket that listens with a mode of our
 * choice, and who is at the other end.
 */

#include <sys/types.h>
#include <sys/un.h>

#include "common/refusal.h"

/* path as an address. Refused (RAWNET_INVALID_ARGS): an empty path, and one that is too long for
 * unix(7). */
int unix_address(const char *path, struct sockaddr_un *ret, Refusal *ret_refusal);

/* A socket that listens at path, non-blocking. Its file has exactly that mode from the start,
 * whatever the umask and the directory's default ACL say. An existing file at path is a refusal. 0,
 * a RawnetError or -errno. */
int unix_listen(const struct sockaddr_un *address, mode_t mode, int backlog, int *ret_fd,
                Refusal *ret_refusal);

/* The user who connected, or who called listen() where we connected (unix(7), SO_PEERCRED). 0 or
 * -errno. */
int unix_peer_user(int fd, uid_t *ret);
