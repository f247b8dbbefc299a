/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl: an unprivileged client of rawnetd, like any other. It has no right that its caller
 * does not have.
 */

#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/complete.h"
#include "client/help.h"
#include "common/streams.h"

/* Output that was not written (a full disk, a closed pipe) is a failure, too. */
static int finish(int status) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        log_error("standard output: %s", strerror(errno));
        return EXIT_FAILURE;
}

int main(int argc, char **argv) {
        const Verb *verb;

        if (streams_ensure() < 0)
                return EXIT_FAILURE;
        log_open("rawnetctl");
        opterr = 0;
        if (argc < 2) {
                log_error("which command? 'rawnetctl help' lists them");
                return EXIT_USAGE;
        }
        if (strcmp(argv[1], "--version") == 0) {
                puts("rawnetctl " RAWNET_VERSION);
                return finish(EXIT_SUCCESS);
        }
        if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
                help_print(stdout);
                return finish(EXIT_SUCCESS);
        }
        if (strcmp(argv[1], "--complete") == 0)
                return finish(complete_words(stdout, argc - 2, argv + 2));
        verb = verb_find(argv[1]);
        if (!verb)
                return say_no_verb(argv[1]);
        if (help_is_wanted(verb, argc - 1, argv + 1)) {
                help_print_verb(stdout, verb);
                return finish(EXIT_SUCCESS);
        }
        return finish(verb->run(argc - 1, argv + 1));
}
