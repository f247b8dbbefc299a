/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl vhost: opens a packet lease and becomes rawnet-vhost, for any vhost-user front end.
 */

#include <fcntl.h>

#include "client/backend.h"
#include "client/bus.h"
#include "client/client.h"
#include "client/parse.h"
#include "client/run-options.h"
#include "common/argument.h"

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
        {"address", required_argument, NULL, 'a'},
        {"rate", required_argument, NULL, 'r'},
        {"queues", required_argument, NULL, 'q'},
        {"allow-user", required_argument, NULL, 'u'},
        {"busy-poll", required_argument, NULL, 'b'},
        {"coalesce", required_argument, NULL, 'o'},
        {},
};

/* rawnet-vhost checks these values, too, but it starts only after polkit may have asked for a
 * password. It gets them as they were written. */
static bool set_time(const char *name, uint32_t max, const char **ret) {
        uint32_t number;

        *ret = optarg;
        return argument_number(name, optarg, 0, max, &number) == 0;
}

static bool set_user(const char **ret) {
        uid_t user;

        *ret = optarg;
        return argument_user("--allow-user", optarg, &user) == 0;
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
        case 'a':
                return run_option_address(&options->request, optarg);
        case 'r':
                return run_option_rate(&options->request, optarg);
        case 'q':
                return argument_number("--queues", optarg, 1, RAWNET_QUEUES_MAX,
                                       &options->request.queues) == 0;
        case 'u':
                return set_user(&options->allow_user);
        case 'b':
                return set_time("--busy-poll", RAWNET_BUSY_POLL_MAX, &options->busy_poll);
        default:
                return set_time("--coalesce", RAWNET_COALESCE_MAX, &options->coalesce);
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
