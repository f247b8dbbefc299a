/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Keeps a DHCP client as long as the command runs. The client is the first process of a process
 * namespace: when it ends, the kernel kills whatever it has started, and when the keeper is killed,
 * the kernel kills the client.
 */

#include "client/dhcp-keeper.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define GRACE_MS 1000 /* for giving the address back */

enum {
        FD_COMMAND = 3, /* where the keeper's own descriptors are */
        FD_REPORT,
        FD_COUNT
};

/* Nothing of the caller's stays open: a reader of its pipes must not wait for the keeper. */
static int take_descriptors(int command, int report) {
        int log = open(DHCP_LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        int high_command = fcntl(command, F_DUPFD_CLOEXEC, FD_COUNT);
        int high_report = fcntl(report, F_DUPFD_CLOEXEC, FD_COUNT);

        if (log < 0 || null < 0 || high_command < 0 || high_report < 0)
                return -errno;
        log = fcntl(log, F_DUPFD_CLOEXEC, FD_COUNT);
        if (log < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
            dup2(log, STDERR_FILENO) < 0 || dup3(high_command, FD_COMMAND, O_CLOEXEC) < 0 ||
            dup3(high_report, FD_REPORT, O_CLOEXEC) < 0)
                return -errno;
        return syscall(SYS_close_range, FD_COUNT, ~0u, 0) < 0 ? -errno : 0;
}

/* A command that ignores a signal must not pass that on to the client. */
static void reset_signals(void) {
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        for (int number = 1; number < NSIG; number++)
                signal(number, SIG_DFL);
}

static int enter_own_namespaces(void) {
        if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 ||
            mount(DHCP_PLACE "/run", "/run", NULL, MS_BIND, NULL) < 0 ||
            mount(DHCP_PLACE "/lib", "/var/lib", NULL, MS_BIND, NULL) < 0)
                return -errno;
        return 0;
}

_Noreturn static void become_client(const DhcpClient *client, const char *interface, int life) {
        struct pollfd keeper = {.fd = life, .events = POLLIN};

        /* The keeper may have ended before the first call. */
        signal(SIGPIPE, SIG_DFL);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && poll(&keeper, 1, 0) == 0)
                dhcp_client_exec(client, interface);
        _exit(1);
}

/* Returns the client's pidfd, or -errno. */
static int start_client(const DhcpClient *client, const char *interface) {
        _cleanup_close_ int life_read = -1, life_write = -1;
        int pair[2], pidfd;
        pid_t pid;

        if (pipe2(pair, O_CLOEXEC) < 0)
                return -errno;
        life_read = pair[0];
        life_write = pair[1];
        pid = fork();
        if (pid == 0) {
                life_write = safe_close(life_write);
                become_client(client, interface, life_read);
        }
        if (pid < 0)
                return -errno;
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0)
                return -errno;
        TAKE_FD(life_write); /* open until the keeper ends */
        return pidfd;
}

static bool wait_end(int pidfd, int ms) {
        struct pollfd wait = {.fd = pidfd, .events = POLLIN};
        int r;

        while ((r = poll(&wait, 1, ms)) < 0 && errno == EINTR)
                ;
        return r > 0;
}

static void end_client(const DhcpClient *client, int pidfd) {
        syscall(SYS_pidfd_send_signal, pidfd, client->end_signal, NULL, 0);
        if (wait_end(pidfd, GRACE_MS))
                return;
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        wait_end(pidfd, -1);
}

/* The script wrote: the interface has its address. The log has served its purpose and would grow. */
static void take_event(int event) {
        char buffer[64];

        if (read(event, buffer, sizeof(buffer)) <= 0)
                return;
        if (ftruncate(STDERR_FILENO, 0) < 0)
                return;
        if (fcntl(FD_REPORT, F_GETFD) >= 0 && write(FD_REPORT, "+", 1) == 1)
                close(FD_REPORT);
}

static void keep(const DhcpClient *client, int event, int pidfd) {
        struct pollfd waits[] = {
                {.fd = FD_COMMAND, .events = POLLIN},
                {.fd = pidfd, .events = POLLIN},
                {.fd = event, .events = POLLIN},
        };

        for (;;) {
                if (poll(waits, ARRAY_SIZE(waits), -1) < 0 && errno != EINTR)
                        break;
                if (waits[1].revents)
                        return;
                if (waits[0].revents)
                        break;
                if (waits[2].revents)
                        take_event(event);
        }
        end_client(client, pidfd);
}

_Noreturn void dhcp_keeper_run(const DhcpClient *client, const char *interface, int command,
                               int report) {
        int event, pidfd, r;

        (void)setsid();
        reset_signals();
        signal(SIGPIPE, SIG_IGN);
        (void)prctl(PR_SET_NAME, "rawnetctl-dhcp");
        r = take_descriptors(command, report);
        if (r == 0)
                r = enter_own_namespaces();
        if (r < 0) {
                fprintf(stderr, "cannot make its namespaces: %s\n", strerror(-r));
                _exit(1);
        }
        /* O_RDWR: no end of file while no script runs. */
        event = open(DHCP_EVENT, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        pidfd = event < 0 ? -errno : start_client(client, interface);
        if (pidfd < 0) {
                fprintf(stderr, "cannot start it: %s\n", strerror(-pidfd));
                _exit(1);
        }
        keep(client, event, pidfd);
        _exit(0);
}
