/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl: an unprivileged client of rawnetd, like any other. It has no right that its caller
 * does not have.
 */

#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "common/streams.h"

static const char help_text[] =
                "rawnetctl [--help | --version] COMMAND ...\n"
                "\n"
                "Ports on LANs and VLANs for programs of unprivileged users. See rawnetctl(1).\n"
                "\n"
                "  networks [--json]                 networks that the administrator set up\n"
                "  list [--json]                     live leases\n"
                "  stat [--json] ID                  a lease's counters; ID: the number or rnHEX\n"
                "  close ID                          end a lease under its holder\n"
                "  check [--json] [NETWORK]          why a network cannot serve here, and what to "
                "do\n"
                "  run [OPTION...] NETWORK -- CMD ARG...\n"
                "  run [OPTION...] --port NAME=NETWORK ... -- CMD ARG...\n"
                "                                    open ports and become CMD with them from "
                "descriptor 3 up\n"
                "      --kind tap|packet  --mac ADDRESS|learn  --name NAME  --queues N  --vhost  "
                "--vnet-hdr=BOOL\n"
                "      in ARG: {fd} {fds} {fds,} {vhostfds} {mac} {mtu} {ifname}, or {NAME.fd} ... "
                "with --port\n"
                "  qemu [--dry-run] [--] QEMU ARG... become QEMU, with each -netdev "
                "raw,id=ID,network=NETWORK\n"
                "                                    turned into a port\n"
                "  vhost [OPTION...] --socket PATH|--connect PATH NETWORK\n"
                "                                    serve a port to a vhost-user front end\n"
                "      --mac ADDRESS  --name NAME  --queues N  --allow-user USER\n"
                "      --busy-poll USEC  --coalesce USEC\n"
                "  plug [OPTION...] --qmp SOCKET NETWORK\n"
                "                                    put a network card with a port into a running QEMU\n"
                "      --id ID  --bus BUS  --mac ADDRESS|learn  --name NAME  --queues N  --vhost\n"
                "  unplug --qmp SOCKET ID            and take it out again\n"
                "  host up|down NETWORK              make or remove the host's own leg on a network\n";

typedef struct Verb {
        const char *name;
        int (*run)(int argc, char **argv);
} Verb;

static const Verb verbs[] = {
                {"networks", verb_networks}, {"list", verb_list},   {"stat", verb_stat},
                {"close", verb_close},       {"check", verb_check}, {"run", verb_run},
                {"qemu", verb_qemu},         {"host", verb_host},
                {"plug", verb_plug},         {"unplug", verb_unplug},
                {"vhost", verb_vhost},
};

/* Output that did not arrive (a full disk, a closed pipe) is a failure too. */
static int finish(int status) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        log_error("standard output: %s", strerror(errno));
        return EXIT_FAILURE;
}

static bool wants_help(int argc, char **argv) {
        return argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

int main(int argc, char **argv) {
        if (streams_ensure() < 0)
                return EXIT_FAILURE;
        log_open("rawnetctl");
        opterr = 0;
        if (argc < 2) {
                log_error("which command? (see rawnetctl --help)");
                return EXIT_USAGE;
        }
        if (strcmp(argv[1], "--version") == 0) {
                puts("rawnetctl " RAWNET_VERSION);
                return finish(EXIT_SUCCESS);
        }
        if (wants_help(argc, argv) || wants_help(argc - 1, argv + 1)) {
                fputs(help_text, stdout);
                return finish(EXIT_SUCCESS);
        }
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                if (strcmp(argv[1], verbs[i].name) == 0)
                        return finish(verbs[i].run(argc - 1, argv + 1));
        log_error("%s: no such command (see rawnetctl --help)", argv[1]);
        return EXIT_USAGE;
}
