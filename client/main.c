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
        "  networks [--json] [--no-legend]   networks that the administrator set up\n"
        "  list [--json] [--no-legend]       live leases\n"
        "  stat [--json] [--all] ID          a lease's counters; ID: rnHEX, or the lease's name\n"
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
        {"qemu", verb_qemu},         {"host", verb_host},   {"plug", verb_plug},
        {"unplug", verb_unplug},     {"vhost", verb_vhost},
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

/* The lines of help_text that are about one verb: from its own to the next verb's. */
static void print_verb_help(const char *verb) {
        bool mine = false;

        for (const char *line = help_text, *next; *line; line = next) {
                size_t length = strcspn(line, "\n"), name = strcspn(line + MIN_OF(length, 2u), " ");

                next = line + length + (line[length] == '\n');
                if (strncmp(line, "  ", 2) == 0 && line[2] != ' ')
                        mine = name == strlen(verb) && strncmp(line + 2, verb, name) == 0;
                if (mine)
                        printf("%.*s\n", (int)length, line);
        }
        puts("\nSee rawnetctl(1).");
}

static const Verb *find_verb(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                if (strcmp(name, verbs[i].name) == 0)
                        return &verbs[i];
        return NULL;
}

static int say_no_verb(const char *name) {
        /* network, lists */
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
                size_t n = MIN_OF(strlen(name), strlen(verbs[i].name));

                if (n >= 3 && strncmp(name, verbs[i].name, n) == 0) {
                        log_error("%s: no such command; did you mean %s? (see rawnetctl --help)",
                                  name, verbs[i].name);
                        return EXIT_USAGE;
                }
        }
        log_error("%s: no such command (see rawnetctl --help)", name);
        return EXIT_USAGE;
}

int main(int argc, char **argv) {
        const Verb *verb;

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
        if (wants_help(argc, argv) || strcmp(argv[1], "help") == 0) {
                fputs(help_text, stdout);
                return finish(EXIT_SUCCESS);
        }
        verb = find_verb(argv[1]);
        if (!verb)
                return say_no_verb(argv[1]);
        if (wants_help(argc - 1, argv + 1)) {
                print_verb_help(verb->name);
                return finish(EXIT_SUCCESS);
        }
        return finish(verb->run(argc - 1, argv + 1));
}
