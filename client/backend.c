/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/backend.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "client/client.h"
#include "client/parse.h"
#include "client/process.h"
#include "common/fd-pass.h"
#include "common/log.h"
#include "common/unix-socket.h"

#define PROGRAM "rawnet-vhost"
#define UNIQUE_PART "rawnet.XXXXXX/vhost" /* mkdtemp(3) replaces the X */

/* A process has no command line while execve() replaces its program. */
#define EXEC_MS 10
#define EXEC_LOOKS 100u

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

/* The process keeps the caller's stderr for its messages, unless quiet says that nobody may have to
 * wait until it is closed. It reads and prints nothing. */
static int let_go_of_stdio(bool quiet) {
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
            (quiet && dup2(null, STDERR_FILENO) < 0))
                return -errno;
        return 0;
}

/* These descriptors stay open over exec; rawnet-vhost itself closes all others. */
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

static bool has_ended(int process) {
        struct pollfd p = {.fd = process, .events = POLLIN};

        return poll(&p, 1, 0) > 0;
}

/* port->socket's directory, then the socket itself. */
static void remove_socket(const Port *port) {
        char *slash = strrchr(port->socket, '/');

        unlink(port->socket);
        *slash = '\0';
        rmdir(port->socket);
        *slash = '/';
}

/* The unique end of the path, which needs no quoting in QEMU's options: "rawnet.XXXXXX/vhost". */
static const char *unique_part(const Port *port) {
        return port->socket + strlen(port->socket) - strlen(UNIQUE_PART);
}

/* Waits for a connection, or until timeout_ms have passed (-1: for ever) or the process has ended
 * (-1: none). Returns the connection, or -1. */
static int wait_for_connection(int listener, int process, int timeout_ms) {
        struct pollfd polls[] = {{.fd = listener, .events = POLLIN},
                                 {.fd = process, .events = POLLIN}};
        uid_t user;
        int fd;

        while (poll(polls, ARRAY_SIZE(polls), timeout_ms) < 0 && errno == EINTR)
                ;
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        /* The directory belongs to the caller, so that only root could be another peer. */
        if (fd >= 0 && unix_peer_user(fd, &user) == 0 && (user == geteuid() || user == 0))
                return fd;
        safe_close(fd);
        return -1;
}

/* Finds a process that has the socket's path on its command line: QEMU, or a process that becomes
 * QEMU. A pidfd or -errno. */
static int find_user_of(const Port *port, int listener, int *ret_connection) {
        int process = -EAGAIN;

        for (unsigned n = 0; n < EXEC_LOOKS && *ret_connection < 0; n++) {
                process = process_find(unique_part(port), false);
                if (process != -EAGAIN)
                        break;
                *ret_connection = wait_for_connection(listener, -1, EXEC_MS);
        }
        return process;
}

/*
 * In the child: until QEMU connects, or no process is left that could. The process that started us
 * need not be QEMU's: a wrapper (setsid
 * --fork, start-stop-daemon --background, a script) forks and ends. The command line of whatever
 * runs instead has the socket's path.
 */
static int wait_and_become(const Port *port, int listener, int parent) {
        _cleanup_close_ int process = TAKE_FD(parent);
        bool wrapped = false;
        int connection = -1;

        while (connection < 0 && process >= 0) {
                connection = wait_for_connection(listener, process, -1);
                if (connection >= 0 || !has_ended(process))
                        continue;
                safe_close(process);
                process = find_user_of(port, listener, &connection);
                wrapped = wrapped || process >= 0;
        }
        remove_socket(port);
        if (connection < 0 && wrapped)
                log_error("the command ended before QEMU connected to its port on %s",
                          port->request.network);
        return connection >= 0 ? become(port, connection) : EXIT_OWN_FAILURE;
}

/* A directory for sockets. What has none of its own, or one that is not there or has too long a
 * name, has /tmp. */
static const char *runtime_directory(void) {
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof("/" UNIQUE_PART);

        return runtime && *runtime == '/' && strlen(runtime) <= most && access(runtime, W_OK) == 0
                       ? runtime
                       : "/tmp";
}

/* In a directory with mode 0700: no other user may connect. */
static int make_listener(Port *port, int *ret, Refusal *ret_refusal) {
        const char *runtime = runtime_directory();
        _cleanup_free_ char *directory = NULL, *path = NULL;
        struct sockaddr_un address;
        int r;

        if (asprintf(&directory, "%s/rawnet.XXXXXX", runtime) < 0)
                return -ENOMEM;
        if (!mkdtemp(directory))
                return refuse_errno(ret_refusal, errno, "making a directory in %s", runtime);
        if (asprintf(&path, "%s/vhost", directory) < 0) {
                rmdir(directory);
                return -ENOMEM;
        }
        r = unix_address(path, &address, ret_refusal);
        if (r == 0)
                r = unix_listen(&address, 0600, 1, ret, ret_refusal);
        if (r != 0) {
                unlink(path);
                rmdir(directory);
                return r;
        }
        port->socket = TAKE_PTR(path);
        return 0;
}

/* Forks twice, so that the process is init's child, and makes a session of its own: the terminal's
 * Ctrl-C is for QEMU. */
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

int backend_spawn(Port *port, bool quiet, Refusal *ret_refusal) {
        _cleanup_close_ int listener = -1, parent = (int)syscall(SYS_pidfd_open, getpid(), 0);
        int r;

        if (parent < 0)
                return -errno;
        r = make_listener(port, &listener, ret_refusal);
        if (r != 0)
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
