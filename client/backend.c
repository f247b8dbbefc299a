/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/backend.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "client/client.h"
#include "client/parse.h"
#include "common/fd-pass.h"

#define PROGRAM "rawnet-vhost"

_printf_(2, 3) static int add(char ***argv, const char *format, ...) {
        char *text = NULL, **bigger;
        size_t n = 0;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0)
                return -ENOMEM;
        while (*argv && (*argv)[n])
                n++;
        bigger = reallocarray(*argv, n + 2, sizeof(*bigger));
        if (!bigger) {
                free(text);
                return -ENOMEM;
        }
        bigger[n] = text;
        bigger[n + 1] = NULL;
        *argv = bigger;
        return 0;
}

static char *join_descriptors(const Port *port) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);

        if (!out)
                return NULL;
        for (size_t i = 0; i < port->n_queues; i++)
                fprintf(out, "%s%d", i > 0 ? "," : "", port->fds[i]);
        if (fclose(out) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

int backend_arguments(const Port *port, const char *front, char *const *extra, char ***ret) {
        _cleanup_(argv_freep) char **argv = NULL;
        _cleanup_free_ char *fds = join_descriptors(port);
        int r = fds ? add(&argv, PROGRAM) : -ENOMEM;

        if (r >= 0)
                r = add(&argv, "--fd=%s", fds);
        if (r >= 0)
                r = add(&argv, "%s", front);
        if (r >= 0 && port->mac && *port->mac)
                r = add(&argv, "--mac=%s", port->mac);
        if (r >= 0 && port->mtu > 0)
                r = add(&argv, "--mtu=%u", port->mtu);
        for (size_t i = 0; r >= 0 && extra[i]; i++)
                r = add(&argv, "%s", extra[i]);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(argv);
        return 0;
}

/* Its words go to the caller's stderr, unless nobody shall wait for that to be closed; it reads and prints nothing. */
static int let_go_of_stdio(bool quiet) {
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
            (quiet && dup2(null, STDERR_FILENO) < 0))
                return -errno;
        return 0;
}

/* The descriptors stay over exec, everything else is closed by rawnet-vhost itself. */
static int become(const Port *port, int connection) {
        _cleanup_(argv_freep) char **argv = NULL;
        _cleanup_free_ char *front = NULL;
        char *none = NULL;

        if (asprintf(&front, "--socket-fd=%d", connection) < 0 ||
            backend_arguments(port, front, &none, &argv) < 0)
                return EXIT_OWN_FAILURE;
        if (fcntl(connection, F_SETFD, 0) < 0)
                return EXIT_OWN_FAILURE;
        for (size_t i = 0; i < port->n_queues; i++)
                if (fcntl(port->fds[i], F_SETFD, 0) < 0)
                        return EXIT_OWN_FAILURE;
        return run_program(argv);
}

/* port->socket's directory, then the socket itself. */
static void remove_socket(const Port *port) {
        char *slash = strrchr(port->socket, '/');

        unlink(port->socket);
        *slash = '\0';
        rmdir(port->socket);
        *slash = '/';
}

/* In the child: until QEMU connects, or has ended without. */
static int wait_and_become(const Port *port, int listener, int parent) {
        struct pollfd polls[] = {{.fd = listener, .events = POLLIN}, {.fd = parent, .events = POLLIN}};
        int connection = -1;

        while (poll(polls, ARRAY_SIZE(polls), -1) < 0 && errno == EINTR)
                ;
        if (polls[0].revents & POLLIN)
                connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        remove_socket(port);
        return connection >= 0 ? become(port, connection) : EXIT_OWN_FAILURE;
}

/* A directory of our own, mode 0700: nobody else may connect. */
static int make_listener(Port *port, int *ret) {
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        _cleanup_free_ char *directory = NULL, *path = NULL;

        if (fd < 0)
                return -errno;
        /* What has no directory of its own, or one that is not there, has /tmp. */
        if (!runtime || *runtime != '/' || access(runtime, W_OK) < 0)
                runtime = "/tmp";
        if (asprintf(&directory, "%s/rawnet.XXXXXX", runtime) < 0)
                return -ENOMEM;
        if (!mkdtemp(directory))
                return -errno;
        if (asprintf(&path, "%s/vhost", directory) < 0)
                return -ENOMEM;
        if (strlen(path) >= sizeof(address.sun_path)) {
                rmdir(directory);
                return -ENAMETOOLONG;
        }
        memcpy(address.sun_path, path, strlen(path));
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0) {
                int r = -errno;

                unlink(path);
                rmdir(directory);
                return r;
        }
        port->socket = TAKE_PTR(path);
        *ret = TAKE_FD(fd);
        return 0;
}

/* Twice, so that it is init's child; out of the terminal's reach, whose Ctrl-C is for QEMU. */
static int detach(const Port *port, int listener, int parent, bool quiet) {
        pid_t child = fork();
        int status;

        if (child < 0)
                return -errno;
        if (child == 0) {
                if (setsid() < 0 || (child = fork()) < 0)
                        _exit(EXIT_OWN_FAILURE);
                if (child == 0 && let_go_of_stdio(quiet) < 0)
                        _exit(EXIT_OWN_FAILURE);
                _exit(child > 0 ? 0 : wait_and_become(port, listener, parent));
        }
        return waitpid(child, &status, 0) < 0 ? -errno : status != 0 ? -EAGAIN : 0;
}

int backend_spawn(Port *port, bool quiet) {
        _cleanup_close_ int listener = -1, parent = (int)syscall(SYS_pidfd_open, getpid(), 0);
        int r;

        if (parent < 0)
                return -errno;
        r = make_listener(port, &listener);
        if (r < 0)
                return r;
        r = detach(port, listener, parent, quiet);
        if (r < 0) {
                remove_socket(port);
                return r;
        }
        fd_pass_close_all(port->fds, port->n_queues);
        port->n_queues = 0;
        return 0;
}
