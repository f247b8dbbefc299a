/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What rawnetctl's verbs have in common.
 */

#include "client/client.h"

#include <string.h>

int say_failure(int r, const Refusal *refusal) {
        log_error("%s", r > 0 ? refusal->text : errno_text(r));
        return EXIT_FAILURE;
}

int say_bad_option(int c, char **argv) {
        const char *option = argv[optind - 1];

        if (c == ':')
                log_error("%s wants a value (see rawnetctl --help)", option);
        else if (strncmp(option, "--", 2) == 0)
                log_error("%s: no such option, or not one that takes a value like that (see "
                          "rawnetctl --help)",
                          option);
        else
                log_error("-%c: no such option (see rawnetctl --help)", optopt);
        return EXIT_USAGE;
}

int parse_listing_options(int argc, char **argv, int min, int max, bool *ret_json) {
        static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {}};
        int c;

        *ret_json = false;
        while ((c = getopt_long(argc, argv, ":", options, NULL)) >= 0) {
                if (c != 'j')
                        return say_bad_option(c, argv);
                *ret_json = true;
        }
        if (argc - optind < min || argc - optind > max) {
                log_error("%s: %s (see rawnetctl --help)", argv[0],
                          argc - optind < min ? "an argument is missing" : "too many arguments");
                return EXIT_USAGE;
        }
        return 0;
}

int run_program(char **argv) {
        int saved;

        execvp(argv[0], argv);
        saved = errno;
        log_error("cannot run %s: %s", argv[0], strerror(saved));
        return saved == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE;
}
