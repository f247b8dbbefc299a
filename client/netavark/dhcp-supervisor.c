/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/dhcp-supervisor.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "client/dhcp-keeper.h"
#include "client/netavark/dhcp-hook.h"

#define RESULT_FD DHCP_KEEPER_FD
#define RESULT_TEXT "10"

int dhcp_supervisor_check(const char *network, const char **ret_client, Refusal *ret_refusal) {
        const DhcpClient *client = dhcp_client_find(true);

        if (client) {
                *ret_client = client->name;
                return 0;
        }
        return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                      "podman network %s: this host has no DHCP client for containers: ask an "
                      "administrator to install the package udhcpc, or create the podman network "
                      "with --subnet or with --ipam-driver none",
                      network);
}

void dhcp_supervisor_exec(const char *mark, const char *name, const char *metric, int result) {
        _Static_assert(RESULT_FD == 10, "RESULT_TEXT");

        /* netavark waits for the end of our standard streams, podman for the end of its own, and
         * whoever runs podman perhaps for the end of a pipe that all of them have inherited. */
        if (dhcp_keeper_detach(-1, &result, 1) == 0 && fcntl(RESULT_FD, F_SETFD, 0) == 0 &&
            setenv(DHCP_VARIABLE_RESULT, RESULT_TEXT, 1) == 0 &&
            setenv(DHCP_VARIABLE_METRIC, metric, 1) == 0)
                execl("/proc/self/exe", "rawnet", DHCP_VERB_SUPERVISE, mark, name ? name : "",
                      (char *)NULL);
}

/* The hook's: in the client /proc/self/exe would be the client. NULL without memory. */
static char *own_path(void) {
        char path[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

        return n > 0 && (size_t)n < sizeof(path) ? strndup(path, (size_t)n) : NULL;
}

static bool is_gone(const char *path) {
        struct stat status;

        return lstat(path, &status) < 0 && errno == ENOENT;
}

/* Of the directory with the namespace's file; what it reports is of no interest, only that it does.
 */
static int watch_directory(const char *path) {
        _cleanup_free_ char *directory = strndup(path, (size_t)(strrchr(path, '/') - path));
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

        if (!directory)
                return -ENOMEM;
        if (fd < 0 ||
            inotify_add_watch(fd, directory,
                              IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_ONLYDIR) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static bool take_change(int watch, void *path) {
        char buffer[4096];

        while (read(watch, buffer, sizeof(buffer)) > 0)
                ;
        return is_gone(path);
}

static int watch_sigterm(void) {
        sigset_t set;
        int fd;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

static int supervise(const DhcpRun *run, char *path) {
        _cleanup_close_ int signals = watch_sigterm(), watch = watch_directory(path), pidfd = -1;

        if (signals < 0 || watch < 0)
                return signals < 0 ? signals : watch;
        /* The watch sees only what happens from now on. */
        if (is_gone(path))
                return 0;
        pidfd = dhcp_keeper_start(run);
        if (pidfd < 0)
                return pidfd;
        /* The plugin waits for its end where there is no client. */
        close(RESULT_FD);
        dhcp_keeper_wait(
                run->client, pidfd,
                (DhcpKeeperSource[]){{.fd = signals},
                                     {.fd = watch, .on_ready = take_change, .userdata = path}});
        return 0;
}

int dhcp_supervise(int argc, char **argv) {
        _cleanup_free_ char *interface = argc == 4 ? strdup(argv[2]) : NULL, *script = own_path();
        char *at = interface ? strchr(interface, '@') : NULL;
        DhcpRun run = {.client = dhcp_client_find(true), .interface = interface, .script = script};

        if (!run.client || !script || !at || at[1] != '/')
                return EXIT_FAILURE;
        *at = '\0';
        run.host = *argv[3] ? argv[3] : NULL;
        return supervise(&run, at + 1) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
