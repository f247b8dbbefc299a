/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetd: the D-Bus service org.rawnet1. It reads messages of any user, asks polkit, and passes on
 * what was allowed. It holds no capability and must never need one: whatever takes privilege is
 * rawnet-helper's work, which checks everything again.
 */

#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "common/argument.h"
#include "common/log.h"
#include "common/streams.h"
#include "service/privilege.h"
#include "service/service.h"

#define DESCRIPTORS 65536u
#define OPENS_PER_SECOND 20u
#define OPENS_PER_SECOND_MAX 100000u

static uint32_t arg_idle_seconds = RAWNET_IDLE_SECONDS;
static uint32_t arg_opens_per_second = OPENS_PER_SECOND;
static uint32_t arg_queues_per_user = RAWNET_QUEUES_PER_USER;

/* Running out of descriptors would cost us the bus connection. Calls bring none
 * (dbus/org.rawnet1.conf); each open has up to 32 of its port while it is answered, and what waits
 * to be closed (closer.c) is open as well. */
static void raise_descriptor_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS)
                return;
        limit.rlim_cur = MIN_OF(limit.rlim_max, DESCRIPTORS);
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                log_warning("cannot raise the limit of open files: %s", strerror(errno));
}

static int parse_option(int c) {
        switch (c) {
        case 'i':
                return argument_number("--idle-seconds", optarg, 0, RAWNET_IDLE_SECONDS_MAX,
                                       &arg_idle_seconds);
        case 'o':
                return argument_number("--opens-per-second", optarg, 0, OPENS_PER_SECOND_MAX,
                                       &arg_opens_per_second);
        case 'q':
                return argument_number("--queues-per-user", optarg, 1, RAWNET_QUEUES_PER_USER_MAX,
                                       &arg_queues_per_user);
        default:
                return -EINVAL;
        }
}

/* 0: continue; 1: help or version was printed; -EINVAL: wrong usage, which was logged. */
static int parse_arguments(int argc, char **argv) {
        static const struct option options[] = {
                {"idle-seconds", required_argument, NULL, 'i'},
                {"opens-per-second", required_argument, NULL, 'o'},
                {"queues-per-user", required_argument, NULL, 'q'},
                {"version", no_argument, NULL, 'v'},
                {"help", no_argument, NULL, 'h'},
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'v':
                        printf("rawnetd %s\n", RAWNET_VERSION);
                        return 1;
                case 'h':
                        printf("rawnetd [OPTION...]\n\n"
                               "Gives unprivileged users ports on LANs and VLANs, over D-Bus. The bus starts it;\n"
                               "see rawnetd(8).\n\n"
                               "  --idle-seconds=N      exit after N seconds without leases and calls; 0: never;\n"
                               "                        default: %u\n"
                               "  --opens-per-second=N  ports that a user may open each second after the first\n"
                               "                        %u; 0: no limit; default: %u\n"
                               "  --queues-per-user=N   queues that a user's ports may have, at most %u;\n"
                               "                        default: %u\n"
                               "  --version, --help\n",
                               RAWNET_IDLE_SECONDS, RATE_BURST, OPENS_PER_SECOND,
                               RAWNET_QUEUES_PER_USER_MAX, RAWNET_QUEUES_PER_USER);
                        return 1;
                default:
                        if (parse_option(c) < 0)
                                return -EINVAL;
                }
        if (optind < argc) {
                log_error("unexpected argument '%s'", argv[optind]);
                return -EINVAL;
        }
        return 0;
}

int main(int argc, char **argv) {
        ServiceOptions chosen;
        Service service;
        Refusal refusal = {};
        int r;

        if (streams_ensure() < 0)
                return EXIT_FAILURE;
        log_open("rawnetd");
        r = parse_arguments(argc, argv);
        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        r = privilege_drop(&refusal);
        if (r != 0) {
                log_error("%s", r > 0 ? refusal.text : strerror(-r));
                return EXIT_FAILURE;
        }
        raise_descriptor_limit();
        (void)signal(SIGPIPE, SIG_IGN);
        chosen = (ServiceOptions){
                .idle_usec = arg_idle_seconds * UINT64_C(1000000),
                .opens_per_second = arg_opens_per_second,
                .queues_per_user = arg_queues_per_user,
        };
        r = service_start(&service, &chosen);
        if (r >= 0)
                r = service_run(&service);
        service_done(&service);
        return r < 0 ? EXIT_FAILURE : r;
}
