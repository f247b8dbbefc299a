/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl attach: an interface on a network for a container that runs. rawnetd gets a descriptor
 * of the container's network namespace, which nothing here enters.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/bus.h"
#include "client/client.h"
#include "client/run-options.h"
#include "common/text.h"

#define DEFAULT_PREFIX "eth"
#define DEFAULT_TRIES 64u

typedef struct AttachOptions {
        uint32_t pid;
        PortRequest request;
} AttachOptions;

static int refuse_pid(uint32_t pid, int errnum, Refusal *ret_refusal) {
        switch (errnum) {
        case ENOENT:
        case ESRCH:
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "there is no process %" PRIu32
                              "; give one that runs in the container",
                              pid);
        case EACCES:
        case EPERM:
                return refuse(ret_refusal, RAWNET_ACCESS_DENIED,
                              "you may not look into process %" PRIu32
                              ": it is another user's, or has privileges that you have not; give a "
                              "process of your own container",
                              pid);
        default:
                return refuse_errno(ret_refusal, errnum,
                                    "opening the network namespace of process %" PRIu32, pid);
        }
}

static int open_namespace(uint32_t pid, int *ret, Refusal *ret_refusal) {
        char path[48];
        int fd;

        snprintf(path, sizeof(path), "/proc/%" PRIu32 "/ns/net", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return refuse_pid(pid, errno, ret_refusal);
        *ret = fd;
        return 0;
}

/* "  eth7: …", a line of /proc/PID/net/dev (proc_pid_net(5)). */
static void read_line(char *line, bool taken[static DEFAULT_TRIES]) {
        const char *name = line + strspn(line, " ");
        uint32_t i;

        line[strcspn(line, ":")] = '\0';
        if (strncmp(name, DEFAULT_PREFIX, strlen(DEFAULT_PREFIX)) == 0 &&
            text_parse_u32(name + strlen(DEFAULT_PREFIX), 0, DEFAULT_TRIES - 1, &i) == 0)
                taken[i] = true;
}

/* The first of eth0, eth1 … that nothing there is called, as far as this can see. rawnetd has the
 * last word, and says why the namespace is none that this user may attach to. */
static void choose_name(uint32_t pid, char ret[static IFNAMSIZ]) {
        _cleanup_free_ char *line = NULL;
        bool taken[DEFAULT_TRIES] = {};
        unsigned i = 0;
        size_t size = 0;
        char path[48];
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%" PRIu32 "/net/dev", pid);
        file = fopen(path, "re");
        while (file && getline(&line, &size, file) >= 0)
                read_line(line, taken);
        if (file)
                fclose(file);
        while (i < DEFAULT_TRIES - 1 && taken[i])
                i++;
        snprintf(ret, IFNAMSIZ, DEFAULT_PREFIX "%u", i);
}

static int attach(AttachOptions *options, Port *port, Refusal *ret_refusal) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_close_ int namespace_fd = -1;
        char chosen[IFNAMSIZ];
        int r;

        r = open_namespace(options->pid, &namespace_fd, ret_refusal);
        if (r != 0)
                return r;
        if (!options->request.interface) {
                choose_name(options->pid, chosen);
                options->request.interface = chosen;
        }
        options->request.namespace = namespace_fd;
        port_init(port, NULL, &options->request);
        r = bus_connect(&bus, ret_refusal);
        if (r == 0)
                r = bus_open_port(bus, port, ret_refusal);
        if (r != 0)
                return r;
        printf("%s: interface %s of process %" PRIu32 " on %s, MAC %s, MTU %" PRIu32 "\n",
               port->interface, port->request.interface, options->pid, port->request.network,
               port->mac, port->mtu);
        /* Neither chosen nor the descriptor outlives this function. */
        port->request.interface = NULL;
        port->request.namespace = -1;
        return 0;
}

enum {
        ATTACH_PID = 256,
        ATTACH_INTERFACE,
        ATTACH_MAC,
        ATTACH_NAME,
        ATTACH_ADDRESS,
        ATTACH_RATE
};

static int parse_pid(const char *text, uint32_t *ret) {
        if (text_parse_u32(text, 1, INT32_MAX, ret) == 0)
                return 0;
        log_error("attach: --pid is the number of a process, not '%s'", text);
        return EXIT_USAGE;
}

/* 0 or the exit status. */
static int parse(int argc, char **argv, AttachOptions *ret) {
        static const struct option long_options[] = {
                {"pid", required_argument, NULL, ATTACH_PID},
                {"interface", required_argument, NULL, ATTACH_INTERFACE},
                {"mac", required_argument, NULL, ATTACH_MAC},
                {"name", required_argument, NULL, ATTACH_NAME},
                {"address", required_argument, NULL, ATTACH_ADDRESS},
                {"rate", required_argument, NULL, ATTACH_RATE},
                {}};
        AttachOptions options = {.request = PORT_REQUEST_INIT};
        int c, r = 0;

        options.request.kind = KIND_VETH;
        options.request.up = true;
        while (r == 0 && (c = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
                switch (c) {
                case ATTACH_PID:
                        r = parse_pid(optarg, &options.pid);
                        break;
                case ATTACH_INTERFACE:
                        options.request.interface = optarg;
                        break;
                case ATTACH_MAC:
                        options.request.mac = optarg;
                        break;
                case ATTACH_NAME:
                        options.request.name = optarg;
                        break;
                case ATTACH_ADDRESS:
                        if (!run_option_address(&options.request, optarg))
                                return EXIT_USAGE;
                        break;
                case ATTACH_RATE:
                        if (!run_option_rate(&options.request, optarg))
                                return EXIT_USAGE;
                        break;
                default:
                        return say_bad_option(c, argv);
                }
        }
        if (r != 0)
                return r;
        if (options.pid == 0 || argc - optind != 1) {
                log_error("attach: %s (rawnetctl attach --pid PID NETWORK)",
                          options.pid == 0 ? "--pid is missing"
                          : optind == argc ? "which network?"
                                           : "too many arguments");
                return EXIT_USAGE;
        }
        options.request.network = argv[optind];
        *ret = options;
        return 0;
}

int verb_attach(int argc, char **argv) {
        _cleanup_(port_done) Port port;
        AttachOptions options;
        Refusal refusal = {};
        int r;

        port_init(&port, NULL, &PORT_REQUEST_INIT);
        r = parse(argc, argv, &options);
        if (r != 0)
                return r;
        r = attach(&options, &port, &refusal);
        return r == 0 ? EXIT_SUCCESS : say_failure(r, &refusal);
}
