/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/dhcp-keeper.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common/fork-pair.h"

#define GRACE_MS 1000 /* for giving the address back */

/* What the caller ignores or blocks must not pass to the client. */
static void reset_signals(void) {
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        for (int number = 1; number < NSIG; number++)
                signal(number, SIG_DFL);
}

int dhcp_keeper_detach(int output, const int *fds, size_t n_fds) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC), end = DHCP_KEEPER_FD + (int)n_fds;
        int high[DHCP_KEEPER_FDS_MAX];

        assert(n_fds <= DHCP_KEEPER_FDS_MAX);
        (void)setsid();
        reset_signals();
        if (null < 0 || chdir("/") < 0)
                return -errno;
        /* Above all the new numbers first, so that none of them replaces one that is still needed.
         */
        output = fcntl(output < 0 ? null : output, F_DUPFD_CLOEXEC, end);
        for (size_t i = 0; i < n_fds; i++) {
                high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, end);
                if (high[i] < 0)
                        return -errno;
        }
        if (output < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
            dup2(output, STDERR_FILENO) < 0)
                return -errno;
        for (size_t i = 0; i < n_fds; i++)
                if (dup3(high[i], DHCP_KEEPER_FD + (int)i, O_CLOEXEC) < 0)
                        return -errno;
        if (close_range(STDERR_FILENO + 1, DHCP_KEEPER_FD - 1, 0) < 0 ||
            close_range((unsigned)end, ~0u, 0) < 0)
                return -errno;
        return 0;
}

_Noreturn static void become_client(const DhcpRun *run, int life) {
        struct pollfd keeper = {.fd = life, .events = POLLIN};

        reset_signals();
        /* The keeper may have ended before the first call. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && poll(&keeper, 1, 0) == 0)
                dhcp_client_exec(run);
        _exit(1);
}

int dhcp_keeper_start(const DhcpRun *run) {
        int pair[2], life, pidfd;
        pid_t pid;

        if (unshare(CLONE_NEWPID) < 0 || pipe2(pair, O_CLOEXEC) < 0)
                return -errno;
        pid = fork_with_pair((int[]){pair[1], pair[0]}, &life);
        if (pid < 0)
                return pid;
        if (pid == 0)
                become_client(run, life);
        /* Nobody has waited for it, so the number is its own. The pipe is open until the keeper
         * ends. */
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        return pidfd < 0 ? -errno : pidfd;
}

static bool has_ended(int pidfd, int timeout_ms) {
        struct pollfd wait = {.fd = pidfd, .events = POLLIN};
        int r;

        while ((r = poll(&wait, 1, timeout_ms)) < 0 && errno == EINTR)
                ;
        return r > 0;
}

/* By its pidfd: another process may have the number of a client that has ended. */
static void end_client(const DhcpClient *client, int pidfd) {
        (void)syscall(SYS_pidfd_send_signal, pidfd, client->end_signal, NULL, 0);
        if (has_ended(pidfd, GRACE_MS))
                return;
        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        (void)has_ended(pidfd, -1);
}

void dhcp_keeper_wait(const DhcpClient *client, int pidfd,
                      const DhcpKeeperSource sources[static DHCP_KEEPER_SOURCES]) {
        struct pollfd waits[DHCP_KEEPER_SOURCES + 1] = {{.fd = pidfd, .events = POLLIN}};
        bool over = false;

        for (size_t i = 0; i < DHCP_KEEPER_SOURCES; i++)
                waits[i + 1] = (struct pollfd){.fd = sources[i].fd, .events = POLLIN};
        while (!over) {
                if (poll(waits, ARRAY_SIZE(waits), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        break;
                }
                if (waits[0].revents)
                        return;
                for (size_t i = 0; i < DHCP_KEEPER_SOURCES && !over; i++)
                        over = waits[i + 1].revents &&
                               (!sources[i].on_ready ||
                                sources[i].on_ready(sources[i].fd, sources[i].userdata));
        }
        end_client(client, pidfd);
}
