/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * How long does it take to open a lease? Prints one number a line, microseconds, as they come.
 *
 *   open bus NETWORK COUNT hold|cycle   OpenTap by D-Bus; with hold the leases stay until stdin
 *                                       ends, with cycle each is closed before the next
 *   open idle NETWORK COUNT -           OpenTap by D-Bus, each when the one before has ended, so
 *                                       that the kernel is not still busy with its end
 *   open first NETWORK COUNT -          the same, each by a connection that has opened none before,
 *                                       as rawnetctl does it
 *   open end NETWORK COUNT -            from before the last close of a lease to its signal Ended
 *   open ask NETWORK COUNT -            CanOpen by D-Bus: what bus and polkit take of the whole
 *   open polkit ACTION COUNT -          polkit alone: the caller asks it about itself
 *   open fork - COUNT -                 the kernel alone: a child that makes a user and a network
 *                                       namespace and exits
 *   open helper NETWORK COUNT KIND      straight to rawnet-helper, as rawnetd does it (and as its
 *                                       user): what the helper takes of the whole; each when the
 *                                       one before has ended and polkit has been asked a question
 *   open hasty NETWORK COUNT KIND       the same, but each is asked for upon the last one's answer
 */

#include <assert.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "common/clock.h"
#include "common/fd-pass.h"
#include "common/terms.h"
#include "common/text.h"
#include "common/ipc.h"
#include "common/network-file.h"

/* One OpenTap without options. Returns the lease's descriptor. */
static int open_by_bus(sd_bus *bus, const char *network) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r, fd;

        r = sd_bus_call_method(bus, RAWNET_BUS_NAME, RAWNET_PATH, RAWNET_IFACE_MANAGER, "OpenTap",
                               &error, &reply, "sa{sv}", network, 0);
        if (r < 0)
                errx(1, "OpenTap: %s: %s", error.name, error.message);
        r = sd_bus_message_enter_container(reply, 'a', "h");
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r <= 0)
                errx(1, "OpenTap: no descriptor in the reply");
        /* The message closes its own. */
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                err(1, "fcntl");
        return fd;
}

static void report(uint64_t start) {
        printf("%llu\n", (unsigned long long)(clock_usec(CLOCK_MONOTONIC) - start));
}

/* The kernel takes some 16 ms for a tap's last close, one after the other at a process's end;
 * several threads wait for it at the same time. */
#define CLOSERS 32u

typedef struct Held {
        int *fds;
        uint32_t count, first;
} Held;

static void *close_some(void *data) {
        const Held *held = data;

        for (uint32_t i = held->first; i < held->count; i += CLOSERS)
                close(held->fds[i]);
        return NULL;
}

static void close_all(int *fds, uint32_t count) {
        pthread_t threads[CLOSERS];
        Held parts[CLOSERS];

        for (uint32_t i = 0; i < CLOSERS; i++) {
                parts[i] = (Held){fds, count, i};
                if (pthread_create(&threads[i], NULL, close_some, &parts[i]) != 0)
                        errx(1, "no thread");
        }
        for (uint32_t i = 0; i < CLOSERS; i++)
                (void)pthread_join(threads[i], NULL);
}

static void run_bus(const char *network, uint32_t count, bool hold) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ int *fds = calloc(count, sizeof(*fds));
        char byte;

        if (!fds || sd_bus_open_system(&bus) < 0)
                errx(1, "no system bus");
        for (uint32_t i = 0; i < count; i++) {
                uint64_t start = clock_usec(CLOCK_MONOTONIC);

                fds[i] = open_by_bus(bus, network);
                report(start);
                if (!hold)
                        close(fds[i]);
        }
        fflush(stdout);
        while (hold && read(STDIN_FILENO, &byte, 1) > 0)
                ;
        if (hold)
                close_all(fds, count);
}

static void run_ask(const char *network, uint32_t count) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;

        if (sd_bus_open_system(&bus) < 0)
                errx(1, "no system bus");
        for (uint32_t i = 0; i < count; i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                uint64_t start = clock_usec(CLOCK_MONOTONIC);

                if (sd_bus_call_method(bus, RAWNET_BUS_NAME, RAWNET_PATH, RAWNET_IFACE_MANAGER,
                                       "CanOpen", &error, NULL, "ss", network, "tap") < 0)
                        errx(1, "CanOpen: %s: %s", error.name, error.message);
                report(start);
        }
}

/* One question to polkit about the caller itself. */
static void ask_polkit(sd_bus *bus, const char *action) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *name;

        if (sd_bus_get_unique_name(bus, &name) < 0)
                errx(1, "no name on the bus");
        if (sd_bus_call_method(bus, "org.freedesktop.PolicyKit1",
                               "/org/freedesktop/PolicyKit1/Authority",
                               "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization", &error,
                               NULL, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s", name,
                               action, 0, 0, "") < 0)
                errx(1, "CheckAuthorization: %s: %s", error.name, error.message);
}

static void run_polkit(const char *action, uint32_t count) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;

        if (sd_bus_open_system(&bus) < 0)
                errx(1, "no system bus");
        for (uint32_t i = 0; i < count; i++) {
                uint64_t start = clock_usec(CLOCK_MONOTONIC);

                ask_polkit(bus, action);
                report(start);
        }
}

static int on_ended(sd_bus_message *m, void *data, sd_bus_error *error) {
        *(bool *)data = true;
        return 0;
}

/* A connection that has made one call. */
static sd_bus *connect_anew(void) {
        sd_bus *bus = NULL;

        if (sd_bus_open_system(&bus) < 0 ||
            sd_bus_call_method(bus, RAWNET_BUS_NAME, RAWNET_PATH, "org.freedesktop.DBus.Peer",
                               "Ping", NULL, NULL, "") < 0)
                errx(1, "no second connection to the system bus");
        return bus;
}

static void run_one_by_one(const char *network, uint32_t count, bool report_open, bool anew) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        bool ended = false;

        if (sd_bus_open_system(&bus) < 0 ||
            sd_bus_match_signal(bus, NULL, RAWNET_BUS_NAME, NULL, RAWNET_IFACE_LEASE, "Ended",
                                on_ended, &ended) < 0)
                errx(1, "no system bus");
        /* One lease at a time, so that the next Ended is this one's. */
        for (uint32_t i = 0; i < count; i++) {
                sd_bus *caller = anew ? connect_anew() : sd_bus_ref(bus);
                uint64_t start = clock_usec(CLOCK_MONOTONIC);
                int fd = open_by_bus(caller, network);

                if (report_open)
                        report(start);
                if (anew)
                        sd_bus_close(caller);
                sd_bus_unref(caller);
                start = clock_usec(CLOCK_MONOTONIC);
                close(fd);
                ended = false;
                while (!ended) {
                        int r = sd_bus_process(bus, NULL);

                        if (r == 0)
                                r = sd_bus_wait(bus, UINT64_MAX);
                        if (r < 0)
                                errx(1, "the bus: %s", strerror(-r));
                }
                if (!report_open)
                        report(start);
        }
}

static void run_fork(uint32_t count) {
        for (uint32_t i = 0; i < count; i++) {
                uint64_t start = clock_usec(CLOCK_MONOTONIC);
                pid_t pid = fork();
                int status;

                if (pid == 0)
                        _exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0);
                if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
                        errx(1, "no namespace");
                report(start);
        }
}

static int connect_helper(void) {
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = RAWNET_HELPER_SOCKET};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                err(1, "%s", RAWNET_HELPER_SOCKET);
        return fd;
}

/* The helper's next message of that type; what it publishes of other kinds goes by. Returns the
 * descriptor that came along, or -1. */
static int await(int socket_fd, IpcReplyType type) {
        for (;;) {
                int fds[RAWNET_FDS_MAX];
                size_t n_fds = 0;
                IpcReply reply;

                if (fd_pass_receive(socket_fd, &reply, sizeof(reply), fds, &n_fds, 0) <= 0)
                        errx(1, "the helper hung up");
                if (reply.type == IPC_REFUSED)
                        errx(1, "the helper refused: %s", reply.refusal.text);
                if (reply.type == type)
                        return n_fds > 0 ? fds[0] : -1;
                fd_pass_close_all(fds, n_fds);
        }
}

static void request_send(int socket_fd, IpcRequest *request, IpcOperation operation) {
        request->version = IPC_VERSION;
        request->operation = operation;
        request->serial++;
        if (fd_pass_send(socket_fd, request, sizeof(*request), NULL, 0, 0) < 0)
                errx(1, "the helper hung up");
}

static void run_helper(const char *network, uint32_t count, const char *kind, bool one_by_one) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int socket_fd = connect_helper();
        IpcRequest request = {};
        Refusal refusal = {};
        Network file;

        if (sd_bus_open_system(&bus) < 0)
                errx(1, "no system bus");
        request_send(socket_fd, &request, IPC_LIST);
        (void)await(socket_fd, IPC_DONE);
        if (!memccpy(request.open.network, network, 0, sizeof(request.open.network)))
                errx(2, "the name is too long");
        request.open.uid = getuid();
        request.open.kind = strcmp(kind, "packet") == 0 ? KIND_PACKET : KIND_TAP;
        request.open.queues = 1;
        request.open.mac_mode = IPC_MAC_RANDOM;
        request.open.vnet_hdr = 1;
        if (terms_open(network_file_load_wait, &request.open, &file, &refusal) != 0)
                errx(1, "%s", refusal.text);
        for (uint32_t i = 0; i < count; i++) {
                uint64_t start;
                int fd;

                /* As in an open: the processors are awake, and their caches full of others. */
                if (one_by_one)
                        ask_polkit(bus, RAWNET_ACTION_OPEN_TAP);
                start = clock_usec(CLOCK_MONOTONIC);
                request_send(socket_fd, &request, IPC_OPEN);
                fd = await(socket_fd, IPC_OPENED);
                report(start);
                close(fd);
                if (one_by_one)
                        (void)await(socket_fd, IPC_ENDED);
        }
        close(socket_fd);
}

static void run_list(uint32_t count) {
        uint64_t start = clock_usec(CLOCK_MONOTONIC);
        int socket_fd = connect_helper();
        IpcRequest request = {};
        IpcReply reply = {};
        uint32_t n = 0;

        request_send(socket_fd, &request, IPC_LIST);
        for (;;) {
                int fds[RAWNET_FDS_MAX];
                size_t n_fds = 0;

                if (fd_pass_receive(socket_fd, &reply, sizeof(reply), fds, &n_fds, 0) <= 0)
                        errx(1, "the helper hung up");
                fd_pass_close_all(fds, n_fds);
                if (reply.type == IPC_DONE)
                        break;
                n += reply.type == IPC_LEASE;
        }
        report(start);
        if (n != count)
                errx(1, "it named %u leases, not %u", n, count);
        close(socket_fd);
}

int main(int argc, char **argv) {
        const struct rlimit many = {.rlim_cur = 65536, .rlim_max = 65536};
        uint32_t count;

        if (argc != 5)
                errx(2, "four arguments");
        (void)setrlimit(RLIMIT_NOFILE, &many);
        if (strcmp(argv[1], "bus") == 0 && text_parse_u32(argv[3], 1, 1000000, &count) == 0)
                run_bus(argv[2], count, strcmp(argv[4], "hold") == 0);
        else if (strcmp(argv[1], "ask") == 0 && text_parse_u32(argv[3], 1, 1000000, &count) == 0)
                run_ask(argv[2], count);
        else if (strcmp(argv[1], "end") == 0 && text_parse_u32(argv[3], 1, 1000000, &count) == 0)
                run_one_by_one(argv[2], count, false, false);
        else if (strcmp(argv[1], "idle") == 0 && text_parse_u32(argv[3], 1, 1000000, &count) == 0)
                run_one_by_one(argv[2], count, true, false);
        else if (strcmp(argv[1], "first") == 0 && text_parse_u32(argv[3], 1, 1000000, &count) == 0)
                run_one_by_one(argv[2], count, true, true);
        else if (strcmp(argv[1], "polkit") == 0 && text_parse_u32(argv[3], 1, 1000000, &count) == 0)
                run_polkit(argv[2], count);
        else if (strcmp(argv[1], "list") == 0 && text_parse_u32(argv[3], 0, 1000000, &count) == 0)
                run_list(count);
        else if (strcmp(argv[1], "fork") == 0 && text_parse_u32(argv[3], 1, 1000000, &count) == 0)
                run_fork(count);
        else if (strcmp(argv[1], "helper") == 0 && text_parse_u32(argv[3], 1, 1000000, &count) == 0)
                run_helper(argv[2], count, argv[4], true);
        else if (strcmp(argv[1], "hasty") == 0 && text_parse_u32(argv[3], 1, 1000000, &count) == 0)
                run_helper(argv[2], count, argv[4], false);
        else
                errx(2,
                     "bus, idle, first, end, ask, polkit, fork, helper, hasty or list, and a count");
        return 0;
}
