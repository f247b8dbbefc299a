/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A child process with one end of a pair of descriptors, whose other end stays with the parent:
 * each side sees when the other one has ended.
 */

#include <sys/types.h>

/* fork(2). The parent has ends[0] and the child ends[1] as *ret_fd, and the other end is closed in
 * each. Takes both ends, after an error as well. Returns 0 in the child, its number in the parent,
 * or -errno. */
pid_t fork_with_pair(const int ends[static 2], int *ret_fd);

/* The same with a pipe (CLOEXEC), which the child writes. */
pid_t fork_with_pipe(int *ret_fd);
