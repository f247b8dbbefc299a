/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl vhost: opens a packet lease and becomes rawnet-vhost, for any vhost-user front end.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>

#include "client/backend.h"
#include "client/bus.h"
#include "client/client.h"
#include "client/parse.h"
#include "common/text.h"

/* rawnet-vhost(1) */
#define BUSY_POLL_MAX 1000000u
#define COALESCE_MAX 10000u

typedef struct VhostOptions {
        PortRequest request;
        const char *socket, *connect;
        const char *busy_poll, *coalesce, *allow_user; /* NULL: rawnet-vhost's own default */
} VhostOptions;

static const struct option long_options[] = {
        {"socket", required_argument, NULL, 's'},
        {"connect", required_argument, NULL, 'c'},
        {"mac", required_argument, NULL, 'm'},
        {"name", required_argument, NULL, 'n'},
        {"queues", required_argument, NULL, 'q'},
        {"allow-user", required_argument, NULL, 'u'},
        {"busy-poll", required_argument, NULL, 'b'},
        {"coalesce", required_argument, NULL, 'o'},
        {},
};

/* Passed on as it was written. */
static bool set_time(const char *name, uint32_t max, const char **ret) {
        uint32_t number;

        if (text_parse_u32(optarg, 0, max, &number) < 0) {
                log_error("%s is a number from 0 to %" PRIu32 ", not '%s'", name, max, optarg);
                return false;
        }
        *ret = optarg;
        return true;
}

static bool user_exists(const char *user) {
        uint32_t number;

        return text_parse_u32(user, 0, UINT32_MAX - 1, &number) == 0 || getpwnam(user);
}

static bool set_option(VhostOptions *options, int c) {
        switch (c) {
        case 's':
                options->socket = optarg;
                return true;
        case 'c':
                options->connect = optarg;
                return true;
        case 'm':
                options->request.mac = optarg;
                return true;
        case 'n':
                options->request.name = optarg;
                return true;
        case 'q':
                if (text_parse_u32(optarg, 1, RAWNET_QUEUES_MAX, &options->request.queues) >= 0)
                        return true;
                log_error("--queues is a number from 1 to %u, not '%s'", RAWNET_QUEUES_MAX, optarg);
                return false;
        case 'u':
                /* rawnet-vhost knows which users there are, but it starts after polkit may have
                 * asked. */
                if (user_exists(optarg)) {
                        options->allow_user = optarg;
                        return true;
                }
                log_error("--allow-user: there is no user '%s'", optarg);
                return false;
        case 'b':
                return set_time("--busy-poll", BUSY_POLL_MAX, &options->busy_poll);
        default:
                return set_time("--coalesce", COALESCE_MAX, &options->coalesce);
        }
}

/* Returns 0 or the exit status. */
static int parse(int argc, char **argv, VhostOptions *ret) {
        VhostOptions options = {.request = PORT_REQUEST_INIT};
        int c;

        options.request.kind = KIND_PACKET;
        options.request.vnet_hdr = 1;
        while ((c = getopt_long(argc, argv, "+:", long_options, NULL)) >= 0) {
                if (c == '?' || c == ':') {
                        say_bad_option(c, argv);
                        return EXIT_OWN_FAILURE;
                }
                if (!set_option(&options, c))
                        return EXIT_OWN_FAILURE;
        }
        if (!options.socket == !options.connect) {
                log_error(options.socket ? "vhost: --socket and --connect exclude each other"
                                         : "vhost: --socket PATH or --connect PATH is missing");
                return EXIT_OWN_FAILURE;
        }
        if (argc - optind != 1) {
                log_error("vhost: %s (rawnetctl vhost --socket PATH NETWORK)",
                          optind < argc ? "too many arguments" : "which network?");
                return EXIT_OWN_FAILURE;
        }
        options.request.network = argv[optind];
        *ret = options;
        return 0;
}

static int open_port(Port *port, Refusal *ret_refusal) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r = bus_connect(&bus, ret_refusal);

        if (r == 0)
                r = bus_open_port(bus, port, ret_refusal);
        for (size_t i = 0; i < port->n_queues && r == 0; i++)
                if (fcntl(port->fds[i], F_SETFD, 0) < 0)
                        r = -errno;
        return r;
}

static int prepare(const VhostOptions *options, Port *port, char ***ret_argv,
                   Refusal *ret_refusal) {
        _cleanup_free_ char *front = NULL, *busy = NULL, *coalesce = NULL, *user = NULL;
        char *extra[4] = {};
        size_t n = 0;
        int r = open_port(port, ret_refusal);

        if (r != 0)
                return r;
        if (asprintf(&front, "--%s=%s", options->socket ? "socket" : "connect",
                     options->socket ? options->socket : options->connect) < 0)
                return -ENOMEM;
        if (options->busy_poll && asprintf(&busy, "--busy-poll=%s", options->busy_poll) < 0)
                return -ENOMEM;
        if (options->coalesce && asprintf(&coalesce, "--coalesce=%s", options->coalesce) < 0)
                return -ENOMEM;
        if (options->allow_user && asprintf(&user, "--allow-user=%s", options->allow_user) < 0)
                return -ENOMEM;
        if (user)
                extra[n++] = user;
        if (busy)
                extra[n++] = busy;
        if (coalesce)
                extra[n++] = coalesce;
        return backend_arguments(port, front, extra, ret_argv);
}

int verb_vhost(int argc, char **argv) {
        _cleanup_(argv_freep) char **command = NULL;
        VhostOptions options;
        Refusal refusal = {};
        Port port;
        int r = parse(argc, argv, &options);

        if (r != 0)
                return r;
        port_init(&port, NULL, &options.request);
        r = prepare(&options, &port, &command, &refusal);
        if (r == 0)
                r = run_program(command);
        else {
                say_failure(r, &refusal);
                r = EXIT_OWN_FAILURE;
        }
        port_done(&port);
        return r;
}
