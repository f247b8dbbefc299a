/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/report.h"

#include <poll.h>
#include <sys/socket.h>

#include "common/fd-pass.h"

int report_send(int fd, Report report) {
        return fd_pass_send(fd, &report, sizeof(report), NULL, 0, 0);
}

bool report_is_unheard(int fd) {
        struct pollfd p = {.fd = fd};

        return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

int report_receive(int fd, Report *ret) {
        int fds[RAWNET_FDS_MAX];
        size_t n_fds;
        Report report;
        ssize_t n = fd_pass_receive(fd, &report, sizeof(report), fds, &n_fds, MSG_DONTWAIT);

        if (n <= 0)
                return (int)n;
        fd_pass_close_all(fds, n_fds);
        if (n != sizeof(report) || n_fds > 0)
                return -EBADMSG;
        *ret = report;
        return 1;
}
