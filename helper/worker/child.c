/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/child.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/fd-pass.h"
#include "common/fork-pair.h"

int child_start(const Privilege *privilege, Child *ret) {
        pid_t parent = getpid(), pid;
        int ends[2], fd;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        pid = fork_with_pair(ends, &fd);
        if (pid < 0)
                return pid;
        if (pid == 0)
                namespace_run(privilege, fd, parent);
        *ret = (Child){pid, fd};
        return 0;
}

void child_drop_if_gone(Child *child) {
        struct pollfd p = {child->socket_fd, 0, 0};

        if (poll(&p, 1, 0) <= 0 || !(p.revents & (POLLHUP | POLLERR)))
                return;
        child->socket_fd = safe_close(child->socket_fd);
        (void)waitpid(child->pid, NULL, 0);
}

int child_hear(const Child *child, ChildStep expected, IpcLease *ret_lease,
               int ret_fds[static RAWNET_FDS_MAX], size_t *ret_n_fds, Refusal *ret_refusal) {
        ChildMessage message;
        ssize_t n =
                fd_pass_receive(child->socket_fd, &message, sizeof(message), ret_fds, ret_n_fds, 0);

        if (n < 0)
                return (int)n;
        if (n == 0)
                return refuse(
                        ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                        "the process in the port's namespace ended before it was done; try again");
        if (n == sizeof(message) && message.step == expected) {
                *ret_lease = message.lease;
                return 0;
        }
        fd_pass_close_all(ret_fds, *ret_n_fds);
        *ret_n_fds = 0;
        if (n == sizeof(message) && message.step == CHILD_FAILED &&
            message.refusal.error != RAWNET_OK) {
                *ret_refusal = message.refusal;
                return (int)message.refusal.error;
        }
        return n == sizeof(message) && message.fatal < 0 ? message.fatal : -EBADMSG;
}

int child_go(const Child *child, const LeasePlan *plan, const GuardProgram *program, int report_fd,
             int host_fd) {
        int fds[GUARD_HANDLES + 2];

        memcpy(fds, program->fd, sizeof(program->fd));
        fds[GUARD_HANDLES] = report_fd;
        fds[GUARD_HANDLES + 1] = host_fd;
        return fd_pass_send(child->socket_fd, plan, sizeof(*plan), fds,
                            GUARD_HANDLES + (host_fd >= 0 ? 2 : 1), 0);
}

int child_keep(const Child *child) {
        const ChildStep step = CHILD_KEEP;

        return fd_pass_send(child->socket_fd, &step, sizeof(step), NULL, 0, 0);
}
