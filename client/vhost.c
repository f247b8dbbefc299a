/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl vhost: opens a packet lease and becomes rawnet-vhost, for any vhost-user front end.
 */

#include <fcntl.h>
#include <string.h>

#include "client/backend.h"
#include "client/bus.h"
#include "client/client.h"
#include "client/parse.h"
#include "common/text.h"

#define BUSY_POLL_MAX 1000000u /* rawnet-vhost(1) */

typedef struct VhostOptions {
        PortRequest request;
        const char *socket, *connect, *busy_poll;
} VhostOptions;

static const struct option long_options[] = {
                {"socket", required_argument, NULL, 's'},
                {"connect", required_argument, NULL, 'c'},
                {"mac", required_argument, NULL, 'm'},
                {"name", required_argument, NULL, 'n'},
                {"queues", required_argument, NULL, 'q'},
                {"busy-poll", required_argument, NULL, 'b'},
                {},
};

static bool set_option(VhostOptions *options, int c) {
        uint32_t number;

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
        default:
                options->busy_poll = optarg;
                if (text_parse_u32(optarg, 0, BUSY_POLL_MAX, &number) >= 0)
                        return true;
                log_error("--busy-poll is a number from 0 to %u, not '%s'", BUSY_POLL_MAX, optarg);
                return false;
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
        if (argc - optind != 1 || !options.socket == !options.connect) {
                log_error("vhost: rawnetctl vhost (--socket PATH | --connect PATH) [OPTION...] "
                          "NETWORK");
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
        _cleanup_free_ char *front = NULL, *busy = NULL;
        int r = open_port(port, ret_refusal);

        if (r != 0)
                return r;
        if (asprintf(&front, "--%s=%s", options->socket ? "socket" : "connect",
                     options->socket ? options->socket : options->connect) < 0)
                return -ENOMEM;
        if (options->busy_poll && asprintf(&busy, "--busy-poll=%s", options->busy_poll) < 0)
                return -ENOMEM;
        return backend_arguments(port, front, busy, ret_argv);
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
