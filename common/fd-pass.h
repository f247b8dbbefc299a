/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * File descriptors over a SOCK_SEQPACKET socket, one message at a time (unix(7), SCM_RIGHTS).
 */

#include "common/names.h"
#include "common/util.h"

/* Sends size bytes and n_fds (0..RAWNET_FDS_MAX) descriptors as one message; they stay the
 * caller's. Never SIGPIPE. flags: MSG_DONTWAIT or 0. Returns 0 or -errno (-EAGAIN where it would
 * block). */
int fd_pass_send(int socket_fd, const void *data, size_t size, const int *fds, size_t n_fds,
                 int flags);

/* Receives one message into data, CLOEXEC descriptors into fds (room for RAWNET_FDS_MAX). A message
 * longer than size, a truncated control part, more than RAWNET_FDS_MAX descriptors or any other
 * control message is refused with -EBADMSG, and every descriptor that came with it is closed.
 * Returns the number of bytes, 0 at the end of the stream, or -errno. */
ssize_t fd_pass_receive(int socket_fd, void *data, size_t size, int fds[static RAWNET_FDS_MAX],
                        size_t *ret_n_fds, int flags);

void fd_pass_close_all(int *fds, size_t n_fds);
