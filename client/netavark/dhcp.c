/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/dhcp.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "client/dhcp-client.h"
#include "client/netavark/dhcp-hook.h"
#include "client/netavark/dhcp-lease.h"
#include "client/netavark/dhcp-supervisor.h"
#include "client/process.h"
#include "common/clock.h"
#include "common/fork-pair.h"

#define FIRST_ADDRESS_USEC (DHCP_PATIENCE_SECONDS * UINT64_C(1000000))
#define STOP_MSEC 5000
#define LOOKS_MAX 8u

/* The supervisor's argument, by which teardown finds it: the path is the container's alone. */
static char *mark_of(const char *interface, const char *path) {
        char *mark;

        return asprintf(&mark, "%s@%s", interface, path) < 0 ? NULL : mark;
}

_Noreturn static void become_supervisor(const NetavarkContainer *container, const char *mark,
                                        int result) {
        _cleanup_free_ char *metric = NULL;

        if (asprintf(&metric, "%u", container->network.metric) >= 0)
                dhcp_supervisor_exec(mark, container->name,
                                     container->network.no_default_route ? DHCP_NO_METRIC : metric,
                                     result);
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

static int take_result(const NetavarkContainer *container, const char *client, int fd,
                       NetavarkStatus *ret, Refusal *ret_refusal) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        int r;

        if (!out)
                return -ENOMEM;
        r = read_result(fd, out);
        if (fclose(out) != 0)
                return -ENOMEM;
        if (r == 0)
                r = dhcp_lease_read(text, ret);
        /* Nobody has the other end, and there is no line, or not the whole of it. */
        if (r == -EINVAL)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "podman network %s: the host's DHCP client (%s) ended without an "
                              "address on rawnet network %s",
                              container->network.name, client, container->network.rawnet);
        if (r != -ETIMEDOUT)
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
        _cleanup_close_ int result = -1;
        const char *client;
        pid_t pid;
        int r;

        if (!mark)
                return -ENOMEM;
        r = dhcp_supervisor_check(container->network.name, &client, ret_refusal);
        if (r != 0)
                return r;
        pid = fork_with_pipe(&result);
        if (pid < 0)
                return pid;
        if (pid == 0)
                become_supervisor(container, mark, result);
        r = take_result(container, client, result, ret, ret_refusal);
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
        /* Between two programs a process has no command line, but one of the container's may have
         * none for as long as it likes. */
        for (unsigned looks = 0; looks < LOOKS_MAX; looks++) {
                pidfd = process_find(mark, true);
                if (pidfd != -EAGAIN)
                        break;
        }
        if (pidfd < 0)
                return;
        wait.fd = pidfd;
        if (send_signal(pidfd, SIGTERM) == 0 && poll(&wait, 1, STOP_MSEC) == 0 &&
            send_signal(pidfd, SIGKILL) == 0)
                poll(&wait, 1, -1);
}
