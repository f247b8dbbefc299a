/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnet-vhost: a vhost-user back end, one process for each port. It serves a guest's virtio-net
 * rings from a packet lease. It runs as an ordinary user, needs no privilege, opens nothing after
 * its start, and trusts neither guest nor front end.
 */

#include <getopt.h>
#include <linux/close_range.h>
#include <linux/if_packet.h>

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "backend/loop.h"
#include "backend/peer-event.h"
#include "backend/sandbox.h"
#include "common/argument.h"
#include "common/log.h"
#include "common/streams.h"
#include "common/text.h"

/* Documented in rawnet-vhost(1). */
#define EXIT_BROKEN 3 /* the guest or its front end broke the rules */
#define EXIT_ENDED 4  /* the lease has ended */

/* The longest pause (coalesce.h). In measurements with an emulated guest, longer pauses moved fewer
 * frames. The first pause, COALESCE_FIRST_USEC, is between QEMU's timer for transmission, 150 µs
 * (hw/net/virtio-net.c, TX_TIMER_INTERVAL), and that of network cards for bulk traffic, 250 µs
 * (Linux drivers/net/ethernet/intel/e1000, bulk_latency). */
#define COALESCE_DEFAULT 1000u

typedef struct Arguments {
        int sockets[RAWNET_QUEUES_MAX];
        unsigned n_sockets;
        const char *listen, *connect;
        int socket_fd;
        uid_t allowed; /* the second user who may be the front end */
        bool has_mac;
        MacAddress mac;
        uint32_t mtu, busy_poll, coalesce;
} Arguments;

static const char help[] =
        "rawnet-vhost --fd=N[,N...] (--socket=PATH | --socket-fd=N | --connect=PATH)\n"
        "             [OPTION...]\n"
        "rawnet-vhost --version | --help\n"
        "\n"
        "Serves a guest's virtio-net rings (vhost-user) from the packet sockets of a\n"
        "rawnet lease.\n"
        "\n"
        "  --fd=N[,N...]      packet sockets of a lease with vnet-hdr=true, one for each\n"
        "                     pair of queues\n"
        "  --socket=PATH      listen for the front end on this socket\n"
        "  --socket-fd=N      a socket that is connected to the front end\n"
        "  --connect=PATH     connect to this socket, on which the front end listens\n"
        "  --allow-user=USER  a second user who may be the front end (name or number)\n"
        "  --mac=MAC          the lease's MAC address, for a front end that asks\n"
        "  --mtu=BYTES        the lease's MTU, reported to the guest\n"
        "  --busy-poll=USEC   how long to look for more frames before sleeping;\n"
        "                     default: 0\n"
        "  --coalesce=USEC    how long frames may wait, so that they are served in\n"
        "                     batches; default: 1000\n"
        "\n"
        "rawnetctl qemu and rawnetctl vhost start this program; rawnet-vhost(1) has\n"
        "examples.\n";

static int parse_fd(const char *text, const char *option, int *ret) {
        uint32_t n;

        if (text_parse_u32(text, 0, INT32_MAX, &n) != 0) {
                log_error("%s: '%s' is not a descriptor's number", option, text);
                return -EINVAL;
        }
        *ret = (int)n;
        return 0;
}

static int parse_fds(const char *text, Arguments *arguments) {
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *one;

        if (!copy)
                return -ENOMEM;
        while ((one = strsep(&rest, ","))) {
                if (arguments->n_sockets >= RAWNET_QUEUES_MAX) {
                        log_error("--fd: at most %u sockets", RAWNET_QUEUES_MAX);
                        return -EINVAL;
                }
                if (parse_fd(one, "--fd", &arguments->sockets[arguments->n_sockets]) < 0)
                        return -EINVAL;
                arguments->n_sockets++;
        }
        return 0;
}

static int parse_option(int c, const char *value, Arguments *arguments) {
        switch (c) {
        case 'f':
                return parse_fds(value, arguments);
        case 's':
                arguments->listen = value;
                return 0;
        case 'c':
                arguments->connect = value;
                return 0;
        case 'S':
                return parse_fd(value, "--socket-fd", &arguments->socket_fd);
        case 'u':
                return argument_user("--allow-user", value, &arguments->allowed);
        case 'm':
                arguments->has_mac = true;
                if (mac_parse(value, &arguments->mac) == 0)
                        return 0;
                log_error("--mac: '%s' is not an Ethernet address", value);
                return -EINVAL;
        case 'M':
                return argument_number("--mtu", value, NETWORK_MTU_MIN, NETWORK_MTU_MAX,
                                       &arguments->mtu);
        case 'b':
                return argument_number("--busy-poll", value, 0, RAWNET_BUSY_POLL_MAX,
                                       &arguments->busy_poll);
        case 'C':
                return argument_number("--coalesce", value, 0, RAWNET_COALESCE_MAX,
                                       &arguments->coalesce);
        default:
                return -EINVAL;
        }
}

/* 0: continue; 1: help or version was printed; -EINVAL: wrong usage, which was logged. */
static int parse_arguments(int argc, char **argv, Arguments *arguments) {
        static const struct option options[] = {
                {"fd", required_argument, NULL, 'f'},
                {"socket", required_argument, NULL, 's'},
                {"socket-fd", required_argument, NULL, 'S'},
                {"connect", required_argument, NULL, 'c'},
                {"allow-user", required_argument, NULL, 'u'},
                {"mac", required_argument, NULL, 'm'},
                {"mtu", required_argument, NULL, 'M'},
                {"busy-poll", required_argument, NULL, 'b'},
                {"coalesce", required_argument, NULL, 'C'},
                {"version", no_argument, NULL, 'v'},
                {"help", no_argument, NULL, 'h'},
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (c == 'h' || c == 'v') {
                        fputs(c == 'h' ? help : "rawnet-vhost " RAWNET_VERSION "\n", stdout);
                        return 1;
                }
                if (parse_option(c, optarg, arguments) < 0)
                        return -EINVAL;
        }
        if (optind < argc) {
                log_error("unexpected argument '%s'; rawnet-vhost --help lists the options",
                          argv[optind]);
                return -EINVAL;
        }
        if (arguments->n_sockets == 0 ||
            !!arguments->listen + !!arguments->connect + (arguments->socket_fd >= 0) != 1) {
                log_error("give --fd, and one of --socket, --socket-fd and --connect; see "
                          "rawnet-vhost --help");
                return -EINVAL;
        }
        return 0;
}

static int check_socket(int fd, Refusal *ret_refusal) {
        int domain = 0, type = 0, on = 1;
        socklen_t length = sizeof(int);

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || domain != AF_PACKET ||
            type != SOCK_RAW)
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "descriptor %d is not a packet socket; open the lease with kind packet",
                        fd);
        if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0)
                return refuse_errno(ret_refusal, errno, "setting PACKET_VNET_HDR on descriptor %d",
                                    fd);
        return 0;
}

static int compare(const void *a, const void *b) {
        return *(const int *)a - *(const int *)b;
}

/* Closes every descriptor that no option names: it was inherited by mistake. */
static int close_strangers(const Arguments *arguments) {
        int known[RAWNET_QUEUES_MAX + 1];
        unsigned n = arguments->n_sockets, first = STDERR_FILENO + 1;

        memcpy(known, arguments->sockets, n * sizeof(known[0]));
        if (arguments->socket_fd >= 0)
                known[n++] = arguments->socket_fd;
        qsort(known, n, sizeof(known[0]), compare);
        for (unsigned i = 0; i < n; i++) {
                unsigned fd = (unsigned)known[i];

                if (fd < first && fd > STDERR_FILENO)
                        return -EINVAL; /* named twice */
                if (fd > first && close_range(first, fd - 1, 0) < 0)
                        return -errno;
                first = fd < first ? first : fd + 1;
        }
        return close_range(first, ~0u, 0) < 0 ? -errno : 0;
}

/* The front end may make a memory file shorter after it was mapped. The next access then raises
 * SIGBUS, which ends the port. */
static void on_bus_error(int signal_number) {
        static const char text[] = "rawnet-vhost: the front end took the guest's memory away\n";
        ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

        _exit(n < 0 ? EXIT_FAILURE : EXIT_BROKEN);
}

/* The loop's end_fd. Global because a signal handler needs it. */
static int end_event = -1;

static void on_end(int signal_number) {
        int saved = errno;

        eventfd_write(end_event, 1);
        errno = saved;
}

/* SIGTERM and SIGINT are unblocked and without SA_RESTART, so they interrupt every system call that
 * waits. */
static int prepare_signals(Loop *loop) {
        struct sigaction bus = {.sa_handler = on_bus_error}, ignore = {.sa_handler = SIG_IGN},
                         end = {.sa_handler = on_end};
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = EVENT_END};
        sigset_t ends;

        sigemptyset(&ends);
        sigaddset(&ends, SIGTERM);
        sigaddset(&ends, SIGINT);
        loop->end_fd = end_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (end_event < 0 || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, end_event, &event) < 0 ||
            sigaction(SIGTERM, &end, NULL) < 0 || sigaction(SIGINT, &end, NULL) < 0 ||
            sigaction(SIGBUS, &bus, NULL) < 0 || sigaction(SIGPIPE, &ignore, NULL) < 0 ||
            sigprocmask(SIG_UNBLOCK, &ends, NULL) < 0)
                return -errno;
        return 0;
}

static int prepare_connection(Loop *loop, const Arguments *arguments, Refusal *ret_refusal) {
        if (arguments->listen)
                return connection_listen(&loop->connection, arguments->listen, arguments->allowed,
                                         ret_refusal);
        if (arguments->connect)
                return connection_connect_to(&loop->connection, arguments->connect,
                                             arguments->allowed, ret_refusal);
        return connection_use(&loop->connection, arguments->socket_fd, ret_refusal);
}

static int serve(Device *device, const Arguments *arguments, Refusal *ret_refusal) {
        Loop loop;
        int r = loop_init(&loop, device);

        loop.busy_poll = arguments->busy_poll;
        loop.coalesce.max_usec = arguments->coalesce;
        /* By default the kernel makes every pause 50 µs longer (prctl(2), PR_SET_TIMERSLACK). */
        if (r == 0 && prctl(PR_SET_TIMERSLACK, 1) < 0)
                r = -errno;
        /* Before the signals, so that the connector inherits no handler. */
        if (r == 0)
                r = prepare_connection(&loop, arguments, ret_refusal);
        if (r == 0)
                r = prepare_signals(&loop);
        if (r == 0)
                r = peer_event_init(ret_refusal);
        if (r == 0)
                r = sandbox_enter(peer_event_directory(), ret_refusal);
        if (r == 0)
                r = loop_run(&loop, ret_refusal);
        loop_done(&loop);
        return r;
}

static int exit_status(int r, const Refusal *refusal) {
        if (r == 0)
                return EXIT_SUCCESS;
        log_error("%s", r < 0 ? errno_text(r) : refusal->text);
        return r == RAWNET_INVALID_ARGS    ? EXIT_BROKEN
               : r == RAWNET_NO_SUCH_LEASE ? EXIT_ENDED
                                           : EXIT_FAILURE;
}

int main(int argc, char **argv) {
        static Device device;
        Arguments arguments = {.socket_fd = -1, .allowed = geteuid(), .coalesce = COALESCE_DEFAULT};
        Refusal refusal = {};
        int r;

        if (streams_ensure() < 0)
                return EXIT_FAILURE;
        log_open("rawnet-vhost");
        r = parse_arguments(argc, argv, &arguments);
        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        for (unsigned i = 0; i < arguments.n_sockets && r == 0; i++)
                r = check_socket(arguments.sockets[i], &refusal);
        if (r == 0 && close_strangers(&arguments) < 0)
                r = refuse(&refusal, RAWNET_INVALID_ARGS,
                           "--fd or --socket-fd: a descriptor is given twice");
        if (r != 0) {
                exit_status(r, &refusal);
                return EXIT_USAGE;
        }
        device_init(&device, arguments.sockets, arguments.n_sockets,
                    arguments.has_mac ? &arguments.mac : NULL, (uint16_t)arguments.mtu);
        r = serve(&device, &arguments, &refusal);
        device_done(&device);
        return exit_status(r, &refusal);
}
