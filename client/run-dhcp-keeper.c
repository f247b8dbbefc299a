/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/run-dhcp-keeper.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "client/dhcp-keeper.h"

#define SCRIPT RAWNET_LIBEXECDIR "/dhcp-script" /* client/dhcp-script.in */

enum {
        FD_COMMAND = DHCP_KEEPER_FD,
        FD_REPORT
};

static int cover_directories(void) {
        if (unshare(CLONE_NEWNS) < 0 || mount(RUN_DHCP_RUN, "/run", NULL, MS_BIND, NULL) < 0 ||
            mount(RUN_DHCP_LIB, "/var/lib", NULL, MS_BIND, NULL) < 0)
                return -errno;
        return 0;
}

/* The script wrote: the interface has its address. The log has served its purpose and would grow. */
static bool take_event(int event, _unused_ void *userdata) {
        char buffer[64];

        if (read(event, buffer, sizeof(buffer)) > 0 && ftruncate(STDERR_FILENO, 0) == 0 &&
            fcntl(FD_REPORT, F_GETFD) >= 0 && write(FD_REPORT, "+", 1) == 1)
                close(FD_REPORT);
        return false;
}

static int keep(const DhcpRun *run, int command, int report) {
        _cleanup_close_ int log =
                open(RUN_DHCP_LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        int event, pidfd, r;

        r = log < 0 ? -errno : dhcp_keeper_detach(log, (int[]){command, report}, 2);
        TAKE_FD(log); /* closed, or its number is another's */
        if (r < 0)
                return r;
        signal(SIGPIPE, SIG_IGN);
        r = cover_directories();
        if (r < 0)
                return r;
        /* O_RDWR: no end of file while no script runs. */
        event = open(RUN_DHCP_EVENT, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        pidfd = event < 0 ? -errno : dhcp_keeper_start(run);
        if (pidfd < 0)
                return pidfd;
        dhcp_keeper_wait(
                run->client, pidfd,
                (DhcpKeeperSource[]){{.fd = FD_COMMAND}, {.fd = event, .on_ready = take_event}});
        return 0;
}

_Noreturn void run_dhcp_keep(const DhcpClient *client, const char *interface, int command,
                             int report) {
        const DhcpRun run = {.client = client, .interface = interface, .script = SCRIPT};
        int r;

        (void)prctl(PR_SET_NAME, "rawnetctl-dhcp");
        r = keep(&run, command, report);
        if (r < 0)
                fprintf(stderr, "cannot start it: %s\n", strerror(-r));
        _exit(r < 0 ? 1 : 0);
}
