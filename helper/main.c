/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnet-helper: the only part of rawnet with a privilege (CAP_NET_ADMIN; CAP_BPF until the guard
 * is loaded). It speaks to rawnetd alone, reads the network files itself, and leaves when nothing
 * is left to do. rawnet-helper(8).
 *
 * Theory of operation. Every line of helper/ runs in one of three kinds of process; a folder holds
 * what one kind runs, kernel/ the netlink messages of all of them.
 *
 *  1. Start. main.c checks that the process has exactly its capabilities (privilege.c), takes the
 *     listening socket and learns which user rawnetd is. It loads the guard (guard-program.c) and
 *     gives CAP_BPF up for good. Then the daemon runs.
 *  2. The daemon (daemon/) is one event loop that never blocks. A first worker probes the kernel, a
 *     second one scans for the leases that are alive; then requests are read (connection.c). Each
 *     is given to a worker (pool.c). What the kernel says of leases and interfaces arrives in
 *     watch.c. server.c alone decides what is due. The daemon holds no descriptor of a lease.
 *  3. A worker (worker/) is forked for one job in the host's namespace, and may block. It reads the
 *     network file, judges the request (validate.c), finds the parent (host/parent.c), has a child
 *     make the port, and sends the reply with its descriptors to rawnetd itself. To the daemon it
 *     only reports (report.c). It dies with the daemon. host/ has what workers do to interfaces of
 *     the host, check/ what they find out about a network for `rawnetctl check`.
 *  4. A child (child/) is forked by the worker of an open. It enters a user and a network namespace
 *     of its own (namespace.c), where it has every capability and in the host none; it builds the
 *     port and the guard, hands the descriptors up, and exits. It executes nothing and reads no
 *     file. It dies with the worker, and a namespace without a holder dies with it.
 *  5. With mac=learn the child stays (learn.c) until the guest's first frame names an address, or
 *     the port is gone. It outlives worker and daemon.
 */

#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "common/argument.h"
#include "common/log.h"
#include "common/streams.h"
#include "helper/daemon/server.h"
#include "helper/guard-program.h"

typedef struct Passed {
        char **names;
        GuardStored *stored;
        size_t n_stored;
} Passed;

static uint32_t arg_idle_seconds = RAWNET_IDLE_SECONDS;
static bool arg_assume_checksum_trick = false;

/* 0: continue; 1: help or version was printed; -EINVAL: wrong usage, which was logged. */
static int parse_arguments(int argc, char **argv) {
        enum {
                OPTION_IDLE = 256,
                OPTION_TRICK,
                OPTION_VERSION,
                OPTION_HELP
        };
        static const struct option options[] = {
                {"idle-seconds", required_argument, NULL, OPTION_IDLE},
                {"assume-checksum-trick", no_argument, NULL, OPTION_TRICK},
                {"version", no_argument, NULL, OPTION_VERSION},
                {"help", no_argument, NULL, OPTION_HELP},
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                switch (c) {
                case OPTION_IDLE:
                        if (argument_number("--idle-seconds", optarg, 0, RAWNET_IDLE_SECONDS_MAX,
                                            &arg_idle_seconds) < 0)
                                return -EINVAL;
                        break;
                case OPTION_TRICK:
                        arg_assume_checksum_trick = true;
                        break;
                case OPTION_VERSION:
                        puts("rawnet-helper " RAWNET_VERSION);
                        return 1;
                case OPTION_HELP:
                        puts("rawnet-helper [--idle-seconds=N] [--assume-checksum-trick]\nrawnet-helper --version | --help\n\n"
                             "rawnet-helper.socket starts it; see rawnet-helper(8).");
                        return 1;
                default:
                        return -EINVAL;
                }
        }
        if (optind < argc) {
                log_error("unexpected argument '%s'", argv[optind]);
                return -EINVAL;
        }
        return 0;
}

/* systemd passes the listening socket first, then what the last helper stored. */
static int take_passed(Passed *ret) {
        Passed passed = {};
        int n;

        n = sd_listen_fds_with_names(true, &passed.names);
        if (n < 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_SEQPACKET, 1, NULL, 0) <= 0) {
                log_error(
                        "no listening SOCK_SEQPACKET socket was passed; start rawnet-helper.socket");
                return -EINVAL;
        }
        passed.stored = calloc((size_t)n, sizeof(*passed.stored));
        if (!passed.stored)
                return -ENOMEM;
        for (int i = 1; i < n; i++)
                passed.stored[passed.n_stored++] =
                        (GuardStored){passed.names[i], SD_LISTEN_FDS_START + i};
        *ret = passed;
        return 0;
}

/* The only thing that CAP_BPF is for. A kernel without eBPF is no reason to stop: each open and
 * each check says what is missing. */
static int load_guard(const Privilege *privilege, Passed *passed, GuardProgram *ret) {
        Refusal refusal = {};
        int r;

        guard_program_load(ret, passed->stored, passed->n_stored);
        for (char **name = passed->names; name && *name; name++)
                free(*name);
        free(passed->names);
        free(passed->stored);
        r = privilege_drop_bpf(privilege, &refusal);
        if (r != 0)
                log_error("%s", r > 0 ? refusal.text : strerror(-r));
        return r;
}

static int find_peer(uid_t *ret) {
        const struct passwd *user;

        errno = 0;
        user = getpwnam(RAWNET_USER_SERVICE);
        if (!user && errno != 0 && errno != ENOENT && errno != ESRCH) {
                log_error("cannot look user " RAWNET_USER_SERVICE " up: %s", strerror(errno));
                return -EIO;
        }
        if (!user) {
                log_error("there is no user " RAWNET_USER_SERVICE "; install rawnet (sysusers.d)");
                return -ENOENT;
        }
        *ret = user->pw_uid;
        return 0;
}

static int block_signals(sd_event *event) {
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        sigaddset(&mask, SIGCHLD);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        return r < 0 ? r : 0;
}

static int serve(const Privilege *privilege, const GuardProgram *guard, uid_t peer) {
        Server server = {
                .context = {.job = {.privilege = *privilege, .guard = *guard},
                            .probe.assume_checksum_trick = arg_assume_checksum_trick},
                .peer_uid = peer,
                .idle_seconds = arg_idle_seconds,
        };
        int r;

        r = sd_event_new(&server.event);
        if (r < 0)
                return r;
        r = block_signals(server.event);
        if (r == 0)
                r = server_start(&server, SD_LISTEN_FDS_START);
        if (r == 0)
                r = sd_event_loop(server.event);
        (void)sd_notify(false, "STOPPING=1");
        server_stop(&server);
        sd_event_unref(server.event);
        return r;
}

int main(int argc, char **argv) {
        Privilege privilege;
        GuardProgram guard;
        Refusal refusal = {};
        Passed passed;
        uid_t peer;
        int r;

        if (streams_ensure() < 0)
                return EXIT_FAILURE;
        log_open("rawnet-helper");
        r = parse_arguments(argc, argv);
        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        r = privilege_check(&privilege, &refusal);
        if (r != 0) {
                log_error("%s", r > 0 ? refusal.text : strerror(-r));
                return EXIT_FAILURE;
        }
        if (take_passed(&passed) < 0 || find_peer(&peer) < 0 ||
            load_guard(&privilege, &passed, &guard) != 0)
                return EXIT_FAILURE;
        r = serve(&privilege, &guard, peer);
        if (r < 0)
                log_error("stopped: %s", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
