/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/connector.h"

#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "backend/peer-user.h"
#include "backend/sandbox.h"
#include "common/fd-pass.h"
#include "common/log.h"

#define RETRY_MS 500

/* -1: not possible now. Does not wait for a place in the front end's backlog: meanwhile the end of
 * the server would not be noticed. */
static int try_connect(const struct sockaddr_un *address, PeerRule *rule) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
                return -1;
        return peer_is_allowed(rule, fd, address->sun_path) ? TAKE_FD(fd) : -1;
}

/* Runs until the server ends. */
static void serve(int server, const struct sockaddr_un *address, PeerRule *rule) {
        bool asked = false;
        uint8_t byte = 0;

        for (;;) {
                struct pollfd p = {.fd = server, .events = POLLIN};
                int fd = asked ? try_connect(address, rule) : -1;

                if (fd >= 0 && fd_pass_send(server, &byte, sizeof(byte), &fd, 1, 0) == 0)
                        asked = false;
                safe_close(fd);
                if (poll(&p, 1, asked ? RETRY_MS : -1) < 0 && errno != EINTR)
                        return;
                if (!p.revents)
                        continue;
                if (recv(server, &byte, sizeof(byte), MSG_DONTWAIT) <= 0)
                        return;
                asked = true;
        }
}

static _Noreturn void become_connector(int server, const struct sockaddr_un *address,
                                       uid_t allowed) {
        static const int ignored[] = {SIGTERM, SIGINT, SIGHUP};
        PeerRule rule = peer_rule(allowed);
        Refusal refusal = {};

        /* These signals are sent to the whole process group or unit. Only the server acts on them:
         * it treats the connector's end as a failure. */
        for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
                if (signal(ignored[i], SIG_IGN) == SIG_ERR)
                        _exit(EXIT_FAILURE);
        /* Otherwise the lease's sockets would stay open as long as this process. */
        if (dup2(server, STDIN_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0u, 0) < 0 ||
            prctl(PR_SET_NAME, "rawnet-connect") < 0 || sandbox_give_up(&refusal) != 0)
                _exit(EXIT_FAILURE);
        serve(STDIN_FILENO, address, &rule);
        _exit(EXIT_SUCCESS);
}

int connector_start(const struct sockaddr_un *address, uid_t allowed, int *ret_fd,
                    Refusal *ret_refusal) {
        int ends[2];
        pid_t child;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        child = fork();
        if (child == 0)
                become_connector(ends[1], address, allowed);
        safe_close(ends[1]);
        /* The server does not wait for its child. */
        if (child < 0 || signal(SIGCHLD, SIG_IGN) == SIG_ERR) {
                int r = refuse_errno(ret_refusal, errno, "starting the process that connects to %s",
                                     address->sun_path);

                safe_close(ends[0]);
                return r;
        }
        *ret_fd = ends[0];
        return 0;
}

int connector_ask(int fd) {
        const uint8_t byte = 0;
        int r = fd_pass_send(fd, &byte, sizeof(byte), NULL, 0, MSG_DONTWAIT);

        /* connector_receive() reports the connector's end. */
        return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

int connector_receive(int fd, int *ret_connection) {
        int fds[RAWNET_FDS_MAX];
        size_t n = 0;
        uint8_t byte;
        ssize_t size = fd_pass_receive(fd, &byte, sizeof(byte), fds, &n, MSG_DONTWAIT);

        *ret_connection = -1;
        if (size == -EAGAIN || size == -EINTR)
                return 0;
        if (size <= 0)
                return size == 0 ? -ECONNRESET : (int)size;
        if (n != 1) {
                fd_pass_close_all(fds, n);
                return -EBADMSG;
        }
        *ret_connection = fds[0];
        return 0;
}
