/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/dhcp.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "client/netavark/dhcp-hook.h"
#include "client/netavark/dhcp-lease.h"
#include "client/netavark/dhcp-supervisor.h"
#include "client/process.h"
#include "common/clock.h"

#define FIRST_ADDRESS_USEC (UINT64_C(30) * 1000000)
#define STOP_MSEC 5000

/* The supervisor's argument, by which teardown finds it: the path is the container's alone. */
static char *mark_of(const char *interface, const char *path) {
        char *mark;

        return asprintf(&mark, "%s@%s", interface, path) < 0 ? NULL : mark;
}

/* Runs this program once more. Nothing of ours stays open in it but result: netavark waits for the
 * end of our standard streams, podman for the end of its own, and whoever runs podman perhaps for
 * the end of a pipe that all of them have inherited. */
_Noreturn static void become_supervisor(const NetavarkContainer *container, const char *mark,
                                        int result) {
        _cleanup_free_ char *number = NULL, *metric = NULL;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null < 0 || setsid() < 0 || chdir("/") < 0 || asprintf(&number, "%d", result) < 0 ||
            close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0 ||
            fcntl(result, F_SETFD, 0) < 0 || dup2(null, STDIN_FILENO) < 0 ||
            dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
            asprintf(&metric, "%u", container->network.metric) < 0 ||
            setenv(DHCP_VARIABLE_METRIC,
                   container->network.no_default_route ? DHCP_NO_METRIC : metric, 1) < 0)
                _exit(EXIT_FAILURE);
        execl("/proc/self/exe", "rawnet", DHCP_VERB_SUPERVISE, mark, number,
              container->name ? container->name : "", (char *)NULL);
        _exit(EXIT_FAILURE);
}

/* What the hook writes, until its first address, or the end of everybody who has the other end. */
static int read_result(int fd, FILE *out) {
        uint64_t end = clock_usec(CLOCK_MONOTONIC) + FIRST_ADDRESS_USEC, now;
        char buffer[1024];

        while ((now = clock_usec(CLOCK_MONOTONIC)) < end) {
                struct pollfd wait = {.fd = fd, .events = POLLIN};
                int r = poll(&wait, 1, (int)((end - now) / 1000) + 1);
                ssize_t n;

                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r <= 0)
                        continue;
                n = read(fd, buffer, sizeof(buffer));
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                fwrite(buffer, 1, (size_t)n, out);
                if (memchr(buffer, '\n', (size_t)n))
                        return 0;
        }
        return -ETIMEDOUT;
}

static int take_result(const NetavarkContainer *container, int fd, NetavarkStatus *ret,
                       Refusal *ret_refusal) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        int r;

        if (!out)
                return -ENOMEM;
        r = read_result(fd, out);
        if (fclose(out) != 0)
                return -ENOMEM;
        if (r == 0 && size > 0)
                return dhcp_lease_read(text, ret);
        if (r < 0 && r != -ETIMEDOUT)
                return r;
        return refuse(
                ret_refusal, RAWNET_NETWORK_BUSY,
                "podman network %s: no DHCP server answered on rawnet network %s; where there "
                "is none, create the podman network with --subnet, or with --ipam-driver none",
                container->network.name, container->network.rawnet);
}

int dhcp_start(const NetavarkContainer *container, const char *path, NetavarkStatus *ret,
               Refusal *ret_refusal) {
        _cleanup_free_ char *mark = mark_of(container->interface, path);
        _cleanup_close_ int ours = -1, theirs = -1;
        int pair[2], r;
        pid_t pid;

        if (!mark)
                return -ENOMEM;
        r = dhcp_supervisor_check(container->network.name, ret_refusal);
        if (r != 0)
                return r;
        if (pipe2(pair, O_CLOEXEC) < 0)
                return -errno;
        ours = pair[0];
        theirs = pair[1];
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                become_supervisor(container, mark, theirs);
        theirs = safe_close(theirs);
        r = take_result(container, ours, ret, ret_refusal);
        if (r != 0)
                dhcp_stop(container->interface, path);
        return r;
}

static int send_signal(int pidfd, int number) {
        return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

void dhcp_stop(const char *interface, const char *path) {
        _cleanup_free_ char *mark = mark_of(interface, path);
        _cleanup_close_ int pidfd = -1;
        struct pollfd wait = {.events = POLLIN};

        if (!mark)
                return;
        do
                pidfd = process_find(mark, true);
        while (pidfd == -EAGAIN);
        if (pidfd < 0)
                return;
        wait.fd = pidfd;
        if (send_signal(pidfd, SIGTERM) == 0 && poll(&wait, 1, STOP_MSEC) == 0 &&
            send_signal(pidfd, SIGKILL) == 0)
                poll(&wait, 1, -1);
}
