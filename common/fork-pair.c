/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/fork-pair.h"

#include <fcntl.h>

#include "common/util.h"

pid_t fork_with_pair(const int ends[static 2], int *ret_fd) {
        _cleanup_close_ int parents = ends[0], childs = ends[1];
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        *ret_fd = pid == 0 ? TAKE_FD(childs) : TAKE_FD(parents);
        return pid;
}

pid_t fork_with_pipe(int *ret_fd) {
        int ends[2];

        return pipe2(ends, O_CLOEXEC) < 0 ? -errno : fork_with_pair(ends, ret_fd);
}
