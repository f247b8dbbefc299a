/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnet-bridge-helper: what QEMU (-netdev bridge,br=NETWORK,helper=PATH) and libvirt
 * (bridge_helper in qemu.conf) run to get a tap. Neither says the guest's MAC, so by default the
 * lease learns it from the guest's first frame.
 *
 * The other side waits with its domain's lock held and nobody can interrupt it, so this program
 * must never stay: it gives up after 60 s and dies with its parent. It must not exit 0 without
 * having sent a descriptor, either: QEMU would take descriptor 0 for a tap.
 */

#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "client/bus.h"
#include "common/argument.h"
#include "common/fd-pass.h"
#include "common/log.h"
#include "common/streams.h"
#include "common/text.h"

#define PROGRAM "rawnet-bridge-helper"
#define GIVE_UP_SECONDS 60u

typedef struct HelperOptions {
        PortRequest request;
        int fd;
} HelperOptions;

static const char help_text[] =
        "rawnet-bridge-helper --br=NETWORK --fd=N [--use-vnet] [--mac=ADDRESS|learn]\n"
        "rawnet-bridge-helper --version | --help\n"
        "\n"
        "Opens a tap port on NETWORK and sends it over the UNIX socket N. QEMU's helper=\n"
        "and libvirt's bridge_helper run it; see rawnet-bridge-helper(1).\n";

enum {
        OPTION_BR = 0x100,
        OPTION_FD,
        OPTION_USE_VNET,
        OPTION_MAC,
        OPTION_HELP,
        OPTION_VERSION
};

static const struct option long_options[] = {
        {"br", required_argument, NULL, OPTION_BR},
        {"fd", required_argument, NULL, OPTION_FD},
        {"use-vnet", no_argument, NULL, OPTION_USE_VNET},
        {"mac", required_argument, NULL, OPTION_MAC},
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {},
};

/* Only what is safe in a signal handler, signal-safety(7). */
static void give_up(int signal_number _unused_) {
        static const char text[] = PROGRAM ": no answer within 60 seconds (is polkit waiting for a "
                                           "password?), gave up\n";

        if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
                _exit(EXIT_FAILURE);
        _exit(EXIT_FAILURE);
}

static int limit_life(void) {
        struct sigaction action = {.sa_handler = give_up};
        sigset_t alarms;

        if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
                return -errno;
        /* The parent may have blocked it: QEMU and libvirt start helpers with whatever mask they
         * have. */
        sigemptyset(&alarms);
        sigaddset(&alarms, SIGALRM);
        if (sigaction(SIGALRM, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &alarms, NULL) < 0)
                return -errno;
        alarm(GIVE_UP_SECONDS);
        return 0;
}

/* An inherited descriptor that is a UNIX socket: otherwise the reply could not be sent after all
 * the work. */
static bool is_unix_socket(int fd) {
        int domain;
        socklen_t size = sizeof(domain);

        return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

static bool parse_fd(const char *text, int *ret) {
        uint32_t fd;

        if (text_parse_u32(text, 0, INT32_MAX, &fd) < 0 || !is_unix_socket((int)fd)) {
                log_error("--fd=%s is not the number of an open UNIX socket", text);
                return false;
        }
        *ret = (int)fd;
        return true;
}

/* 0: continue; 1: help or version was printed; -EINVAL: wrong usage, which was logged. */
static int parse_arguments(int argc, char **argv, HelperOptions *options) {
        int c;

        opterr = 0;
        while ((c = getopt_long(argc, argv, ":", long_options, NULL)) >= 0)
                switch (c) {
                case OPTION_BR:
                        options->request.network = optarg;
                        break;
                case OPTION_FD:
                        if (!parse_fd(optarg, &options->fd))
                                return -EINVAL;
                        break;
                case OPTION_USE_VNET:
                        /* A tap lease always has IFF_VNET_HDR and QEMU reads the flag from the tap
                         * itself (TUNGETIFF). */
                        break;
                case OPTION_MAC:
                        options->request.mac = optarg;
                        break;
                case OPTION_HELP:
                        fputs(help_text, stdout);
                        return 1;
                case OPTION_VERSION:
                        puts(PROGRAM " " RAWNET_VERSION);
                        return 1;
                default:
                        log_error("%s %s; see " PROGRAM " --help", argv[optind - 1],
                                  c == ':' ? "needs a value" : "is not an option");
                        return -EINVAL;
                }
        if (!options->request.network || options->fd < 0 || optind < argc) {
                log_error("usage: " PROGRAM
                          " --br=NETWORK --fd=N [--use-vnet] [--mac=ADDRESS|learn]");
                return -EINVAL;
        }
        return 0;
}

static int open_port(Port *port, Refusal *ret_refusal) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = bus_connect(&bus, ret_refusal);
        return r == 0 ? bus_open_port(bus, port, ret_refusal) : r;
}

int main(int argc, char **argv) {
        HelperOptions options = {.request = PORT_REQUEST_INIT, .fd = -1};
        _cleanup_(port_done) Port port = {};
        Refusal refusal = {};
        int r;

        if (streams_ensure() < 0)
                return EXIT_FAILURE;
        log_open(PROGRAM);
        options.request.mac = "learn";
        r = parse_arguments(argc, argv, &options);
        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        r = limit_life();
        if (r < 0) {
                log_error("%s", errno_text(r));
                return EXIT_FAILURE;
        }
        port_init(&port, NULL, &options.request);
        r = open_port(&port, &refusal);
        if (r != 0) {
                log_error("%s", r > 0 ? refusal.text : errno_text(r));
                return EXIT_FAILURE;
        }
        /* One byte of data without a meaning, and the descriptor: net/tap.c recv_fd(), libvirt's
         * virSocketRecvFD(). */
        r = fd_pass_send(options.fd, "", 1, port.fds, 1, 0);
        if (r < 0) {
                log_error("cannot hand the port on %s over on descriptor %d: %s",
                          options.request.network, options.fd, strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
