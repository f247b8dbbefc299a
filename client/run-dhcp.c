/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/run-dhcp.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "client/run-dhcp-keeper.h"
#include "common/clock.h"

/* Nobody else is in this mount namespace, so /tmp can be covered until the command starts. */
static int make_place(Refusal *ret_refusal) {
        _cleanup_close_ int resolv = -1, empty = -1;

        if (unshare(CLONE_NEWNS) < 0)
                return refuse_errno(ret_refusal, errno, "cannot make a mount namespace for --dhcp");
        if (mount("tmpfs", DHCP_PLACE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
                return refuse_errno(ret_refusal, errno, "cannot mount a tmpfs for --dhcp");
        resolv = open(RUN_DHCP_RESOLV_CONF, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        empty = open(DHCP_PLACE "/empty", O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
        if (resolv < 0 || empty < 0 || mkfifo(RUN_DHCP_EVENT, 0600) < 0 ||
            mkdir(RUN_DHCP_RUN, 0755) < 0 || mkdir(RUN_DHCP_LIB, 0755) < 0)
                return -errno;
        return 0;
}

/* The command's own resolv.conf. Services of the host that would answer in its stead are covered:
 * glibc asks them before it reads the file. */
static int show_resolv_conf(Refusal *ret_refusal) {
        static const char *const services[] = {"/run/systemd/resolve/io.systemd.Resolve",
                                               "/run/nscd/socket"};

        if (mount(RUN_DHCP_RESOLV_CONF, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0)
                return refuse_errno(ret_refusal, errno,
                                    "cannot give the command an /etc/resolv.conf of its own (it "
                                    "must exist, an empty file serves)");
        for (size_t i = 0; i < ARRAY_SIZE(services); i++)
                if (mount(DHCP_PLACE "/empty", services[i], NULL, MS_BIND, NULL) < 0 &&
                    errno != ENOENT && errno != ENOTDIR)
                        return refuse_errno(ret_refusal, errno, "cannot cover %s", services[i]);
        if (umount2(DHCP_PLACE, MNT_DETACH) < 0)
                return refuse_errno(ret_refusal, errno, "cannot unmount the tmpfs for --dhcp");
        return 0;
}

/* The keeper's parent ends at once, so that the keeper becomes somebody else's child. */
static int fork_keeper(const DhcpClient *client, const char *interface, int command, int report) {
        int status;
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0) {
                pid = fork();
                if (pid == 0)
                        run_dhcp_keep(client, interface, command, report);
                _exit(pid < 0 ? errno : 0);
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

/* The last line that the client wrote, for the refusal. */
static char *last_words(void) {
        _cleanup_fclose_ FILE *file = fopen(RUN_DHCP_LOG, "re");
        _cleanup_free_ char *line = NULL, *last = NULL;
        size_t size = 0;

        while (file && getline(&line, &size, file) >= 0) {
                line[strcspn(line, "\r\n")] = '\0';
                if (!*line)
                        continue;
                free(last);
                last = strdup(line);
        }
        return TAKE_PTR(last);
}

static int refuse_client(const DhcpClient *client, const char *network, const char *what,
                         Refusal *ret_refusal) {
        _cleanup_free_ char *said = last_words();

        return refuse(ret_refusal, RAWNET_KERNEL_REFUSED, "network %s: %s %s%s%s", network,
                      client->name, what, said ? "; it said: " : "", said ? said : "");
}

/* Until the keeper reports the address. */
static int wait_bound(const DhcpClient *client, const char *network, int report,
                      Refusal *ret_refusal) {
        uint64_t end = clock_usec(CLOCK_MONOTONIC) + DHCP_PATIENCE_SECONDS * UINT64_C(1000000);
        struct pollfd wait = {.fd = report, .events = POLLIN};
        char byte;

        for (;;) {
                uint64_t now = clock_usec(CLOCK_MONOTONIC);
                int r = now < end ? poll(&wait, 1, (int)((end - now) / 1000 + 1)) : 0;

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return -errno;
                if (r == 0)
                        return refuse_client(client, network,
                                             "got no address from a DHCP server in 20 s",
                                             ret_refusal);
                if (read(report, &byte, 1) == 1)
                        return 0;
                return refuse_client(client, network, "ended without an address", ret_refusal);
        }
}

int run_dhcp_find(const DhcpClient **ret, Refusal *ret_refusal) {
        *ret = dhcp_client_find(false);
        if (*ret)
                return 0;
        return refuse(
                ret_refusal, RAWNET_NOT_SUPPORTED,
                "--dhcp runs udhcpc, busybox, dhcpcd or dhclient, and none of them is "
                "installed; install one (on Debian: apt install udhcpc), or leave --dhcp out");
}

int run_dhcp_start(const DhcpClient *client, const char *interface, const char *network,
                   Refusal *ret_refusal) {
        _cleanup_close_ int self = -1, report_read = -1, report_write = -1;
        int pair[2], r;

        r = make_place(ret_refusal);
        if (r != 0)
                return r;
        self = (int)syscall(SYS_pidfd_open, getpid(), 0);
        if (self < 0 || pipe2(pair, O_CLOEXEC) < 0)
                return -errno;
        report_read = pair[0];
        report_write = pair[1];
        r = fork_keeper(client, interface, self, report_write);
        report_write = safe_close(report_write);
        if (r == 0)
                r = wait_bound(client, network, report_read, ret_refusal);
        return r == 0 ? show_resolv_conf(ret_refusal) : r;
}
