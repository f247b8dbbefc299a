/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/dhcp-supervisor.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "client/netavark/dhcp-hook.h"
#include "common/argument.h"
#include "common/text.h"

#define GRACE_MS 1000 /* for giving the address back */

typedef struct Client {
        const char *program;
        const char *applet; /* NULL: the program is udhcpc itself */
} Client;

/* Debian's packages udhcpc, and busybox or busybox-static. A login's PATH has no sbin. */
static const Client clients[] = {
        {"/usr/sbin/udhcpc", NULL},
        {"/sbin/udhcpc", NULL},
        {"/usr/bin/busybox", "udhcpc"},
        {"/bin/busybox", "udhcpc"},
};

static const Client *find_client(void) {
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
                if (access(clients[i].program, X_OK) == 0)
                        return &clients[i];
        return NULL;
}

int dhcp_supervisor_check(const char *network, Refusal *ret_refusal) {
        if (find_client())
                return 0;
        return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                      "podman network %s: this host has no DHCP client for containers: ask an "
                      "administrator to install the package udhcpc, or create the podman network "
                      "with --subnet or with --ipam-driver none",
                      network);
}

typedef struct Supervised {
        const char *interface;
        const char *path; /* of the file that holds the container's network namespace */
        const char *host; /* "": none */
        int result;
} Supervised;

/* -f foreground, -n gives up when nobody answers at first, -R gives the address back at the end,
 * -t and -T: 5 tries, 3 s apart. */
static const char *const client_options[] = {"-f", "-n", "-R", "-t", "5", "-T", "3"};

/* The hook's: in the client /proc/self/exe would be the client. NULL without memory. */
static char *own_path(void) {
        char path[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

        return n > 0 && (size_t)n < sizeof(path) ? strndup(path, (size_t)n) : NULL;
}

_Noreturn static void become_client(pid_t parent, const Supervised *supervised) {
        const Client *client = find_client();
        _cleanup_free_ char *host = NULL, *hook = own_path();
        const char *argv[20];
        sigset_t none;
        size_t n = 0;

        sigemptyset(&none);
        if (!client || !hook || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
            sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
            asprintf(&host, "hostname:%s", supervised->host) < 0)
                _exit(EXIT_FAILURE);
        argv[n++] = client->program;
        if (client->applet)
                argv[n++] = client->applet;
        for (size_t i = 0; i < ARRAY_SIZE(client_options); i++)
                argv[n++] = client_options[i];
        argv[n++] = "-s";
        argv[n++] = hook;
        argv[n++] = "-i";
        argv[n++] = supervised->interface;
        if (*supervised->host) {
                argv[n++] = "-x";
                argv[n++] = host;
        }
        argv[n] = NULL;
        execv(client->program, (char *const *)argv);
        _exit(EXIT_FAILURE);
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

static void discard(int fd) {
        char buffer[4096];

        while (read(fd, buffer, sizeof(buffer)) > 0)
                ;
}

/* Until the client has ended, or has to. */
static void wait_for_end(const Supervised *supervised, int client, int signals, int watch) {
        struct pollfd sources[] = {{signals, POLLIN, 0}, {watch, POLLIN, 0}, {client, POLLIN, 0}};

        while (!is_gone(supervised->path)) {
                if (poll(sources, ARRAY_SIZE(sources), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return;
                }
                if (sources[0].revents || sources[2].revents)
                        return;
                discard(watch);
        }
}

static bool has_ended(int pidfd, int timeout_ms) {
        struct pollfd wait = {.fd = pidfd, .events = POLLIN};
        int r;

        while ((r = poll(&wait, 1, timeout_ms)) < 0 && errno == EINTR)
                ;
        return r > 0;
}

/* The client gives its address back; one that does not end is killed. By a pidfd, because another
 * process may have the number of a client that has ended. */
static void end_client(int pidfd) {
        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
        if (has_ended(pidfd, GRACE_MS))
                return;
        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        (void)has_ended(pidfd, -1);
}

/* INTERFACE@PATH */
static int parse_mark(char *mark, Supervised *supervised) {
        char *at = strchr(mark, '@');

        if (!at || at[1] != '/')
                return -EINVAL;
        *at = '\0';
        supervised->interface = mark;
        supervised->path = at + 1;
        return 0;
}

static int supervise(const Supervised *supervised) {
        _cleanup_close_ int signals = -1, watch = -1, pidfd = -1;
        pid_t parent = getpid(), client;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        watch = watch_directory(supervised->path);
        if (signals < 0 || watch < 0)
                return signals < 0 ? -errno : watch;
        client = fork();
        if (client < 0)
                return -errno;
        if (client == 0)
                become_client(parent, supervised);
        /* The plugin waits for its end where no server answers. */
        close(supervised->result);
        /* Nobody has waited for it, so the number is still its own. */
        pidfd = (int)syscall(SYS_pidfd_open, client, 0);
        if (pidfd < 0)
                return -errno;
        wait_for_end(supervised, pidfd, signals, watch);
        end_client(pidfd);
        return 0;
}

int dhcp_supervise(int argc, char **argv) {
        Supervised supervised = {.result = -1};
        _cleanup_free_ char *mark = NULL;
        uint32_t fd;

        /* argv stays as it is: teardown looks for it. */
        if (argc != 5 || !(mark = strdup(argv[2])) || parse_mark(mark, &supervised) < 0 ||
            text_parse_u32(argv[3], STDERR_FILENO + 1, INT32_MAX, &fd) < 0 ||
            setenv(DHCP_VARIABLE_RESULT, argv[3], 1) < 0)
                return EXIT_USAGE;
        supervised.result = (int)fd;
        supervised.host = argv[4];
        return supervise(&supervised) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
